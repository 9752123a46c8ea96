"""What lesson 3 writes out is what helpers use, its checks catch mistakes, its solutions pass."""

import ast
import pickle
import re
from types import SimpleNamespace

import numpy as np
import pytest
from lessons import assert_mistake_is_named, cells_of, definer, solution, solution_code

from helpers import datasets, feature_networks, gans, metrics, models, plotting, training
from helpers._backend import keras

CELLS = cells_of("03_cgan_emnist")


@pytest.fixture
def lesson():
    """Run the definitions of given names, in order; return what is then defined."""
    names = {
        "SEED": 1, "LATENT_DIM": 64, "SimpleNamespace": SimpleNamespace, "datasets": datasets,
        "feature_networks": feature_networks, "gans": gans, "keras": keras,
        "layers": keras.layers, "metrics": metrics, "models": models, "np": np,
        "ops": keras.ops, "plotting": plotting, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


def structure(network):
    """Kind and settings of every layer and what feeds it, without names and random seeds."""
    hidden = ("name", "seed", "kernel_initializer", "bias_initializer", "build_config")
    place = {layer.name: i for i, layer in enumerate(network.layers)}
    return [
        (
            type(layer).__name__,
            {k: v for k, v in layer.get_config().items() if k not in hidden},
            [
                place[tensor._keras_history.operation.name]
                for tensor in (layer.input if isinstance(layer.input, list) else [layer.input])
            ],
        )
        for layer in network.layers
    ]


@pytest.mark.parametrize(
    ("in_the_lesson", "in_helpers"),
    [
        ("build_classic_generator", models.conditional_generator),
        ("build_classic_discriminator", models.conditional_discriminator),
        ("build_generator", models.character_generator),
        ("build_discriminator", models.projection_discriminator),
    ],
)
def test_networks_of_the_lesson_are_those_of_helpers(lesson, in_the_lesson, in_helpers):
    built = getattr(lesson("after", in_the_lesson), in_the_lesson)(7)
    assert structure(built) == structure(in_helpers(7))


def test_the_classic_recipe_has_its_published_settings(lesson):
    gan = lesson(
        "after", "build_classic_generator", "build_classic_discriminator", "new_classic_gan"
    ).new_classic_gan(10)
    assert (gan.latent_dim, gan.noise_kind, gan.smoothing) == (96, "uniform", 0.1)
    assert (gan.disc_updates, gan.gen_updates, gan.ema_generator) == (1, 1, None)
    for optimizer in gan.optimizers().values():
        assert isinstance(optimizer, keras.optimizers.Adam)
        settings = optimizer.get_config()
        assert settings["learning_rate"] == pytest.approx(2e-4)
        assert settings["beta_1"] == pytest.approx(0.35)


# ----------------------------------------------------------------------- what goes into networks


def test_the_check_of_planes_passes_planes_and_names_each_mistake(lesson):
    made = lesson("one_hot", "planes_of", "stripes_of", "check_planes")
    some = made.one_hot([3, 0, 7], 10)
    good = made.planes_of(some, 28, 28)
    made.check_planes(good, some)
    np.testing.assert_array_equal(good, datasets.label_planes(some, 28, 28))
    with pytest.raises(AssertionError, match="stripes"):
        made.check_planes(made.stripes_of(some, 28, 28), some)
    with pytest.raises(AssertionError, match="another class"):
        made.check_planes(good[::-1], some)
    with pytest.raises(AssertionError, match="as many planes"):
        made.check_planes(good[..., :9], some)


def test_the_published_planes_hold_the_right_numbers_in_the_wrong_places(lesson):
    made = lesson("one_hot", "planes_of", "stripes_of")
    some = made.one_hot([3, 0, 7], 10)
    good, bad = made.planes_of(some, 28, 28), made.stripes_of(some, 28, 28)
    np.testing.assert_array_equal(np.sort(good, axis=None), np.sort(bad, axis=None))
    rows_with_ink = np.flatnonzero(bad[0].any(axis=(1, 2)))
    assert rows_with_ink.tolist() == [8, 9, 10, 11]  # label 3: from 3/10 to 4/10 of 28 rows
    assert bad[0].any(axis=(0, 1)).all(), "the stripe crosses all ten planes"


# -------------------------------------------------------------------------------------- asking


class Grey:
    """A generator that paints class k in the grey k, and z in the corner."""

    classes = ("A", "B", "Q", "b")
    latent_dim = 64
    noise_kind = "normal"

    def __call__(self, inputs):
        z, labels = (np.asarray(x) for x in inputs)
        pictures = np.zeros((len(z), 28, 28, 1)) + labels.argmax(axis=1)[:, None, None, None] / 10
        pictures[:, 0, 0, 0] = np.tanh(z[:, 0])
        return pictures

    def draw(self, labels, seed=0):
        return self([np.zeros((len(labels), 64)), np.eye(4)[labels]])

    @property
    def sampler(self):
        return self


@pytest.fixture
def grey_run():
    return SimpleNamespace(
        gan=Grey(), classes=Grey.classes, data=SimpleNamespace(name="grey letters")
    )


def greys(pictures):
    return np.rint((plotting.as_uint8(pictures)[:, 14, 14, 0] / 127.5 - 1) * 10).astype(int)


def test_generate_gives_the_class_of_that_name_and_refuses_others(lesson, grey_run):
    made = lesson("one_hot", "class_number", "generate")
    pictures = made.generate("Q", 3, run=grey_run)
    assert (pictures.shape, pictures.dtype) == ((3, 28, 28, 1), np.uint8)
    assert greys(pictures).tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match=r"grey letters has no class 'z'.*A, B, Q, b"):
        made.generate("z", run=grey_run)


