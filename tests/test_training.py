"""What a GAN silently gets wrong: which weights move, modes, noise, EMA, time, bad input."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import runs, training
from helpers._backend import keras, tf
from helpers.datasets import ImageSet

HALVES = ("discriminator", "generator")


def take_half(gan, half, real, z):
    """One update of one network by itself."""
    return gan.update_discriminator(real, z) if half == "discriminator" else gan.update_generator(z)


def everything(gan, values):
    """All numbers that training may change."""
    return values(gan.weights) + values(gan.optimizer.variables) + values(gan.d_optimizer.variables)


def image_set(n=12):
    """Pictures of which every one differs from every other."""
    images = np.random.default_rng(5).integers(0, 256, (n, 4, 4, 1)).astype(np.uint8)
    return ImageSet("noise", images, np.zeros(n, np.int64), ("a",), "here", n)


class Losses(keras.callbacks.Callback):
    """Both losses of every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((float(logs["d_loss"]), float(logs["g_loss"])))


def fit(gan, *, steps=6, seed=0, start_step=0):
    """Train on a stream of shuffled batches; return the losses of every step."""
    losses = Losses()
    stream = image_set().batches(4, seed=seed, start_step=start_step)
    gan.fit(stream, steps_per_epoch=steps, verbose=0, callbacks=[losses])
    return losses.seen


# --- which weights move --------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("joint_batch", [False, True])
def test_each_half_moves_all_of_its_network_and_none_of_the_other(
    build, pictures, z, values, moved, half, joint_batch
):
    gan = build.lifelike_gan(joint_batch=joint_batch)
    (other,) = set(HALVES) - {half}
    mine, its = getattr(gan, half).trainable_variables, getattr(gan, other).trainable_variables
    mine_before, its_before, ema_before = map(values, (mine, its, gan.ema_generator.weights))
    take_half(gan, half, pictures, z)
    assert all(moved(mine_before, mine))
    assert not any(moved(its_before, its))
    assert not any(moved(ema_before, gan.ema_generator.weights))


@pytest.mark.parametrize("half", HALVES)
def test_each_half_steps_its_own_optimizer_only(build, pictures, z, half):
    gan = build.gan()
    take_half(gan, half, pictures, z)
    steps = {"generator": gan.optimizer.iterations, "discriminator": gan.d_optimizer.iterations}
    assert {name: int(count) for name, count in steps.items()} == {
        name: int(name == half) for name in HALVES
    }


@pytest.mark.parametrize("half", HALVES)
def test_a_frozen_layer_stays_and_the_rest_moves(build, pictures, z, values, moved, half):
    networks = {"generator": build.generator(), "discriminator": build.discriminator()}
    frozen = next(layer for layer in networks[half].layers if layer.weights)
    frozen.trainable = False
    gan = build.gan(**networks)
    before, rest = values(frozen.weights), networks[half].trainable_variables
    rest_before = values(rest)
    take_half(gan, half, pictures, z)
    assert not any(moved(before, frozen.weights))
    assert rest
    assert all(moved(rest_before, rest))


def test_fit_moves_both_networks_and_their_moving_statistics(build, pictures, values, moved):
    gan = build.lifelike_gan()
    weights = gan.generator.weights + gan.discriminator.weights
    before = values(weights)
    gan.fit(pictures, batch_size=4, epochs=2, verbose=0)
    assert all(moved(before, weights))
    assert int(gan.step) == int(gan.optimizer.iterations) == int(gan.d_optimizer.iterations) == 8


