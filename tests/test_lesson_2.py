"""What lesson 2 writes out is what helpers use, and its exercises say what is right and wrong."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from lessons import (
    assert_answers_pass,
    assert_mistake_is_named,
    cells_of,
    definer,
    layer_list,
    solution_code,
)
from skimage.io import imread
from skimage.transform import resize

from helpers import datasets, face_models, gans, plotting, streaming, training
from helpers._backend import keras
from helpers.readers import pictures_in

CELLS = cells_of("02_dcgan_celeba")


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "SEED": 1, "LATENT_DIM": 64, "CAPACITY": 16, "datasets": datasets,
        "face_models": face_models, "gans": gans, "imread": imread, "io": io, "keras": keras,
        "layers": keras.layers, "np": np, "ops": keras.ops, "plotting": plotting,
        "resize": resize, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


def starts(network):
    """How the kernels of every layer begin."""
    return [
        {k: v for k, v in x.kernel_initializer.get_config().items() if k != "seed"}
        for x in network.layers
        if hasattr(x, "kernel_initializer")
    ]


# ------------------------------------------------------------------------------ what is built


@pytest.mark.parametrize(
    ("name", "needs", "capacity"),
    [
        ("dcgan_generator", ["small_weights"], 8),
        ("dcgan_discriminator", ["small_weights"], 8),
        ("minimal_generator", ["decoder_block"], 4),
        ("minimal_discriminator", ["encoder_block"], 4),
        ("face_generator", [], 4),
        ("face_discriminator", [], 4),
    ],
)
def test_networks_of_the_lesson_are_those_of_helpers(lesson, name, needs, capacity):
    in_the_lesson, in_helpers = getattr(lesson(*needs, name), name), getattr(face_models, name)
    for arguments in ({}, {"capacity": capacity}):
        taught, measured = in_the_lesson(**arguments), in_helpers(**arguments)
        assert layer_list(taught) == layer_list(measured)
        assert starts(taught) == starts(measured)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_the_recommended_pair_of_the_lesson_makes_the_same_sizes(lesson, size):
    made = lesson("face_generator", "face_discriminator")
    for taught, measured in (
        (made.face_generator, face_models.face_generator),
        (made.face_discriminator, face_models.face_discriminator),
    ):
        built = [build(capacity=2, image_size=size) for build in (taught, measured)]
        assert layer_list(built[0]) == layer_list(built[1])


def test_the_generator_written_by_hand_is_that_of_helpers(lesson, album):
    pictures = pictures_in(album(names="{:06}.jpg"))
    attributes = np.eye(len(pictures), dtype=np.int8)
    made = lesson("read_picture", "with_attributes", "for_autoencoders")
    assert made.read_picture.__defaults__ == (64, 150)
    made.read_picture.__defaults__ = (8, 10)  # the pictures of the album are small
    by_hand = made.with_attributes(pictures, attributes, 4)
    of_helpers = streaming.picture_generator(
        pictures, 4, size=8, crop=10, attributes=attributes, seed=1
    )
    for taught, measured in itertools.islice(zip(by_hand, of_helpers, strict=False), 3):
        for a, b in zip(taught, measured, strict=True):
            assert a.dtype == b.dtype == np.float32
            assert np.array_equal(a, b)
    x, y = next(made.for_autoencoders(pictures, attributes, 4))
    assert np.array_equal(x, y)
    assert x.shape == (4, 8, 8, 3)


def test_replacing_layers_changes_these_and_nothing_else(lesson):
    made = lesson("replaced", "Nothing")
    replaced = made.replaced
    network = face_models.face_discriminator(capacity=2, image_size=32)
    leaky, relu = keras.layers.LeakyReLU, keras.layers.ReLU
    changed = replaced(network, leaky, relu)
    kinds = [type(layer) for layer in network.layers]
    assert [type(x) for x in changed.layers] == [relu if k is leaky else k for k in kinds]
    assert leaky in kinds
    generator = face_models.face_generator(capacity=2, image_size=32)
    without = replaced(generator, keras.layers.BatchNormalization, made.Nothing)
    assert keras.layers.BatchNormalization not in [type(x) for x in without.layers]
    assert without.count_params() < generator.count_params()


def test_a_normed_discriminator_has_batch_normalization_before_each_leaky_relu(lesson):
    built = ("face_generator", "face_discriminator")
    made = lesson(*built, "small_pair", "replaced", "normed_leaky", "normed_pair")
    _, plain = made.small_pair(2)
    made.names["small_pair"] = lambda: (None, plain)
    _, normed = made.normed_pair()
    inside = [[type(y) for y in x.layers] for x in normed.layers if isinstance(x, keras.Sequential)]
    leaky = keras.layers.LeakyReLU
    assert inside == [[keras.layers.BatchNormalization, leaky]] * 3
    assert [type(x) for x in plain.layers].count(leaky) == 3
    assert normed(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 1)


def test_validation_losses_tell_faces_learned_by_heart(lesson, build):
    made = lesson("ValidationLosses")
    seen, unseen = (np.full((8, 4, 4, 1), level, np.float32) for level in (0.9, -0.9))
    callback = made.ValidationLosses(seen, unseen)

    class Judge(keras.Model):
        def call(self, pictures, training=False):
            assert not training
            return 5 * keras.ops.mean(pictures, axis=(1, 2))  # real if bright

    gan = build.gan(ema_decay=0)
    gan.discriminator = Judge()
    callback.set_model(gan)
    callback.on_epoch_end(0)
    assert callback.history["step"] == [0]
    assert callback.history["training faces"][0] < callback.history["held-out faces"][0] - 1


# --------------------------------------------------------------------------------- exercises


def test_solution_of_exercise_1_passes_its_check(lesson, capsys):
    made = lesson("my_decoder_block", "check_exercise_1")
    made.check_exercise_1()
    assert "not done yet" in capsys.readouterr().out
    exec(solution_code(CELLS, 1), made.names)
    made.check_exercise_1()
    assert "Exercise 1: right" in capsys.readouterr().out


def decoder_with(activation, size=3):
    """A decoder block that is right but for its activation, or for the size of its filters."""

    def block(x, n):
        x = keras.layers.Conv2D(n, size, padding="same")(keras.layers.UpSampling2D()(x))
        return activation(keras.layers.BatchNormalization()(x))

    return block


def test_check_of_exercise_1_takes_an_activation_that_is_no_layer(lesson, capsys):
    made = lesson("my_decoder_block", "check_exercise_1")
    slope = lambda x: keras.ops.leaky_relu(x, negative_slope=0.3)  # noqa: E731
    made.names["my_decoder_block"] = decoder_with(slope)
    made.check_exercise_1()
    assert "Exercise 1: right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (lambda x, n: keras.layers.Conv2D(n, 3, padding="same")(x), "should become"),
        (face_models.decoder_block, "checkerboard"),
        (
            lambda x, n: keras.layers.LeakyReLU()(
                keras.layers.Conv2D(n, 3, padding="same")(keras.layers.UpSampling2D()(x))
            ),
            "BatchNormalization is missing",
        ),
        (decoder_with(keras.layers.ReLU()), "LeakyReLU of slope 0.3"),
        (decoder_with(keras.layers.LeakyReLU(negative_slope=0.2)), "LeakyReLU of slope 0.3"),
        (decoder_with(keras.layers.Activation("tanh")), "LeakyReLU of slope 0.3"),
        (decoder_with(keras.layers.Activation("linear")), "LeakyReLU of slope 0.3"),
        (decoder_with(keras.layers.LeakyReLU(negative_slope=0.3), size=5), "3 × 3"),
    ],
)
def test_check_of_exercise_1_names_the_mistake(lesson, block, says):
    made = lesson("my_decoder_block", "check_exercise_1")
    assert_mistake_is_named(made, 1, says, my_decoder_block=block)


@pytest.fixture
def faces():
    """40 pictures with two attributes."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    table = pd.DataFrame({"Smiling": np.arange(40) % 4 > 0, "Bald": np.arange(40) % 9 == 0})
    return datasets.ImageSet(
        "faces", images, None, (), "here", n_train=40, attributes=table.astype(int)
    )


