"""The grader: marks that are fair whatever a notebook does, and nothing given away."""

import copy
import os
import re
import shutil

import classroom
import nbformat
import psutil
import pytest

pytestmark = classroom.NEEDED

LIMITS = ("--cell-seconds", 5, "--idle-seconds", 6, "--memory-gib", 1, "--jobs", 3)
SECRET = "negative numbers count double"  # of a hidden test

NORM = {
    "endless": "def norm(x):\n    while True:\n        pass",
    "stubborn": """\
def norm(x):
    while True:
        try:
            while True:
                pass
        except KeyboardInterrupt:
            pass""",
    "eater": """\
def norm(x):
    kept = []
    while True:
        kept.append(np.ones(10_000_000))""",
    "killer": "os._exit(0)",
    "sleeper": "time.sleep(1e6)",
    "printer": "while True:\n    print('x' * 1000)",
    # nbgrader takes a displayed number for points
    "shower": "def norm(x):\n    get_ipython().displayhook(2)\n    return 0.0",
    # and anything on stderr for a failure
    "warner": "def norm(x):\n    warnings.warn('careful')\n    return 5.0",
    "shadower": "max = sum = float = None\ndef norm(x):\n    return np.linalg.norm(x)",
    "patcher": "np.testing.assert_allclose = lambda *a, **k: None\ndef norm(x):\n    return 0.0",
    "stripper": """\
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Strip())
def norm(x):
    return 5.0""",
    "leaver": """\
import subprocess
subprocess.Popen(["sleep", "86399"], start_new_session=True)
def norm(x):
    return 5.0""",
    "scripter": """\
from IPython.display import HTML, display
display(HTML("<script>alert('marks')</script>"))
def norm(x):
    return 5.0""",
}
SPY = """\
import glob, pathlib, socket
found = []
for folder in {folders!r}:
    for place in glob.glob(folder + "/**/*", recursive=True):
        if pathlib.Path(place).is_file():
            found.append(place)
for place in found:
    try:
        pathlib.Path(place).write_bytes(b"mine")
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=2)
    found.append("the network")
except OSError:
    pass
print("FOUND", [f for f in found], os.environ.get("GAN_SECRET"))
def norm(x):
    return 5.0"""


