"""Figures of scores show the numbers that they were given, and where reals are."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers import plotting, score_figures

REAL, FAKE = plotting.REAL_COLOUR, plotting.FAKE_COLOUR


def lines(axes, colour):
    return [line for line in axes.lines if to_hex(line.get_color()) == colour]


def test_a_score_is_a_dot_with_its_interval_and_reals_are_a_bar():
    _, axes = plotting.new_figure(4, 2)
    score_figures.draw_scores(
        axes, ["a", "b"], np.array([[0.5, 0.4, 0.7, 1.0], [0.2, 0, 0.3, 0.9]])
    )
    drawn = [line.get_xydata().tolist() for line in lines(axes, FAKE) if len(line.get_xdata())]
    assert drawn == [[[0.4, 0], [0.7, 0]], [[0.5, 0]], [[0, 1], [0.3, 1]], [[0.2, 1]]]
    assert [line.get_xydata().tolist() for line in lines(axes, REAL)][:2] == [[[1, 0]], [[0.9, 1]]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted(), "the first score is on top"


def test_a_score_beyond_the_edge_is_written_there():
    _, axes = plotting.new_figure(4, 2)
    score_figures.draw_scores(axes, ["a"], np.array([[48.0, 40.0, 60.0, 1.0]]), most=1.6)
    assert [text.get_text() for text in axes.texts] == ["48"]
    assert axes.get_xlim()[1] < 2


@pytest.mark.parametrize(
    ("names", "beside"), [(list("abc"), False), (["shirt", "shoe", "bag"], True)]
)
def test_shares_of_classes_have_a_line_where_reals_are(names, beside):
    _, axes = plotting.new_figure(4, 2)
    fake, real = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    score_figures.draw_shares(axes, names, fake, real)
    lengths = [bar.get_width() if beside else bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(lengths, fake)
    (segments,) = (c.get_segments() for c in axes.collections)
    np.testing.assert_allclose([s[0][0 if beside else 1] for s in segments], real)
    labels = axes.get_yticklabels() if beside else axes.get_xticklabels()
    assert [label.get_text() for label in labels] == names


def test_a_grid_has_a_plot_for_each_score_and_a_row_for_each_model():
    scores = {"GAN": (3.0, 2.0, 4.0), "VAE": (5.0, 4.5, 6.0)}
    plots = {f"score {i}": (scores, 1.0) for i in range(4)}
    figure = score_figures.score_grid(plots | {"of the GAN": ({"GAN": (1, 1, 1)}, 0.5)}, columns=3)
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == [*plots, "of the GAN"]
    for ax in shown[:4]:
        names = [label.get_text() for label in ax.get_yticklabels()]
        assert names == (["GAN", "VAE"] if ax in (shown[0], shown[3]) else []), "left of a row"
        dots = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "o"]
        assert dots == [[[3, 0]], [[5, 1]]]
        assert list(ax.lines[-1].get_xdata()) == [1, 1], "reals"
