"""Pictures a second of the ways to stream a data set, and the memory they take.

    python benchmarks/streaming.py [--data FOLDER] [--rounds N] [--seconds S] [--out FILE]

Batches of 128 float pictures of 64×64, from CelebA's zip in ``--data``, or from the drawn
faces if that is not given: from the prepared array, by ``tf.data`` decoding in every epoch
(with antialiasing, which is what preparing does too, and without), by a
``keras.utils.PyDataset``, and by a plain generator with scikit-image. Beside them stands
preparing itself. The ways take turns, so that what else the machine does meets all of them,
and medians are compared. Then the peak memory of a process that prepares and streams 4,000
pictures and of one with 40,000 (the same ones again and again, under other names).
"""

import argparse
import itertools
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.report import aligned, machine
from helpers import datasets, prepare, runtime, streaming
from helpers.readers import Pictures, pictures_in

SIZE, BATCH = 64, 128
ARRAY, DECODED, PLAIN = "prepared array", "tf.data, antialiased", "scikit-image generator"
FAST_DECODED, SEQUENCE, PREPARING = "tf.data, aliased", "PyDataset", "preparing"
BARS = {DECODED: 15, PLAIN: 100}
MEMORY_BAR = 100  # MB


def batches_of(pictures: Pictures, folder: pathlib.Path) -> dict[str, Iterator[Any]]:
    """An endless iterator of batches for each way to stream."""
    files = streaming.unpack(pictures, folder / "files")
    array, _, _ = prepare.prepared(pictures, folder / "array.npy", (SIZE, SIZE))
    whole = datasets.ImageSet("benchmark", array, None, (), "here", len(array))
    sequence = streaming.PictureSequence(pictures, BATCH, size=SIZE)
    return {
        ARRAY: iter(whole.batches(BATCH)),
        DECODED: iter(streaming.decoded(files, BATCH, size=SIZE)),
        FAST_DECODED: iter(streaming.decoded(files, BATCH, size=SIZE, antialias=False)),
        SEQUENCE: (sequence[i] for i in itertools.cycle(range(len(sequence)))),
        PLAIN: streaming.picture_generator(pictures, BATCH, size=SIZE),
    }


def speed(batches: Iterator[Any], seconds: float) -> float:
    """Pictures a second, once what was fetched beforehand is used up."""
    for _ in range(2):
        next(batches)
    began, pictures = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        next(batches)
        pictures += BATCH
    return pictures / (time.perf_counter() - began)


def preparing_speed(pictures: Pictures, folder: pathlib.Path) -> float:
    """Pictures a second of a preparation from nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    prepare.prepared(pictures, folder / "array.npy", (SIZE, SIZE))
    return len(pictures) / (time.perf_counter() - began)


def speeds(pictures: Pictures, rounds: int, seconds: float) -> dict[str, float]:
    """The median speed of every way."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ways: dict[str, Callable[[], float]] = {
            way: lambda batches=batches: speed(batches, seconds)
            for way, batches in batches_of(pictures, folder).items()
        }
        ways[PREPARING] = lambda: preparing_speed(pictures, folder / "again")
        seen: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds):
            for way, measured in ways.items():
                seen[way].append(measured())
            print(f"round {number + 1} of {rounds}", flush=True)
    return {way: statistics.median(found) for way, found in seen.items()}


def repeated(pictures: Pictures, count: int, file: pathlib.Path) -> None:
    """A zip of ``count`` pictures, the given ones over and over."""
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(count):
            archive.writestr(f"{i:06}.jpg", pictures.read(i % len(pictures)))


def peak_memory(pictures: Pictures, count: int) -> float:
    """Peak memory in MB of a process that prepares ``count`` pictures and streams them twice."""
    with tempfile.TemporaryDirectory() as name:
        file = pathlib.Path(name) / "pictures.zip"
        repeated(pictures, count, file)
        command = [sys.executable, __file__, "--memory-of", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout.splitlines()[-1])


def stream_all(file: pathlib.Path) -> None:
    """What :func:`peak_memory` runs; it prints the peak as its last line."""
    pictures = pictures_in(file)
    array, _, _ = prepare.prepared(pictures, file.with_suffix(".npy"), (SIZE, SIZE))
    whole = datasets.ImageSet("benchmark", array, None, (), "here", len(array))
    for _ in whole.batches(BATCH).take(2 * whole.steps_per_epoch(BATCH)):
        pass
    print(runtime.peak_memory() * 1024)


def table(result: dict[str, Any]) -> str:
    """The figures as lines of text, with the bars that they are to meet."""
    found = result["images_per_second"]
    rows = [["way", "images/s", "the array is", "bar"]]
    for way, images in found.items():
        bar = f"{BARS[way]}×" if way in BARS else ""
        rows.append([way, f"{images:,.0f}", f"{found[ARRAY] / images:.1f}×", bar])
    ratio = found[PREPARING] / found[DECODED]
    lines = [aligned(rows), f"preparing is {ratio:.2f} times as fast as {DECODED} (bar: 1)"]
    few, many = sorted(result["peak_memory_mb"], key=int)
    memory = result["peak_memory_mb"]
    lines.append(
        f"peak memory: {memory[few]:,.0f} MB with {int(few):,} pictures, {memory[many]:,.0f} MB "
        f"with {int(many):,}: {memory[many] - memory[few]:+,.0f} MB (bar: {MEMORY_BAR})"
    )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, help="folder with CelebA's zip")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--counts", type=int, nargs=2, default=[4_000, 40_000])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/streaming.json"))
    parser.add_argument("--memory-of", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        stream_all(options.memory_of)
        return
    if options.data:
        name, pictures = "CelebA", pictures_in(options.data, within="img_align_celeba")
    else:
        found = datasets.find("celeba", count=4_000)
        name, pictures = found.name, found.pictures
    result = {
        "machine": machine(),
        "pictures": f"{len(pictures):,} of {name}",
        "images_per_second": speeds(pictures, options.rounds, options.seconds),
        "peak_memory_mb": {str(count): peak_memory(pictures, count) for count in options.counts},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
