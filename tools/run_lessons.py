"""Run the lessons without a browser, and say what each took and what it reached.

    python tools/run_lessons.py                                  all lessons, quick profile
    python tools/run_lessons.py --profile smoke notebooks/01*    one lesson, in seconds
    python tools/run_lessons.py --update notebooks/01*           and store its outputs
    python tools/run_lessons.py --profile smoke --jobs 2         two at a time, to save time

Each lesson runs in its own kernel, of the Python that runs this script, in the folder that
the lesson lies in. Left behind: ``build/<lesson>.ipynb`` with its outputs, the same as
``.html``, and ``build/summary.json``. The notebooks themselves stay untouched without
``--update``. A failing lesson does not stop the others; the exit code is then 1. With several
jobs the lessons take turns with each other's cores, so their minutes mean little; and a lesson
that has minutes to train for gets less done in them.
"""

import argparse
import contextlib
import importlib.metadata
import json
import logging
import math
import multiprocessing
import os
import pathlib
import platform
import re
import shutil
import signal
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import IO, Any, TextIO

import alt_texts
import nbformat
import psutil
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert.exporters import HTMLExporter

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kernels import OneKernel

from helpers.files import whole
from helpers.waiting import cores

PROFILES = ("smoke", "quick", "full")
SAMPLE_SECONDS = 0.2  # at least, between two looks at the kernel's memory
SAMPLE_SHARE = 1 / 30  # of the time, at most: adding up the pages of a large process takes a while
LINE_SECONDS = 15.0  # between two lines of progress where no line can be rewritten
LINE_CELLS = 5
WIDTH = 100

ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass
class Result:
    """What one lesson took and reached."""

    lesson: str
    minutes: float = 0.0
    peak_memory_gib: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    error: str = ""


class Progress:
    """Where a lesson is: one line rewritten on a terminal, now and then a new line elsewhere."""

    def __init__(self, lesson: str, cells: int, stream: TextIO) -> None:
        self.lesson, self.cells, self.stream = lesson, cells, stream
        self.heading = ""
        self.cell = 0
        self.memory = 0.0
        self.start = time.monotonic()
        self._shown_at, self._shown_cell = self.start, 1 - LINE_CELLS  # cell 1 is shown
        side_by_side = multiprocessing.parent_process() is not None  # would overwrite each other
        self._tty = stream.isatty() and not side_by_side

    def begin_cell(self, number: int) -> None:
        self.cell = number
        self.tick()

    def tick(self) -> None:
        if self._tty:
            columns = shutil.get_terminal_size().columns - 1
            self.stream.write("\r" + self.line()[:columns].ljust(columns))
            self.stream.flush()
            return
        overdue = time.monotonic() - self._shown_at >= LINE_SECONDS
        if overdue or self.cell >= self._shown_cell + LINE_CELLS:
            self._shown_at, self._shown_cell = time.monotonic(), self.cell
            print(self.line(), file=self.stream, flush=True)

    def line(self) -> str:
        seconds = int(time.monotonic() - self.start)
        return (
            f"{self.lesson}  cell {self.cell:>3} of {self.cells}  {seconds // 60}:{seconds % 60:02}"
            f"  {self.memory:.2f} GiB  {self.heading}"
        )

    def place(self) -> str:
        under = f', under "{self.heading}"' if self.heading else ""
        return f"code cell {self.cell} of {self.cells}{under}"

    def end(self, word: str) -> None:
        if self._tty:
            columns = shutil.get_terminal_size().columns - 1
            self.stream.write("\r" + " " * columns + "\r")
        seconds = int(time.monotonic() - self.start)
        took = f"{seconds // 60}:{seconds % 60:02}"
        print(f"{self.lesson}  {word} after {took}", file=self.stream, flush=True)


def memory_of(process: psutil.Process) -> int:
    """Bytes that a process holds.

    Two processes with TensorFlow share its libraries' pages: Linux tells each one's share
    (PSS), so that a sum counts them once. Elsewhere the resident set has to do.
    """
    if sys.platform == "linux":
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)


