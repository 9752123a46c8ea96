"""Builders of networks for faces, 32×32 and 64×64: two classic pairs of lesson 2, and ours.

Each returns a plain ``keras.Model``. Generators map z (n, ``latent_dim``), normal, to pictures
(n, size, size, 3) in [-1, 1]; discriminators map pictures to logits (n, 1). The originals end in
a sigmoid; here the loss applies it, which is the same function computed without overflow.
"""

import math
from typing import Any

from helpers import checks
from helpers._backend import keras

layers = keras.layers


def dcgan_generator(latent_dim: int = 100, capacity: int = 64) -> keras.Model:
    """The classic 32×32 generator (lesson 2): transposed convolutions after DCGAN.

    "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks" (Radford et al., 2015, arXiv:1511.06434). All weights start from N(0, 0.02).

    Args:
        latent_dim: numbers in z.
        capacity: the general factor on all counts of filters; 64 is the original.
    """
    checks.whole("CAPACITY", capacity)
    z = keras.Input((latent_dim,))
    x = layers.Dense(4 * 4 * 8 * capacity, kernel_initializer=_small())(z)
    x = layers.Reshape((4, 4, 8 * capacity))(_norm_leaky(x))
    for filters in (4 * capacity, 2 * capacity):
        x = _norm_leaky(_grow(x, filters, 5, _small()))
    pictures = layers.Activation("tanh", dtype="float32")(_grow(x, 3, 4, _small(), "float32"))
    return keras.Model(z, pictures, name="generator")


def dcgan_discriminator(capacity: int = 64) -> keras.Model:
    """The classic 32×32 discriminator (lesson 2); see :func:`dcgan_generator`."""
    checks.whole("CAPACITY", capacity)
    picture = keras.Input((32, 32, 3))
    x = layers.LeakyReLU(negative_slope=0.2)(_shrink(picture, capacity, 5, _small()))
    for filters in (2 * capacity, 4 * capacity):
        x = _norm_leaky(_shrink(x, filters, 5, _small()))
    logit = layers.Dense(1, kernel_initializer=_small(), dtype="float32")(layers.Flatten()(x))
    return keras.Model(picture, logit, name="discriminator")


def encoder_block(x: Any, filters: int, kernel: int = 5) -> Any:
    """The minimal GAN's block that halves a picture: two convolutions, each normalised."""
    x = layers.BatchNormalization()(layers.Conv2D(filters, kernel, padding="same")(x))
    x = layers.BatchNormalization()(layers.Conv2D(filters, kernel, strides=2, padding="same")(x))
    return layers.LeakyReLU(negative_slope=0.3)(x)


def decoder_block(x: Any, filters: int, kernel: int = 5) -> Any:
    """The minimal GAN's block that doubles a picture: a transposed convolution and its norm."""
    x = layers.Conv2DTranspose(filters, kernel, strides=2, padding="same")(x)
    return layers.LeakyReLU(negative_slope=0.3)(layers.BatchNormalization()(x))


def minimal_generator(
    latent_dim: int = 100, capacity: int = 16, kernel: int = 5, image_size: int = 64
) -> keras.Model:
    """The generator of the classic minimal GAN for faces (lesson 2).

    Args:
        latent_dim: numbers in z.
        capacity: the general factor on all counts of filters.
        kernel: pixels of a filter's side.
        image_size: 4 times a power of 2; the blocks of 64 are 4, 2, 1 and 1 times ``capacity``.

    Raises:
        ValueError: an ``image_size`` that doubling 4 does not reach.
    """
    checks.whole("CAPACITY", capacity)
    widths = [max(1, 2**k) * capacity for k in range(doublings(image_size) - 2, -2, -1)]
    z = keras.Input((latent_dim,))
    x = layers.BatchNormalization()(layers.Dense(4 * 4 * 8 * capacity)(z))
    x = layers.Reshape((4, 4, 8 * capacity))(x)
    for filters in widths:
        x = decoder_block(x, filters, kernel)
    x = layers.Conv2D(3, kernel, padding="same", activation="tanh", dtype="float32")(x)
    return keras.Model(z, x, name="generator")


