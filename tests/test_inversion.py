"""The code of a picture is found again, and the generator is left alone."""

import numpy as np
import pytest

from helpers import inversion, latent
from helpers._backend import keras


@pytest.fixture(scope="module")
def generator():
    """A small one that is smooth in z, with BatchNormalization whose averages are not 0 and 1."""
    keras.utils.set_random_seed(3)
    z = keras.Input((4,))
    x = keras.layers.Dense(8 * 8 * 3)(keras.layers.BatchNormalization()(z))
    x = keras.layers.Reshape((8, 8, 3))(keras.layers.Activation("tanh")(x))
    network = keras.Model(z, x)
    scale, shift, mean, variance = network.layers[1].get_weights()
    network.layers[1].set_weights([scale, shift, mean + 0.5, 2 * variance])
    return network


def error(draw, z, wanted):
    return float(np.square(draw(z) - wanted).mean())


def test_a_known_code_is_found_better_than_by_chance(generator):
    draw = latent.Drawer(generator)
    z = np.random.default_rng(7).normal(size=(6, 4))
    wanted = draw(z)
    found = inversion.invert(generator, wanted, steps=200, candidates=50)
    assert found.shape == (6, 4)
    assert found.dtype == np.float32
    start = inversion._nearest(draw, wanted, 50, 0)
    chance = np.random.default_rng(8).normal(size=(6, 4))
    assert error(draw, start, wanted) < error(draw, chance, wanted)
    assert error(draw, found, wanted) < 0.01 * error(draw, start, wanted)
    np.testing.assert_allclose(found, z, atol=0.1)  # this generator gives no two codes one picture


def test_each_picture_is_searched_by_itself(generator):
    draw = latent.Drawer(generator)
    wanted = draw(np.random.default_rng(7).normal(size=(3, 4)))
    options = {"steps": 100, "candidates": 20}
    together = inversion.invert(generator, wanted, **options)
    for i in range(3):
        alone = inversion.invert(generator, wanted[i : i + 1], **options)
        np.testing.assert_allclose(alone, together[i : i + 1], atol=0.02)


def test_the_generator_stays_as_it_is(generator):
    before = [weight.copy() for weight in generator.get_weights()]
    inversion.invert(generator, np.zeros((2, 8, 8, 3), np.float32), steps=3, candidates=5)
    for old, new in zip(before, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert generator.trainable
    assert len(generator.trainable_variables) == 4


def test_the_start_is_the_nearest_of_the_candidates(generator):
    draw = latent.Drawer(generator)
    z = np.random.default_rng(0).normal(size=(30, 4))
    np.testing.assert_allclose(
        inversion._nearest(draw, draw(z[[4, 17]]), 30, 0), z[[4, 17]], rtol=1e-6
    )


def test_bad_input_is_named(generator):
    good = np.zeros((2, 8, 8, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(9, 8, 3\).*takes \(8, 8, 3\)"):
        inversion.invert(generator, np.zeros((2, 9, 8, 3), np.float32))
    with pytest.raises(TypeError, match="to_float"):
        inversion.invert(generator, np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="steps is 0"):
        inversion.invert(generator, good, steps=0)
    with pytest.raises(ValueError, match="candidates is 0"):
        inversion.invert(generator, good, candidates=0)
