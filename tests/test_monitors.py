"""The live figure: the same z in every snapshot, nothing missed, nothing unbounded."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from helpers import monitors, plotting
from helpers._backend import keras
from helpers.monitors import LiveFigure


def fit(gan, pictures, monitor):
    return gan.fit(pictures, batch_size=8, epochs=2, verbose=0, callbacks=[monitor])


def test_with_a_frozen_generator_all_snapshots_are_the_same_picture(build, pictures, z):
    gan = build.gan(build.generator(keras.layers.Dropout(0.5)), g_rate=0.0)
    monitor = LiveFigure(z, seconds=0)
    fit(gan, pictures, monitor)
    assert [step for step, _, _ in monitor.snapshots] == [0, 1, 2, 3, 4]
    expected = plotting.as_uint8(gan.generator(z, training=False))
    for _, _, images in monitor.snapshots:
        np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(monitor.z, z)


def test_snapshots_show_the_sampler_before_training_and_after_it(
    build, pictures, z, tmp_path, clock
):
    gan = build.gan(ema_decay=0.5)
    untrained = plotting.as_uint8(gan.generator(z))
    monitor = LiveFigure(z, folder=tmp_path, score=id)
    history = fit(gan, pictures, monitor).history
    first, last = monitor.snapshots
    assert (first[0], last[0]) == (0, 4)
    np.testing.assert_array_equal(first[2], untrained)
    np.testing.assert_array_equal(last[2], plotting.as_uint8(gan.sampler(z)))
    assert (last[2] != plotting.as_uint8(gan.generator(z))).any()
    assert monitor.scores == [(0, 0, id(gan.sampler)), (4, 0, id(gan.sampler))]
    assert monitor.history["step"] == [1, 2, 3, 4]
    for name in ("d_loss", "g_loss"):
        assert len(monitor.history[name]) == 4
        assert all(type(loss) is float for loss in monitor.history[name])
        assert monitor.history[name][-1] == pytest.approx(float(history[name][-1]))
    with Image.open(tmp_path / "progress.png") as picture:
        picture.load()
        assert picture.width > 300


# --- driven by hand, a step a second -------------------------------------------------------


@pytest.fixture
def drive(clock, monkeypatch):
    """Drive a monitor as ``.fit`` does, with a network that makes four black pictures."""

    def drive(monitor, steps, *, draw=False, params=None):
        if not draw:
            monkeypatch.setattr(monitor, "_show", lambda: None)
        sampler = lambda z, training: np.full((4, 4, 4, 1), -1.0)  # noqa: E731
        monitor.set_model(SimpleNamespace(sampler=sampler))
        monitor.set_params(params or {})
        monitor.on_train_begin()
        for step in range(steps):
            clock.now += 1
            monitor.on_train_batch_end(step, {"d_loss": step, "g_loss": -step})
        monitor.on_train_end()
        return [step for step, _, _ in monitor.snapshots]

    return drive


@pytest.mark.parametrize(
    ("seconds", "steps", "expected"),
    [(1, 3, [0, 1, 2, 3]), (3, 10, [0, 3, 6, 9, 10]), (60, 7, [0, 7]), (5, 0, [0])],
)
def test_snapshots_come_every_so_many_seconds_and_at_both_ends(drive, seconds, steps, expected):
    assert drive(LiveFigure(np.zeros((4, 3)), seconds=seconds), steps) == expected


@pytest.mark.parametrize(
    ("keep", "steps", "expected"),
    [
        (4, 3, [0, 1, 2, 3]),
        (4, 4, [0, 2, 4]),  # 0 1 2 3 4 was one too many
        (4, 6, [0, 2, 4, 6]),  # so the interval is 2 now
        (4, 8, [0, 4, 8]),
        (4, 12, [0, 4, 8, 12]),
        (4, 14, [0, 8, 14]),  # the last one, out of turn, was one too many
        (4, 16, [0, 8, 16]),
        (64, 64, list(range(0, 65, 2))),
    ],
)
def test_a_full_list_is_thinned_and_the_interval_doubles(drive, keep, steps, expected):
    monitor = LiveFigure(np.zeros((4, 3)), seconds=1, keep=keep)
    assert drive(monitor, steps) == expected
    assert len(monitor.history["step"]) == steps


@pytest.mark.parametrize("keep", [2, 3, 4, 5])
def test_the_first_and_the_last_snapshot_survive_thinning(drive, keep):
    for steps in range(1, 20):
        found = drive(LiveFigure(np.zeros((4, 3)), seconds=1, keep=keep), steps)
        assert (found[0], found[-1]) == (0, steps)
        assert len(found) <= keep


def test_training_again_begins_a_new_record_at_the_first_interval(drive):
    monitor = LiveFigure(np.zeros((4, 3)), seconds=1, keep=4)
    drive(monitor, 10)
    assert drive(monitor, 3) == [0, 1, 2, 3]
    assert monitor.history["step"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "params", "expected"),
    [
        ({}, {}, "step 10 · 20 s · 0.5 steps/s"),
        ({}, {"epochs": 3, "steps": 10}, "step 10 · 20 s · 0.5 steps/s · 40 s left"),
        ({"minutes": 0.5}, {"epochs": 3, "steps": 10}, "step 10 · 20 s · 0.5 steps/s · 10 s left"),
        ({"minutes": 0.1}, {}, "step 10 · 20 s · 0.5 steps/s · 0 s left"),
        (
            {"score": lambda sampler: 3, "score_name": "distance"},
            {"epochs": 1, "steps": None},
            "step 10 · 20 s · 0.5 steps/s · distance 3.0",
        ),
    ],
)
def test_the_status_line_tells_step_speed_and_time_left(drive, clock, settings, params, expected):
    monitor = LiveFigure(np.zeros((4, 3)), **settings)
    drive(monitor, 10, params=params)
    clock.now += 10
    assert monitor.status() == expected


def test_the_figure_has_losses_scores_and_the_newest_sheet(drive):
    scores = iter([9.0, 3.0])
    monitor = LiveFigure(
        np.zeros((4, 3)), title="Digits", columns=2, score=lambda sampler: next(scores)
    )
    drive(monitor, 3)
    figure = monitor.figure()
    top, bottom, scored = figure.axes
    assert top.get_title(loc="left") == f"Digits\n{monitor.status()}"
    d_loss, _, g_loss, _ = (line.get_ydata() for line in top.lines[:4])
    assert list(d_loss) == [0, 1, 2]
    assert list(g_loss) == [0, -1, -2]
    assert list(scored.lines[0].get_ydata()) == [9, 3]
    np.testing.assert_array_equal(
        bottom.images[0].get_array(), plotting.tile(np.zeros((4, 4, 4, 1), np.uint8), 2)[..., 0]
    )


def test_in_a_notebook_one_display_is_updated_in_place(drive, monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []
    handle = SimpleNamespace(update=lambda figure: shown.append("update"))
    monkeypatch.setattr(
        display, "display", lambda figure, display_id: shown.append("display") or handle
    )
    monkeypatch.setattr(monitors, "_in_notebook", lambda: True)
    drive(LiveFigure(np.zeros((4, 3)), seconds=1), 2, draw=True)
    assert shown == ["display", "update", "update"]


def test_this_test_does_not_run_in_a_notebook():
    assert not monitors._in_notebook()


def test_snapshots_can_be_followed_to_a_film_strip(drive):
    monitor = LiveFigure(np.zeros((4, 3)), seconds=1)
    drive(monitor, 3)
    titles = [axes.get_title() for axes in plotting.film_strip(monitor.snapshots, n=2).axes]
    assert titles == [f"step {i}\n{i} s" for i in range(4)]
