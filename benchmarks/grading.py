"""How long grading takes, and how far the trained results of the assignments scatter.

    python benchmarks/grading.py                                 30 submissions of assignment 1
    python benchmarks/grading.py --assignment assignment_3 --submissions 10
    python benchmarks/grading.py --spread assignment_1 --seeds 10     its trained result, by seed

The first needs `make assignments` (or the environment that it makes) and grades a class in which
four in five have solved everything, one in ten nothing, and one in ten ends in an endless loop.
"""

import argparse
import contextlib
import csv
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "assignments" / "source"


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(SOURCE / name / f"{name}.ipynb", as_version=4)


def hand_in(name: str, folder: pathlib.Path, blank: pathlib.Path, count: int) -> None:
    """A class's notebooks: solved, blank, and with a loop that never ends."""
    solved = read(name)
    looping = read(name)
    last = [c for c in looping.cells if c.metadata.get("nbgrader", {}).get("solution")][-2]
    last.source = "while True:\n    pass"
    for number in range(count):
        made = {8: nbformat.read(blank, as_version=4), 9: looping}.get(number % 10, solved)
        nbformat.write(made, folder / f"student {number + 1:02}.ipynb")


def grading(name: str, count: int, classroom: pathlib.Path) -> None:
    """Grade a class and say how long it took."""
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        (folder / "in").mkdir()
        python = classroom / "bin" / "python"
        out = ["--out", str(folder / "release")]
        make = [python, "tools/assignments.py", name, *out]
        subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
        hand_in(name, folder / "in", folder / "release" / name / f"{name}.ipynb", count)
        began = time.monotonic()
        command = [python, "tools/grade.py", folder / "in", "--out", folder / "out"]
        subprocess.run([*command, "--python", sys.executable], cwd=ROOT, check=True)
        minutes = (time.monotonic() - began) / 60
        with (folder / "out" / "grades.csv").open(encoding="utf-8") as file:
            points = [float(row["points"]) for row in csv.DictReader(file)]
    print(f"{name}: {count} submissions in {minutes:.1f} minutes on {os.cpu_count()} cores,")
    print(f"two at once, {60 * minutes / count:.1f} s each; points {min(points)} to {max(points)}")


def spread(name: str, seeds: int) -> None:
    """The numbers of an assignment's ``trained_result`` for several seeds."""
    os.chdir(ROOT)
    names: dict[str, object] = {"__name__": name}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in read(name).cells:
            marks = cell.metadata.get("nbgrader")
            given = marks and cell.cell_type == "code" and not marks.grade
            if given and marks.grade_id != "curves":
                exec(compile(cell.source, marks.grade_id, "exec"), names)
    for seed in range(seeds):
        found = names["trained_result"](seed)  # type: ignore[operator]
        numbers = {k: v for k, v in found.items() if isinstance(v, (int, float, list))}
        print(f"{name}, seed {seed}: {numbers}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--assignment", default="assignment_1")
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--classroom", type=pathlib.Path, default=ROOT / ".venv-classroom")
    parser.add_argument(
        "--spread", metavar="ASSIGNMENT", help="instead: the trained result by seed"
    )
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    if options.spread:
        spread(options.spread, options.seeds)
    else:
        grading(options.assignment, options.submissions, options.classroom)


if __name__ == "__main__":
    main()
