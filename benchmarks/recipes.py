"""Four ways to train a GAN on MNIST: three as their authors published them, and ours.

Each function makes a :class:`Contestant`: networks, optimizers, update order, noise, labels
and batch size of one recipe, ready for ``.fit``. What the sources leave open is alike for
all: every epoch is a full shuffle, every batch is full, and only the 60,000 training
pictures are trained on. No published recipe gets the EMA copy of ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers import gans, models
from helpers._backend import keras, tf
from helpers.adversarial import AdversarialModel
from helpers.training import TimeBudget

layers, ops, optimizers = keras.layers, keras.ops, keras.optimizers

_LESSON = "notebooks/01_gan_basics_mnist.ipynb"


@dataclass(frozen=True)
class Contestant:
    """A recipe ready to train.

    Attributes:
        title: what the recipe is called in tables.
        source: where it was published, with its address.
        model: compiled, untrained; ``model.sampler`` maps z to pictures in [-1, 1].
        batch_size: real pictures a step.
        budget: the clock that ends the training.
    """

    title: str
    source: str
    model: AdversarialModel
    batch_size: int
    budget: TimeBudget


def classic(seconds: float, seed: int) -> Contestant:
    """The classic MNIST GAN of Keras' early years, as lesson 1 tells it.

    Tanh throughout, max-pooling, z of 100 uniform on [-1, 1], SGD 0.001 with Nesterov
    momentum 0.9 for both, batch of 128; the discriminator moves on real and fake as one
    batch, then the generator, with fresh z.
    """
    model = gans.GAN(
        models.classic_generator(),
        models.classic_discriminator(),
        noise="uniform",
        joint_batch=True,
        ema_decay=0,
        seed=seed,
    )
    model.compile(_classic_sgd(), _classic_sgd())
    return Contestant("classic", _LESSON, model, 128, TimeBudget(seconds / 60))


def tf_tutorial(seconds: float, seed: int) -> Contestant:
    """TensorFlow's official tutorial: transposed convolutions, Adam, both updates at once.

    Networks, losses, z of 100, Adam 0.0001 for both, batch of 256 and order of updates
    from "Deep Convolutional Generative Adversarial Network"
    (https://www.tensorflow.org/tutorials/generative/dcgan).
    """
    model = TutorialGAN(tutorial_generator(), tutorial_discriminator(), ema_decay=0, seed=seed)
    model.compile(optimizers.Adam(1e-4), optimizers.Adam(1e-4))
    source = (
        '"Deep Convolutional Generative Adversarial Network", '
        "https://www.tensorflow.org/tutorials/generative/dcgan"
    )
    return Contestant("TensorFlow tutorial", source, model, 256, TimeBudget(seconds / 60))


def keras_io(seconds: float, seed: int) -> Contestant:
    """keras.io's example for MNIST without its labels: global max-pooling, pictures in [0, 1].

    Networks, z of 128, Adam 0.0003 for both, batch of 64, order of updates and the naming
    of the classes (fake is 1, real is 0, no noise on either) from "Conditional GAN"
    (https://keras.io/examples/generative/conditional_gan/). Without the ten class planes
    and the ten label inputs the discriminator sees 1 channel for 11 and the generator
    starts from 128 numbers and 7×7×128 for 138 and 7×7×138. The example trains on the
    test pictures too; here nothing does.
    """
    model = KerasIoGAN(keras_io_generator(), keras_io_discriminator(), seed=seed)
    model.compile(optimizers.Adam(3e-4), optimizers.Adam(3e-4))
    source = '"Conditional GAN", https://keras.io/examples/generative/conditional_gan/'
    return Contestant("keras.io", source, model, 64, TimeBudget(seconds / 60))


def recommended(seconds: float, seed: int) -> Contestant:
    """Lesson 1's recommended recipe.

    Strided convolutions and a hidden dense layer with BatchNormalization, z normal, Adam
    0.002 for both, batch of 64, and samples from the EMA copy.
    """
    model = gans.GAN(
        models.digit_generator(), models.digit_discriminator(), ema_decay=0.999, seed=seed
    )
    model.compile(
        optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.99),
        optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.99),
    )
    return Contestant("recommended", _LESSON, model, 64, TimeBudget(seconds / 60))


RECIPES: dict[str, Callable[[float, int], Contestant]] = {
    "classic": classic,
    "tf_tutorial": tf_tutorial,
    "keras_io": keras_io,
    "recommended": recommended,
}


class TutorialGAN(AdversarialModel):
    """Both updates from one forward pass, as in TensorFlow's tutorial.

    The generator runs once and the discriminator once on the real and once on the fake
    pictures, both networks still as they were before the step; then both move.
    """

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """Cross-entropy with real as 1 plus cross-entropy with fake as 0: a sum, not a mean."""
        return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))

    def generator_loss(self, fake_logits: Any) -> Any:
        """Cross-entropy with fake as 1."""
        return ops.mean(ops.softplus(-fake_logits))

    def train_step(self, data: Any) -> dict[str, Any]:
        """See the class; returns ``d_loss`` and ``g_loss``."""
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        z = self._noise(ops.shape(real)[0], draw=0)
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fake = self.generator(z, training=True)
            real_logits, fake_logits = self._judge(real, fake)
            g_loss = self.generator_loss(fake_logits)
            d_loss = self.discriminator_loss(real_logits, fake_logits)
        g_weights = self.generator.trainable_variables
        d_weights = self.discriminator.trainable_variables
        g_gradients = g_tape.gradient(g_loss, g_weights)
        d_gradients = d_tape.gradient(d_loss, d_weights)
        self.optimizer.apply(g_gradients, g_weights)
        self.d_optimizer.apply(d_gradients, d_weights)
        self.step.assign_add(1)
        return {"d_loss": d_loss, "g_loss": g_loss}


class KerasIoGAN(AdversarialModel):
    """keras.io's game: fake is 1 and real is 0, and the networks know pictures in [0, 1].

    Takes pictures in [-1, 1] like every model here and halves them on the way in;
    :attr:`sampler` doubles what the generator makes. The discriminator's logit says how
    *fake* a picture looks.
    """

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, *, seed: int = 0
    ) -> None:
        super().__init__(generator, discriminator, joint_batch=True, ema_decay=0, seed=seed)

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """Cross-entropy over the batch half fake (taught as 1), half real (taught as 0)."""
        return 0.5 * (ops.mean(ops.softplus(-fake_logits)) + ops.mean(ops.softplus(real_logits)))

    def generator_loss(self, fake_logits: Any) -> Any:
        """Cross-entropy with fake as 0, this example's "real"."""
        return ops.mean(ops.softplus(fake_logits))

    def train_step(self, data: Any) -> dict[str, Any]:
        """The step of every model here, on pictures brought to [0, 1]."""
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return super().train_step((real + 1.0) / 2.0)

    @property
    def sampler(self) -> keras.Model:
        """The generator with its pictures stretched to [-1, 1]; weights are shared."""
        stretch = layers.Rescaling(2.0, offset=-1.0)
        return keras.Sequential(
            [keras.Input((self.latent_dim,)), *self.generator.layers, stretch], name="generator"
        )


def tutorial_generator() -> keras.Model:
    """TensorFlow's tutorial: z (n, 100) to pictures (n, 28, 28, 1) in [-1, 1]."""
    network = keras.Sequential([keras.Input((100,))], name="generator")
    network.add(layers.Dense(7 * 7 * 256, use_bias=False))
    network.add(layers.BatchNormalization())
    network.add(layers.LeakyReLU(negative_slope=0.3))
    network.add(layers.Reshape((7, 7, 256)))
    for filters, strides in ((128, 1), (64, 2)):
        network.add(
            layers.Conv2DTranspose(filters, 5, strides=strides, padding="same", use_bias=False)
        )
        network.add(layers.BatchNormalization())
        network.add(layers.LeakyReLU(negative_slope=0.3))
    network.add(
        layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh")
    )
    return network


def tutorial_discriminator() -> keras.Model:
    """TensorFlow's tutorial: pictures (n, 28, 28, 1) in [-1, 1] to logits (n, 1)."""
    network = keras.Sequential([keras.Input((28, 28, 1))], name="discriminator")
    for filters in (64, 128):
        network.add(layers.Conv2D(filters, 5, strides=2, padding="same"))
        network.add(layers.LeakyReLU(negative_slope=0.3))
        network.add(layers.Dropout(0.3))
    network.add(layers.Flatten())
    network.add(layers.Dense(1))
    return network


def keras_io_generator() -> keras.Model:
    """keras.io's example without labels: z (n, 128) to pictures (n, 28, 28, 1) in [0, 1]."""
    network = keras.Sequential([keras.Input((128,))], name="generator")
    network.add(layers.Dense(7 * 7 * 128))
    network.add(layers.LeakyReLU(negative_slope=0.2))
    network.add(layers.Reshape((7, 7, 128)))
    for _ in range(2):
        network.add(layers.Conv2DTranspose(128, 4, strides=2, padding="same"))
        network.add(layers.LeakyReLU(negative_slope=0.2))
    network.add(layers.Conv2D(1, 7, padding="same", activation="sigmoid"))
    return network


def keras_io_discriminator() -> keras.Model:
    """keras.io's example without labels: pictures (n, 28, 28, 1) in [0, 1] to logits (n, 1)."""
    network = keras.Sequential([keras.Input((28, 28, 1))], name="discriminator")
    for filters in (64, 128):
        network.add(layers.Conv2D(filters, 3, strides=2, padding="same"))
        network.add(layers.LeakyReLU(negative_slope=0.2))
    network.add(layers.GlobalMaxPooling2D())
    network.add(layers.Dense(1))
    return network


def _classic_sgd() -> keras.optimizers.Optimizer:
    return optimizers.SGD(0.001, momentum=0.9, nesterov=True)
