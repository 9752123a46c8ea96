"""Grade a folder of returned notebooks: a table of points and a feedback page for each.

    python tools/grade.py SUBMISSIONS                          every notebook in it
    python tools/grade.py SUBMISSIONS --assignment assignment_1
    python tools/grade.py SUBMISSIONS --jobs 2 --out build/grading

SUBMISSIONS holds one folder for each student, or one notebook for each, named after the student.
The files' names do not matter otherwise: a notebook knows which assignment it belongs to. The
results are a course of nbgrader's own (gradebook.db, autograded/), so that its formgrader can be
opened on them for the answers that need a reader; grades.csv and feedback/ are for everyone.

Needs nbgrader (requirements-classroom.txt); the notebooks run with the learner's Python.
"""

import argparse
import copy
import csv
import functools
import hashlib
import pathlib
import re
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import nbformat
import sandbox
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import (
    ClearOutput,
    LimitOutput,
    OverwriteCells,
    SaveAutoGrades,
)
from nbgrader.utils import is_grade, is_solution

from assignments import COURSE, ROOT, api, names

LARGEST_MIB = 20  # of a notebook handed in
MESSAGE = 300  # characters of a reason in the table


@dataclass
class Submission:
    """A notebook handed in, and what became of it."""

    student: str
    file: pathlib.Path
    assignment: str = ""
    notebook: nbformat.NotebookNode | None = None
    problem: str = ""  # why it could not be graded
    stopped: str = ""  # what ended it early
    points: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Course:
    """The assignments' sources, and the gradebook that holds what is restored from them."""

    def __init__(self, out: pathlib.Path, course: pathlib.Path = COURSE) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.folder = out, course
        self.nbgrader: NbGraderAPI = api(course, out)
        self.url = self.nbgrader.coursedir.db_url
        self.sources = {name: self._add(name) for name in names(course)}
        shutil.rmtree(out / "source")  # answers: not where a student's program might look
        for name in self.sources:  # the form for grading by hand lists what has a folder here
            (out / "source" / name).mkdir(parents=True)

    def _add(self, name: str) -> nbformat.NotebookNode:
        done = self.nbgrader.generate_assignment(name)
        if not done["success"]:
            raise SystemExit(f"nbgrader could not read {name}:\n{done['log'][-2000:]}")
        shutil.rmtree(self.out / "release" / name)
        return nbformat.read(self.folder / "source" / name / f"{name}.ipynb", as_version=4)

    def marks(self, name: str) -> dict[str, dict[str, Any]]:
        """What nbgrader notes in an assignment's cells, by their names."""
        cells = (c for c in self.sources[name].cells if "nbgrader" in c.metadata)
        return {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader for cell in cells}

    def tests(self, name: str) -> dict[str, float]:
        """The tests of an assignment and their points."""
        marks = self.marks(name).items()
        return {k: float(m["points"]) for k, m in marks if m["grade"] and not m["solution"]}

    def by_hand(self, name: str) -> float:
        marks = self.marks(name).values()
        return sum(float(m["points"]) for m in marks if m["grade"] and m["solution"])

    def resources(self, submission: Submission) -> dict[str, Any]:
        names = dict.fromkeys(("assignment", "notebook"), submission.assignment)
        return {"nbgrader": {**names, "student": submission.student, "db_url": self.url}}


