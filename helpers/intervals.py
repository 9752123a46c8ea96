"""95 % intervals of scores: how far another sample from the same generator would move them.

The real pictures are held fixed, since they judge all generators alike. Samples are never
drawn with replacement: a sample drawn twice is its own nearest neighbour and its own
duplicate, and adds nothing to a covariance, so that the bootstrap finds Fréchet distances and
duplicates too large, recall and coverage too small. Instead:

- A share of samples that are judged one by one has Wilson's interval.
- All else is computed again with each of 20 groups of samples left out in turn, the delete-a-
  group jackknife ("The Jackknife, the Bootstrap and Other Resampling Plans", Efron, 1982). It
  errs on the wide side ("The Jackknife Estimate of Variance", Efron and Stein, 1981), by a
  third or so for recall and duplicates, where samples count by their neighbours.

Neither tells how far a score is off because of the sample size, which is the same for
generators that are compared at one size.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from helpers import metrics, neighbours

Array = NDArray[Any]
Others: TypeAlias = tuple[Array, Array]
GROUPS = 20
SPARE = 16  # neighbours known beyond the k-th, should some of the nearest be left out


class Estimate(NamedTuple):
    """A score and its 95 % interval."""

    value: float
    low: float
    high: float


def groups_of(n: int) -> Array:
    """The group of each of n samples: neighbours in the order given, so shuffle first."""
    return np.arange(n) * GROUPS // n


def of_share(judged: Array) -> Estimate:
    """A share of samples judged yes or no, bool of shape (n,), with Wilson's score interval.

    "Probable Inference, the Law of Succession, and Statistical Inference" (Wilson, 1927).
    """
    test = scipy.stats.binomtest(int(judged.sum()), len(judged)).proportion_ci(0.95, "wilson")
    return Estimate(float(judged.mean()), float(test.low), float(test.high))


def jackknife(value: float, without: Sequence[float] | Array) -> Estimate:
    """A score and its values with each group left out, as an interval by Student's t."""
    without = np.asarray(without, np.float64)
    n = len(without)
    error = np.sqrt((n - 1) * np.square(without - without.mean()).mean())
    half = scipy.stats.t.ppf(0.975, n - 1) * error
    return Estimate(float(value), float(value - half), float(value + half))


def estimate(score: Callable[[Array], float], samples: Array) -> Estimate:
    """Any score of the samples, computed once for all and once for each group left out."""
    groups = groups_of(len(samples))
    without = [score(samples[groups != group]) for group in range(GROUPS)]
    return jackknife(score(samples), without)


def kernel_distance(real: Array, fake: Array, of_real: float | None = None) -> Estimate:
    """:func:`helpers.metrics.kernel_distance` of all samples at once.

    Args:
        real, fake: features, shapes (n, d) and (m, d).
        of_real: :func:`helpers.metrics.mean_kernel` of the reals, if it is known.
    """
    of_real = metrics.mean_kernel(real) if of_real is None else of_real
    groups = groups_of(len(fake))
    sizes = np.bincount(groups)
    starts = np.searchsorted(groups, np.arange(GROUPS))
    among, across = np.empty((GROUPS, GROUPS)), np.empty(GROUPS)
    for group, start in enumerate(starts):
        rows = fake[start : start + sizes[group]]
        kernel = metrics.cubic_kernel(rows, fake)
        np.einsum("ii->i", kernel[:, start : start + len(rows)])[:] = 0  # no row with itself
        among[group] = np.add.reduceat(kernel.sum(axis=0), starts)
        across[group] = metrics.cubic_kernel(rows, real).sum()

    def distance(kept: Array) -> float:
        n = sizes[kept].sum()
        of_fake = among[np.ix_(kept, kept)].sum() / (n * (n - 1))
        return float(of_real + of_fake - 2 * across[kept].sum() / (n * len(real)))

    every = np.arange(GROUPS)
    return jackknife(distance(every), [distance(np.delete(every, g)) for g in range(GROUPS)])