def changed(notebook, **sources):
    """A copy of a notebook with other sources in some cells."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        cell.source = sources.get(cell.id, cell.source)
    return made


def tampered(notebook):
    """Wrong answers, and tests that were made harmless in several ways."""
    made = changed(
        notebook, double="def double(x):\n    return 0", norm="def norm(x):\n    return 0"
    )
    for cell in made.cells:
        if cell.id == "test_double":
            cell.source = "assert True"
            cell.metadata.nbgrader |= {"points": 100, "locked": False, "solution": True}
        if cell.id == "test_norm":
            cell.cell_type, cell.source = "markdown", "no test here"
            del cell["outputs"], cell["execution_count"]
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("class")


@pytest.fixture(scope="module")
def results(folder):
    """All of these graded at once: a room in which many misbehave and two do not."""
    notebook = classroom.small_course(folder / "course")
    handed_in = folder / "handed in"
    handed_in.mkdir()

    def hand_in(student, made):
        nbformat.write(made, handed_in / f"{student}.ipynb")

    hand_in("right", notebook)
    for student, source in NORM.items():
        hand_in(student, changed(notebook, norm=source))
    hand_in("tamperer", tampered(notebook))
    without = copy.deepcopy(notebook)
    without.cells = [c for c in without.cells if not c.id.startswith("test")]
    hand_in("deleter", changed(without, double="def double(x):\n    return 0"))
    twice = copy.deepcopy(notebook)
    twice.cells.append(copy.deepcopy(twice.cells[2]))
    twice.cells[-1].source, twice.cells[-1].id = "pass", "again"
    hand_in("doubler", changed(twice, double="def double(x):\n    return 0"))
    folders = [str(folder / "course"), str(folder / "results"), str(handed_in)]
    hand_in("spy", changed(notebook, norm=SPY.format(folders=folders, port=9)))
    (handed_in / "broken.ipynb").write_text("{ no notebook")
    nbformat.write(nbformat.v4.new_notebook(), handed_in / "stranger.ipynb")
    (handed_in / "link.ipynb").symlink_to(handed_in / "right.ipynb")
    classroom.run(
        "tools/assignments.py", "--course", folder / "course", "--out", folder / "release"
    )
    shutil.copy(folder / "release" / "small" / "small.ipynb", handed_in / "blank.ipynb")
    os.environ["GAN_SECRET"] = "of the teacher"
    try:
        options = ("--course", folder / "course", *LIMITS)
        return classroom.graded(handed_in, folder / "results", *options)
    finally:
        del os.environ["GAN_SECRET"]


def points(results, student):
    return float(results[0][student]["points"])


def test_the_solution_gets_all_points_and_the_rest_is_left_to_the_teacher(results):
    assert points(results, "right") == 5
    assert (results[0]["right"]["of"], results[0]["right"]["by_hand"]) == ("5.0", "4.0")
    assert results[0]["right"]["lost"] == ""


def test_blank_gets_nothing_and_is_told_so(results):
    assert points(results, "blank") == 0
    assert results[0]["blank"]["lost"].count("not written yet") == 2


@pytest.mark.parametrize(
    ("student", "says"),
    [
        ("endless", "an endless loop?"),
        ("stubborn", "could not be interrupted"),
        ("eater", "Memory"),
        ("killer", "killed or ended itself"),
        ("sleeper", "computed nothing"),
        ("printer", "printed more than"),
        ("shower", "sum of squares"),
        ("patcher", "numpy.testing.assert_allclose"),
        ("stripper", "has been replaced: assert"),
    ],
)
def test_misbehaviour_costs_its_own_test_and_no_other(results, student, says):
    row = results[0][student]
    assert points(results, student) == 3  # test_double came before it
    assert "test_norm (-2)" in row["lost"]
    assert says in row["lost"] + row["problem"]


@pytest.mark.parametrize("student", ["warner", "shadower", "leaver", "scripter"])
def test_what_does_no_harm_costs_nothing(results, student):
    assert points(results, student) == 5


def test_tests_that_were_edited_away_come_back(results):
    assert points(results, "tamperer") == 0
    assert "double(3) is 6" in results[0]["tamperer"]["lost"]
    assert points(results, "deleter") == points(results, "doubler") == 2


def test_no_process_is_left_over(results):
    sleeping = [p for p in psutil.process_iter(["cmdline"]) if "86399" in (p.info["cmdline"] or [])]
    assert not sleeping


def test_a_spy_finds_no_answers_and_changes_nothing(results, folder):
    assert points(results, "spy") == 5
    made = nbformat.read(folder / "results" / "autograded" / "spy" / "small" / "small.ipynb", 4)
    (found,) = (o.text for c in made.cells for o in c.get("outputs", []) if "FOUND" in str(o))
    assert "None" in found, "the teacher's environment is not handed on"
    assert points(results, "right") == 5
    if "NOT shut in" in results[1]:
        pytest.skip("this machine allows no user namespaces, so that nothing is hidden")
    assert found.startswith("FOUND []"), found


def test_malformed_notebooks_are_listed_and_not_fatal(results):
    table, said = results
    assert "no valid notebook" in table["broken"]["problem"]
    assert "no cell of an assignment" in table["stranger"]["problem"]
    assert "a link" in table["link"]["problem"]
    assert all(table[name]["points"] == "" for name in ("broken", "stranger", "link"))
    assert "look at" in said
    assert "broken.ipynb" in said


def test_progress_is_shown(results):
    assert re.search(r"^ *1 of 19 .* min left", results[1], re.M)


def test_each_has_a_page_that_says_why_and_runs_no_program(results, folder):
    pages = {p.parent.parent.name: p for p in (folder / "results" / "feedback").rglob("*.html")}
    assert set(pages) == {k for k, row in results[0].items() if row["points"]}
    assert "double(3) is 6" in pages["deleter"].read_text()
    assert "alert('marks')</script>" not in pages["scripter"].read_text()


def test_students_get_no_answer_and_no_hidden_test(folder, results):
    given = (folder / "release" / "small" / "small.ipynb").read_text()
    assert SECRET not in given
    assert "2 * np.asarray" not in given
    assert classroom.ANSWER not in given


def test_a_version_that_gives_something_away_is_refused(tmp_path):
    notebook = classroom.small_course(tmp_path / "course")
    hint = "    return 2 * np.asarray(x)  "
    notebook.cells.append(nbformat.v4.new_markdown_cell("Hint: copy this line\n" + hint))
    nbformat.write(notebook, tmp_path / "course" / "source" / "small" / "small.ipynb")
    said = classroom.run(
        "tools/assignments.py", "--course", tmp_path / "course", "--out", tmp_path / "r", fails=True
    )
    assert "gives away" in said
    assert "2 * np.asarray(x)" in said
    assert not (tmp_path / "r").exists()


SET = """
import sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///" + sys.argv[1]) as book:
    grade = book.find_grade("why", "small", "small", "ann")
    grade.manual_score = 3
    book.db.commit()
"""
GET = SET[: SET.index("    grade.manual")] + "    print('score', grade.score)"


def test_grading_again_keeps_what_was_given_by_hand(tmp_path):
    notebook = classroom.small_course(tmp_path / "course")
    (tmp_path / "in" / "ann").mkdir(parents=True)
    nbformat.write(changed(notebook, why="Its length."), tmp_path / "in" / "ann" / "any name.ipynb")
    options = ("--course", tmp_path / "course", *LIMITS)
    classroom.graded(tmp_path / "in", tmp_path / "out", *options)
    classroom.run("-c", SET, tmp_path / "out" / "gradebook.db")
    table, _ = classroom.graded(tmp_path / "in", tmp_path / "out", *options)
    assert float(table["ann"]["points"]) == 5
    assert "score 3.0" in classroom.run("-c", GET, tmp_path / "out" / "gradebook.db")
