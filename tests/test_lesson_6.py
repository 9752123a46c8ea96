"""What lesson 6 writes out is what helpers do, its exercises judge, and it met its figures."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from lessons import (
    assert_answers_pass,
    assert_code_passes,
    assert_mistake_is_named,
    cells_of,
    definer,
    printed,
    solution_code,
)

from helpers import datasets, directions, gans, latent, metrics, plotting, training
from helpers._backend import keras

CELLS = cells_of("06_latent_arithmetic")


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "SEED": 1, "MINUTES": 1, "datasets": datasets, "directions": directions, "gans": gans,
        "keras": keras, "latent": latent, "layers": keras.layers, "metrics": metrics, "np": np,
        "pd": pd, "plotting": plotting, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


# ------------------------------------------------------------------------- the classic recipe


def layers_of(network):
    """Of each layer with weights its kind, units or filters, filter size and stride."""
    settings = [(type(x).__name__, x.get_config()) for x in network.layers if x.weights]
    return [
        (kind, c.get("filters", c.get("units")), *c.get("kernel_size", ())[:1], c.get("strides"))
        for kind, c in settings
    ]


def test_the_classic_networks_are_those_of_the_recipe(lesson):
    made = lesson("leaky", "classic_generator", "classic_discriminator")
    generator = made.classic_generator()
    assert layers_of(generator) == [
        ("Dense", 32 * 32 * 128, None),
        ("Conv2D", 256, 5, (1, 1)),
        ("Conv2DTranspose", 256, 4, (2, 2)),
        ("Conv2D", 256, 5, (1, 1)),
        ("Conv2D", 256, 5, (1, 1)),
        ("Conv2D", 3, 7, (1, 1)),
    ]
    assert (generator.input_shape, generator.output_shape) == ((None, 64), (None, 64, 64, 3))
    assert generator.layers[-1].activation is keras.activations.tanh
    discriminator = made.classic_discriminator()
    assert layers_of(discriminator) == [
        ("Conv2D", 128, 3, (1, 1)), *[("Conv2D", 128, 4, (2, 2))] * 3, ("Dense", 1, None),
    ]  # fmt: skip
    assert [x.rate for x in discriminator.layers if type(x).__name__ == "Dropout"] == [0.4]
    for network in (generator, discriminator):
        kinds = [type(x).__name__ for x in network.layers]
        assert kinds.count("LeakyReLU") == len(layers_of(network)) - 1
    assert made.classic_generator(8, 4, 16).output_shape == (None, 16, 16, 3)


def test_the_classic_gan_trains_as_the_recipe_says(lesson):
    made = lesson("leaky", "classic_generator", "classic_discriminator", "classic_gan")
    gan = made.classic_gan(4, 32)
    assert (gan.joint_batch, gan.label_noise, gan.noise_kind) == (True, 0.05, "normal")
    rates = {}
    for name, optimizer in gan.optimizers().items():
        config = optimizer.get_config()
        assert (type(optimizer).__name__, config["clipvalue"]) == ("RMSprop", 1.0)
        rates[name] = round(float(config["learning_rate"]), 6)
    assert rates == {"generator": 4e-4, "discriminator": 8e-4}


def test_multiplications_are_counted_as_the_text_says(lesson):
    made = lesson("multiplications")
    x = keras.Input((64, 64, 256))
    one = keras.Model(x, keras.layers.Conv2D(256, 5, padding="same")(x))
    assert made.multiplications(one) == 5 * 5 * 256 * 256 * 4096 == 6_710_886_400
    z = keras.Input((3,))
    y = keras.layers.Reshape((2, 2, 1))(keras.layers.Dense(4)(z))
    y = keras.layers.Conv2DTranspose(5, 4, strides=2, padding="same")(y)
    assert made.multiplications(keras.Model(z, y)) == 3 * 4 + 2 * 2 * 4 * 4 * 5


def test_snapshots_are_twelve_and_end_the_training(lesson, monkeypatch, clock):
    made = lesson("Snapshots")
    made.names.update({"n_score": 4, "scorer": None, "time": __import__("time")})
    scores = iter(range(99))
    monkeypatch.setattr(metrics, "score_generator", lambda *_: {"frechet_distance": next(scores)})
    model = SimpleNamespace(
        generator=SimpleNamespace(get_weights=list), steps_done=lambda: step, stop_training=False
    )
    callback = made.Snapshots()
    callback.set_model(model)
    callback.on_train_begin()
    for step in range(1, 100):
        clock.now += 1.0
        callback.on_train_batch_end(step)
        if model.stop_training:
            break
    steps, distances, _ = zip(*callback.kept, strict=True)
    assert steps == tuple(range(5, 61, 5))
    assert distances == tuple(range(12))


@pytest.mark.parametrize("own", [True, False])
def test_your_own_generator_is_used_if_you_want_it_and_it_is_there(lesson, tmp_path, build, own):
    made = lesson("generator_of")
    pretrained = SimpleNamespace(load=lambda name: name, card=lambda name: {"data": "drawn"})
    made.names.update(run_folder=tmp_path / "06", OWN=own, pretrained=pretrained)
    assert made.generator_of("faces", "02") == "faces"
    (tmp_path / "02").mkdir()
    build.generator().save(tmp_path / "02" / "generator.keras")
    assert isinstance(made.generator_of("faces", "02"), keras.Model) == own


# ------------------------------------------------------------------------------- what is written


def test_the_arc_written_by_hand_is_that_of_helpers(lesson):
    slerp = lesson("slerp").slerp
    a, b = latent.on_shell(np.random.default_rng(0).normal(size=(2, 64)))
    at = np.linspace(0, 1, 7)
    np.testing.assert_allclose(slerp(a, b, at), latent.spherical(a, b, at))


def test_the_sums_written_by_hand_are_those_of_helpers():
    (cell,) = (c for c in CELLS if c.source.lstrip().startswith("pair = "))
    (written,) = re.findall(r"^results = (\{.*?\})", cell.source, re.MULTILINE | re.DOTALL)
    a, b = np.random.default_rng(0).normal(size=(2, 8, 64))
    found, expected = eval(written, {"a": a, "b": b, "np": np}), latent.combinations(a, b)
    assert list(found) == list(expected)
    for name, codes in expected.items():
        np.testing.assert_allclose(found[name], codes)


def test_the_direction_by_hand_is_that_by_means():
    found = [c for c in CELLS if c.source.lstrip().startswith("way = with_it")]
    (cell,) = (c for c in found if "moved =" in c.source)
    codes = np.random.default_rng(0).normal(size=(300, 5))
    has = codes[:, 2] > 0.5
    names = {"with_it": codes[has], "without_it": codes[~has], "np": np}
    exec(cell.source.split("moved =")[0], names)
    (way,) = directions.of_attributes(codes, has[:, None], ["a"], method="means")
    np.testing.assert_allclose(names["way"], way)


def test_overlap_is_one_within_a_space_and_zero_across(lesson):
    overlap = lesson("overlap").overlap
    axes = np.eye(6)
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0] @ axes[:3]
    assert overlap(turned, axes[:3]) == pytest.approx(1)
    assert overlap(turned, axes[3:]) == pytest.approx(0)
    assert overlap(axes[2:4], axes[:3]) == pytest.approx(0.5)


def test_the_chosen_step_is_the_shortest_that_succeeds(lesson):
    chosen = lesson("chosen").chosen
    table = pd.DataFrame(
        [("hat", 1, 0.5), ("hat", 2, 0.8), ("hat", 3, 1.0), ("beard", 1, 0.7), ("beard", 2, 0.3)],
        columns=["attribute", "step", "success"],
    )
    assert chosen(table)["step"].to_dict() == {"hat": 2, "beard": 1}


def test_a_summary_counts_unrelated_attributes_only(lesson):
    made = lesson("summary")
    related = np.eye(3, dtype=bool) | np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    made.names.update(related=related, names=["black", "blond", "hat"])
    effect = directions.Effect("black", 2.0, 10, 0.9, np.array([0.9, 0.8, 0.1]), 0.3)
    found = made.summary(effect)
    assert (found["change"], found["most changed"], found["success"]) == (0.1, 0.1, 0.9)


def test_the_stored_run_met_the_figures():
    (line,) = re.findall(r"(\d+) of \d+ attributes: at least 80 %", printed(CELLS))
    assert int(line) >= 4


# ------------------------------------------------------------------------------------- the quiz


@pytest.fixture
def quiz(lesson):
    """The quiz, about white real faces and black generated ones."""
    made = lesson("quiz_round", "check_quiz")

    def draw(z):
        return np.full((len(z), 4, 4, 3), -1.0)

    draw.latent_dim = 3
    images = np.full((30, 4, 4, 3), 255, np.uint8)
    made.names["faces"] = datasets.ImageSet("faces", images, None, (), "here", n_train=30)
    made.names.update(draw=draw, score={})
    return made


def test_a_round_has_eight_of_each_and_knows_which(quiz):
    rounds = [quiz.quiz_round(n) for n in (1, 2, 1)]
    for pictures, is_real in rounds:
        assert is_real.sum() == 8
        np.testing.assert_array_equal(pictures.mean(axis=(1, 2, 3)) == 255, is_real)
    np.testing.assert_array_equal(rounds[0][1], rounds[2][1])
    assert not np.array_equal(rounds[0][1], rounds[1][1])


def test_the_quiz_keeps_score(quiz, capsys):
    quiz.check_quiz("", 1)
    assert "not answered yet" in capsys.readouterr().out
    right = "".join("r" if real else "g" for real in quiz.quiz_round(1)[1])
    quiz.check_quiz(right, 1)
    assert "Round 1: 16 of 16 right; wrong: none. In all: 16 of 16." in capsys.readouterr().out
    quiz.check_quiz("R" * 16, 2)
    assert "Round 2: 8 of 16 right" in (said := capsys.readouterr().out)
    assert "In all: 24 of 32" in said
    quiz.check_quiz(right, 1)
    assert "In all: 24 of 32" in capsys.readouterr().out  # a round counts once
    flipped = ("g" if right[0] == "r" else "r") + right[1:]
    quiz.check_quiz(f"{flipped[:8]} {flipped[8:]}", 1)
    assert "15 of 16 right; wrong: 1." in capsys.readouterr().out
    for answers in ("rg", "x" * 16):
        with pytest.raises(AssertionError, match="16 letters"):
            quiz.check_quiz(answers, 1)


# --------------------------------------------------------------------------------- exercises


@pytest.mark.parametrize(("number", "name"), [(1, "tour"), (2, "left_over")])
def test_solutions_pass_their_checks(lesson, capsys, number, name):
    made = lesson(name, f"check_exercise_{number}")
    assert_code_passes(made, CELLS, number, capsys)


def arcs(stops, at, walk=latent.spherical):
    following = np.roll(stops, -1, axis=0)
    return np.concatenate([walk(a, b, at) for a, b in zip(stops, following, strict=True)])


def elsewhere(stops, n):
    """The last arc ends far from the first stop."""
    at = np.arange(n) / n
    return np.concatenate([arcs(stops, at)[:-n], latent.spherical(stops[-1], -stops[1], at)])


@pytest.mark.parametrize(
    ("tour", "says"),
    [
        (lambda stops, n: arcs(stops, np.linspace(0, 1, n + 1)), r"make \(15, 64\), not \(18"),
        (lambda stops, n: np.roll(arcs(stops, np.arange(n) / n), 1, axis=0), "one of the stops"),
        (lambda stops, n: arcs(stops, np.linspace(0, 1, n)), "Two codes in a row are the same"),
        (lambda stops, n: arcs(stops, np.arange(n) / n, latent.straight), "leaves the shell"),
        (
            elsewhere,
            "Uneven paces",
        ),
    ],
)  # fmt: skip
def test_check_of_exercise_1_names_the_mistake(lesson, tour, says):
    made = lesson("check_exercise_1")
    assert_mistake_is_named(made, 1, says, tour=tour)


def one_by_one(direction, others):
    for other in others:
        direction = direction - (direction @ other) * other
    return direction / np.linalg.norm(direction)


@pytest.mark.parametrize(
    ("left_over", "says"),
    [
        (one_by_one, "Taking out one after the other"),
        (lambda v, others: others, r"shape \(64,\), yours \(4, 64\)"),
        (lambda v, others: 3 * directions.without(v, others), "length 1"),
        (lambda v, others: -directions.without(v, others), "other way"),
        (
            lambda v, others: directions.without(v, np.vstack([others, np.eye(64)[:3]])),
            "Too much was taken out",
        ),
    ],
)
def test_check_of_exercise_2_names_the_mistake(lesson, left_over, says):
    made = lesson("check_exercise_2")
    assert_mistake_is_named(made, 2, says, left_over=left_over)


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_3"), CELLS, 3, "my_lengths", capsys)


def test_check_of_exercise_3_gives_a_hint_for_each_mistake(lesson, capsys):
    made = lesson("check_exercise_3")
    made.names["my_lengths"] = {
        "a − b": 0, "a + b + c": 24, "mean of 16": 2, "2a": 11.3, "0.6 a + 0.8 b": 8.1,
    }  # fmt: skip
    made.check_exercise_3()
    said = capsys.readouterr().out
    assert re.findall(r"Exercise 3, (.*?):", said) == ["a − b", "a + b + c", "2a"]
    assert "right." not in said


@pytest.fixture
def exercise_4(lesson):
    """Exercise 4 about a generator whose element 2 is blue hair, seen by a perfect classifier."""
    made = lesson("look_anime", "check_exercise_4", "my_direction")

    def draw(z):
        return latent.as_codes(z, 64)

    draw.latent_dim = 64
    made.names.update(
        draw_anime=draw, anime_names=["Red_Hair", "Blue_Hair"], my_attribute="Blue_Hair",
        anime_network=lambda x: (x, np.stack([x[:, 1] > 9, x[:, 2] > 1], axis=1) * 0.8 + 0.1),
    )  # fmt: skip
    return made


def test_solution_of_exercise_4_passes_its_check(exercise_4, capsys):
    exercise_4.check_exercise_4()
    assert "not done yet" in capsys.readouterr().out
    exec(solution_code(CELLS, 4), exercise_4.names)
    exercise_4.check_exercise_4()
    assert "Exercise 4: right. Blue_Hair appears in 100%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("way", "attribute", "says"),
    [
        (2 * np.eye(64)[2], "Blue_Hair", "has length 2.00; divide by it"),
        (-np.eye(64)[2], "Blue_Hair", "appears in 0% .*The right sign"),
        (np.eye(64)[2], "Beard", "Choose one of Red_Hair, Blue_Hair"),
    ],
)
def test_check_of_exercise_4_names_the_mistake(exercise_4, way, attribute, says):
    mine = {"my_direction": lambda attribute: way, "my_attribute": attribute}
    assert_mistake_is_named(exercise_4, 4, says, **mine)
