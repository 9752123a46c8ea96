"""What lesson 9 measures is what it says, its exercises judge, and it met its figures."""

import dataclasses
import functools
import io
import itertools
import re
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from lessons import (
    assert_answers_pass,
    assert_code_passes,
    cells_of,
    definer,
    printed,
    solution_code,
)
from PIL import Image

from helpers import (
    classifiers,
    cycle_models,
    cyclegan,
    datasets,
    decoding,
    losses,
    plotting,
    portraits,
    standins,
    training,
)
from helpers._backend import keras
from helpers.readers import pictures_in

CELLS = cells_of("09_cyclegan")
PARTS = {"Eyeglasses": ("glasses", ("round", "square", "sun"))}


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "ATTRIBUTE": "Eyeglasses", "BATCH_SIZE": 2, "EVERY": 3, "Image": Image, "PARTS": PARTS,
        "RATE": 0.01, "SEED": 1, "classifiers": classifiers, "cyclegan": cyclegan,
        "datasets": datasets, "dataclasses": dataclasses, "decoding": decoding,
        "functools": functools, "io": io, "itertools": itertools, "keras": keras,
        "layers": keras.layers, "losses": losses, "np": np, "ops": keras.ops,
        "plotting": plotting, "portraits": portraits, "standins": standins, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


# -------------------------------------------------------------------------- piles and answers


def test_the_two_piles_are_apart_and_keep_their_training_and_test_parts(lesson):
    images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    has = pd.DataFrame({"Eyeglasses": [0, 1, 0, 0, 1, 1, 0, 1, 0, 1]})
    faces = datasets.ImageSet("faces", images, None, (), "here", n_train=8, attributes=has)
    of_kind = lesson("of_kind").of_kind
    for value, train, test in ((0, [0, 2, 3, 6], [8]), (1, [1, 4, 5, 7], [9])):
        kind, numbers = of_kind(faces, value)
        assert kind.train.images[:, 0, 0, 0].tolist() == train
        assert kind.test.images[:, 0, 0, 0].tolist() == test
        assert numbers.tolist() == train + test
        assert set(kind.attributes["Eyeglasses"]) == {value}


def test_a_portrait_drawn_again_is_that_of_the_set_and_changes_where_it_should(lesson, tmp_path):
    standins.draw("celeba", tmp_path, 3)
    found = pictures_in(tmp_path, within="img_align_celeba")
    made = lesson("redrawn", "counterparts", "changed_region")
    for i in range(3):
        stored = decoding.decode(found.read(i), (64, 64), crop=150)
        np.testing.assert_array_equal(made.redrawn(i), stored)
    bare = made.counterparts([0, 1, 2], [""])
    framed = made.counterparts([0, 1, 2], ["round", "sun"])
    assert (bare.shape, framed.shape) == ((1, 3, 64, 64, 3), (2, 3, 64, 64, 3))
    region = made.changed_region(bare[0], framed)
    assert region.shape == (3, 64, 64)
    assert 0.03 < region.mean() < 0.3
    assert not region[:, :8].any(), "glasses are not on the forehead"
    np.testing.assert_allclose(framed[0, 1], datasets.to_float(made.redrawn(1, glasses="round")))


def test_the_parts_of_the_lesson_exist():
    (cell,) = (c for c in CELLS if c.source.lstrip().startswith("PARTS ="))
    (written,) = re.findall(r"^PARTS = (\{.*?\})", cell.source, re.MULTILINE | re.DOTALL)
    parts = eval(written)
    assert parts["Eyeglasses"] == PARTS["Eyeglasses"]
    for attribute, (part, variants) in parts.items():
        for variant in variants:
            who = {**portraits.person(0), part: variant}
            assert portraits.attributes(who)[attribute] == 1
            assert portraits.picture(who).shape == (218, 178, 3)


# --------------------------------------------------------------------------------- measuring


@pytest.fixture
def measuring(lesson):
    """`measure`, with a classifier that reads three attributes off three places."""
    made = lesson("attributes_of", "measure", "both_scores")

    def classifier(pictures):
        assert np.abs(pictures).max() <= 1
        return None, pictures[:, 0, :3, 0]

    made.names.update(classifier=classifier, target=1)
    return made


