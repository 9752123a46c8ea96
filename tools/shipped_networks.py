"""The generators that ship and the networks they are trained against, built by Keras alone.

Generators are plain layers: dense up to the first, smallest picture, then blocks of nearest
upsampling, a 3×3 convolution, BatchNormalization and ReLU (after DCGAN, Radford et al., 2015,
arXiv:1511.06434; upsampling instead of transposed convolutions leaves no checkerboard).
Discriminators and the encoder have no normalization at all: a penalty on the discriminator's
slope needs pictures that are judged one by one, and keeps it in check better ("Which Training
Methods for GANs do actually Converge?", Mescheder et al., 2018, arXiv:1801.04406).

Pictures are float32 in [-1, 1], (n, height, width, channels); z is (n, latent_dim), from N(0, 1).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers._backend import keras

layers = keras.layers


def generator(
    image_shape: Sequence[int],
    widths: Sequence[int],
    latent_dim: int = 64,
    *,
    hidden: int = 0,
    classes: int = 0,
    name: str = "generator",
) -> keras.Model:
    """z, or [z, one-hot labels (n, ``classes``)], to pictures of ``image_shape``.

    Args:
        image_shape: (height, width, channels), the sides alike.
        widths: channels of the smallest picture, and after each doubling.
        latent_dim: numbers in z.
        hidden: units of a dense layer before the one that makes the smallest picture; 0: none.
        classes: how many; 0: the generator takes no label.
        name: of the network.
    """
    z = keras.Input((latent_dim,), name="z")
    inputs = [z, keras.Input((classes,), name="label")] if classes else [z]
    x = layers.Concatenate(name="z_and_label")(inputs) if classes else z
    if hidden:
        x = _norm_relu(layers.Dense(hidden, use_bias=False, name="dense_hidden")(x), "hidden")
    side = image_shape[0] // 2 ** (len(widths) - 1)
    x = layers.Dense(side * side * widths[0], use_bias=False, name=f"dense_{side}")(x)
    x = layers.Reshape((side, side, widths[0]), name=f"reshape_{side}")(_norm_relu(x, f"{side}"))
    for filters in widths[1:]:
        side *= 2
        x = layers.UpSampling2D(name=f"up_{side}")(x)
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{side}")(x)
        x = _norm_relu(x, f"{side}")
    x = layers.Conv2D(image_shape[-1], 3, padding="same", name="conv_picture")(x)
    pictures = layers.Activation("tanh", name="picture")(x)
    return keras.Model(inputs if classes else z, pictures, name=name)


def discriminator(
    image_shape: Sequence[int], widths: Sequence[int], hidden: int, *, classes: int = 0
) -> keras.Model:
    """Pictures, or [pictures, one-hot labels], to [logits (n, 1), features].

    Strided 4×4 convolutions, whose last output is the features (n, height, width, channels),
    then a hidden dense layer. With classes, the inner product of the hidden layer and a vector
    learned for the class joins the logit ("cGANs with Projection Discriminator", Miyato and
    Koyama, 2018, arXiv:1802.05637).
    """
    picture = keras.Input(tuple(image_shape), name="picture")
    features = _halved(picture, widths)
    x = layers.Dense(hidden, name="dense_hidden")(layers.Flatten(name="flat")(features))
    x = layers.LeakyReLU(negative_slope=0.2, name="leaky_hidden")(x)
    logit = layers.Dense(1, name="real")(x)
    if not classes:
        return keras.Model(picture, [logit, features], name="discriminator")
    label = keras.Input((classes,), name="label")
    vector = layers.Dense(hidden, use_bias=False, name="class_vector")(label)
    fits = layers.Dot(axes=1, name="fits_class")([x, vector])
    logit = layers.Add(name="real_and_fits")([logit, fits])
    return keras.Model([picture, label], [logit, features], name="discriminator")


def encoder(image_shape: Sequence[int], widths: Sequence[int], latent_dim: int) -> keras.Model:
    """Pictures to [mean, log-variance] of a code, each (n, ``latent_dim``)."""
    picture = keras.Input(tuple(image_shape), name="picture")
    x = layers.Flatten(name="flat")(_halved(picture, widths))
    moments = [layers.Dense(latent_dim, name=name)(x) for name in ("mean", "log_variance")]
    return keras.Model(picture, moments, name="encoder")


def standardise_codes(encoder: keras.Model, generator: keras.Model, images: Any) -> None:
    """Shift and scale each number of an autoencoder's code, so that it is in N(0, 1)'s place.

    Over the pictures, float32 (n, height, width, channels), codes drawn from the encoder's
    clouds then have mean 0 and variance 1 in every number, as the prior has from which new ones
    are drawn. Reconstructions stay what they are: what the encoder's last layers gain, the first
    layers of the generator take back.
    """
    mean, log_variance = (np.asarray(x, np.float64) for x in encoder.predict(images, verbose=0))
    middle = mean.mean(axis=0)
    spread = np.sqrt(mean.var(axis=0) + np.exp(log_variance).mean(axis=0))
    kernel, bias = encoder.get_layer("mean").get_weights()
    encoder.get_layer("mean").set_weights([kernel / spread, (bias - middle) / spread])
    kernel, bias = encoder.get_layer("log_variance").get_weights()
    encoder.get_layer("log_variance").set_weights([kernel, bias - 2 * np.log(spread)])
    dense, norm = (_first(generator, kind) for kind in (layers.Dense, layers.BatchNormalization))
    (kernel,) = dense.get_weights()
    dense.set_weights([spread[:, None] * kernel])
    # The dense layer has no bias; what the shift adds to all pictures alike, the norm subtracts.
    gamma, beta, moving_mean, moving_variance = norm.get_weights()
    norm.set_weights([gamma, beta, moving_mean - middle @ kernel, moving_variance])


def _first(network: keras.Model, kind: type) -> Any:
    return next(layer for layer in network.layers if isinstance(layer, kind))


def _halved(x: Any, widths: Sequence[int]) -> Any:
    for i, filters in enumerate(widths, 1):
        x = layers.Conv2D(filters, 4, strides=2, padding="same", name=f"conv_{i}")(x)
        x = layers.LeakyReLU(negative_slope=0.2, name=f"leaky_{i}")(x)
    return x


def _norm_relu(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(momentum=0.9, name=f"norm_{name}")(x)
    return layers.ReLU(name=f"relu_{name}")(x)
