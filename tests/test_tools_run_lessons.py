"""The runner, on tiny notebooks in a folder of their own."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
import run_lessons
from nbformat import v4

pytestmark = pytest.mark.notebook


def notebook(path, *cells):
    """Write a notebook; cells that begin with # are headings, the rest is code."""
    made = [v4.new_markdown_cell(c) if c.startswith("#") else v4.new_code_cell(c) for c in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=made), path)
    return path


def run(tmp_path, *paths, extra=("--no-html",)):
    places = ["--out", str(tmp_path / "build"), "--runs", str(tmp_path / "runs")]
    return run_lessons.main([*places, *extra, *map(str, paths)])


def executed(tmp_path, name):
    return nbformat.read(tmp_path / "build" / f"{name}.ipynb", as_version=4)


def printed(nb):
    return "".join(
        o.text for c in nb.cells if c.cell_type == "code" for o in c.outputs if "text" in o
    )


@pytest.fixture
def decoy_kernel(tmp_path, monkeypatch):
    """A kernel named python3, found before all others, that is not this Python."""
    folder = tmp_path / "decoy" / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["false"], "display_name": "decoy", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "decoy"))


def test_a_lesson_runs_here_in_this_python_with_its_profile(
    tmp_path, capsys, decoy_kernel, monkeypatch
):
    monkeypatch.setenv("MPLBACKEND", "agg")
    lesson = notebook(
        tmp_path / "notebooks" / "01_first.ipynb",
        "# First\n\n```\n# no heading\n```",
        "import json, os, pathlib, sys, time",
        "## The *middle*",
        "print(sys.executable, os.environ['GAN_PROFILE'], pathlib.Path.cwd(), sep='\\n')\n"
        "print(os.environ.get('MPLBACKEND'))",
        "memory = b'x' * 150_000_000\ntime.sleep(0.5)",
        "folder = pathlib.Path(os.environ['GAN_RUNS']) / '01_first'\n"
        "folder.mkdir(parents=True)\n"
        "scores = {'frechet': 31.2468, 'classes': 10}\n"
        "(folder / 'scores.json').write_text(json.dumps(scores));",
    )
    before = lesson.read_bytes()

    assert run(tmp_path, lesson, extra=["--profile", "smoke"]) == 0

    python, profile, folder, backend = printed(executed(tmp_path, "01_first")).split("\n")[:4]
    assert python == sys.executable
    assert profile == "smoke"
    assert pathlib.Path(folder) == lesson.parent
    assert "inline" in backend
    assert lesson.read_bytes() == before

    page = (tmp_path / "build" / "01_first.html").read_text(encoding="utf-8")
    assert "The <em>middle</em>" in page

    summary = json.loads((tmp_path / "build" / "summary.json").read_text())
    assert summary["profile"] == "smoke"
    (result,) = summary["lessons"]
    assert result["lesson"] == "01_first"
    assert result["scores"] == {"frechet": 31.2468, "classes": 10}
    assert 0.14 < result["peak_memory_gib"] < 1.0
    assert 0 < result["minutes"] < 2
    assert result["error"] == ""

    said = capsys.readouterr().out
    assert "01_first  cell   1 of 4" in said
    assert "frechet 31.2, classes 10" in said


def test_a_failing_lesson_is_shown_and_does_not_stop_the_next(tmp_path, capsys):
    bad = notebook(
        tmp_path / "notebooks" / "01_bad.ipynb",
        "# Bad",
        "a = 1",
        "## Division",
        "def share(x):\n    return a / x\nshare(0)",
        "print('not reached')",
    )
    good = notebook(tmp_path / "notebooks" / "02_good.ipynb", "print('reached')")
    stale = tmp_path / "runs" / "02_good" / "scores.json"
    stale.parent.mkdir(parents=True)
    stale.write_text('{"of an earlier run": 1}')
    os.utime(stale, (1, 1))
    before = bad.read_bytes()

    assert run(tmp_path, bad, good, extra=["--no-html", "--update"]) == 1

    said = capsys.readouterr().out
    assert 'code cell 2 of 3, under "Division"' in said
    assert "    return a / x" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "\x1b" not in said
    assert "1 of 2 lessons failed" in said
    assert "earlier run" not in said
    assert bad.read_bytes() == before, "a failed lesson is not stored"
    assert "not reached" not in printed(executed(tmp_path, "01_bad"))
    assert "reached" in printed(executed(tmp_path, "02_good"))


def test_a_kernel_that_dies_is_said_so(tmp_path, capsys):
    lesson = notebook(tmp_path / "notebooks" / "01_dies.ipynb", "# Dies", "import os\nos._exit(3)")
    assert run(tmp_path, lesson) == 1
    assert 'under "Dies": the kernel died' in capsys.readouterr().out


