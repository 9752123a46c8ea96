"""GAN and VAE-GAN training as one compiled loop: Keras networks, JAX's gradients.

``training.run(rate)`` makes a chunk of steps in a single call (``jax.lax.scan``), so that a GPU
need not wait for Python. Needs ``KERAS_BACKEND=jax``, jax and optax.

Both keep the discriminator's slope at real pictures in check by the penalty R1, γ/2 · E|∇D(x)|²
("Which Training Methods for GANs do actually Converge?", Mescheder et al., 2018,
arXiv:1801.04406), lazily: every 16th step, and then 16 times as much ("Analyzing and Improving
the Image Quality of StyleGAN", Karras et al., 2019, arXiv:1912.04958, appendix B). Both keep a
moving average of the networks that will be used ("The Unusual Effectiveness of Averaging in GAN
Training", Yazici et al., 2018, arXiv:1806.04498).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from helpers import losses
from helpers._backend import keras

LAZY = 16  # R1 is taken every so many steps

State = dict[str, Any]
"""``trained``, ``other`` (moving statistics), ``adam``: by the network's name; ``averaged``;
``step``."""


@dataclass(frozen=True)
class Settings:
    """What a training needs to know besides networks and pictures.

    Attributes:
        batch: pictures a step.
        chunk: steps in one call of :meth:`Training.run`.
        r1: γ, the weight of the penalty.
        decay: of the moving average; it warms up, so that short runs are not those of step 0.
        seed: of all chance.
        beta: VAE-GAN: weight of the KL term against likeness, for the encoder.
        likeness: VAE-GAN: weight of likeness against being called real, for the generator.
        settling: (batches, pictures in each) to measure statistics on, see
            :meth:`Training.settled`.
    """

    batch: int
    chunk: int = 100
    r1: float = 1.0
    decay: float = 0.9995
    seed: int = 0
    beta: float = 0.0
    likeness: float = 0.0
    settling: tuple[int, int] = (40, 256)


class Training:
    """A generator against a discriminator, with or without classes.

    Args:
        networks: ``generator`` and ``discriminator``, see :mod:`shipped_networks`.
        images: uint8 (n, height, width, channels).
        labels: int (n,), for a generator that takes them.
        settings: see there.
    """

    averaged: tuple[str, ...] = ("generator",)

    def __init__(
        self,
        networks: dict[str, keras.Model],
        images: NDArray[np.uint8],
        labels: NDArray[Any] | None,
        settings: Settings,
    ) -> None:
        self.networks, self.settings = networks, settings
        inputs = networks["generator"].inputs
        self.latent_dim = inputs[0].shape[-1]
        self.classes = inputs[1].shape[-1] if len(inputs) > 1 else 0
        self.data = jnp.asarray(images), jnp.asarray(labels) if self.classes else None
        self.key = jax.random.key(settings.seed)
        self.adam = optax.scale_by_adam(b1=0.5, b2=0.99, eps=1e-7)
        self.state = self._begun()
        self._chunk = jax.jit(self._steps, donate_argnums=0)
        self._settle = jax.jit(self._settled)

    def _begun(self) -> State:
        # Copies throughout: what goes into a chunk of steps is given up to it.
        copies = functools.partial(jax.tree.map, lambda x: jnp.array(x, copy=True))
        trained = {
            name: copies([v.value for v in network.trainable_variables])
            for name, network in self.networks.items()
        }
        other = {
            name: copies([v.value for v in network.non_trainable_variables])
            for name, network in self.networks.items()
        }
        return {
            "trained": trained,
            "other": other,
            "adam": {name: self.adam.init(numbers) for name, numbers in trained.items()},
            "averaged": {name: copies(trained[name]) for name in self.averaged},
            "step": jnp.zeros((), jnp.int32),
        }

    # ---------------------------------------------------------------------- what others call

    def run(self, rate: float) -> dict[str, float]:
        """A chunk of steps at a learning rate; returns the means of what they logged."""
        self.state, logs = self._chunk(self.state, self.data, jnp.float32(rate), self.key)
        return {name: float(values.mean()) for name, values in logs.items()}

    @property
    def step(self) -> int:
        """How many steps have been made."""
        return int(self.state["step"])

    def settled(self) -> dict[str, keras.Model]:
        """The averaged networks, ready to be used and saved.

        BatchNormalization's moving statistics are of the networks as they were in training; for
        the average they are measured anew.
        """
        other = self._settle(self.state, self.data, self.key)
        for name in self.averaged:
            network, numbers = self.networks[name], self.state["averaged"][name]
            for variable, value in zip(network.trainable_variables, numbers, strict=True):
                variable.assign(np.asarray(value))
            values = other[name]
            for variable, value in zip(network.non_trainable_variables, values, strict=True):
                variable.assign(np.asarray(value))
        return {name: self.networks[name] for name in self.averaged}

    # ----------------------------------------------------------------------- the compiled loop

    def _steps(self, state: State, data: Any, rate: Any, key: Any) -> Any:
        def one(state: State, _: None) -> Any:
            picked, made = jax.random.split(jax.random.fold_in(key, state["step"]))
            real, condition = self._batch(data, picked, self.settings.batch)
            state, logs = self._step(state, real, condition, made, rate)
            return {**state, "averaged": self._mean(state), "step": state["step"] + 1}, logs

        return jax.lax.scan(one, state, None, self.settings.chunk)

    def _batch(self, data: Any, key: Any, size: int) -> tuple[Any, tuple[Any, ...]]:
        """Pictures in [-1, 1], drawn with replacement, and their one-hot labels if there are."""
        images, labels = data
        chosen = jax.random.randint(key, (size,), 0, len(images))
        real = images[chosen].astype(jnp.float32) / 127.5 - 1.0
        return real, (jax.nn.one_hot(labels[chosen], self.classes),) if self.classes else ()

    def _step(self, state: State, real: Any, condition: Any, key: Any, rate: Any) -> Any:
        """One step of the discriminator, then one of the generator."""
        first, second = jax.random.split(key)
        fake, state = self._made(state, self._z(first, len(real)), condition)
        state, d_loss = self._discriminator_step(state, real, fake, condition, rate)
        z, judge = self._z(second, len(real)), self._judge(state["trained"]["discriminator"])

        def loss(numbers: Any) -> Any:
            fake, other = self._call("generator", numbers, state["other"], z, *condition)
            g_loss = losses.g_non_saturating(judge(fake, *condition)[0])
            return g_loss, (g_loss, other)

        slope, (g_loss, other) = jax.grad(loss, has_aux=True)(state["trained"]["generator"])
        state = self._moved({**state, "other": other}, "generator", slope, rate)
        return state, {"d_loss": d_loss, "g_loss": g_loss}

    def _discriminator_step(
        self, state: State, real: Any, fake: Any, condition: Any, rate: Any
    ) -> tuple[State, Any]:
        def loss(numbers: Any) -> Any:
            judge = self._judge(numbers)
            d_loss = losses.d_cross_entropy(judge(real, *condition)[0], judge(fake, *condition)[0])

            def penalty() -> Any:
                # The logit of a picture depends on that picture alone, so their sum will do.
                slopes = jax.grad(lambda x: judge(x, *condition)[0].sum())(real)
                return 0.5 * self.settings.r1 * LAZY * jnp.square(slopes).sum() / len(real)

            now = state["step"] % LAZY == 0
            return d_loss + jax.lax.cond(now, penalty, lambda: 0.0), d_loss

        numbers = state["trained"]["discriminator"]
        slope, d_loss = jax.grad(loss, has_aux=True)(numbers)
        return self._moved(state, "discriminator", slope, rate), d_loss

    # ------------------------------------------------------------------------------- the parts

    def _z(self, key: Any, size: int) -> Any:
        return jax.random.normal(key, (size, self.latent_dim))

    def _call(self, name: str, numbers: Any, other: Any, *inputs: Any) -> tuple[Any, Any]:
        """A network's outputs in training, and ``other`` with its new moving statistics."""
        given = inputs[0] if len(inputs) == 1 else list(inputs)
        network = self.networks[name]
        outputs, new = network.stateless_call(numbers, other[name], given, training=True)
        return outputs, {**other, name: new}

    def _made(self, state: State, z: Any, condition: Any) -> tuple[Any, State]:
        numbers = state["trained"]["generator"]
        fake, other = self._call("generator", numbers, state["other"], z, *condition)
        return fake, {**state, "other": other}

    def _judge(self, numbers: Any) -> Callable[..., Any]:
        """The discriminator with these numbers: pictures to (logits, features)."""
        # Without BatchNormalization it has no statistics to hand on.
        other = {"discriminator": []}
        return lambda *inputs: self._call("discriminator", numbers, other, *inputs)[0]

    def _moved(self, state: State, name: str, slope: Any, rate: Any) -> State:
        """The state after one step of Adam of one network."""
        moves, adam = self.adam.update(slope, state["adam"][name])
        numbers = jax.tree.map(lambda x, move: x - rate * move, state["trained"][name], moves)
        return {
            **state,
            "trained": {**state["trained"], name: numbers},
            "adam": {**state["adam"], name: adam},
        }

    def _mean(self, state: State) -> Any:
        step = state["step"].astype(jnp.float32)
        decay = jnp.minimum(self.settings.decay, (1 + step) / (10 + step))
        trained = {name: state["trained"][name] for name in self.averaged}
        return jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, state["averaged"], trained)

    def _settled(self, state: State, data: Any, key: Any) -> Any:
        """``other``, measured anew for the averaged networks."""
        trained = {**state["trained"], **state["averaged"]}
        batches, size = self.settings.settling

        def one(other: Any, key: Any) -> Any:
            picked, made = jax.random.split(key)
            real, condition = self._batch(data, picked, size)
            z, other = self._codes(trained, other, real, made)
            _, other = self._call("generator", trained["generator"], other, z, *condition)
            return other, None

        keys = jax.random.split(jax.random.fold_in(key, 2**31 - 1), batches)
        return jax.lax.scan(one, state["other"], keys)[0]

    def _codes(self, trained: Any, other: Any, real: Any, key: Any) -> tuple[Any, Any]:
        """What the generator is given in training, for as many pictures."""
        return self._z(key, len(real)), other


