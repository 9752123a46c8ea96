"""Symptoms: each sickness brought about on purpose is named, and healthy training is silent."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from helpers import datasets, face_models, gans, models, portraits, symptoms, training, vaes
from helpers._backend import keras, tf
from helpers.symptoms import LOOKS, Symptoms

layers, optimizers = keras.layers, keras.optimizers
SGD = optimizers.SGD


def adam(rate, beta_1=0.5):
    return optimizers.Adam(rate, beta_1=beta_1)


def generator(activation="tanh", *, norm=True):
    norms = [layers.BatchNormalization(momentum=0.9)] if norm else []
    hidden = [layers.Dense(128, "relu"), *norms, layers.Dense(128, "relu")]
    last = [layers.Dense(49, activation), layers.Reshape((7, 7, 1))]
    return keras.Sequential([keras.Input((16,)), *hidden, *last])


def discriminator(*, norm=False):
    slope = {"negative_slope": 0.2}
    norms = [layers.BatchNormalization(momentum=0.9)] if norm else []
    return keras.Sequential(
        [
            keras.Input((7, 7, 1)),
            layers.Flatten(),
            layers.Dense(128),
            layers.LeakyReLU(**slope),
            layers.Dense(128),
            *norms,
            layers.LeakyReLU(**slope),
            layers.Dense(1),
        ]
    )


class Forgetful(gans.GAN):
    """A GAN whose training step does not say ``training=True``."""

    def update_discriminator(self, real, z):
        def loss():
            judged = self.discriminator(real), self.discriminator(self.generator(z))
            self.note_verdicts(*judged)
            return self.discriminator_loss(*judged)

        loss, _ = training.gradient_step(loss, self.discriminator, self.d_optimizer)
        return loss

    def update_generator(self, z):
        def loss():
            return self.generator_loss(self.discriminator(self.generator(z)))

        loss, _ = training.gradient_step(loss, self.generator, self.optimizer)
        return loss


def encoder():
    pictures = keras.Input((7, 7, 1))
    hidden = layers.Dense(128, "relu")(layers.Flatten()(pictures))
    return keras.Model(pictures, [layers.Dense(16)(hidden), layers.Dense(16)(hidden)])


@pytest.fixture(scope="module")
def digits():
    """4,000 digits shrunk to 7×7, float32 in [-1, 1]."""
    images = datasets.load("mnist").train.images[:4000].astype(np.float32)
    return images.reshape(-1, 7, 4, 7, 4, 1).mean((2, 4)) / 127.5 - 1


@pytest.fixture(scope="module")
def ring():
    """4,000 points on a ring of eight clouds."""
    return datasets.ring(4000)[0]


@pytest.fixture(scope="module")
def faces():
    """1,000 drawn faces of 64×64, float32 in [-1, 1]."""
    drawn = (portraits.picture(portraits.person(index)) for index in range(1000))
    small = [Image.fromarray(face[34:184, 14:164]).resize((64, 64)) for face in drawn]
    return datasets.to_float(np.stack(small))


@pytest.fixture
def train(digits, ring, clock):
    """Make a model by a function, train it on the data that fit it, watched for symptoms.

    The clock stands still, so that no step waits for its pictures, however busy the machine.
    """

    def train(make, *optimizers, steps, data=None, batch_size=64, **kwargs):
        keras.utils.set_random_seed(0)
        model = make()
        model.compile(*optimizers)
        if data is None:
            data = digits if len(model.sampler.output_shape) == 4 else ring
        z = training.noise(32, model.latent_dim, seed=9).numpy()
        watched = Symptoms(data[:32], z, **{"share": 1.0, **kwargs})
        stream = tf.data.Dataset.from_tensor_slices(data).shuffle(4000, seed=0).repeat()
        stream = stream.batch(batch_size)
        model.fit(stream, steps_per_epoch=steps, verbose=0, callbacks=[watched])
        return watched

    return train


def points_gan(**kwargs):
    return gans.GAN(models.points_generator(2), models.points_discriminator(), **kwargs)


def digits_gan(activation="tanh", *, norm=True, d_norm=False, kind=gans.GAN, **kwargs):
    return kind(generator(activation, norm=norm), discriminator(norm=d_norm), **kwargs)


def names(watched):
    return [name for _, name, _ in watched.found]


# --- one of each, on purpose ---------------------------------------------------------------

SICK = {
    "D wins": (digits_gan, adam(1e-6), adam(2e-3), 300),
    "vanishing gradient": (
        lambda: digits_gan(loss="saturating", disc_updates=3), adam(1e-4), adam(4e-3), 250,
    ),
    "mode collapse": (
        lambda: digits_gan(norm=False, gen_updates=5), adam(5e-3), adam(2e-4), 600,
    ),
    "oscillation": (points_gan, adam(2e-2, 0.9), adam(2e-2, 0.9), 900),
    "outputs outside the range": (lambda: digits_gan("linear"), adam(1e-3), adam(1e-3), 250),
    "outputs in a part of the range": (
        lambda: digits_gan("sigmoid"), adam(1e-3), adam(1e-3), 250,
    ),
    "training=True is missing": (
        lambda: digits_gan(kind=Forgetful), adam(1e-3), adam(1e-3), 250,
    ),
    "labels leak": (
        lambda: digits_gan(d_norm=True, joint_batch=True), adam(1e-3), adam(1e-3), 400,
    ),
    "D too weak": (points_gan, adam(1e-3), adam(1e-6), 600),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SICK)
def test_a_sickness_is_named_once_with_its_remedy_and_its_lesson(train, capsys, name):
    make, g_optimizer, d_optimizer, steps = SICK[name]
    g_optimizer, d_optimizer = (
        type(o).from_config(o.get_config()) for o in (g_optimizer, d_optimizer)
    )
    watched = train(make, g_optimizer, d_optimizer, steps=steps)
    assert names(watched).count(name) == 1
    if name != "oscillation":  # on the ring it comes with collapses
        assert names(watched) == [name]
    (says,) = (says for _, found, says in watched.found if found == name)
    assert re.search(r"\(lesson \d\)\.$", says)
    assert "{" not in says
    assert capsys.readouterr().out.count(says) == 1


def test_overfitting_is_named_and_with_enough_pictures_it_is_not(train, digits):
    for few, named in ((digits[:40], True), (digits[:3000], False)):
        held_out = digits[-32:]
        watched = train(digits_gan, adam(5e-4), adam(2e-3), steps=800, data=few, held_out=held_out)
        assert ("overfitting" in names(watched)) == named, watched.history["told_apart"]


def test_a_frozen_discriminator_is_the_cause_of_what_follows(train):
    watched = train(points_gan, adam(1e-3), adam(0.0), steps=900)
    assert names(watched) == ["a network stands still"]
    assert max(watched.history["drift"]) > 0.9 > 0.01 > min(watched.history["g_gradient"])


def test_posterior_collapse_is_named(train):
    make = lambda: vaes.VAE(encoder(), generator(norm=False), beta=20.0)  # noqa: E731
    assert names(train(make, optimizers.Adam(1e-3), steps=550)) == ["posterior collapse"]


@pytest.mark.parametrize(("rates", "still"), [((0.0, 1e-5), "generator"), ((1e-4, 0.0), "disc")])
def test_a_network_that_does_not_move_is_named(train, rates, still):
    watched = train(digits_gan, *map(adam, rates), steps=200)
    assert names(watched) == ["a network stands still"]
    assert f"the {still}" in watched.found[0][2]


def test_a_network_at_rest_by_its_schedule_is_not_said_to_stand_still(train):
    make = lambda: digits_gan(schedule=training.in_phases({0: lambda step: (1, 0)}))  # noqa: E731
    watched = train(make, adam(1e-3), adam(1e-5), steps=200)
    assert watched.found == []
    assert np.isnan(watched.history["moved_generator"]).all()
    assert min(watched.history["moved_discriminator"]) > 1e-5


def test_nan_stops_training_at_once(train):
    make = lambda: digits_gan("linear", loss="least_squares")  # noqa: E731
    watched = train(make, SGD(1e4), SGD(1e4), steps=300)
    (step, name, says), *more = watched.found
    assert (name, more) == ("NaN", [])
    assert step == watched.steps < 20
    assert re.match(r"[dg]_loss is (nan|inf)", says)


def test_a_loss_that_was_not_computed_yet_is_not_nan(train):
    watched = train(
        lambda: digits_gan(schedule=lambda step: (1, 0)), adam(1e-4), adam(1e-4), steps=5
    )
    assert watched.steps == 5
    assert watched.found == []


@pytest.mark.parametrize(
    ("waiting", "working", "named"),
    [(0.02, 0.03, True), (0.02, 0.06, False), (0.009, 0.001, False)],
)
def test_input_starvation_is_named(digits, clock, waiting, working, named):
    """By a clock that only a batch's making and a step's end set on, by so many seconds."""

    def slowly(pictures):
        clock.now += waiting
        return pictures

    def pass_on(pictures):
        return tf.ensure_shape(tf.numpy_function(slowly, [pictures], tf.float32), (64, 7, 7, 1))

    def work(batch, logs):
        clock.now += working

    model = digits_gan()
    model.compile(adam(1e-4), adam(1e-4))
    watched = Symptoms(digits[:32], np.zeros((32, 16)), every=10, share=1.0)
    stream = tf.data.Dataset.from_tensors(digits[:64]).repeat().map(pass_on)
    step = keras.callbacks.LambdaCallback(on_train_batch_end=work)
    model.fit(stream, steps_per_epoch=50, verbose=0, callbacks=[watched, step])
    assert names(watched) == ["input starvation"] * named
    share = waiting / (waiting + working)
    np.testing.assert_allclose(watched.history["waiting"][1:], share, rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "named"), [(0, 1, True), (0, 255, True), (-1, 1, False), (-1.5, 1.5, True)]
)
def test_a_stream_out_of_range_is_named_even_when_fit_could_not_look(digits, low, high, named):
    model = digits_gan()
    model.compile(adam(1e-4), adam(1e-4))
    watched = Symptoms(digits[:32], np.zeros((32, 16)), every=5, share=1.0)
    first = tf.data.Dataset.from_tensors(digits[:64])
    others = tf.data.Dataset.from_tensors(digits[:64] * (high - low) / 2 + (high + low) / 2)
    stream = others.repeat() if low == -1 else first.concatenate(others.repeat())
    if low == 0:
        model.check_batch = lambda batch: None
        stream = others.repeat()
    model.fit(stream, steps_per_epoch=30, verbose=0, callbacks=[watched])
    assert ("inputs outside the range" in names(watched)) == named


# --- silence -------------------------------------------------------------------------------

HEALTHY = {
    "points": (points_gan, (adam(1e-3), adam(2e-3)), 800),
    "non-saturating": (digits_gan, (adam(5e-4), adam(5e-4)), 600),
    "hinge": (lambda: digits_gan(loss="hinge"), (adam(5e-4), adam(5e-4)), 600),
    "least squares": (lambda: digits_gan(loss="least_squares"), (adam(5e-4), adam(5e-4)), 600),
    "gradient penalty": (
        lambda: gans.WassersteinGAN(generator(), discriminator(), disc_updates=3),
        (adam(5e-4), adam(5e-4)), 500,
    ),
    "VAE": (lambda: vaes.VAE(encoder(), generator(norm=False), beta=0.1), (adam(1e-3),), 600),
    "two phases": (
        lambda: digits_gan(
            schedule=training.in_phases({0: training.every(gen=4), 300: training.every(disc=4)})
        ),
        (adam(2e-4), adam(2e-4)), 600,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_training_is_silent(train, capsys, name):
    make, its_optimizers, steps = HEALTHY[name]
    fresh = [type(o).from_config(o.get_config()) for o in its_optimizers]
    watched = train(make, *fresh, steps=steps)
    assert watched.found == []
    assert "Step" not in capsys.readouterr().out
    assert len(watched.history["step"]) == steps // 50


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rates", "named"),
    # At 1e-3, in batches this small, the pictures as a whole sway, and that is named.
    [((5e-4, 5e-4), []), ((5e-4, 0.0), ["a network stands still"])],
)
def test_faces_of_64_by_64_are_silent_until_something_is_wrong(train, faces, rates, named):
    make = lambda: gans.GAN(  # noqa: E731
        face_models.face_generator(capacity=8), face_models.face_discriminator(capacity=8)
    )
    both = [optimizers.Adam(rate, beta_1=0.5, beta_2=0.99) for rate in rates]
    steps = 200 if named else 500
    watched = train(make, *both, steps=steps, data=faces, batch_size=16)
    assert names(watched) == named


@pytest.mark.slow
def test_the_digits_of_lesson_1_are_silent(clock):
    digits = datasets.load("mnist").train
    keras.utils.set_random_seed(1)
    gan = gans.GAN(models.digit_generator(), models.digit_discriminator(), seed=1)
    gan.compile(*(optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.99) for _ in "gd"))
    watched = Symptoms(digits.sample(32), training.noise(32, 64, seed=9).numpy(), share=1.0)
    stream = digits.batches(32, seed=1)
    gan.fit(stream, steps_per_epoch=500, verbose=0, callbacks=[watched])
    assert watched.found == []
    assert max(watched.history["input_high"]) == 1
    assert min(watched.history["input_low"]) == -1


# --- when it is told, from numbers made up -------------------------------------------------


@pytest.fixture
def told(monkeypatch):
    """Which symptoms are told at which look, for numbers of each look."""

    def told(looks):
        watched = Symptoms(
            np.zeros((32, 4, 4, 1)) + np.arange(32).reshape(-1, 1, 1, 1), np.zeros((32, 3))
        )
        watched.steps = 0
        for numbers in looks:
            watched.steps += 100
            line = {"step": 1000.0 + watched.steps, **numbers}
            monkeypatch.setattr("helpers.statistics.Statistics.look", lambda self, line=line: line)
            watched.history = {
                name: [*watched.history.get(name, []), value] for name, value in line.items()
            }
            watched.look()
        return [(step // 100, name) for step, name, _ in watched.found]

    return told


WINS = {"d_real": 1.0, "d_fake": 1.0, "d_loss": 0.001}
FAIR = {"d_real": 0.7, "d_fake": 0.7, "d_loss": 0.6}


def test_a_symptom_is_told_after_four_looks_and_not_again_while_it_lasts(told):
    assert told([FAIR, FAIR, *[WINS] * 20]) == [(6, "D wins")]


def test_a_symptom_that_flickers_is_told_once(told):
    assert told([*[WINS] * 5, FAIR] * 4) == [(4, "D wins")]


def test_a_symptom_that_went_away_is_told_again(told):
    assert told([*[WINS] * 5, *[FAIR] * 9, *[WINS] * 5]) == [(4, "D wins"), (18, "D wins")]


def test_a_consequence_is_not_told_beside_its_cause(told):
    alike = {"diversity": 0.01, "g_loss": 9.0}
    assert told([{**WINS, **alike}] * 6) == [(4, "D wins")]
    assert told([{**FAIR, **alike}] * 6) == [(4, "mode collapse")]


MOVED = {"moved_discriminator": 0.0006, "moved_generator": 0.04}


@pytest.mark.parametrize(
    ("name", "sick", "well"),
    [
        ("D wins", WINS, WINS | {"d_loss": 0.06}),  # healthiest loss seen at accuracies of 0.996
        ("D wins", WINS, WINS | {"d_fake": 0.97}),
        ("vanishing gradient", {"g_gradient": 0.005}, {"g_gradient": 0.067}),
        ("mode collapse", {"diversity": 0.2, "g_loss": 1}, {"diversity": 0.56, "g_loss": 1}),
        (
            "training=True is missing",
            {"state_generator": 0.0, "moved_generator": 0.01},
            {"state_generator": 0.07, "moved_generator": 0.01},
        ),
        (
            "training=True is missing",
            {"state_generator": 0.0, "moved_generator": 0.01},
            {"state_generator": 0.0, "moved_generator": np.nan},  # at rest
        ),
        (
            "D too weak",
            {"d_real": 1.0, "d_fake": 0.0, **MOVED, "gap": 18.0, "diversity": 9.0},
            {"d_real": 0.6, "d_fake": 0.45, **MOVED, "gap": 0.04, "diversity": 1.0},
        ),
        (
            "D too weak",
            {"d_real": 1.0, "d_fake": 0.0, **MOVED, "gap": 18.0, "diversity": 9.0},
            {"d_real": 0.6, "d_fake": 0.6, "gap": 1.4, "moved_discriminator": 0.11,
             "moved_generator": 0.04, "diversity": 0.5},  # digits, early
        ),
        ("labels leak", {"d_fake": 0.99, "g_fooled": 0.5}, {"d_fake": 0.9, "g_fooled": 0.2}),
        ("overfitting", {"told_apart": 0.97}, {"told_apart": 0.72}),
        ("posterior collapse", {"kl": 0.06}, {"kl": 1.3}),
        ("posterior collapse", {"kl": 0.06}, {"kl": 0.06, "g_loss": 1}),
        ("oscillation", {"drift": 0.97}, {"drift": 0.65}),
        ("outputs outside the range", {"low": -1, "high": 1.1}, {"low": -1, "high": 1.0}),
        ("outputs in a part of the range", {"low": 0, "high": 1}, {"low": -1, "high": -0.3}),
        ("outputs in a part of the range", {"low": -0.5, "high": 0.5}, {"low": -0.8, "high": 0.1}),
        (
            "input starvation",
            {"waiting": 0.5, "wait_seconds": 0.02},
            {"waiting": 0.1, "wait_seconds": 0.02},
        ),
        (
            "input starvation",
            {"waiting": 0.5, "wait_seconds": 0.02},
            {"waiting": 0.5, "wait_seconds": 0.002},
        ),
        (
            "inputs outside the range",
            {"input_low": 0, "input_high": 1},
            {"input_low": -1, "input_high": 1},
        ),
        ("a network stands still", {"moved_generator": 0.0}, {"moved_generator": 5e-5}),
    ],
)  # fmt: skip
def test_bounds_lie_between_what_healthy_and_what_sick_trainings_showed(told, name, sick, well):
    assert told([sick] * LOOKS) == [(LOOKS, name)]
    assert told([well] * LOOKS) == []


def test_points_have_no_range(train):
    watched = train(points_gan, adam(1e-3), adam(2e-3), steps=200)
    assert max(watched.history["high"]) > 1.02
    assert watched.found == []


def test_a_continued_run_does_not_tell_anew(told):
    watched = Symptoms(np.eye(32).reshape(32, 4, 8, 1), np.zeros((32, 3)))
    watched.found, watched._unseen, watched.history = [(7, "a", "b")], {"a": 3}, {"step": [5.0]}
    other = Symptoms(np.eye(32).reshape(32, 4, 8, 1), np.zeros((32, 3)))
    other.load_state(watched.state())
    assert (other.found, other._unseen, other.history) == (
        [(7, "a", "b")],
        {"a": 3},
        {"step": [5.0]},
    )


# --- the device ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "listed", "visible", "device", "environment", "idle"),
    [
        (True, [], [], "CPU:0", None, True),  # a card, but a TensorFlow that cannot use it
        (False, [], [], "CPU:0", None, False),
        (True, [], [], "CPU:0", "-1", False),  # hidden on purpose
        (True, ["GPU"], [], "CPU:0", None, False),  # hidden by DEVICE = "cpu"
        (True, ["GPU"], ["GPU"], "GPU:0", None, False),
        (True, ["GPU"], ["GPU"], "CPU:0", None, True),
    ],
)
def test_a_gpu_that_lies_idle_is_seen(
    monkeypatch, card, listed, visible, device, environment, idle
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if environment:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", environment)
    monkeypatch.setattr(symptoms, "has_nvidia_card", lambda: card)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: listed)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: visible)
    value = SimpleNamespace(device=f"/job:localhost/replica:0/task:0/device:{device}")
    model = SimpleNamespace(weights=[SimpleNamespace(value=value)])
    assert symptoms.gpu_lies_idle(model) == idle


def test_an_idle_gpu_is_told_before_training(train, monkeypatch):
    monkeypatch.setattr(symptoms, "gpu_lies_idle", lambda model: True)
    watched = train(points_gan, adam(1e-3), adam(1e-3), steps=1)
    assert [(step, name) for step, name, _ in watched.found] == [(0, "no GPU in use")]


@pytest.mark.parametrize(
    ("code", "out", "found"),
    [(0, "GPU 0: NVIDIA H200 (UUID: ...)\n", True), (9, "failed", False), (0, "No devices", False)],
)
def test_the_drivers_tool_is_asked_for_a_card(monkeypatch, code, out, found):
    symptoms.has_nvidia_card.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    done = SimpleNamespace(returncode=code, stdout=out)
    monkeypatch.setattr("subprocess.run", lambda *args, **kwargs: done)
    assert symptoms.has_nvidia_card() == found
    symptoms.has_nvidia_card.cache_clear()
