"""What every model here shares: counted steps, noise, the gradient step, schedules, time budget.

The gradient step and the noise are the only places of the training code that speak
TensorFlow; losses and layers are Keras.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from helpers import checkpoints, checks, replicas
from helpers._backend import keras, tf

NoiseKind = Literal["normal", "uniform"]
Schedule = Callable[[int], tuple[int, int]]


def noise(
    n: int,
    latent_dim: int,
    *,
    kind: NoiseKind = "normal",
    seed: int = 0,
    step: Any = 0,
    draw: int = 0,
) -> Any:
    """Latent vectors z: the same arguments always give the same numbers.

    Because nothing is remembered from call to call, a run from the same seed draws the
    same z at every step, and so does a run that was stopped and continued. Under
    ``tf.distribute`` every replica draws its own.

    Args:
        n: how many vectors.
        latent_dim: numbers in each.
        kind: ``"normal"`` is N(0, 1), ``"uniform"`` is U(-1, 1).
        seed: of the run.
        step: the training step, an integer or an integer tensor.
        draw: tells apart several draws within one step.

    Returns:
        A float32 tensor of shape (``n``, ``latent_dim``).

    Raises:
        ValueError: another ``kind``.
    """
    return random_like((n, latent_dim), kind=kind, seed=seed, step=step, draw=draw)


def random_like(shape: Any, *, kind: NoiseKind, seed: int, step: Any, draw: int) -> Any:
    """Random numbers of any shape; see :func:`noise`, whose rules hold here too."""
    checks.choice("NOISE", kind, get_args(NoiseKind))
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group if context else 0
    key = tf.constant([seed, draw], tf.int32)
    for part in (step, replica):
        key = tf.random.experimental.stateless_fold_in(key, tf.cast(part, tf.int32))
    if kind == "uniform":
        return tf.random.stateless_uniform(shape, key, -1.0, 1.0)
    return tf.random.stateless_normal(shape, key)


def gradient_step(
    loss_function: Callable[[], Any],
    networks: keras.Model | Sequence[keras.Model],
    optimizer: keras.optimizers.Optimizer,
) -> tuple[Any, Any]:
    """Move one network (or several together), and nothing else, a step down a loss.

    The gradient is taken with respect to these networks' trainable weights alone: this is
    what the ``trainable = False`` of older tutorials was for. Optimizers add up the
    gradients of all replicas, so each contributes its share; in float16 the loss is scaled
    up first, or small gradients would round to 0, and the optimizer scales them down again.

    Returns:
        ``(loss, norm)``: the loss and the length of its gradient, both scalars.
    """
    networks = networks if isinstance(networks, Sequence) else [networks]
    weights = [weight for network in networks for weight in network.trainable_variables]
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape() as tape:
        loss = loss_function()
        share = optimizer.scale_loss(loss / replicas)
    gradients = tape.gradient(share, weights)
    scale = optimizer.scale_loss(tf.ones(())) / replicas  # before apply, which may change it
    optimizer.apply(gradients, weights)
    return loss, tf.linalg.global_norm(gradients) / scale


def input_gradient(function: Callable[[Any], Any], x: Any) -> Any:
    """The gradient of ``function(x)``, summed over the batch, with respect to ``x``.

    Inside :func:`gradient_step` it may itself be differentiated, as the gradient penalty is.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)


def every(disc: int = 1, gen: int = 1) -> Schedule:
    """A schedule: update the discriminator at every ``disc``-th step, G at every ``gen``-th."""
    checks.whole("disc", disc)
    checks.whole("gen", gen)
    return lambda step: (int(step % disc == 0), int(step % gen == 0))


def in_phases(phases: Mapping[int, Schedule]) -> Schedule:
    """A schedule that changes: ``{first step: schedule}``, the first key 0.

    Example:
        Lesson 5's schedule B: the generator has every 4th step, later the discriminator:

        >>> in_phases({0: every(gen=4), 2000: every(disc=4)})

    Raises:
        ValueError: no phase begins at step 0.
    """
    if 0 not in phases:
        raise ValueError(f"the phases begin at {sorted(phases)}; one must begin at step 0.")
    return lambda step: phases[max(first for first in phases if first <= step)](step)


