"""How long it takes to draw the stand-in faces.

    python benchmarks/standins.py [--count N] [--sets celeba anime] [--out FOLDER]

Draws each set into an empty folder and reports pictures a second by the clock, and processor
seconds a picture, which a busy machine alters less. To start (DiceBear's import, every part
rasterized once) is a fixed cost, which weighs less the more pictures there are: what one
picture costs is reported beside. The time for 20,000 is what ``--count`` took, scaled up.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.report import aligned, machine
from helpers import standins

SETS = ("celeba", "anime")
GOAL = 20_000


class Cost(NamedTuple):
    """Seconds by the clock, and of processor time with that of the workers."""

    wall: float
    cpu: float


def processor_seconds() -> float:
    """Of this process and of the workers that have ended (0 for those on Windows)."""
    return sum(os.times()[:4])


def drawn(name: str, count: int) -> Cost:
    """What it costs to draw so many pictures into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.perf_counter(), processor_seconds()
        standins.draw(name, folder, count)
        return Cost(time.perf_counter() - began, processor_seconds() - used)


def measured(name: str, count: int) -> dict[str, float]:
    """The figures of one set."""
    start = drawn(name, 1)
    whole = drawn(name, count)
    return {
        "pictures_per_second": round(count / whole.wall, 1),
        "cpu_ms_per_picture": round(1000 * whole.cpu / count, 2),
        "cpu_s_of_the_first": round(start.cpu, 2),
        "wall_s": round(whole.wall, 2),
        f"wall_s_for_{GOAL}": round(whole.wall * GOAL / count, 1),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--out", type=pathlib.Path, help="a folder for standins.json")
    options = parser.parse_args(arguments)
    results = {name: measured(name, options.count) for name in options.sets}
    header = ["set", *next(iter(results.values()))]
    print(aligned([header, *([name, *map(str, row.values())] for name, row in results.items())]))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"count": options.count, "machine": machine(), **results}, indent=2)
        (options.out / "standins.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
