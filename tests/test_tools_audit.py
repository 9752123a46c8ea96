"""`make audit` never takes silence for safety."""

import json
import re
import subprocess
from types import SimpleNamespace

import audit
import pytest

SOUND = {"name": "numpy", "version": "2.4", "vulns": []}
WEAK = {"name": "pillow", "version": "1.0",
        "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}]}  # fmt: skip
PASSED_OVER = {"name": "keras", "skip_reason": "Dependency not found on PyPI: keras (3.15)"}
CRASH = "Traceback …\nConnectionError: no route\n"
SLOW = "slow"


@pytest.mark.parametrize(
    ("answers", "code", "says"),
    [
        ([[SOUND]], 0, "^PyPI: 1 of 1 packages looked up, 0 weaknesses"),
        ([[SOUND, WEAK]], 1, "pillow 1.0: PYSEC-1, mended in 1.1\nPyPI: 2 of 2 .*1 weaknesses"),
        ([[WEAK, PASSED_OVER]], 1, "1 of 2 packages looked up"),
        ([[SOUND, PASSED_OVER]], 3, "PyPI: 1 of 2 packages looked up, 0 weaknesses"),
        # A mirror without advisories: pip-audit itself says that nothing was found.
        ([[PASSED_OVER], [SOUND]], 0, "PyPI has no answer: Dependency not found.*\nOSV"),
        ([[PASSED_OVER], CRASH], 3, "OSV .* no answer: ConnectionError: no route\nNothing was"),
        ([CRASH, [WEAK]], 1, "pillow"),
        ([SLOW, CRASH], 3, "PyPI has no answer: no answer within"),
    ],
)
def test_what_the_services_answer_decides(monkeypatch, capsys, answers, code, says):
    waiting = list(answers)

    def run(command, **_):
        assert "pip_audit" in command
        answer = waiting.pop(0)
        if answer == SLOW:
            raise subprocess.TimeoutExpired(command, 1)
        if answer == CRASH:
            return SimpleNamespace(stdout="", stderr=answer)
        return SimpleNamespace(stdout=json.dumps({"dependencies": answer}), stderr="")

    monkeypatch.setattr("subprocess.run", run)
    assert audit.main() == code
    assert re.search(says, capsys.readouterr().out)
    assert not waiting
