"""Measure what a generator makes: functions of features, of probabilities and of pictures.

Features and probabilities are those of a classifier (:mod:`helpers.feature_networks`). A
distance on them is called what it is, a Fréchet distance on classifier features. It is not an
FID: that name belongs to InceptionV3's features and 50,000 samples. ``docs/metrics.md`` says
what each score sees and does not see; :mod:`helpers.scores` makes one table of all of them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from helpers import checks, neighbours
from helpers._backend import keras
from helpers.feature_networks import FeatureNetwork
from helpers.pixels import laplacian_variance, memorised, nearest, nearness, sharpness

__all__ = [
    "Scorer",
    "attribute_confidence",
    "attribute_shift",
    "class_balance",
    "class_shift",
    "confidence",
    "cubic_kernel",
    "density_coverage",
    "diversity",
    "duplicates",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "laplacian_variance",
    "mean_kernel",
    "memorised",
    "nearest",
    "nearness",
    "pair_distances",
    "precision_recall",
    "score_generator",
    "sharpness",
]

Array = NDArray[Any]


def frechet_distance(a: Array, b: Array) -> float:
    """Distance between two clouds of features, each summed up as a Gaussian.

    |μa − μb|² + tr(Σa + Σb − 2 (Σa Σb)^½), after "GANs Trained by a Two Time-Scale Update
    Rule" (Heusel et al., 2017, arXiv:1706.08500), in float64. It sees means and spreads
    only: two clouds of different shape with the same mean and covariance are at 0. Fewer
    samples give larger values, so compare equal sample sizes only.

    Args:
        a, b: features, shapes (n, d) and (m, d).

    Returns:
        A number ≥ 0, in squared units of the features.

    Raises:
        ValueError: not two matrices of equal width with at least two rows and finite values.
    """
    a, b = _matrices(a, b)
    means = a.mean(axis=0), b.mean(axis=0)
    # Σ = RᵀR with R from a QR decomposition of the centred features, and tr (Σa Σb)^½ is the
    # sum of the singular values of Ra Rbᵀ. A root of Σ itself would lose half of the digits
    # where Σ is singular.
    roots = [
        np.linalg.qr(x - mean, mode="r") / np.sqrt(len(x) - 1)
        for x, mean in zip((a, b), means, strict=True)
    ]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = np.square(roots[0]).sum() + np.square(roots[1]).sum()
    return max(0.0, float(np.square(means[0] - means[1]).sum() + spread - 2 * cross))


def kernel_distance(
    a: Array, b: Array, *, subsets: int = 100, subset_size: int = 1_000, seed: int = 0
) -> tuple[float, float]:
    """Squared maximum mean discrepancy (MMD²) of two clouds of features, unbiased.

    With the kernel k(x, y) = (x·y / d + 1)³ of "Demystifying MMD GANs" (Bińkowski et al., 2018,
    arXiv:1801.01401): E k(a, a') + E k(b, b') − 2 E k(a, b), means over pairs of different
    rows. It sees means, spreads and skews, and no more. Its expectation does not depend on the
    sample size, so it may be negative: that is 0 within its spread.

    Args:
        a, b: features, shapes (n, d) and (m, d).
        subsets: how many random subsets it is computed on.
        subset_size: rows of a and of b in each, drawn without replacement; no more than there
            are. ``subsets=1`` with all rows is the best estimate, but has no spread.
        seed: of the subsets.

    Returns:
        ``(mean, spread)`` over the subsets; the spread is their standard deviation, as it is
        usually published. It is not the error of the mean, which is smaller.

    Raises:
        ValueError: not two matrices of equal width with at least two rows and finite values.
    """
    a, b = _matrices(a, b)
    checks.whole("subsets", subsets)
    random = np.random.default_rng(seed)
    size = min(subset_size, len(a), len(b))
    if size < 2:
        raise ValueError(f"subset_size is {subset_size}; pairs need 2 or more.")
    if subsets == 1 and subset_size >= max(len(a), len(b)):
        return _squared_mmd(a, b), 0.0
    values = [
        _squared_mmd(*(x[random.choice(len(x), size, replace=False)] for x in (a, b)))
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def cubic_kernel(a: Array, b: Array) -> Array:
    """(x·y / d + 1)³ for all rows x of a (n, d) and y of b (m, d), shape (n, m)."""
    products = a @ b.T
    products /= a.shape[1]
    products += 1
    cubes = products * products
    cubes *= products
    return cubes


def mean_kernel(x: Array) -> float:
    """The mean :func:`cubic_kernel` of all pairs of different rows of x (n, d)."""
    n = len(x)
    every = sum(float(cubic_kernel(x[i : i + 500], x).sum()) for i in range(0, n, 500))
    itself = float(np.power(np.square(x).sum(axis=1) / x.shape[1] + 1, 3).sum())
    return (every - itself) / (n * (n - 1))


def inception_score(probabilities: Array, *, splits: int = 10) -> tuple[float, float]:
    """exp(E KL(p(y|x) ‖ p(y))): sure of each picture, and all classes equally often.

    From "Improved Techniques for Training GANs" (Salimans et al., 2016, arXiv:1606.03498),
    there on Inception's probabilities, here on those given. 1 is the worst, the number of
    classes the best. It never looks at a real picture: one good picture a class is perfect.

    Args:
        probabilities: shape (n, classes), each row summing to 1.
        splits: the score is computed on so many parts, in the order given.

    Returns:
        ``(mean, spread)`` over the parts. Fewer pictures in a part give smaller values.

    Raises:
        ValueError: rows that do not sum to 1 (as those of attributes), or too few of them.
    """
    probabilities = np.asarray(probabilities, np.float64)
    checks.whole("splits", splits)
    if probabilities.ndim != 2 or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "the inception score needs probabilities of classes that exclude each other, of "
            "shape (n, classes), each row summing to 1. Attributes have none."
        )
    if len(probabilities) < splits:
        raise ValueError(f"{len(probabilities)} pictures do not make {splits} parts.")
    scores = [_inception(part) for part in np.array_split(probabilities, splits)]
    return float(np.mean(scores)), float(np.std(scores))


def precision_recall(real: Array, fake: Array, *, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall of fakes: are they like reals; are all reals met?

    "Improved Precision and Recall Metric for Assessing Generative Models" (Kynkäänniemi et al.,
    2019, arXiv:1904.06991). A cloud's manifold is the union of balls around its points, each
    reaching to the point's k-th nearest other. Precision: the share of fakes in the manifold
    of the reals, blind to what is missing. Recall: the share of reals in the manifold of the
    fakes, blind to how many fakes are bad; a few far-off fakes make large balls.

    Args:
        real, fake: features, shapes (n, d) and (m, d). Both depend on n and m.
        k: see above.

    Returns:
        ``(precision, recall)``, each from 0 to 1.

    Raises:
        ValueError: not two matrices of equal width, finite, with more than k rows.
    """
    real, fake = _matrices(real, fake)
    of_real, of_fake = (neighbours.nearest_others(x, k)[0][:, -1] for x in (real, fake))
    precise, met = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for piece, apart in neighbours.in_pieces(fake, real):
        precise[piece] = (apart <= of_real).any(axis=1)
        met |= (apart <= of_fake[piece, None]).any(axis=0)
    return float(precise.mean()), float(met.mean())