class SteppedModel(keras.Model):
    """What all models here share: counted steps, chance from seed and step, EMA copies, checks.

    Args:
        seed: of all chance in training.
        ema_decay: decay of the moving averages of :meth:`averaged`; 0 keeps none.
        schedule: how many discriminator and generator updates a step makes, as multiples of
            the model's own; see :func:`every` and :func:`in_phases`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        ema_decay: float = 0.0,
        schedule: Schedule | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.fraction("EMA_DECAY", ema_decay)
        self.seed = seed
        self.ema_decay = ema_decay
        self.schedule = schedule
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )
        self.built = True
        self.last_losses: dict[str, Any] = {"d_loss": math.nan, "g_loss": math.nan}
        self._turns = (1, 1)
        self._in_replica = _InReplica()
        self.train_function: Any

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Every optimizer by its name, for checkpoints; there are none before ``compile``."""
        raise NotImplementedError

    def averaged(self) -> list[tuple[keras.Model, keras.Model]]:
        """Pairs (moving average, network that it follows)."""
        return []

    def networks(self) -> dict[str, keras.Model]:
        """Its networks by their names, also one that is a part of another; no moving averages."""
        averages = {id(average) for average, _ in self.averaged()}
        mine = {n: value for n, value in vars(self).items() if isinstance(value, keras.Model)}
        return {name: network for name, network in mine.items() if id(network) not in averages}

    def steps_done(self) -> int:
        """Training steps made so far."""
        value = self.step.value
        return int(value.values[0] if hasattr(value, "values") else value)  # one of the replicas'

    def fit(self, x: Any = None, y: Any = None, *args: Any, epochs: int = 1, **kwargs: Any) -> Any:
        """Keras' ``.fit``, after a look at the first pictures and the number of epochs.

        Raises:
            ValueError: not compiled, no epochs, no batch, or pictures that are not float
                in [-1, 1].
        """
        checks.whole("EPOCHS", epochs)
        if kwargs.get("batch_size") is not None:  # Keras would take 0 for "the usual 32"
            checks.whole("BATCH_SIZE", kwargs["batch_size"])
        if not self.compiled:
            raise ValueError("compile(…), with the optimizers, comes before fit.")
        self.check_batch(_first_batch(x if y is None else (x, y)))
        if not hasattr(x, "shape"):
            kwargs.setdefault("shuffle", False)  # streams shuffle themselves; Keras would warn
        kwargs["callbacks"] = tf.nest.flatten(kwargs.get("callbacks") or [])  # one needs no list
        for callback in kwargs["callbacks"]:
            x = callback.watch(x) if hasattr(callback, "watch") else x  # is the input too slow?
        with (
            replicas.together(self, kwargs) as agreed,
            checkpoints.guarding(self, x, epochs, agreed) as settled,
        ):
            return super().fit(x, y, *args, epochs=epochs, **settled)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refused: a trained generator is saved alone, a training under way as a checkpoint."""
        raise NotImplementedError(
            "save what draws pictures with model.sampler.save('generator.keras'), and a training "
            "to be continued with helpers.checkpoints.Checkpoint."
        )

    def check_batch(self, batch: Any) -> None:
        """Raise a ValueError unless this batch, as ``.fit`` would see it, can be trained on."""
        raise NotImplementedError

    def make_train_function(self, force: bool = False) -> Any:
        """Keras' compiled step; with a schedule, one compiled step for each kind of step.

        The choice is made in Python before each step. Making it inside the compiled step
        would need an optimizer within a condition, which distributed training forbids.
        """
        schedule = self.schedule
        if schedule is None or (self.train_function is not None and not force):
            return super().make_train_function(force)
        compiled: dict[tuple[int, int], Any] = {}

        def scheduled(iterator: Any) -> dict[str, Any]:
            self._turns = schedule(self.steps_done())
            if self._turns not in compiled:
                compiled[self._turns] = self._compiled_step()
                self.train_function = scheduled
            self.last_losses.update(compiled[self._turns](iterator))  # kept by a network at rest
            return dict(self.last_losses)

        self.train_function = scheduled
        return scheduled

    def _compiled_step(self) -> Any:
        super().make_train_function(force=True)
        return self.train_function

    def begin_step(self) -> tuple[int, int]:
        """Forget the last step's notes; return how many turns (D, G) this step has."""
        self._in_replica.notes, self._in_replica.draws = {}, 0
        return self._turns

    def note(self, name: str, value: Any) -> None:
        """Put a scalar into the logs of this step."""
        self._in_replica.notes[name] = value

    def has_noted(self, name: str) -> bool:
        """Whether :meth:`note` was given it in this step."""
        return name in self._in_replica.notes

    def noted(self, name: str) -> Any:
        """What :meth:`note` was given in this step."""
        return self._in_replica.notes[name]

    def end_step(self) -> dict[str, Any]:
        """Let the averages follow, count the step, and return the logs."""
        for average, network in self.averaged():
            self._follow(average, network)
        self.step.assign_add(1)
        notes = self._in_replica.notes
        workers = tf.distribute.get_strategy().cluster_resolver is not None
        # Keras averages logs over workers along an axis, which a scalar does not have.
        return {k: keras.ops.reshape(v, (1,)) if workers else v for k, v in notes.items()}

    def random(self, shape: Any, kind: NoiseKind = "normal") -> Any:
        """Fresh random numbers at each call within a step; equal in two runs from one seed."""
        self._in_replica.draws += 1
        draw = 1_000_000 + self._in_replica.draws  # far from the draws of z
        return random_like(shape, kind=kind, seed=self.seed, step=self.step, draw=draw)

    def _follow(self, average: keras.Model, network: keras.Model) -> None:
        """Let an EMA copy follow; early on it follows fast, so that short runs are not grey."""
        step = keras.ops.cast(self.step, "float32")
        decay = keras.ops.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for old, new in zip(average.weights, network.weights, strict=True):
            # BatchNormalization's moving statistics are averages already.
            old.assign(decay * old + (1.0 - decay) * new if new.trainable else new)