class Watch(threading.Thread):
    """Samples the memory of a kernel and its children, added up."""

    def __init__(self, pid: int, progress: Progress) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._kernel, self._progress = psutil.Process(pid), progress
        self._done = threading.Event()

    def run(self) -> None:
        ticked = time.monotonic()
        while True:
            began = time.monotonic()
            self._progress.memory = self.sample()
            took = time.monotonic() - began
            if time.monotonic() - ticked >= 1.0:
                ticked = time.monotonic()
                self._progress.tick()
            if self._done.wait(max(SAMPLE_SECONDS, took / SAMPLE_SHARE)):
                return

    def sample(self) -> float:
        total = 0
        with contextlib.suppress(psutil.Error):
            for process in [self._kernel, *self._kernel.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += memory_of(process)
        self.peak = max(self.peak, total / 2**30)
        return total / 2**30

    def stop(self) -> None:
        self.sample()
        self._done.set()
        self.join()


def run_lesson(
    path: pathlib.Path,
    *,
    profile: str = "quick",
    out: pathlib.Path = ROOT / "build",
    runs: pathlib.Path = ROOT / "runs",
    html: bool = True,
    update: bool = False,
    stream: TextIO | None = None,
    python: str = sys.executable,
) -> Result:
    """Execute one notebook by the kernel of a Python, write its executed copy, and measure."""
    stream = stream or sys.stdout
    try:
        notebook = nbformat.read(path, as_version=4)
    except ValueError as invalid:
        error = f"reading it: this is no valid notebook ({str(invalid).splitlines()[0][:200]})"
        print(f"{path}, {error}", file=stream, flush=True)
        return Result(path.stem, error=error)
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    result = Result(path.stem)
    progress = Progress(path.stem, len(code), stream)
    started = time.time()
    with tempfile.TemporaryFile() as log:
        try:
            execute(notebook, path, profile, runs, progress, result, log, python)
        except KeyboardInterrupt:
            progress.end("interrupted")
            raise
        except CellExecutionError as failure:
            cell = code[progress.cell - 1]
            result.error = (
                f"{progress.place()}:\n\n{textwrap.indent(cell.source, '    ')}\n\n"
                f"{textwrap.indent(traceback_of(cell, failure), '    ')}"
            )
        except DeadKernelError:
            result.error = (
                f"{progress.place()}: the kernel died. The usual cause is too little memory; "
                f"it held {result.peak_memory_gib:.2f} GiB.\n{last_words(log)}"
            ).strip()
    progress.end("FAILED" if result.error else "done")
    if result.error:
        print(f"\n{path}, {result.error}\n", file=stream, flush=True)
    else:
        result.scores = read_scores(runs / path.stem / "scores.json", written_after=started)
    write(notebook, path, out, html=html, update=update and not result.error)
    return result


def execute(
    notebook: nbformat.NotebookNode,
    path: pathlib.Path,
    profile: str,
    runs: pathlib.Path,
    progress: Progress,
    result: Result,
    log: IO[bytes],
    python: str,
) -> None:
    """Run all cells in a fresh kernel; minutes and memory are noted in ``result``."""
    environment = dict(os.environ, GAN_PROFILE=profile, GAN_RUNS=str(runs), GAN_HEADLESS="1")
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a warning of no use to a learner
    environment.pop("MPLBACKEND", None)  # figures belong into the notebook
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=OneKernel(python))
    client = NotebookClient(notebook, km=manager, timeout=None, coalesce_streams=True)
    watch = None
    start = time.monotonic()
    try:
        with client.setup_kernel(
            cleanup_kc=True, env=environment, cwd=str(path.parent), stdout=log, stderr=log
        ):
            try:
                watch = Watch(manager.provisioner.pid, progress)
                watch.start()
                for number, (index, cell) in enumerate(code_cells(notebook, progress), start=1):
                    progress.begin_cell(number)
                    client.execute_cell(cell, index, execution_count=number)
                client.set_widgets_metadata()
            except BaseException:
                client.shutdown_kernel = "immediate"
                raise
            finally:
                if watch:
                    watch.stop()
    finally:
        result.minutes = (time.monotonic() - start) / 60
        result.peak_memory_gib = watch.peak if watch else 0.0


