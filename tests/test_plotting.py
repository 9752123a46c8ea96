"""Figures show what they were given: pictures in their places, curves, axes the right way up."""

import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from skimage import color

from helpers import datasets, playground, plotting


@pytest.fixture(autouse=True)
def _nothing_is_left_for_pyplot_to_show_twice():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def grey():
    """Five pictures of 3×2×1, picture i with the value 10 i everywhere."""
    return np.repeat(np.arange(5, dtype=np.uint8) * 10, 6).reshape(5, 3, 2, 1)


def titles(figure):
    return [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]


def test_all_256_values_survive_the_way_to_floats_and_back():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(plotting.as_uint8(datasets.to_float(every)), every)
    np.testing.assert_array_equal(plotting.as_uint8(every), every)


def test_as_uint8_rounds_to_the_nearest_and_clips():
    floats = np.float32([-7, -1, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 0.2, 1, 1.001, 7])
    assert plotting.as_uint8(floats).tolist() == [0, 0, 0, 1, 153, 255, 255, 255]
    assert plotting.as_uint8(floats).dtype == np.uint8


def test_a_tile_has_each_picture_in_its_place_with_white_between(grey):
    sheet = plotting.tile(grey, 3, gap=1)
    assert sheet.shape == (7, 8, 1)
    expected = np.full((7, 8), 255)
    for i, (y, x) in enumerate([(0, 0), (0, 3), (0, 6), (4, 0), (4, 3)]):
        expected[y : y + 3, x : x + 2] = 10 * i
    np.testing.assert_array_equal(sheet[..., 0], expected)
    colour = np.random.default_rng(0).integers(0, 256, (2, 3, 2, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        plotting.tile(datasets.to_float(colour), 2, gap=0), np.concatenate([*colour], axis=1)
    )


def test_a_sheet_shows_its_tile_with_black_at_0_and_white_at_255(grey):
    figure = plotting.sheet(grey, columns=3, title="Five")
    (axes,) = figure.axes
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), plotting.tile(grey, 3)[..., 0])
    assert image.get_clim() == (0, 255)
    assert image.origin == "upper"
    assert titles(figure) == ["Five"]


def test_a_labelled_sheet_has_the_label_of_each_picture_at_that_picture(grey):
    labels = ["nought", "ten", "twenty", "thirty", "forty"]
    axes = plotting.sheet(grey, columns=3, labels=labels).axes
    assert [[text.get_text() for text in a.texts] for a in axes] == [[x] for x in labels] + [[]]
    assert [a.images[0].get_array().max() for a in axes[:5]] == [0, 10, 20, 30, 40]


def test_sheets_stand_under_each_other_with_their_titles(grey):
    figure = plotting.sheets({"all": grey, "two": grey[3:]}, columns=5)
    assert titles(figure) == ["all", "two"]
    top, bottom = figure.axes
    assert top.images[0].get_array().max() == 255
    assert bottom.images[0].get_array()[0, 0] == 30


