"""Pictures out of whatever makes them, checked before anything is measured."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from helpers import checks, training
from helpers._backend import keras

Array = NDArray[Any]
Maker: TypeAlias = "keras.Model | Callable[[int, int], Any] | Array"


class Samples(NamedTuple):
    """Pictures, uint8 or float32 in [-1, 1], and what was asked for with each, if anything."""

    images: Array
    labels: Array | None


def draw(
    maker: Maker,
    n: int,
    shape: tuple[int, int, int],
    *,
    labels: Array | None = None,
    pool: Array | None = None,
    seed: int = 0,
) -> Samples:
    """Pictures of a generator, n of them, in random order.

    Args:
        maker: a model of :mod:`helpers`, whose sampler is asked; a ``keras.Model`` from
            z (normal) to pictures, or from [z, condition]; a function of (n, seed) that gives
            pictures, or (pictures, labels); or the pictures, of which n are drawn.
        n: how many; if there are fewer pictures, these.
        shape: (height, width, channels) that they must have.
        labels: what was or is to be asked for, a class or a row of attributes a picture.
        pool: what to ask a conditional model for if ``labels`` are not given: drawn from these.
        seed: of z, of the labels and of the order.

    Raises:
        TypeError: none of these, or pictures of another type.
        ValueError: pictures of another shape or range, NaN, none at all; labels that do not
            fit; a network that takes something else.
    """
    labels = None if labels is None else np.asarray(labels)
    random = np.random.default_rng(seed)
    if isinstance(maker, keras.Model):
        network = getattr(maker, "sampler", maker)
        if labels is None and pool is not None and len(network.inputs) > 1:
            labels = pool[random.integers(len(pool), size=n)]
        if labels is not None:
            n = min(n, len(labels))
            labels = labels[:n]
        kind = getattr(maker, "noise_kind", "normal")
        images: Any = _of_network(network, n, labels, kind, seed)
    elif isinstance(maker, np.ndarray):
        images = maker
    elif callable(maker):
        images = maker(n, seed)
        if isinstance(images, tuple):
            images, labels = images[0], np.asarray(images[1])
    else:
        raise TypeError(
            f"a generator is a Keras model, a function of (n, seed) or an array of pictures; "
            f"this is a {type(maker).__name__}."
        )
    images = np.asarray(images)
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(labels)} labels do not fit {len(images)} pictures: one for each.")
    chosen = random.permutation(len(images))[:n]
    images = checked(images[chosen], shape)
    return Samples(images, None if labels is None else labels[chosen])


def checked(images: Array, shape: tuple[int, ...]) -> Array:
    """Pictures as uint8 from 0 to 255 if they are that, else as float32 in [-1, 1].

    Raises:
        TypeError: another type than uint8 or floating point.
        ValueError: another shape or range, or NaN.
    """
    if images.ndim != 4 or images.shape[1:] != tuple(shape) or not len(images):
        raise ValueError(
            f"the generated pictures have shape {images.shape}; (n, *{tuple(shape)}) is needed, "
            "as the real ones have. Load the data at the size that the generator makes."
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise TypeError(
            f"the generated pictures are {images.dtype}; they must be float in [-1, 1], or "
            "uint8 from 0 to 255."
        )
    if not np.isfinite(images).all():
        raise ValueError(
            "the generated pictures contain NaN or infinity: the training has broken down. "
            "Look at its losses, and go back to an earlier checkpoint."
        )
    low, high = float(images.min()), float(images.max())
    if low < -1.01 or high > 1.01 or low >= 0:
        raise ValueError(
            f"the generated pictures lie in [{low:.3g}, {high:.3g}], not in [-1, 1]. Stretch "
            "[0, 1] with 2 * images - 1; give [0, 255] as uint8."
        )
    return images.astype(np.float32, copy=False)


def _of_network(
    network: keras.Model, n: int, labels: Array | None, kind: Any, seed: int
) -> NDArray[Any]:
    """The pictures that a network makes of n z, and of the labels if it takes a condition."""
    z_shape, *condition = checks.inputs_of(network)
    if len(z_shape) != 1 or len(condition) > 1:
        raise ValueError(
            f"the network takes inputs of shapes {[z_shape, *condition]}; a generator takes z, "
            "of shape (latent_dim,), and perhaps a condition. For others give the pictures."
        )
    inputs = [training.noise(n, z_shape[0], kind=kind, seed=seed, step=-1)]
    if condition:
        if labels is None:
            raise ValueError(
                "the generator takes a condition: say with labels= what to ask for, one for "
                "each picture."
            )
        inputs.append(as_condition(labels, condition[0][0]))
    elif labels is not None:
        raise ValueError("labels were given, but the generator takes no condition.")
    return training.answers(network, inputs)


def as_condition(labels: Array, width: int) -> NDArray[np.float32]:
    """Classes as one-hot rows, attributes as they are: float32 of shape (n, ``width``)."""
    if labels.ndim == 2:
        if labels.shape[1] != width:
            raise ValueError(f"labels of {labels.shape[1]} attributes; the generator has {width}.")
        return labels.astype(np.float32)
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= width:
        raise ValueError(f"labels must be whole numbers from 0 to {width - 1}, a class each.")
    return np.eye(width, dtype=np.float32)[labels]