def test_a_sheet_has_a_class_a_column_and_the_same_z_across_each_row(lesson, grey_run):
    made = lesson("one_hot", "draw", "columns_of")
    pictures = made.columns_of(grey_run, 3)
    assert greys(pictures).tolist() == [0, 1, 2, 3] * 3
    corners = pictures[:, 0, 0, 0].reshape(3, 4)
    assert (corners == corners[:, :1]).all()
    assert len(set(corners[:, 0])) == 3


def test_a_text_is_written_with_the_classes_there_are(lesson, grey_run):
    made = lesson("one_hot", "draw", "spell", "write")
    line = made.write("Ab qB", run=grey_run)
    assert line.shape == (28, 5 * 28)
    assert line.dtype == np.uint8
    letters = line.reshape(28, 5, 28).transpose(1, 0, 2)[..., None]
    assert greys(letters)[[0, 1, 3, 4]].tolist() == [0, 3, 2, 1], "b is there small, q is not"
    assert not letters[2].any(), "a space stays empty"
    assert len({int(letter[0, 0, 0]) for letter in letters[[0, 1, 3, 4]]}) == 1, "one hand"
    with pytest.raises(ValueError, match=r"cannot write \['1', 'X'\]"):
        made.write("Ax1", run=grey_run)


def test_names_longer_than_a_letter_are_written_with_commas(lesson, grey_run):
    grey_run.classes = ("Trouser", "Bag", "Coat", "Shirt")
    made = lesson("one_hot", "draw", "spell", "write")
    assert made.spell(grey_run, "Bag,Coat") == ["Bag", "Coat"]
    assert made.write("Bag,Coat", run=grey_run).shape == (28, 2 * 28)


# ----------------------------------------------------------------------------------- measuring


def test_confusion_counts_what_was_asked_in_rows_and_what_was_read_in_columns(lesson):
    made = lesson("confusion")
    counts = made.confusion(np.array([0, 0, 0, 2]), np.array([0, 1, 1, 2]), 3)
    assert counts.tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_worst_pairs_add_up_both_directions(lesson):
    import pandas as pd

    made = lesson("worst_pairs")
    made.names["pd"] = pd
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [0.5, 0.0, 0.5]])
    pairs = made.worst_pairs(shares, np.eye(3), "abc", most=2)
    assert pairs.index.tolist() == ["a / c", "a / b"]
    np.testing.assert_allclose(pairs["mistaken, generated"], [0.35, 0.2])
    assert (pairs["mistaken, real"] == 0).all()


