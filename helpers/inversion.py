"""Find the code that a generator draws a given picture from: what a VAE's encoder does at once."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helpers import checks, training
from helpers._backend import keras
from helpers.latent import Drawer

if TYPE_CHECKING:
    from collections.abc import Iterator

layers = keras.layers


def invert(
    generator: keras.Model,
    images: ArrayLike,
    *,
    steps: int = 200,
    rate: float = 0.1,
    candidates: int = 1_000,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Codes whose pictures are as near to given ones as a descent on z alone brings them.

    Each search starts from the nearest of ``candidates`` codes of N(0, 1) and goes down the mean
    squared difference of the pixels by Adam, whose steps shrink to 0. Nothing holds a code near
    the prior, and the nearest place that is found need not be the nearest there is. "Generative
    Visual Manipulation on the Natural Image Manifold" (Zhu et al., 2016, arXiv:1609.03552);
    "Precise Recovery of Latent Vectors from Generative Adversarial Networks" (Lipton and
    Tripathi, 2017, arXiv:1702.04782).

    Args:
        generator: a network from z alone to pictures; it stays as it is.
        images: pictures to find, float in [-1, 1], shape (n, height, width, channels).
        steps: of the descent.
        rate: of its first steps, in units of z.
        candidates: random codes to choose the starts from.
        seed: of these.

    Returns:
        Codes, shape (n, latent_dim); their pictures: ``latent.Drawer(generator)(codes)``.

    Raises:
        ValueError: a generator that takes more than z, or an argument out of range.
        TypeError: pictures that are not float.
    """
    for name, number in {"steps": steps, "candidates": candidates}.items():
        checks.whole(name, number)
    draw, wanted = Drawer(generator), np.asarray(images)
    checks.to_encode(wanted, generator.output_shape[1:])
    n = len(wanted)
    codes = layers.Embedding(n, draw.latent_dim, name="codes")
    frozen = training.copy_of(generator)
    frozen.trainable = False
    number = keras.Input((), dtype="int32")
    search = keras.Model(number, frozen(codes(number), training=False))
    codes.set_weights([_nearest(draw, wanted, candidates, seed)])
    shrinking = keras.optimizers.schedules.CosineDecay(rate, steps)
    search.compile(keras.optimizers.Adam(shrinking), loss="mean_squared_error")

    def again() -> "Iterator[tuple[Any, Any]]":
        while True:
            yield np.arange(n), wanted

    search.fit(again(), steps_per_epoch=steps, shuffle=False, verbose=0)
    return np.asarray(codes.get_weights()[0])


def _nearest(draw: Drawer, images: NDArray[Any], candidates: int, seed: int) -> NDArray[Any]:
    """For each picture that of the random codes whose picture is nearest in pixels."""
    z = np.random.default_rng(seed).normal(size=(candidates, draw.latent_dim))
    drawn, wanted = (x.reshape(len(x), -1) for x in (draw(z), images))
    # |x − y|² without |x|², which is the same for all candidates.
    apart = np.square(drawn).sum(axis=1) - 2 * wanted @ drawn.T
    return z[apart.argmin(axis=1)].astype(np.float32)
