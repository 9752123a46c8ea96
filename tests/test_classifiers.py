"""The classifiers behind the scores: what goes in, what comes out."""

import numpy as np
import pytest

from helpers import classifiers
from helpers._backend import keras


@pytest.mark.parametrize(
    ("build", "outputs", "shape"),
    [
        (classifiers.grey_28x28, 10, (28, 28, 1)),
        (classifiers.grey_28x28, 47, (28, 28, 1)),
        (classifiers.color_64x64, 18, (64, 64, 3)),
    ],
)
def test_a_classifier_gives_logits_and_128_features_that_are_not_negative(build, outputs, shape):
    keras.utils.set_random_seed(0)
    classifier = build(outputs, name="mine")
    assert classifier.name == "mine"
    assert classifier.input_shape == (None, *shape)
    assert classifier.output_shape == (None, outputs)
    pictures = np.random.default_rng(0).uniform(-1, 1, (6, *shape)).astype(np.float32)
    features = keras.Model(classifier.input, classifier.get_layer("features").output)
    seen = np.asarray(features(pictures, training=False))
    assert seen.shape == (6, 128)
    assert seen.min() == 0
    assert seen.max() > 0
    logits = np.asarray(classifier(pictures, training=False))
    assert logits.min() < 0 < logits.max()
    # the decision is made of the features, and of nothing else
    by_hand = seen @ classifier.get_layer("logits").kernel.numpy()
    np.testing.assert_allclose(logits, by_hand, atol=1e-5)


@pytest.mark.parametrize("build", [classifiers.grey_28x28, classifiers.color_64x64])
def test_a_classifier_is_small_enough_to_ship(build):
    assert 4 * build(47).count_params() < 2_900_000
