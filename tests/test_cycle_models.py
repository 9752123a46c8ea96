"""CycleGAN's networks: what the papers ask for, layer by layer, and what a verdict looks at."""

import numpy as np
import pytest

from helpers import cycle_models, cyclegan, training
from helpers._backend import keras

BUILDERS = (cycle_models.resnet_generator, cycle_models.patch_discriminator)


def convolutions(network):
    """Filters, size, stride and whether there is a bias, of every convolution."""
    found = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    return [(x.filters, x.kernel_size[0], x.strides[0], x.use_bias) for x in found]


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def pictures(n=2, size=16, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, size, size, 3)).astype(np.float32)


def test_the_generator_is_that_of_the_papers():
    network = cycle_models.resnet_generator(128)
    assert convolutions(network) == [
        (64, 7, 1, False), (128, 3, 2, False), (256, 3, 2, False), *[(256, 3, 1, False)] * 12,
        (128, 3, 1, False), (64, 3, 1, False), (3, 7, 1, True),
    ]  # fmt: skip
    assert network.input_shape == network.output_shape == (None, 128, 128, 3)
    found = kinds(network)
    assert [found.count(k) for k in ("Add", "UpSampling2D", "GroupNormalization")] == [6, 2, 17]
    assert found[1:4] == ["Conv2D", "GroupNormalization", "ReLU"]
    assert network.layers[-1].activation is keras.activations.tanh, "a picture in [-1, 1]"
    add = found.index("Add")
    block = ["Conv2D", "GroupNormalization", "ReLU", "Conv2D", "GroupNormalization", "Add"]
    assert found[add - 5 : add + 1] == block
    assert found[add + 1] == "Conv2D", "no ReLU after the sum"


def test_the_discriminator_is_that_of_the_paper():
    network = cycle_models.patch_discriminator(256, downs=3)
    assert convolutions(network) == [
        (64, 4, 2, True), (128, 4, 2, False), (256, 4, 2, False), (512, 4, 1, False),
        (1, 4, 1, True),
    ]  # fmt: skip
    found = kinds(network)
    assert found[1:6] == ["Conv2D", "LeakyReLU", "Conv2D", "GroupNormalization", "LeakyReLU"]
    assert found.count("GroupNormalization") == 3
    assert {x.negative_slope for x in network.layers if "Leaky" in type(x).__name__} == {0.2}
    assert network.output_shape == (None, 32, 32, 1)


