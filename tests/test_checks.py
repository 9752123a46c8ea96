"""Networks that do not fit together are refused with the mend; see also test_training."""

import re

import numpy as np
import pytest

from helpers import checks
from helpers._backend import keras

layers = keras.layers


def network(*stack):
    return keras.Sequential(list(stack))


@pytest.mark.parametrize(
    "ending",
    [
        [layers.Dense(1, activation="sigmoid")],
        [layers.Dense(1), layers.Activation("sigmoid")],
        [layers.Dense(1), layers.Activation(keras.activations.sigmoid)],
    ],
)
def test_a_discriminator_that_ends_in_a_sigmoid_is_refused(build, ending):
    discriminator = network(keras.Input((4, 4, 1)), layers.Flatten(), *ending)
    with pytest.raises(ValueError, match=r"ends in a sigmoid.*End it in Dense\(1\) with no activ"):
        checks.networks(build.generator(), discriminator)


def test_a_generator_whose_pictures_do_not_fit_the_discriminator_is_refused(build):
    with pytest.raises(ValueError, match=re.escape("makes (4, 5, 1), but the discriminator takes")):
        checks.networks(build.generator(shape=(4, 5, 1)), build.discriminator())


def test_a_discriminator_without_one_logit_a_picture_is_refused(build):
    discriminator = network(keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2))
    with pytest.raises(ValueError, match=r"gives \(2,\) numbers a picture.*one logit: end it in D"):
        checks.networks(build.generator(), discriminator)


def test_a_generator_that_does_not_take_flat_z_is_refused(build):
    generator = network(keras.Input((4, 4, 1)), layers.ReLU())
    with pytest.raises(ValueError, match=r"must take z of shape \(None, latent_dim\)"):
        checks.networks(generator, build.discriminator())


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_whole_numbers_pass(value):
    checks.whole("N", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, np.float32(2)])
def test_what_is_no_whole_number_of_at_least_1_is_refused_by_name(value):
    with pytest.raises(ValueError, match=f"^N is {re.escape(repr(value))}; it must be a whole"):
        checks.whole("N", value)


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 0.999])
def test_fractions_pass(value):
    checks.fraction("F", value)


@pytest.mark.parametrize("value", [-0.1, 1, 2, float("nan")])
def test_what_is_no_fraction_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^F is .*; it must be at least 0 and less than 1"):
        checks.fraction("F", value)


def test_a_choice_is_refused_with_the_choices():
    checks.choice("C", "a", ("a", "b"))
    with pytest.raises(ValueError, match=r"^C is 'c'; there is: a, b"):
        checks.choice("C", "c", ("a", "b"))


def test_pictures_a_little_over_one_pass_and_unseen_ones_too():
    checks.images(np.float32([[[[-1.0005]], [[1.0005]]]]), (2, 1, 1))
    checks.images(None, (2, 1, 1))
