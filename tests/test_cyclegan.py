"""CycleGAN: which networks move, what the losses are, what the pool does."""

import numpy as np
import pytest

from helpers import cyclegan, training
from helpers._backend import keras

layers = keras.layers


def translator(bias=0.0, shape=(4, 4, 1)):
    """A network that changes a picture a little."""
    keras.utils.set_random_seed(3)
    convolution = layers.Conv2D(
        1, 3, padding="same", activation="tanh", bias_initializer=keras.initializers.Constant(bias)
    )
    return keras.Sequential([keras.Input(shape), convolution])


def shifter(by):
    """A network that adds a number to every pixel, exactly."""
    convolution = layers.Conv2D(
        1, 1, kernel_initializer="ones", bias_initializer=keras.initializers.Constant(by)
    )
    return keras.Sequential([keras.Input((4, 4, 1)), convolution])


def judge(shape=(4, 4, 1)):
    """A PatchGAN: a map of logits."""
    keras.utils.set_random_seed(4)
    return keras.Sequential([keras.Input(shape), layers.Conv2D(1, 3)])


def model(a_to_b=None, b_to_a=None, rate=0.01, **kwargs):
    cycle = cyclegan.CycleGAN(
        a_to_b or translator(0.1), b_to_a or translator(-0.1), judge(), judge(), **kwargs
    )
    cycle.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return cycle


@pytest.mark.parametrize("half", ["generators", "discriminators"])
def test_each_half_moves_its_two_networks_and_not_the_others(pictures, values, moved, half):
    cycle = model()
    groups = {"generators": cycle._generators(), "discriminators": cycle._discriminators()}
    before = {
        name: [values(n.trainable_variables) for n in networks] for name, networks in groups.items()
    }
    if half == "generators":
        cycle.update_generators(pictures, pictures[::-1])
    else:
        fakes = 0.5 * pictures
        cycle.update_discriminators(pictures, pictures[::-1], fakes, fakes[::-1])
    for name, networks in groups.items():
        for numbers, network in zip(before[name], networks, strict=True):
            changed = moved(numbers, network.trainable_variables)
            assert all(changed) if name == half else not any(changed), name


def test_the_losses_by_hand():
    """A + 0.2 = B' and B - 0.1 = A': there and back is off by 0.1, both ways."""
    a, b = np.full((8, 4, 4, 1), 0.3, np.float32), np.full((8, 4, 4, 1), -0.4, np.float32)
    cycle = model(shifter(0.2), shifter(-0.1))
    seen = {}
    for name, network in (("a", cycle.a_discriminator), ("b", cycle.b_discriminator)):
        fake = b - 0.1 if name == "a" else a + 0.2
        seen[name] = np.mean((np.asarray(network(fake)) - 1) ** 2) / 2
    cycle.begin_step()
    called_real = float(cycle.update_generators(a, b))
    assert called_real == pytest.approx(seen["a"] + seen["b"], rel=1e-5)
    assert float(cycle.noted("cycle_loss")) == pytest.approx(0.1 + 0.1, rel=1e-4)
    # b_to_a on A is off by 0.1, a_to_b on B by 0.2
    assert float(cycle.noted("identity_loss")) == pytest.approx(0.1 + 0.2, rel=1e-4)


def test_discriminators_learn_that_real_is_1_and_fake_is_0(pictures):
    cycle = model()
    fakes = np.clip(pictures + 0.8, -1, 1)
    first = float(cycle.update_discriminators(pictures, pictures, fakes, fakes))
    for _ in range(200):
        last = float(cycle.update_discriminators(pictures, pictures, fakes, fakes))
    assert last < 0.6 * first
    for network in cycle._discriminators():
        assert np.mean(network(pictures)) > np.mean(network(fakes)) + 0.3
    assert float(cycle.noted("d_real")) > 0.6
    assert float(cycle.noted("d_fake")) > 0.6


@pytest.mark.parametrize(("weights", "expected"), [((10.0, 0.5), 10.0), ((0.0, 0.0), 0.0)])
def test_cycle_and_identity_have_their_weights(pictures, monkeypatch, weights, expected):
    cycle = model(shifter(0.2), shifter(-0.1), cycle=weights[0], identity=weights[1])
    total = []
    monkeypatch.setattr(
        "helpers.training.gradient_step", lambda f, *_: (total.append(float(f())), 0.0)
    )
    called_real = float(cycle.update_generators(pictures, pictures))
    parts = 0.2 * expected + 0.3 * 0.5 * expected
    assert total[0] == pytest.approx(called_real + parts, rel=1e-3)


def test_a_generator_comes_to_undo_the_other():
    cycle = model(shifter(0.3), shifter(0.0), rate=1e-3, identity=0.0)
    pictures = np.random.default_rng(0).uniform(-0.5, 0.5, (32, 4, 4, 1)).astype(np.float32)
    for _ in range(150):
        cycle.update_generators(pictures, pictures)
    back = cycle.translate(cycle.translate(pictures), to="a")
    assert np.abs(back - pictures).mean() < 0.05


# --- the pool ------------------------------------------------------------------------------


def numbered(first, n=4):
    """Fakes that one can tell apart: each is one number everywhere."""
    return np.tile(np.arange(first, first + n, dtype=np.float32)[:, None, None, None], (1, 4, 4, 1))


