"""Measure pictures by their pixels: sharpness, and whether they are copies of training pictures.

:mod:`helpers.metrics` offers all of these beside those of features.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import neighbours
from helpers.image_set import let_go

Array = NDArray[Any]
LONGEST = 16  # side of the pictures that copies are looked for in


def nearness(images: Array, training: Any, *, others: int = 10) -> Array:
    """How much nearer each picture is to one training picture than to the next ones.

    The distance to the nearest training picture, divided by the mean distance to the
    ``others`` next ones, after "Extracting Training Data from Diffusion Models" (Carlini et
    al., 2023, arXiv:2301.13188). A copy is near 0. A plain picture that is like many training
    pictures (a "1") is near 1, as is a blurred one. Pixels are averaged over blocks first, so
    that no side is longer than 16: little is lost that makes a copy.

    Args:
        images: uint8 pictures, shape (n, height, width, channels).
        training: uint8 pictures, shape (m, height, width, channels), m more than ``others``;
            an array, or what gives arrays when sliced.
        others: see above.

    Returns:
        float64 of shape (n,), from 0 to 1.

    Raises:
        TypeError: pictures that are not uint8.
        ValueError: too few training pictures.
    """
    _check_uint8(images=images, training=training)
    if len(training) <= others:
        raise ValueError(f"{len(training)} training pictures; more than {others} are needed.")
    near = neighbours.nearest_in(_small(images), _Small(training), others + 1).astype(np.float64)
    mean = near[:, 1:].mean(axis=1)
    return near[:, 0] / np.where(mean > 0, mean, 1)


def memorised(fake: Array, training: Any, held_out: Array, *, share: float = 0.01) -> float:
    """The share of fakes that look copied from a training picture.

    Copied is what is nearer to one training picture, by :func:`nearness`, than all but
    ``share`` of the held-out reals are: so those reach about ``share`` themselves, and more is
    memory. The question is that of "A Non-Parametric Test to Detect Data-Copying in Generative
    Models" (Meehan et al., 2020, arXiv:2004.05675). It compares pixels: a copy that was
    mirrored, shifted or recoloured goes unseen.

    Args:
        fake, training, held_out: uint8 pictures, shape (n, height, width, channels).
        share: of the held-out reals, see above.

    Returns:
        A number from 0 to 1.
    """
    bound = np.quantile(nearness(held_out, training), share)
    return float((nearness(fake, training) <= bound).mean())


def laplacian_variance(images: Array) -> Array:
    """The variance of each picture's Laplacian: how much of it is edges; shape (n,).

    Of the mean of the channels, with the kernel of four neighbours, inside the border.

    Args:
        images: float pictures in [-1, 1], shape (n, height, width, channels).
    """
    grey = np.asarray(images, np.float32).mean(axis=3)
    edges = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    edges -= 4 * grey[:, 1:-1, 1:-1]
    return edges.astype(np.float64).var(axis=(1, 2))


def sharpness(images: Array, reference: Array) -> float:
    """How sharp pictures are, as a multiple of real ones: 1 is as sharp, less is blurred.

    The mean :func:`laplacian_variance`, after "Wasserstein Auto-Encoders" (Tolstikhin et al.,
    2017, arXiv:1711.01558). It sees edges and not what they show: noise is very sharp.

    Args:
        images, reference: float pictures in [-1, 1], shapes (n, height, width, channels).
    """
    return float(laplacian_variance(images).mean() / laplacian_variance(reference).mean())


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
    _check_uint8(images=images, training=training)
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


def _check_uint8(**pictures: Any) -> None:
    for what, x in pictures.items():
        if x.dtype != np.uint8:
            raise TypeError(f"{what} must be uint8 pictures in [0, 255], not {x.dtype}.")


class _Small:
    """uint8 pictures that :func:`_small` is done to when they are sliced."""

    def __init__(self, images: Any) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice) -> Array:
        small = _small(np.asarray(self.images[part]))
        let_go(self.images)
        return small


def _small(images: Array) -> Array:
    """float32 rows of pixels in [-1, 1], averaged over blocks until no side exceeds 16."""
    n, height, width, _ = images.shape
    block = -(-max(height, width) // LONGEST)
    rows, columns = height // block * block, width // block * block
    corners = [
        images[:, y:rows:block, x:columns:block].astype(np.float32)
        for y in range(block)
        for x in range(block)
    ]
    return (sum(corners) / np.float32(block**2 * 127.5) - np.float32(1)).reshape(n, -1)
