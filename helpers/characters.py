"""Characters drawn by a pen, in the 47 classes and the four files of EMNIST Balanced.

A character begins as the path of a pen (see :mod:`helpers.allographs`). Its strokes are shaken,
rounded, slanted and warped, a pen of changing pressure follows them over a black and white page,
and the page goes the way of every page in "EMNIST: an extension of MNIST to handwritten letters"
(Cohen et al., 2017, arXiv:1702.05373): blurred, centred in a square, given a border, resized.

All chance comes as uniform numbers from a stream that belongs to one character, and the pen
moves in whole pixels, so that a character is the same on every machine.
"""

import functools
import gzip
import os
import pathlib
import tempfile

import numpy as np
from numpy.typing import NDArray

from helpers import allographs, checks, readers
from helpers.allographs import CLASSES, Floats, Glyph
from helpers.waiting import Progress

# The page: the longer side of a character in pixels, the radius of the pen on a page of 60, how
# much the pressure changes it, the blur, and which part of the 28 × 28 the character fills. They
# give the mean, the spread and the histogram of grey and the profile of edges of EMNIST.
SIDE = (45, 68)
PEN = (2.3, 5.6)
PRESSURE = 0.12
BLUR = 1.0
INNER, OUTER = 23, 28

# The hand, in units of half the longer side of a character: (mean, deviation) of the slant, the
# deviation of the width, how round corners become, a factor for those who write with less care,
# and the deviations that it multiplies: of points, of the plane, of strokes turned and shifted.
SLANT = (0.2, 0.22)
ASPECT = 0.17
HASTE = (-0.2, 1.0)
CARELESSNESS = (0.5, 2.5)
SHAKE = 0.028
WARP = 0.08
STROKE_TURN, STROKE_SHIFT = 0.09, 0.045
TRIM = 0.04

TEST_FROM = 10**9
"""The indices of test characters begin here; those of training characters at 0."""


def character(label: int, seed: int, index: int) -> NDArray[np.uint8]:
    """One character, upright: uint8, shape (28, 28), ink 255 on 0.

    Args:
        label: its class, 0 to 46, a position in ``CLASSES``.
        seed: which set of characters.
        index: which character of that class and set; another one is drawn otherwise.

    Raises:
        ValueError: ``label`` is no class, or ``seed`` or ``index`` is negative.
    """
    if label not in range(len(CLASSES)):
        raise ValueError(f"label is {label!r}; EMNIST Balanced has the classes 0 to 46.")
    if min(seed, index) < 0:
        raise ValueError(f"seed is {seed} and index {index}; neither may be negative.")
    random = np.random.default_rng([seed, label, index])
    glyphs, shares = allographs.glyphs(label)
    glyph = glyphs[int(np.searchsorted(shares, random.random() * shares[-1], side="right"))]
    return _scanned(_inked(_moved(glyph, random), random))


