"""The students' versions: what counts as giving an answer away, and what does not."""

import classroom
import nbformat
import pytest

pytestmark = classroom.NEEDED

AS_IT_IS = """\
def reference(x):
    return 2 * np.asarray(x)"""
OTHER_NAMES = """\
def reference(numbers):
    whole = max(0.0, float(np.sqrt(
        np.sum(np.square(numbers)))))
    return whole"""
HARMLESS = """\
x = np.asarray([1.0, 2.0])
print(2 * np.sum(np.square(x)), np.random.default_rng(1))"""
MAGIC = "%matplotlib inline\nx = 1"
REPEATED = """\
again = double(np.arange(3))
assert float(double(3)) == 6, "double(3) is 6."
### BEGIN HIDDEN TESTS
again = double(np.arange(3))
assert float(double(-1.5)) == -3, "negative numbers count double, too."
### END HIDDEN TESTS"""


def made_with(folder, *given, test_double=classroom.TEST_DOUBLE, fails=False):
    """Make the small assignment with some more cells, which are given; returns what is said."""
    notebook = classroom.small_course(folder / "course")
    for cell in notebook.cells:
        if cell.id == "test_double":
            cell.source = test_double
    for k, source in enumerate(given):
        notebook.cells.append(classroom.cell("locked", f"given_{k}", source))
    nbformat.write(notebook, folder / "course" / "source" / "small" / "small.ipynb")
    options = ("--course", folder / "course", "--out", folder / "release")
    said = classroom.run("tools/assignments.py", *options, fails=fails)
    assert (folder / "release").exists() != fails
    return said


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (AS_IT_IS, "'return 2 * np.asarray(x)' in given_0"),
        (OTHER_NAMES, "'float(np.sqrt(np.sum(np.square(numbers))))', a formula"),
    ],
)
def test_given_cell_that_works_the_answer_out_is_refused(tmp_path, source, says):
    said = made_with(tmp_path, source, HARMLESS, fails=True)
    assert "gives away" in said
    assert says in said


def test_formula_is_told_once_and_not_with_each_of_its_parts(tmp_path):
    said = made_with(tmp_path, OTHER_NAMES, fails=True)
    assert said.count("a formula of a solution") == 1


def test_given_cell_may_use_what_is_used_everywhere(tmp_path):
    assert "no line or formula of a solution in it" in made_with(tmp_path, HARMLESS, MAGIC)


def test_hidden_test_may_repeat_what_a_test_shows(tmp_path):
    assert "by hand" in made_with(tmp_path, test_double=REPEATED)
