"""Directions in latent space that mean something, how they are found, and what they change.

A direction is a vector of length 1, shape (d,); codes z are as in :mod:`helpers.latent`. Two
ways need no labels, :func:`principal` and :func:`closed_form`; :func:`of_attributes` needs some.
:func:`effects` asks a classifier what a step along a direction does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from helpers import checks
from helpers.latent import along, as_codes, on_shell

if TYPE_CHECKING:
    import keras

Array = NDArray[Any]
Look: TypeAlias = Callable[[Array], tuple[Array, Array]]
Method = Literal["logistic", "means"]


# ------------------------------------------------------------------------------- without labels


def principal(activations: Array, z: ArrayLike, k: int) -> tuple[Array, Array]:
    """GANSpace: the directions in z that move an early layer along its principal components.

    "GANSpace: Discovering Interpretable GAN Controls" (Härkönen et al., 2020,
    arXiv:2004.02546), as for BigGAN: PCA of the activations; then the coordinates x of each
    are regressed onto its z, by least squares, and the columns of U in z ≈ U x are the directions.

    Args:
        activations: of a layer, for many codes: shape (n, …), n larger than k.
        z: these codes, (n, d).
        k: how many directions, those of the largest variance first.

    Returns:
        ``(directions, shares)``: unit vectors (k, d), and the share of the layer's variance that
        each component has, (k,).

    Raises:
        ValueError: not as many activations as codes, or too few of them.
    """
    codes = as_codes(z)
    flat = np.reshape(np.asarray(activations, float), (len(activations), -1))
    checks.whole("k", k)
    if len(flat) != len(codes):
        raise ValueError(f"{len(flat)} activations of {len(codes)} codes: give one for each.")
    if min(len(flat) - 1, flat.shape[1]) < k:
        raise ValueError(
            f"{k} components cannot be found in {len(flat)} activations of {flat.shape[1]} "
            "numbers. Draw more codes, or ask for fewer."
        )
    flat = flat - flat.mean(axis=0)
    _, spreads, components = np.linalg.svd(flat, full_matrices=False)
    coordinates = flat @ components[:k].T
    u, *_ = np.linalg.lstsq(coordinates, codes, rcond=None)  # centred, so z need not be
    return on_shell(u, 1.0), spreads[:k] ** 2 / np.sum(spreads**2)


def closed_form(weights: Array, k: int) -> tuple[Array, Array]:
    """SeFa: the directions that the first layer stretches most, from its weights alone.

    "Closed-Form Factorization of Latent Semantics in GANs" (Shen and Zhou, 2020,
    arXiv:2007.06600): the eigenvectors of A Aᵀ with the largest eigenvalues, where the layer
    takes z to Aᵀ z + b.

    Args:
        weights: A, shape (d, units), as :func:`first_weights` gives it.
        k: how many, the largest first.

    Returns:
        ``(directions, shares)``: unit vectors (k, d), and each eigenvalue's share of them all.
    """
    checks.whole("k", k)
    if np.ndim(weights) != 2 or len(weights) < k:
        raise ValueError(
            f"{k} directions are asked of weights of shape {np.shape(weights)}; they must be "
            "(latent_dim, units), with at least as many numbers in z as directions."
        )
    values, vectors = np.linalg.eigh(np.asarray(weights, float) @ np.transpose(weights))
    return vectors.T[::-1][:k], values[::-1][:k] / values.sum()


def first_weights(generator: "keras.Model") -> NDArray[np.float64]:
    """What a generator's first dense layer multiplies z with, shape (d, units).

    A BatchNormalization that follows at once divides each unit by its spread, and multiplies it
    with its gain: it is part of the same linear map, and folded in.

    Raises:
        ValueError: the first layer with weights is no Dense.
    """
    layers = [layer for layer in generator.layers if layer.weights]
    kind = type(layers[0]).__name__ if layers else "none at all"
    if kind != "Dense":
        raise ValueError(
            f"the first layer with weights is {kind}; directions in closed form are taken of a "
            "Dense layer on z. Use directions.principal, which asks for activations only."
        )
    weights = np.asarray(layers[0].kernel, np.float64)
    if len(layers) > 1 and type(layers[1]).__name__ == "BatchNormalization":
        norm = layers[1]
        gain = 1.0 if getattr(norm, "gamma", None) is None else np.asarray(norm.gamma)
        weights = weights * gain / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    return weights


# --------------------------------------------------------------------- directions for attributes


def of_attributes(
    z: ArrayLike,
    has: ArrayLike,
    names: Sequence[str],
    *,
    method: Method = "logistic",
    penalty: float = 1.0,
    least: int = 10,
) -> Array:
    """For each attribute the direction in which codes with it lie from those without it.

    ``"means"`` is the difference of the two classes' means; ``"logistic"`` is the normal of the
    plane that tells them apart best, which looks at how the classes spread, too.
    "Interpreting the Latent Space of GANs for Semantic Face Editing" (Shen et al., 2019,
    arXiv:1907.10786) does the latter with a support vector machine.

    Args:
        z: codes (n, d): normal ones, or the encodings of labelled pictures.
        has: (n, k), whether the picture of each code has each attribute.
        names: of the k attributes.
        method: see above.
        penalty: on the squares of the plane's weights, beside the sum of the losses.
        least: so many codes with, and without, each attribute are needed.

    Returns:
        Unit vectors, shape (k, d).

    Raises:
        ValueError: an attribute with too few examples, or shapes that do not fit.
    """
    codes, labels = as_codes(z), np.asarray(has)
    if labels.shape != (len(codes), len(names)):
        raise ValueError(
            f"the labels have shape {labels.shape}; {len(codes)} codes and {len(names)} names "
            f"want {(len(codes), len(names))}: a row for each code, a column for each attribute."
        )
    checks.choice("method", method, get_args(Method))
    labels = labels > 0.5
    for name, n in zip(names, labels.sum(axis=0), strict=True):
        few, what = min((n, "with"), (len(codes) - n, "without"))
        if few < max(1, least):
            raise ValueError(
                f"of {len(codes):,} codes only {few} are {what} {name!r}, too few to find its "
                f"direction ({max(1, least)} are needed). Draw more codes, or leave it out."
            )
    if method == "means":
        ways = [codes[of].mean(axis=0) - codes[~of].mean(axis=0) for of in labels.T]
    else:
        ways = [_logistic(codes, of, penalty) for of in labels.T]
    return on_shell(np.array(ways), 1.0)


def _logistic(codes: Array, of: Array, penalty: float) -> Array:
    """The weights of a logistic regression with an intercept, which is not penalised."""
    signs = np.where(of, 1.0, -1.0)
    x = np.column_stack([codes, np.ones(len(codes))])
    kept = np.append(np.ones(codes.shape[1]), 0.0) * penalty

    def loss(w: Array) -> tuple[float, Array]:
        margins = signs * (x @ w)
        value = -scipy.special.log_expit(margins).sum() + 0.5 * kept @ w**2
        return float(value), kept * w - x.T @ (signs * scipy.special.expit(-margins))

    found = scipy.optimize.minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x[:-1])


def separation(z: ArrayLike, has: ArrayLike, direction: ArrayLike) -> float:
    """How well the place along a direction tells an attribute, on codes it was not found from.

    The share of pairs, one code with the attribute and one without, of which the first lies
    further along the direction (the area under the ROC curve): 0.5 is chance, 1 perfect.

    Raises:
        ValueError: all have the attribute, or none has.
    """
    codes, of = as_codes(z), np.asarray(has).ravel() > 0.5
    n = int(of.sum())
    if not 0 < n < len(of):
        raise ValueError(f"{n} of {len(of)} codes have the attribute; some must, and some not.")
    (way,) = as_codes(direction, codes.shape[1])
    ranks = scipy.stats.rankdata(codes @ way)
    return float((ranks[of].sum() - n * (n + 1) / 2) / (n * (len(of) - n)))


def without(direction: ArrayLike, others: ArrayLike) -> Array:
    """Conditional projection: what is left of a direction when the others are taken out of it.

    The result has length 1 and is orthogonal to each of the others, so that, as far as planes
    tell the attributes, a step along it leaves theirs alone (arXiv:1907.10786, section 3.3). For
    several others their whole span is taken out, since they need not be orthogonal themselves.

    Args:
        direction: shape (d,).
        others: shape (d,) or (m, d); m may be 0.

    Raises:
        ValueError: nothing is left.
    """
    (way,) = on_shell(as_codes(direction), 1.0)
    if not np.size(others):
        return way
    _, sizes, basis = np.linalg.svd(as_codes(others, len(way)), full_matrices=False)
    basis = basis[sizes > 1e-9 * sizes[0]]
    rest = way - basis.T @ (basis @ way)
    if np.linalg.norm(rest) < 1e-6:
        raise ValueError(
            "nothing is left: the direction is a sum of those that are to be taken out of it. "
            "Take out fewer."
        )
    return on_shell(rest, 1.0)


# -------------------------------------------------------------------------------- what it changes


@dataclass(frozen=True)
class Effect:
    """What a step along an attribute's direction did to the pictures that lacked the attribute.

    Attributes:
        attribute: which one was asked for.
        step: how far the codes were moved.
        tried: how many pictures lacked it.
        success: the share of these in which the classifier sees it afterwards.
        flipped: for each of the classifier's attributes the share of these pictures in which
            its decision changed; in its own place ``success``.
        moved: how far the features moved, relative to the distance of two pictures drawn at
            random: 0 is the same face, 1 another person's.
    """

    attribute: str
    step: float
    tried: int
    success: float
    flipped: Array = field(repr=False)
    moved: float


def effects(
    look: Look,
    z: ArrayLike,
    directions: Mapping[str, ArrayLike],
    steps: ArrayLike,
    names: Sequence[str],
    *,
    most: int = 200,
) -> list[Effect]:
    """Does "add glasses" add glasses, and what else does it do? Measured by a classifier.

    Args:
        look: codes to (features, probabilities of the attributes).
        z: codes (n, d), not those from which the directions were found.
        directions: of attributes, shape (d,) each.
        steps: the sizes of the steps to try, in lengths of the directions.
        names: of the attributes that ``look`` gives probabilities of, in its order.
        most: so many pictures that lack the attribute are tried, at most.

    Returns:
        For each attribute, and for each step, an :class:`Effect`.

    Raises:
        ValueError: an attribute that the classifier does not know, or that no picture lacks.
    """
    codes = as_codes(z)
    features, probabilities = look(codes)
    before = probabilities > 0.5
    scale = np.linalg.norm(features - np.roll(features, 1, axis=0), axis=1).mean()
    found = []
    for attribute, direction in directions.items():
        if attribute not in names:
            raise ValueError(f"the classifier has no {attribute!r}. It has: {', '.join(names)}.")
        own = list(names).index(attribute)
        lacking = np.flatnonzero(~before[:, own])[:most]
        if not len(lacking):
            raise ValueError(
                f"every one of the {len(codes)} pictures has {attribute!r} already; draw more, so "
                "that there are some to which it can be added."
            )
        for step in np.atleast_1d(np.asarray(steps, float)):
            moved, after = look(along(codes[lacking], direction, step)[:, 0])
            flipped = ((after > 0.5) != before[lacking]).mean(axis=0)
            far = np.linalg.norm(moved - features[lacking], axis=1).mean() / scale
            found.append(
                Effect(
                    attribute=attribute,
                    step=float(step),
                    tried=len(lacking),
                    success=float(flipped[own]),
                    flipped=flipped,
                    moved=float(far),
                )
            )
    return found
