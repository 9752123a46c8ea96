"""CycleGAN: translating between two kinds of pictures without pairs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import checks, training
from helpers._backend import keras
from helpers.gans import d_least_squares, g_least_squares

ops = keras.ops


class CycleGAN(training.SteppedModel):
    """Two generators and two discriminators (Zhu et al., 2017, arXiv:1703.10593).

    ``a_to_b`` makes pictures of kind A look like kind B, ``b_to_a`` the reverse. Each is
    judged by a discriminator (least squares), there and back again must give the picture
    one began with (``cycle``), and a picture that is of the right kind already shall stay as
    it is (``identity``). Discriminators see fakes from a pool of past ones ("Learning from
    Simulated and Unsupervised Images through Adversarial Training", Shrivastava et al.,
    2016, arXiv:1612.07828). ``.fit`` takes batches (pictures of A, pictures of B).

    Every step logs ``d_loss`` (both discriminators), ``g_loss`` (being called real, both
    generators), ``cycle_loss`` and ``identity_loss`` (mean absolute differences, unweighted).

    Args:
        a_to_b: pictures of A to pictures of B, in [-1, 1].
        b_to_a: pictures of B to pictures of A.
        a_discriminator: pictures of A to logits, one number or a map of them (PatchGAN).
        b_discriminator: pictures of B to logits.
        cycle: weight of the cycle loss; the paper's 10 is 5 here, since being called real is
            half a square here (:func:`helpers.gans.g_least_squares`) and a whole one there.
        identity: weight of the identity loss as a part of ``cycle``; 0.5 in the paper's
            paintings, 0 leaves it out (A and B must have the same channels otherwise).
        pool: past fakes kept of each kind, no fewer than a batch has; 50 in the paper, 0 shows
            the newest alone.
        ema_decay: decay of the generators' moving averages; 0 keeps none.
        seed: of all chance in training.

    Raises:
        ValueError: networks that do not fit together, or an argument out of range.
    """

    def __init__(
        self,
        a_to_b: keras.Model,
        b_to_a: keras.Model,
        a_discriminator: keras.Model,
        b_discriminator: keras.Model,
        *,
        cycle: float = 5.0,
        identity: float = 0.5,
        pool: int = 50,
        ema_decay: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        checks.without("a CycleGAN", kwargs, "schedule")
        super().__init__(seed=seed, ema_decay=ema_decay, **kwargs)
        checks.translators(a_to_b, b_to_a, a_discriminator, b_discriminator)
        for name, value in {"CYCLE": cycle, "IDENTITY": identity, "POOL": pool}.items():
            checks.not_negative(name, value)
        self.a_to_b, self.b_to_a = a_to_b, b_to_a
        self.a_discriminator, self.b_discriminator = a_discriminator, b_discriminator
        self.ema_a_to_b = training.copy_of(a_to_b) if ema_decay else None
        self.ema_b_to_a = training.copy_of(b_to_a) if ema_decay else None
        self.cycle = cycle
        self.identity = identity
        self.pool = pool
        if pool:
            self.a_pool = self._new_pool(b_to_a.output_shape[1:], "a_pool")
            self.b_pool = self._new_pool(a_to_b.output_shape[1:], "b_pool")
            self.pooled = self._kept((), "pooled", "int64")  # fakes that went in so far

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer,
        d_optimizer: keras.optimizers.Optimizer,
        **kwargs: Any,
    ) -> None:
        """One optimizer for both generators, one for both discriminators.

        Raises:
            ValueError: one optimizer for all.
        """
        checks.optimizers(g_optimizer, d_optimizer)
        generators, discriminators = self._generators(), self._discriminators()
        super().compile(optimizer=training.prepared(g_optimizer, *generators), **kwargs)
        self.d_optimizer = training.prepared(d_optimizer, *discriminators)

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """See :class:`helpers.training.SteppedModel`."""
        return {"generator": self.optimizer, "discriminator": self.d_optimizer}

    def averaged(self) -> list[tuple[keras.Model, keras.Model]]:
        """See :class:`helpers.training.SteppedModel`."""
        pairs = [(self.ema_a_to_b, self.a_to_b), (self.ema_b_to_a, self.b_to_a)]
        return [(average, network) for average, network in pairs if average is not None]

    def check_batch(self, batch: Any) -> None:
        """See :class:`helpers.training.SteppedModel`."""
        if batch is None:
            return
        a, b, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if b is None:
            raise ValueError("a CycleGAN trains on batches (pictures of A, pictures of B).")
        checks.images(a, self.a_to_b.input_shape[1:])
        checks.images(b, self.b_to_a.input_shape[1:])

    def call(self, pictures: Any, training: bool = False) -> Any:
        """Pictures of A, translated to B."""
        return self.a_to_b(pictures, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: both generators, then both discriminators on fakes from the pools."""
        self.begin_step()
        a, b, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.note("g_loss", self.update_generators(a, b))
        fake_a, fake_b = self.b_to_a(b, training=True), self.a_to_b(a, training=True)
        if self.pool:
            fake_a = self._exchanged(self.a_pool, fake_a)
            fake_b = self._exchanged(self.b_pool, fake_b)
            self.pooled.assign_add(ops.cast(ops.shape(a)[0], "int64"))
        self.note("d_loss", self.update_discriminators(a, b, fake_a, fake_b))
        return self.end_step()

    def update_generators(self, a: Any, b: Any) -> Any:
        """The generators' half: be called real, come back, leave alone. Returns the first."""

        def loss_function() -> Any:
            fake_a, fake_b = self.b_to_a(b, training=True), self.a_to_b(a, training=True)
            called_real = g_least_squares(self._verdict(self.a_discriminator, fake_a))
            called_real += g_least_squares(self._verdict(self.b_discriminator, fake_b))
            back_a, back_b = self.b_to_a(fake_b, training=True), self.a_to_b(fake_a, training=True)
            there_and_back = _difference(back_a, a) + _difference(back_b, b)
            self.note("g_loss", called_real)
            self.note("cycle_loss", there_and_back)
            loss = called_real + self.cycle * there_and_back
            if not self.identity:
                return loss
            same = _difference(self.b_to_a(a, training=True), a)
            same += _difference(self.a_to_b(b, training=True), b)
            self.note("identity_loss", same)
            return loss + self.cycle * self.identity * same

        _, norm = training.gradient_step(loss_function, self._generators(), self.optimizer)
        self.note("g_gradient", norm)
        return self.noted("g_loss")

    def update_discriminators(self, a: Any, b: Any, fake_a: Any, fake_b: Any) -> Any:
        """The discriminators' half: each tells its own kind's real from fake. Returns the loss."""

        def loss_function() -> Any:
            pairs = ((self.a_discriminator, a, fake_a), (self.b_discriminator, b, fake_b))
            verdicts = [(self._verdict(d, x), self._verdict(d, fake)) for d, x, fake in pairs]
            for name, side in (("d_real", 0), ("d_fake", 1)):
                right = [(v[side] > 0.5) == (side == 0) for v in verdicts]
                shares = [ops.mean(ops.cast(share, "float32")) for share in right]
                self.note(name, 0.5 * (shares[0] + shares[1]))
            return d_least_squares(*verdicts[0]) + d_least_squares(*verdicts[1])

        loss, norm = training.gradient_step(loss_function, self._discriminators(), self.d_optimizer)
        self.note("d_gradient", norm)
        return loss

    def translate(self, pictures: Any, to: str = "b", *, ema: bool = True) -> NDArray[np.float32]:
        """Pictures of A as B (``to="b"``) or of B as A (``to="a"``), float32 in [-1, 1]."""
        checks.choice("to", to, ("a", "b"))
        plain, average = {
            "b": (self.a_to_b, self.ema_a_to_b),
            "a": (self.b_to_a, self.ema_b_to_a),
        }[to]
        network = average if ema and average is not None else plain
        return np.asarray(network.predict(pictures, batch_size=32, verbose=0), np.float32)

    @property
    def sampler(self) -> keras.Model:
        """The translator from A to B to draw from and to save: the EMA copy if there is one."""
        return self.a_to_b if self.ema_a_to_b is None else self.ema_a_to_b

    def _generators(self) -> list[keras.Model]:
        return [self.a_to_b, self.b_to_a]

    def _discriminators(self) -> list[keras.Model]:
        return [self.a_discriminator, self.b_discriminator]

    def _verdict(self, discriminator: keras.Model, pictures: Any) -> Any:
        return ops.cast(discriminator(pictures, training=True), "float32")

    def _new_pool(self, shape: Any, name: str) -> Any:
        """Past fakes."""
        return self._kept((self.pool, *shape), name, "float32")

    def _kept(self, shape: Any, name: str, dtype: str) -> Any:
        """A weight, so that a checkpoint holds it."""
        return self.add_weight(
            shape=shape,
            initializer="zeros",
            trainable=False,
            name=name,
            dtype=dtype,
            aggregation="only_first_replica",
        )

    def _exchanged(self, pool: Any, fakes: Any) -> Any:
        """What the discriminator sees: every second fake, by chance, is swapped for a past one.

        While the pool fills, fakes go in and are shown as they are. The slots of a batch lie
        side by side from a random place on, so that no two fakes fall into one.
        """
        fakes = ops.cast(fakes, "float32")
        n = ops.shape(fakes)[0]
        if isinstance(n, int) and n > self.pool:
            raise ValueError(
                f"POOL is {self.pool}, less than the {n} pictures of a batch. Give a larger pool, "
                "smaller batches, or 0 for no pool."
            )
        full = self.pooled >= self.pool
        stored = ops.cast(self.pooled % self.pool, "int32")
        place = ops.cast((0.5 + 0.5 * self.random((), "uniform")) * self.pool, "int32")
        slots = (ops.where(full, place, stored) + ops.arange(n, dtype="int32")) % self.pool
        past = ops.take(pool, slots, axis=0)
        keep = ops.logical_and(full, self.random((n, 1, 1, 1), "uniform") < 0)
        swap = ops.logical_and(full, ops.logical_not(keep))
        pool.assign(ops.scatter_update(pool, slots[:, None], ops.where(keep, past, fakes)))
        return ops.where(swap, past, fakes)


def _difference(x: Any, y: Any) -> Any:
    """Mean absolute difference."""
    return ops.mean(ops.abs(ops.cast(x, "float32") - ops.cast(y, "float32")))
