"""Builders of a VAE's networks for faces: the classic pair of lesson 4, and our encoder.

Encoders map pictures in [-1, 1] to [mean, log-variance], each float32 (n, ``latent_dim``);
decoders map z (n, ``latent_dim``) to pictures. Train a pair with :class:`helpers.vaes.VAE`. The
decoder that belongs to :func:`face_encoder` is :func:`helpers.face_models.face_generator`.
"""

from typing import Any

from helpers import checks
from helpers._backend import keras
from helpers.face_models import face_trunk

layers = keras.layers
Shape = tuple[int, int, int]

CELEBA: Shape = (218, 178, 3)
"""A picture of CelebA as it is published: height, width, channels."""
HALVINGS = 4
MOMENTUM = 0.9
"""Of all averages: Keras' 0.99 would remember the start for hundreds of steps."""


def celeba_vae_encoder(
    latent_dim: int = 512, capacity: int = 32, image_shape: Shape = CELEBA
) -> keras.Model:
    """The classic convolutional encoder (lesson 4): four convolutions, each pooled by 2.

    Both heads end in a BatchNormalization, as in the original: over a batch each number of the
    mean then has the mean 0 and, unless it is learned away, the spread 1.

    Args:
        latent_dim: numbers in a code.
        capacity: filters of the first convolution; the next have 2, 4 and 8 times as many. 32
            is the original.
        image_shape: (height, width, channels), sides of at least 16.

    Raises:
        ValueError: an argument out of range.
    """
    _check(latent_dim, capacity, image_shape)
    x = picture = keras.Input(image_shape)
    for k in range(HALVINGS):
        x = layers.Conv2D(2**k * capacity, 3, padding="same", activation="relu")(x)
        # Rounded up where a side is odd, so that the decoder only has to cut off.
        x = layers.MaxPooling2D(padding="same")(layers.BatchNormalization(momentum=MOMENTUM)(x))
    x = layers.Flatten()(x)
    heads = []
    for name in ("mean", "log_variance"):
        norm = layers.BatchNormalization(momentum=MOMENTUM, name=name, dtype="float32")
        heads.append(norm(layers.Dense(latent_dim)(x)))
    return keras.Model(picture, heads, name="encoder")


def celeba_vae_decoder(
    latent_dim: int = 512, capacity: int = 32, image_shape: Shape = CELEBA
) -> keras.Model:
    """The classic decoder (lesson 4): four times doubled, cut to fit, convolved.

    See :func:`celeba_vae_encoder` for the arguments.
    """
    _check(latent_dim, capacity, image_shape)
    (height, width), *larger = sizes(image_shape)[::-1]
    z = keras.Input((latent_dim,))
    x = layers.Dense(height * width * 8 * capacity)(z)
    x = layers.Reshape((height, width, 8 * capacity))(x)
    for k, (height, width) in zip(reversed(range(HALVINGS)), larger, strict=True):
        x = layers.UpSampling2D()(x)
        x = layers.Cropping2D(((0, x.shape[1] - height), (0, x.shape[2] - width)))(x)
        x = layers.Conv2DTranspose(2**k * capacity, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    x = layers.Conv2DTranspose(image_shape[2], 3, padding="same", dtype="float32")(x)
    return keras.Model(z, layers.Activation("tanh", dtype="float32")(x), name="decoder")


def face_encoder(latent_dim: int = 64, capacity: int = 16, image_size: int = 64) -> keras.Model:
    """:func:`helpers.face_models.face_discriminator` with two heads in place of its logit.

    So a VAE of this encoder and :func:`helpers.face_models.face_generator` has the networks,
    and nearly the number of weights, of lesson 2's recommended GAN.

    Args:
        latent_dim: numbers in a code.
        capacity: the general factor on all counts of filters.
        image_size: 16 or more, 4 times a power of 2.

    Raises:
        ValueError: an argument out of range.
    """
    checks.whole("LATENT_DIM", latent_dim)
    picture, x = face_trunk(capacity, image_size)
    heads = [
        layers.Dense(latent_dim, name=name, dtype="float32")(x) for name in ("mean", "log_variance")
    ]
    return keras.Model(picture, heads, name="encoder")


def sizes(image_shape: Shape) -> list[tuple[int, int]]:
    """(height, width) of a picture, and after each of the four halvings, rounded up."""
    height, width = image_shape[:2]
    return [(-(-height // 2**k), -(-width // 2**k)) for k in range(HALVINGS + 1)]


def _check(latent_dim: int, capacity: int, image_shape: Any) -> None:
    checks.whole("LATENT_DIM", latent_dim)
    checks.whole("CAPACITY", capacity)
    if len(image_shape) != 3 or min(image_shape[:2]) < 2**HALVINGS:
        raise ValueError(
            f"IMAGE_SHAPE is {image_shape!r}; it must be (height, width, channels), for instance "
            f"{CELEBA}, with sides of at least {2**HALVINGS}, which are halved {HALVINGS} times."
        )
