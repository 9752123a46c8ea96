"""What lesson 1 writes out is what helpers and the benchmark use, and its solutions are right."""

import ast
import re
from types import SimpleNamespace

import numpy as np
import pytest
from lessons import assert_mistake_is_named, cells_of, definer, layer_list, solution, solution_code

from benchmarks import recipes
from helpers import datasets, feature_networks, gans, metrics, models, training
from helpers._backend import keras, tf

CELLS = cells_of("01_gan_basics_mnist")


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "SEED": 1, "LATENT_DIM": 64, "LOOP_BATCH": 4, "LOOP_FILTERS": 4,
        "SimpleNamespace": SimpleNamespace, "gans": gans, "keras": keras,
        "layers": keras.layers, "np": np, "ops": keras.ops, "tf": tf, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


@pytest.mark.parametrize(
    ("in_the_lesson", "in_helpers"),
    [
        ("build_classic_generator", models.classic_generator),
        ("build_classic_discriminator", models.classic_discriminator),
        ("build_generator", models.digit_generator),
        ("build_discriminator", models.digit_discriminator),
    ],
)
def test_networks_of_the_lesson_are_those_of_helpers(lesson, in_the_lesson, in_helpers):
    built = getattr(lesson(in_the_lesson), in_the_lesson)()
    assert layer_list(built) == layer_list(in_helpers())


def test_recommended_recipe_of_the_lesson_is_the_one_that_is_measured(lesson):
    taught = lesson("build_generator", "build_discriminator", "new_gan").new_gan()
    measured = recipes.recommended(1, seed=1).model
    for name in ("noise_kind", "ema_decay", "disc_updates", "gen_updates", "joint_batch",
                 "smoothing", "loss_name", "latent_dim"):  # fmt: skip
        assert getattr(taught, name) == getattr(measured, name)
    for name in ("optimizer", "d_optimizer"):
        settings = [getattr(gan, name).get_config() | {"name": ""} for gan in (taught, measured)]
        assert settings[0] == settings[1]


def test_solution_of_exercise_1_passes_its_check(lesson, capsys):
    made = lesson("my_d_least_squares", "my_g_least_squares", "check_exercise_1")
    made.check_exercise_1()
    assert "not done yet" in capsys.readouterr().out
    exec(solution_code(CELLS, 1), made.names)
    made.check_exercise_1()
    assert "right" in capsys.readouterr().out


def test_check_of_exercise_1_names_the_mistake(lesson):
    made = lesson("my_d_least_squares", "my_g_least_squares", "check_exercise_1")
    exec(solution_code(CELLS, 1), made.names)
    assert_mistake_is_named(
        made,
        1,
        "G's loss should be 2.25 here",
        my_g_least_squares=lambda fake: 0.5 * keras.ops.mean(fake**2),
    )
    assert_mistake_is_named(
        made,
        1,
        "D's loss should be 2.5 here",
        my_d_least_squares=lambda real, fake: 0.5 * keras.ops.mean(abs(real - 1) + abs(fake)),
    )


def test_solution_of_exercise_2_passes_its_check(lesson, capsys):
    made = lesson(
        "d_loss", "build_classic_generator", "build_classic_discriminator", "rebuild_classic",
        "trained_weights", "moved", "colleagues_update", "check_exercise_2",
    )  # fmt: skip
    made.names["batch"] = datasets.to_float(np.zeros((8, 28, 28, 1), np.uint8))
    made.check_exercise_2()
    assert "generator still moves" in capsys.readouterr().out
    wrong = "parts.discriminator.trainable_variables + parts.generator.trainable_variables"
    (cell,) = (c for c in CELLS if "def colleagues_update(" in c.source)
    assert wrong in cell.source
    assert "`parts.discriminator.trainable_variables` alone" in solution(CELLS, 2)
    exec(cell.source.replace(wrong, "parts.discriminator.trainable_variables"), made.names)
    made.check_exercise_2()
    assert "right, only the discriminator moves" in capsys.readouterr().out


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    mnist = datasets.load("mnist")
    made = lesson("check_exercise_3")
    made.names |= {
        "datasets": datasets,
        "digits": mnist.train,
        "first_of_each": [int(np.argmax(mnist.train.labels == k)) for k in range(10)],
        "scorer": metrics.Scorer.against(
            feature_networks.load("digits"), datasets.to_float(mnist.test.images[:2_000])
        ),
        "my_answer": None,
    }
    made.check_exercise_3()
    assert "not done yet" in capsys.readouterr().out
    reals = datasets.to_float(mnist.train.sample(500))
    made.names["real_score"] = made.names["scorer"](reals)
    (answer,) = re.findall(r"`(\{.*?\})`", solution(CELLS, 3))
    made.names["my_answer"] = ast.literal_eval(answer)
    for given in (made.names["my_answer"], *made.names["my_answer"], "inception_score"):
        made.names["my_answer"] = given  # the set, the one name in it, and another name
        made.check_exercise_3()
        right = "Exercise 3: right." in capsys.readouterr().out
        assert right == (given != "inception_score")
    made.names["my_answer"] = ast.literal_eval(answer)
    stamps = datasets.to_float(
        np.repeat(mnist.train.images[made.names["first_of_each"]], 50, axis=0)
    )
    seen, real = made.names["scorer"](stamps), made.names["real_score"]
    noticed = {name for name in seen if abs(seen[name] - real[name]) > 0.25 * abs(real[name])}
    assert noticed == made.names["my_answer"]
