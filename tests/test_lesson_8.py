"""Lesson 8: what it writes out is right, its patients are who they should be, its checks judge."""

import ast
import re

import numpy as np
import pytest
from lessons import (
    assert_answers_pass,
    assert_code_passes,
    assert_mistake_is_named,
    cells_of,
    definer,
)

from benchmarks import clinic as benchmark
from helpers import clinic, datasets, gans, metrics, models, plotting, training
from helpers._backend import keras

CELLS = cells_of("08_diagnosing_gans")


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    grid, centres = datasets.grid(2000, side=3, spread=0.1)
    names = {
        "SEED": 1, "MINUTES": 1, "POINT_STEPS": 3, "DIGIT_STEPS": 3, "SPREAD": 0.1,
        "adam": keras.optimizers.Adam, "centres": centres, "clinic": clinic, "datasets": datasets,
        "gans": gans, "grid": grid, "keras": keras, "layers": keras.layers, "metrics": metrics,
        "models": models, "np": np, "ops": keras.ops, "plotting": plotting, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


# ---------------------------------------------------------------------------------- the clinic


def patients():
    """The call that trains each patient, by the patient's name."""
    found = {}
    for cell in CELLS:
        if "clinic" in cell.metadata.get("tags", []):
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                    found[ast.literal_eval(node.targets[0].slice)] = node.value
    return found


def test_every_patient_has_a_name_to_be_called_by_and_the_other_way_round():
    assert list(patients()) == list(benchmark.NAMES)


def test_what_is_broken_stands_in_the_call():
    changed = {name: {k.arg for k in call.keywords} for name, call in patients().items()}
    assert changed["saturating loss"] >= {"loss"}
    assert changed["labels leak"] == {"norm", "joint_batch"}
    assert changed["wrong output range"] == {"last"}
    assert changed["frozen D"] == {"d_rate"}
    assert all(keywords or name == "oscillation" for name, keywords in changed.items())
    assert all(call.func.id in ("points", "digits", "smallest") for call in patients().values())


def test_the_benchmark_runs_the_lessons_own_cells(monkeypatch):
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    sources = benchmark.tagged(benchmark.LESSON, "clinic")
    assert sum(source.count('ill["') for source in sources) == len(benchmark.NAMES)


@pytest.mark.parametrize(
    ("name", "found", "right"),
    [
        ("frozen D", ["a network stands still"], True),
        ("frozen D", ["a network stands still", "oscillation"], True),
        ("frozen D", ["oscillation", "a network stands still"], False),
        ("frozen D", [], False),
        ("well_points", [], True),
        ("well_points", ["oscillation"], False),
    ],
)
def test_a_verdict_goes_by_the_first_name(name, found, right):
    assert benchmark.verdict(name, found) == right


def test_the_forgetful_gan_learns_and_its_statistics_stand_still(lesson, build, pictures, values):
    made = lesson("Forgetful")
    norm = keras.layers.BatchNormalization
    for kind, still in ((made.Forgetful, True), (gans.GAN, False)):
        gan = kind(build.generator(norm()), build.discriminator(norm()), ema_decay=0)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        networks = gan.generator, gan.discriminator
        states = [w for n in networks for w in n.non_trainable_variables]
        weights = [w for n in networks for w in n.trainable_variables]
        before, kernels = values(states), values(weights)
        gan.fit(pictures, batch_size=8, verbose=0)
        assert still == all(np.array_equal(b, s) for b, s in zip(before, states, strict=True))
        moved = [not np.array_equal(k, w) for k, w in zip(kernels, weights, strict=True)]
        assert np.mean(moved) > 0.6


def test_the_stored_run_named_every_patient_rightly_and_no_healthy_one():
    table = table_with("the monitor says")
    rows = {re.split(r"\s{2,}", x)[0]: re.split(r"\s{2,}", x)[-1] for x in table.splitlines()[2:]}
    for name, symptom in benchmark.NAMES.items():
        assert rows[name].split(", ")[0] == symptom
    healthy = [told for name, told in rows.items() if name.startswith("healthy")]
    assert healthy == ["(nothing)"] * 5


# ------------------------------------------------------------------------------ the game of xy


def test_steps_at_the_same_time_run_away_and_turns_circle(lesson):
    made = lesson("simultaneous", "alternating", "play")
    for rate in (0.01, 0.3):
        away = np.linalg.norm(made.play(made.simultaneous, rate, 50), axis=1)
        np.testing.assert_allclose(away[1:] / away[:-1], np.sqrt(1 + rate**2))
    circle = made.play(made.alternating, 0.1, 5000)
    x, y = circle.T
    np.testing.assert_allclose(x**2 + y**2 - 0.1 * x * y, 1, rtol=1e-6)  # kept by each turn


def test_friction_ends_the_circle_and_averages_find_its_middle(lesson):
    made = lesson("alternating", "play", "running_mean", "followed", "with_r1")
    circle = made.play(made.alternating)
    np.testing.assert_allclose(made.running_mean(circle)[9], circle[:10].mean(axis=0))
    assert np.linalg.norm(made.followed(circle)[-1]) < 0.5
    assert np.linalg.norm(made.play(made.with_r1)[-1]) < 1e-3


# ------------------------------------------------------------------------------------ remedies


def test_minibatch_discrimination_by_hand(lesson):
    layer = lesson("MinibatchDiscrimination").MinibatchDiscrimination(kernels=2, width=3)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    found = layer(x).numpy()
    m = (x @ layer.weight.numpy()).reshape(5, 2, 3)
    by_hand = [
        [sum(np.exp(-np.abs(m[i, k] - m[j, k]).sum()) for j in range(5) if j != i) for k in (0, 1)]
        for i in range(5)
    ]
    np.testing.assert_allclose(found[:, :4], x)
    np.testing.assert_allclose(found[:, 4:], (np.array(by_hand) + 1) / 5, rtol=1e-4)


def test_feature_matching_moves_the_generator_towards_the_mean_features(lesson, values, moved):
    made = lesson("MinibatchDiscrimination", "grid_discriminator", "FeatureMatching")
    keras.utils.set_random_seed(0)
    gan = made.FeatureMatching(models.points_generator(2), made.grid_discriminator(), ema_decay=0)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.SGD(0.0))
    real, z = made.names["grid"][:64], training.noise(64, 2, seed=1)
    gan.update_discriminator(real, z)
    before = values(gan.discriminator.trainable_variables)
    losses = [float(gan.update_generator(z)) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    assert not any(moved(before, gan.discriminator.trainable_variables))
    features = keras.Model(gan.discriminator.input, gan.discriminator.layers[-2].output)
    difference = features(real).numpy().mean(0) - features(gan.generator(z)).numpy().mean(0)
    assert float(gan.update_generator(z)) == pytest.approx(np.square(difference).sum(), rel=1e-3)


def test_a_spectral_discriminator_stretches_nothing(lesson):
    made = lesson("MinibatchDiscrimination", "grid_discriminator")
    judge = made.grid_discriminator(spectral=True)
    kinds = [type(layer).__name__ for layer in judge.layers]
    assert kinds.count("SpectralNormalization") == 3
    for _ in range(30):
        judge(made.names["grid"][:8], training=True)
    points = np.random.default_rng(0).normal(size=(2, 200, 2)).astype(np.float32)
    heights = judge(points[0]).numpy() - judge(points[1]).numpy()
    assert np.all(np.abs(heights[:, 0]) <= 1.01 * np.linalg.norm(points[0] - points[1], axis=1))


def test_quality_counts_clouds_and_shares(lesson):
    made = lesson("quality")
    centres = made.names["centres"]
    inputs = keras.Input((8,))
    first = keras.Model(inputs, 0 * keras.layers.Dense(2)(inputs) + centres[7])
    assert made.quality(first) == (1, 1.0)
    far = keras.Model(inputs, 0 * keras.layers.Dense(2)(inputs) + centres[7] + 0.4)
    assert made.quality(far) == (0, 0.0)


# ------------------------------------------------------------------------------------ the quiz


@pytest.fixture
def quiz(lesson):
    made = lesson("dealt", "check_quiz")
    made.names["ILLNESSES"] = ["healthy", *benchmark.NAMES]
    return made


def test_six_of_all_are_dealt_and_the_same_ones_for_a_round(quiz):
    rounds = [quiz.dealt(n) for n in (1, 2, 1)]
    assert all(len(set(r)) == 6 and max(r) < 12 for r in rounds)
    np.testing.assert_array_equal(rounds[0], rounds[2])
    assert not np.array_equal(rounds[0], rounds[1])


def test_the_quiz_judges(quiz, capsys):
    quiz.check_quiz("", 1)
    assert "not answered yet" in capsys.readouterr().out
    right = "".join("abcdefghijkl"[place] for place in quiz.dealt(1))
    quiz.check_quiz(right.upper(), 1)
    assert "Round 1: 6 of 6 right; wrong: none" in capsys.readouterr().out
    other = next(letter for letter in "abcdefghijkl" if letter not in right)
    quiz.check_quiz(right[:2] + other + right[3:], 1)
    assert "5 of 6 right; wrong: 3." in capsys.readouterr().out
    for answers in ("abc", "abcdez"):
        with pytest.raises(AssertionError, match="Six letters, a to l"):
            quiz.check_quiz(answers, 1)


# ----------------------------------------------------------------------------------- exercises


def test_solutions_pass_their_checks(lesson, capsys):
    made = lesson("play", "extragradient", "check_exercise_1", "best_discriminator",
                  "check_exercise_2", "clouds_missing", "check_exercise_4")  # fmt: skip
    for number in (1, 2, 4):
        assert_code_passes(made, CELLS, number, capsys)


def test_the_scores_of_exercise_3_pass_their_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_3"), CELLS, 3, "my_scores", capsys)


def from_the_trial(x, y, rate):
    x, y = x - rate * y, y + rate * x
    return x - rate * y, y + rate * x


def by_turns(x, y, rate):
    y_trial = y + rate * x
    x = x - rate * y_trial
    return x, y + rate * x


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (from_the_trial, "go back first"),
        (lambda x, y, rate: (x - rate * y, y + rate * x), "without a look ahead"),
        (by_turns, "Both players should look ahead"),
        (lambda x, y, rate: (x, y), r"it leads to \(0.75, 0.5\)"),
        (lambda x, y, rate: (x, y, rate), "the new x and the new y"),
    ],
)
def test_check_of_exercise_1_names_the_mistake(lesson, step, says):
    assert_mistake_is_named(lesson("play", "check_exercise_1"), 1, says, extragradient=step)


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        (lambda p, q, a=1.0, b=0.0: q / (p + q), "it is p / "),
        (lambda p, q, a=1.0, b=0.0: p / (p + q), "set its derivative to 0"),
    ],
)
def test_check_of_exercise_2_names_the_mistake(lesson, formula, says):
    assert_mistake_is_named(lesson("check_exercise_2"), 2, says, best_discriminator=formula)


