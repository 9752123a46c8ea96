"""`make bench`: which programs it runs, what it keeps of their output, and its page."""

import pathlib
from typing import Any

import bench
import pytest

RESULT: dict[str, Any] = {
    "name": "widgets",
    "command": "python benchmarks/widgets.py --rounds 50",
    "minutes": 1.25,
    "code": 0,
    "output": "median 9 ms",
    "busy": 1.0,
    "day": "2026-11-27",
    "machine": "2 cores",
}


def test_every_benchmark_is_run():
    programs = {
        path.stem
        for path in (bench.ROOT / "benchmarks").glob("*.py")
        if "__main__" in path.read_text(encoding="utf-8")
    }
    assert programs - set(bench.SETTINGS) == {"torch_loop"}  # which `training` starts
    assert set(bench.SETTINGS) <= programs
    assert all(len(bench.question(name)) > 20 for name in bench.SETTINGS)


def at_work(folder: pathlib.Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "widgets.py").write_text(program)
    monkeypatch.setattr(bench, "ROOT", folder)
    monkeypatch.setattr(bench, "PAGE", folder / "benchmarks.md")
    monkeypatch.setattr(bench, "RESULTS", folder / "results")
    monkeypatch.setattr(bench, "BUSY_SECONDS", 0.05)


def test_progress_is_shown_but_not_kept(tmp_path, monkeypatch, capsys):
    program = (
        '"""Is it fast?"""\nimport sys\nprint("round 1 of 3")\nprint("ratio", *sys.argv[1:])\n'
    )
    at_work(tmp_path, program, monkeypatch)
    found = bench.run("widgets", "--rounds 7")
    assert found["output"] == "ratio --rounds 7"
    assert (found["code"], found["command"]) == (0, "python benchmarks/widgets.py --rounds 7")
    assert "round 1 of 3" in capsys.readouterr().out


def test_a_missed_bound_is_told_on_the_page_and_by_the_exit_code(tmp_path, monkeypatch):
    at_work(tmp_path, '"""Is it fast?"""\nraise SystemExit(3)\n', monkeypatch)
    assert bench.main(["widgets"]) == 1
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "**It ended with 3" in page
    assert "Is it fast?" in page

    (tmp_path / "benchmarks" / "widgets.py").write_text('"""Is it fast?"""\nprint("9 ms")\n')
    assert bench.main(["widgets"]) == 0
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "9 ms" in page
    assert "It ended" not in page


def test_the_page_says_what_was_disturbed_and_what_is_missing():
    assert "times are too long" not in bench.section(RESULT)
    assert "97 % busy: times are too long" in bench.section(RESULT | {"busy": 97.0})
    page = bench.page([RESULT, RESULT | {"name": "training"}])
    assert page.index("## training") < page.index("## widgets")  # the order of SETTINGS
    missing = page.partition("Not run yet: ")[2].partition("\n")[0]
    assert "precision" in missing
    assert "widgets" not in missing
    assert "Not run yet" not in bench.page([RESULT | {"name": name} for name in bench.SETTINGS])


def test_unknown_benchmarks_are_named(capsys):
    with pytest.raises(SystemExit):
        bench.main(["widgets", "speed"])
    assert "there is no speed; there is mnist_quality, training" in capsys.readouterr().err
