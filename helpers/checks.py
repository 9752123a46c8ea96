"""Bad input named, with the mend, before any long work starts."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from helpers._backend import keras


def networks(generator: keras.Model, discriminator: keras.Model) -> None:
    """Raise a ValueError that says how two networks do not fit together, if they do not."""
    if len(generator.input_shape) != 2:
        raise ValueError(
            f"the generator takes inputs of shape {generator.input_shape}; "
            "it must take z of shape (None, latent_dim)."
        )
    makes, takes = generator.output_shape[1:], discriminator.input_shape[1:]
    if makes != takes:
        raise ValueError(
            f"the generator makes {makes}, but the discriminator takes {takes}. "
            "Change the generator's last layers or the discriminator's Input until they agree."
        )
    if discriminator.output_shape[1:] != (1,):
        raise ValueError(
            f"the discriminator gives {discriminator.output_shape[1:]} numbers a picture; "
            "it must give one logit: end it in Dense(1)."
        )
    last = getattr(discriminator.layers[-1], "activation", keras.activations.linear)
    if last is keras.activations.sigmoid:
        raise ValueError(
            "the discriminator ends in a sigmoid, but the losses here take logits and would "
            "apply it twice. End it in Dense(1) with no activation."
        )


def images(images: Any, shape: tuple[int, ...]) -> None:
    """Raise a ValueError if a batch is not float, finite, in [-1, 1], of the shape expected.

    Args:
        images: a batch; None is passed over (an input that cannot be looked at beforehand).
        shape: (height, width, channels), or (2,) for points, whose range is free.
    """
    if images is None:
        return
    batch = np.asarray(images)
    if batch.shape[1:] != tuple(shape):
        raise ValueError(
            f"the pictures have shape {batch.shape[1:]}, but the discriminator takes {shape}."
        )
    if not np.issubdtype(batch.dtype, np.floating):
        raise ValueError(
            f"the pictures are {batch.dtype}; networks here train on float32 in [-1, 1]. "
            "Convert them with datasets.to_float(images), or use ImageSet.batches()."
        )
    if not np.isfinite(batch).all():
        raise ValueError("the pictures contain NaN or infinity; remove those before training.")
    low, high = float(batch.min()), float(batch.max())
    if len(shape) == 3 and (low < -1.001 or high > 1.001 or low >= 0):
        raise ValueError(
            f"the pictures lie in [{low:.3g}, {high:.3g}], but the generator's tanh makes "
            "[-1, 1]. Convert uint8 pictures with datasets.to_float(images); "
            "stretch [0, 1] with 2 * images - 1."
        )


def whole(name: str, value: Any) -> None:
    """Raise a ValueError unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, 1 or more.")


def choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise a ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; there is: {', '.join(choices)}.")


def fraction(name: str, value: float) -> None:
    """Raise a ValueError unless 0 <= ``value`` < 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value!r}; it must be at least 0 and less than 1.")
