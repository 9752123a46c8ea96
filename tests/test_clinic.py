"""The chart of a training under observation: complete, the same for a seed, and drawn as it is."""

import numpy as np
import pytest

from helpers import clinic, datasets, gans, models
from helpers._backend import keras

RING, _ = datasets.ring(500)


def points_gan(rate=1e-3, seed=1, **kwargs):
    keras.utils.set_random_seed(seed)
    gan = gans.GAN(models.points_generator(2), models.points_discriminator(), seed=seed, **kwargs)
    gan.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(rate))
    return gan


def observe(gan=None, data=RING, **kwargs):
    settings = {"steps": 8, "batch_size": 16, "minutes": 5.0, **kwargs}
    return clinic.observe(gan or points_gan(), data, **settings)


def test_a_chart_has_every_step_and_four_moments():
    chart = observe()
    assert chart.curves["step"] == list(range(1, 9))
    assert set(chart.curves) == {"step", "d_loss", "g_loss", "d_gradient", "g_gradient"}
    assert all(np.isfinite(values).all() for values in chart.curves.values())
    assert [step for step, _ in chart.snapshots] == [2, 4, 6, 8]
    assert all(points.shape == (clinic.SHOWN, 2) for _, points in chart.snapshots)
    np.testing.assert_array_equal(chart.real, RING[: clinic.SHOWN])
    assert (chart.names, chart.found) == ([], [])


def test_snapshots_are_of_the_network_in_training_and_of_the_same_z():
    still = observe(points_gan(rate=0.0)).snapshots
    np.testing.assert_array_equal(still[0][1], still[-1][1])
    gan = points_gan(rate=1e-2, ema_decay=0.999)
    chart = observe(gan)
    assert chart.generator is gan.generator
    z = clinic.training.noise(clinic.SHOWN, 2, seed=99)
    np.testing.assert_allclose(chart.snapshots[-1][1], gan.generator(z), atol=1e-5)


def test_the_same_seed_gives_the_same_chart():
    first, again, other = (observe(points_gan(seed=seed)) for seed in (1, 1, 2))
    assert first.curves == again.curves
    assert first.curves["d_loss"] != other.curves["d_loss"]


def test_the_time_budget_ends_a_training_and_its_last_samples_are_kept():
    chart = observe(minutes=1e-9)
    assert chart.curves["step"] == [1]
    assert [step for step, _ in chart.snapshots] == [1]


def test_pictures_are_trained_on_in_the_range_of_tanh(build):
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8)
    chart = observe(build.gan(ema_decay=0), images)
    np.testing.assert_array_equal(chart.real, datasets.to_float(images[:20]))
    assert chart.snapshots[-1][1].shape == (20, 4, 4, 1)


def test_symptoms_are_watched_and_named_once_each(capsys):
    chart = observe(points_gan(rate=0.0), steps=200)
    assert chart.names == ["a network stands still"]
    assert chart.looks["step"] == [50, 100, 150, 200]
    assert not {"told_apart", "waiting"} & set(chart.looks)  # a busy machine is no illness
    ((step, _, says),) = chart.found
    assert f"Step {step}: {says}" in capsys.readouterr().out
    held_out = observe(steps=50, held_out=RING[:32])
    assert len(held_out.looks["told_apart"]) == 1


def test_less_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="15 samples do not make one batch of 16"):
        observe(data=RING[:15])


def test_a_stream_is_endless_shuffled_and_of_whole_batches():
    batches = clinic.stream(RING, batch_size=200, seed=3)
    first, second, third = (batch.numpy() for batch in batches.take(3))
    assert first.shape == second.shape == third.shape == (200, 2)
    assert not np.array_equal(first, RING[:200])
    seen = np.concatenate([first, second, third[:100]])
    np.testing.assert_array_equal(np.sort(seen, axis=0), np.sort(RING, axis=0))


def test_charts_stand_side_by_side_with_their_titles(build):
    images = np.zeros((40, 4, 4, 1), np.uint8)
    charts = {"ill": observe(), "mended": observe(build.gan(ema_decay=0), images)}
    figure = clinic.side_by_side(charts)
    assert [part.get_suptitle() for part in figure.subfigs] == ["ill", "mended"]
    assert len(figure.axes) == (2 + 4) + (2 + 1)  # curves and four snapshots; curves and a sheet
    figure.savefig("/dev/null", format="png")


def test_the_quiz_tells_nothing_but_numbers():
    charts = [observe(), observe()]
    figure = clinic.quiz(charts)
    assert [part.get_suptitle() for part in figure.subfigs] == ["chart 1", "chart 2"]
    assert len(figure.axes) == 2 * (2 + 4)


def test_a_gradient_that_was_not_computed_leaves_a_gap():
    schedule = clinic.training.every(gen=2)
    figure = clinic.side_by_side({"": observe(points_gan(schedule=schedule))})
    assert len(figure.axes) == 6