def test_check_of_exercise_3_gives_a_hint(lesson, capsys):
    made = lesson("check_exercise_3")
    made.names["my_scores"] = {"i": 10, "ii": 10, "iii": 1, "iv": 1}
    made.check_exercise_3()
    assert capsys.readouterr().out == "Exercise 3, ii: the same with five.\n"


def missing(points, centres, reach=0.3, part=5):
    distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
    near = distance.min(axis=1) < reach
    counts = np.bincount(distance.argmin(axis=1)[near], minlength=len(centres))
    return int((counts < len(points) / len(centres) / part).sum())


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda points, centres: 9, "All nine are there"),
        (lambda points, centres: 0, "Three clouds have no point"),
        (lambda points, centres: missing(points, centres, part=100), "50 of 5,000"),
        (lambda points, centres: missing(points, centres, reach=9), "they belong to none"),
    ],
)
def test_check_of_exercise_4_names_the_mistake(lesson, rule, says):
    assert_mistake_is_named(lesson("check_exercise_4"), 4, says, clouds_missing=rule)


# ------------------------------------------------------------------------------------- figures


def table_with(*words):
    """The text of the one stored table that has these words."""
    outputs = [o for c in CELLS if c.cell_type == "code" for o in c.outputs]
    texts = (o.get("data", {}).get("text/plain", "") for o in outputs)
    (table,) = (text for text in texts if all(word in text for word in words))
    return table


