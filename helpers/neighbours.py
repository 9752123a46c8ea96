"""Nearest neighbours among features or pictures: exact, in pieces that fit into memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ROWS = 500  # compared at once with all of the others: 20 MB for 5,000 of them


def distances(a: Array, b: Array) -> Array:
    """Euclidean distances in float64 between rows of a (n, d) and b (m, d), shape (n, m).

    From |x − y|² = |x|² − 2 x·y + |y|²: one matrix product instead of n × m differences. What
    lies below the rounding of that sum is 0, so that a copy is at 0 from its original.
    """
    of_a, of_b = np.square(a).sum(axis=1), np.square(b).sum(axis=1)
    squared = a @ b.T
    squared *= -2
    squared += of_a[:, None]
    squared += of_b
    rounding = 1e-13
    rows, columns = np.nonzero(squared < rounding * (of_a.max() + of_b.max()))
    equal = squared[rows, columns] < rounding * (of_a[rows] + of_b[columns])
    squared[rows[equal], columns[equal]] = 0
    return np.sqrt(squared, out=squared)


def in_pieces(a: Array, b: Array, rows: int = ROWS) -> Iterator[tuple[slice, Array]]:
    """:func:`distances` of ``rows`` rows of a at a time: where they stand, and (rows, m)."""
    for start in range(0, len(a), rows):
        piece = slice(start, start + rows)
        yield piece, distances(a[piece], b)


def nearest_others(x: Array, k: int) -> tuple[Array, Array]:
    """For each row of x (n, d) its k nearest others, the nearest first.

    Returns:
        ``(distances, indices)``, both of shape (n, k); a row is no neighbour of its own, an
        equal row elsewhere is one, at distance 0.

    Raises:
        ValueError: there are not k others.
    """
    if not 1 <= k < len(x):
        raise ValueError(f"{k} nearest others need more than {k} samples; there are {len(x)}.")
    near, who = np.empty((len(x), k)), np.empty((len(x), k), np.int64)
    for piece, found in in_pieces(x, x):
        here = np.arange(len(found))
        found[here, here + piece.start] = np.inf
        chosen = np.argpartition(found, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(found, chosen, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        near[piece] = np.take_along_axis(values, order, axis=1)
        who[piece] = np.take_along_axis(chosen, order, axis=1)
    return near, who


def nearest_in(x: Array, others: Any, k: int, *, rows: int = 1_000) -> Array:
    """For each row of x the distances to its k nearest among ``others``, ascending, (n, k).

    In float32, for many pictures of many pixels: good to a thousandth of a picture's length.

    Args:
        x: shape (n, d).
        others: shape (m, d), m at least k; an array, or what gives arrays when sliced.
        k: how many.
        rows: so many of ``others`` are compared at once.
    """
    x = np.asarray(x, np.float32)
    best = np.full((len(x), k), np.inf, np.float32)
    length = (x**2).sum(1)[:, None]
    for start in range(0, len(others), rows):
        part = np.asarray(others[start : start + rows], np.float32)
        squared = length + (part**2).sum(1) - 2 * (x @ part.T)
        together = np.concatenate([best, squared], axis=1)
        best = np.partition(together, k - 1, axis=1)[:, :k]
    return np.sqrt(np.clip(np.sort(best, axis=1), 0, None))
