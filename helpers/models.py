"""Builders of networks: each returns a plain ``keras.Model`` and names where it comes from."""

from typing import Any

from helpers._backend import keras

layers = keras.layers


def points_generator(latent_dim: int = 8, width: int = 64) -> keras.Model:
    """Lesson 1's generator of 2-D points: z (n, ``latent_dim``) to points (n, 2)."""
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(width, activation="relu"),
            layers.Dense(width, activation="relu"),
            layers.Dense(2),
        ],
        name="generator",
    )


def points_discriminator(width: int = 64) -> keras.Model:
    """Lesson 1's discriminator of 2-D points: points (n, 2) to logits (n, 1)."""
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(width),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(width),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(1),
        ],
        name="discriminator",
    )


def classic_generator(latent_dim: int = 100) -> keras.Model:
    """The classic MNIST generator (lesson 1): dense layers, upsampling, tanh throughout.

    Maps z (n, ``latent_dim``), uniform on [-1, 1], to pictures (n, 28, 28, 1) in [-1, 1].
    """
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(1024, activation="tanh"),
            layers.Dense(7 * 7 * 128),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Reshape((7, 7, 128)),
            layers.UpSampling2D(),
            layers.Conv2D(64, 5, padding="same", activation="tanh"),
            layers.UpSampling2D(),
            layers.Conv2D(1, 5, padding="same", activation="tanh"),
        ],
        name="generator",
    )


def classic_discriminator() -> keras.Model:
    """The classic MNIST discriminator (lesson 1): convolutions, max-pooling, tanh.

    Maps pictures (n, 28, 28, 1) to logits (n, 1). The original ends in a sigmoid; here
    the loss applies it, which is the same function computed without overflow.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 5, padding="same", activation="tanh"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 5, activation="tanh"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1024, activation="tanh"),
            layers.Dense(1),
        ],
        name="discriminator",
    )


def digit_generator(latent_dim: int = 64) -> keras.Model:
    """Lesson 1's recommended generator of 28×28 digits.

    Maps z (n, ``latent_dim``), normal, to pictures (n, 28, 28, 1) in [-1, 1]. Transposed
    convolutions, BatchNormalization and ReLU follow DCGAN (Radford et al., 2015,
    arXiv:1511.06434); the hidden dense layer before them is ours and pays on digits.
    """
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(256, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Dense(7 * 7 * 64, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(32, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", dtype="float32"),
            layers.Activation("tanh", dtype="float32"),
        ],
        name="generator",
    )


def digit_discriminator() -> keras.Model:
    """Lesson 1's recommended discriminator: pictures (n, 28, 28, 1) to logits (n, 1).

    Strided convolutions, BatchNormalization and LeakyReLU (arXiv:1511.06434), then a
    hidden dense layer, which sees the whole digit at once.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(64, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dense(128, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(1, dtype="float32"),
        ],
        name="discriminator",
    )


@keras.saving.register_keras_serializable(package="helpers")
class LabelPlanes(keras.layers.Layer):
    """Joins one-hot labels to pictures: one constant plane a class, 1 for the picture's own.

    Maps [pictures (n, height, width, channels), labels (n, classes)] to
    (n, height, width, channels + classes).
    """

    def call(self, inputs: Any) -> Any:
        """See the class."""
        pictures, labels = inputs
        n, height, width, _ = keras.ops.shape(pictures)
        planes = keras.ops.cast(labels, pictures.dtype)[:, None, None, :]
        planes = keras.ops.broadcast_to(planes, (n, height, width, labels.shape[-1]))
        return keras.ops.concatenate([pictures, planes], axis=-1)


def conditional_generator(
    classes: int, latent_dim: int = 96, channels: int = 1, *, dropout: float = 0.5
) -> keras.Model:
    """The classic conditional generator (lesson 3): the one-hot label joins z.

    Maps [z (n, ``latent_dim``), labels (n, ``classes``)] to pictures (n, 28, 28, ``channels``)
    in [-1, 1].
    """
    z, label = keras.Input((latent_dim,)), keras.Input((classes,))
    x = layers.Dense(7 * 7 * 512)(layers.Concatenate()([z, label]))
    x = layers.Reshape((7, 7, 512))(x)
    for filters in (256, 128):
        x = layers.Conv2DTranspose(filters, 5, strides=2, padding="same")(_after(x, dropout))
    x = layers.Conv2DTranspose(channels, 5, padding="same", dtype="float32")(_after(x, dropout))
    pictures = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model([z, label], pictures, name="generator")


def conditional_discriminator(
    classes: int, channels: int = 1, *, dropout: float = 0.5
) -> keras.Model:
    """The classic conditional discriminator (lesson 3): the label as planes beside the picture.

    Maps [pictures (n, 28, 28, ``channels``), labels (n, ``classes``)] to logits (n, 1).
    """
    picture, label = keras.Input((28, 28, channels)), keras.Input((classes,))
    x = LabelPlanes()([picture, label])
    for filters, strides in ((32, 2), (64, 2), (128, 1)):
        x = _after(layers.Conv2D(filters, 5, strides=strides, padding="same")(x), dropout)
    logit = layers.Dense(1, dtype="float32")(layers.Flatten()(x))
    return keras.Model([picture, label], logit, name="discriminator")


def character_generator(classes: int, latent_dim: int = 64) -> keras.Model:
    """Lesson 3's recommended conditional generator: lesson 1's, with the one-hot label beside z.

    Maps [z (n, ``latent_dim``), normal, labels (n, ``classes``)] to pictures (n, 28, 28, 1) in
    [-1, 1]. The label joins the noise as in "Conditional Generative Adversarial Nets" (Mirza
    and Osindero, 2014, arXiv:1411.1784).
    """
    z, label = keras.Input((latent_dim,)), keras.Input((classes,))
    x = layers.Concatenate()([z, label])
    for units in (256, 7 * 7 * 64):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Reshape((7, 7, 64))(x)
    x = layers.Conv2DTranspose(32, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", dtype="float32")(x)
    pictures = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model([z, label], pictures, name="generator")


def projection_discriminator(classes: int) -> keras.Model:
    """Lesson 3's recommended discriminator: "real?", and apart from it "of this class?".

    The logit is a number for the picture plus the inner product of the picture's features
    with a vector learned for the class ("cGANs with Projection Discriminator", Miyato and
    Koyama, 2018, arXiv:1802.05637). Up to the features it is lesson 1's discriminator.

    Maps [pictures (n, 28, 28, 1), labels (n, ``classes``)] to logits (n, 1).
    """
    picture, label = keras.Input((28, 28, 1)), keras.Input((classes,))
    x = layers.Conv2D(32, 4, strides=2, padding="same")(picture)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2D(64, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Flatten()(layers.LeakyReLU(negative_slope=0.2)(x))
    x = layers.Dense(128, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    features = layers.LeakyReLU(negative_slope=0.2)(x)
    class_vector = layers.Dense(128, use_bias=False)(label)
    fits = layers.Dot(axes=1, dtype="float32")([features, class_vector])
    real = layers.Dense(1, dtype="float32")(features)
    logit = layers.Add(dtype="float32")([real, fits])
    return keras.Model([picture, label], logit, name="discriminator")


def _after(x: Any, dropout: float) -> Any:
    """BatchNormalization, LeakyReLU and, if wanted, Dropout after a layer (lesson 3)."""
    x = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization()(x))
    return layers.Dropout(dropout)(x) if dropout else x
