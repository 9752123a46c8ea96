"""What takes long: how far it is, how many can share the work, one process at a time."""

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator


class Progress:
    """One line: how much is done, how fast, how long it will take; nothing if that is under 2 s.

    Args:
        what: said first.
        total: how many there are; None if that is not known.
        done: how many were done before.
        unit: ``"MB"`` if it is bytes that are counted.
    """

    def __init__(self, what: str, total: int | None, done: int = 0, unit: str = "") -> None:
        self.what, self.total, self.first, self.unit = what, total, done, unit
        self.began = self.shown = time.monotonic()

    def show(self, done: int) -> None:
        """Say that so many are done."""
        if done <= self.first:
            return  # nothing yet to tell the speed from
        now = time.monotonic()
        speed = (done - self.first) / max(now - self.began, 1e-9)
        left = (self.total - done) / speed if self.total else 0.0
        first_time = self.shown == self.began
        if now - self.shown < 0.5 or (first_time and now - self.began + left < 2):
            return
        self.shown = now
        of = f" of {self._number(self.total)}" if self.total else ""
        text = f"{self._number(done)}{of}{self._unit}, {self._number(speed)}{self._unit}/s"
        if self.total:
            minutes, seconds = divmod(round(left), 60)
            text += f", {minutes}:{seconds:02} left"
        self._say(text)

    def end(self) -> None:
        """Leave the line, if there is one, as a record of how long it took."""
        if self.shown > self.began:
            self._say(f"done in {time.monotonic() - self.began:.0f} s")
            print()

    def _say(self, text: str) -> None:
        print(f"\r{f'{self.what}: {text}':<78}", end="", flush=True)

    def _number(self, n: float) -> str:
        return f"{n / 1e6:,.1f}" if self.unit == "MB" else f"{n:,.0f}"

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def cores() -> int:
    """How many processor cores this process may use."""
    known = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1


@contextlib.contextmanager
def alone(lock_file: pathlib.Path, what: str) -> Iterator[None]:
    """Hold a lock, waiting for the process that holds it; it is free again when that one ends."""
    import filelock

    lock = filelock.FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"Another process is {what}; waiting for it …", flush=True)
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()
