"""Assignments judge rightly: the solution, a blank notebook, and answers with one mistake each.

The cells run here, in this process, which is fast; tests/test_grading.py has the real grader.
"""

import ast
import contextlib
import importlib.util
import io
import linecache
import pathlib
import re

import matplotlib.pyplot as plt
import nbformat
import pytest

COURSE = pathlib.Path(__file__).resolve().parent.parent / "assignments"
NAMES = sorted(path.parent.name for path in (COURSE / "source").glob("*/*.ipynb"))
SOLUTION = re.compile(r"( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", re.DOTALL)


def cells_of(name):
    return nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4).cells


def kind_of(cell):
    marks = cell.metadata.get("nbgrader")
    if not marks:
        return "free"
    if marks.grade:
        return "written" if marks.solution else "tests"
    return "solution" if marks.solution else "locked"


def blanked(source):
    return SOLUTION.sub(r"\1raise NotImplementedError", source)


def changed(source, changes):
    """The right answer with some of its texts replaced."""
    for old, new in changes.items():
        assert old in source, f"the right answer has no {old!r}"
        source = source.replace(old, new)
    return source


def outcomes(name, answers=None, *, blank=False, visible_only=False):
    """Run an assignment as the grader does: for each test what it says, empty if it passes."""
    answers, found, names = dict(answers or {}), {}, {"__name__": name}
    for cell in cells_of(name):
        kind = kind_of(cell)
        if cell.cell_type != "code" or kind == "free":  # free cells only show something
            continue
        label, source = cell.metadata.nbgrader.grade_id, cell.source
        if kind == "solution":
            answer = answers.pop(label, blanked(source) if blank else source)
            source = changed(source, answer) if isinstance(answer, dict) else answer
        if kind == "tests" and visible_only:
            source = HIDDEN.sub("", source)
        says = run(source, label, names)
        if kind == "tests":
            found[label] = says
        assert kind != "locked" or not says, f"{label}: {says}"
    assert not answers, f"no such cell: {set(answers)}"
    plt.close("all")
    return found


def run(source, label, names):
    """Execute a cell; returns its error in words."""
    linecache.cache[label] = (len(source), None, source.splitlines(True), label)  # for AutoGraph
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            exec(compile(source, label, "exec"), names)
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def wrong_of(name):
    place = COURSE / "wrong" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"wrong_{name}", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


def points_of(name, kind):
    return sum(c.metadata.nbgrader.points for c in cells_of(name) if kind_of(c) == kind)


MISTAKES = [(name, mistake) for name in NAMES for mistake in wrong_of(name)]


def test_there_is_one_for_each_of_the_first_lessons_and_a_capstone():
    assert NAMES == [*(f"assignment_{k}" for k in range(1, 7)), "capstone"]


@pytest.mark.parametrize("number", range(1, 7))
def test_lesson_links_to_its_assignment_by_name(number):
    (lesson,) = (COURSE.parent / "notebooks").glob(f"0{number}_*.ipynb")
    title = cells_of(f"assignment_{number}")[0].source.splitlines()[0]
    named = title.removeprefix("# Assignment ").replace(" · ", ", *") + "*"
    link = f"[assignment {named}](../assignments/README.md#what-each-one-tests)"
    text = "".join(c.source for c in nbformat.read(lesson, as_version=4).cells)
    assert text.count(link) == 1
    assert "## What each one tests" in (COURSE / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_solution_passes_every_test(name):
    failed = {k: says for k, says in outcomes(name).items() if says}
    assert not failed


@pytest.mark.parametrize("name", NAMES)
def test_blank_fails_every_test(name):
    passed = [k for k, says in outcomes(name, blank=True).items() if not says]
    assert not passed


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_mistake_costs_what_it_should(name, mistake):
    wrong = wrong_of(name)[mistake]
    failed = {k: says for k, says in outcomes(name, wrong["cells"]).items() if says}
    assert set(failed) == set(wrong["loses"])
    for test, words in wrong["loses"].items():
        assert words in failed[test]


@pytest.mark.parametrize("name", NAMES)
def test_six_mistakes_are_tried(name):
    assert len(wrong_of(name)) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_form(name):
    cells = cells_of(name)
    labels = [c.metadata.nbgrader.grade_id for c in cells if "nbgrader" in c.metadata]
    assert len(labels) == len(set(labels))
    by_machine, by_hand = points_of(name, "tests"), points_of(name, "written")
    stated = re.search(r"\| Points \| (\d+) by machine, (\d+) by your teacher \|", cells[0].source)
    assert stated, "the first cell states the points"
    assert (by_machine, by_hand) == tuple(map(int, stated.groups()))
    assert sum(kind_of(c) == "tests" for c in cells) >= 4, "partial credit wants several tests"
    assert any(HIDDEN.search(c.source) for c in cells), "a hidden test"
    assert any(kind_of(c) == "written" for c in cells), "an answer that a person reads"
    for cell in cells:
        assert not cell.get("outputs")
        if kind_of(cell) == "tests":
            assert_speaks(cell.source)
        if kind_of(cell) == "solution":
            assert SOLUTION.search(cell.source), "the signature stays, the body goes"


def assert_speaks(source):
    """Every assertion of a test says what is wrong, or follows one that does."""
    bare = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    assert all(node.msg is not None for node in bare)


@pytest.mark.parametrize("name", NAMES)
def test_no_test_looks_at_a_clock(name):
    code = "\n".join(c.source for c in cells_of(name) if c.cell_type == "code")
    assert not re.search(r"\btime\.|perf_counter|datetime|urllib|requests", code)