def test_measures_of_a_translation(measuring):
    source = np.full((4, 8, 8, 3), -0.5, np.float32)
    made = source.copy()
    made[:3, 0, 1] = 0.9  # three of four get the attribute
    made[0, 0, 2] = 0.9  # one loses another on the way
    truths = np.stack([np.full_like(source, 0.7), source])
    region = np.zeros((4, 8, 8), bool)
    region[:, 0, :3] = True
    row = measuring.measure(made, source, True, truths, region)
    assert row["changed"] == 0.75
    assert row["kept"] == 7 / 8
    assert row["distance"] == pytest.approx(127.5 * 1.4 * 4 / (4 * 64))
    assert row["inside"] == pytest.approx(127.5 * 1.4 * 4 / (4 * 3))
    assert row["outside"] == 0
    assert measuring.measure(made, source, False, truths, region)["changed"] == 0.25
    few = measuring.measure(made[:1], source, True, truths, region)
    assert few["kept"] == 0.5, "the first ones of the source are those that count"
    assert set(measuring.measure(made, source, True, None, None)) == {"changed", "kept"}


def test_a_classifier_of_one_kind_alone_says_nothing_of_the_rest(measuring):
    measuring.names.update(classifier=lambda x: (None, x[:, 0, :1, 0]), target=0)
    x = np.zeros((2, 8, 8, 3), np.float32)
    assert set(measuring.measure(x, x, True, None, None)) == {"changed"}


def test_a_classifier_for_other_pictures_reads_each_label(lesson):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (200, 2)).astype(np.float32)
    images = random.integers(0, 60, (200, 64, 64, 3), dtype=np.uint8)
    images[:, :, :32] += np.uint8(190) * labels[:, 0, None, None, None].astype(np.uint8)
    images[:, :, 32:] += np.uint8(190) * labels[:, 1, None, None, None].astype(np.uint8)
    keras.utils.set_random_seed(0)
    classifier = lesson("own_classifier").own_classifier(images[:160], labels[:160])
    _, seen = classifier(datasets.to_float(images[160:]))
    assert seen.shape == (40, 2)
    assert np.mean(seen == labels[160:]) > 0.9


def test_both_directions_have_their_own_source_and_goal(measuring):
    a, b = (np.full((2, 8, 8, 3), v, np.float32) for v in (-0.9, 0.9))
    measuring.names.update(to_b=(a, True, None, None), to_a=(b, False, None, None))
    nothing = {"A → B changed": 0, "A → B kept": 1, "B → A changed": 0, "B → A kept": 1}
    assert measuring.both_scores(a, b) == nothing
    swapped = {"A → B changed": 1, "A → B kept": 0, "B → A changed": 1, "B → A kept": 0}
    assert measuring.both_scores(b, a) == swapped


def test_the_frame_that_comes_nearest(lesson):
    frames = lesson("frames").frames
    answers = np.stack([np.full((3, 4, 4, 3), v) for v in (-0.5, 0.0, 0.5)])
    pictures = np.stack([np.full((4, 4, 3), v) for v in (0.4, -0.6, 0.1)])
    assert frames(pictures, answers).tolist() == [2, 0, 1]


def test_the_worst_are_those_with_the_largest_error_inside(lesson):
    worst = lesson("worst").worst
    source, made = np.zeros((3, 4, 4, 3)), np.zeros((3, 4, 4, 3))
    region = np.zeros((3, 4, 4), bool)
    region[:, 1] = True
    made[0, 1], made[1, 3], made[2, 1] = 0.2, 1.0, 0.4
    assert worst(made, source, source[None], region).tolist() == [2, 0, 1]
    assert worst(made, source, None, None, k=1).tolist() == [1], "the largest change at all"


def test_a_jpeg_changes_little(lesson):
    smooth = np.linspace(-0.9, 0.9, 64, dtype=np.float32) * np.ones((2, 64, 1), np.float32)
    pictures = np.repeat(smooth[..., None], 3, axis=-1)
    saved = lesson("as_jpeg").as_jpeg(pictures)
    assert saved.dtype == np.float32
    assert 0 < np.abs(saved - pictures).mean() < 0.03


# ---------------------------------------------------------------------------------- training


def tiny(kind, **kwargs):
    translators = [
        cycle_models.resnet_generator(8, capacity=2, blocks=1, masked=True) for _ in range(2)
    ]
    judges = [cycle_models.patch_discriminator(8, capacity=2) for _ in range(2)]
    return kind(*translators, *judges, ema_decay=0.9, pool=4, **kwargs)


def test_the_mask_is_the_one_that_the_translator_blends_with(lesson):
    made = lesson("mask_of", "as_grey")
    network = cycle_models.resnet_generator(8, capacity=2, blocks=1, masked=True)
    for name, value in (("mask", np.log(3)), ("painted", 20.0)):
        weights, bias = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([0 * weights, 0 * bias + value])
    x = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
    masks = made.mask_of(network, x)
    np.testing.assert_allclose(masks, np.full((3, 8, 8, 1), 0.75), atol=1e-6)
    np.testing.assert_allclose(made.as_grey(masks), np.full((3, 8, 8, 3), 0.5), atol=1e-6)
    np.testing.assert_allclose(network(x), 0.75 + 0.25 * x, atol=1e-5)