def test_solution_of_exercise_2_passes_its_check(lesson, capsys, faces):
    made = lesson("only_with", "check_exercise_2")
    made.names["train"] = faces
    made.check_exercise_2()
    assert "not done yet" in capsys.readouterr().out
    exec(solution_code(CELLS, 2), made.names)
    made.check_exercise_2()
    assert "Exercise 2: right. 30 of 40 faces have Smiling" in capsys.readouterr().out


WRONG_STREAMS = {
    "should raise a ValueError": ("        raise ValueError", "        print"),
    "networks want float32": (
        "datasets.to_float(np.asarray(data.images[np.sort(chosen)]))",
        "np.asarray(data.images[np.sort(chosen)])",
    ),
    "lie in": ("datasets.to_float(np.asarray(data.images[np.sort(chosen)]))",
               "np.float32(data.images[np.sort(chosen)])"),
    "The same seed": ("default_rng(seed)", "default_rng()"),
    "a new choice": ("random = np.random.default_rng(seed)\n", "pass\n"),
    "lack the attribute": ("data.attributes[attribute] == 1", "data.attributes[attribute] >= 0"),
}  # fmt: skip


@pytest.mark.parametrize("says", WRONG_STREAMS)
def test_check_of_exercise_2_names_the_mistake(lesson, faces, says):
    made = lesson("only_with", "check_exercise_2")
    made.names["train"] = faces
    code = solution_code(CELLS, 2)
    right, wrong = WRONG_STREAMS[says]
    assert right in code
    code = code.replace(right, wrong)
    if says == "a new choice":
        code = code.replace("random.choice", "np.random.default_rng(seed).choice")
    if says == "should raise a ValueError":
        code = code.replace("    positions", "        return iter(())\n    positions", 1)
    exec(code, made.names)
    assert_mistake_is_named(made, 2, says)


def test_check_of_exercise_2_wants_the_error_at_the_call(lesson, faces):
    made = lesson("only_with", "check_exercise_2")
    made.names["train"] = faces

    def lazy(data, attribute, batch_size, seed=1):
        if attribute not in data.attributes:
            raise ValueError(attribute)
        yield datasets.to_float(data.images[:batch_size])

    assert_mistake_is_named(made, 2, "should raise a ValueError", only_with=lazy)


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_3"), CELLS, 3, "my_diagnosis", capsys)


def test_check_of_exercise_3_gives_a_hint_for_each_mistake(lesson, capsys):
    made = lesson("check_exercise_3")
    made.names["my_diagnosis"] = {"a": 8, "b": 2, "c": 2, "d": 3}
    made.check_exercise_3()
    said = capsys.readouterr().out
    assert "Exercise 3, b: D's loss never moves" in said
    assert "Exercise 3, d: D knows the faces" in said
    assert "right." not in said
    assert "3, a" not in said
