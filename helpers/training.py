"""What every two-network model shares: the update, the noise, the EMA copy, the time budget.

The gradient step and the noise are the only places of the training code that speak
TensorFlow; losses and layers are Keras.
"""

import time
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from helpers import checks
from helpers._backend import keras, tf

NoiseKind = Literal["normal", "uniform"]


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
    checks.choice("NOISE", kind, get_args(NoiseKind))
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group if context else 0
    key = tf.constant([seed, draw], tf.int32)
    for part in (step, replica):
        key = tf.random.experimental.stateless_fold_in(key, tf.cast(part, tf.int32))
    if kind == "uniform":
        return tf.random.stateless_uniform((n, latent_dim), key, -1.0, 1.0)
    return tf.random.stateless_normal((n, latent_dim), key)


def gradient_step(
    loss_function: Callable[[], Any], network: keras.Model, optimizer: keras.optimizers.Optimizer
) -> Any:
    """Move one network, and only that one, a step down a loss; return the loss.

    The gradient is taken with respect to ``network``'s trainable weights alone: this is
    what the ``trainable = False`` of older tutorials was for. Optimizers add up the
    gradients of all replicas, so each contributes its share.
    """
    weights = network.trainable_variables
    with tf.GradientTape() as tape:
        loss = loss_function()
        share = loss / tf.distribute.get_strategy().num_replicas_in_sync
    optimizer.apply(tape.gradient(share, weights), weights)
    return loss