def code_cells(
    notebook: nbformat.NotebookNode, progress: Progress
) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    """The cells that run, with their index; on the way the headings go to ``progress``."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            prose = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
            for heading in re.findall(r"^#{1,6}\s+(.+)", prose, flags=re.MULTILINE):
                progress.heading = re.sub(r"[*`]", "", heading).strip(" #")
        elif cell.cell_type == "code" and cell.source.strip():
            yield index, cell


def last_words(log: IO[bytes]) -> str:
    """The end of what a kernel wrote past the notebook, less a notice that is always there."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if "TCP without encryption" not in line)[-3000:]


def traceback_of(cell: nbformat.NotebookNode, failure: CellExecutionError) -> str:
    """The traceback as the kernel sent it, without its colours."""
    for output in cell.outputs:
        if output.output_type == "error":
            lines = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
            return ANSI.sub("", lines)
    return ANSI.sub("", str(failure))


def read_scores(path: pathlib.Path, *, written_after: float) -> dict[str, float]:
    """The numbers that a lesson left; none if the file is missing or of an earlier run."""
    if not path.is_file() or path.stat().st_mtime < written_after - 2:
        return {}
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in scores.items()}
    except (ValueError, TypeError, AttributeError):
        print(f"{path} is not one flat table of names and numbers: its scores are left out.")
        return {}


def write(
    notebook: nbformat.NotebookNode,
    path: pathlib.Path,
    out: pathlib.Path,
    *,
    html: bool,
    update: bool,
) -> None:
    """Write the executed copy, its HTML and, if asked for, the notebook itself."""
    out.mkdir(parents=True, exist_ok=True)
    tidy(notebook)
    alt_texts.put(notebook, alt_texts.texts_of(path.stem))
    nbformat.write(notebook, out / path.name)
    if html:
        exporter = HTMLExporter(embed_images=True)
        exporter.log = logging.getLogger("nbconvert.quiet")
        exporter.log.setLevel(logging.ERROR)
        resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
        page, _ = exporter.from_notebook_node(notebook, resources=resources)
        (out / f"{path.stem}.html").write_text(page, encoding="utf-8")
    if update:
        drop_widgets(notebook)
        with whole(path) as beside:
            nbformat.write(notebook, beside)


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Keep only what does not change from one run or machine to the next."""
    for name in ("papermill", "execution"):
        notebook.metadata.pop(name, None)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for name in ("papermill", "execution", "ExecuteTime"):
            cell.metadata.pop(name, None)


def drop_widgets(notebook: nbformat.NotebookNode) -> None:
    """Take out sliders and buttons: without their kernel they are dead, and their ids random."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if WIDGET_VIEW not in o.get("data", {})]


def table(results: Sequence[Result]) -> str:
    """The closing table, as aligned text."""
    width = max(len("lesson"), *(len(r.lesson) for r in results))
    lines = [f"{'lesson':<{width}}  {'minutes':>7}  {'peak memory':>11}  scores"]
    margin = " " * (width + 24)
    for r in results:
        scores = [f"{name} {number(value)}" for name, value in r.scores.items()]
        words = f"FAILED in {r.error.splitlines()[0].rstrip(':')}" if r.error else ", ".join(scores)
        wrapped = textwrap.wrap(words or "-", max(40, WIDTH - len(margin))) or [""]
        memory = f"{r.peak_memory_gib:.2f} GiB"
        lines.append(f"{r.lesson:<{width}}  {r.minutes:>7.1f}  {memory:>11}  {wrapped[0]}")
        lines += [margin + line for line in wrapped[1:]]
    return "\n".join(lines)


