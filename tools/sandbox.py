"""Run a notebook of a stranger in a kernel that is held to limits, and on Linux shut in.

What is given everywhere: a kernel of its own in an empty folder, an environment with nothing of
the teacher's in it, limits on processor time, memory, files and output, and an end to every
process that is left over. What is given only where the kernel (Linux) allows user namespaces:
no network, no other process in sight, the repository read-only, chosen folders empty.
"""

import asyncio
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import nbformat
import psutil
from jupyter_client.manager import AsyncKernelManager
from kernels import OneKernel
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

TICK_SECONDS = 0.2
GRACE_SECONDS = 3.0  # that a cell may go on computing after an interrupt
MARK = "GAN_SUBMISSION"  # this variable marks every process of a submission


@dataclass(frozen=True)
class Limits:
    """Seconds are of processor time, so that a slow or a busy machine changes no mark."""

    cell_seconds: float = 60.0
    total_seconds: float = 150.0
    idle_seconds: float = 30.0  # a cell that waits, and computes nothing
    memory_gib: float = 3.0
    file_mib: int = 200  # the largest file that may be written
    output_mib: float = 2.0  # what one cell may print


@dataclass(frozen=True)
class Room:
    """Where a submission runs.

    Attributes:
        work: its own folder, where it starts and may write; alone in a parent that is hidden.
        read_only: folders that it may read and not change.
        hidden: folders that look empty to it.
        confined: whether the last three hold; otherwise it runs as any program of this user.
    """

    work: pathlib.Path
    read_only: Sequence[pathlib.Path] = ()
    hidden: Sequence[pathlib.Path] = ()
    confined: bool = False


def launcher(room: Room, limits: Limits) -> list[str]:
    """The beginning of a command that runs what follows it within limits and, maybe, shut in."""
    if sys.platform == "win32":
        return []
    data = f"ulimit -d {int(limits.memory_gib * 2**20)}\n" if sys.platform == "linux" else ""
    held = (
        f"ulimit -c 0\nulimit -f {limits.file_mib * 2048}\n{data}"
        f'ulimit -t {int(limits.total_seconds) + 60}\nexec "$@"'
    )
    if not room.confined:
        return ["sh", "-c", held, "sh"]
    work, parent = (shlex.quote(str(path)) for path in (room.work, room.work.parent))
    lines = ["set -e", "mount --make-rprivate /", f"exec 9<{work}", f"mount -t tmpfs none {parent}"]
    for folder in map(shlex.quote, map(str, room.read_only)):
        lines.append(f"mount --rbind {folder} {folder}")
        lines.append(f"mount -o remount,bind,ro,nosuid,nodev {folder}")
    lines += [f"mount -t tmpfs -o ro none {shlex.quote(str(folder))}" for folder in room.hidden]
    lines += [f"mkdir {work}", f"mount -c --bind /proc/self/fd/9 {work}", "exec 9<&-"]
    # In a second namespace without the rights of the first, nobody can undo the mounts.
    inner = 'exec unshare --user --map-current-user --mount sh -c "$0" sh "$@"'
    lines += [f"cd {work}", inner]
    outer = ["--user", "--map-root-user", "--mount", "--net", "--ipc", "--pid", "--fork"]
    return ["unshare", *outer, "--kill-child", "--mount-proc", "sh", "-c", "\n".join(lines), held]


def can_confine(read_only: Sequence[pathlib.Path], hidden: Sequence[pathlib.Path]) -> bool:
    """Whether this machine can shut a submission in; tried out, not guessed."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("mount"):
        return False
    with tempfile.TemporaryDirectory(prefix="gan-") as parent:
        work = pathlib.Path(parent, "room")
        work.mkdir()
        room = Room(work.resolve(), read_only, hidden, confined=True)
        tests = [f"touch {shlex.quote(str(room.work))}/written"]
        tests += [f"! touch {shlex.quote(str(path))}/written 2>&-" for path in read_only]
        tests += [f'test -z "$(ls -A {shlex.quote(str(path))})"' for path in hidden]
        tries = [*launcher(room, Limits()), "sh", "-ec", "\n".join(tests)]
        try:
            ended = subprocess.run(tries, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return ended.returncode == 0 and (work / "written").exists()


def environment(room: Room, extra: dict[str, str]) -> dict[str, str]:
    """What a submission sees of the teacher's environment: next to nothing."""
    kept = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH")
    own = dict.fromkeys(
        ("HOME", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"), str(room.work)
    )
    one_core = dict.fromkeys(
        ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
    )
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {k: os.environ[k] for k in kept if k in os.environ} | own | one_core | quiet | extra


def run(
    notebook: nbformat.NotebookNode,
    room: Room,
    *,
    python: pathlib.Path,
    limits: Limits = Limits(),
    extra: dict[str, str] | None = None,
) -> str:
    """Execute all cells of a notebook, errors or not; the outputs are left in it.

    Args:
        notebook: changed in place. A cell that did not run, or not to its end, has an error.
        room: where it runs.
        python: the interpreter of its kernel, with ipykernel.
        limits: what it may use.
        extra: further environment variables.

    Returns:
        What stopped the notebook, or a cell of it; empty if it ran to its end.
    """
    token = uuid.uuid4().hex
    values = environment(room, (extra or {}) | {MARK: token})
    specification = OneKernel(str(python), launcher(room, limits), interrupt_mode="message")
    transport = "tcp" if sys.platform == "win32" else "ipc"
    manager = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=specification,
        transport=transport,
        connection_file=str(room.work / "kernel.json"),
    )
    if transport == "ipc":
        manager.ip = str(room.work / "socket")
    try:
        return asyncio.run(_run(notebook, manager, values, room, limits))
    finally:
        end_processes(token)