@pytest.mark.parametrize(("disc_updates", "gen_updates"), [(1, 1), (3, 2)])
def test_a_step_makes_the_updates_asked_for_each_from_fresh_noise(
    build, pictures, monkeypatch, disc_updates, gen_updates
):
    gan = build.gan(disc_updates=disc_updates, gen_updates=gen_updates)
    seen, d_update, g_update = [], gan.update_discriminator, gan.update_generator
    record = {
        "update_discriminator": lambda real, z: seen.append(("d", z)) or d_update(real, z),
        "update_generator": lambda z: seen.append(("g", z)) or g_update(z),
    }
    for name, function in record.items():
        monkeypatch.setattr(gan, name, function)
    for _ in range(2):
        gan.train_step(pictures)
    assert "".join(who for who, _ in seen) == 2 * ("d" * disc_updates + "g" * gen_updates)
    assert {tuple(z.shape) for _, z in seen} == {(16, 3)}
    assert len({float(z[0, 0]) for _, z in seen}) == len(seen)
    assert int(gan.d_optimizer.iterations) == 2 * disc_updates
    assert int(gan.optimizer.iterations) == 2 * gen_updates
    assert int(gan.step) == 2


# --- modes ---------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tests")
class Probe(keras.layers.Layer):
    """Notes under which mode it was called; a copy notes into the same list."""

    seen: list = []  # noqa: RUF012

    def call(self, inputs, training=None):
        self.seen.append((self.name, training))
        return inputs


@pytest.fixture
def probed_gan(build):
    """A GAN with a probe in each network, and what the probes noted."""
    Probe.seen.clear()
    gan = build.gan(
        build.generator(Probe(name="g")), build.discriminator(Probe(name="d")), ema_decay=0.9
    )
    Probe.seen.clear()
    return gan


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("joint_batch", [False, True])
def test_both_networks_are_in_training_mode_in_both_halves(
    probed_gan, pictures, z, half, joint_batch
):
    probed_gan.joint_batch = joint_batch
    take_half(probed_gan, half, pictures, z)
    assert set(Probe.seen) == {("g", True), ("d", True)}


def test_both_networks_are_in_inference_mode_in_generate(probed_gan):
    for ema in (True, False):
        probed_gan.generate(2, best_of=2, ema=ema)
    assert set(Probe.seen) == {("g", False), ("d", False)}


def test_a_snapshot_is_taken_in_inference_mode(probed_gan, pictures, z):
    from helpers.monitors import LiveFigure

    monitor = LiveFigure(z)
    monitor.set_model(probed_gan)
    monitor.set_params({})
    monitor.on_train_begin()
    assert Probe.seen == [("g", False)]


def test_dropout_acts_in_training_and_not_in_generate(build, pictures, z):
    gan = build.gan(discriminator=build.discriminator(keras.layers.Dropout(0.5)), g_rate=0.0)
    assert float(gan.update_generator(z)) != float(gan.update_generator(z))
    gan = build.gan(build.generator(keras.layers.Dropout(0.5)))
    np.testing.assert_array_equal(gan.generate(4), gan.generate(4))


# --- one batch or two ----------------------------------------------------------------------


@pytest.mark.parametrize("norm", [False, True])
def test_in_a_joint_batch_normalization_sees_real_and_fake_mixed(build, pictures, z, norm):
    extra = [keras.layers.BatchNormalization()] if norm else []

    def loss(joint):
        gan = build.gan(discriminator=build.discriminator(*extra), d_rate=0.0, joint_batch=joint)
        return gan, float(gan.update_discriminator(pictures, z))

    (_, separate), (gan, joint) = loss(False), loss(True)
    assert (joint == pytest.approx(separate, rel=1e-5)) is not norm
    fake = gan.generator(z, training=True)
    logits = gan.discriminator(np.concatenate([pictures, fake]), training=True)
    assert joint == pytest.approx(float(gan.discriminator_loss(logits[:16], logits[16:])), rel=1e-5)


# --- noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_noise_is_a_function_of_seed_step_and_draw(kind):
    def first(seed, step, draw):
        return training.noise(4, 3, kind=kind, seed=seed, step=step, draw=draw).numpy().tobytes()

    keys = [(seed, step, draw) for seed in range(3) for step in range(-1, 3) for draw in range(3)]
    drawn = {key: first(*key) for key in keys}
    assert drawn == {key: first(*key) for key in keys}
    assert len(set(drawn.values())) == len(keys)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_noise_inside_a_tf_function_is_that_outside(dtype):
    drawn = tf.function(lambda step: training.noise(4, 3, seed=7, step=step, draw=1))
    for step in (0, 5):
        expected = training.noise(4, 3, seed=7, step=step, draw=1)
        np.testing.assert_array_equal(drawn(tf.constant(step, dtype)), expected)