def number(value: float) -> str:
    """Three digits that matter, without exponents for everyday sizes."""
    if not math.isfinite(value) or value == int(value) or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def summary(results: Sequence[Result], profile: str) -> dict[str, Any]:
    """What ``summary.json`` holds."""
    versions = {"python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "profile": profile,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cores": cores(),
        "platform": platform.platform(),
        "versions": versions,
        "lessons": [asdict(r) for r in results],
    }


def find_lessons(names: Sequence[str]) -> list[pathlib.Path]:
    """The notebooks named, or all lessons in order.

    Raises:
        FileNotFoundError: there is none, or one of the names is no notebook.
    """
    if not names:
        lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
        if not lessons:
            raise FileNotFoundError(f"no lesson found: {ROOT / 'notebooks'} has no *.ipynb file")
        return lessons
    paths = [pathlib.Path(name).resolve() for name in names]
    for path in paths:
        if path.suffix != ".ipynb" or not path.is_file():
            raise FileNotFoundError(f"{path} is no notebook (a file that ends in .ipynb)")
    return paths


def results_of(lessons: Sequence[pathlib.Path], jobs: int, **options: Any) -> Iterable[Result]:
    """Run the lessons, so many at a time; yields what each took and reached, in their order."""
    if jobs == 1:
        for path in lessons:
            yield run_lesson(path, **options)
        return
    apart = getattr(os, "setpgrp", None)  # so that Ctrl-C reaches each of them once, from here
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=apart) as pool:
        waiting = [pool.submit(run_lesson, path, **options) for path in lessons]
        try:
            for lesson in waiting:
                yield lesson.result()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children() if apart else ():
                os.kill(worker.pid, signal.SIGINT)
            raise


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run the lessons without a browser, with progress and a closing table."
    )
    parser.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="default: all lessons")
    parser.add_argument(
        "--profile",
        default=os.environ.get("GAN_PROFILE") or "quick",
        help="smoke (seconds), quick (minutes, the default) or full; default: $GAN_PROFILE",
    )
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build", help="default: build/")
    parser.add_argument(
        "--runs",
        type=pathlib.Path,
        default=pathlib.Path(os.environ.get("GAN_RUNS") or ROOT / "runs"),
        help="where the lessons keep what they make; default: $GAN_RUNS or runs/",
    )
    parser.add_argument(
        "--html",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write a page of each lesson too",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="store the outputs in the notebooks themselves, if they ran without an error",
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="lessons that run at a time; default: 1"
    )
    arguments = parser.parse_args(argv)
    if arguments.jobs < 1:
        parser.error(f"--jobs {arguments.jobs}: at least 1 lesson has to run at a time")
    if arguments.profile not in PROFILES:
        parser.error(f"profile {arguments.profile!r} is none of {', '.join(PROFILES)}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 0, 1 (a lesson failed), 2 (bad input) or 130 (Ctrl-C)."""
    arguments = parse(argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a Windows console may lack a character
    try:
        lessons = find_lessons(arguments.notebooks)
    except FileNotFoundError as missing:
        print(f"run_lessons: {missing}", file=sys.stderr)
        return 2
    out, runs = arguments.out.resolve(), arguments.runs.resolve()
    names = "1 lesson" if len(lessons) == 1 else f"{len(lessons)} lessons"
    print(f"Running {names}, profile {arguments.profile}, results in {out}", flush=True)
    results: list[Result] = []
    interrupted = False
    try:
        options = {"profile": arguments.profile, "out": out, "runs": runs}
        options |= {"html": arguments.html, "update": arguments.update}
        for result in results_of(lessons, arguments.jobs, **options):
            results += [result]  # one by one: an interruption keeps those that are done
    except KeyboardInterrupt:
        interrupted = True
    if results:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(summary(results, arguments.profile), indent=2)
        (out / "summary.json").write_text(text + "\n", encoding="utf-8")
        print(f"\n{table(results)}\n")
    if interrupted:
        print("Interrupted: the kernel was stopped.")
        return 130
    failed = sum(bool(r.error) for r in results)
    if failed:
        print(f"{failed} of {names} failed.")
    elif arguments.html:
        print(f"Open {out / lessons[0].stem}.html to read the first lesson with its results.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
