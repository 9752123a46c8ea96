"""A VAE's networks: shapes of any picture, what the recipe asks for, and that pairs train."""

import numpy as np
import pytest

from helpers import face_models, vae_models, vaes
from helpers._backend import keras

SMALL = (34, 23, 3)  # odd sides, as CelebA's are after the first halving


def kinds(network):
    """Of each layer with a size its kind and that size."""
    sizes = ("filters", "units", "pool_size", "size")
    found = [(type(x).__name__, x.get_config()) for x in network.layers]
    return [(kind, next(c[s] for s in sizes if s in c)) for kind, c in found if {*sizes} & {*c}]


def test_pictures_of_celeba_come_out_as_they_went_in():
    encoder = vae_models.celeba_vae_encoder(capacity=1)
    decoder = vae_models.celeba_vae_decoder(capacity=1)
    assert encoder.input_shape == decoder.output_shape == (None, 218, 178, 3)
    assert encoder.output_shape == [(None, 512), (None, 512)]
    assert decoder.input_shape == (None, 512)


@pytest.mark.parametrize("shape", [SMALL, (16, 16, 1), (17, 40, 3)])
def test_any_picture_shape_fits(shape):
    encoder = vae_models.celeba_vae_encoder(5, 2, shape)
    decoder = vae_models.celeba_vae_decoder(5, 2, shape)
    vaes.VAE(encoder, decoder)  # which checks that they fit
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape)).astype("float32")
    mean, log_variance = encoder(x)
    assert mean.shape == log_variance.shape == (3, 5)
    made = decoder(mean)
    assert made.shape == (3, *shape)
    assert float(keras.ops.max(keras.ops.abs(made))) <= 1


def test_the_classic_encoder_is_that_of_the_recipe():
    network = vae_models.celeba_vae_encoder(image_shape=SMALL)
    assert kinds(network) == [
        ("Conv2D", 32), ("MaxPooling2D", (2, 2)), ("Conv2D", 64), ("MaxPooling2D", (2, 2)),
        ("Conv2D", 128), ("MaxPooling2D", (2, 2)), ("Conv2D", 256), ("MaxPooling2D", (2, 2)),
        ("Dense", 512), ("Dense", 512),
    ]  # fmt: skip
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert {x.kernel_size for x in convolutions} == {(3, 3)}
    assert {x.activation for x in convolutions} == {keras.activations.relu}
    names = [type(x).__name__ for x in network.layers]
    assert names.count("BatchNormalization") == 4 + 2
    assert [x.name for x in network.layers[-2:]] == ["mean", "log_variance"]
    assert all(isinstance(x, keras.layers.BatchNormalization) for x in network.layers[-2:])


def test_the_classic_decoder_is_that_of_the_recipe():
    network = vae_models.celeba_vae_decoder(image_shape=SMALL)
    assert kinds(network) == [
        ("Dense", 3 * 2 * 256), ("UpSampling2D", (2, 2)), ("Conv2DTranspose", 256),
        ("UpSampling2D", (2, 2)), ("Conv2DTranspose", 128), ("UpSampling2D", (2, 2)),
        ("Conv2DTranspose", 64), ("UpSampling2D", (2, 2)), ("Conv2DTranspose", 32),
        ("Conv2DTranspose", 3),
    ]  # fmt: skip
    names = [type(x).__name__ for x in network.layers]
    assert (names.count("Cropping2D"), names.count("BatchNormalization")) == (4, 4)
    assert network.layers[-1].activation is keras.activations.tanh


def test_sizes_are_halved_and_rounded_up():
    assert vae_models.sizes((218, 178, 3)) == [(218, 178), (109, 89), (55, 45), (28, 23), (14, 12)]
    network = vae_models.celeba_vae_encoder(5, 1, SMALL)
    pooled = [x.output.shape[1:3] for x in network.layers if "pooling" in x.name]
    assert pooled == vae_models.sizes(SMALL)[1:]


def test_capacity_is_a_factor_on_all_filters():
    for build in (vae_models.celeba_vae_encoder, vae_models.celeba_vae_decoder):
        # The decoder's fifth makes the colors.
        once, twice = (
            [n for kind, n in kinds(build(5, c, SMALL)) if kind.startswith("Conv")][:4]
            for c in (2, 4)
        )
        assert len(once) == 4
        assert twice == [2 * n for n in once]


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_face_encoder_is_the_discriminator_with_two_heads(size):
    encoder = vae_models.face_encoder(7, 4, size)
    vaes.VAE(encoder, face_models.face_generator(7, 4, size))
    judge = face_models.face_discriminator(4, size)
    *trunk, _ = [w.shape for w in judge.weights[:-1]]
    assert [w.shape for w in encoder.weights[:-4]] == trunk
    assert encoder.output_shape == [(None, 7), (None, 7)]
    assert encoder.output_names == ["mean", "log_variance"]


def test_a_vae_has_about_the_weights_of_the_gan():
    encoder, judge = vae_models.face_encoder(), face_models.face_discriminator()
    generator = face_models.face_generator().count_params()
    ratio = (encoder.count_params() + generator) / (judge.count_params() + generator)
    assert 0.97 < ratio < 1.03


@pytest.mark.parametrize(
    ("encoder", "decoder", "shape"),
    [
        (
            vae_models.celeba_vae_encoder(5, 4, SMALL),
            vae_models.celeba_vae_decoder(5, 4, SMALL),
            SMALL,
        ),
        (vae_models.face_encoder(5, 4, 16), face_models.face_generator(5, 4, 16), (16, 16, 3)),
    ],
    ids=["classic", "faces"],
)
def test_a_pair_learns(encoder, decoder, shape):
    model = vaes.VAE(encoder, decoder)
    model.compile(keras.optimizers.RMSprop(1e-3))
    shades = np.linspace(-0.9, 0.9, 16, dtype="float32")
    x = np.broadcast_to(shades[:, None, None, None], (16, *shape)).copy()
    history = model.fit(x, batch_size=8, epochs=40, verbose=0).history["reconstruction"]
    assert history[-1] < 0.5 * history[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"latent_dim": 0}, "LATENT_DIM is 0"),
        ({"capacity": 0}, "CAPACITY is 0"),
        ({"image_shape": (15, 64, 3)}, r"\(15, 64, 3\).*at least 16"),
        ({"image_shape": (64, 64)}, r"\(64, 64\); it must be \(height"),
    ],
)
@pytest.mark.parametrize("build", [vae_models.celeba_vae_encoder, vae_models.celeba_vae_decoder])
def test_bad_arguments_are_named(build, arguments, says):
    with pytest.raises(ValueError, match=says):
        build(**arguments)


def test_a_bad_size_of_faces_is_named():
    with pytest.raises(ValueError, match="IMAGE_SIZE is 48"):
        vae_models.face_encoder(image_size=48)
