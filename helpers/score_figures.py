"""Figures of scores: dots with intervals, shares of classes, a grid of models.

:mod:`helpers.reports` puts them together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from helpers.plotting import FAKE_COLOUR, REAL_COLOUR, new_figure

Array = NDArray[Any]


def draw_scores(axes: Axes, names: Sequence[str], rows: Array, *, most: float = 1.6) -> None:
    """A dot with its interval for each score, and a bar where reals are, into axes.

    Args:
        axes: where to draw; what is what has labels for a legend.
        names: of the scores, from above.
        rows: shape (scores, 4): value, low, high, and that of reals.
        most: what is larger is written at the right edge.
    """
    for y, (value, low, high, real) in enumerate(rows):
        axes.plot([low, high], [y, y], color=FAKE_COLOUR, linewidth=2)
        axes.plot(real, y, "|", color=REAL_COLOUR, markersize=13, markeredgewidth=3)
        axes.plot(min(value, most), y, "o" if value <= most else ">", color=FAKE_COLOUR)
        if value > most:
            axes.text(most - 0.05, y, f"{value:.3g}", ha="right", va="center", fontsize=8)
    axes.plot([], [], "o-", color=FAKE_COLOUR, label="generated, with 95 % interval")
    axes.plot([], [], "|", color=REAL_COLOUR, markersize=10, markeredgewidth=3, label="real")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlim(-0.05, most + 0.05)
    axes.set_xlabel("value of the score")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)


def draw_shares(axes: Axes, names: Sequence[str], fake: Array, real: Array) -> None:
    """Bars of the generated shares of each class or attribute, and a line at that of reals.

    The bars stand on names of one letter or few, and lie beside longer ones.
    """
    at = np.arange(len(names))
    most = 1.2 * max(*fake, *real)  # above the bars for the legend
    if max(map(len, names)) <= (3 if len(names) <= 12 else 1):
        axes.bar(at, fake, color=FAKE_COLOUR, alpha=0.7, label="generated")
        axes.hlines(real, at - 0.4, at + 0.4, color=REAL_COLOUR, linewidth=2, label="real")
        axes.set_xticks(at, names, fontsize=8 if len(names) <= 20 else 6)
        axes.set(ylabel="share of pictures", ylim=(0, most))
    else:
        axes.barh(at, fake, color=FAKE_COLOUR, alpha=0.7, label="generated")
        axes.vlines(real, at - 0.4, at + 0.4, color=REAL_COLOUR, linewidth=2, label="real")
        axes.set_yticks(at, names, fontsize=8 if len(names) <= 20 else 6)
        axes.set(xlabel="share of pictures", xlim=(0, most))
        axes.invert_yaxis()
    axes.set_title("Classified as", fontsize=9, loc="left")
    axes.legend(fontsize=7, ncols=2, loc="best")


def score_grid(
    plots: Mapping[str, tuple[Mapping[str, tuple[float, float, float]], float]], *, columns: int = 5
) -> Figure:
    """A small plot for each score: a dot with its interval for each model, a line for reals.

    Args:
        plots: for each title, the models' (value, low, high), and the value of reals.
        columns: small plots side by side.
    """
    rows = -(-len(plots) // columns)
    models = list(dict.fromkeys(name for points, _ in plots.values() for name in points))
    height = rows * (0.55 + 0.2 * len(models))
    figure, axes = new_figure(9, height, rows, columns, squeeze=False, sharey=True)
    for ax in axes.flat[len(plots) :]:
        ax.set_axis_off()
    for ax, (title, (points, real)) in zip(axes.flat, plots.items(), strict=False):
        for name, (value, low, high) in points.items():
            y = models.index(name)
            ax.plot([low, high], [y, y], color=f"C{y}", linewidth=2)
            ax.plot(value, y, "o", color=f"C{y}", markersize=4)
        ax.axvline(real, color="black", linestyle=":", linewidth=1)
        ax.set_title(title, fontsize=8, loc="left")
        ax.set_yticks(range(len(models)), models, fontsize=8)
        ax.set_ylim(len(models) - 0.5, -0.5)
        ax.tick_params(axis="x", labelsize=7)
        ax.locator_params(axis="x", nbins=3)
    return figure