class AdversarialModel(keras.Model):
    """A generator and a discriminator that train against each other under ``.fit``.

    A variant states its two losses (:meth:`discriminator_loss`, :meth:`generator_loss`);
    the update, the noise and the EMA copy are here. Real is 1, fake is 0, and the
    discriminator gives logits.

    Args:
        generator: z (n, latent_dim) to pictures in [-1, 1].
        discriminator: pictures to logits (n, 1).
        noise: ``"normal"`` or ``"uniform"``, see :func:`noise`.
        disc_updates: discriminator updates a step, each with fresh noise.
        gen_updates: generator updates a step, each with fresh noise.
        smoothing: one-sided label smoothing: real is taught as ``1 - smoothing``.
        joint_batch: show the discriminator real and fake as one batch, so that its
            BatchNormalization sees the mixture; by default each is a batch of its own.
        ema_decay: decay of the generator's exponential moving average copy, which
            :meth:`generate` uses; 0 keeps no copy.
        seed: of the noise.

    Raises:
        ValueError: networks that do not fit together, or an argument out of range.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        noise: NoiseKind = "normal",
        disc_updates: int = 1,
        gen_updates: int = 1,
        smoothing: float = 0.0,
        joint_batch: bool = False,
        ema_decay: float = 0.999,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.networks(generator, discriminator)
        checks.choice("NOISE", noise, get_args(NoiseKind))
        checks.whole("DISC_UPDATES", disc_updates)
        checks.whole("GEN_UPDATES", gen_updates)
        checks.fraction("SMOOTHING", smoothing)
        checks.fraction("EMA_DECAY", ema_decay)
        self.generator = generator
        self.discriminator = discriminator
        self.ema_generator = _copy_of(generator) if ema_decay else None
        self.latent_dim = generator.input_shape[-1]
        self.noise_kind = noise
        self.disc_updates = disc_updates
        self.gen_updates = gen_updates
        self.smoothing = smoothing
        self.joint_batch = joint_batch
        self.ema_decay = ema_decay
        self.seed = seed
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )
        self.built = True

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
        if g_optimizer is d_optimizer:
            raise ValueError(
                "generator and discriminator share one optimizer object, so each would step "
                "with the other's momentum. Make two: compile(Adam(...), Adam(...))."
            )
        super().compile(optimizer=g_optimizer, **kwargs)
        self.d_optimizer = d_optimizer
        self.optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)

    def fit(self, x: Any = None, *args: Any, epochs: int = 1, **kwargs: Any) -> Any:
        """Keras' ``.fit``, after a look at the first pictures and the number of epochs.

        Raises:
            ValueError: not compiled, no epochs, no batch, or pictures that are not float
                in [-1, 1].
        """
        checks.whole("EPOCHS", epochs)
        if kwargs.get("batch_size") is not None:  # Keras would take 0 for "the usual 32"
            checks.whole("BATCH_SIZE", kwargs["batch_size"])
        if not hasattr(self, "d_optimizer"):
            raise ValueError("compile(g_optimizer, d_optimizer) comes before fit.")
        checks.images(_first_batch(x), self.discriminator.input_shape[1:])
        if not hasattr(x, "shape"):
            kwargs.setdefault("shuffle", False)  # streams shuffle themselves; Keras would warn
        return super().fit(x, *args, epochs=epochs, **kwargs)

    def call(self, z: Any, training: bool = False) -> Any:
        """The generator's pictures for given z."""
        return self.generator(z, training=training)

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """What the discriminator minimises, a scalar; each variant states its own."""
        raise NotImplementedError

    def generator_loss(self, fake_logits: Any) -> Any:
        """What the generator minimises, a scalar; each variant states its own."""
        raise NotImplementedError

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: the discriminator's updates, then the generator's."""
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        n = keras.ops.shape(real)[0]
        for i in range(self.disc_updates):
            d_loss = self.update_discriminator(real, self._noise(n, draw=i))
        for i in range(self.gen_updates):
            g_loss = self.update_generator(self._noise(n, draw=self.disc_updates + i))
        self._update_ema()
        self.step.assign_add(1)
        return {"d_loss": d_loss, "g_loss": g_loss}

    def update_discriminator(self, real: Any, z: Any) -> Any:
        """The discriminator's half: the generator only supplies pictures. Returns the loss."""
        fake = self.generator(z, training=True)

        def loss() -> Any:
            return self.discriminator_loss(*self._judge(real, fake))

        return gradient_step(loss, self.discriminator, self.d_optimizer)

    def update_generator(self, z: Any) -> Any:
        """The generator's half: the discriminator only passes the gradient on. Returns the loss."""

        def loss() -> Any:
            fake = self.generator(z, training=True)
            return self.generator_loss(self._logits(fake))

        return gradient_step(loss, self.generator, self.optimizer)

    def generate(
        self, n: int, *, seed: int = 0, best_of: int = 1, ema: bool = True
    ) -> NDArray[np.float32]:
        """New pictures.

        Args:
            n: how many.
            seed: the same seed gives the same z.
            best_of: draw ``best_of * n`` and keep the ``n`` that the discriminator
                takes most for real.
            ema: use the EMA copy, if there is one.

        Returns:
            float32 array of shape (n, height, width, channels) in [-1, 1].
        """
        checks.whole("n", n)
        checks.whole("best_of", best_of)
        z = noise(n * best_of, self.latent_dim, kind=self.noise_kind, seed=seed, step=-1)
        network = self.sampler if ema else self.generator
        pictures = np.asarray(network.predict(z, batch_size=256, verbose=0), np.float32)
        if best_of == 1:
            return pictures
        logits = self.discriminator.predict(pictures, batch_size=256, verbose=0)[:, 0]
        return pictures[np.argsort(-logits)[:n]]

    @property
    def sampler(self) -> keras.Model:
        """The generator to draw from and to save: the EMA copy if there is one."""
        return self.generator if self.ema_generator is None else self.ema_generator

    def _noise(self, n: Any, draw: int) -> Any:
        return noise(
            n, self.latent_dim, kind=self.noise_kind, seed=self.seed, step=self.step, draw=draw
        )

    def _judge(self, real: Any, fake: Any) -> tuple[Any, Any]:
        """The discriminator's logits for real and for fake."""
        if not self.joint_batch:
            return self._logits(real), self._logits(fake)
        both = keras.ops.concatenate([keras.ops.cast(real, fake.dtype), fake])
        real_logits, fake_logits = keras.ops.split(self._logits(both), 2)
        return real_logits, fake_logits

    def _logits(self, pictures: Any) -> Any:
        """The discriminator's logits in training, float32 whatever the layers' precision."""
        return keras.ops.cast(self.discriminator(pictures, training=True), "float32")

    def _update_ema(self) -> None:
        """Let the EMA copy follow; early on it follows fast, so that short runs are not grey."""
        if self.ema_generator is None:
            return
        step = keras.ops.cast(self.step, "float32")
        decay = keras.ops.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for average, current in zip(
            self.ema_generator.weights, self.generator.weights, strict=True
        ):
            # BatchNormalization's moving statistics are averages already.
            follows = decay * average + (1.0 - decay) * current if current.trainable else current
            average.assign(follows)


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


def _copy_of(network: keras.Model) -> keras.Model:
    """The same architecture with the same weights; not frozen, or what is saved would be."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def _first_batch(x: Any) -> Any:
    """The pictures of the first batch that ``.fit`` would see; None if looking would use it up."""
    if isinstance(x, tf.data.Dataset):
        x = next(iter(x))
    elif isinstance(x, keras.utils.PyDataset):
        x = x[0]
    elif not (hasattr(x, "shape") or isinstance(x, tuple)):
        return None
    return keras.utils.unpack_x_y_sample_weight(x)[0]
