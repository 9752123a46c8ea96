"""Make the students' versions of the assignments, and see to it that they give nothing away.

    python tools/assignments.py                     all of them, into assignments/release
    python tools/assignments.py assignment_1        one

Needs nbgrader (requirements-classroom.txt).
"""

import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence

import nbformat
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

ROOT = pathlib.Path(__file__).resolve().parent.parent
COURSE = ROOT / "assignments"
REGION = re.compile(
    r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END (?:SOLUTION|HIDDEN TESTS)", re.DOTALL
)
TELLING = 12  # a line of fewer characters, such as `return x`, may stand anywhere

# nbgrader calls `alembic`, which lies beside this Python, whether the environment is active or not
os.environ["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
warnings.filterwarnings("ignore", module="sqlalchemy")
warnings.filterwarnings("ignore", message=".*autoflush.*")


def names(course: pathlib.Path = COURSE) -> list[str]:
    """The assignments of a course, in order."""
    return sorted(path.parent.name for path in (course / "source").glob("*/*.ipynb"))


def settings(course: pathlib.Path = COURSE) -> Config:
    """What the course's nbgrader_config.py says, its paths made absolute."""
    config = PyFileConfigLoader("nbgrader_config.py", str(course)).load_config()
    config.IncludeHeaderFooter.header = str(course / config.IncludeHeaderFooter.header)
    return config


def api(course: pathlib.Path, work: pathlib.Path) -> NbGraderAPI:
    """nbgrader on a folder ``work`` of its own, which gets a copy of the course's source."""
    shutil.copytree(course / "source", work / "source", dirs_exist_ok=True)
    config = settings(course)
    config.CourseDirectory.root = str(work)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


def release(name: str, out: pathlib.Path, *, course: pathlib.Path = COURSE) -> pathlib.Path:
    """Write the student's version of one assignment, and check it.

    Raises:
        RuntimeError: nbgrader failed, or the version gives something away; nothing is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        done = api(course, work).generate_assignment(name)
        if not done["success"]:
            raise RuntimeError(f"nbgrader could not make {name}:\n{done['log'][-2000:]}")
        made = work / "release" / name / f"{name}.ipynb"
        source = nbformat.read(course / "source" / name / made.name, as_version=4)
        given_away = list(leaks(source, nbformat.read(made, as_version=4)))
        if given_away:
            raise RuntimeError(f"{name} gives away:\n  " + "\n  ".join(given_away))
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(work / "release" / name, out / name)
    return out / name / made.name


def leaks(source: nbformat.NotebookNode, given: nbformat.NotebookNode) -> Iterator[str]:
    """What of the solutions and hidden tests a student's version still holds, in words."""
    code = "\n".join(cell.source for cell in source.cells)
    secret = {line.strip() for region in REGION.findall(code) for line in region.splitlines()}
    for cell in source.cells:  # a written answer and a whole cell are secret without a mark
        if is_solution(cell) and not REGION.search(cell.source):
            secret |= {line.strip() for line in cell.source.splitlines()}
    shown = REGION.sub("", "\n".join(c.source for c in source.cells if not is_solution(c)))
    shown += REGION.sub("", "\n".join(c.source for c in source.cells if REGION.search(c.source)))
    secret -= {line.strip() for line in shown.splitlines()}
    for cell in given.cells:
        if re.search(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)", cell.source):
            yield f"a mark of nbgrader's in {cell.id}"
        if cell.get("outputs"):
            yield f"outputs in {cell.id}"
        for line in map(str.strip, cell.source.splitlines()):
            if len(line) >= TELLING and line in secret:
                yield f"{line!r} in {cell.id}"


def points(notebook: nbformat.NotebookNode) -> tuple[int, int]:
    """The points of an assignment that a machine gives, and those given by hand."""
    graded = [cell for cell in notebook.cells if is_grade(cell)]
    by_hand = sum(int(c.metadata.nbgrader.points) for c in graded if is_solution(c))
    return sum(int(c.metadata.nbgrader.points) for c in graded) - by_hand, by_hand


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; default: all of them")
    parser.add_argument("--out", type=pathlib.Path, default=COURSE / "release")
    parser.add_argument("--course", type=pathlib.Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    there = names(options.course)
    unknown = set(options.names) - set(there)
    if unknown:
        parser.error(f"no assignment {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    for name in options.names or there:
        try:
            made = release(name, options.out, course=options.course)
        except RuntimeError as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            return 1
        source = options.course / "source" / name / made.name
        machine, by_hand = points(nbformat.read(source, as_version=4))
        print(
            f"{made}  {machine} points by machine, {by_hand} by hand; no answer in it", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