def density_coverage(real: Array, fake: Array, *, k: int = 5) -> tuple[float, float]:
    """Density and coverage of fakes: as :func:`precision_recall`, but steadier.

    "Reliable Fidelity and Diversity Metrics for Generative Models" (Naeem et al., 2020,
    arXiv:2002.09797). Only reals have balls, so far-off fakes spoil nothing. Density: in how
    many balls of reals a fake lies, divided by k; above 1 if fakes crowd where reals are
    dense. Coverage: the share of reals with a fake in their ball; two samples of one
    distribution and of one size reach 1 − 2⁻ᵏ (0.97 for k = 5).

    Args:
        real, fake: features, shapes (n, d) and (m, d). More fakes cover more.
        k: a ball reaches to the k-th nearest other.

    Returns:
        ``(density, coverage)``: 0 or more, and 0 to 1.

    Raises:
        ValueError: not two matrices of equal width, finite, with more than k reals.
    """
    real, fake = _matrices(real, fake)
    radii = neighbours.nearest_others(real, k)[0][:, -1]
    counts, covered = np.empty(len(fake)), np.zeros(len(real), bool)
    for piece, apart in neighbours.in_pieces(fake, real):
        inside = apart <= radii
        counts[piece] = inside.sum(axis=1)
        covered |= inside.any(axis=0)
    return float(counts.mean() / k), float(covered.mean())


def class_balance(probabilities: Array) -> Array:
    """The share of samples that the classifier puts into each class, shape (classes,)."""
    classes = probabilities.shape[1]
    return np.bincount(probabilities.argmax(axis=1), minlength=classes) / len(probabilities)


def confidence(probabilities: Array) -> float:
    """How sure the classifier is on average: mean of the largest probability, 1/classes to 1."""
    return float(probabilities.max(axis=1).mean())


def class_shift(probabilities: Array, reference: Array) -> float:
    """The share of samples that would have to change class to have the reference's shares.

    The total variation distance, ½ Σ |p − q|, of the two :func:`class_balance`: 0 is best, 1 is
    no class in common. Chance alone makes about √(classes / n).
    """
    return float(np.abs(class_balance(probabilities) - class_balance(reference)).sum() / 2)


