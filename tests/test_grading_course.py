"""The course's own assignments, through the real grader; tests/test_grading.py has its rules."""

import json
import re
import shutil

import classroom
import nbformat
import pytest
from test_assignments import HIDDEN, NAMES, cells_of, points_of

pytestmark = classroom.NEEDED
LISTED = """
import sys
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
folder = CourseDirectory(root=sys.argv[1])
print(*sorted(one["name"] for one in NbGraderAPI(folder).get_assignments()))
"""  # what the form for grading by hand lists


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    out = tmp_path_factory.mktemp("release")
    classroom.run("tools/assignments.py", "--out", out)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_released_assignment_gives_nothing_away(released, name):
    given = json.dumps(nbformat.read(released / name / f"{name}.ipynb", 4), ensure_ascii=False)
    assert "BEGIN" not in given
    for cell in cells_of(name):
        shown = HIDDEN.sub("", cell.source)
        for region in HIDDEN.findall(cell.source):
            for says in re.findall(r'"([^"]{20,})"', region):
                assert says in shown or says not in given


@pytest.mark.slow
def test_solutions_get_all_points_in_a_kernel(released, tmp_path):
    for name in NAMES:
        source = classroom.ROOT / "assignments" / "source" / name / f"{name}.ipynb"
        (tmp_path / "in" / f"solver of {name}").mkdir(parents=True)
        shutil.copy(source, tmp_path / "in" / f"solver of {name}")
    (tmp_path / "in" / "blank").mkdir()
    shutil.copy(released / NAMES[0] / f"{NAMES[0]}.ipynb", tmp_path / "in" / "blank")
    table, said = classroom.graded(tmp_path / "in", tmp_path / "out")
    assert float(table.pop("blank")["points"]) == 0
    assert len(table) == len(NAMES)
    for row in table.values():
        expected = points_of(row["assignment"], "tests")
        assert float(row["points"]) == float(row["of"]) == expected, row["lost"] + said
        folder = tmp_path / "out" / "autograded" / row["student"] / row["assignment"]
        cells = nbformat.read(folder / f"{row['assignment']}.ipynb", as_version=4).cells
        outputs = [o for c in cells if c.cell_type == "code" for o in c.outputs]
        assert not [o for o in outputs if o.output_type == "error"], "cells that only show, too"
    assert classroom.run("-c", LISTED, tmp_path / "out").split() == sorted(NAMES)
    assert not [*(tmp_path / "out" / "source").rglob("*.ipynb")], "answers stay away from programs"
