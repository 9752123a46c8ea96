"""Pictures out of models, functions and arrays: which z, which labels, what is refused."""

import numpy as np
import pytest

from helpers import samples, training
from helpers._backend import keras
from helpers.plotting import as_uint8

SHAPE = (4, 4, 1)


def sorted_rows(images):
    return np.sort(images.reshape(len(images), -1), axis=0)


def test_a_network_is_asked_for_normal_z_of_the_seed(build):
    generator = build.generator()
    drawn = samples.draw(generator, 9, SHAPE, seed=3)
    expected = generator.predict(training.noise(9, 3, seed=3, step=-1), verbose=0)
    np.testing.assert_allclose(sorted_rows(drawn.images), sorted_rows(expected), rtol=1e-5)
    assert drawn.images.dtype == np.float32
    assert drawn.labels is None
    other = samples.draw(generator, 9, SHAPE, seed=4)
    assert not np.allclose(sorted_rows(drawn.images), sorted_rows(other.images))


def test_a_model_of_helpers_gives_its_averaged_network_its_kind_of_z(build):
    gan = build.gan(noise="uniform", ema_decay=0.5)
    gan.ema_generator.set_weights([2 * w for w in gan.generator.get_weights()])
    drawn = samples.draw(gan, 9, SHAPE)
    np.testing.assert_allclose(
        sorted_rows(drawn.images), sorted_rows(gan.generate(9, seed=0)), rtol=1e-5
    )


def test_a_function_is_asked_for_n_and_the_seed(pictures):
    asked = []

    def make(n, seed):
        asked.append((n, seed))
        return pictures[:n]

    drawn = samples.draw(make, 7, SHAPE, seed=5)
    assert asked == [(7, 5)]
    np.testing.assert_array_equal(sorted_rows(drawn.images), sorted_rows(pictures[:7]))


def test_a_function_may_say_what_its_pictures_show(pictures):
    drawn = samples.draw(lambda n, seed: (pictures[:n], np.arange(n)), 7, SHAPE)
    np.testing.assert_array_equal(pictures[drawn.labels], drawn.images)
    assert sorted(drawn.labels) == list(range(7))


def test_pictures_and_labels_are_drawn_together_in_an_order_of_the_seed(pictures):
    labels = np.arange(16)
    drawn = samples.draw(pictures, 10, SHAPE, labels=labels, seed=1)
    np.testing.assert_array_equal(pictures[drawn.labels], drawn.images)
    assert len(set(drawn.labels)) == 10
    assert list(drawn.labels) != sorted(drawn.labels)
    again = samples.draw(pictures, 10, SHAPE, labels=labels, seed=1)
    np.testing.assert_array_equal(again.labels, drawn.labels)
    assert len(samples.draw(pictures, 99, SHAPE).images) == 16


def test_uint8_pictures_stay_what_they_are_and_floats_become_float32(pictures):
    drawn = samples.draw(as_uint8(pictures), 16, SHAPE)
    np.testing.assert_array_equal(
        sorted_rows(drawn.images), sorted_rows(as_uint8(pictures)), strict=True
    )
    assert samples.draw(pictures.astype(np.float64), 16, SHAPE).images.dtype == np.float32


@pytest.fixture
def conditional():
    """Maps [z (n, 3), labels (n, 2)] to pictures whose every pixel is ± the second label."""
    z, label = keras.Input((3,)), keras.Input((2,))
    value = keras.layers.Lambda(lambda x: x[:, 1:] - 0.5)(label)
    flat = keras.layers.Concatenate()([value] * 16)
    flat = keras.layers.Add()([flat, keras.layers.Dense(16, kernel_initializer="zeros")(z)])
    return keras.Model([z, label], keras.layers.Reshape(SHAPE)(flat))


def test_a_conditional_network_is_asked_for_the_labels_given(conditional):
    labels = np.array([0, 1, 1, 0, 1, 0, 0, 0])
    drawn = samples.draw(conditional, 8, SHAPE, labels=labels)
    assert sorted(drawn.labels) == sorted(labels)
    np.testing.assert_array_equal(drawn.images[:, 0, 0, 0], drawn.labels - 0.5)


def test_a_conditional_network_is_asked_for_what_the_pool_holds_if_nothing_is_given(conditional):
    drawn = samples.draw(conditional, 400, SHAPE, pool=np.array([0, 1, 1, 1]))
    assert drawn.labels.mean() == pytest.approx(0.75, abs=0.08)
    np.testing.assert_array_equal(drawn.images[:, 0, 0, 0], drawn.labels - 0.5)
    rows = samples.draw(conditional, 5, SHAPE, pool=np.array([[1, 0], [0, 1]]))
    np.testing.assert_array_equal(rows.images[:, 0, 0, 0], rows.labels[:, 1] - 0.5)


def test_a_pool_is_nothing_to_a_network_without_condition(build):
    assert samples.draw(build.generator(), 5, SHAPE, pool=np.arange(9)).labels is None


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (None, "say with labels= what to ask for"),
        (np.array([0, 2]), "whole numbers from 0 to 1"),
        (np.array([0, -1]), "whole numbers from 0 to 1"),
        (np.array([0.0, 1.0]), "whole numbers from 0 to 1"),
        (np.zeros((2, 3)), "labels of 3 attributes; the generator has 2"),
    ],
)
def test_labels_that_a_network_cannot_take_are_refused(conditional, labels, names):
    with pytest.raises(ValueError, match=names):
        samples.draw(conditional, 2, SHAPE, labels=labels)


def test_labels_for_a_network_without_condition_and_pictures_as_input_are_refused(build):
    with pytest.raises(ValueError, match="takes no condition"):
        samples.draw(build.generator(), 2, SHAPE, labels=np.array([0, 1]))
    with pytest.raises(ValueError, match=r"a generator takes z, of shape \(latent_dim,\)"):
        samples.draw(build.discriminator(), 2, SHAPE)
    with pytest.raises(TypeError, match=r"an array of pictures; this is a list"):
        samples.draw([1, 2], 2, SHAPE)


@pytest.mark.parametrize(
    ("spoil", "error", "names"),
    [
        (lambda x: x[:, :3], ValueError, r"shape \(16, 3, 4, 1\); \(n, \*\(4, 4, 1\)\)"),
        (lambda x: x[0], ValueError, "have shape"),
        (lambda x: x[:0], ValueError, "have shape"),
        (lambda x: (x + 1) / 2, ValueError, r"Stretch \[0, 1\] with 2 \* images - 1"),
        (lambda x: (x + 1) * 127.5, ValueError, r"give \[0, 255\] as uint8"),
        (lambda x: x.astype(np.int64), TypeError, "int64; they must be float"),
        (lambda x: x * np.nan, ValueError, "NaN or infinity: the training has broken down"),
    ],
)
def test_pictures_that_would_be_misjudged_are_refused(pictures, spoil, error, names):
    with pytest.raises(error, match=names):
        samples.draw(spoil(pictures), 16, SHAPE)


def test_labels_must_be_as_many_as_the_pictures(pictures):
    with pytest.raises(ValueError, match="3 labels do not fit 16 pictures"):
        samples.draw(pictures, 16, SHAPE, labels=np.arange(3))
