"""Try several machines on one: processes with TF_CONFIG that train one model together.

    python tools/run_distributed.py [--workers N] [PROGRAM ...]

Each worker is a process of its own and talks to the others through 127.0.0.1, as machines
would through their network. PROGRAM is a Python file or a lesson's notebook (which
``tools/run_lessons.py`` then runs, in the profile of ``GAN_PROFILE``), with its arguments;
without one, it is lesson 2. What trains together is what a program builds under
``runtime.strategy().scope()``; all else each worker does for itself, and only the first one
writes. To train on real machines, start the same program on each with its own ``TF_CONFIG``;
see ``helpers.runtime.strategy``. On one machine nothing becomes faster.
"""

import argparse
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSON = ROOT / "notebooks" / "02_dcgan_celeba.ipynb"
PATIENCE = 60.0
"""Seconds that workers have to end by themselves once one of them has failed."""
SECONDS_TO_END = 10.0
"""Seconds for a worker that was told to stop."""


def environments(workers: int, ports: Sequence[int]) -> list[dict[str, str]]:
    """What each worker's environment holds beside ours."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports[:workers]]}
    made = []
    for index in range(workers):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        made.append({"TF_CONFIG": json.dumps(config)})
    return made


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def commands(program: Sequence[str], workers: int) -> list[list[str]]:
    """What each worker runs."""
    file, *arguments = program or [str(LESSON)]
    if not pathlib.Path(file).is_file():
        raise FileNotFoundError(f"there is no program {file}")
    if pathlib.Path(file).suffix != ".ipynb":
        return [[sys.executable, file, *arguments]] * workers
    runner = [sys.executable, str(ROOT / "tools" / "run_lessons.py"), file, *arguments]
    out = ROOT / "build" / "distributed"
    return [[*runner, "--out", str(out / f"worker-{index}")] for index in range(workers)]


def run(commands: Sequence[Sequence[str]], environments: Sequence[Mapping[str, str]]) -> int:
    """Run all workers, with their number before each line they print; the first failure's code."""
    workers, relays = [], []
    for number, (command, extra) in enumerate(zip(commands, environments, strict=True)):
        worker = subprocess.Popen(
            command,
            env={**os.environ, "GAN_HEADLESS": "1", "PYTHONUNBUFFERED": "1", **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        workers.append(worker)
        relays.append(threading.Thread(target=relay, args=(number, worker.stdout), daemon=True))
        relays[-1].start()
    try:
        return wait(workers)
    except KeyboardInterrupt:  # Ctrl-C went to the workers too, which now write their checkpoints
        wait(workers)
        return 130
    finally:
        for worker, printing in zip(workers, relays, strict=True):
            try:
                worker.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                worker.kill()
            printing.join(SECONDS_TO_END)


def relay(number: int, lines: IO[str]) -> None:
    """Print a worker's lines as they come."""
    for line in lines:
        print(f"[{number}] {line}", end="", flush=True)


def wait(workers: Sequence["subprocess.Popen[str]"]) -> int:
    """Wait for all; after the first failure only so long, then they are told to stop."""
    failed, failed_at = 0, 0.0
    while None in (codes := [worker.poll() for worker in workers]):
        if not failed and any(codes):
            failed, failed_at = next(filter(None, codes)), time.monotonic()
        if failed and time.monotonic() - failed_at > PATIENCE:
            for worker in workers:
                worker.terminate()
            break
        time.sleep(0.1)
    return failed or next(filter(None, codes), 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 0, that of a worker that failed, 2 or 130 (Ctrl-C)."""
    parser = argparse.ArgumentParser(
        description="Let several processes on this machine train one model together."
    )
    parser.add_argument("--workers", type=int, default=2, help="default: 2")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM ...")
    options = parser.parse_args(argv)
    if options.workers < 1:
        parser.error(f"--workers is {options.workers}; it must be at least 1")
    try:
        chosen = commands(options.program, options.workers)
    except FileNotFoundError as missing:
        print(f"run_distributed: {missing}", file=sys.stderr)
        return 2
    return run(chosen, environments(options.workers, free_ports(options.workers)))


if __name__ == "__main__":
    sys.exit(main())