def attribute_shift(probabilities: Array, reference: Array) -> float:
    """How far the share of an attribute lies from the reference's, where it is off most: 0 to 1.

    The largest of all attributes, since the mean would hardly see one of twenty missing. Each
    is counted alone: which ones come together goes unseen. Chance alone makes about √(2 / n).
    """
    shares = [(p > 0.5).mean(axis=0) for p in (probabilities, reference)]
    return float(np.abs(shares[0] - shares[1]).max())


def attribute_confidence(probabilities: Array) -> float:
    """How sure a network of attributes is on average, of yes or no: 0.5 to 1."""
    return float(np.maximum(probabilities, 1 - probabilities).mean())


def diversity(features: Array, reference: Array, *, pairs: int = 20_000, seed: int = 0) -> float:
    """How far apart two samples are on average, as a multiple of the same for real pictures.

    1 is the variety of the reference, 0 is one picture over and over. It does not ask
    whether the pictures are any good: noise is diverse.
    """
    return _mean_pair_distance(features, pairs, seed) / _mean_pair_distance(reference, pairs, seed)


def pair_distances(features: Array, pairs: int, seed: int) -> tuple[Array, Array, Array]:
    """Of random pairs of different samples the two positions and the distance, each (pairs,)."""
    first, second = np.random.default_rng(seed).integers(len(features), size=(2, pairs))
    apart = first != second
    first, second = first[apart], second[apart]
    return first, second, np.linalg.norm(features[first] - features[second], axis=1)


def duplicates(features: Array, reference: Array, *, share: float = 0.01, seed: int = 0) -> float:
    """The share of samples that have a near twin among the samples.

    Near is a distance at which only ``share`` of the reals have their nearest other. After the
    birthday test of "Do GANs actually learn the distribution? An empirical study" (Arora and
    Zhang, 2017, arXiv:1706.08224), counted by features instead of by eye. It sees narrow
    variety, and not whether the pictures are any good. Neighbours are nearer in larger samples,
    so as many are drawn of either as there are of the fewer.

    Args:
        features, reference: of samples and of reals, shapes (n, d) and (m, d).
        share: of the reals, see above; it is about what other reals reach.
        seed: of the drawing.

    Returns:
        A number from 0 to 1.
    """
    features, reference = _matrices(features, reference)
    n = min(len(features), len(reference))
    random = np.random.default_rng(seed)
    of_fakes, of_reals = (
        neighbours.nearest_others(x[random.permutation(len(x))[:n]], 1)[0][:, 0]
        for x in (features, reference)
    )
    return float((of_fakes <= np.quantile(of_reals, share)).mean())


@dataclass(frozen=True)
class Scorer:
    """Scores pictures against real ones that no generator was trained on.

    Args:
        network: the classifier that looks.
        reference: features of held-out real pictures, from the same ``network``.
    """

    network: FeatureNetwork
    reference: Array = field(repr=False)

    @classmethod
    def against(cls, network: FeatureNetwork, images: Array) -> "Scorer":
        """A scorer against held-out float32 pictures in [-1, 1]."""
        return cls(network, network(images)[0])

    def __call__(self, images: Array) -> dict[str, float]:
        """Scores of float32 pictures in [-1, 1]: all of one name mean the same everywhere.

        ``frechet_distance`` (0 is best), ``confidence`` (1 is sure), ``smallest_class``
        (share of the rarest class: 1/classes is even), ``diversity`` (1 is that of the
        reals).
        """
        features, probabilities = self.network(images)
        return {
            "frechet_distance": frechet_distance(features, self.reference),
            "confidence": confidence(probabilities),
            "smallest_class": float(class_balance(probabilities).min()),
            "diversity": diversity(features, self.reference),
        }


def score_generator(generator: keras.Model, z: Any, scorer: Scorer) -> dict[str, float]:
    """Scores of the pictures that a generator makes of z (n, latent_dim)."""
    return scorer(np.asarray(generator.predict(z, batch_size=250, verbose=0)))


def _matrices(a: Array, b: Array) -> tuple[Array, Array]:
    """Both in float64, after a look at whether they can be compared."""
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"need two matrices (samples, features) of the same width and at least two rows; "
            f"got {a.shape} and {b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("the features contain NaN or infinity: look at the pictures first.")
    return a, b


def _squared_mmd(a: Array, b: Array) -> float:
    return mean_kernel(a) + mean_kernel(b) - 2 * float(cubic_kernel(a, b).mean())


def _inception(probabilities: Array) -> float:
    mean = probabilities.mean(axis=0)
    return float(np.exp(scipy.special.rel_entr(probabilities, mean).sum(axis=1).mean()))


def _mean_pair_distance(features: Array, pairs: int, seed: int) -> float:
    return float(pair_distances(features, pairs, seed)[2].mean())
