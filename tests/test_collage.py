"""Parts rasterized once give the pixels that rasterizing the whole would give."""

import sys

import numpy as np
import pytest

from helpers import collage
from helpers.checks import DataError

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30"><circle cx="17" cy="15" r="9.3" '
    'fill="{skin}" stroke="{hair}" stroke-width="3"/><path d="M8 4L30 12L12 25Z" fill="#000" '
    'fill-opacity=".3"/><circle cx="20" cy="12" r="3.3" fill="#fa0"/></svg>'
)


def color(red, green, blue):
    return np.array([red, green, blue], np.float32).reshape(3, 1, 1)


COLORS = {"skin": color(200, 150, 40), "hair": color(20, 90, 255)}


def whole():
    """The same SVG, rasterized in its colors over a gray ground."""
    svg = SVG.replace("{skin}", "#c89628").replace("{hair}", "#145aff")
    rgba = collage.rasterize(svg, 40, 30).astype(float)
    opacity = rgba[..., 3:] / 255
    return (rgba[..., :3] * opacity + 90 * (1 - opacity)).transpose(2, 0, 1)


def test_a_part_in_any_color_is_what_rasterizing_in_that_color_gives():
    part = collage.layer(SVG, ("hair", "skin", "hat"), 40, 30)
    canvas = np.full((3, 30, 40), 90, np.float32)
    collage.put(canvas, part, COLORS)
    assert set(part.shares) == {"skin", "hair"}
    np.testing.assert_allclose(canvas, whole(), atol=2.5)
    assert np.abs(canvas - 90).max() > 100


def test_a_part_is_cut_to_what_it_covers():
    part = collage.layer(SVG, ("hair", "skin"), 40, 30)
    assert part.own.shape[1:] == part.lets_through.shape
    assert part.own.shape[1] < 30
    assert part.own.shape[2] < 40
    for edge in (0, -1):
        assert part.lets_through[edge].min() < 1
        assert part.lets_through[:, edge].min() < 1


@pytest.mark.parametrize(("x", "y"), [(4, 3), (-14, 0), (0, -12), (25, 18), (60, 0), (0, -90)])
def test_a_part_moves_by_whole_pixels_and_is_cut_at_the_edge(x, y):
    part = collage.layer(SVG, ("hair", "skin"), 40, 30)
    canvas, large = np.full((3, 30, 40), 90, np.float32), np.full((3, 230, 240), 90, np.float32)
    collage.put(canvas, part, COLORS, x, y)
    collage.put(large, part, COLORS, 100, 100)
    np.testing.assert_array_equal(canvas, large[:, 100 - y : 130 - y, 100 - x : 140 - x])


def test_a_part_that_covers_nothing_is_refused():
    with pytest.raises(ValueError, match="covers nothing"):
        collage.layer('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>', (), 9, 9)


def test_without_the_rasterizer_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(DataError, match=r"resvg-py.*pip install"):
        collage.rasterize(SVG, 40, 30)


def test_choices_follow_from_seed_and_index_alone():
    def drawn(seed, index):
        chances = collage.Chances(seed, index)
        return [chances.number(), chances.happens(0.5), chances.one_of("abcdef", range(1, 7))]

    assert drawn(3, 4) == drawn(3, 4)
    assert len({drawn(*at)[0] for at in [(3, 4), (4, 3), (3, 5), (0, 7)]}) == 4


def test_choices_are_as_likely_as_their_weights():
    chances = collage.Chances(0, 0)
    chosen = [chances.one_of("abc", (1, 2, 5)) for _ in range(8000)]
    assert [chosen.count(letter) / 8000 for letter in "abc"] == pytest.approx(
        [1 / 8, 2 / 8, 5 / 8], abs=0.02
    )
    even = [chances.one_of("ab") for _ in range(4000)]
    assert even.count("a") / 4000 == pytest.approx(0.5, abs=0.03)


def test_colors_lie_between_their_neighbors():
    chances = collage.Chances(0, 1)
    palette = ((0, 0, 0), (100, 0, 0), (100, 200, 0))
    for _ in range(200):
        red, green, blue = chances.color(palette).ravel()
        assert blue == 0
        assert (green == 0 and 0 <= red <= 100) or (red == 100 and 0 <= green <= 200)


def test_a_color_of_no_saturation_is_gray():
    assert np.ptp(collage.Chances(0, 2).any_color(10, 240, 0.0)) < 1e-4
    assert np.ptp(collage.Chances(0, 2).any_color(10, 240)) > 10