@pytest.mark.parametrize(("downs", "field"), [(1, 16), (2, 34), (3, 70)])
def test_a_verdict_looks_at_its_field_and_at_nothing_else(downs, field):
    size = 96
    network = cycle_models.patch_discriminator(size, capacity=2, downs=downs)
    assert cycle_models.receptive_field(network) == field
    # Instance normalization looks at the whole picture: measured without it.
    plain = keras.Sequential(
        [keras.Input((size, size, 3))]
        + [x for x in network.layers[1:] if "Normalization" not in type(x).__name__]
    )

    def one(x):
        verdicts = plain(x)
        return verdicts[0, verdicts.shape[1] // 2, verdicts.shape[2] // 2, 0]

    slope = training.input_gradient(one, keras.ops.convert_to_tensor(pictures(1, size)))
    touched = np.abs(slope[0]).sum(axis=-1) > 0
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    assert len(rows) == len(columns) == field == np.ptp(rows) + 1


def test_each_channel_of_each_picture_is_normalized_by_itself():
    network = cycle_models.resnet_generator(16, capacity=4, blocks=1)
    norm = next(i for i, x in enumerate(network.layers) if "Normalization" in type(x).__name__)
    before, after = (
        np.asarray(keras.Model(network.inputs, network.layers[i].output)(pictures()))
        for i in (norm - 1, norm)
    )
    mean, var = (f(before, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    np.testing.assert_allclose(after, (before - mean) / np.sqrt(var + 1e-5), atol=1e-4)
    # So one picture does not depend on the others of its batch.
    x = pictures(3)
    np.testing.assert_allclose(network(x)[:1], network(x[:1]), atol=1e-5)


def masked(mask=None):
    """A translator with a mask; `mask`: of this value everywhere, and what it paints is white."""
    network = cycle_models.resnet_generator(16, capacity=4, blocks=1, masked=True)
    if mask is not None:
        for name, value in (("mask", np.log(mask / (1 - mask))), ("painted", 20.0)):
            weights, bias = network.get_layer(name).get_weights()
            network.get_layer(name).set_weights([0 * weights, 0 * bias + value])
    return network


@pytest.mark.parametrize("mask", [1e-9, 0.25, 1 - 1e-9])
def test_a_mask_says_how_much_of_a_pixel_is_painted(mask):
    x = pictures()
    np.testing.assert_allclose(masked(mask)(x), mask + (1 - mask) * x, atol=1e-5)


def test_a_mask_is_one_number_a_pixel_and_begins_in_the_middle():
    network, x = masked(), pictures()
    parts = keras.Model(network.inputs, [network.get_layer(n).output for n in ("mask", "painted")])
    mask, painted = (np.asarray(y) for y in parts(x))
    assert mask.shape == (2, 16, 16, 1)
    assert 0.1 < mask.min() < mask.max() < 0.9
    assert abs(mask.mean() - 0.5) < 0.2
    np.testing.assert_allclose(network(x), mask * painted + (1 - mask) * x, atol=1e-5)
    assert np.abs(network(np.sign(x))).max() <= 1, "what comes out is a picture again"


def test_with_a_mask_the_way_up_sees_what_the_way_down_saw():
    network = masked()
    joined = [x for x in network.layers if isinstance(x, keras.layers.Concatenate)]
    assert [x.output.shape[1:] for x in joined] == [(8, 8, 24), (16, 16, 12)]
    down = [x for x in network.layers if isinstance(x, keras.layers.ReLU)][:2]
    for join, seen in zip(joined, reversed(down), strict=True):
        assert join.input[1] is seen.output
    plain = cycle_models.resnet_generator(16, capacity=4, blocks=1)
    assert not {"Concatenate", "Multiply"} & set(kinds(plain))


def test_the_networks_play_together_and_can_be_saved(tmp_path):
    options = {"capacity": 2, "blocks": 1, "masked": True}
    pair = [cycle_models.resnet_generator(16, **options) for _ in range(2)]
    judges = [cycle_models.patch_discriminator(16, capacity=2) for _ in range(2)]
    cycle = cyclegan.CycleGAN(*pair, *judges, pool=4)
    cycle.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    a, b = pictures(4), pictures(4, seed=1)
    cycle.fit(a, b, batch_size=2, epochs=1, verbose=0)
    cycle.sampler.save(tmp_path / "generator.keras")
    again = keras.models.load_model(tmp_path / "generator.keras", compile=False)
    np.testing.assert_allclose(again(a), cycle.sampler(a), atol=1e-6)


@pytest.mark.parametrize("build", BUILDERS)
def test_capacity_is_a_factor_on_all_filters(build):
    def filters(network):
        return [n for n, *_ in convolutions(network)[:-1]]

    once, twice = (filters(build(16, capacity=c)) for c in (2, 4))
    assert twice == [2 * n for n in once]


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"capacity": 0}, "CAPACITY is 0"),
        ({"downs": 1.5}, "DOWNS is 1.5"),
        ({"image_size": 30}, "IMAGE_SIZE is 30; with 2 DOWNS it must be a multiple of 4"),
        ({"image_size": 20, "downs": 3}, "a multiple of 8"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(build, numbers, says):
    with pytest.raises(ValueError, match=says):
        build(**numbers)


def test_no_blocks_are_refused():
    with pytest.raises(ValueError, match="BLOCKS is 0"):
        cycle_models.resnet_generator(16, blocks=0)


@pytest.mark.parametrize("build", BUILDERS)
def test_pictures_and_logits_are_float32_in_half_precision(build, precision):
    precision("mixed_bfloat16")
    for options in ({}, {"masked": True}) if build is cycle_models.resnet_generator else ({},):
        network = build(16, capacity=2, **options)
        assert {x.dtype for x in network.outputs} == {"float32"}
        assert network.layers[1].compute_dtype == "bfloat16"
