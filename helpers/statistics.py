"""Cheap numbers on how a model's training stands, taken while it goes on."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import checks
from helpers._backend import keras, tf
from helpers.neighbours import distances

Array = NDArray[Any]

LOOKING_SHARE = 0.007

MODES = (
    keras.layers.BatchNormalization,
    keras.layers.SpectralNormalization,
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)
"""Layers that do something else in training than in use, and change a variable as they do it."""


class Statistics(keras.callbacks.Callback):
    """Cheap numbers on how training stands, looked at every so many steps.

    Looking takes at most 0.7 % of the time: where it would take more, it happens less often.
    The network in training is looked at, not its EMA copy, which would show a change late.

    Args:
        real: some real pictures, uint8 or float in [-1, 1], or points (n, 2); with ``held_out``
            some that are trained on.
        z: what the generator is given at every look, as for :class:`helpers.monitors.LiveFigure`.
            Of both, the first 32 are used.
        held_out: real pictures that are not trained on, if it is to be seen whether the
            discriminator (of one input) knows its training pictures by heart.
        every: steps between two looks, at least.
        share: the most of the time that looking may take; 1: no limit.

    Attributes:
        history: one value a look: ``step``, ``seconds``; the mean over the steps since the last
            look of every number in the logs (losses, ``d_real`` and ``d_fake``, lengths of
            gradients ...); ``low``, ``high``, ``mean``, ``std`` of the samples' numbers;
            ``diversity``, the mean distance between two samples over that between two real
            pictures; in the same unit ``gap``, the :func:`energy_distance` of samples and real
            pictures, which needs no discriminator, and ``drift``, how far the mean of all samples
            has moved; ``moved_<network>``, the relative change of a network's weights since the
            last look; NaN for a network that the schedule kept at rest; and ``state_<network>``,
            the largest change of what its layers of the kinds :data:`MODES` note down in training
            (BatchNormalization's statistics, Dropout's seeds), if it has any. With ``held_out``
            also :func:`told_apart`. Of a stream given to :meth:`watch` also ``waiting``, the share
            of the time that steps waited for their batch, ``wait_seconds``, how long each did, and
            ``input_low`` and ``input_high``, the ends of its numbers.
    """

    history: dict[str, list[float]]
    _arrived: float
    _input_low: float
    _input_high: float

    def __init__(
        self,
        real: Any,
        z: Any,
        *,
        held_out: Any = None,
        every: int = 50,
        share: float = LOOKING_SHARE,
    ) -> None:
        super().__init__()
        self.real = _as_float(real)[:32]
        self.held_out = None if held_out is None else _as_float(held_out)[:32]
        self.z = fixed(z, 32)
        self.every = every
        self.share = share
        self._real_distance = mean_distance(self.real)
        self._continued = False
        self._forget()

    def watch(self, stream: Any) -> Any:
        """The same stream, watched: how long steps wait for it, and its range; ``.fit`` calls it.

        Only a ``tf.data.Dataset`` can be watched; anything else is returned as it is.
        """
        if not isinstance(stream, tf.data.Dataset):
            return stream

        def arrived(low: Any, high: Any) -> Any:
            self._arrived = time.monotonic()
            self._input_low = min(self._input_low, float(low))
            self._input_high = max(self._input_high, float(high))
            return np.int32(0)

        def pass_on(*batch: Any) -> Any:
            ends = tf.reduce_min(batch[0]), tf.reduce_max(batch[0])
            with tf.control_dependencies([tf.numpy_function(arrived, ends, tf.int32)]):
                batch = tf.nest.map_structure(tf.identity, batch)
            return batch if len(batch) > 1 else batch[0]

        options = tf.data.Options()  # a prefetch behind the watch would hide the waiting
        options.experimental_optimization.inject_prefetch = False
        watched = stream.map(pass_on).with_options(options)
        if hasattr(stream, "start_step"):
            watched.start_step = stream.start_step  # a Checkpoint asks for it
        return watched

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin a new record, or go on with the one that was loaded."""
        if not self._continued:
            self._forget()
        self._check_held_out()
        self._continued = False
        self.began = time.monotonic() - self._seconds_before
        self.steps = self.model.steps_done()
        self._looking = Allowance(self.share)
        self._networks = networks_of(self.model)
        self._last_weights = {name: _some_of(net) for name, net in self._networks.items()}
        self._last_states = {name: _states_of(net) for name, net in self._networks.items()}
        self._last_samples = self._samples()
        self._start_interval()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Note when the step began to wait for its batch."""
        self._step_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Add up the numbers of this step; look, if it is time."""
        self.steps += 1
        self._waited += max(0.0, self._arrived - self._step_began)
        for name, value in (logs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + number(value)
        if self.steps - self._first < self.every:
            return
        if self._looking.permits(time.monotonic() - self.began - self._seconds_before):
            with self._looking:
                self.look()
            self._start_interval()

    def look(self) -> dict[str, float]:
        """One line of :attr:`history`, about the steps since the last look."""
        now = time.monotonic()
        line = {"step": float(self.steps), "seconds": now - self.began}
        line |= {name: total / (self.steps - self._first) for name, total in self._sums.items()}
        samples = self._samples()
        line |= {"low": float(samples.min()), "high": float(samples.max())}
        line |= {"mean": float(samples.mean()), "std": float(samples.std())}
        line["diversity"] = mean_distance(samples) / self._real_distance
        line["gap"] = energy_distance(samples, self.real) / self._real_distance
        moved = samples.mean(axis=0) - self._last_samples.mean(axis=0)
        line["drift"] = float(np.linalg.norm(moved)) / self._real_distance
        at_rest = self._at_rest()
        for name, network in self._networks.items():
            old, new = self._last_weights[name], _some_of(network)
            line[f"moved_{name}"] = np.nan if name in at_rest else _relative_change(old, new)
            self._last_weights[name] = new
            old, new = self._last_states[name], _states_of(network)
            if new:
                changes = [_relative_change([a], [b]) for a, b in zip(old, new, strict=True)]
                line[f"state_{name}"] = max(changes)
            self._last_states[name] = new
        if self.held_out is not None:
            line["told_apart"] = told_apart(
                self._verdicts(self.real), self._verdicts(self.held_out)
            )
        if self._arrived:
            line["waiting"] = self._waited / max(now - self._interval_began, 1e-9)
            line["wait_seconds"] = self._waited / max(self.steps - self._first, 1)
            line |= {"input_low": self._input_low, "input_high": self._input_high}
        self._last_samples = samples
        append(self.history, line)
        return line

    def state(self) -> dict[str, Any]:
        """The record, for a checkpoint."""
        history = {name: np.asarray(values) for name, values in self.history.items()}
        return {"history": history, "seconds": time.monotonic() - self.began}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` gave, before or at the beginning of ``.fit``."""
        self.history = {name: np.asarray(v).tolist() for name, v in state["history"].items()}
        self._seconds_before = float(state["seconds"])
        self.began = time.monotonic() - self._seconds_before
        self._continued = True

    def _forget(self) -> None:
        self.history = {}
        self._seconds_before, self.began = 0.0, time.monotonic()
        self._arrived, self._input_low, self._input_high = 0.0, np.inf, -np.inf

    def _start_interval(self) -> None:
        self._sums: dict[str, float] = {}
        self._first, self._waited = self.steps, 0.0
        self._interval_began = time.monotonic()

    def _at_rest(self) -> set[str]:
        """The networks that a schedule gave no turn since the last look."""
        schedule = self.model.schedule
        if schedule is None:
            return set()
        turns = np.sum([schedule(step) for step in range(self._first, self.steps)], axis=0)
        return {n for n, t in zip(("discriminator", "generator"), turns, strict=True) if t == 0}

    def _samples(self) -> Array:
        network = in_training(self.model)
        return np.asarray(network(self.z, training=False), np.float32)

    def _check_held_out(self) -> None:
        judge = getattr(self.model, "discriminator", None)
        if self.held_out is not None and (judge is None or len(judge.inputs) != 1):
            raise ValueError(
                "held_out is for models with one discriminator that takes pictures alone; this "
                f"{type(self.model).__name__} has none. Leave it out."
            )

    def _verdicts(self, images: Array) -> Array:
        """What the discriminator says of real pictures, its layers as in use."""
        return np.asarray(self.model.discriminator(images, training=False), np.float64).ravel()


class Allowance:
    """Keeps something that is done now and then below a share of the time.

    Asked by :meth:`permits`; what is done under ``with`` is measured.

    Args:
        share: of the time; 1: no limit.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.spent, self.permitted = 0.0, 0

    def permits(self, elapsed: float) -> bool:
        """Whether once more, at the mean cost so far, still fits into the share of these seconds.

        The first time, whose cost nobody knows, is permitted.
        """
        expected = self.spent + self.spent / max(1, self.permitted)
        fits = self.share >= 1 or expected <= self.share * elapsed
        self.permitted += fits
        return fits

    def __enter__(self) -> None:
        self._entered = time.monotonic()

    def __exit__(self, *_: Any) -> None:
        self.spent += time.monotonic() - self._entered


def append(history: dict[str, list[float]], line: Mapping[str, float]) -> None:
    """One more value in every list; NaN where there is none, so that all stay as long."""
    length = max((len(values) for values in history.values()), default=0)
    for name in [*history, *line]:
        values = history.setdefault(name, [np.nan] * length)
        if len(values) == length:
            values.append(line.get(name, np.nan))


def fixed(z: Any, most: int | None = None) -> Any:
    """What a network is given: an array, or a list of arrays if it has several inputs."""
    if isinstance(z, (list, tuple)) and np.ndim(z[0]) > 1:
        return [np.asarray(part)[:most] for part in z]
    return np.asarray(z)[:most]


def number(value: Any) -> float:
    """A number of the logs as a float; under several replicas it comes as an array of one."""
    return value if isinstance(value, float) else float(np.mean(value))


def mean_distance(samples: Any) -> float:
    """Mean Euclidean distance between two different ones of n samples (n, ...)."""
    flat = _rows(samples)
    return float(distances(flat, flat)[~np.eye(len(flat), dtype=bool)].mean())


def energy_distance(a: Any, b: Any) -> float:
    """2 E|x − y| − E|x − x'| − E|y − y'| of n samples (n, ...) and m others: 0 if alike.

    Without bias, so that it may be a little below 0. "Energy statistics" (Székely and Rizzo, 2013).
    """
    between = float(distances(_rows(a), _rows(b)).mean())
    return 2 * between - mean_distance(a) - mean_distance(b)


def _rows(samples: Any) -> Array:
    return np.asarray(samples, np.float64).reshape(len(samples), -1)


def told_apart(a: Array, b: Array) -> float:
    """How often a number of ``a`` is larger than one of ``b``, ties half: 0.5 if alike, 1 always.

    Of what a discriminator says of pictures that it was trained on and of others it is the sign
    of overfitting that "Training Generative Adversarial Networks with Limited Data" (Karras et
    al., 2020, arXiv:2006.06676) looks for.
    """
    return float((a[:, None] > b[None]).mean() + 0.5 * (a[:, None] == b[None]).mean())


def networks_of(model: keras.Model) -> dict[str, keras.Model]:
    """The networks that a model trains, by its names for them; none that is part of another."""
    found: dict[str, keras.Model] = {}
    seen: set[int] = set()
    for name, network in model.networks().items():
        weights = {id(weight) for weight in network.weights}
        if not weights <= seen:
            found[name] = network
            seen |= weights
    return found


def in_training(model: keras.Model) -> keras.Model:
    """The network that draws samples: the sampler, or what it is the EMA copy of."""
    copies = {id(average): network for average, network in model.averaged()}
    return copies.get(id(model.sampler), model.sampler)


def _as_float(images: Any) -> Array:
    images = np.asarray(images)
    return (images / 127.5 - 1.0 if images.dtype == np.uint8 else images).astype(np.float32)


def _some_of(network: keras.Model) -> list[Array]:
    """At most some thousand numbers of each trainable weight: enough to see it move."""
    weights = [weight.numpy().ravel() for weight in network.trainable_variables]
    return [weight[:: max(1, weight.size // 4096)].astype(np.float64) for weight in weights]


def _states_of(network: Any) -> list[Array]:
    """What layers of the kinds :data:`MODES` note down in training, unless they are frozen."""
    found: list[Array] = []
    for layer in checks.layers_of(network):
        if layer.trainable and isinstance(layer, MODES):
            states = layer.non_trainable_variables
            found += [np.asarray(state.numpy(), np.float64).ravel() for state in states]
    return found


def _relative_change(old: list[Array], new: list[Array]) -> float:
    if not new:
        return 0.0
    before, after = np.concatenate(old), np.concatenate(new)
    return float(np.linalg.norm(after - before) / (np.linalg.norm(before) + 1e-12))
