"""The script that makes the environment, as far as it can be tried in a second."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "tools" / "make_env.sh"
pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("sh"), reason="for machines with a POSIX shell"
)


def make_env(folder, **environment):
    return subprocess.run(
        ["sh", SCRIPT, folder, "-r", "requirements.txt"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def stand_in(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_no_suitable_python_says_what_was_tried_and_how_to_get_one(tmp_path):
    done = make_env(tmp_path / "env", GAN_PYTHONS="9.9", PYTHON=sys.executable)
    assert done.returncode == 1
    assert "need one of: Python 9.9" in done.stderr
    assert f"is Python {sys.version_info[0]}.{sys.version_info[1]}" in done.stderr
    assert "python3-venv" in done.stderr
    assert "brew install python" in done.stderr
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("script", ["exit 127", "echo $0 is too old"])
def test_a_python_that_does_not_run_or_does_not_fit_is_passed_over(tmp_path, script):
    python = stand_in(tmp_path / "python", script)
    done = make_env(tmp_path / "env", PYTHON=python)
    assert done.returncode == 1
    assert f"{python} {'does not run' if 'exit' in script else 'is too old'}" in done.stderr


def test_the_interpreter_that_was_named_is_used(tmp_path):
    # It fits (no objection) and then notes what it was asked to make, and fails.
    python = stand_in(tmp_path / "python", f'echo "$@" >>{tmp_path}/asked; [ "$1" = - ]')
    stand_in(tmp_path / "python3.12", "exit 0")
    assert make_env(tmp_path / "env", PYTHON=python).returncode == 1
    assert (tmp_path / "asked").read_text().splitlines()[-1] == f"-m venv {tmp_path / 'env'}"