def frechet_distance(real: Array, fake: Array) -> Estimate:
    """:func:`helpers.metrics.frechet_distance`.

    What is left of the fakes without a group has the sum of the other groups' moments, which
    is exact enough for an interval and saves 20 decompositions of all samples.
    """
    groups = groups_of(len(fake))
    centre = fake.mean(axis=0)
    parts = [fake[groups == group] - centre for group in range(GROUPS)]
    sums, squares = [x.sum(axis=0) for x in parts], np.stack([x.T @ x for x in parts])
    of_all = squares.sum(axis=0)
    mean, covariance = real.mean(axis=0) - centre, np.atleast_2d(np.cov(real, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T

    def without(group: int) -> float:
        n = len(fake) - len(parts[group])
        shift = -sums[group] / n  # the sum of all is 0
        scatter = of_all - squares[group] - n * np.outer(shift, shift)
        other = scatter / (n - 1)
        cross = np.linalg.eigvalsh(root @ other @ root)
        cross = np.sqrt(np.clip(cross, 0, None)).sum()
        return float(np.square(mean - shift).sum() + np.trace(covariance + other) - 2 * cross)

    value = metrics.frechet_distance(fake, real)
    return jackknife(value, [without(group) for group in range(GROUPS)])


def manifolds(
    real: Array,
    fake: Array,
    k: int = 3,
    k_ball: int = 5,
    *,
    reach: Array | None = None,
    others: Others | None = None,
) -> dict[str, Estimate]:
    """``precision``, ``recall``, ``density`` and ``coverage`` as in :mod:`helpers.metrics`.

    Args:
        real, fake: features, shapes (n, d) and (m, d).
        k: of precision and recall.
        k_ball: of density and coverage.
        reach: distances of each real to its nearest others, ascending, at least
            max(``k``, ``k_ball``) of them, if they are known.
        others: :func:`others_of` the fakes, if they are known.
    """
    groups = groups_of(len(fake))
    if reach is None:
        reach = neighbours.nearest_others(real, max(k, k_ball))[0]
    radii = _radii(others_of(fake, k) if others is None else others, k)
    precise, counts = np.empty(len(fake), bool), np.empty(len(fake))
    # For each group: the reals that its fakes' balls meet, those whose ball holds one of its
    # fakes, and those that wider balls of the other fakes meet when it is left out.
    meets, covers, wider = np.zeros((3, GROUPS, len(real)), bool)
    for piece, apart in neighbours.in_pieces(fake, real):
        of, inside = groups[piece], apart <= reach[:, k_ball - 1]
        precise[piece] = (apart <= reach[:, k - 1]).any(axis=1)
        counts[piece] = inside.sum(axis=1)
        met = apart <= radii[piece, -1:]
        for group in np.unique(of):
            covers[group] |= inside[of == group].any(axis=0)
            meets[group] |= met[of == group].any(axis=0)
        for group in range(GROUPS):
            grown = (of != group) & (radii[piece, group] > radii[piece, -1])
            wider[group] |= (apart[grown] <= radii[piece, group][grown, None]).any(axis=0)
    recalls = ((meets.sum(axis=0) - meets > 0) | wider).mean(axis=1)
    coverages = (covers.sum(axis=0) - covers > 0).mean(axis=1)
    return {
        "precision": of_share(precise),
        "recall": jackknife(meets.any(axis=0).mean(), recalls),
        "density": estimate(lambda kept: float(kept.mean() / k_ball), counts),
        "coverage": jackknife(covers.any(axis=0).mean(), coverages),
    }


def diversity(features: Array, real: Array, pairs: int = 20_000, seed: int = 0) -> Estimate:
    """:func:`helpers.metrics.diversity`, with the same pairs."""
    groups = groups_of(len(features))
    first, second, distances = metrics.pair_distances(features, pairs, seed)
    unit = metrics.pair_distances(real, pairs, seed)[2].mean()
    without = [
        distances[(groups[first] != g) & (groups[second] != g)].mean() / unit for g in range(GROUPS)
    ]
    return jackknife(distances.mean() / unit, without)


def duplicates(features: Array, near: float, others: Others | None = None) -> Estimate:
    """The share of samples no farther than ``near`` from their nearest other.

    ``others`` are :func:`others_of` the features, if they are known.
    """
    nearest = _radii(others_of(features) if others is None else others, 1)
    groups = groups_of(len(features))
    shares = [(nearest[groups != g, g] <= near).mean() for g in range(GROUPS + 1)]
    return jackknife(shares[-1], shares[:-1])


def others_of(x: Array, k: int = 3) -> Others:
    """The k nearest others of each row, and some to spare should a group be left out."""
    return neighbours.nearest_others(x, min(k + SPARE, len(x) - 1))


def _radii(others: Others, k: int) -> Array:
    """Distances to the k-th nearest other, (n, GROUPS + 1).

    A column for each group left out, and a last one for none. Where all neighbours that are
    known were left out it is the last known distance: groups are drawn at random, so that of
    17 neighbours it is next to impossible that all are in one.
    """
    near, who = others
    groups = groups_of(len(near))
    radii = np.empty((len(near), GROUPS + 1))
    for left_out in range(GROUPS + 1):
        kept = groups[who] != left_out
        place = np.argmax(np.cumsum(kept, axis=1) >= k, axis=1)
        place = np.where(kept.sum(axis=1) >= k, place, near.shape[1] - 1)
        radii[:, left_out] = near[np.arange(len(near)), place]
    return radii