def test_the_live_figure_shows_both_directions(lesson):
    model = tiny(lesson("BothWays").BothWays)
    x = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 3)).astype(np.float32)
    a, as_b, b, as_a = np.split(np.asarray(model.sampler(x, training=False)), 4)
    np.testing.assert_allclose(a, x[:3])
    np.testing.assert_allclose(b, x[3:])
    np.testing.assert_allclose(as_b, model.translate(x[:3]), atol=1e-5)
    np.testing.assert_allclose(as_a, model.translate(x[3:], "a"), atol=1e-5)


def test_measurements_are_taken_before_training_at_every_third_step_and_at_the_end(lesson):
    made = lesson("Measure")
    asked = []
    made.names.update(
        test_a="a" * 50, test_b="b" * 50, both_scores=lambda *x: asked.append(x) or {"score": 1}
    )
    model = SimpleNamespace(steps_done=lambda: step, translate=lambda x, to="b": (x, to))
    callback = made.Measure()
    callback.set_model(model)
    step = 0
    callback.on_train_begin()
    for step in range(1, 8):
        callback.on_train_batch_end(step)
    callback.on_train_end()
    assert callback.rows == [{"step": s, "score": 1} for s in (0, 3, 6, 7)]
    callback.on_train_end()  # nothing new to see
    assert len(callback.rows) == 4
    assert asked[0] == (("a" * 40, "b"), ("b" * 40, "a"))


def test_learning_rates_fall_over_the_second_half(lesson, clock):
    made = lesson("Cooling")
    made.names["time"] = time
    model = tiny(cyclegan.CycleGAN)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    callback = made.Cooling(1.0)
    callback.set_model(model)
    callback.on_train_begin()
    for seconds, expected in ((0, 1), (30, 1), (45, 0.5), (57, 0.1), (60, 0.01), (90, 0.01)):
        clock.now = 1000.0 + seconds
        callback.on_train_batch_begin(0)
        for optimizer in model.optimizers().values():
            assert float(optimizer.learning_rate) == pytest.approx(0.01 * expected, rel=1e-3)


def test_a_judge_alone_learns_to_tell_the_kinds(lesson):
    def stream(batch_size):
        random = np.random.default_rng(0)
        while True:
            noise = random.normal(0, 0.1, (2, batch_size, 8, 8, 3)).astype(np.float32)
            yield noise[0] - 0.5, noise[1] + 0.5

    made = lesson("loss_of", "train_alone")
    test_a, test_b = (x[:2] for x in next(stream(4)))
    made.names.update(unpaired=stream, test_a=test_a, test_b=test_b)
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 3)])
    of_a, of_b = made.train_alone(network, 150)
    assert of_a.shape == (2, 6, 6, 1)
    assert of_b.mean() > 0.8
    assert of_a.mean() < 0.2, "B is what is real to this judge"


def test_the_ages_in_a_pool(lesson):
    ages = lesson("ages_shown").ages_shown(20, 20_000)
    assert np.mean(ages == 0) == pytest.approx(0.5, abs=0.02)
    assert ages[ages > 0].mean() == pytest.approx(2 * 20, rel=0.1)
    assert ages.min() == 0


# ----------------------------------------------------------------------------- the stored run


def test_the_stored_run_met_the_figures():
    said = printed(CELLS)
    found = re.findall(r"([AB]) → [AB]: (\d+)% carry the target .* stay in (\d+)%", said)
    assert [way for way, *_ in found] == ["A", "B"]
    for _, changed, kept in found:
        assert int(changed) >= 80
        assert int(kept) >= 85


def test_in_the_stored_run_the_larger_field_told_them_better():
    found = dict(re.findall(r"field (\d+): (\d+)% of the verdicts are right", printed(CELLS)))
    assert int(found["70"]) > int(found["34"]) + 10


# --------------------------------------------------------------------------------- exercises


def test_solution_of_exercise_1_passes_its_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_1"), CELLS, 1, "my_answers", capsys)


