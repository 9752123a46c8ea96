"""Networks for faces: shapes, ranges, sizes, capacity, and what each recipe asks for."""

import numpy as np
import pytest

from helpers import face_models, gans
from helpers._backend import keras

PAIRS = {
    "dcgan": (face_models.dcgan_generator, face_models.dcgan_discriminator, 32, 4),
    "minimal": (face_models.minimal_generator, face_models.minimal_discriminator, 64, 2),
    "recommended": (face_models.face_generator, face_models.face_discriminator, 64, 4),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_plays_together(name):
    generator, discriminator, size, capacity = PAIRS[name]
    made, judge = generator(latent_dim=7, capacity=capacity), discriminator(capacity=capacity)
    pictures = made(np.random.default_rng(0).normal(size=(3, 7)).astype("float32"))
    assert pictures.shape == (3, size, size, 3)
    assert float(keras.ops.max(keras.ops.abs(pictures))) <= 1
    assert judge(pictures).shape == (3, 1)
    gans.GAN(made, judge)  # which checks that they fit


@pytest.mark.parametrize("name", PAIRS)
def test_capacity_is_a_factor_on_all_filters(name):
    def filters(network):
        kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        return [layer.filters for layer in network.layers if isinstance(layer, kinds)]

    generator, discriminator, _, capacity = PAIRS[name]
    *inner, last = filters(generator(capacity=capacity))
    assert last == 3
    assert filters(generator(capacity=2 * capacity)) == [2 * n for n in inner] + [3]
    once, twice = (filters(discriminator(capacity=c)) for c in (capacity, 2 * capacity))
    assert twice == [2 * n for n in once]


@pytest.mark.parametrize("name", ["minimal", "recommended"])
@pytest.mark.parametrize("size", [16, 32, 128])
def test_other_sizes_are_made_and_judged(name, size):
    generator, discriminator, _, capacity = PAIRS[name]
    made, judge = (
        build(capacity=capacity, image_size=size) for build in (generator, discriminator)
    )
    assert made.output_shape == judge.input_shape == (None, size, size, 3)


@pytest.mark.parametrize("build", [*PAIRS["minimal"][:2], *PAIRS["recommended"][:2]])
@pytest.mark.parametrize("size", [0, 4, 48, 100, 64.5])
def test_a_size_that_cannot_be_made_is_refused(build, size):
    with pytest.raises(ValueError, match="IMAGE_SIZE is"):
        build(image_size=size)


def test_the_refusal_names_sizes_that_can_be_made():
    with pytest.raises(ValueError, match="one of 16, 32, 64"):
        face_models.face_generator(image_size=100)
    with pytest.raises(ValueError, match="one of 16, 32, 64"):
        face_models.face_discriminator(image_size=8)
    with pytest.raises(ValueError, match="one of 8, 16, 32"):
        face_models.minimal_generator(image_size=100)
    assert [face_models.doublings(size) for size in (8, 16, 64)] == [1, 2, 4]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("capacity", [0, -1, 1.5])
def test_a_capacity_that_is_none_is_refused(name, capacity):
    for build in PAIRS[name][:2]:
        with pytest.raises(ValueError, match="CAPACITY is"):
            build(capacity=capacity)


def test_the_dcgan_starts_with_small_weights_that_differ_from_layer_to_layer():
    keras.utils.set_random_seed(0)
    for network in (face_models.dcgan_generator(capacity=8), face_models.dcgan_discriminator(8)):
        kernels = [w.numpy() for w in network.trainable_weights if w.name == "kernel"]
        assert len(kernels) == 4
        assert [k.std() for k in kernels] == pytest.approx([0.02] * 4, rel=0.2)
        assert len({float(k.ravel()[0]) for k in kernels}) == 4


def test_norms_stand_where_the_recipes_put_them():
    def after_convolutions(network):
        """For each convolution, whether a norm follows it."""
        kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        followed = zip(network.layers, network.layers[1:], strict=False)
        norm = keras.layers.BatchNormalization
        return [isinstance(after, norm) for layer, after in followed if isinstance(layer, kinds)]

    assert after_convolutions(face_models.dcgan_discriminator(4)) == [False, True, True]
    assert after_convolutions(face_models.dcgan_generator(capacity=4)) == [True, True, False]
    assert after_convolutions(face_models.minimal_discriminator(2)) == [True] * 8
    assert after_convolutions(face_models.face_discriminator(4)) == [False] * 3


def test_the_recommended_discriminator_can_be_trained_with_r1():
    judge = face_models.face_discriminator(2, image_size=16)
    gans.GAN(face_models.face_generator(capacity=2, image_size=16), judge, r1=1.0)


def test_the_classic_pairs_have_the_published_sizes():
    shapes = [x.output.shape[1:] for x in face_models.dcgan_generator().layers]
    assert {(4, 4, 512), (8, 8, 256), (16, 16, 128), (32, 32, 3)} <= set(shapes)
    shapes = [x.output.shape[1:] for x in face_models.dcgan_discriminator().layers]
    assert {(16, 16, 64), (8, 8, 128), (4, 4, 256)} <= set(shapes)
    shapes = [x.output.shape[1:] for x in face_models.minimal_generator().layers]
    assert {(4, 4, 128), (8, 8, 64), (16, 16, 32), (32, 32, 16), (64, 64, 16)} <= set(shapes)
    shapes = [x.output.shape[1:] for x in face_models.minimal_discriminator().layers]
    assert {(32, 32, 16), (16, 16, 32), (8, 8, 64), (4, 4, 128), (128,)} <= set(shapes)


@pytest.mark.parametrize("name", PAIRS)
def test_pictures_and_logits_are_float32_in_half_precision(name, precision):
    precision("mixed_bfloat16")
    generator, discriminator, _, capacity = PAIRS[name]
    assert generator(capacity=capacity).output.dtype == "float32"
    assert discriminator(capacity=capacity).output.dtype == "float32"