def minimal_discriminator(capacity: int = 16, kernel: int = 5, image_size: int = 64) -> keras.Model:
    """The discriminator of the classic minimal GAN (lesson 2); see :func:`minimal_generator`."""
    checks.whole("CAPACITY", capacity)
    halvings = doublings(image_size)
    x = picture = keras.Input((image_size, image_size, 3))
    for k in range(halvings):
        x = encoder_block(x, 2**k * capacity, kernel)
    logit = layers.Dense(1, dtype="float32")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(picture, logit, name="discriminator")


def face_generator(latent_dim: int = 64, capacity: int = 16, image_size: int = 64) -> keras.Model:
    """Lesson 2's recommended generator: dense layers up to 8×8, then transposed convolutions.

    Faces in these sets are aligned, so that the dense layers can place their parts; from 8×8 on
    it is a DCGAN (arXiv:1511.06434) with 4×4 filters, which overlap evenly, and at the end
    upsampling, which leaves no checkerboard.

    Args:
        latent_dim: numbers in z.
        capacity: the general factor on all counts of filters.
        image_size: 16 or more, 4 times a power of 2.

    Raises:
        ValueError: an ``image_size`` that doubling 4 does not reach.
    """
    checks.whole("CAPACITY", capacity)
    x = z = keras.Input((latent_dim,))
    growing = doublings(image_size, least=2) - 2
    for units in (256, 8 * 8 * 2**growing * capacity):
        x = _norm_relu(layers.Dense(units, use_bias=False)(x))
    x = layers.Reshape((8, 8, 2**growing * capacity))(x)
    for k in reversed(range(growing)):
        x = layers.Conv2DTranspose(2**k * capacity, 4, strides=2, padding="same", use_bias=False)(x)
        x = _norm_relu(x)
    x = layers.UpSampling2D()(x)
    x = layers.Conv2D(3, 3, padding="same", dtype="float32")(x)
    return keras.Model(z, layers.Activation("tanh", dtype="float32")(x), name="generator")


def face_discriminator(capacity: int = 16, image_size: int = 64) -> keras.Model:
    """Lesson 2's recommended discriminator: strided 4×4 filters, then a hidden dense layer.

    The dense layer sees all places at once and can ask whether the parts fit together. There is
    no normalisation: it is meant to be kept in bounds by the penalty R1 (``gans.GAN(r1=1.0)``).
    See :func:`face_generator` for the arguments.
    """
    picture, x = face_trunk(capacity, image_size)
    return keras.Model(picture, layers.Dense(1, dtype="float32")(x), name="discriminator")


def face_trunk(capacity: int, image_size: int) -> tuple[Any, Any]:
    """A picture, and the 128 numbers that :func:`face_discriminator` makes its logit of."""
    checks.whole("CAPACITY", capacity)
    halvings = doublings(image_size, least=2) - 1
    x = picture = keras.Input((image_size, image_size, 3))
    for k in range(halvings):
        x = layers.Conv2D(2**k * capacity, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(layers.Dense(128)(layers.Flatten()(x)))
    return picture, x


def doublings(image_size: int, least: int = 1) -> int:
    """How often 4 has to be doubled to become ``image_size``.

    Raises:
        ValueError: it never does, or in fewer than ``least`` steps.
    """
    checks.whole("IMAGE_SIZE", image_size)
    steps = math.log2(image_size / 4)
    if steps < least or steps != int(steps):
        raise ValueError(
            f"IMAGE_SIZE is {image_size}; these networks double a picture of 4×4 until it is "
            f"large enough, so it must be one of {4 * 2**least}, {8 * 2**least}, "
            f"{16 * 2**least} and so on."
        )
    return int(steps)


def _small() -> Any:
    # A new one for each layer, or all would start alike.
    return keras.initializers.RandomNormal(stddev=0.02)


def _grow(x: Any, filters: int, kernel: int, start: Any, dtype: str | None = None) -> Any:
    return layers.Conv2DTranspose(
        filters, kernel, strides=2, padding="same", kernel_initializer=start, dtype=dtype
    )(x)


def _shrink(x: Any, filters: int, kernel: int, start: Any) -> Any:
    return layers.Conv2D(filters, kernel, strides=2, padding="same", kernel_initializer=start)(x)


def _norm_leaky(x: Any) -> Any:
    return layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization()(x))


def _norm_relu(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
