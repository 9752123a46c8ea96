"""Two models are told apart by what matters, in words; numbers go back where they came from."""

import json

import numpy as np
import pytest
import trained_in_pieces as pieces

from helpers import gans, model_state, training
from helpers._backend import keras

layers = keras.layers


def of(generator=None, discriminator=None, optimizers=None, **settings):
    gan = gans.GAN(generator or pieces.maker(), discriminator or pieces.judge(), **settings)
    gan.compile(*(optimizers or pieces.adams(2)))
    return json.loads(json.dumps(model_state.identity(gan)))


def generator(width=6, rate=0.3, extra=(), **options):
    hidden = layers.Dense(width, **options)
    last = [layers.Dense(16, activation="tanh"), layers.Reshape(pieces.SHAPE)]
    return keras.Sequential([keras.Input((3,)), hidden, layers.Dropout(rate), *extra, *last])


@pytest.mark.parametrize("name", list(pieces.MODELS))
def test_a_model_built_again_is_the_same_whatever_keras_calls_its_layers(name):
    one, other = (model_state.identity(pieces.made(name, seed=seed)) for seed in (0, 1))
    assert model_state.differences(json.loads(json.dumps(one)), other) == []
    assert one["networks"]
    assert one["optimizers"]


@pytest.mark.parametrize("name", list(pieces.MODELS))
def test_training_does_not_change_what_a_model_is(name):
    model = pieces.made(name)
    before = model_state.identity(model)
    model.compile(*pieces.adams(len(before["optimizers"])), run_eagerly=True)
    model.fit(pieces.batches(name, 0), steps_per_epoch=1, verbose=0)
    model.stop_training = True  # as a time budget does
    assert model_state.differences(before, model_state.identity(model)) == []


@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ({"seed": 1}, {"seed": 2}, "settings.seed: 1 in the checkpoint, 2 here"),
        (
            {"loss": "hinge"},
            {},
            "settings.loss_name: hinge in the checkpoint, non_saturating here",
        ),
        (
            {"generator": generator()},
            {"generator": generator(width=7)},
            "generator, layer 1 (Dense): units: 6 in the checkpoint, 7 here",
        ),
        (
            {"generator": generator()},
            {"generator": generator(rate=0.5)},
            "generator, layer 2 (Dropout): rate: 0.3 in the checkpoint, 0.5 here",
        ),
        (
            {"generator": generator()},
            {"generator": generator(activation="relu")},
            "generator, layer 1 (Dense): activation: linear in the checkpoint, relu here",
        ),
        (
            {"generator": generator()},
            {"generator": generator(dtype="mixed_bfloat16")},
            "generator, layer 1 (Dense): dtype: float32 in the checkpoint, mixed_bfloat16 here",
        ),
        (
            {"generator": generator()},
            {"generator": generator(extra=[layers.ReLU()])},
            "the layers of the generator: Dense Dropout Dense Reshape in the checkpoint, "
            "Dense Dropout ReLU Dense Reshape here",
        ),
        (
            {},
            {"optimizers": [keras.optimizers.Adam(0.01, 0.9), pieces.adams(2)[1]]},
            "optimizers.generator.beta_1: 0.5 in the checkpoint, 0.9 here",
        ),
    ],
)
def test_a_difference_is_named(there, here, said):
    found = model_state.differences(of(**there), of(**here))
    assert said in found
    assert all(line == said or "shapes of weights" in line for line in found)


def test_other_optimizers_and_schedules_are_named():
    sgd = [keras.optimizers.SGD(0.1), pieces.adams(2)[1]]
    found = model_state.differences(of(), of(optimizers=sgd))
    assert "optimizers.generator.kind: Adam in the checkpoint, SGD here" in found
    late = training.in_phases({0: training.every(), 5000: training.every(disc=2)})
    (said,) = model_state.differences(of(schedule=training.every()), of(schedule=late))
    assert said.startswith("settings.schedule: [(1, 1), (1, 1)")
    assert model_state.differences(of(schedule=late), of(schedule=late)) == []


def test_another_class_is_all_that_is_said():
    vae = model_state.identity(pieces.made("VAE"))
    assert model_state.differences(of(), vae) == ["the model: GAN in the checkpoint, VAE here"]


class Doubled(layers.Layer):
    """A lesson's own layer, which cannot say how it was made."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def test_a_layer_that_cannot_say_how_it_was_made_is_known_by_its_kind():
    def judge(*extra):
        return keras.Sequential(
            [keras.Input(pieces.SHAPE), layers.Flatten(), *extra, layers.Dense(1)]
        )

    own = of(discriminator=judge(Doubled(lambda x: 2 * x)))
    assert model_state.differences(own, own) == []
    (said,) = model_state.differences(own, of(discriminator=judge()))
    assert "Flatten Doubled Dense in the checkpoint, Flatten Dense here" in said


@pytest.mark.parametrize("name", list(pieces.MODELS))
def test_all_numbers_go_back(name):
    one, other = pieces.made(name, seed=0), pieces.made(name, seed=1)
    for variable in [v for group in model_state.variables(one).values() for v in group]:
        shape = variable.shape
        numbers = 1 + np.random.default_rng(0).integers(0, 9, shape)
        variable.assign(numbers.astype(variable.dtype))
    model_state.load_numbers(other, model_state.numbers(one))
    expected = pieces.numbers(one)
    for key, value in pieces.numbers(other).items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
    paths = [variable.path for variable in model_state.variables(one)["model"]]
    assert any("seed_generator" in path for path in paths)  # Dropout's
    assert any(path.endswith("/step") for path in paths)
    assert any("pool" in path for path in paths) is (name == "CycleGAN")


def test_numbers_of_other_shapes_are_refused_before_any_is_loaded():
    one, other = pieces.made("GAN"), pieces.made("GAN", seed=1)
    numbers = model_state.numbers(one)
    numbers["discriminator"] = numbers["discriminator"][:-1]
    before = pieces.numbers(other)
    with pytest.raises(ValueError, match=r"other variables than this model.*resume=False"):
        model_state.load_numbers(other, numbers)
    for key, value in pieces.numbers(other).items():
        np.testing.assert_array_equal(value, before[key])
