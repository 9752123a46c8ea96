"""`make bench` knows every benchmark, and writes what each said, on which machine, how it ended."""

import pathlib
import re
import shlex
import subprocess
import sys

import bench
import pytest

NO_BENCHMARKS = {"__init__", "arithmetic", "recipes", "report", "torch_loop"}
"""Parts of others: arithmetic, for instance, is run by training."""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two benchmarks in a repository of their own."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "docs").mkdir()
    programs = {
        "one": '"""What is one?\n\nMore."""\nimport sys\n'
        'print("round 1 of 2")\nprint(*sys.argv[1:])',
        "two": '"""Is it fast?"""\nprint("no")\nraise SystemExit(1)',
    }
    for name, text in programs.items():
        (tmp_path / "benchmarks" / f"{name}.py").write_text(text)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "build")
    monkeypatch.setattr(bench, "PAGE", tmp_path / "docs" / "benchmarks.md")
    monkeypatch.setattr(bench, "SETTINGS", {"one": "--n 7", "two": ""})
    monkeypatch.setattr("psutil.cpu_percent", lambda interval: 0.1)
    return tmp_path


def text_of(place):
    return (place / "docs" / "benchmarks.md").read_text()


def test_the_page_has_question_command_machine_and_result_of_each(place):
    assert bench.main([]) == 1
    one, two = text_of(place).split("## ")[1:]
    assert one.startswith("one\n\nWhat is one?\n\n    python benchmarks/one.py --n 7\n")
    assert "```text\n--n 7\n```" in one, "the line on progress belongs to the screen"
    assert re.search(r"minutes, on \d+ cores of .+tensorflow 2\.\d+", one)
    assert "It ended with" not in one
    assert "It ended with 1" in two
    assert "Not run yet" not in text_of(place)


def test_one_alone_leaves_the_results_of_the_others(place):
    assert bench.main(["one"]) == 0
    assert "Not run yet: two." in text_of(place)
    bench.main(["two"])
    assert text_of(place).index("## one") < text_of(place).index("## two")


def test_a_busy_machine_is_noted(place, monkeypatch):
    monkeypatch.setattr("psutil.cpu_percent", lambda interval: 97.0)
    bench.main(["one"])
    assert "other programs kept the processor 97 % busy: times are too long" in text_of(place)


def test_an_unknown_name_is_refused_with_those_that_there_are(place, capsys):
    with pytest.raises(SystemExit):
        bench.main(["three"])
    assert "there is no three; there is one, two" in capsys.readouterr().err


def test_every_benchmark_is_run(root):
    there = {file.stem for file in (root / "benchmarks").glob("*.py")} - NO_BENCHMARKS
    assert bench.SETTINGS.keys() == there


@pytest.mark.parametrize("name", bench.SETTINGS)
def test_the_settings_are_options_that_the_benchmark_has(name, root):
    text = pathlib.Path(root / "benchmarks" / f"{name}.py").read_text()
    options = [word for word in shlex.split(bench.SETTINGS[name]) if word.startswith("--")]
    assert [option for option in options if f'"{option}"' not in text] == []
    assert bench.question(name).endswith((".", "?"))


def test_the_list_says_what_there_is(root):
    done = subprocess.run(
        [sys.executable, root / "tools" / "bench.py", "--list"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(re.search(rf"^{name} ", done.stdout, re.MULTILINE) for name in bench.SETTINGS)