class VaeGanTraining(Training):
    """A VAE whose decoder is the generator (Larsen et al., 2015, arXiv:1512.09300).

    Two pictures are alike if the discriminator's features of them are, each channel in units of
    its deviation over the real pictures of the batch: what BatchNormalization did for the paper.
    The encoder goes down ``likeness + beta · KL``, the generator down ``being called real +
    likeness weight · likeness``; being called real is asked of reconstructions and samples,
    which the discriminator tells from real pictures.
    """

    averaged = ("encoder", "generator")

    def _step(self, state: State, real: Any, condition: Any, key: Any, rate: Any) -> Any:
        """One step of the discriminator, then one of encoder and generator at once."""
        first, second = jax.random.split(key)
        codes, other = self._codes(state["trained"], state["other"], real, first)
        fake, state = self._made({**state, "other": other}, codes, condition)
        state, d_loss = self._discriminator_step(state, real, fake, condition, rate)
        judge, settings = self._judge(state["trained"]["discriminator"]), self.settings
        _, seen = judge(real)

        def parts(encoder: Any, generator: Any) -> Any:
            trained = {"encoder": encoder}
            codes, other = self._codes(trained, state["other"], real, second)
            fake, other = self._call("generator", generator, other, codes)
            logits, features = judge(fake)
            kl = kl_divergence(*self._call("encoder", encoder, other, real)[0])
            g_loss = losses.g_non_saturating(logits)
            return (unlikeness(seen, features[: len(real)]), kl, g_loss), other

        trained = state["trained"]["encoder"], state["trained"]["generator"]
        (unlike, kl, g_loss), back, other = jax.vjp(parts, *trained, has_aux=True)
        one, none = jnp.ones(()), jnp.zeros(())
        e_slope, _ = back((one, settings.beta * one, none))
        _, g_slope = back((settings.likeness * one, none, one))
        state = self._moved({**state, "other": other}, "encoder", e_slope, rate)
        state = self._moved(state, "generator", g_slope, rate)
        return state, {"d_loss": d_loss, "g_loss": g_loss, "unlikeness": unlike, "kl": kl}

    def _codes(self, trained: Any, other: Any, real: Any, key: Any) -> tuple[Any, Any]:
        """Codes drawn for the real pictures, then as many draws from N(0, 1)."""
        (mean, log_variance), other = self._call("encoder", trained["encoder"], other, real)
        first, second = jax.random.split(key)
        drawn = mean + jnp.exp(0.5 * log_variance) * self._z(first, len(real))
        return jnp.concatenate([drawn, self._z(second, len(real))]), other


def unlikeness(seen: Any, made: Any) -> Any:
    """Half the squared difference of features, summed over a picture, meaned over the batch.

    Args:
        seen, made: (n, height, width, channels), of real pictures and of those made of them.
            Channels are divided by their deviation in ``seen``; those that hardly vary count
            for less, lest noise be made large.
    """
    spread = jax.lax.stop_gradient(seen.var(axis=(0, 1, 2)))
    square = jnp.square(made - seen) / (spread + 0.01 * spread.mean() + 1e-12)
    return 0.5 * square.sum() / len(seen)


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, variance) ‖ N(0, 1)) in nats, meaned over the batch (arXiv:1312.6114)."""
    return 0.5 * jnp.mean(
        jnp.sum(jnp.exp(log_variance) + jnp.square(mean) - 1.0 - log_variance, axis=-1)
    )