def draw(folder: str | os.PathLike[str], count: int, *, seed: int = 0) -> None:
    """Write drawn characters in the files of EMNIST Balanced, stored transposed as it is.

    Character i depends on ``seed`` and i only, and every 47 in a row have one of each class.
    A line tells the progress when it takes more than 2 s.

    Args:
        folder: where the five files go; made if it is missing.
        count: how many training characters; there are ``count // 6`` test characters besides.
        seed: which set of characters.

    Raises:
        ValueError: ``count`` is less than 6 or no whole number, or ``seed`` is negative.
    """
    checks.whole("count", count)
    if count < 6:
        raise ValueError(f"count is {count}; it must be 6 or more, as a sixth is for the test.")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more.")
    parts = {"train": (count, 0), "test": (count // 6, TEST_FROM)}
    progress, done = Progress("drawing characters", count + count // 6), 0
    files = {"emnist-balanced-mapping.txt": _mapping()}
    for part, (n, first) in parts.items():
        labels = _labels(n, seed, first)
        pictures = np.zeros((n, OUTER, OUTER), np.uint8)
        for i, label in enumerate(labels.tolist()):
            pictures[i] = character(label, seed, first + i).T
            done += 1
            progress.show(done)
        files[f"emnist-balanced-{part}-images-idx3-ubyte.gz"] = _idx_gz(pictures)
        files[f"emnist-balanced-{part}-labels-idx1-ubyte.gz"] = _idx_gz(labels)
    progress.end()
    _write_all(pathlib.Path(folder), files)


def _labels(n: int, seed: int, first: int) -> NDArray[np.uint8]:
    """Classes in blocks of one of each, every block in an order of its own."""
    blocks = [
        np.argsort(np.random.default_rng([seed, len(CLASSES), first + block]).random(len(CLASSES)))
        for block in range(-(-n // len(CLASSES)))
    ]
    return np.concatenate(blocks)[:n].astype(np.uint8)


def _mapping() -> bytes:
    """The official mapping file: a line for each class, its number and its ASCII code."""
    return "".join(f"{i} {ord(name)}\n" for i, name in enumerate(CLASSES)).encode()


def _idx_gz(values: NDArray[np.uint8]) -> bytes:
    """The packed IDX file of an array; the same array gives the same bytes."""
    return gzip.compress(readers.encode_idx(values), mtime=0)


def _write_all(folder: pathlib.Path, files: dict[str, bytes]) -> None:
    """Write all files elsewhere, take old ones away, and only then move the new ones in."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".drawing-", dir=folder) as made:
        for name, content in files.items():
            (pathlib.Path(made) / name).write_bytes(content)
        for name in files:
            (folder / name).unlink(missing_ok=True)
        for name in files:
            os.replace(pathlib.Path(made) / name, folder / name)


# --- the hand ------------------------------------------------------------------------------


def _bell(random: np.random.Generator, *shape: int) -> Floats:
    """Numbers of mean 0 and deviation 1, never beyond 2.5: a hand that slips stays legible."""
    return (random.random((2, *shape)).sum(axis=0) - 1) * 2.4494897


def _skewed(ends: tuple[float, float], random: np.random.Generator, power: int) -> float:
    """A number between the ends; the larger the power, the more often near the first."""
    return ends[0] + (ends[1] - ends[0]) * float(random.random()) ** power


def _moved(glyph: Glyph, random: np.random.Generator) -> Floats:
    """The points of a glyph as one hand writes it once, shape (n, 2)."""
    haste = _skewed(HASTE, random, 1)
    path = glyph.sharp + haste * (glyph.soft - glyph.sharp)
    slips = _skewed(CARELESSNESS, random, 3)
    strokes = int(glyph.stroke[-1]) + 1
    turn = slips * STROKE_TURN * _bell(random, strokes, 2, 2)[glyph.stroke]
    path = path + (turn * path[:, np.newaxis]).sum(axis=2)
    path += slips * STROKE_SHIFT * _bell(random, strokes, 2)[glyph.stroke]
    knots = slips * SHAKE * _bell(random, 6, 2)
    at = 5 * glyph.along
    path += np.stack([np.interp(at, np.arange(6), knots[:, axis]) for axis in (0, 1)], axis=1)
    path = path @ _leaning(random) + _warp(path) @ (slips * WARP * _bell(random, 7, 2))
    begin, end = TRIM * random.random(2)
    return path[(glyph.along >= begin) & (glyph.along <= 1 - end)]


def _warp(path: Floats) -> Floats:
    """The terms of a smooth bending of the plane: polynomials without the linear part."""
    x, y = path.T
    return np.stack([x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y], axis=1)


def _leaning(random: np.random.Generator) -> Floats:
    """The matrix of a slant, a stretch and a rise of the line."""
    stretch, slant, rise = _bell(random, 3)
    return np.array([[1 + ASPECT * stretch, 0.08 * rise], [-SLANT[0] - SLANT[1] * slant, 1]])


# --- the pen and the page ------------------------------------------------------------------


@functools.cache
def _disc() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets (dy, dx) from a pixel, nearest first, and the squares of their distances."""
    span = np.arange(-9, 10)
    offsets = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2)
    squares = np.square(offsets).sum(axis=1)
    order = np.argsort(squares, kind="stable")
    return offsets[order], squares[order]


def _inked(path: Floats, random: np.random.Generator) -> NDArray[np.bool_]:
    """The page after a round pen of changing pressure went along the path, cut to the ink."""
    side = _skewed(SIDE, random, 1)
    radius = _skewed(PEN, random, 2) * side / 60
    low, high = path.min(axis=0), path.max(axis=0)
    points = np.rint((path - low) * ((side - 2 * radius) / (high - low).max())).astype(np.int64)
    knots = 1 + PRESSURE * _bell(random, 5)
    pressure = np.interp(np.linspace(0, 4, len(path)), np.arange(5), knots)
    radii = radius * pressure + 0.25 * _bell(random, len(path))
    offsets, squares = _disc()
    reach = np.searchsorted(squares, np.square(np.clip(radii, 0.8, 9)), side="right")
    width, height = points.max(axis=0) + 19
    page = np.zeros((height, width), bool)
    middle = (points[:, 1] + 9) * width + points[:, 0] + 9
    shifts = (offsets[:, 0] * width + offsets[:, 1])[: reach.max()]
    wet = np.arange(len(shifts)) < reach[:, np.newaxis]
    page.reshape(-1)[(middle[:, np.newaxis] + shifts)[wet]] = True
    rows, columns = np.flatnonzero(page.any(axis=1)), np.flatnonzero(page.any(axis=0))
    return page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scanned(page: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """EMNIST's way from a page to a picture: blur, centre in a square, a border of 2, resize."""
    side = max(page.shape)
    reduce = _reduction(side)
    top, left = ((side - length) // 2 for length in page.shape)
    rows = reduce[:, top : top + page.shape[0]]
    columns = reduce[:, left : left + page.shape[1]]
    grey = rows @ page.astype(float) @ columns.T
    return np.clip(np.rint(255 * grey), 0, 255).astype(np.uint8)


@functools.cache
def _reduction(side: int) -> Floats:
    """Blurring and bicubic resizing of a line of ``side`` pixels to 28, as one matrix."""
    scale = side / INNER
    outer = (np.arange(OUTER) + 0.5 - (OUTER - INNER) / 2) * scale - 0.5
    around = np.arange(np.floor(outer[0]) - 2, np.ceil(outer[-1]) + 3)
    cubic = _bicubic(np.abs(outer[:, np.newaxis] - around))
    blur = np.exp(-0.5 * np.square((around[:, np.newaxis] - np.arange(side)) / BLUR))
    return cubic @ (blur / (BLUR * np.sqrt(2 * np.pi)))


def _bicubic(x: Floats) -> Floats:
    """Keys' cubic kernel with a = -0.5 at distances x."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
