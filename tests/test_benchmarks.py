"""The compared recipes are what was published, the right weights move, the table is made."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import arithmetic, mnist_quality, precision, recipes, report
from benchmarks import training as speed
from helpers import datasets, runtime
from helpers._backend import keras, tf
from helpers.training import noise

SECONDS = 60.0
PUBLISHED = ("classic", "tf_tutorial", "keras_io")
ALL = (*PUBLISHED, "recommended")


def contestant(name):
    runtime.seed_everything(3)
    return recipes.RECIPES[name](SECONDS, 3)


def model(name):
    return contestant(name).model


def z_for(model, n=16):
    return noise(n, model.latent_dim, kind=model.noise_kind, seed=5)


def kernels(network):
    return [w.numpy() for w in network.trainable_variables if len(w.shape) > 1]


def same(before, after):
    return [np.array_equal(b, a) for b, a in zip(before, after, strict=True)]


@pytest.fixture(scope="module")
def real():
    return datasets.to_float(datasets.load("mnist").train.sample(16, seed=1))


# Which weights move ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["classic", "keras_io", "recommended"])
def test_discriminator_half_moves_only_the_discriminator(name, real):
    gan = model(name)
    g, d = kernels(gan.generator), kernels(gan.discriminator)
    gan.update_discriminator(real, z_for(gan))
    assert all(same(g, kernels(gan.generator)))
    assert not any(same(d, kernels(gan.discriminator)))


@pytest.mark.parametrize("name", ["classic", "keras_io", "recommended"])
def test_generator_half_moves_only_the_generator(name):
    gan = model(name)
    g, d = kernels(gan.generator), kernels(gan.discriminator)
    gan.update_generator(z_for(gan))
    assert not any(same(g, kernels(gan.generator)))
    assert all(same(d, kernels(gan.discriminator)))


@pytest.mark.parametrize("still", ["generator", "discriminator"])
def test_tutorial_gives_each_optimizer_its_own_network(still, real):
    gan = model("tf_tutorial")
    optimizer = gan.optimizer if still == "generator" else gan.d_optimizer
    optimizer.learning_rate = 0.0
    before = {name: kernels(getattr(gan, name)) for name in ("generator", "discriminator")}
    gan.train_step(real)
    for name, weights in before.items():
        unmoved = same(weights, kernels(getattr(gan, name)))
        assert all(unmoved) if name == still else not any(unmoved)


def test_tutorial_takes_both_gradients_before_it_moves_anything(real):
    ends = {}
    for rate in (0.0, 1.0):
        gan = model("tf_tutorial")
        gan.d_optimizer.learning_rate = rate
        gan.train_step(real)
        ends[rate] = kernels(gan.generator)
    assert all(same(ends[0.0], ends[1.0]))


@pytest.mark.parametrize("name", ALL)
def test_a_step_counts_and_only_ours_has_an_ema_copy(name, real):
    gan = model(name)
    losses = gan.train_step(real)
    assert int(gan.step) == 1
    assert {"d_loss", "g_loss"} <= set(losses)
    assert (gan.ema_generator is None) == (name in PUBLISHED)


# Labels and losses ----------------------------------------------------------------------

REAL_LOGITS, FAKE_LOGITS = np.float32([[2.0], [0.5]]), np.float32([[-1.0], [0.25]])


def cross_entropy(labels, logits):
    """From its definition, in float64."""
    p = 1 / (1 + np.exp(-np.float64(logits)))
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()


def test_keras_io_calls_fake_1_and_real_0():
    gan = model("keras_io")
    labels = np.array([[1.0], [1.0], [0.0], [0.0]])
    d_loss = cross_entropy(labels, np.concatenate([FAKE_LOGITS, REAL_LOGITS]))
    assert float(gan.discriminator_loss(REAL_LOGITS, FAKE_LOGITS)) == pytest.approx(d_loss)
    assert float(gan.generator_loss(FAKE_LOGITS)) == pytest.approx(cross_entropy(0, FAKE_LOGITS))


def test_tutorial_adds_the_two_halves_of_the_loss():
    gan = model("tf_tutorial")
    d_loss = cross_entropy(1, REAL_LOGITS) + cross_entropy(0, FAKE_LOGITS)
    assert float(gan.discriminator_loss(REAL_LOGITS, FAKE_LOGITS)) == pytest.approx(d_loss)
    assert float(gan.generator_loss(FAKE_LOGITS)) == pytest.approx(cross_entropy(1, FAKE_LOGITS))


@pytest.mark.parametrize("name", ["classic", "recommended"])
def test_ours_and_the_classic_call_real_1_and_take_the_mean(name):
    gan = model(name)
    d_loss = (cross_entropy(1, REAL_LOGITS) + cross_entropy(0, FAKE_LOGITS)) / 2
    assert float(gan.discriminator_loss(REAL_LOGITS, FAKE_LOGITS)) == pytest.approx(d_loss)
    assert float(gan.generator_loss(FAKE_LOGITS)) == pytest.approx(cross_entropy(1, FAKE_LOGITS))


@pytest.mark.parametrize("name", ALL)
def test_discriminator_learns_to_call_real_what_the_recipe_calls_it(name, real):
    gan = model(name)
    gan.optimizer.learning_rate = 0.0
    own = (real + 1) / 2 if name == "keras_io" else real
    fake = gan.generator(z_for(gan), training=True)

    def real_above_fake():
        real_logits, fake_logits = gan._judge(own, fake)
        return float(np.mean(real_logits - fake_logits))

    before = real_above_fake()
    for _ in range(4):
        gan.train_step(real)
    assert (real_above_fake() > before) == (name != "keras_io")


@pytest.mark.parametrize("name", ALL)
def test_generator_learns_to_be_called_real(name, real):
    gan = model(name)
    gan.d_optimizer.learning_rate = 0.0
    z = z_for(gan)

    def looks():
        logits = gan.discriminator(gan.generator(z, training=True), training=True)
        return float(np.mean(logits))

    before = looks()
    for _ in range(4):
        gan.train_step(real)
    assert (looks() > before) == (name != "keras_io")


# As published ---------------------------------------------------------------------------


def test_networks_have_the_published_sizes():
    assert recipes.tutorial_generator().count_params() == 2_330_944
    assert recipes.tutorial_discriminator().count_params() == 212_865
    # keras.io's own 1,562,115 and 80,385, less what the labels' inputs take
    assert recipes.keras_io_generator().count_params() == 1_339_905
    assert recipes.keras_io_discriminator().count_params() == 74_625


def test_networks_have_the_published_slopes_and_dropout():
    def settings(network):
        return [
            getattr(layer, "rate", None) or layer.negative_slope
            for layer in network.layers
            if isinstance(layer, (keras.layers.Dropout, keras.layers.LeakyReLU))
        ]

    assert settings(recipes.tutorial_generator()) == pytest.approx([0.3] * 3)
    assert settings(recipes.tutorial_discriminator()) == pytest.approx([0.3] * 4)
    assert settings(recipes.keras_io_generator()) == pytest.approx([0.2] * 3)
    assert settings(recipes.keras_io_discriminator()) == pytest.approx([0.2] * 2)


@pytest.mark.parametrize(
    ("name", "kind", "rate", "batch_size", "latent_dim", "noise_kind"),
    [
        ("classic", "SGD", 1e-3, 128, 100, "uniform"),
        ("tf_tutorial", "Adam", 1e-4, 256, 100, "normal"),
        ("keras_io", "Adam", 3e-4, 64, 128, "normal"),
    ],
)
def test_hyperparameters_are_the_published_ones(
    name, kind, rate, batch_size, latent_dim, noise_kind
):
    made = contestant(name)
    assert (made.batch_size, made.model.latent_dim) == (batch_size, latent_dim)
    assert made.model.noise_kind == noise_kind
    assert made.model.joint_batch == (name != "tf_tutorial")
    for optimizer in (made.model.optimizer, made.model.d_optimizer):
        assert type(optimizer).__name__ == kind
        assert float(optimizer.learning_rate) == pytest.approx(rate)


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_gets_the_same_seconds(name):
    assert contestant(name).budget.seconds == pytest.approx(SECONDS)


def test_keras_io_networks_see_0_to_1_and_its_sampler_gives_minus_1_to_1(real, monkeypatch):
    gan = model("keras_io")
    seen = []
    monkeypatch.setattr(gan, "update_discriminator", lambda real, z: seen.append(real) or 0.0)
    gan.train_step(real)
    np.testing.assert_allclose(seen[0], (real + 1) / 2)
    z = z_for(gan)
    np.testing.assert_allclose(gan.sampler(z), 2 * gan.generator(z) - 1, atol=1e-6)


# What a run leaves ----------------------------------------------------------------------

LOAD = """
import json, pathlib, sys
import keras, numpy as np
found = {}
for file in pathlib.Path(".").glob("*.keras"):
    network = keras.models.load_model(file)
    z = 3 * np.random.default_rng(0).normal(size=(7, network.input_shape[-1]))
    images = np.asarray(network(z, training=False))
    found[file.stem] = [images.shape, float(images.min()), float(images.max())]
