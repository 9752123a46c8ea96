"""The classic networks for anime faces: what the two recipes ask for, layer by layer."""

import numpy as np
import pytest

from helpers import anime_models, gans, vaes
from helpers._backend import keras

R5 = (anime_models.dcgan_generator, anime_models.dcgan_discriminator)
R6 = (
    anime_models.vae_gan_encoder,
    anime_models.vae_gan_generator,
    anime_models.vae_gan_discriminator,
)


def weighted(network):
    """Kind, filters or units, filter size and stride of every Dense and convolution."""
    found = []
    for layer in network.layers:
        c = layer.get_config()
        if "units" in c:
            found.append(("Dense", c["units"]))
        elif "filters" in c:
            size, stride = c["kernel_size"][0], c["strides"][0]
            found.append((type(layer).__name__, c["filters"], size, stride))
    return found


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def norms(network):
    """The BatchNormalizations' (momentum, epsilon), all of which must agree."""
    layers = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    (only,) = {(x.momentum, x.epsilon) for x in layers}
    return len(layers), *only


def test_the_dcgan_is_that_of_the_recipe():
    generator, discriminator = (build() for build in R5)
    assert generator.input_shape == (None, 128)
    assert weighted(generator) == [
        ("Dense", 128 * 16 * 16), ("Conv2D", 256, 3, 1), ("Conv2D", 128, 3, 1),
        ("Conv2D", 32, 3, 1), ("Conv2D", 3, 3, 1),
    ]  # fmt: skip
    assert norms(generator)[:2] == (3, 0.8)
    assert kinds(generator)[3:5] == ["UpSampling2D", "Conv2D"]
    assert kinds(generator).count("UpSampling2D") == 2
    assert generator.layers[1].activation is keras.activations.relu
    assert generator.layers[-1].activation is keras.activations.tanh
    assert weighted(discriminator) == [
        ("Conv2D", 32, 3, 2), ("Conv2D", 64, 3, 2), ("Conv2D", 128, 3, 2),
        ("Conv2D", 256, 3, 1), ("Conv2D", 64, 3, 1), ("Dense", 1),
    ]  # fmt: skip
    assert norms(discriminator)[0] == 4
    first, second = kinds(discriminator)[1:4], kinds(discriminator)[4:8]
    assert first == ["Conv2D", "LeakyReLU", "Dropout"]
    assert second == ["Conv2D", "BatchNormalization", "LeakyReLU", "Dropout"]
    slopes = {x.negative_slope for x in discriminator.layers if "Leaky" in type(x).__name__}
    assert slopes == {0.2}
    assert {x.rate for x in discriminator.layers if "Dropout" in type(x).__name__} == {0.3}


def test_the_vae_gan_is_that_of_the_recipe():
    encoder, generator, discriminator = (build() for build in R6)
    assert weighted(encoder) == [
        *[("Conv2D", n, 5, 2) for n in (16, 32, 64, 128)], ("Dense", 256), ("Dense", 256),
    ]  # fmt: skip
    assert norms(encoder) == (4, 0.99, 1e-5)
    mean, log_variance = (encoder.get_layer(name) for name in ("mean", "log_variance"))
    assert mean.activation is keras.activations.linear
    assert log_variance.activation is keras.activations.tanh
    assert weighted(generator) == [
        ("Dense", 2 * 2 * 256), *[("Conv2DTranspose", n, 5, 2) for n in (128, 64, 32, 16, 3)],
    ]  # fmt: skip
    assert norms(generator) == (5, 0.99, 1e-5)
    assert kinds(generator)[2:5] == ["Reshape", "BatchNormalization", "ReLU"]
    assert generator.layers[-1].activation is keras.activations.tanh
    assert weighted(discriminator) == [
        *[("Conv2D", n, 5, 2) for n in (32, 64, 128, 128)], ("Dense", 1),
    ]  # fmt: skip
    assert norms(discriminator) == (3, 0.99, 1e-5)
    assert kinds(discriminator)[1:4] == ["Conv2D", "LeakyReLU", "Conv2D"]
    assert kinds(discriminator)[4:6] == ["BatchNormalization", "LeakyReLU"]


def test_both_sets_of_networks_play_together():
    z = np.random.default_rng(0).normal(size=(3, 7)).astype("float32")
    generator, discriminator = R5[0](7, 2), R5[1](2)
    pictures = generator(z)
    assert pictures.shape == (3, 64, 64, 3)
    assert float(keras.ops.max(keras.ops.abs(pictures))) <= 1
    assert discriminator(pictures).shape == (3, 1)
    gans.GAN(generator, discriminator)
    encoder, decoder, judge = R6[0](7, 2), R6[1](7, 2), R6[2](2)
    mean, log_variance = encoder(pictures)
    assert mean.shape == log_variance.shape == (3, 7)
    assert float(keras.ops.max(keras.ops.abs(log_variance))) < 1
    assert decoder(mean).shape == (3, 64, 64, 3)
    vaes.VAEGAN(encoder, decoder, judge, similarity="pixels")


@pytest.mark.parametrize("build", [*R5, *R6])
def test_capacity_is_a_factor_on_all_filters(build):
    def filters(network):
        return [x.filters for x in network.layers if hasattr(x, "filters") and x.filters != 3]

    once, twice = (filters(build(capacity=c)) for c in (2, 4))
    assert once
    assert twice == [2 * n for n in once]


@pytest.mark.parametrize("build", [*R5, *R6])
@pytest.mark.parametrize("capacity", [0, -1, 1.5])
def test_a_capacity_that_is_none_is_refused(build, capacity):
    with pytest.raises(ValueError, match="CAPACITY is"):
        build(capacity=capacity)


@pytest.mark.parametrize("build", [*R5, *R6])
def test_pictures_codes_and_logits_are_float32_in_half_precision(build, precision):
    precision("mixed_bfloat16")
    assert {x.dtype for x in build(capacity=2).outputs} == {"float32"}