def exchange(cycle, step, fakes):
    cycle.step.assign(step)
    cycle.pooled.assign(step * len(fakes))
    cycle.begin_step()
    return np.asarray(cycle._exchanged(cycle.a_pool, fakes))[:, 0, 0, 0]


def test_while_the_pool_fills_fakes_are_shown_as_they_are():
    cycle = model(pool=8)
    for step, first in enumerate((100, 104)):
        np.testing.assert_array_equal(
            exchange(cycle, step, numbered(first)), np.arange(first, first + 4)
        )
    np.testing.assert_array_equal(cycle.a_pool.numpy()[:, 0, 0, 0], np.arange(100, 108))
    assert not cycle.b_pool.numpy().any(), "each kind has its own"


def test_a_full_pool_swaps_every_second_fake_for_a_past_one_and_loses_none():
    cycle = model(pool=8)
    shown_before: set[float] = set()
    swapped = total = 0
    for step in range(400):
        fakes = numbered(4 * step + 1)
        held = set(cycle.a_pool.numpy()[:, 0, 0, 0]) if step >= 2 else set()
        shown = exchange(cycle, step, fakes)
        now = set(cycle.a_pool.numpy()[:, 0, 0, 0])
        new = set(fakes[:, 0, 0, 0])
        if step >= 2:
            past = set(shown) - new
            assert past <= held, "what is shown is new, or came from the pool"
            assert now == (held - past) | (new - set(shown)), "swapped: out comes one, in goes one"
            swapped, total = swapped + len(past), total + 4
        shown_before |= set(shown)
    assert swapped / total == pytest.approx(0.5, abs=0.05)
    ages = 400 * 4 - np.sort(cycle.a_pool.numpy()[:, 0, 0, 0])
    assert ages.max() > 8, "some stay for long"


def test_a_step_puts_the_fakes_of_each_kind_into_its_own_pool():
    cycle = model(shifter(0.25), shifter(-0.5), rate=1e-9, pool=8)
    zeros = np.zeros((8, 4, 4, 1), np.float32)
    cycle.train_step((zeros, zeros))
    np.testing.assert_allclose(cycle.a_pool, -0.5, atol=1e-4)
    np.testing.assert_allclose(cycle.b_pool, 0.25, atol=1e-4)


def test_batches_of_several_sizes_leave_no_place_of_the_pool_empty():
    cycle = model(shifter(0.25), shifter(-0.5), rate=1e-9, pool=20)
    zeros = np.zeros((8, 4, 4, 1), np.float32)
    for n in (8, 8, 4):  # an epoch of 20 pictures in batches of 8
        cycle.train_step((zeros[:n], zeros[:n]))
    assert int(cycle.pooled) == 20
    np.testing.assert_allclose(cycle.a_pool, -0.5, atol=1e-4)
    np.testing.assert_allclose(cycle.b_pool, 0.25, atol=1e-4)


def test_without_a_pool_the_newest_are_shown(pictures):
    cycle = model(pool=0)
    seen = []
    cycle.update_discriminators = lambda a, b, fake_a, fake_b: seen.append(fake_a) or 0.0
    cycle.train_step((pictures, pictures))
    np.testing.assert_allclose(seen[0], cycle.b_to_a(pictures), atol=1e-6)


def test_the_pool_is_among_the_models_weights_so_that_a_checkpoint_holds_it():
    cycle = model(pool=5)
    assert any(w is cycle.a_pool for w in cycle.weights)
    assert any(w is cycle.pooled for w in cycle.weights)
    assert not any(w is cycle.a_pool for w in cycle.trainable_variables)


# --- the whole -----------------------------------------------------------------------------


def test_two_runs_from_one_seed_are_equal_and_both_directions_translate(pictures, values):
    runs = []
    for _ in range(2):
        cycle = model(pool=6, ema_decay=0.9, seed=2)
        cycle.fit(pictures, pictures[::-1].copy(), batch_size=4, epochs=2, verbose=0, shuffle=False)
        runs.append(values(cycle.weights))
    for first, again in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, again)
    for to, average, raw in (
        ("b", cycle.ema_a_to_b, cycle.a_to_b),
        ("a", cycle.ema_b_to_a, cycle.b_to_a),
    ):
        np.testing.assert_allclose(cycle.translate(pictures, to), average(pictures), atol=1e-6)
        np.testing.assert_allclose(
            cycle.translate(pictures, to, ema=False), raw(pictures), atol=1e-6
        )
        assert not np.allclose(average(pictures), raw(pictures))


def test_bad_input_is_named(pictures):
    with pytest.raises(ValueError, match=r"batches \(pictures of A, pictures of B\)"):
        model().fit(pictures, verbose=0)
    with pytest.raises(ValueError, match=r"pictures of B are made as \(8, 8, 1\)"):
        cyclegan.CycleGAN(translator(shape=(8, 8, 1)), translator(), judge(), judge())
    with pytest.raises(ValueError, match="POOL is -1"):
        model(pool=-1)
    with pytest.raises(ValueError, match="POOL is 5, less than the 16 pictures of a batch"):
        model(pool=5).train_step((pictures, pictures))
    with pytest.raises(ValueError, match="a CycleGAN makes no use of schedule="):
        model(schedule=training.every(gen=2))
    with pytest.raises(ValueError, match="to is 'c'"):
        model().translate(pictures, to="c")
