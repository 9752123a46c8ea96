"""The builders: shapes, sizes, ranges, and pairs that fit together."""

import inspect

import numpy as np
import pytest

from helpers import checks, models
from helpers._backend import keras

BUILDERS = {
    name: function
    for name, function in inspect.getmembers(models, inspect.isfunction)
    if function.__module__ == models.__name__
}
PAIRS = ["points", "classic", "digit"]  # the conditional ones: tests/test_adversarial.py


@pytest.fixture(scope="module", autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_generator_and_its_discriminator_fit_together(pair):
    generator = BUILDERS[f"{pair}_generator"]()
    discriminator = BUILDERS[f"{pair}_discriminator"]()
    checks.networks(generator, discriminator)
    z = np.random.default_rng(0).normal(size=(5, *generator.input_shape[1:])).astype(np.float32)
    made = generator(z, training=False)
    logits = discriminator(made, training=False)
    assert tuple(made.shape) == (5, *generator.output_shape[1:])
    assert tuple(logits.shape) == (5, 1)
    assert np.isfinite(logits).all()
    assert (generator.name, discriminator.name) == ("generator", "discriminator")
    if made.shape[1:] != (2,):
        assert np.abs(made).max() <= 1
        # tanh, not something that only reaches half of the range
        assert np.min(generator(100 * z, training=False)) < -0.5


@pytest.mark.parametrize("pair", PAIRS)
def test_a_generator_takes_the_latent_dimension_asked_for(pair):
    assert BUILDERS[f"{pair}_generator"](latent_dim=7).input_shape == (None, 7)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # z·1024, ·6272, BatchNormalization of 6272, 5·5·128·64, 5·5·64·1, each with biases
        (
            "classic_generator",
            101 * 1024 + 1025 * 6272 + 4 * 6272 + (25 * 128 + 1) * 64 + (25 * 64 + 1),
        ),
        # 5·5·1·64, 5·5·64·128, (5·5·128)·1024, 1024·1, each with biases
        (
            "classic_discriminator",
            26 * 64 + (25 * 64 + 1) * 128 + (3200 + 1) * 1024 + 1025,
        ),
        ("points_generator", 9 * 64 + 65 * 64 + 65 * 2),
        ("points_discriminator", 3 * 64 + 65 * 64 + 65),
    ],
)
def test_networks_have_the_layers_of_their_recipe(name, parameters):
    assert BUILDERS[name]().count_params() == parameters


@pytest.mark.parametrize("name", ["classic_generator", "classic_discriminator"])
def test_the_classic_recipe_has_tanh_throughout(name):
    activations = [
        layer.activation.__name__
        for layer in BUILDERS[name]().layers
        if hasattr(layer, "activation") and layer.activation is not keras.activations.linear
    ]
    assert set(activations) == {"tanh"}
