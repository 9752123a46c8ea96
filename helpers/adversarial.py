"""The game of a generator against a discriminator: what all of its variants share."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from helpers import checks, training
from helpers._backend import keras


class AdversarialModel(training.SteppedModel):
    """A generator and a discriminator that train against each other under ``.fit``.

    A variant states its two losses (:meth:`discriminator_loss`, :meth:`generator_loss`);
    the update, the noise and the EMA copy are here. Real is 1, fake is 0, and the
    discriminator gives logits. Networks with two inputs take a condition as the second,
    for instance one-hot labels; ``.fit`` then wants batches (pictures, condition). Others ignore
    what stands beside the pictures.

    Beside the losses every step logs how the game stands: ``d_real`` and ``d_fake``, the
    shares of real and of fake pictures that the discriminator takes for what they are in its own
    turn, ``g_fooled``, the share of fakes that it takes for real in the generator's, and
    ``d_gradient`` and ``g_gradient``, the lengths of the two gradients.

    Args:
        generator: z (n, latent_dim) to pictures in [-1, 1].
        discriminator: pictures to logits (n, 1).
        noise: ``"normal"`` or ``"uniform"``, see :func:`helpers.training.noise`.
        disc_updates: discriminator updates a step, each with fresh noise.
        gen_updates: generator updates a step, each with fresh noise.
        schedule: when each has its turn, see :func:`helpers.training.every`; else at every step.
        smoothing: one-sided label smoothing: real is taught as ``1 - smoothing``.
        label_noise: labels are moved inwards by U(0, ``label_noise``), real and fake alike.
        instance_noise: standard deviation of normal noise on all that the discriminator
            sees ("Towards Principled Methods for Training GANs", Arjovsky and Bottou, 2017,
            arXiv:1701.04862).
        instance_noise_steps: the step at which that noise has faded to 0; None: it stays.
        r1: weight γ of the penalty R1, γ/2 times the squared slope of the discriminator at real
            pictures, which keeps it from being surer than the data allow ("Which Training Methods
            for GANs do actually Converge?", Mescheder et al., 2018, arXiv:1801.04406); 0: none.
        r1_every: it is computed at every so many discriminator updates only, and then counts so
            many times ("Analyzing and Improving the Image Quality of StyleGAN", Karras et al.,
            2019, arXiv:1912.04958).
        joint_batch: show the discriminator real and fake as one batch, so that its
            BatchNormalization sees the mixture; by default each is a batch of its own.
        ema_decay: decay of the generator's exponential moving average copy, which
            :meth:`generate` uses; 0 keeps no copy.
        seed: of the noise.

    Raises:
        ValueError: networks that do not fit together, or an argument out of range; R1 with
            BatchNormalization in the discriminator.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        noise: training.NoiseKind = "normal",
        disc_updates: int = 1,
        gen_updates: int = 1,
        schedule: training.Schedule | None = None,
        smoothing: float = 0.0,
        label_noise: float = 0.0,
        instance_noise: float = 0.0,
        instance_noise_steps: int | None = None,
        r1: float = 0.0,
        r1_every: int = 16,
        joint_batch: bool = False,
        ema_decay: float = 0.999,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, ema_decay=ema_decay, schedule=schedule, **kwargs)
        checks.networks(generator, discriminator)
        checks.choice("NOISE", noise, get_args(training.NoiseKind))
        checks.whole("DISC_UPDATES", disc_updates)
        checks.whole("GEN_UPDATES", gen_updates)
        checks.fraction("SMOOTHING", smoothing)
        checks.fraction("LABEL_NOISE", label_noise)
        checks.not_negative("INSTANCE_NOISE", instance_noise)
        checks.not_negative("R1", r1)
        checks.whole("R1_EVERY", r1_every)
        if r1:
            checks.judges_pictures_one_by_one(discriminator, "R1")
        self.generator = generator
        self.discriminator = discriminator
        self.ema_generator = training.copy_of(generator) if ema_decay else None
        self.latent_dim = checks.inputs_of(generator)[0][-1]
        self.conditional = len(generator.inputs) > 1
        self.noise_kind = noise
        self.disc_updates = disc_updates
        self.gen_updates = gen_updates
        self.smoothing = smoothing
        self.label_noise = label_noise
        self.instance_noise = instance_noise
        self.instance_noise_steps = instance_noise_steps
        self.r1 = r1
        self.r1_every = r1_every
        self.joint_batch = joint_batch

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer,
        d_optimizer: keras.optimizers.Optimizer,
        **kwargs: Any,
    ) -> None:
        """Give each network its own optimizer and build both at once.

        Raises:
            ValueError: one optimizer for both networks.
        """
        checks.optimizers(g_optimizer, d_optimizer)
        super().compile(optimizer=training.prepared(g_optimizer, self.generator), **kwargs)
        self.d_optimizer = training.prepared(d_optimizer, self.discriminator)

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """See :class:`helpers.training.SteppedModel`."""
        return {"generator": self.optimizer, "discriminator": self.d_optimizer}

    def averaged(self) -> list[tuple[keras.Model, keras.Model]]:
        """See :class:`helpers.training.SteppedModel`."""
        return [] if self.ema_generator is None else [(self.ema_generator, self.generator)]

    def check_batch(self, batch: Any) -> None:
        """See :class:`helpers.training.SteppedModel`."""
        if batch is not None:
            pictures, condition, _ = keras.utils.unpack_x_y_sample_weight(batch)
            checks.images(pictures, checks.inputs_of(self.discriminator)[0])
            if self.conditional:
                checks.condition(condition, checks.inputs_of(self.generator)[1:])

    def call(self, z: Any, training: bool = False) -> Any:
        """The generator's pictures for given z (or ``[z, condition]``)."""
        return self.generator(z, training=training)

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """What the discriminator minimises, a scalar; each variant states its own."""
        raise NotImplementedError

    def generator_loss(self, fake_logits: Any) -> Any:
        """What the generator minimises, a scalar; each variant states its own."""
        raise NotImplementedError

    def boundary(self) -> float | None:
        """The logit above which a picture is taken for real; None where nothing is said of one."""
        return 0.0

    def note_verdicts(self, real_logits: Any, fake_logits: Any) -> None:
        """Log ``d_real`` and ``d_fake``, if there is a :meth:`boundary`."""
        if (boundary := self.boundary()) is not None:
            self._note_share("d_real", real_logits > boundary)
            self._note_share("d_fake", fake_logits <= boundary)

    def note_fooled(self, fake_logits: Any) -> None:
        """Log ``g_fooled`` of the step's first update: later ones have seen the answer."""
        boundary = self.boundary()
        if boundary is not None and not self.has_noted("g_fooled"):
            self._note_share("g_fooled", fake_logits > boundary)

    def _note_share(self, name: str, verdicts: Any) -> None:
        self.note(name, keras.ops.mean(keras.ops.cast(verdicts, "float32")))

    def penalty(self, real: Any, fake: Any, *condition: Any) -> Any:
        """What is added to the discriminator's loss, a scalar: R1, if wanted and if it is due."""
        if not self.r1:
            return 0.0

        def squared_slope() -> Any:
            real_ = keras.ops.cast(real, "float32")
            slopes = training.input_gradient(lambda x: self._logits(x, *condition), real_)
            squares = keras.ops.sum(keras.ops.square(slopes), axis=tuple(range(1, len(real.shape))))
            return 0.5 * self.r1 * self.r1_every * keras.ops.mean(squares)

        due = keras.ops.equal(self.d_optimizer.iterations % self.r1_every, 0)
        return keras.ops.cond(due, squared_slope, lambda: keras.ops.zeros(()))

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: the discriminator's updates, then the generator's."""
        disc_turns, gen_turns = self.begin_step()
        real, condition, _ = keras.utils.unpack_x_y_sample_weight(data)
        given = (condition,) if self.conditional else ()
        n = keras.ops.shape(real)[0]
        for i in range(disc_turns * self.disc_updates):
            self.note("d_loss", self.update_discriminator(real, self._noise(n, draw=i), *given))
        for i in range(gen_turns * self.gen_updates):
            z = self._noise(n, draw=self.disc_updates + i)
            self.note("g_loss", self.update_generator(z, *given))
        return self.end_step()

    def update_discriminator(self, real: Any, z: Any, *condition: Any) -> Any:
        """The discriminator's half: the generator only supplies pictures. Returns the loss."""
        fake = self.generator(_joined(z, condition), training=True)

        def loss_function() -> Any:
            real_logits, fake_logits = self._judge(real, fake, *condition)
            self.note_verdicts(real_logits, fake_logits)
            loss = self.discriminator_loss(real_logits, fake_logits)
            return loss + self.penalty(real, fake, *condition)

        loss, norm = training.gradient_step(loss_function, self.discriminator, self.d_optimizer)
        self.note("d_gradient", norm)
        return loss

    def update_generator(self, z: Any, *condition: Any) -> Any:
        """The generator's half: the discriminator only passes the gradient on. Returns the loss."""

        def loss_function() -> Any:
            fake = self.generator(_joined(z, condition), training=True)
            fake_logits = self._logits(fake, *condition)
            self.note_fooled(fake_logits)
            return self.generator_loss(fake_logits)

        loss, norm = training.gradient_step(loss_function, self.generator, self.optimizer)
        self.note("g_gradient", norm)
        return loss

    def generate(
        self,
        n: int,
        *,
        condition: Any = None,
        seed: int = 0,
        best_of: int = 1,
        ema: bool = True,
    ) -> NDArray[np.float32]:
        """New pictures.

        Args:
            n: how many.
            condition: for networks with two inputs, one row for each picture.
            seed: the same seed gives the same z.
            best_of: draw ``best_of * n`` and keep the ``n`` that the discriminator
                takes most for real.
            ema: use the EMA copy, if there is one.

        Returns:
            float32 array of shape (n, height, width, channels) in [-1, 1].
        """
        checks.whole("n", n)
        checks.whole("best_of", best_of)
        checks.condition(condition, checks.inputs_of(self.generator)[1:])
        if condition is not None and len(condition) != n:
            raise ValueError(
                f"{n} pictures are asked for with {len(condition)} conditions; give one for each."
            )
        z = training.noise(n * best_of, self.latent_dim, kind=self.noise_kind, seed=seed, step=-1)
        given = () if condition is None else (np.repeat(np.asarray(condition), best_of, axis=0),)
        network = self.sampler if ema else self.generator
        pictures = training.answers(network, [z, *given]).astype(np.float32)
        if best_of == 1:
            return pictures
        logits = training.answers(self.discriminator, [pictures, *given])[:, 0]
        if not given:
            return pictures[np.argsort(-logits)[:n]]
        best = logits.reshape(n, best_of).argmax(axis=1)  # the best for each row's own condition
        return pictures[np.arange(n) * best_of + best]

    @property
    def sampler(self) -> keras.Model:
        """The generator to draw from and to save: the EMA copy if there is one."""
        return self.generator if self.ema_generator is None else self.ema_generator

    def _noise(self, n: Any, draw: int) -> Any:
        return training.noise(
            n, self.latent_dim, kind=self.noise_kind, seed=self.seed, step=self.step, draw=draw
        )

    def _judge(self, real: Any, fake: Any, *condition: Any) -> tuple[Any, Any]:
        """The discriminator's logits for real and for fake."""
        if not self.joint_batch:
            return self._logits(real, *condition), self._logits(fake, *condition)
        both = keras.ops.concatenate([keras.ops.cast(real, fake.dtype), fake])
        twice = [keras.ops.concatenate([c, c]) for c in condition]
        real_logits, fake_logits = keras.ops.split(self._logits(both, *twice), 2)
        return real_logits, fake_logits

    def _logits(self, pictures: Any, *condition: Any) -> Any:
        """The discriminator's logits in training, float32 whatever the layers' precision."""
        if self.instance_noise:
            pictures = pictures + self._instance_noise(keras.ops.shape(pictures), pictures.dtype)
        logits = self.discriminator(_joined(pictures, condition), training=True)
        return keras.ops.cast(logits, "float32")

    def _instance_noise(self, shape: Any, dtype: Any) -> Any:
        """Normal noise that fades linearly."""
        strength = keras.ops.cast(self.instance_noise, "float32")
        if self.instance_noise_steps:
            part = keras.ops.cast(self.step, "float32") / self.instance_noise_steps
            strength *= keras.ops.maximum(0.0, 1.0 - part)
        return keras.ops.cast(strength * self.random(shape), dtype)


def _joined(x: Any, condition: Sequence[Any]) -> Any:
    """A network's input: x alone, or x and its condition."""
    return [keras.ops.convert_to_tensor(part) for part in (x, *condition)] if condition else x
