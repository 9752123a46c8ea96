"""A small course for tests of the grader: no TensorFlow in it, so that a notebook takes seconds."""

import csv
import os
import pathlib
import shutil
import subprocess
import sys

import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = ROOT / os.environ.get("CLASSROOM", ".venv-classroom") / "bin" / "python"
NEEDED = [  # the marks of tests that grade
    pytest.mark.notebook,
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}: make assignments makes it"),
]

SETUP = "import numpy as np\nimport os, time, warnings"
DOUBLE = (
    "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * np.asarray(x)\n    ### END SOLUTION"
)
TEST_DOUBLE = """\
assert float(double(3)) == 6, "double(3) is 6."
### BEGIN HIDDEN TESTS
assert float(double(-1.5)) == -3, "negative numbers count double, too."
### END HIDDEN TESTS"""
NORM = """\
def norm(x):
    ### BEGIN SOLUTION
    return float(np.sqrt(np.sum(np.square(x))))
    ### END SOLUTION"""
TEST_NORM = (
    'np.testing.assert_allclose(norm([3.0, 4.0]), 5.0, err_msg="the root of a sum of squares")'
)
ANSWER = "The length of a vector, whatever its direction may be."


def cell(kind, name, source, points=0):
    """One cell of an assignment, with nbgrader's notes."""
    grade, locked, solution = {
        "locked": (False, True, False),
        "solution": (False, False, True),
        "tests": (True, True, False),
        "written": (True, False, True),
    }[kind]
    new = nbformat.v4.new_markdown_cell if kind == "written" else nbformat.v4.new_code_cell
    made = new(source, id=name)
    made.metadata["nbgrader"] = {
        "grade": grade,
        "grade_id": name,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
        **({"points": points} if grade else {}),
    }
    return made


def small_course(folder):
    """A course of one assignment, `small`: two functions to write and one sentence."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        cell("locked", "setup", SETUP),
        cell("solution", "double", DOUBLE),
        cell("tests", "test_double", TEST_DOUBLE, 3),
        cell("solution", "norm", NORM),
        cell("tests", "test_norm", TEST_NORM, 2),
        cell("written", "why", ANSWER, 4),
    ]
    language = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["kernelspec"] = language
    place = folder / "source" / "small" / "small.ipynb"
    place.parent.mkdir(parents=True)
    nbformat.write(notebook, place)
    for name in ("nbgrader_config.py", "header.ipynb"):
        shutil.copy(ROOT / "assignments" / name, folder / name)
    return notebook


def run(*command, fails=False):
    """Run a tool with the classroom's Python; returns what it printed."""
    done = subprocess.run(
        [PYTHON, *map(str, command)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def graded(submissions, out, *options):
    """Grade a folder; returns the table's rows by student, and what was printed."""
    said = run("tools/grade.py", submissions, "--out", out, "--python", sys.executable, *options)
    with (pathlib.Path(out) / "grades.csv").open(encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}, said