@pytest.mark.parametrize("window", [1, 3, 100])
def test_smooth_is_the_mean_of_the_last_values(window):
    values = np.random.default_rng(0).normal(size=20)
    expected = [values[max(0, i + 1 - window) : i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(plotting.smooth(values, window), expected)


def test_losses_draws_both_curves_of_each_run_and_the_coin_toss():
    history = {"step": [1, 2, 3], "d_loss": [3.0, 2.0, 1.0], "g_loss": [4.0, 5.0, 6.0]}
    figure = plotting.losses({"one": history, "none yet": {}})
    assert titles(figure) == ["one", "none yet"]
    filled, empty = figure.axes
    curves = {line.get_label(): line for line in filled.lines}
    assert list(curves["discriminator"].get_ydata()) == [3, 2, 1]
    assert list(curves["generator"].get_ydata()) == [4, 5, 6]
    assert list(curves["generator"].get_xdata()) == [1, 2, 3]
    assert curves["coin toss (ln 2)"].get_ydata()[0] == pytest.approx(0.693147)
    assert len(empty.lines) == 1


def test_a_film_strip_runs_from_the_first_moment_to_the_last(grey):
    snapshots = [(10 * i, float(i), grey + np.uint8(i)) for i in range(21)]
    figure = plotting.film_strip(snapshots, n=2, frames=5, title="Film")
    assert titles(figure) == [f"step {step}\n{step / 10:.0f} s" for step in (0, 50, 100, 150, 200)]
    for axes, i in zip(figure.axes, (0, 5, 10, 15, 20), strict=True):
        np.testing.assert_array_equal(
            axes.images[0].get_array(), plotting.tile(snapshots[i][2][:2], 1)[..., 0]
        )
    assert len(plotting.film_strip(snapshots[:1]).axes) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gif_plays_all_frames_for_ever_and_rests_on_the_last(tmp_path, channels):
    frames = [np.full((6, 4, channels), value, np.uint8) for value in (0, 100, 200, 255)]
    path = plotting.gif(frames, tmp_path / "film.gif", seconds=2, scale=3)
    with Image.open(path) as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (4, (12, 18), 0)
        for i, frame in enumerate(frames):
            film.seek(i)
            assert film.info["duration"] == (1500 if i == 3 else 500)
            shown = np.asarray(film.convert("RGB"))
            assert np.abs(shown.astype(int) - frame[0, 0, 0]).max() <= 8


def test_another_worker_than_the_chief_has_its_own_gif(tmp_path, as_worker):
    as_worker(1)
    film = plotting.gif([np.zeros((6, 4, 1), np.uint8)], tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []
    with Image.open(film) as opened:
        assert opened.size == (4, 6)


def test_a_figure_becomes_a_frame_of_its_size():
    figure, axes = plotting.new_figure(3, 2)
    axes.set_facecolor("red")
    frame = plotting.frame_of(figure, dpi=50)
    assert frame.shape == (100, 150, 3)
    assert frame.dtype == np.uint8
    assert (frame == [255, 0, 0]).all(axis=2).mean() > 0.3
    assert plotting.png_of(figure).startswith(b"\x89PNG")


def test_bars_stand_side_by_side_with_the_shares_as_heights():
    shares = {"real": np.array([0.5, 0.5]), "made": np.array([0.9, 0.1])}
    (axes,) = plotting.bars(shares, ["a", "b"], title="Balance", level=0.5).axes
    real, made = axes.containers
    assert [bar.get_height() for bar in real] == [0.5, 0.5]
    assert [bar.get_height() for bar in made] == [0.9, 0.1]
    for i, (left, right) in enumerate(zip(real, made, strict=True)):
        assert left.get_x() < i < right.get_x() + right.get_width()
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]


def test_the_game_is_drawn_the_right_way_up():
    real, fake = np.float32([[1, 2]]), np.float32([[-1, 0], [3, 1]])
    arrows = np.float32([[0.5, 0], [0, -0.5]])
    figure, axes = plotting.new_figure(4, 4)
    # high at the upper right: sums of the coordinates
    plotting.draw_game(axes, lambda p: p.sum(axis=1, keepdims=True), real, fake, arrows, reach=2)
    assert figure.axes == [axes]
    (field,) = axes.images
    assert field.origin == "lower"
    assert tuple(field.get_extent()) == (-2, 2, -2, 2)
    ticks = np.linspace(-2, 2, 61)
    np.testing.assert_allclose(field.get_array(), ticks[:, None] + ticks, atol=1e-5)
    assert field.get_clim() == (0, 1)
    points = {dots.get_label(): dots.get_offsets().tolist() for dots in axes.collections[:2]}
    assert points == {"real": real.tolist(), "fake": fake.tolist()}
    quiver = axes.collections[2]
    np.testing.assert_array_equal(quiver.XY, fake)
    np.testing.assert_array_equal(np.stack([quiver.U, quiver.V], axis=1), arrows)


def test_each_verdict_stands_above_its_own_picture():
    pictures = np.full((5, 9, 6, 1), 100, np.uint8)
    figure, axes = plotting.new_figure(4, 4)
    plotting.show_verdicts(axes, pictures, [0.1, 0.22, 0.3, 0.4, 1], columns=3, title="T")
    (sheet,) = axes.images
    grey = np.asarray(sheet.get_array()) == 100
    assert grey.sum() == 5 * 9 * 6
    assert [text.get_text() for text in axes.texts] == ["0.10", "0.22", "0.30", "0.40", "1.00"]
    for i, text in enumerate(axes.texts):
        x, y = text.get_position()
        assert grey[int(y) + 2, int(x)], "the picture begins below its number"
        assert not grey[: int(y) + 2, int(x)][-3:].any(), "and the number stands on white"
        assert (int(x) // 8, int(y) // 14) == (i % 3, i // 3)
    assert figure.axes == [axes]


def test_ticks_of_logarithmic_axes_are_plain_numbers():
    figure, axes = plotting.new_figure(5, 3)
    axes.plot([1, 2, 3], [12, 40, 7])
    axes.set_yscale("log")
    plotting.plain_ticks(axes)
    figure.canvas.draw()
    labels = [x.get_text() for x in axes.get_yticklabels(which="both") if x.get_text()]
    assert "10" in labels
    assert "20" in labels
    assert all(float(label) > 0 for label in labels), "no mathematics, no empty boxes"
    assert "20" not in [x.get_text() for x in axes.get_xticklabels(which="both")]


@pytest.mark.parametrize(("low", "high", "seen"), [(0.15, 0.9, "0.2"), (12e3, 4e4, "20000")])
def test_ticks_below_one_and_above_ten_thousand_are_plain_numbers(low, high, seen):
    figure, axes = plotting.new_figure(5, 3)
    axes.plot([1, 2], [low, high])
    axes.set_yscale("log")
    plotting.plain_ticks(axes)
    figure.canvas.draw()
    labels = [x.get_text() for x in axes.get_yticklabels(which="both")]
    assert seen in labels
    assert not [label for label in labels if "e−" in label]


def test_a_light_figure_is_a_jpeg_of_the_same_pictures_with_their_colors():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[0, :, ::2] = (200, 20, 20)  # single columns keep their colors
    figure = plotting.sheet(images, columns=2, size=2.0)
    shown = plotting.light(figure)
    assert shown.format == "jpeg"
    jpeg = Image.open(io.BytesIO(shown.data))
    assert jpeg.format == "JPEG"
    given = plotting.frame_of(figure, dpi=100).astype(int)
    assert np.abs(np.asarray(jpeg).astype(int) - given).mean() < 3
    assert np.asarray(jpeg)[..., 0].max() > 190
    assert len(plotting.light(figure, quality=20).data) < len(shown.data)


# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency, 2009, at full strength; they work on linear light.
VISIONS = {
    "all colours": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                 [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
TOGETHER = {
    "real and fake": (plotting.REAL_COLOUR, plotting.FAKE_COLOUR),
    "a live figure": (*plotting.COLOURS.values(), plotting.SCORE_COLOUR),
    "one after the other": plotting.CYCLE,
    "faces that are picked": playground.FRAME_COLOURS,
}


def linear(colour):
    """The light of a colour such as "#1f77b4": three numbers from 0 to 1."""
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def difference(one, other, vision):
    """How far two colours are apart for an eye (CIEDE2000; 2 can be seen, 10 at a glance)."""
    light = np.clip([np.array(vision) @ linear(c) for c in (one, other)], 0, 1)
    seen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return float(color.deltaE_ciede2000(*color.rgb2lab(seen)))


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colours", TOGETHER)
def test_colours_that_are_seen_together_stay_apart_for_every_eye(colours, vision):
    for one, other in itertools.combinations(TOGETHER[colours], 2):
        assert difference(one, other, VISIONS[vision]) > 9, f"{one} and {other}"


def test_the_colours_that_matplotlib_comes_with_would_not_stay_apart():
    assert difference("#ff7f0e", "#2ca02c", VISIONS["no red"]) < 2


@pytest.mark.parametrize("colour", sorted({*plotting.COLOURS.values(), plotting.SCORE_COLOUR}))
def test_lines_stand_out_from_white(colour):
    luminance = linear(colour) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) > 2.5


def test_figures_take_the_colours_one_after_the_other():
    _, axes = plotting.new_figure(2, 2)
    (line,) = [axes.plot([0, 1]) for _ in plotting.CYCLE][-1]
    assert line.get_color() == plotting.CYCLE[-1]
