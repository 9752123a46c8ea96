"""How long the scores take, and how much memory: 5,000 samples of 28×28 and of 64×64.

    python benchmarks/scoring.py [digits|faces] [--n N]

Each in a process of its own, from the first look at the reals to the table: what a lesson waits
for when it scores its first generator. A second one against the same reals is quicker, and has a
column of its own. The samples are training pictures with a little noise, since it does not
matter what they show. Ends with 1 if a bound is missed.
"""

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import sys
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.report import aligned, machine
from helpers import datasets, runtime, scores

GIB = 1.5e9 / 2**30  # 1.5 GB
SECONDS = {"digits": 20.0, "faces": 60.0}
DOMAINS = tuple(SECONDS)


def data_of(name: str) -> datasets.ImageSet:
    """The pictures of a domain: 28×28×1 or 64×64×3."""
    if name == "digits":
        return datasets.load("mnist")
    return datasets.load("celeba", image_size=64, crop=150)


def measure(name: str, n: int) -> dict[str, Any]:
    """Seconds to score n samples against a data set and against its reference; peak memory."""
    data = data_of(name)
    pictures = np.array(data.train.images[:n])
    noise = np.random.default_rng(0).integers(0, 9, pictures.shape, np.uint8)
    np.maximum(pictures, noise, out=pictures)
    before = runtime.peak_memory()
    began = time.monotonic()
    reference = scores.reference(data, n=n)
    scores.score(pictures, reference)
    first = time.monotonic() - began
    began = time.monotonic()
    scores.score(pictures, reference)
    return {
        "shape": data.image_shape,
        "first": first,
        "second": time.monotonic() - began,
        "before": before,
        "peak": runtime.peak_memory(),
    }


def measure_apart(name: str, n: int) -> dict[str, Any]:
    """:func:`measure` in a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=fresh) as process:
        return process.submit(measure, name, n).result()


def main() -> int:
    """Measure and print the table; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domain", nargs="?", choices=[*DOMAINS, "all"], default="all")
    parser.add_argument("--n", type=int, default=5_000, help="samples")
    options = parser.parse_args()
    rows = [["pictures", "first, s", "asked", "second, s", "before, GiB", "peak, GiB", "asked"]]
    missed = 0
    for name in DOMAINS if options.domain == "all" else [options.domain]:
        found = measure_apart(name, options.n)
        missed += found["first"] > SECONDS[name] or found["peak"] > GIB
        shape = "×".join(map(str, found["shape"]))
        numbers = [f"{found['first']:.1f}", f"{SECONDS[name]:.0f}", f"{found['second']:.1f}"]
        numbers += [f"{found['before']:.2f}", f"{found['peak']:.2f}", f"{GIB:.2f}"]
        rows.append([f"{options.n:,} {name}, {shape}", *numbers])
    print(aligned(rows))
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
