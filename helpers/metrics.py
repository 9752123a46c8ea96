"""Measure what a generator makes: distances and counts on the features of a small classifier.

A distance on these features is called what it is, a Fréchet distance on classifier
features. It is not an FID: that name belongs to InceptionV3's features and 50,000 samples.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers._backend import keras
from helpers.feature_networks import FeatureNetwork

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
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"need two matrices (samples, features) of the same width and at least two rows; "
            f"got {a.shape} and {b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("the features contain NaN or infinity: look at the pictures first.")
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root_a = _symmetric_root(cov_a)
    # tr (Σa Σb)^½ through the symmetric matrix with the same eigenvalues.
    eigenvalues = np.linalg.eigvalsh(root_a @ cov_b @ root_a)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    shift = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return max(0.0, float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))


def class_balance(probabilities: Array) -> Array:
    """The share of samples that the classifier puts into each class, shape (classes,)."""
    classes = probabilities.shape[1]
    return np.bincount(probabilities.argmax(axis=1), minlength=classes) / len(probabilities)


def confidence(probabilities: Array) -> float:
    """How sure the classifier is on average: mean of the largest probability, 1/classes to 1."""
    return float(probabilities.max(axis=1).mean())


def diversity(features: Array, reference: Array, *, pairs: int = 20_000, seed: int = 0) -> float:
    """How far apart two samples are on average, as a multiple of the same for real pictures.

    1 is the variety of the reference, 0 is one picture over and over. It does not ask
    whether the pictures are any good: noise is diverse.
    """
    return _mean_pair_distance(features, pairs, seed) / _mean_pair_distance(reference, pairs, seed)


def nearest(images: Array, training: Array, *, chunk: int = 1_000) -> tuple[Array, Array]:
    """For each picture the most similar training picture: is the generator only copying?

    Args:
        images: uint8 pictures, shape (n, height, width, channels).
        training: uint8 pictures, shape (m, height, width, channels).
        chunk: how many training pictures are compared at once (memory against speed).

    Returns:
        ``(indices, distances)``, each of shape (n,): where in ``training`` the nearest
        one stands, and the root-mean-square difference to it per pixel, in grey levels
        (0 to 255).
    """
    for what, x in (("images", images), ("training", training)):
        if x.dtype != np.uint8:
            raise TypeError(f"{what} must be uint8 pictures in [0, 255], not {x.dtype}.")
    # In float64, because there the sums of squares of uint8 are exact.
    flat = images.reshape(len(images), -1).astype(np.float64)
    best = np.full(len(flat), np.inf)
    indices = np.zeros(len(flat), np.int64)
    for start in range(0, len(training), chunk):
        part = training[start : start + chunk].reshape(-1, flat.shape[1]).astype(np.float64)
        # |x − y|² = |x|² − 2 x·y + |y|²: one matrix product instead of n × m differences.
        squared = (flat**2).sum(1)[:, None] - 2 * flat @ part.T + (part**2).sum(1)
        closer = squared.min(axis=1) < best
        indices[closer] = start + squared.argmin(axis=1)[closer]
        best[closer] = squared.min(axis=1)[closer]
    difference = flat - training[indices].reshape(flat.shape)
    return indices, np.sqrt((difference**2).mean(axis=1))


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


def _symmetric_root(matrix: Array) -> Array:
    """The square root of a symmetric matrix; tiny negative eigenvalues are rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _mean_pair_distance(features: Array, pairs: int, seed: int) -> float:
    first, second = np.random.default_rng(seed).integers(len(features), size=(2, pairs))
    apart = first != second
    return float(np.linalg.norm(features[first[apart]] - features[second[apart]], axis=1).mean())
