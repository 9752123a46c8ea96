"""What lies where in a generator's latent space: walks, the shell, arithmetic, sweeps.

A code is one z, shape (d,); codes are several, shape (n, d). All is NumPy; only :class:`Drawer`
asks a network. Where pictures are needed, a function that draws is handed in, from codes (n, d)
to pictures (n, height, width, channels). Directions with a meaning: :mod:`helpers.directions`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from helpers import checks

if TYPE_CHECKING:
    import keras

Array = NDArray[Any]
Draw: TypeAlias = Callable[[Array], Array]
ROWS = 50
"""So many codes are drawn at once: 250 would take a gigabyte with the generators that ship."""


def as_codes(z: ArrayLike, latent_dim: int | None = None) -> Array:
    """Codes as float array (n, d); one code (d,) becomes (1, d).

    Raises:
        ValueError: another shape, no codes, NaN, or not ``latent_dim`` numbers in each.
    """
    codes = np.atleast_2d(np.asarray(z, float))
    if codes.ndim != 2 or not codes.size:
        raise ValueError(
            f"codes have the shape (n, latent_dim), one code (latent_dim,); this is "
            f"{np.shape(z)}. Draw some with np.random.default_rng(seed).normal(size=(n, 64))."
        )
    if latent_dim is not None and codes.shape[1] != latent_dim:
        raise ValueError(
            f"a code of {codes.shape[1]} numbers, but this generator's z has {latent_dim}. Codes "
            "belong to one generator: draw new ones for this one, of shape (n, "
            f"{latent_dim})."
        )
    if not np.isfinite(codes).all():
        raise ValueError("a code contains NaN or infinity; was something divided by 0?")
    return codes


@dataclass(frozen=True)
class Drawer:
    """A generator as a function of codes: (n, d) to pictures, float32 in [-1, 1].

    Attributes:
        generator: a network from z alone.

    Raises:
        ValueError: a network that takes something else.
    """

    generator: "keras.Model" = field(repr=False)

    def __post_init__(self) -> None:
        shapes = checks.inputs_of(self.generator)
        if len(shapes) != 1 or len(shapes[0]) != 1:
            raise ValueError(
                f"this network takes inputs of shapes {shapes}; a Drawer wants a generator that "
                "takes z alone, of shape (latent_dim,). For a conditional one write a function "
                "of z that hands it the condition, too."
            )

    @property
    def latent_dim(self) -> int:
        """How many numbers are in a code."""
        return int(checks.inputs_of(self.generator)[0][0])

    def __call__(self, z: ArrayLike) -> NDArray[np.float32]:
        """The pictures of codes; see the class and :func:`as_codes`."""
        codes = as_codes(z, self.latent_dim).astype(np.float32)
        parts = [
            np.asarray(self.generator(codes[start : start + ROWS], training=False), np.float32)
            for start in range(0, len(codes), ROWS)
        ]
        return np.concatenate(parts)


# --------------------------------------------------------------------------- walks and the shell


def shell(latent_dim: int) -> Any:
    """The distribution of the length of z ~ N(0, 1)^d: chi with d degrees of freedom.

    Its mean is close to √(d − 1/2), its spread to √(1/2) for every d: normal codes lie in a
    thin shell, and next to none lie near 0.

    Returns:
        A frozen ``scipy.stats.chi``, with ``mean()``, ``std()``, ``pdf(r)``, ``ppf(share)``.
    """
    checks.whole("latent_dim", latent_dim)
    return scipy.stats.chi(latent_dim)


def on_shell(z: ArrayLike, radius: float | None = None) -> Array:
    """Codes of the same directions, all of length ``radius``: by default the shell's mean.

    Args:
        z: shape (d,) or (n, d); the result has the same.
        radius: the length wanted.

    Raises:
        ValueError: a code of zeros, which has no direction.
    """
    codes = as_codes(z)
    lengths = np.linalg.norm(codes, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError("a code of zeros has no direction, so it cannot be put on the shell.")
    radius = float(shell(codes.shape[1]).mean()) if radius is None else radius
    return np.reshape(codes * (radius / lengths), np.shape(z))


def straight(a: ArrayLike, b: ArrayLike, at: ArrayLike) -> Array:
    """Points of the straight line from a to b, (1 − t) a + t b for each t of ``at``: (k, d)."""
    a, b = _pair(a, b)
    t = np.atleast_1d(np.asarray(at, float))[:, None]
    return (1 - t) * a + t * b


def spherical(a: ArrayLike, b: ArrayLike, at: ArrayLike) -> Array:
    """Points of the arc from a to b (slerp), for each t of ``at``: shape (k, d).

    The direction turns at an even pace, by sin((1−t)Ω)/sin Ω and sin(tΩ)/sin Ω, where Ω is the
    angle between a and b; the length goes evenly from |a| to |b|. "Animating Rotation with
    Quaternion Curves" (Shoemake, 1985); for latent spaces "Sampling Generative Networks"
    (White, 2016, arXiv:1609.04468).

    Raises:
        ValueError: codes of zeros, or opposite ones, between which no arc is the shortest.
    """
    a, b = _pair(a, b)
    t = np.atleast_1d(np.asarray(at, float))[:, None]
    from_, to = on_shell(a, 1.0), on_shell(b, 1.0)
    angle = np.arccos(np.clip(from_ @ to, -1, 1))
    if np.pi - angle < 1e-6:
        raise ValueError(
            "the two codes are opposite, so that every arc between them is as short as any "
            "other. Go by way of a third code."
        )
    if angle < 1e-6:
        return straight(a, b, t[:, 0])
    turned = (np.sin((1 - t) * angle) * from_ + np.sin(t * angle) * to) / np.sin(angle)
    return turned * ((1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b))


def sweep(z: ArrayLike, element: int, values: ArrayLike) -> Array:
    """Codes in which one number takes each of the values, and all else stays.

    Args:
        z: shape (d,) or (n, d).
        element: which number, from 0.
        values: shape (k,).

    Returns:
        Shape (k, d), or (n, k, d).

    Raises:
        ValueError: no such element.
    """
    codes, values = as_codes(z), np.atleast_1d(np.asarray(values, float))
    if not 0 <= element < codes.shape[1]:
        raise ValueError(
            f"there is no element {element} in a code of {codes.shape[1]} numbers; they are "
            f"counted from 0 to {codes.shape[1] - 1}."
        )
    swept = np.repeat(codes[:, None], len(values), axis=1)
    swept[:, :, element] = values
    return swept[0] if np.ndim(z) == 1 else swept


def along(z: ArrayLike, direction: ArrayLike, steps: ArrayLike) -> Array:
    """Codes moved along a direction: z + s · direction for each s of ``steps``.

    Args:
        z: shape (d,) or (n, d).
        direction: shape (d,), of length 1 if steps are to be lengths.
        steps: shape (k,).

    Returns:
        Shape (k, d), or (n, k, d).
    """
    codes = as_codes(z)
    (way,) = as_codes(direction, codes.shape[1])
    moved = codes[:, None] + np.atleast_1d(np.asarray(steps, float))[:, None] * way
    return moved[0] if np.ndim(z) == 1 else moved


# ------------------------------------------------------------------------------------ arithmetic


def combinations(a: ArrayLike, b: ArrayLike) -> dict[str, Array]:
    """Sum, difference, product and mean of two codes or of pairs of codes, as lesson 6 has them.

    For independent normal codes the lengths are √(2d), √(2d), √d and √(d/2), in the mean of the
    squares; but |a − b| has no number below 0, as no normal code does.
    """
    a, b = (as_codes(z) if np.ndim(z) != 1 else np.asarray(z, float) for z in (a, b))
    return {"a + b": a + b, "|a − b|": np.abs(a - b), "a · b": a * b, "(a + b) / 2": (a + b) / 2}


def analogy(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Array:
    """What is to c as a is to b: mean(a) − mean(b) + mean(c), shape (d,).

    Each is one code or, better, several examples of the same: what they do not have in common
    averages out. "Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks" (Radford et al., 2015, arXiv:1511.06434) takes three.
    """
    a, b, c = as_codes(a), as_codes(b), as_codes(c)
    for codes in (b, c):
        as_codes(codes, a.shape[1])
    return a.mean(axis=0) - b.mean(axis=0) + c.mean(axis=0)


def average_pictures(
    draw: Draw,
    latent_dim: int,
    means: ArrayLike,
    *,
    spread: float = 1.0,
    n: int = 100,
    seed: int = 0,
) -> Array:
    """For each mean μ the average of the pictures of n codes z ~ N(μ, spread²).

    The same random numbers are used for every mean, so that only μ makes a difference.

    Returns:
        Shape (len(means), height, width, channels).
    """
    checks.whole("n", n)
    noise = spread * np.random.default_rng(seed).normal(size=(n, latent_dim))
    means = np.atleast_1d(np.asarray(means, float))
    return np.stack([np.mean(draw(mean + noise), axis=0) for mean in means])


def influence(
    see: Draw, z: ArrayLike, directions: ArrayLike | None = None, *, step: float = 1.0
) -> NDArray[np.float64]:
    """How much each direction changes: the root mean square difference from −step to +step.

    Args:
        see: codes to pictures, or to their features: anything of shape (n, …).
        z: codes (n, d) to start from; several, because what changes much here may not there.
        directions: shape (k, d); by default the single elements of z.
        step: how far, either way, in lengths of the direction.

    Returns:
        Shape (k,).
    """
    codes = as_codes(z)
    width = codes.shape[1]
    ways = np.eye(width) if directions is None else as_codes(directions, width)
    found = []
    for way in ways:
        back, forth = (np.asarray(see(codes + s * way), float) for s in (-step, step))
        found.append(np.sqrt(np.mean((forth - back) ** 2)))
    return np.array(found)


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Two codes, (d,) each, of the same generator."""
    (first,) = as_codes(a)
    (second,) = as_codes(b, len(first))
    return first, second
