"""Make the students' versions of the assignments, and see to it that they give nothing away.

    python tools/assignments.py                     all of them, into assignments/release
    python tools/assignments.py assignment_1        one

Needs nbgrader (requirements-classroom.txt).
"""

import argparse
import ast
import os
import pathlib
import re
import shutil
import sys
import tempfile
import textwrap
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
    r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END (?:SOLUTION|HIDDEN TESTS)", re.DOTALL
)
TELLING = 12  # a line of fewer characters, such as `return x`, may stand anywhere
FORMULA = 20  # a formula of fewer, its names not counted, may be there twice by chance

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


class Nameless(ast.NodeTransformer):
    """Every name becomes `_`, so that a formula is known again after its names have changed."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name("_", node.ctx)


def formulas(code: str) -> dict[str, str]:
    """The formulas in a piece of code, at least FORMULA long: as written, by nameless form.

    A formula has an operator or a call within a call. A single call, such as that of
    `default_rng`, answers nothing by itself.
    """
    try:
        tree = ast.parse(textwrap.dedent(code))
    except SyntaxError:  # IPython's own, such as %pip; its lines are still looked at
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.Call) and computes(node):
            written = ast.unparse(node)
            nameless = ast.unparse(Nameless().visit(ast.parse(written, mode="eval")))
            if len(nameless) >= FORMULA:
                found[nameless] = written
    return found


def computes(node: ast.AST) -> bool:
    """Whether an expression has an operator in it, or a call within a call."""
    inside = list(ast.walk(node))
    calls = sum(isinstance(part, ast.Call) for part in inside)
    return calls > 1 or any(isinstance(p, ast.BinOp | ast.BoolOp | ast.Compare) for p in inside)


def secrets(source: nbformat.NotebookNode) -> tuple[set[str], set[str]]:
    """The lines that a student's version must not hold, and the solutions' nameless formulas.

    A hidden test may share lines with a cell that shows them, for it prepares the same arrays.
    """
    solutions, hidden, shown = [], [], []
    for cell in source.cells:
        regions = REGION.findall(cell.source)
        if is_solution(cell) and not regions:
            solutions.append(cell.source)  # a written answer, or a whole cell: no mark
            continue
        solutions += [text for kind, text in regions if kind == "SOLUTION"]
        hidden += [text for kind, text in regions if kind == "HIDDEN TESTS"]
        shown.append(REGION.sub("", cell.source))
    lines = lines_of(solutions) | (lines_of(hidden) - lines_of(shown))
    return lines, {formula for text in solutions for formula in formulas(text)}


def lines_of(texts: Sequence[str]) -> set[str]:
    return {line.strip() for text in texts for line in text.splitlines()}


def leaks(source: nbformat.NotebookNode, given: nbformat.NotebookNode) -> Iterator[str]:
    """What of the solutions and hidden tests a student's version still holds, in words.

    No line of a solution may stand anywhere in it, and no formula of one, whatever its names; a
    cell that is given may not work the answer out.
    """
    secret, secret_formulas = secrets(source)
    for cell in given.cells:
        if re.search(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)", cell.source):
            yield f"a mark of nbgrader's in {cell.id}"
        if cell.get("outputs"):
            yield f"outputs in {cell.id}"
        for line in map(str.strip, cell.source.splitlines()):
            if len(line) >= TELLING and line in secret:
                yield f"{line!r} in {cell.id}"
        if cell.cell_type == "code":
            told = ""
            for nameless, written in formulas(cell.source).items():  # each before its parts
                if nameless in secret_formulas and written not in told:
                    told += written + "\n"
                    yield f"{written!r}, a formula of a solution, in {cell.id}"


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
            f"{made}  {machine} points by machine, {by_hand} by hand; "
            "no line or formula of a solution in it",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