async def _run(
    notebook: nbformat.NotebookNode,
    manager: AsyncKernelManager,
    values: dict[str, str],
    room: Room,
    limits: Limits,
) -> str:
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=None,
        startup_timeout=300,
        allow_errors=True,
        coalesce_streams=False,  # its search for \r takes minutes after an endless print
        store_widget_state=False,
        raise_on_iopub_timeout=False,
        shutdown_kernel="immediate",
    )
    stopped, notes = "", []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    for cell in cells:
        cell.outputs, cell.execution_count = [], None
    done = 0
    try:
        async with client.async_setup_kernel(
            cleanup_kc=True, env=values, cwd=str(room.work), **quiet
        ):
            watch = Watch(manager, limits)
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type != "code" or not cell.source.strip():
                    continue
                await watch.during(cell, client.async_execute_cell(cell, index))
                done += 1
                stopped = watch.fatal
                notes += [f"a cell was stopped: {watch.reason}"] if watch.reason else []
                if stopped:
                    break
    except DeadKernelError:
        stopped = "the kernel was killed or ended itself"
    except (RuntimeError, TimeoutError) as failure:
        stopped = f"the kernel did not start or stopped talking ({failure})"[:300]
    for cell in cells[done:] if stopped else []:
        cell.outputs = [error("NotRun", f"This cell did not run to its end: {stopped}.")]
    return stopped or "; ".join(dict.fromkeys(notes))


class Watch:
    """Looks at a kernel's processes while a cell runs, and stops what goes too far."""

    def __init__(self, manager: AsyncKernelManager, limits: Limits) -> None:
        self.fatal = ""  # why the notebook cannot go on
        self.reason = ""  # why the last cell was stopped
        self._manager, self._limits = manager, limits
        self._root = psutil.Process(manager.provisioner.pid)
        self._used: dict[int, float] = {}  # processor seconds of each process seen
        self._start = self.look()[0]

    def look(self) -> tuple[float, float]:
        """Processor seconds used so far, and GiB held now, by the kernel and its children."""
        held = 0.0
        for process in family(self._root):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._used[process.pid] = times.user + times.system
                held += process.memory_info().rss / 2**30
        return sum(self._used.values()), held

    async def during(self, cell: nbformat.NotebookNode, execution: object) -> None:
        """Await the end of a cell, or bring it about."""
        task = asyncio.ensure_future(execution)  # type: ignore[call-overload]
        begun = busy_until = self.look()[0]
        idle, asked = 0.0, 0.0  # asked: what had been used when the cell was asked to stop
        self.reason = ""
        while True:
            finished, _ = await asyncio.wait({task}, timeout=TICK_SECONDS)
            if finished:
                break
            used, held = self.look()
            idle = 0.0 if used > busy_until + 0.05 else idle + TICK_SECONDS
            busy_until = used if idle == 0.0 else busy_until
            if held > self._limits.memory_gib:
                self.fatal = f"it used more than {self._limits.memory_gib:g} GiB of memory"
                break
            if self.reason:
                if used - asked > GRACE_SECONDS or idle > self._limits.idle_seconds:
                    self.fatal = f"{self.reason}, and could not be interrupted"
                    break
                continue
            self.reason = self.excess(used - begun, used - self._start, idle, cell)
            if self.reason:
                idle, asked = 0.0, used
                await self._manager.interrupt_kernel()
        if self.fatal:
            kill(self._root)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, DeadKernelError, RuntimeError):
                await task
            cell.outputs = [error("Stopped", f"This cell was stopped: {self.fatal}.")]
            return
        await task
        if self.reason:
            cell.outputs = [error("Stopped", f"This cell was stopped: {self.reason}.")]

    def excess(self, cell: float, total: float, idle: float, node: nbformat.NotebookNode) -> str:
        """In words, which limit is passed; empty if none."""
        limits = self._limits
        if total > limits.total_seconds:
            return f"the notebook used its {limits.total_seconds:g} s of processor time"
        if cell > limits.cell_seconds:
            return f"it computed for more than {limits.cell_seconds:g} s (an endless loop?)"
        if idle > limits.idle_seconds:
            return f"it waited for {limits.idle_seconds:g} s and computed nothing"
        printed = sum(len(str(output)) for output in list(node.outputs))
        if printed > limits.output_mib * 2**20:
            return f"it printed more than {limits.output_mib:g} MiB"
        return ""


def error(name: str, says: str) -> nbformat.NotebookNode:
    """An output as an exception leaves one."""
    return nbformat.v4.new_output("error", ename=name, evalue=says, traceback=[f"{name}: {says}"])


def family(root: psutil.Process) -> Iterator[psutil.Process]:
    """A process and its children's children."""
    with contextlib.suppress(psutil.Error):
        yield from [root, *root.children(recursive=True)]


def kill(root: psutil.Process) -> None:
    """End a process and all its children's children."""
    for process in list(family(root)):
        with contextlib.suppress(psutil.Error):
            process.kill()


def end_processes(token: str) -> None:
    """End what a submission has left running, wherever it has gone."""
    for process in marked(token):
        with contextlib.suppress(psutil.Error):
            process.kill()


def marked(token: str) -> Iterable[psutil.Process]:
    """The processes whose environment has the token."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == token:
                yield process
