"""All scores of a generator in one table, beside what real pictures reach, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers import feature_networks, intervals, metrics, plotting, samples
from helpers.feature_networks import FeatureNetwork
from helpers.image_set import ImageSet, to_float
from helpers.intervals import Estimate
from helpers.neighbours import nearest_others
from helpers.reports import ABOUT, Report, compare, compare_figure
from helpers.samples import Maker
from helpers.tstr import tstr

__all__ = ["Reference", "Report", "compare", "compare_figure", "reference", "score", "tstr"]

Array = NDArray[Any]
NEAREST = 1_000
"""Samples whose nearest training picture is looked for, and held-out reals to compare with."""
NEAR = 0.01
"""The share of reals that is nearer than what counts as a duplicate or as copied."""


class Seen(NamedTuple):
    """Pictures as they came, what the feature network says, and the variance of Laplacians."""

    images: Array
    features: Array
    probabilities: Array
    edges: Array


@dataclass(frozen=True)
class Reference:
    """Real pictures, looked at once, that any number of generators can be scored against.

    Attributes:
        data: where the pictures are from.
        network: the feature network that looks.
        n: how many samples are scored.
        held_out: the held-out reals that samples are compared with.
        others: the reals whose scores are shown for comparison.
        labels: of ``held_out``: classes, or rows of attributes, or None.
        nearness: of held-out reals to training pictures; None if copies are not looked for.
        notes: what a reader has to know about the reals.
    """

    data: ImageSet
    network: FeatureNetwork
    n: int
    held_out: Seen = field(repr=False)
    others: Seen = field(repr=False)
    labels: Array | None = field(repr=False)
    nearness: Array | None = field(repr=False)
    notes: tuple[str, ...]

    @cached_property
    def real(self) -> dict[str, float]:
        """The scores of other real pictures against the held-out ones: what is attainable."""
        found = {name: each.value for name, each in _estimates(self.others, self).items()}
        if self.nearness is not None:
            found["memorised"] = float((self.nearness[self._half :] <= self.copied).mean())
        return found

    @cached_property
    def reach(self) -> Array:
        """Distances of each held-out picture's features to their five nearest others'."""
        return nearest_others(self.held_out.features, 5)[0]

    @cached_property
    def mean_kernel(self) -> float:
        """Of all pairs of held-out pictures."""
        return metrics.mean_kernel(self.held_out.features)

    @cached_property
    def label_accuracy(self) -> float:
        """How much of the held-out pictures is read as what they are."""
        if self.labels is None:
            raise ValueError(f"{self.data.name} has neither classes nor attributes to ask for.")
        return _as_asked(self.held_out, self.labels, self).value

    @property
    def copied(self) -> float:
        """The nearness to a training picture that makes a copy, from half of the reals."""
        assert self.nearness is not None
        return float(np.quantile(self.nearness[: self._half], NEAR))

    @property
    def _half(self) -> int:
        assert self.nearness is not None
        return len(self.nearness) // 2


def reference(
    data: ImageSet,
    *,
    network: FeatureNetwork | None = None,
    n: int = 5_000,
    training: bool = True,
    seed: int = 0,
) -> Reference:
    """Look at real pictures once, to :func:`score` several generators against them.

    Args:
        data: its held-out pictures judge; its training pictures are searched for copies.
        network: the feature network; by default that for the data.
        n: how many samples will be scored, and how many held-out pictures judge at most.
        training: whether to look for copies of training pictures.
        seed: of all draws.

    Raises:
        ValueError: too few pictures, or no feature network for them.
    """
    network = feature_networks.for_data(data) if network is None else network
    test, least = data.test, intervals.GROUPS
    if n < least or len(test) < 2 * least:
        raise ValueError(
            f"{n} samples against {len(test)} held-out pictures: at least {least} samples and "
            f"{2 * least} held-out pictures are needed. Load more, or give another n."
        )
    random = np.random.default_rng(seed)
    order = random.permutation(len(test))
    held_out = np.asarray(test.images[order[: 2 * n]])
    judges, others, what = held_out[:n], held_out[n:], "other held-out pictures"
    if len(others) < n:  # too few for two parts of n: all of them judge
        others, what = data.train.sample(min(n, data.n_train), seed), "training pictures"
    nearness = None
    if training:
        nearness = metrics.nearness(held_out[: 2 * NEAREST], data.train.images)
    notes = [
        f"Against {len(judges):,} held-out pictures ({data.name}); “real” are "
        f"{len(others):,} {what} against the same. Feature network: {network.name}."
    ]
    if len(judges) <= (width := _seen(network, judges[:1]).features.shape[1]):
        notes.append(_too_few(f"{len(judges)} held-out pictures", width))
    return Reference(
        data=data,
        network=network,
        n=n,
        held_out=_seen(network, judges),
        others=_seen(network, others),
        labels=None if (known := _labels(data)) is None else known[order[: len(judges)]],
        nearness=nearness,
        notes=tuple(notes),
    )


def score(
    generator: Maker,
    data: ImageSet | Reference,
    *,
    network: FeatureNetwork | None = None,
    n: int = 5_000,
    training: bool = True,
    labels: Array | None = None,
    seed: int = 0,
    name: str = "generator",
) -> Report:
    """Every score of a generator that applies, each with its interval and what reals reach.

    Args:
        generator: a model of :mod:`helpers` or any ``keras.Model`` from z; a function of
            (n, seed) that gives pictures; or the pictures: float in [-1, 1], or uint8.
        data: the data set, or its :func:`reference`, which then decides on ``network``, ``n``
            and ``training``: quicker, if several generators are scored.
        network, n, training: see :func:`reference`. Compare scores at equal n only.
        labels: for a conditional generator what to ask for, or what was asked for: a class or
            a row of attributes with each picture. By default a conditional network is asked
            for what the held-out pictures are.
        seed: of z and of all draws.
        name: of the generator, for tables and figures.

    Returns:
        A :class:`Report`: end a cell with it to see the table.

    Raises:
        TypeError, ValueError: too few pictures or samples; another range, type or size; NaN;
            labels that do not fit. See :func:`helpers.samples.draw`.
    """
    if isinstance(data, ImageSet):
        pool, shape = _labels(data), data.image_shape
        drawn = samples.draw(generator, n, shape, labels=labels, pool=pool, seed=seed)
        data = reference(data, network=network, n=n, training=training, seed=seed)
    else:
        pool, shape = _labels(data.data), data.data.image_shape
        drawn = samples.draw(generator, data.n, shape, labels=labels, pool=pool, seed=seed)
    if len(drawn.images) < intervals.GROUPS:
        raise ValueError(
            f"{len(drawn.images)} samples are too few to score: give {intervals.GROUPS} or more."
        )
    seen = _seen(data.network, drawn.images)
    found = _estimates(seen, data)
    if data.nearness is not None:
        near = metrics.nearness(plotting.as_uint8(seen.images[:NEAREST]), data.data.train.images)
        found["memorised"] = intervals.of_share(near <= data.copied)
    if drawn.labels is not None:
        found["label_accuracy"] = _as_asked(seen, drawn.labels, data)
    return Report(
        name=name,
        compared=(data.data.name, data.network.name, data.n),
        table=_table(found, seen, data),
        shares=_shares(seen, data),
        notes=(*_notes(seen, data), *data.notes),
    )


def _estimates(seen: Seen, reference: Reference) -> dict[str, Estimate]:
    """The scores that need neither labels nor training pictures, of fakes or of other reals."""
    real, features = reference.held_out, seen.features
    n = min(len(features), len(real.features))
    reach = reference.reach if n == len(real.features) else nearest_others(real.features[:n], 1)[0]
    others, scale = intervals.others_of(features), real.edges.mean()
    twins = intervals.duplicates(
        features[:n], np.quantile(reach[:, 0], NEAR), others if n == len(features) else None
    )
    found = {
        "frechet_distance": intervals.frechet_distance(real.features, features),
        "kernel_distance": intervals.kernel_distance(
            real.features, features, reference.mean_kernel
        ),
        **intervals.manifolds(real.features, features, reach=reference.reach, others=others),
        "diversity": intervals.diversity(features, real.features),
        "duplicates": twins,
        "sharpness": intervals.estimate(lambda kept: float(kept.mean() / scale), seen.edges),
    }
    for name, judge in _judges(reference).items():
        found[name] = intervals.estimate(judge, seen.probabilities)
    return found


def _judges(reference: Reference) -> dict[str, Callable[[Array], float]]:
    """The scores of probabilities that make sense for the kind of feature network."""
    real = reference.held_out.probabilities
    if reference.network.kind == "classes":
        present = metrics.class_balance(real) > 0
        return {
            "inception_score": lambda p: metrics.inception_score(p, splits=1)[0],
            "confidence": metrics.confidence,
            "class_shift": lambda p: metrics.class_shift(p, real),
            "smallest_class": lambda p: float(metrics.class_balance(p)[present].min()),
        }
    if reference.network.kind == "attributes":
        return {
            "confidence": metrics.attribute_confidence,
            "attribute_shift": lambda p: metrics.attribute_shift(p, real),
        }
    return {}


def _as_asked(seen: Seen, labels: Array, reference: Reference) -> Estimate:
    """The share of pictures, or of their attributes, that are read as what was asked for."""
    known, data = list(reference.network.names), reference.data
    if reference.network.kind == "classes":
        classes = list(data.class_names)
        same = not set(classes) <= set(known)  # by name if all are known, else by number
        number = np.array([i if same else known.index(c) for i, c in enumerate(classes)])
        return intervals.of_share(seen.probabilities.argmax(axis=1) == number[labels])
    asked = [] if data.attributes is None else list(data.attributes.columns)
    both = [name for name in known if name in asked]
    if not both:
        raise ValueError(
            f"labels were given, but the feature network {reference.network.name} reads none of "
            f"the attributes of {data.name}: {', '.join(asked) or 'it has none'}."
        )
    read = seen.probabilities[:, [known.index(name) for name in both]] > 0.5
    wanted = labels[:, [asked.index(name) for name in both]] == 1
    return intervals.estimate(lambda kept: float(kept.mean()), (read == wanted).mean(axis=1))


def _table(found: dict[str, Estimate], seen: Seen, reference: Reference) -> Any:
    """The scores in their order, with what has to be said about each."""
    rows = {}
    warnings, reals = _warnings(seen, reference), dict(reference.real)
    if "label_accuracy" in found:
        reals["label_accuracy"] = reference.label_accuracy
    for name, about in ABOUT.items():
        if name in found:
            low = -np.inf if name == "kernel_distance" else 0
            rows[name] = {
                "value": found[name].value,
                "low": max(low, found[name].low),
                "high": min(about.most, found[name].high),
                "real": reals[name],
                "best": about.best,
                "caveat": warnings.get(name, about.caveat),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _warnings(seen: Seen, reference: Reference) -> dict[str, str]:
    """Caveats that these very samples give cause for."""
    n, width = seen.features.shape
    warnings = {}
    if min(n, len(reference.held_out.features)) <= width:
        warnings["frechet_distance"] = f"too large: {n} samples, {width} features"
    if _repeated(seen.images):
        for name in ("precision", "density", "confidence", "label_accuracy", "sharpness"):
            warnings[name] = "of one picture only"
    return warnings


def _notes(seen: Seen, reference: Reference) -> tuple[str, ...]:
    n, width = seen.features.shape
    notes = []
    if n < reference.n:
        notes.append(f"Only {n:,} samples, not {reference.n:,}: compare with care.")
    if n <= width:
        notes.append(_too_few(f"{n} samples", width))
    if _repeated(seen.images):
        notes.append("All samples are one and the same picture.")
    return tuple(notes)


def _too_few(what: str, width: int) -> str:
    return (
        f"{what} are too few for {width} features: their covariance is singular, and the "
        "Fréchet distance much too large. Give more than ten a feature to trust it."
    )


def _repeated(images: Array) -> bool:
    return bool((images[1:] == images[:1]).all())


def _seen(network: FeatureNetwork, images: Array) -> Seen:
    """What can be said of pictures, uint8 or float; five hundred at a time, to save memory."""
    parts = []
    for start in range(0, len(images), 500):
        part = images[start : start + 500]
        part = to_float(part) if part.dtype == np.uint8 else part
        parts.append((*network(part), metrics.laplacian_variance(part)))
    return Seen(images, *(np.concatenate(each) for each in zip(*parts, strict=True)))


def _shares(seen: Seen, reference: Reference) -> Any:
    """Of each class, or of each attribute, the shares of generated and of real pictures."""

    def count(probabilities: Array) -> Array:
        if reference.network.kind == "attributes":
            return (probabilities > 0.5).mean(axis=0)
        return metrics.class_balance(probabilities)

    shares = {
        name: count(part.probabilities)
        for name, part in {"generated": seen, "real": reference.held_out}.items()
    }
    return pd.DataFrame(shares, index=list(reference.network.names))


def _labels(data: ImageSet) -> Array | None:
    """What a conditional generator may be asked for: classes or rows of attributes."""
    test = data.test
    return test.labels if test.attributes is None else test.attributes.to_numpy()
