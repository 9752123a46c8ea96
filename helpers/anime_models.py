"""Builders of the classic networks for anime faces, 64×64: the two recipes of lesson 5.

Each returns a plain ``keras.Model``. Generators map z (n, ``latent_dim``), normal, to pictures
(n, 64, 64, 3) in [-1, 1]; discriminators map pictures to logits (n, 1); the encoder maps pictures
to [mean, log-variance], each (n, ``latent_dim``). The originals' discriminators end in a sigmoid;
here the loss applies it, which is the same function computed without overflow.

``capacity`` is the general factor on all counts of filters, so that two cores can have thinner
networks.
"""

from typing import Any

from helpers import checks
from helpers._backend import keras

layers = keras.layers


def dcgan_generator(latent_dim: int = 128, capacity: int = 32) -> keras.Model:
    """The classic generator of anime faces (lesson 5): upsampling, then 3×3 convolutions.

    Most of its work is done at full size, so it is far more expensive than one of transposed
    convolutions with as many weights. After DCGAN (Radford et al., 2015, arXiv:1511.06434).

    Args:
        latent_dim: numbers in z.
        capacity: the general factor on all counts of filters; 32 is the original.

    Raises:
        ValueError: a ``capacity`` that is no whole number of at least 1.
    """
    checks.whole("CAPACITY", capacity)
    z = keras.Input((latent_dim,))
    x = layers.Dense(16 * 16 * 4 * capacity, activation="relu")(z)
    x = layers.Reshape((16, 16, 4 * capacity))(x)
    for filters in (8 * capacity, 4 * capacity):
        x = layers.UpSampling2D()(x)
        x = _conv_norm_relu(x, filters)
    x = _conv_norm_relu(x, capacity)
    pictures = layers.Conv2D(3, 3, padding="same", activation="tanh", dtype="float32")(x)
    return keras.Model(z, pictures, name="generator")


def dcgan_discriminator(capacity: int = 32) -> keras.Model:
    """The classic discriminator of anime faces (lesson 5); see :func:`dcgan_generator`.

    Five 3×3 convolutions, each with LeakyReLU and Dropout, all but the first with
    BatchNormalization.
    """
    checks.whole("CAPACITY", capacity)
    picture = keras.Input((64, 64, 3))
    x = picture
    for i, (factor, stride) in enumerate(((1, 2), (2, 2), (4, 2), (8, 1), (2, 1))):
        x = layers.Conv2D(factor * capacity, 3, strides=stride, padding="same")(x)
        if i:
            x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.Dropout(0.3)(layers.LeakyReLU(negative_slope=0.2)(x))
    logit = layers.Dense(1, dtype="float32")(layers.Flatten()(x))
    return keras.Model(picture, logit, name="discriminator")


def vae_gan_encoder(latent_dim: int = 256, capacity: int = 16) -> keras.Model:
    """The classic VAE-GAN's encoder (lesson 5): pictures to [mean, log-variance].

    The log-variance ends in tanh, so that no code can be surer than a variance of 1/e ≈ 0.37 or
    less sure than e.

    Args:
        latent_dim: numbers in a code.
        capacity: the general factor on all counts of filters; 16 is the original.

    Raises:
        ValueError: a ``capacity`` that is no whole number of at least 1.
    """
    checks.whole("CAPACITY", capacity)
    picture = keras.Input((64, 64, 3))
    x = picture
    for factor in (1, 2, 4, 8):
        x = layers.Conv2D(factor * capacity, 5, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization(epsilon=1e-5)(x))
    x = layers.Flatten()(x)
    mean = layers.Dense(latent_dim, name="mean", dtype="float32")(x)
    log_variance = layers.Dense(
        latent_dim, activation="tanh", name="log_variance", dtype="float32"
    )(x)
    return keras.Model(picture, [mean, log_variance], name="encoder")


def vae_gan_generator(latent_dim: int = 256, capacity: int = 16) -> keras.Model:
    """The classic VAE-GAN's generator, or decoder (lesson 5): five transposed convolutions."""
    checks.whole("CAPACITY", capacity)
    z = keras.Input((latent_dim,))
    x = layers.Reshape((2, 2, 16 * capacity))(layers.Dense(2 * 2 * 16 * capacity)(z))
    x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
    for factor in (8, 4, 2, 1):
        x = layers.Conv2DTranspose(factor * capacity, 5, strides=2, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
    x = layers.Conv2DTranspose(3, 5, strides=2, padding="same", activation="tanh", dtype="float32")(
        x
    )
    return keras.Model(z, x, name="generator")


def vae_gan_discriminator(capacity: int = 16) -> keras.Model:
    """The classic VAE-GAN's discriminator (lesson 5): four strided 5×5 convolutions."""
    checks.whole("CAPACITY", capacity)
    picture = keras.Input((64, 64, 3))
    x = picture
    for i, factor in enumerate((2, 4, 8, 8)):
        x = layers.Conv2D(factor * capacity, 5, strides=2, padding="same")(x)
        if i:
            x = layers.BatchNormalization(epsilon=1e-5)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    logit = layers.Dense(1, dtype="float32")(layers.Flatten()(x))
    return keras.Model(picture, logit, name="discriminator")


def _conv_norm_relu(x: Any, filters: int) -> Any:
    x = layers.Conv2D(filters, 3, padding="same")(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