def test_update_stores_clean_outputs_in_place(tmp_path):
    lesson = notebook(
        tmp_path / "notebooks" / "01_first.ipynb",
        "print('one', flush=True)\nprint('two', flush=True)",
        "import ipywidgets\nipywidgets.IntSlider()",
        "6 * 7",
    )
    nb = nbformat.read(lesson, as_version=4)
    nb.metadata["papermill"] = {"duration": 1.5}
    nb.cells[0].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    nb.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nb, lesson)
    ids = [c.id for c in nb.cells]

    assert run(tmp_path, lesson, extra=["--no-html", "--update"]) == 0

    nb = nbformat.read(lesson, as_version=4)
    nbformat.validate(nb)
    assert [c.id for c in nb.cells] == ids
    assert [c.execution_count for c in nb.cells] == [1, 2, 3]
    assert [o.text for o in nb.cells[0].outputs] == ["one\ntwo\n"]
    assert nb.cells[1].outputs == [], "a slider without its kernel is dead"
    assert nb.cells[2].outputs[0].data["text/plain"] == "42"
    assert nb.cells[0].metadata == {"tags": ["parameters"]}
    assert sorted(nb.metadata) == ["kernelspec", "language_info"]
    assert nb.metadata.language_info == {"name": "python"}
    assert not list(lesson.parent.glob(".*")), "nothing is left beside it"

    once = lesson.read_bytes()
    assert run(tmp_path, lesson, extra=["--no-html", "--update"]) == 0
    assert lesson.read_bytes() == once, "the same outputs make the same file"


@pytest.fixture
def ctrl_c_is_heeded():
    """As under a terminal: a shell's background jobs, and what they start, ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_lessons_side_by_side_meet_and_are_told_in_their_order(tmp_path, capfd):
    meet = (
        "import pathlib, time\nmine, other = map(pathlib.Path, {})\nmine.touch()\n"
        "while not other.exists():\n    time.sleep(0.05)"
    )  # each ends only if the other runs at the same time
    files = [str(tmp_path / name) for name in "ab"]
    folder = tmp_path / "notebooks"
    slow = notebook(folder / "01_a.ipynb", meet.format(files), "time.sleep(1)")
    quick = notebook(folder / "02_b.ipynb", meet.format(files[::-1]))
    wrong = notebook(folder / "03_c.ipynb", "1 / 0")
    assert run(tmp_path, slow, quick, wrong, extra=("--no-html", "--jobs", "2")) == 1
    out = capfd.readouterr().out
    assert "\r" not in out
    assert "1 of 3 lessons failed." in out
    found = json.loads((tmp_path / "build" / "summary.json").read_text())["lessons"]
    assert [lesson["lesson"] for lesson in found] == ["01_a", "02_b", "03_c"]
    assert ["ZeroDivisionError" in lesson["error"] for lesson in found] == [False, False, True]


def test_no_lesson_at_a_time_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, extra=("--jobs", "0"))
    assert "--jobs 0: at least 1 lesson" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_the_kernel_too(tmp_path, ctrl_c_is_heeded, jobs):
    pid_file = tmp_path / "pid"
    lesson = notebook(
        tmp_path / "notebooks" / "01_long.ipynb",
        f"import os, pathlib, time\npathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))",
        "time.sleep(300)",
    )
    command = [sys.executable, run_lessons.__file__, "--jobs", jobs, "--out", str(tmp_path)]
    command += [str(lesson)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        try:
            deadline = time.monotonic() + 60
            while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
                time.sleep(0.1)
            kernel = psutil.Process(int(pid_file.read_text()))
            runner.send_signal(signal.SIGINT)
            said, _ = runner.communicate(timeout=60)
        finally:
            runner.kill()
    assert runner.returncode == 130
    assert "Interrupted" in said
    assert not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ('{"a": 1, "b": 0.5}', {"a": 1.0, "b": 0.5}),
        ("[1, 2]", {}),
        ('{"a": {"b": 1}}', {}),
        ('{"a": "much"}', {}),
        ("{", {}),
    ],
)
def test_scores_are_one_flat_table_of_numbers(tmp_path, text, scores):
    file = tmp_path / "scores.json"
    file.write_text(text)
    assert run_lessons.read_scores(file, written_after=0) == scores


def test_the_table_is_aligned_and_wraps_long_scores():
    many = {f"score_{i}": i / 7 for i in range(12)}
    rows = [
        run_lessons.Result("01_a_long_name", 4.25, 1.5, many),
        run_lessons.Result("02_b", 0.1, 0.2),
        run_lessons.Result("03_c", error="code cell 3 of 4:\n\n    1 / 0"),
    ]
    lines = run_lessons.table(rows).splitlines()
    assert max(map(len, lines)) <= run_lessons.WIDTH
    column = lines[0].index("scores")
    assert all(line[column - 2 : column] == "  " != line[column : column + 2] for line in lines)
    assert "01_a_long_name      4.2     1.50 GiB  score_0 0, score_1 0.143" in lines[1]
    assert lines[-1].endswith("FAILED in code cell 3 of 4")


def test_nothing_to_run_is_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run_lessons, "ROOT", tmp_path)
    assert run_lessons.main([]) == 2
    assert "no lesson found" in capsys.readouterr().err
    assert run_lessons.main([str(tmp_path / "nowhere.ipynb")]) == 2
    assert "nowhere.ipynb is no notebook" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_lessons.main(["--profile", "fast"])
    assert "'fast' is none of smoke, quick, full" in capsys.readouterr().err

    junk = tmp_path / "junk.ipynb"
    junk.write_text('{"cells": [')
    assert run(tmp_path, junk) == 1
    assert "no valid notebook" in capsys.readouterr().out


def test_without_names_all_lessons_run_in_order(tmp_path, monkeypatch):
    for name in ("10_c", "02_b", "01_a"):
        notebook(tmp_path / "notebooks" / f"{name}.ipynb", "1")
    notebook(tmp_path / "notebooks" / ".ipynb_checkpoints" / "01_a-checkpoint.ipynb", "1")
    monkeypatch.setattr(run_lessons, "ROOT", tmp_path)
    assert [p.stem for p in run_lessons.find_lessons([])] == ["01_a", "02_b", "10_c"]