def test_a_run_folder_of_another_set_is_refused(lesson, tmp_path):
    import json

    made = lesson("restore")
    made.names["json"] = json
    (tmp_path / "config.json").write_text('{"dataset": "mnist", "classes": ["0"]}')
    with pytest.raises(ValueError, match="holds a generator of 'mnist', not of 'emnist'"):
        made.restore(tmp_path, "emnist")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "generator.keras")
    network, classes = made.restore(tmp_path, "mnist")
    assert (network.output_shape, classes) == ((None, 1), ["0"])


def test_a_pickle_runs_code_when_it_is_loaded(capsys):
    (cell,) = (c for c in CELLS if "def __reduce__" in c.source)
    definition = cell.source.split("\n\n\n")[0]
    names = {}
    exec(definition, names)
    content = pickle.dumps(names["Generator"]())
    assert capsys.readouterr().out == ""
    assert pickle.loads(content) is None
    assert "because you loaded a file" in capsys.readouterr().out


# ----------------------------------------------------------------------------------- exercises


@pytest.mark.parametrize(("best_score", "kept", "value"), [(49.0, 300, 1.0), (51.0, 900, 0.0)])
def test_the_best_generator_replaces_the_last_only_where_that_is_twice_as_far(
    lesson, best_score, kept, value
):
    made = lesson("keep_the_better")
    made.names["frechet"] = lambda run, n: 100.0
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other = keras.models.clone_model(network)
    network.set_weights([0 * w for w in network.get_weights()])
    other.set_weights([0 * w + 1 for w in network.get_weights()])
    best = SimpleNamespace(best_score=best_score, best_step=300, network=lambda: other)
    gan, figure = SimpleNamespace(sampler=network), SimpleNamespace(steps=900)
    run = SimpleNamespace(gan=gan, best=best, figure=figure)
    made.keep_the_better(run)
    assert run.kept == kept
    assert all((w == value).all() for w in network.get_weights())


def test_solution_of_exercise_1_passes_and_mistakes_are_named(lesson, capsys):
    made = lesson("my_projection", "check_exercise_1")
    made.check_exercise_1()
    assert "not done yet" in capsys.readouterr().out
    exec(solution_code(CELLS, 1), made.names)
    made.check_exercise_1()
    assert "right" in capsys.readouterr().out
    right = made.names["my_projection"]
    for wrong, says in (
        (lambda f, y, v, w: f @ w, "where is its label"),
        (lambda f, y, v, w: right(f, y, v, w)[:, 0], r"shape should be \(4, 1\)"),
        (lambda f, y, v, w: right(f, y[::-1], v, w), "its own class"),
    ):
        assert_mistake_is_named(made, 1, says, my_projection=wrong)


def test_solution_of_exercise_2_passes_and_the_mistake_is_shown(lesson, capsys):
    made = lesson("paint", "colleagues_batch", "check_exercise_2")
    made.check_exercise_2()
    assert "made for [0, 1, 2, 3], but D is told [3, 0, 1, 2]" in capsys.readouterr().out
    (cell,) = (c for c in CELLS if "def colleagues_batch(" in c.source)
    wrong, right = "fake = generator([z, real_labels])", solution_code(CELLS, 2).strip()
    assert wrong in cell.source
    exec(cell.source.replace(wrong, right), made.names)
    made.check_exercise_2()
    assert "right, every fake" in capsys.readouterr().out


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    made = lesson("check_exercise_3")
    made.names |= {"mnist": datasets.load("mnist"), "my_answer": None}
    made.check_exercise_3()
    assert "not done yet" in capsys.readouterr().out
    made.names["my_answer"] = {"read as asked"}
    made.check_exercise_3()
    said = capsys.readouterr().out
    assert "try again" in said
    asked = float(re.search(r"read as asked +([\d.]+)%", said)[1])
    distance, real = map(float, re.search(r"frechet +(\d+) .*?: (\d+)\)", said).groups())
    assert asked > 95, "blind: one good digit of each class is read as asked"
    assert distance > 5 * real, "the distance notices"
    (answer,) = re.findall(r"`(\{.*?\})`", solution(CELLS, 3))
    made.names["my_answer"] = ast.literal_eval(answer)
    made.check_exercise_3()
    assert "Exercise 3: right." in capsys.readouterr().out