assert not any(name.split(".")[0] in ("helpers", "benchmarks") for name in sys.modules)
print(json.dumps(found))
"""


def test_generators_load_in_safe_mode_without_this_project(tmp_path):
    for name in ALL:
        model(name).sampler.save(tmp_path / f"{name}.keras")
    run = subprocess.run(
        [sys.executable, "-I", "-c", LOAD],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert set(found) == set(ALL)
    for shape, low, high in found.values():
        assert shape == [7, 28, 28, 1]
        assert -1 <= low < 0
        assert high <= 1


def test_a_short_run_leaves_a_generator_a_sheet_and_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist_quality, "SAMPLES", 200)
    mnist_quality.main(
        ["--seconds", "0.5", "--recipes", "recommended", "--seed", "7", "--out", str(tmp_path)]
    )
    scores = json.loads((tmp_path / "scores.json").read_text())
    row = scores["recipes"]["recommended"]
    assert {file.name for file in tmp_path.iterdir()} == {
        "recommended.keras",
        "recommended.png",
        "scores.json",
    }
    assert (scores["seconds"], scores["seed"], scores["samples"]) == (0.5, 7, 200)
    assert row["steps"] >= 1
    assert row["images_seen"] == 64 * row["steps"]
    assert (row["z"], row["latent_dim"]) == ("normal", 64)
    assert row["ratio_to_recommended"] == 1.0
    assert row["frechet_distance"] > 10 * scores["real"]["frechet_distance"]
    printed = capsys.readouterr().out
    assert f"{row['frechet_distance']:.1f}" in printed
    assert "real digits" in printed


def test_several_budgets_go_into_folders_of_their_own(tmp_path, monkeypatch):
    calls = []

    def note(names, seconds, seed, folder):
        calls.append((names, seconds, folder.relative_to(tmp_path).as_posix()))
        return {"seconds": seconds, "samples": 1, "reference": "", "recipes": {}, "real": {}}

    monkeypatch.setattr(mnist_quality, "compare", note)
    mnist_quality.main(["--seconds", "60", "2.5", "--recipes", "classic", "--out", str(tmp_path)])
    assert calls == [(["classic"], 60.0, "60s"), (["classic"], 2.5, "2.5s")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--recipes", "r2"], "unknown recipe r2"), (["--seconds", "0"], "number of seconds")],
)
def test_bad_arguments_are_named(arguments, said, capsys):
    with pytest.raises(SystemExit):
        mnist_quality.main(arguments)
    assert said in capsys.readouterr().err


def test_scoring_draws_the_kind_of_z_the_recipe_trains_with(tmp_path):
    network = keras.Sequential(
        [keras.Input((784,)), keras.layers.Reshape((28, 28, 1))], name="shows_its_z"
    )
    network.save(tmp_path / "shows.keras")
    seen = []
    facts = {"title": "", "seconds": 1, "steps": 1, "latent_dim": 784}
    for kind in ("uniform", "normal", "uniform"):
        mnist_quality.score(tmp_path / "shows.keras", facts | {"z": kind}, seen.append)
    uniform, normal, again = seen
    assert uniform.shape == (5_000, 28, 28, 1)
    assert np.abs(uniform).max() <= 1
    assert uniform.std() == pytest.approx(1 / np.sqrt(3), abs=0.01)
    assert normal.std() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(uniform, again)


def test_ratios_are_multiples_of_the_recommended_ones():
    rows = {"classic": {"frechet_distance": 300.0}, "recommended": {"frechet_distance": 30.0}}
    mnist_quality.add_ratios(rows)
    assert [row["ratio_to_recommended"] for row in rows.values()] == [10.0, 1.0]


# Speed ----------------------------------------------------------------------------------


def test_the_loop_by_hand_does_what_fit_does():
    ends = []
    for way in (speed.by_hand, speed.fit):
        runtime.seed_everything(0)
        made = dataclasses.replace(speed.contestant("classic"), batch_size=16)
        way(made)(2)
        ends.append(kernels(made.model.generator) + kernels(made.model.discriminator))
    for by_hand, by_fit in zip(*ends, strict=True):
        np.testing.assert_allclose(by_hand, by_fit, atol=1e-6)


def test_measure_takes_the_median_of_the_rounds(monkeypatch):
    now, cost = [0.0], iter([1.0, 4.0, 2.0])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(speed.time, "process_time", lambda: 2 * now[0])

    def way(steps):
        if steps != speed.WARM_UP_STEPS:
            now[0] += next(cost)

    speeds = speed.measure({"way": (way, 64)}, rounds=3, steps=10)
    assert speeds == {"way": [(640.0, 320.0), (160.0, 80.0), (320.0, 160.0)]}
    assert "320  1.000" in speed.table("ways", speeds, "way")


def test_a_way_of_another_process_says_itself_what_it_took():
    speeds = speed.measure({"way": (lambda steps: (2.0, 4.0), 8)}, rounds=1, steps=10)
    assert speeds == {"way": [(40.0, 20.0)]}


def test_a_ratio_is_the_median_of_those_of_the_rounds():
    rounds = {"fit": [(10, 1), (40, 1), (9, 1)], "bare": [(10, 1), (80, 1), (10, 1)]}
    speeds = {name: [speed.Speed(*one) for one in values] for name, values in rounds.items()}
    assert speed.ratio(speeds, "fit", "bare") == 0.9


@pytest.mark.parametrize("name", ["recommended", "classic", "dcgan64"])
def test_pytorch_is_told_of_every_layer_and_number(name):
    made = speed.contestant(name)
    told = speed.torch_description(made)
    numbers = 0
    for network in ("generator", "discriminator"):
        for kind, x in told[network]:
            if kind.startswith(("Conv", "Dense")):
                numbers += x["inputs"] * x["outputs"] * max(1, x["kernel"]) ** 2
                numbers += x["outputs"] * x["bias"]
            elif kind == "BatchNormalization":
                numbers += 2 * x["inputs"]
    weights = made.model.generator.trainable_weights + made.model.discriminator.trainable_weights
    assert numbers == sum(int(np.prod(w.shape)) for w in weights)
    assert told["optimizer"]["kind"] == ("SGD" if name == "classic" else "Adam")
    assert json.loads(json.dumps(told))["batch_size"] == made.batch_size


def test_without_pytorch_the_comparison_is_left_out(monkeypatch):
    monkeypatch.setattr(speed.importlib.util, "find_spec", lambda name: None)
    assert speed.python_with_torch(None) is None
    assert speed.python_with_torch("python") == "python"


# Precision ------------------------------------------------------------------------------


def test_a_difference_of_scores_is_told_from_noise():
    full, other = [10.0, 12.0, 11.0, 13.0], [11.0, 13.0, 10.0, 12.0]
    said = precision.difference(other, full)
    assert said.startswith("+0.0 (-2.2 to +2.2): within noise")  # ± t(0.975, 6) · √(2 · 1.667 / 4)
    far = [x + 3 for x in other]
    assert precision.difference(far, full) == "+3.0 (+0.8 to +5.2): NOT within noise"
    assert precision.difference([x - 3 for x in other], full).endswith("NOT within noise")
    assert precision.difference(other, full[:1]) == "two seeds of each are needed"


def test_trainings_in_each_precision_are_scored_once_and_kept(tmp_path, monkeypatch, capsys):
    asked = []

    def train(name, seed, steps):
        asked.append((name, seed, steps))
        return {"seconds": 1.0, "distance": 10.0 * seed}

    monkeypatch.setattr(precision, "train_apart", train)
    for _ in range(2):
        precision.main(["--seeds", "1", "3", "--steps", "7", "--out", str(tmp_path)])
    assert asked == [(name, seed, 7) for seed in (1, 3) for name in precision.PRECISIONS]
    last = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[:4] for line in last] == [
        [name, "2", "20.0", "±"] for name in ("float32", "mixed_bfloat16", "mixed_float16")
    ]


@pytest.mark.slow
def test_a_training_in_half_precision_gets_a_score_of_float32(tmp_path):
    found = precision.train("mixed_bfloat16", 0, 2)
    assert 0 < found["distance"] < float("inf")
    assert keras.config.dtype_policy().name == "float32"


# Arithmetic -----------------------------------------------------------------------------


def test_operations_are_those_of_products_counted_by_hand():
    """Forward once, backward once for the weights and once for what lies before them."""
    dense = keras.layers.Dense(7, use_bias=False)
    convolution = keras.layers.Conv2D(3, 2, strides=2, padding="same", use_bias=False)

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = dense(keras.layers.Flatten()(convolution(x)))
        return tape.gradient(y, [x, *convolution.weights, *dense.weights])

    counted = arithmetic.operations_of(tf.function(step), tf.zeros((4, 6, 6, 2)))
    by_hand = 3 * 2 * 4 * (3 * 3 * 3 * 2 * 2 * 2 + 3 * 3 * 3 * 7)
    assert counted == by_hand


def test_what_bounds_a_step_is_said_in_words():
    assert "80 % of it in products; bound by convolutions" in arithmetic.bound(
        {"Conv2DBackpropInput": 0.5, "MatMul": 0.3, "Mul": 0.2}
    )
    assert "10 % of it in products; bound by all else" in arithmetic.bound(
        {"Mul": 0.9, "MatMul": 0.1}
    )


def test_tables_are_aligned():
    assert report.aligned([["a", "1"], ["bb", "10"]]) == "a    1\nbb  10"