def find(folder: pathlib.Path) -> list[Submission]:
    """The notebooks in a folder, each with its student's name."""
    found = []
    for file in sorted(folder.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in file.parts:
            continue
        inside = file.relative_to(folder)
        name = inside.parts[0] if len(inside.parts) > 1 else file.stem
        found.append(Submission(re.sub(r"[^\w.@-]+", "_", name), file))
    return found


def read(submission: Submission, course: Course) -> None:
    """Read a notebook and find out which assignment it is; a problem is noted, not raised."""
    file = submission.file
    if file.is_symlink():
        submission.problem = "a link, not a file"
    elif file.stat().st_size > LARGEST_MIB * 2**20:
        submission.problem = f"larger than {LARGEST_MIB} MiB"
    if submission.problem:
        return
    try:
        notebook = nbformat.read(file, as_version=4)
        nbformat.validate(notebook)
    except Exception as invalid:  # whatever a broken file makes the reader do
        says = " ".join(str(invalid).split()) or type(invalid).__name__
        submission.problem = f"no valid notebook: {says}"[:MESSAGE]
        return
    found = {label(cell) for cell in notebook.cells}
    shared = Counter({name: len(found & set(course.marks(name))) for name in course.sources})
    (name, most), *_ = shared.most_common(1)
    if most < 2:
        submission.problem = "no cell of an assignment in it: was it made anew, or converted?"
        return
    submission.assignment, submission.notebook = name, notebook


def label(cell: nbformat.NotebookNode) -> str:
    """The name of an assignment's cell; empty for any other, and for nonsense."""
    notes = cell.metadata.get("nbgrader")
    name = notes.get("grade_id") if isinstance(notes, dict) else ""
    return name if isinstance(name, str) else ""


def restored(submission: Submission, course: Course) -> bool:
    """Whether :func:`restore` succeeds; a problem is noted, not raised."""
    try:
        restore(submission, course)
    except Exception as failure:
        submission.problem = f"could not be restored: {failure!r}"[:MESSAGE]
    return not submission.problem


def restore(submission: Submission, course: Course) -> None:
    """Bring tests and given cells back to what they were; the student's answers stay."""
    notebook, marks = submission.notebook, course.marks(submission.assignment)
    assert notebook is not None
    for cell in reversed(notebook.cells):  # of a cell that is there twice the last one counts
        mine = label(cell)
        cell.metadata = nbformat.NotebookNode(tags=[])
        if mine in marks:
            cell.metadata.nbgrader = copy.deepcopy(marks.pop(mine))
    resources = course.resources(submission)
    for step in (OverwriteCells, ClearOutput):
        made = step(config=course.nbgrader.config)
        made.log.setLevel("ERROR")
        notebook, resources = made.preprocess(notebook, resources)
    notebook = nbformat.from_dict(notebook)  # cells that came back are plain dictionaries inside
    notebook.metadata = copy.deepcopy(course.sources[submission.assignment].metadata)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    submission.notebook = notebook


GUARD = """
def _guard():
    import builtins, numpy, types
    shell, lies = get_ipython(), []
    for name in {names!r}:
        shell.user_ns.pop(name, None)
        if type(getattr(builtins, name)) not in (types.BuiltinFunctionType, type):
            lies.append(name)
    for check, right, wrong in (("assert_allclose", 1.0, 2.0), ("assert_array_equal", 1, 2)):
        try:
            getattr(numpy.testing, check)(right, wrong)
            lies.append("numpy.testing." + check)
        except AssertionError:
            pass
    assert False, "{nonce} " + ", ".join(lies)

_guard()
"""
PLAIN = ["abs", "all", "any", "bool", "float", "int", "isinstance", "len", "list", "max", "min",
         "range", "round", "set", "sorted", "str", "sum", "tuple", "type", "zip"]  # fmt: skip


def guarded(notebook: nbformat.NotebookNode, nonce: str) -> nbformat.NotebookNode:
    """The same notebook with a cell before each test that has to fail, and to say the nonce.

    It finds out whether failing is still possible: a program may have replaced what tests use,
    or strip assertions from every cell. Names of Python's own, such as max, are made right.
    """
    together = copy.copy(notebook)
    together.cells = []
    for cell in notebook.cells:
        if is_test(cell):
            guard = nbformat.v4.new_code_cell(GUARD.format(names=PLAIN, nonce=nonce))
            together.cells.append(guard)
        together.cells.append(cell)
    return together


def is_test(cell: nbformat.NotebookNode) -> bool:
    return bool(is_grade(cell) and not is_solution(cell))


def judge(together: nbformat.NotebookNode, nonce: str) -> None:
    """See to it that nbgrader, which takes silence for success, is not deceived."""
    last = None
    for cell in together.cells:
        if is_test(cell):
            assert last is not None
            says = [o.evalue for o in last.outputs if o.output_type == "error"]
            failed = any(output.output_type == "error" for output in cell.outputs)
            if not failed and not any(text.strip() == nonce for text in says):
                lies = says[0].removeprefix(nonce) if says else " assert"
                problem = f"Something that tests rely on has been replaced:{lies}"
                cell.outputs.insert(0, sandbox.error("Replaced", problem))
            for output in cell.outputs:
                if output.output_type == "execute_result":  # nbgrader would take it for points
                    output.output_type = "display_data"
                    output.pop("execution_count", None)
                elif output.output_type == "stream":  # a warning costs no points
                    output.name = "stdout"
        last = cell


def recorded(submission: Submission, course: Course) -> None:
    """:func:`record`; a problem is noted, not raised."""
    try:
        record(submission, course)
    except Exception as failure:
        submission.problem = f"run, but not recorded: {failure!r}"[:MESSAGE]
        submission.points.clear()


def record(submission: Submission, course: Course) -> None:
    """Enter the points into the gradebook, as nbgrader reads them off the executed notebook."""
    notebook, resources = submission.notebook, course.resources(submission)
    assert notebook is not None
    with Gradebook(course.url) as gradebook:
        gradebook.update_or_create_student(submission.student)
        gradebook.update_or_create_submission(submission.assignment, submission.student)
    for step in (LimitOutput, SaveAutoGrades):
        made = step(config=course.nbgrader.config)
        made.log.setLevel("ERROR")
        notebook, resources = made.preprocess(notebook, resources)
    with Gradebook(course.url) as gradebook:
        keys = (submission.assignment, submission.assignment, submission.student)
        for cell in filter(is_test, notebook.cells):
            name = cell.metadata.nbgrader.grade_id
            submission.points[name] = gradebook.find_grade(name, *keys).auto_score or 0.0
            if submission.points[name] == 0:
                submission.reasons[name] = reason(cell)
    MetadataValidator().validate_nb(notebook)
    name = submission.assignment
    folder = course.out / "autograded" / submission.student / name
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    done = course.nbgrader.generate_feedback(name, submission.student, force=True)
    if not done["success"]:
        submission.problem = (
            f"graded, but nbgrader made no feedback page: {done['error'][-MESSAGE:]}"
        )


def reason(cell: nbformat.NotebookNode) -> str:
    """The first error of a test, in a line."""
    for output in cell.outputs:
        if output.output_type == "error":
            if output.ename == "NotImplementedError":
                return "not written yet"
            says = " ".join(output.evalue.split())
            name = "" if output.ename == "AssertionError" else f"{output.ename}: "
            return f"{name}{says}"[:MESSAGE]
    return ""


def execute(
    submission: Submission,
    parent: pathlib.Path,
    *,
    python: pathlib.Path,
    limits: sandbox.Limits,
    confined: bool,
    read_only: Sequence[pathlib.Path],
    hidden: Sequence[pathlib.Path],
) -> None:
    """Run one restored notebook in a room of its own, within a folder that holds all rooms."""
    assert submission.notebook is not None
    nonce, began = secrets.token_hex(8), time.monotonic()
    work = pathlib.Path(tempfile.mkdtemp(dir=parent))
    if not confined:  # else the folder is protected as it is
        shutil.copytree(ROOT / "helpers", work / "helpers")
        (work / "data").symlink_to(ROOT / "data", target_is_directory=True)
    room = sandbox.Room(work, read_only, hidden, confined)
    extra = {
        "PYTHONPATH": str(ROOT if confined else work),
        "GAN_PROFILE": "smoke",
        "GAN_RUNS": str(work / "runs"),
        "GAN_HEADLESS": "1",
        "KERAS_HOME": str(work),
    }
    together = guarded(submission.notebook, nonce)
    try:
        submission.stopped = sandbox.run(together, room, python=python, limits=limits, extra=extra)
    except Exception as failure:  # one submission must not end the others' grading
        submission.problem = f"could not be run: {type(failure).__name__}: {failure}"[:MESSAGE]
    judge(together, nonce)
    submission.seconds = time.monotonic() - began
    shutil.rmtree(work, ignore_errors=True)


def grade(
    folder: pathlib.Path,
    out: pathlib.Path,
    *,
    assignment: str = "",
    course_folder: pathlib.Path = COURSE,
    python: pathlib.Path,
    jobs: int = 2,
    limits: sandbox.Limits,
    confine: bool = True,
) -> list[Submission]:
    """Grade every notebook in a folder; see the text at the top of this file."""
    submissions, course = find(folder), Course(out, course_folder)
    for submission in submissions:
        read(submission, course)
        if not submission.problem and assignment not in ("", submission.assignment):
            submission.problem = f"another assignment: {submission.assignment}"
    newest_only(submissions)
    ready = [s for s in submissions if not s.problem and restored(s, course)]
    hidden = [folder.resolve(), out.resolve(), course_folder.resolve()]
    python = python.absolute()  # and not resolved: the link is what makes it the environment's
    read_only = outermost([ROOT, python.parent.parent.resolve()])
    confined = confine and sandbox.can_confine(read_only, hidden)
    print(f"{len(ready)} notebooks of {len(submissions)} to run, {jobs} at once; {shut(confined)}")
    book = out / "gradebook.db"
    kept = book.read_bytes()
    with tempfile.TemporaryDirectory(prefix="gan-grading-") as name:
        one = functools.partial(
            execute,
            python=python,
            limits=limits,
            confined=confined,
            read_only=read_only,
            hidden=hidden,
        )
        run_all(ready, one, pathlib.Path(name).resolve(), jobs)
    if not book.exists() or digest(book.read_bytes()) != digest(kept):
        print("WARNING: a submission has changed the gradebook; it is restored.", file=sys.stderr)
        book.write_bytes(kept)
    for submission in ready:
        if not submission.problem:
            recorded(submission, course)
    write_table(submissions, course, out / "grades.csv")
    return submissions


def run_all(ready: list[Submission], one: Any, folder: pathlib.Path, jobs: int) -> None:
    """Run the notebooks, some at once, and say how far it is."""
    began, lock = time.monotonic(), threading.Lock()
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(one, s, folder): s for s in ready}
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                submission = futures[future]
                future.result()
                left = (time.monotonic() - began) / number * (len(ready) - number)
                note = f"  {submission.stopped or submission.problem}".rstrip()
                with lock:
                    print(
                        f"{number:>3} of {len(ready)}  {submission.assignment}  "
                        f"{submission.student}  {submission.seconds:.0f} s, "
                        f"about {left / 60:.0f} min left{note}",
                        flush=True,
                    )
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def outermost(folders: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Without those that lie within another one."""
    return [a for a in folders if not any(b != a and b in a.parents for b in folders)]


def shut(confined: bool) -> str:
    if confined:
        return "each shut in: no network, no other files of the course, no other processes"
    return (
        "NOT shut in (this system allows no user namespaces): a program in a notebook can read "
        "what you can read; see assignments/README.md"
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def newest_only(submissions: list[Submission]) -> None:
    """Of several notebooks of one student for one assignment, the last one saved counts."""
    groups: dict[tuple[str, str], list[Submission]] = {}
    for s in submissions:
        if not s.problem:
            groups.setdefault((s.student, s.assignment), []).append(s)
    for group in groups.values():
        group.sort(key=lambda s: s.file.stat().st_mtime)
        for older in group[:-1]:
            older.problem = f"a newer one was handed in: {group[-1].file.name}"


def rows(submissions: Sequence[Submission], course: Course) -> Iterator[dict[str, Any]]:
    """The table: a row for each notebook."""
    for s in sorted(submissions, key=lambda s: (s.assignment, s.student)):
        row: dict[str, Any] = {"assignment": s.assignment, "student": s.student}
        row |= {"file": s.file.name, "problem": s.problem or s.stopped}
        if s.points:
            tests = course.tests(s.assignment)
            row |= {"points": sum(s.points.values()), "of": sum(tests.values())}
            row["by_hand"] = course.by_hand(s.assignment)
            row["lost"] = "; ".join(
                f"{name} (-{tests[name] - got:g}): {s.reasons.get(name, '')}"
                for name, got in s.points.items()
                if got < tests[name]
            )
        yield row


def write_table(submissions: Sequence[Submission], course: Course, path: pathlib.Path) -> None:
    columns = ["assignment", "student", "points", "of", "by_hand", "problem", "lost", "file"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows({k: harmless(v) for k, v in r.items()} for r in rows(submissions, course))


def harmless(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def learners_python() -> pathlib.Path:
    """The Python of .venv, or this one where there is no .venv."""
    for inside in ("bin/python", "Scripts/python.exe"):
        if (ROOT / ".venv" / inside).exists():
            return ROOT / ".venv" / inside
    return pathlib.Path(sys.executable)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("submissions", type=pathlib.Path, help="folder of returned notebooks")
    parser.add_argument("--assignment", default="", help="grade this one only")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "grading")
    parser.add_argument("--python", type=pathlib.Path, default=learners_python())
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at once")
    parser.add_argument("--course", type=pathlib.Path, default=COURSE, help=argparse.SUPPRESS)
    defaults = sandbox.Limits()
    parser.add_argument("--cell-seconds", type=float, default=defaults.cell_seconds)
    parser.add_argument("--total-seconds", type=float, default=defaults.total_seconds)
    parser.add_argument("--idle-seconds", type=float, default=defaults.idle_seconds)
    parser.add_argument("--memory-gib", type=float, default=defaults.memory_gib)
    parser.add_argument(
        "--not-shut-in", action="store_true", help="where shutting in makes trouble"
    )
    options = parser.parse_args(arguments)
    if not options.submissions.is_dir():
        parser.error(f"{options.submissions} is no folder; give the one with returned notebooks")
    if options.submissions.resolve() in (ROOT, *ROOT.parents):
        parser.error(
            f"{options.submissions} holds this repository; give a folder of notebooks only"
        )
    if options.assignment and options.assignment not in names(options.course):
        parser.error(f"no assignment {options.assignment}; there are {names(options.course)}")
    keys = ("cell_seconds", "total_seconds", "idle_seconds", "memory_gib")
    submissions = grade(
        options.submissions,
        options.out,
        assignment=options.assignment,
        course_folder=options.course,
        python=options.python,
        jobs=options.jobs,
        limits=sandbox.Limits(**{key: getattr(options, key) for key in keys}),
        confine=not options.not_shut_in,
    )
    for s in submissions:
        if s.problem or s.stopped:
            print(f"look at {s.file}: {s.problem or s.stopped}")
    graded = sum(bool(s.points) for s in submissions)
    print(f"{graded} graded: {options.out / 'grades.csv'}, pages in {options.out / 'feedback'}")
    return 0 if submissions else 1


if __name__ == "__main__":
    sys.exit(main())
