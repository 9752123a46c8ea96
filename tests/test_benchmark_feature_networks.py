"""What the benchmark of the feature networks counts and changes."""

import numpy as np
import pytest

from benchmarks import feature_networks as benchmark


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)


def test_the_nearest_come_first_and_a_picture_is_nearest_to_itself(pictures):
    found = benchmark.nearest(pictures[[7, 30]], pictures, k=4)
    difference = pictures[[7, 30], None].astype(float) - pictures[None]
    every = np.square(difference).sum(axis=(2, 3, 4))
    assert found[:, 0].tolist() == [7, 30]
    assert found.tolist() == np.argsort(every, axis=1)[:, :4].tolist()


def test_confusions_are_listed_by_how_often_they_happen():
    shown, guesses = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 2, 1, 2])
    assert benchmark.confusions(shown, guesses, ("L", "I", "1")) == "L>I 2  I>1 1"


def test_the_pictures_of_a_class_or_with_an_attribute_are_left_out(pictures):
    classes = benchmark.Seen(pictures, np.arange(40) % 4)
    np.testing.assert_array_equal(benchmark.without(classes, 1), pictures[np.arange(40) % 4 != 1])
    attributes = benchmark.Seen(pictures, np.stack([np.arange(40) < 9, np.arange(40) % 2], axis=1))
    np.testing.assert_array_equal(benchmark.without(attributes, 0), pictures[9:])


def test_changed_pictures_are_softer_noisier_and_lighter_by_what_is_said(pictures):
    grey = np.full((4, 16, 16, 1), 100, np.uint8)
    assert (benchmark.blurred(grey, 2.0) == 100).all()
    assert benchmark.blurred(pictures, 1.0).std() < pictures.std() / 2
    noise = benchmark.noisy(grey, 10).astype(float) - 100
    assert abs(noise.mean()) < 1
    assert noise.std() == pytest.approx(10, rel=0.1)
    assert (benchmark.lighter(grey, 40) == 140).all()
    assert (benchmark.lighter(grey, 200) == 255).all()


def test_the_order_that_distances_must_have():
    known = {"real": 1.0, "blur 0.5 px": 2.0, "blur 1.0 px": 3.0, "noise 10": 2.0, "no 5": 4.0}
    assert benchmark.as_expected(known)
    assert not benchmark.as_expected({**known, "no 5": 0.5})
    assert not benchmark.as_expected({**known, "blur 0.5 px": 3.5})