def test_check_of_exercise_1_gives_a_hint_for_each_mistake(lesson, capsys):
    made = lesson("check_exercise_1")
    (cell,) = (c for c in CELLS if c.source.lstrip().startswith("my_answers"))
    exec(cell.source, made.names)
    made.names["my_answers"] = dict.fromkeys(made.names["my_answers"], True)
    made.check_exercise_1()
    said = capsys.readouterr().out
    assert re.findall(r"Exercise 1, (.*?):", said) == [
        "both return the mean picture of the other kind"
    ]
    assert "right." not in said
    made.names["my_answers"] = dict.fromkeys(made.names["my_answers"], False)
    made.check_exercise_1()
    assert capsys.readouterr().out.count("Exercise 1,") == 5


@pytest.mark.parametrize(("number", "name"), [(2, "field_and_step"), (3, "Pool"), (4, "Noise")])
def test_solutions_pass_their_checks(lesson, capsys, number, name):
    made = lesson(f"check_exercise_{number}")
    (cell,) = (c for c in CELLS if re.match(rf"(def|class) {name}\b", c.source))
    exec(cell.source, made.names)
    assert_code_passes(made, CELLS, number, capsys)


def test_the_field_of_exercise_2_is_that_of_the_judge(lesson):
    made = lesson("field_and_step")
    exec(solution_code(CELLS, 2), made.names)
    network = cycle_models.patch_discriminator(16, capacity=2, downs=3)
    stack = [
        (x.kernel_size[0], x.strides[0])
        for x in network.layers
        if isinstance(x, keras.layers.Conv2D)
    ]
    assert made.names["field_and_step"](stack) == (cycle_models.receptive_field(network), 8)


def field_of(stack):
    return functools.reduce(lambda field, layer: (field - 1) * layer[1] + layer[0], stack[::-1], 1)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda s: 1, "two numbers"),
        (lambda s: (sum(k - 1 for k, _ in s) + 1, int(np.prod([t for _, t in s]))), "Begin with 1"),
        (lambda s: (field_of(s), s[-1][1]), "product of all strides"),
    ],
)
def test_check_of_exercise_2_names_the_mistake(lesson, answer, says):
    made = lesson("check_exercise_2")
    made.names["field_and_step"] = answer
    with pytest.raises(AssertionError, match=says):
        made.check_exercise_2()


class Right:
    """A right pool, of which a part can be spoiled."""

    half, keeps, first = 0.5, False, False

    def __init__(self, size, seed=0):
        self.size, self.kept, self.random = size, [], np.random.default_rng(seed)

    def exchange(self, fake):
        if len(self.kept) < self.size:
            self.kept.append(fake)
            return fake
        if self.random.random() < self.half:
            if self.keeps:
                self.kept[self.random.integers(self.size)] = fake
            return fake
        place = 0 if self.first else self.random.integers(self.size)
        shown, self.kept[place] = self.kept[place], fake
        return shown


class Growing(Right):
    def exchange(self, fake):
        self.kept.append(fake)
        return fake


class Lost(Right):
    def exchange(self, fake):
        return super().exchange(fake) if len(self.kept) < self.size else -1


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        (Growing, "11 places, not 10"),
        (Lost, "neither the new fake nor one of the pool's"),
        (type("Always", (Right,), {"half": 0.9}), "not one half"),
        (type("Keeping", (Right,), {"keeps": True}), "is not kept as well"),
        (type("First", (Right,), {"first": True}), "never chosen"),
    ],
)
def test_check_of_exercise_3_names_the_mistake(lesson, pool, says):
    made = lesson("check_exercise_3")
    made.names["Pool"] = pool
    with pytest.raises(AssertionError, match=says):
        made.check_exercise_3()


def noise(scale=1 / 127.5, always=False, most=1.0, least=-1.0, mean=0.0, seed=None):
    class Noise(keras.layers.Layer):
        def __init__(self, levels):
            super().__init__()
            self.levels = levels

        def call(self, x, training=False):
            if not (training or always):
                return x
            random = keras.random.normal(x.shape, mean, self.levels * scale, seed=seed)
            return keras.ops.clip(x + random, least, most)

    return Noise


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (noise(always=True), "Without training"),
        (noise(scale=0.0), "nothing was added"),
        (noise(scale=1 / 255), "has 2.5 levels"),
        (noise(most=3.0), "Above 1"),
        (noise(least=-3.0), "Below -1"),
        (noise(mean=0.05), "mean 0"),
        (noise(seed=1), "same noise twice"),
    ],
)
def test_check_of_exercise_4_names_the_mistake(lesson, layer, says):
    keras.utils.set_random_seed(1)  # 2.5 levels of few pixels are now and then 2.4 or 2.6
    made = lesson("check_exercise_4")
    made.names["Noise"] = layer
    with pytest.raises(AssertionError, match=says):
        made.check_exercise_4()