class _InReplica(threading.local):
    """What a step remembers: each replica for itself, for they run by turns, in a thread each."""

    def __init__(self) -> None:
        self.notes: dict[str, Any] = {}
        self.draws = 0


class TimeBudget(keras.callbacks.Callback):
    """Stop training after so many minutes, unless the epochs end first.

    Args:
        minutes: the budget, from the first step; fractions are fine.

    Raises:
        ValueError: a budget that is not positive.
    """

    def __init__(self, minutes: float) -> None:
        super().__init__()
        if not minutes > 0:
            raise ValueError(f"MINUTES is {minutes!r}; it must be more than 0.")
        self.seconds = 60.0 * minutes

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self.began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop when the time is spent; the step under way is finished first."""
        if time.monotonic() - self.began >= self.seconds:
            self.model.stop_training = True


def copy_of(network: keras.Model) -> keras.Model:
    """The same architecture with the same weights; not frozen, or what is saved would be."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def prepared(
    optimizer: keras.optimizers.Optimizer, *networks: keras.Model
) -> keras.optimizers.Optimizer:
    """An optimizer built for the weights of its networks, with loss scaling if they are float16.

    Left to itself, Keras would build the first optimizer for the weights of all networks
    and scale the loss of the first optimizer alone.
    """
    for network in networks:
        replicas.synchronize(network)
    half = any(layer.compute_dtype == "float16" for n in networks for layer in n.layers)
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build([weight for network in networks for weight in network.trainable_variables])
    return optimizer


def _first_batch(x: Any) -> Any:
    """The first batch that ``.fit`` would see; None if looking would use it up."""
    if isinstance(x, tf.data.Dataset):
        return next(iter(x))
    if isinstance(x, keras.utils.PyDataset):
        return x[0]
    return x if hasattr(x, "shape") or isinstance(x, tuple) else None


def answers(network: keras.Model, inputs: Sequence[Any], batch_size: int = 50) -> NDArray[Any]:
    """What a network makes of arrays, one for each of its inputs, in batches.

    ``predict`` would compile each network anew, and after five of them TensorFlow warns of it.
    """
    parts = []
    for start in range(0, len(inputs[0]), batch_size):
        part = [keras.ops.convert_to_tensor(x[start : start + batch_size]) for x in inputs]
        parts.append(np.asarray(network(part if len(part) > 1 else part[0], training=False)))
    return np.concatenate(parts)