def test_normal_noise_has_the_moments_of_a_standard_normal():
    z = training.noise(20_000, 10, seed=3).numpy()
    assert z.shape == (20_000, 10)
    assert z.dtype == np.float32
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    assert abs((np.abs(z) > 2).mean() - 0.0455) < 0.002
    assert np.abs(np.corrcoef(z.T) - np.eye(10)).max() < 0.03


def test_uniform_noise_fills_minus_one_to_one_evenly():
    z = training.noise(20_000, 10, kind="uniform", seed=3).numpy()
    assert -1 <= z.min() < -0.999
    assert 0.999 < z.max() <= 1
    assert abs(z.mean()) < 0.01
    assert abs(z.var() - 1 / 3) < 0.005
    assert np.abs(np.histogram(z, 10)[0] / z.size - 0.1).max() < 0.005


def test_unknown_noise_is_refused_by_name(build):
    with pytest.raises(ValueError, match=r"NOISE is 'gaussian'.*normal.*uniform"):
        training.noise(4, 3, kind="gaussian")
    with pytest.raises(ValueError, match=r"NOISE is 'gaussian'.*normal.*uniform"):
        build.gan(noise="gaussian")


@pytest.mark.parametrize(("kind", "bounded"), [("uniform", True), ("normal", False)])
def test_a_gan_trains_and_generates_from_the_noise_it_was_given(
    build, pictures, monkeypatch, kind, bounded
):
    passes_z_on = keras.Sequential([keras.Input((3,)), keras.layers.Reshape((1, 1, 3))])
    gan = build.gan(passes_z_on, build.discriminator(shape=(1, 1, 3)), noise=kind)
    assert bool(np.abs(gan.generate(200)).max() <= 1) is bounded
    gan, seen = build.gan(noise=kind), []
    monkeypatch.setattr(gan, "update_generator", seen.append)
    for _ in range(10):
        gan.train_step(pictures)
    assert bool(np.abs(seen).max() <= 1) is bounded


# --- two replicas --------------------------------------------------------------------------

TWO_REPLICAS = """
import json
import numpy as np
from helpers._backend import keras, tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
from helpers import gans, training
layers = keras.layers

def make():
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh")])
    discriminator = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
    gan = gans.GAN(generator, discriminator)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    return gan

def per_replica(function, *arguments):
    results = tf.function(lambda *a: strategy.run(function, a))(*arguments)
    return [result.numpy() for result in strategy.experimental_local_results(results)]

def halves(array):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(array, 2)[context.replica_id_in_sync_group])
    )

def weights(gan, replica):
    every = gan.generator.weights + gan.discriminator.weights
    copies = [strategy.experimental_local_results(w.value)[replica].numpy() for w in every]
    return np.concatenate([copy.ravel() for copy in copies])

random = np.random.default_rng(0)
real, z = random.normal(size=(2, 8, 4)).astype("float32")
z = z[:, :3]
draws = [per_replica(lambda: training.noise(2, 3, seed=1, step=4)) for _ in range(2)]
alone = make()
alone.update_discriminator(real, z)
alone.update_generator(z)
with strategy.scope():
    together, fitted = make(), make()
d_losses = per_replica(together.update_discriminator, halves(real), halves(z))
per_replica(together.update_generator, halves(z))
start = weights(fitted, 0)
fitted.fit(real, batch_size=4, epochs=2, verbose=0)
print(json.dumps({
    "draws": np.array(draws).tolist(),
    "noise_alone": training.noise(2, 3, seed=1, step=4).numpy().tolist(),
    "alone": weights(alone, 0).tolist(),
    "together": [weights(together, replica).tolist() for replica in (0, 1)],
    "fitted": [start.tolist(), weights(fitted, 0).tolist(), weights(fitted, 1).tolist()],
    "step": int(strategy.experimental_local_results(fitted.step.value)[1].numpy()),
}))
"""


