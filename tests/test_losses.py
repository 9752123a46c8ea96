"""The losses against numbers worked by hand: real is 1, fake is 0, inputs are logits.

The hand-worked batch has real logits (2, 0) and fake logits (-1, 3). With
softplus(x) = ln(1 + e^x): softplus(-2) = 0.126928, softplus(0) = 0.693147,
softplus(-1) = 0.313262, softplus(1) = 1.313262, softplus(3) = 3.048587 and
softplus(-3) = 0.048587.
"""

import numpy as np
import pytest

from helpers import losses
from helpers._backend import keras, tf

REAL, FAKE = np.float32([[2], [0]]), np.float32([[-1], [3]])
D_LOSSES = sorted({d.__name__ for d, _ in losses.LOSSES.values()})
G_LOSSES = sorted({g.__name__ for _, g in losses.LOSSES.values()})


def gradient(function, at):
    """The slope of a loss at one logit."""
    logit = tf.Variable([[float(at)]])
    with tf.GradientTape() as tape:
        loss = function(logit)
    return float(tape.gradient(loss, logit)[0, 0])


@pytest.mark.parametrize(
    ("loss", "smoothing", "by_hand"),
    [
        # ((0.126928 + 0.693147)/2 + (0.313262 + 3.048587)/2) / 2
        ("d_cross_entropy", 0.0, 1.045481),
        # as above, plus 0.1 · (2 + 0)/2 / 2
        ("d_cross_entropy", 0.1, 1.095481),
        # ((1² + 1²)/2 + (1² + 3²)/2) / 2
        ("d_least_squares", 0.0, 3.0),
        # ((1.1² + 0.9²)/2 + (1² + 3²)/2) / 2
        ("d_least_squares", 0.1, 3.005),
        # ((0 + 1)/2 + (0 + 4)/2) / 2
        ("d_hinge", 0.0, 1.25),
        # ((0 + 0.9)/2 + (0 + 4)/2) / 2
        ("d_hinge", 0.1, 1.225),
    ],
)
def test_discriminator_losses_by_hand(loss, smoothing, by_hand):
    found = getattr(losses, loss)(REAL, FAKE, smoothing)
    assert tuple(found.shape) == ()
    assert float(found) == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        ("g_non_saturating", 0.680925),  # (1.313262 + 0.048587) / 2
        ("g_saturating", -1.680925),  # -(0.313262 + 3.048587) / 2
        ("g_least_squares", 2.0),  # ((−2)² + 2²) / 2 / 2
        ("g_hinge", -1.0),  # -(−1 + 3) / 2
    ],
)
def test_generator_losses_by_hand(loss, by_hand):
    found = getattr(losses, loss)(FAKE)
    assert tuple(found.shape) == ()
    assert float(found) == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_keras_on_a_batch_half_real_half_fake(smoothing):
    real, fake = np.random.default_rng(0).normal(0, 3, (2, 50, 1)).astype(np.float32)
    labels = np.concatenate([np.full((50, 1), 1 - smoothing), np.zeros((50, 1))])
    keras_loss = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = float(keras_loss(labels, np.concatenate([real, fake])))
    assert float(losses.d_cross_entropy(real, fake, smoothing)) == pytest.approx(expected, rel=1e-5)


def test_non_saturating_loss_is_cross_entropy_with_fake_called_real():
    expected = float(keras.losses.BinaryCrossentropy(from_logits=True)(np.ones((2, 1)), FAKE))
    assert float(losses.g_non_saturating(FAKE)) == pytest.approx(expected, rel=1e-5)


def test_a_coin_tossing_discriminator_has_loss_ln_2():
    zero = np.zeros((5, 1), np.float32)
    assert float(losses.d_cross_entropy(zero, zero)) == pytest.approx(np.log(2))
    assert float(losses.g_non_saturating(zero)) == pytest.approx(np.log(2))
    assert float(losses.g_saturating(zero)) == pytest.approx(-np.log(2))


@pytest.mark.parametrize(
    ("loss", "real", "fake"),
    [("d_cross_entropy", 20.0, -20.0), ("d_least_squares", 1.0, 0.0), ("d_hinge", 1.0, -1.0)],
)
def test_real_is_1_and_fake_is_0(loss, real, fake):
    real, fake = np.full((3, 1), real, np.float32), np.full((3, 1), fake, np.float32)
    function = getattr(losses, loss)
    assert float(function(real, fake)) == pytest.approx(0, abs=1e-6)
    assert float(function(fake, real)) >= 1


@pytest.mark.parametrize("loss", D_LOSSES)
def test_a_discriminator_step_raises_real_logits_and_lowers_fake_ones(loss):
    function, other = getattr(losses, loss), np.float32([[0.5]])
    assert gradient(lambda real: function(real, other), 0.5) < 0
    assert gradient(lambda fake: function(other, fake), 0.5) > 0


@pytest.mark.parametrize("loss", G_LOSSES)
@pytest.mark.parametrize("logit", [-2.0, 0.0, 0.5])
def test_a_generator_step_raises_fake_logits(loss, logit):
    assert gradient(getattr(losses, loss), logit) < 0


@pytest.mark.parametrize(
    ("loss", "fake_seen_through", "fake_believed"),
    # sigmoid(-10) = 4.54e-5: the slopes are -sigmoid(-x) and -sigmoid(x) at x = -10 and 10.
    [("g_non_saturating", -1.0, -4.54e-5), ("g_saturating", -4.54e-5, -1.0)],
)
def test_the_saturating_loss_is_flat_where_the_discriminator_is_sure(
    loss, fake_seen_through, fake_believed
):
    function = getattr(losses, loss)
    assert gradient(function, -10) == pytest.approx(fake_seen_through, rel=1e-3)
    assert gradient(function, 10) == pytest.approx(fake_believed, rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "best"),
    # ln(0.9/0.1) = 2.197 is the logit of 0.9
    [("d_cross_entropy", np.log(9)), ("d_least_squares", 0.9), ("d_hinge", 0.9)],
)
def test_smoothing_moves_the_best_real_logit_and_leaves_the_fake_side_alone(loss, best):
    function = getattr(losses, loss)
    logits = np.arange(-1, 5, 0.05, dtype=np.float32)
    smoothed = [float(function(np.float32([[x]]), FAKE, 0.1)) for x in logits]
    assert logits[np.argmin(smoothed)] == pytest.approx(best, abs=0.03)
    other_fake = FAKE + 1
    rise, smoothed_rise = (
        float(function(REAL, other_fake, s)) - float(function(REAL, FAKE, s)) for s in (0.0, 0.1)
    )
    assert smoothed_rise == pytest.approx(rise, abs=1e-5)


@pytest.mark.parametrize("loss", ["d_cross_entropy", "g_non_saturating", "g_saturating"])
@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_cross_entropies_survive_extreme_logits(loss, logit):
    logits = np.float32([[logit]])
    arguments = (logits, -logits) if loss.startswith("d_") else (logits,)
    assert np.isfinite(float(getattr(losses, loss)(*arguments)))


def test_the_losses_have_the_pairs_of_their_papers():
    assert losses.LOSSES == {
        "non_saturating": (losses.d_cross_entropy, losses.g_non_saturating),
        "saturating": (losses.d_cross_entropy, losses.g_saturating),
        "least_squares": (losses.d_least_squares, losses.g_least_squares),
        "hinge": (losses.d_hinge, losses.g_hinge),
    }
