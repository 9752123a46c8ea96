"""The compiled loop. Needs jax, optax and ``KERAS_BACKEND=jax``, which the lessons do without."""

import numpy as np
import pytest
import shipped_networks

from helpers._backend import keras

jax = pytest.importorskip("jax", reason="jax trains the generators that ship; see the tool")
if keras.backend.backend() != "jax":
    pytest.skip("needs KERAS_BACKEND=jax", allow_module_level=True)
jax_training = pytest.importorskip("jax_training", reason="needs optax")
Settings, Training = jax_training.Settings, jax_training.Training
VaeGanTraining = jax_training.VaeGanTraining

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
LABELS = np.arange(40) % 3
SMALL = {"batch": 4, "chunk": 3, "settling": (3, 8)}


def networks(kind=Training, classes=0):
    keras.utils.set_random_seed(0)
    made = {
        "generator": shipped_networks.generator((8, 8, 1), (6, 4), 5, classes=classes),
        "discriminator": shipped_networks.discriminator((8, 8, 1), (4,), 8, classes=classes),
    }
    if kind is VaeGanTraining:
        made["encoder"] = shipped_networks.encoder((8, 8, 1), (4,), 5)
    return made


def begun(kind=Training, classes=0, **settings):
    settings = Settings(**{**SMALL, **settings})
    return kind(networks(kind, classes), IMAGES, LABELS if classes else None, settings)


def copy(tree):
    return jax.tree.map(np.array, tree)


@pytest.mark.parametrize(("kind", "classes"), [(Training, 0), (Training, 3), (VaeGanTraining, 0)])
def test_every_network_learns_and_its_average_follows(kind, classes):
    training = begun(kind, classes, beta=1.0, likeness=1e-2)
    before = copy(training.state)
    logs = training.run(1e-3)
    assert training.step == 3
    assert all(np.isfinite(value) for value in logs.values())
    assert set(before["trained"]) == set(training.networks)
    for name, numbers in before["trained"].items():
        after = training.state["trained"][name]
        assert all(np.abs(a - b).max() > 0 for a, b in zip(numbers, after, strict=True)), name
    settled = training.settled()
    assert set(settled) == set(training.averaged)
    for name, network in settled.items():
        for variable, mean in zip(
            network.trainable_variables, training.state["averaged"][name], strict=True
        ):
            np.testing.assert_array_equal(variable.value, mean)


def test_a_run_is_the_same_again_and_another_seed_another():
    runs = [begun(seed=seed) for seed in (1, 1, 2)]
    losses = [run.run(1e-3)["d_loss"] for run in runs]
    assert losses[0] == losses[1] != losses[2]


def test_a_rate_of_0_moves_nothing():
    training = begun()
    before = copy(training.state["trained"])
    training.run(0.0)
    jax.tree.map(np.testing.assert_array_equal, before, copy(training.state["trained"]))


def test_the_penalty_is_half_gamma_times_the_squared_slope_every_16th_step():
    # A discriminator that is w·x has the slope w everywhere; equal pictures teach nothing else.
    picture = keras.Input((2, 2, 1))
    flat = keras.layers.Flatten()(picture)
    logit = keras.layers.Dense(1, kernel_initializer="ones")(flat)
    slopes = []
    for r1, step in ((0.0, 0), (2.0, 0), (2.0, 5)):
        made = networks()
        made["discriminator"] = keras.Model(picture, [logit, picture])
        training = Training(made, IMAGES[:, :2, :2], None, Settings(**SMALL, r1=r1))
        state = {**training.state, "step": training.state["step"] + step}
        seen = []
        training._moved = lambda state, name, slope, rate, seen=seen: seen.append(slope) or state
        real = fake = jax.numpy.zeros((4, 2, 2, 1))
        training._discriminator_step(state, real, fake, (), 1.0)
        slopes.append(np.array(seen[0][0]))
    np.testing.assert_allclose(slopes[0], 0)
    np.testing.assert_allclose(slopes[1], 16 * 2.0, rtol=1e-5)  # d/dw of γ/2·w², w 1, 16 times
    np.testing.assert_allclose(slopes[2], 0)


def test_statistics_are_those_of_the_averaged_network():
    training = begun(settling=(200, 40))
    for _ in range(5):
        training.run(1e-2)
    generator = training.settled()["generator"]
    z = np.random.default_rng(0).normal(size=(4_000, 5)).astype(np.float32)
    norm = generator.get_layer("norm_8")
    inside = keras.Model(generator.input, norm.input).predict(z, verbose=0)
    np.testing.assert_allclose(norm.moving_mean, inside.mean(axis=(0, 1, 2)), atol=0.02, rtol=0.05)
    np.testing.assert_allclose(norm.moving_variance, inside.var(axis=(0, 1, 2)), rtol=0.1)


def test_unlikeness_is_in_deviations_and_0_for_the_same():
    seen = np.random.default_rng(0).normal(0, [1, 5], (50, 3, 3, 2)).astype(np.float32)
    assert float(jax_training.unlikeness(seen, seen)) == 0
    off = seen + seen.std(axis=(0, 1, 2))  # by one deviation everywhere: half of 18 values
    assert float(jax_training.unlikeness(seen, off)) == pytest.approx(9, rel=0.1)


def test_kl_is_that_of_the_lessons_by_hand():
    # N(1, 1) from N(0, 1): 1/2 a number; N(0, e): (e − 2)/2
    assert float(jax_training.kl_divergence(np.ones((4, 3)), np.zeros((4, 3)))) == 1.5
    found = float(jax_training.kl_divergence(np.zeros((4, 2)), np.ones((4, 2))))
    assert found == pytest.approx(np.e - 2, rel=1e-6)


def test_the_encoder_is_moved_by_likeness_and_kl_and_the_generator_not_by_kl():
    def moved(**settings):
        training = begun(VaeGanTraining, **settings)
        before = copy(training.state["trained"])
        slopes = {}
        training._moved = lambda state, name, slope, rate: slopes.update({name: slope}) or state
        real, _ = training._batch(training.data, jax.random.key(0), 4)
        training._step(training.state, real, (), jax.random.key(1), 1e-3)
        return copy(slopes), before

    plain, _ = moved(beta=0.0, likeness=0.0)
    heavy, _ = moved(beta=100.0, likeness=0.0)
    alike, _ = moved(beta=0.0, likeness=10.0)

    def same(a, b):
        return all(np.allclose(x, y, rtol=1e-4, atol=1e-7) for x, y in zip(a, b, strict=True))

    assert same(plain["generator"], heavy["generator"])
    assert not same(plain["encoder"], heavy["encoder"])
    assert same(plain["encoder"], alike["encoder"])
    assert not same(plain["generator"], alike["generator"])
    assert same(plain["discriminator"], alike["discriminator"])
