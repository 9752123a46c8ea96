"""Builders of networks: each returns a plain ``keras.Model`` and names where it comes from."""

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
    """The classic MNIST generator (recipe R1): dense layers, upsampling, tanh throughout.

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
    """The classic MNIST discriminator (recipe R1): convolutions, max-pooling, tanh.

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


def digit_classifier() -> keras.Model:
    """The classifier behind the scores of MNIST generators.

    Maps pictures (n, 28, 28, 1) in [-1, 1] to 10 logits; the 128 non-negative outputs of
    its layer ``"features"`` describe a picture. ``tools/train_feature_network.py`` trains it.
    """
    x = inputs = keras.Input((28, 28, 1))
    for filters, strides in ((24, 1), (24, 2), (48, 1), (48, 2), (64, 1)):
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(128, activation="relu", name="features")(x)
    x = layers.Dropout(0.4)(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="digit_classifier")