@pytest.fixture(scope="module")
def two_replicas(root):
    """What a process with two logical devices found; they must be made before TensorFlow starts."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_REPLICAS], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_replicas_draw_different_noise_and_the_same_in_every_run(two_replicas):
    once, again = np.array(two_replicas["draws"])
    np.testing.assert_array_equal(once, again)
    assert not np.isclose(once[0], once[1]).any()
    np.testing.assert_array_equal(once[0], two_replicas["noise_alone"])


def test_two_replicas_step_as_one_does_on_the_whole_batch(two_replicas):
    for replica in two_replicas["together"]:
        np.testing.assert_allclose(replica, two_replicas["alone"], atol=1e-6)


def test_fit_under_a_strategy_moves_the_weights_and_keeps_replicas_equal(two_replicas):
    start, first, second = np.array(two_replicas["fitted"])
    np.testing.assert_array_equal(first, second)
    assert (first != start).all()
    assert two_replicas["step"] == 4


# --- the same run again --------------------------------------------------------------------


def test_two_runs_from_one_seed_are_equal_to_the_last_bit(build, values):
    first, second = build.lifelike_gan(seed=3), build.lifelike_gan(seed=3)
    assert fit(first) == fit(second)
    for a, b in zip(everything(first, values), everything(second, values), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("other", [{"noise_seed": 4}, {"batch_seed": 4}])
def test_another_seed_is_another_run(build, other):
    def run(noise_seed=3, batch_seed=3):
        return fit(build.gan(seed=noise_seed), steps=2, seed=batch_seed)

    assert run() != run(**other)


def test_a_run_in_two_parts_is_the_run_in_one(build, values):
    whole, parts = build.gan(), build.gan()
    losses = fit(whole, steps=6)
    assert fit(parts, steps=2) + fit(parts, steps=4, start_step=2) == losses
    for a, b in zip(everything(whole, values), everything(parts, values), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_is_the_loop_written_by_hand(build, pictures, values):
    def optimizers():
        return [keras.optimizers.SGD(rate, momentum=0.9) for rate in (0.02, 0.05)]

    gan = build.gan(ema_decay=0.9, seed=11, smoothing=0.1)
    gan.compile(*optimizers())
    losses = Losses()
    gan.fit(pictures, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[losses])

    generator, discriminator = build.generator(), build.discriminator()
    average = generator.get_weights()
    g_optimizer, d_optimizer = optimizers()
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = []
    for step in range(6):
        real = pictures[:8] if step % 2 == 0 else pictures[8:]
        for_d, for_g = (training.noise(8, 3, seed=11, step=step, draw=draw) for draw in (0, 1))
        fake = generator(for_d)
        with tf.GradientTape() as tape:
            logits = tf.concat([discriminator(real), discriminator(fake)], axis=0)
            d_loss = cross_entropy(np.repeat([[0.9], [0.0]], 8, axis=0), logits)
        d_weights = discriminator.trainable_variables
        d_optimizer.apply(tape.gradient(d_loss, d_weights), d_weights)
        with tf.GradientTape() as tape:
            g_loss = cross_entropy(np.ones((8, 1)), discriminator(generator(for_g)))
        g_weights = generator.trainable_variables
        g_optimizer.apply(tape.gradient(g_loss, g_weights), g_weights)
        decay = min(0.9, (1 + step) / (10 + step))
        average = [
            decay * a + (1 - decay) * w for a, w in zip(average, values(g_weights), strict=True)
        ]
        expected.append((float(d_loss), float(g_loss)))

    np.testing.assert_allclose(losses.seen, expected, rtol=1e-4)
    for mine, by_hand in (
        (gan.generator.get_weights(), generator.get_weights()),
        (gan.discriminator.get_weights(), discriminator.get_weights()),
        (gan.ema_generator.get_weights(), average),
    ):
        for a, b in zip(mine, by_hand, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_training_moves_the_generated_points_to_the_real_ones(build):
    real = np.random.default_rng(0).normal(2, 0.1, (256, 2)).astype(np.float32)
    gan = build.gan(
        build.generator(shape=(2,), activation=None), build.discriminator(shape=(2,)), ema_decay=0
    )
    before = np.abs(gan.generate(100).mean(axis=0) - 2).max()
    gan.fit(real, batch_size=64, epochs=30, verbose=0)
    assert np.abs(gan.generate(100).mean(axis=0) - 2).max() < before / 2


# --- the EMA copy --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def followed(build, pictures):
    """A GAN after five steps, and its generator's and EMA copy's weights before and after each."""
    gan = build.lifelike_gan(ema_decay=0.2)
    raw, ema = [gan.generator.get_weights()], [gan.ema_generator.get_weights()]
    for _ in range(5):
        gan.train_step(pictures)
        raw.append(gan.generator.get_weights())
        ema.append(gan.ema_generator.get_weights())
    return SimpleNamespace(gan=gan, raw=raw, ema=ema)


def test_the_ema_copy_is_the_recursion_worked_by_hand(followed):
    trainable = [weight.trainable for weight in followed.gan.generator.weights]
    assert {True, False} == set(trainable)
    average = followed.raw[0]
    # min(0.2, (1 + step) / (10 + step)): the decay warms up for two steps.
    for step, decay in enumerate((1 / 10, 2 / 11, 0.2, 0.2, 0.2)):
        average = [
            decay * a + (1 - decay) * w if trains else w
            for a, w, trains in zip(average, followed.raw[step + 1], trainable, strict=True)
        ]
        for found, expected in zip(followed.ema[step + 1], average, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_ema_copy_lags_behind_the_generator(followed):
    start, raw, ema = followed.raw[0], followed.raw[-1], followed.ema[-1]
    trainable = [weight.trainable for weight in followed.gan.generator.weights]
    for s, r, e in (t[:3] for t in zip(start, raw, ema, trainable, strict=True) if t[3]):
        assert 0 < np.linalg.norm(e - s) < np.linalg.norm(r - s)


def test_the_ema_copy_has_the_generators_moving_statistics(followed):
    pairs = zip(followed.gan.generator.weights, followed.raw[-1], followed.ema[-1], strict=True)
    statistics = [(raw, ema) for weight, raw, ema in pairs if not weight.trainable]
    assert len(statistics) == 2
    for raw, ema in statistics:
        np.testing.assert_array_equal(raw, ema)


def test_generate_draws_from_the_ema_copy_unless_told_otherwise(followed):
    gan = followed.gan
    assert gan.sampler is gan.ema_generator
    z = training.noise(4, 3, seed=9, step=-1)
    raw, ema = (network(z, training=False) for network in (gan.generator, gan.ema_generator))
    assert np.abs(raw - ema).max() > 1e-4
    np.testing.assert_allclose(gan.generate(4, seed=9), ema, atol=1e-6)
    np.testing.assert_allclose(gan.generate(4, seed=9, ema=False), raw, atol=1e-6)


def test_what_is_saved_makes_the_ema_copys_pictures(followed, z, tmp_path):
    gan = followed.gan
    runs.save_run(tmp_path, gan.sampler, history={}, config={})
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    pictures = loaded.predict(z, verbose=0)
    np.testing.assert_array_equal(pictures, gan.ema_generator.predict(z, verbose=0))
    assert np.abs(pictures - gan.generator.predict(z, verbose=0)).max() > 1e-4


def test_a_saved_generator_can_be_trained_on(followed, build, pictures, tmp_path, values, moved):
    runs.save_run(tmp_path, followed.gan.sampler, history={}, config={})
    gan = build.gan(keras.models.load_model(tmp_path / "generator.keras"))
    weights = gan.generator.weights
    before = values(weights)
    gan.train_step(pictures)
    assert all(moved(before, weights))


def test_without_decay_there_is_no_copy(build, pictures):
    gan = build.gan(ema_decay=0)
    gan.train_step(pictures)
    assert gan.ema_generator is None
    assert gan.sampler is gan.generator


# --- generate ------------------------------------------------------------------------------


def test_generate_gives_float32_pictures_in_range_the_same_for_the_same_seed(followed):
    generate = followed.gan.generate
    pictures = generate(7, seed=1)
    assert pictures.shape == (7, 4, 4, 1)
    assert pictures.dtype == np.float32
    assert np.abs(pictures).max() <= 1
    assert isinstance(pictures, np.ndarray)
    np.testing.assert_array_equal(pictures, generate(7, seed=1))
    assert not np.isclose(pictures, generate(7, seed=2)).all()


def test_best_of_keeps_those_that_the_discriminator_takes_most_for_real(followed):
    gan = followed.gan
    drawn = gan.generate(100, seed=1)
    logits = gan.discriminator.predict(drawn, verbose=0)[:, 0]
    best = gan.generate(5, seed=1, best_of=20)
    np.testing.assert_allclose(best, drawn[np.argsort(-logits)[:5]], atol=1e-6)


def test_generate_changes_nothing(followed, values):
    before = everything(followed.gan, values)
    followed.gan.generate(3, best_of=2)
    for a, b in zip(before, everything(followed.gan, values), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 2.0}, {"n": 1, "best_of": 0}])
def test_generate_refuses_to_draw_nothing(followed, wrong):
    with pytest.raises(ValueError, match=r"must be a whole number, 1 or more"):
        followed.gan.generate(**wrong)


def test_in_half_precision_losses_weights_and_pictures_stay_float32(build, pictures, precision):
    precision("mixed_bfloat16")
    gan = build.lifelike_gan()
    losses = gan.train_step(pictures)
    assert {loss.dtype for loss in losses.values()} == {tf.float32}
    assert {weight.dtype for weight in gan.generator.weights} == {"float32"}
    assert gan.generate(2).dtype == np.float32
    assert gan.generate(2, best_of=3).dtype == np.float32


# --- time ----------------------------------------------------------------------------------


@pytest.fixture
def train_for(clock):
    """Drive a budget as ``.fit`` does, a step a second; return how many steps it allowed."""

    def train(budget, most):
        model = SimpleNamespace(stop_training=False)
        budget.set_model(model)
        budget.on_train_begin()
        for step in range(1, most + 1):
            clock.now += 1
            budget.on_train_batch_end(0)
            if model.stop_training:
                return step
        return most

    return train


@pytest.mark.parametrize(
    ("seconds", "planned", "trained"),
    [(7, 20, 7), (60, 20, 20), (6.5, 20, 7)],  # the step under way is finished
)
def test_training_stops_at_the_budget_or_the_epochs_whichever_is_first(
    train_for, seconds, planned, trained
):
    assert train_for(training.TimeBudget(seconds / 60), planned) == trained


def test_a_budget_ends_a_fit_and_the_next_fit_has_a_budget_of_its_own(build, pictures, clock):
    gan, budget = build.gan(), training.TimeBudget(3 / 60)
    tick = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: setattr(clock, "now", clock.now + 1)
    )
    for steps in (3, 6):
        gan.fit(pictures, batch_size=2, epochs=2, verbose=0, callbacks=[tick, budget])
        assert int(gan.step) == steps


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_a_budget_of_no_time_is_refused(minutes):
    with pytest.raises(ValueError, match=r"MINUTES is .* must be more than 0"):
        training.TimeBudget(minutes)


# --- bad input -----------------------------------------------------------------------------

GOOD = np.random.default_rng(0).uniform(-0.9, 0.9, (8, 4, 4, 1)).astype(np.float32)


def with_one(value):
    """Good pictures with one bad pixel."""
    bad = GOOD.copy()
    bad[3, 1, 2, 0] = value
    return bad


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"epochs": 0}, "EPOCHS is 0; it must be a whole number, 1 or more"),
        ({"epochs": -1}, "EPOCHS is -1"),
        ({"epochs": 1.5}, "EPOCHS is 1.5"),
        ({"epochs": True}, "EPOCHS is True"),
        ({"batch_size": 0}, "BATCH_SIZE is 0; it must be a whole number, 1 or more"),
        ({"batch_size": -4}, "BATCH_SIZE is -4"),
        ({"batch_size": 2.5}, "BATCH_SIZE is 2.5"),
        ({"x": ((GOOD + 1) * 127.5).astype(np.uint8)}, r"are uint8.*datasets\.to_float"),
        ({"x": (GOOD + 1) * 127.5}, r"lie in \[.*to_float"),
        ({"x": (GOOD + 1) / 2}, r"lie in \[0.*stretch \[0, 1\] with 2 \* images - 1"),
        ({"x": with_one(1.1)}, r"lie in \[.*1\.1\]"),
        ({"x": with_one(-1.1)}, r"lie in \[-1\.1"),
        ({"x": with_one(np.nan)}, "NaN or infinity"),
        ({"x": with_one(np.inf)}, "NaN or infinity"),
        ({"x": GOOD[:, :3]}, r"shape \(3, 4, 1\).*takes \(4, 4, 1\)"),
        ({"x": GOOD[..., 0]}, r"shape \(4, 4\).*takes \(4, 4, 1\)"),
    ],
)
def test_bad_input_is_named_before_anything_moves(build, values, wrong, names):
    gan = build.gan()
    before = everything(gan, values)
    with pytest.raises(ValueError, match=names):
        gan.fit(**{"x": GOOD, "batch_size": 4, "verbose": 0, **wrong})
    for a, b in zip(before, everything(gan, values), strict=True):
        np.testing.assert_array_equal(a, b)


class Batches(keras.utils.PyDataset):
    """Two batches of the given pictures."""

    def __init__(self, pictures):
        super().__init__()
        self.pictures = pictures

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return self.pictures[4 * i : 4 * i + 4], np.zeros(4)


@pytest.mark.parametrize(
    "source",
    [
        lambda x: tf.data.Dataset.from_tensor_slices(x).batch(4),
        lambda x: tf.data.Dataset.from_tensor_slices((x, np.zeros(8))).batch(4),
        Batches,
        tf.constant,
    ],
    ids=["dataset", "dataset with labels", "PyDataset", "tensor"],
)
def test_pictures_are_looked_at_in_every_kind_of_source(build, source):
    gan = build.gan()
    with pytest.raises(ValueError, match=r"lie in \["):
        gan.fit(source((GOOD + 1) / 2), verbose=0)
    gan.fit(source(GOOD), verbose=0)
    assert int(gan.step) >= 1


def test_points_may_lie_anywhere(build):
    gan = build.gan(build.generator(shape=(2,), activation=None), build.discriminator(shape=(2,)))
    gan.fit(np.full((8, 2), 40, np.float32), verbose=0)
    assert int(gan.step) == 1


def test_fit_before_compile_is_refused(build):
    gan = build.GAN(build.generator(), build.discriminator())
    with pytest.raises(ValueError, match="with the optimizers, comes before fit"):
        gan.fit(GOOD, verbose=0)


def test_one_optimizer_for_two_networks_is_refused(build):
    optimizer = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match=r"share one optimizer.*compile\(Adam\(...\), Adam"):
        build.gan().compile(optimizer, optimizer)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"disc_updates": 0}, "DISC_UPDATES is 0"),
        ({"gen_updates": 1.5}, "GEN_UPDATES is 1.5"),
        ({"smoothing": 1.0}, "SMOOTHING is 1.0; it must be at least 0 and less than 1"),
        ({"smoothing": -0.1}, "SMOOTHING is -0.1"),
        ({"ema_decay": 1}, "EMA_DECAY is 1"),
    ],
)
def test_arguments_out_of_range_are_refused(build, wrong, names):
    with pytest.raises(ValueError, match=names):
        build.gan(**wrong)


def test_networks_are_checked_when_a_gan_is_made(build):
    with pytest.raises(ValueError, match=r"makes \(4, 4, 1\), but the discriminator takes \(2,\)"):
        build.gan(discriminator=build.discriminator(shape=(2,)))
