"""The paths of the pen: enough of them for every class, well formed, resampled evenly."""

import numpy as np
import pytest

from helpers import allographs
from helpers.allographs import CLASSES, FONTS, FORMS, MERGED


def test_there_are_forms_for_every_class_and_no_other():
    assert "".join(FORMS) == CLASSES
    assert len(CLASSES) == len(set(CLASSES)) == 47
    assert set(MERGED) < set(CLASSES)
    assert not set(MERGED.lower()) & set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_forms_are_well_written(name):
    forms = FORMS[name].split()
    assert len(set(forms)) == len(forms)
    for form in forms:
        weight, _, strokes = form.rpartition("*")
        assert weight == "" or int(weight) > 1
        for stroke in strokes.split("+"):
            assert stroke.isdigit()
            assert len(stroke) % 2 == 0


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_drawn_by_several_fonts_that_differ(name):
    cases = name + name.lower() if name in MERGED else name
    drawn = {
        font: [stroke.tolist() for stroke in allographs._font_strokes(font, name)]
        for font, has in FONTS.items()
        if name in has
    }
    assert len(drawn) >= 4
    assert len({str(strokes) for strokes in drawn.values()}) >= 4
    glyphs, _ = allographs.glyphs(CLASSES.index(name))
    expected = len(FORMS[name].split()) + sum(c in has for has in FONTS.values() for c in cases)
    assert len(glyphs) == expected


@pytest.mark.parametrize("label", range(47), ids=list(CLASSES))
def test_glyphs_are_centred_scaled_and_in_even_steps(label):
    glyphs, shares = allographs.glyphs(label)
    assert (np.diff(shares, prepend=0) > 0).all()
    assert shares[-1] == pytest.approx(1)
    for glyph in glyphs:
        assert len(glyph.sharp) == len(glyph.soft) == len(glyph.stroke) == len(glyph.along)
        low, high = glyph.sharp.min(axis=0), glyph.sharp.max(axis=0)
        assert (high - low).max() == pytest.approx(2, abs=0.05)
        np.testing.assert_allclose(low + high, 0, atol=0.05)
        for stroke in range(glyph.stroke[-1] + 1):
            own = glyph.stroke == stroke
            steps = np.sqrt(np.square(np.diff(glyph.sharp[own], axis=0)).sum(axis=1))
            assert (steps < 1.5 * allographs.STEP).all()
            assert glyph.along[own][0] == 0
            assert glyph.along[own][-1] == 1
            # rounding leaves both ends of a stroke where they are
            ends = glyph.soft[own][[0, -1]] - glyph.sharp[own][[0, -1]]
            assert np.abs(ends).max() < 0.02


def test_fonts_have_their_share():
    _, shares = allographs.glyphs(0)
    forms = len(FORMS["0"].split())
    assert 1 - shares[forms - 1] == pytest.approx(allographs.FONT_SHARE)
    first, second = shares[0], shares[1] - shares[0]
    weights = [float(form.rpartition("*")[0] or 1) for form in FORMS["0"].split()]
    assert first / second == pytest.approx(weights[0] / weights[1])


def test_a_curve_passes_its_points_and_keeps_a_corner_that_is_written_twice():
    points = np.array([[0.0, 0], [0, 4], [0, 4], [4, 4]])
    sharp = allographs._curve(points)
    for point in points:
        assert np.abs(sharp - point).sum(axis=1).min() < 1e-9
    assert sharp.min() == 0
    assert sharp.max() == 4
    round_ = allographs._curve(points[[0, 1, 3]])
    assert round_.min() < -0.1
    np.testing.assert_array_equal(allographs._curve(points[:1]), points[:1])
