"""The live figure: the same z in every snapshot, nothing missed, nothing unbounded."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from helpers import checkpoints, monitors, plotting
from helpers._backend import keras, tf
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


# --- losses of any model --------------------------------------------------------------------


def test_whatever_ends_in_loss_is_recorded_and_drawn(drive, clock, monkeypatch):
    monitor = LiveFigure(np.zeros((4, 3)))
    drive(monitor, 0)
    for logs in ({"cycle_loss": 1.0, "d_real": 0.5}, {"cycle_loss": 2.0, "d_loss": 3.0}):
        monitor.on_train_batch_end(0, logs)
    assert monitor.history["cycle_loss"] == [1, 2]
    np.testing.assert_array_equal(monitor.history["d_loss"], [np.nan, 3])
    assert set(monitor.history) == {"step", "seconds", "cycle_loss", "d_loss"}
    top = monitor.figure().axes[0]
    labels = [text.get_text() for text in top.get_legend().get_texts()]
    assert labels == ["cycle", "discriminator"]


def test_a_single_loss_is_drawn_and_its_parts_are_not(drive):
    monitor = LiveFigure(np.zeros((4, 3)))
    drive(monitor, 0)
    monitor.on_train_batch_end(0, {"loss": 3.0, "kl": 1.0})
    assert set(monitor.history) == {"step", "seconds", "loss"}
    assert [list(line.get_ydata()) for line in monitor.figure().axes[0].lines] == [[3], [3]]


@pytest.mark.parametrize(("loss", "drawn"), [("non_saturating", True), ("hinge", False)])
def test_the_coin_toss_is_drawn_for_cross_entropy_alone(drive, loss, drawn):
    monitor = LiveFigure(np.zeros((4, 3)))
    drive(monitor, 2)
    monitor.model.loss_name = loss
    labels = [line.get_label() for line in monitor.figure().axes[0].lines]
    assert ("coin toss (ln 2)" in labels) == drawn


def test_gaps_and_peaks_do_not_hide_a_curve():
    _, axes = plotting.new_figure(4, 3)
    losses = np.ones(5000)
    losses[0], losses[7] = 1e6, np.nan
    plotting.draw_losses(axes, {"step": np.arange(5000), "d_loss": losses})
    assert axes.get_ylim()[1] < 2
    assert all(len(line.get_xdata()) <= 2 * plotting.MOST_POINTS for line in axes.lines)
    assert np.isfinite(axes.lines[1].get_ydata()).all()


def test_points_are_scattered(drive, monkeypatch):
    monitor = LiveFigure(np.zeros((4, 3)))
    drive(monitor, 1)
    monitor.snapshots.append((2, 2.0, np.array([[1.0, 2.0], [3.0, 4.0]])))
    bottom = monitor.figure().axes[1]
    np.testing.assert_array_equal(bottom.collections[0].get_offsets(), [[1, 2], [3, 4]])


# --- drawing takes its share, and no more ---------------------------------------------------


@pytest.mark.parametrize(("cost", "expected"), [(0.0, 101), (2.0, 12), (19.0, 3)])
def test_drawing_is_thinned_to_its_share_of_the_time(clock, monkeypatch, cost, expected):
    monitor, shown = LiveFigure(np.zeros((4, 3)), seconds=10, keep=1000), []

    def show():
        monitor._shown_at = monitor.steps
        shown.append(monitor.steps)
        clock.now += cost

    monkeypatch.setattr(monitor, "_show", show)
    sampler = lambda z, training: np.full((4, 4, 4, 1), -1.0)  # noqa: E731
    monitor.set_model(SimpleNamespace(sampler=sampler))
    monitor.set_params({})
    monitor.on_train_begin()
    for step in range(1000):
        clock.now += 1
        monitor.on_train_batch_end(step, {"d_loss": 0.0})
    within = (len(shown) - 1) * cost
    monitor.on_train_end()
    assert within <= 0.02 * monitor.elapsed
    assert len(shown) == pytest.approx(expected, abs=2)
    assert (shown[0], shown[-1]) == (0, 1000)
    assert len(monitor.snapshots) > 60  # snapshots keep their time


# --- going on after a break -----------------------------------------------------------------


def test_a_loaded_figure_goes_on(drive, clock):
    score = lambda sampler: 7.0  # noqa: E731
    first = LiveFigure(np.zeros((4, 3)), seconds=2, score=score)
    drive(first, 5)
    state = first.state()
    clock.now += 1000
    second = LiveFigure(np.zeros((4, 3)), seconds=2, score=score)
    second.load_state(state)
    assert (second.history, second.scores, second.steps) == (first.history, first.scores, 5)
    for one, other in zip(first.snapshots, second.snapshots, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])
        assert other[2].dtype == np.uint8
    assert drive(second, 4) == [0, 2, 4, 5, 7, 9]
    assert second.history["step"] == list(range(1, 10))
    assert second.history["seconds"] == list(range(1, 10))  # the pause does not count
    assert [step for step, _, _ in second.scores] == [0, 2, 4, 5, 7, 9]
    assert second.status().startswith("step 9 · 9 s · 1.0 steps/s")
    second.minutes = 10 / 60  # of this training, as for TimeBudget: 4 s are over
    assert second.status().split(" · ")[3] == "6 s left"
    assert drive(second, 1) == [0, 1]  # a new run is a new record


def test_the_thinned_interval_goes_on(drive):
    first = LiveFigure(np.zeros((4, 3)), seconds=1, keep=4)
    drive(first, 4)
    second = LiveFigure(np.zeros((4, 3)), seconds=1, keep=4)
    second.load_state(first.state())
    assert drive(second, 2) == [0, 2, 4, 6]


def test_a_state_survives_a_checkpoint(build, pictures, z, tmp_path):
    def run(epochs):
        gan, monitor = build.gan(), LiveFigure(z, seconds=0)
        checkpoint = checkpoints.Checkpoint(gan, tmp_path)
        stream = tf.data.Dataset.from_tensor_slices(pictures).repeat().batch(8)
        callbacks = [checkpoint, monitor]
        gan.fit(stream, steps_per_epoch=2, epochs=epochs, verbose=0, callbacks=callbacks)
        return monitor

    first, second = run(1), run(2)
    assert [step for step, _, _ in second.snapshots] == [0, 1, 2, 3, 4]
    assert second.history["d_loss"][:2] == first.history["d_loss"]
    np.testing.assert_array_equal(second.snapshots[2][2], first.snapshots[2][2])


def test_of_several_workers_the_chief_alone_writes(drive, tmp_path, monkeypatch, as_worker):
    monitor = LiveFigure(np.zeros((4, 3)), folder=tmp_path)
    drive(monitor, 1)
    monkeypatch.undo()
    figure, drawn = monitor.figure, []
    monkeypatch.setattr(monitor, "figure", lambda: drawn.append(True) or figure())
    for chief in (False, True):
        as_worker(int(not chief))
        monitor.steps, monitor.began = 1, 0.0
        monitor._show()
        assert len(drawn) == chief  # the others do not even draw
        assert [file.name for file in tmp_path.iterdir()] == ["progress.png"] * chief


def test_reals_stand_below_the_samples_with_what_the_discriminator_says(build, pictures, z):
    gan = build.gan()
    real = pictures[:4]
    monitor = LiveFigure(z[:8], columns=4, real=real)
    fit(gan, pictures, monitor)
    shown = np.concatenate([monitor.snapshots[-1][2], plotting.as_uint8(real)])
    logits = gan.discriminator(shown / np.float32(127.5) - 1, training=False)
    _, sheet = monitor.figure().axes[:2]
    said = [float(text.get_text()) for text in sheet.texts]
    np.testing.assert_allclose(said, keras.ops.sigmoid(logits)[:, 0], atol=0.0051)
    assert "what the discriminator says" in sheet.get_title(loc="left")


def test_a_critic_that_gives_no_probability_is_quoted_as_it_is(build, pictures, z):
    gan = build.gan(loss="hinge")
    monitor = LiveFigure(z[:4], columns=4, real=pictures[:4])
    fit(gan, pictures, monitor)
    shown = np.concatenate([monitor.snapshots[-1][2], plotting.as_uint8(pictures[:4])])
    logits = np.asarray(gan.discriminator(shown / np.float32(127.5) - 1, training=False))
    said = [float(text.get_text()) for text in monitor.figure().axes[1].texts]
    np.testing.assert_allclose(said, logits[:, 0], atol=0.0051)