def rows_of(table):
    """The numbers of a table by its rows; no column's name has a space."""
    head, *lines = table.splitlines()
    found = {}
    for line in lines:
        name, *numbers = re.split(r"\s{2,}", line.strip())
        found[name] = dict(zip(head.split(), map(float, numbers), strict=True))
    return found


def test_the_stored_run_bears_out_what_the_text_says_of_scores():
    rows = rows_of(table_with("copies of training pictures"))
    real = rows["real, others"]
    assert rows["one picture a class"]["inception"] > 0.97 * real["inception"]
    assert rows["copies of training pictures"]["Fréchet"] < 1.3 * real["Fréchet"]
    assert rows["copies of training pictures"]["memorised"] > 0.9
    assert rows["only ones and sevens"]["precision"] > 0.9 * real["precision"]
    assert rows["only ones and sevens"]["recall"] < 0.6
    assert rows["half of them noise"]["recall"] > 0.8 * real["recall"]
    assert rows["noise"]["sharpness"] > 3
    assert rows["one picture a class"]["duplicates"] == 1


def test_the_stored_run_bears_out_what_the_text_says_of_patients():
    rows = rows_of(table_with("training=True missing", "recall"))
    healthy = rows.pop("healthy")
    assert rows["overfitting"]["recall"] < 0.75 * healthy["recall"]
    assert rows["overfitting"]["Fréchet"] < 1.5 * healthy["Fréchet"]
    assert rows["learning rate × 10"]["precision"] > 0.6
    assert rows["learning rate × 10"]["recall"] < 0.5 * healthy["recall"]
    quiet = {"overfitting", "learning rate × 10"}
    assert all(x["Fréchet"] > 3 * healthy["Fréchet"] for n, x in rows.items() if n not in quiet)


def test_the_stored_run_bears_out_what_the_text_says_of_remedies():
    table = table_with("clouds covered, of 9")
    rows = re.findall(r"^(\S.*?)\s{2,}(\S+) ± \S+\s+(\S+) ± \S+$", table, re.MULTILINE)
    clouds = {name: float(number) for name, number, _ in rows}
    near = {name: float(number) for name, _, number in rows}
    assert clouds["R1, γ = 0.1"] > 8.5 > clouds["none"]
    assert abs(clouds["EMA"] - clouds["none"]) < 0.7
    assert clouds["one-sided smoothing 0.1"] < clouds["none"] + 0.7
    assert clouds["two time-scales: D × 4"] < clouds["none"] + 0.7
    assert near["none"] > 0.6
    assert max(near["spectral normalisation"], near["feature matching"]) < 0.4
    assert max(clouds["spectral normalisation"], clouds["feature matching"]) < clouds["none"]
