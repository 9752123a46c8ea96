"""What :mod:`helpers.scores` found, to be read: one table, one figure, several side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers import plotting, score_figures


class About(NamedTuple):
    """What a score is called, what is good, what it cannot see, and its largest value."""

    title: str
    best: str
    caveat: str
    most: float = np.inf


ABOUT = {
    "frechet_distance": About("Fréchet distance", "0", "sees means and covariances only"),
    "kernel_distance": About("kernel distance", "0", "sees means, spreads and skews only"),
    "precision": About("precision", "as real", "blind to what is missing", 1),
    "recall": About("recall", "as real", "blind to bad samples; outliers raise it", 1),
    "density": About("density", "1", "blind to what is missing; crowding raises it"),
    "coverage": About("coverage", "as real", "blind to bad samples among good ones", 1),
    "inception_score": About("inception score", "as real", "never looks at real pictures"),
    "confidence": About("confidence", "as real", "nonsense can look certain", 1),
    "class_shift": About("class shift", "0", "sees the shares of classes only", 1),
    "smallest_class": About("smallest class", "as real", "sees the rarest class only", 1),
    "attribute_shift": About("attribute shift", "0", "counts each attribute alone", 1),
    "label_accuracy": About("label accuracy", "as real", "blind to variety in a class", 1),
    "diversity": About("diversity", "1", "noise is diverse; blind within a class"),
    "duplicates": About("duplicates", "as real", "blind to whether pictures are good", 1),
    "memorised": About("memorised", "as real", "misses mirrored or shifted copies", 1),
    "sharpness": About("sharpness", "1", "noise is sharp"),
}
OFF_SCALE = ("frechet_distance", "kernel_distance", "inception_score")


@dataclass(frozen=True)
class Report:
    """The scores of a generator; at the end of a notebook's cell it shows as a table.

    Attributes:
        name: of the generator.
        compared: what has to be the same for two reports to compare: the data, the feature
            network, and how many samples were asked for.
        table: a row a score: ``value``, its 95 % interval ``low`` to ``high``, ``real`` (the
            same of other real pictures: what is attainable), ``best``, ``caveat``.
        shares: a row for each class or attribute: its share of the ``generated`` pictures and
            of the ``real`` ones that judge.
        notes: what a reader has to know about these pictures.
    """

    name: str
    compared: tuple[str, str, int]
    table: Any = field(repr=False)
    shares: Any = field(repr=False)
    notes: tuple[str, ...]

    @property
    def values(self) -> dict[str, float]:
        """The scores alone."""
        return {name: float(value) for name, value in self.table["value"].items()}

    @property
    def figure(self) -> Figure:
        """The scores that lie around 0 to 1 beside those of reals, and the shares of classes."""
        plots = 2 if len(self.shares) else 1
        figure, (axes,) = plotting.new_figure(4.5 * plots, 3.9, 1, plots, squeeze=False)
        shown = self.table.loc[[name for name in self.table.index if name not in OFF_SCALE]]
        titles = [ABOUT[name].title for name in shown.index]
        score_figures.draw_scores(
            axes[0], titles, shown[["value", "low", "high", "real"]].to_numpy()
        )
        off_scale = [
            f"{ABOUT[name].title} {three_digits(row['value'])} (real {three_digits(row['real'])})"
            for name, row in self.table.iterrows()
            if name in OFF_SCALE
        ]
        axes[0].set_title("\n".join(off_scale), fontsize=8, loc="left")
        if len(self.shares):
            score_figures.draw_shares(axes[1], list(self.shares.index), *self.shares.to_numpy().T)
        marks = axes[0].get_legend_handles_labels()
        figure.legend(*marks, loc="outside lower left", fontsize=7, ncols=2)
        figure.suptitle(f"{self.name}, against {self.compared[0]}", fontsize=10)
        return figure

    @property
    def formatted(self) -> Any:
        """The table as it is shown: titles, and digits as far as the interval allows."""
        rows = {
            ABOUT[name].title: {
                self.name: with_interval(row["value"], row["low"], row["high"]),
                "real": three_digits(row["real"]),
                "best": row["best"],
                "what it cannot see": row["caveat"],
            }
            for name, row in self.table.iterrows()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def _repr_html_(self) -> str:
        notes = "<br>".join(escape(note) for note in self.notes)
        return f"{self.formatted.to_html()}<small>{notes}</small>"

    def __str__(self) -> str:
        return "\n".join([self.formatted.to_string(), *self.notes])


def compare(reports: Mapping[str, Report]) -> Any:
    """Several generators in one table: a row each, and one for reals; a column a score.

    Each cell holds the value ± half of its 95 % interval.

    Raises:
        ValueError: reports on other data, or at other sample sizes, which do not compare.
    """
    _check_alike(reports)
    rows = {
        name: {
            ABOUT[key].title: with_interval(row["value"], row["low"], row["high"])
            for key, row in report.table.iterrows()
        }
        for name, report in reports.items()
    }
    reals = _reals(reports)
    real = {ABOUT[key].title: three_digits(value) for key, value in reals.items()}
    best = {ABOUT[key].title: ABOUT[key].best for key in reals}
    return pd.DataFrame.from_dict(rows | {"real": real, "best": best}, orient="index").fillna("")


def compare_figure(reports: Mapping[str, Report]) -> Figure:
    """A small plot for each score: a dot with its interval for each generator, a line for reals.

    Raises:
        ValueError: as :func:`compare`.
    """
    _check_alike(reports)
    tables = {name: report.table for name, report in reports.items()}
    plots = {}
    for key, real in _reals(reports).items():
        kept = {name: table.loc[key] for name, table in tables.items() if key in table.index}
        points = {name: (row["value"], row["low"], row["high"]) for name, row in kept.items()}
        best = "" if ABOUT[key].best == "as real" else f" (best {ABOUT[key].best})"
        plots[ABOUT[key].title + best] = (points, real)
    return score_figures.score_grid(plots)


def _reals(reports: Mapping[str, Report]) -> dict[str, float]:
    """What reals reach in every score that any of the reports has, in order."""
    found: dict[str, float] = {}
    for report in reports.values():
        found |= report.table["real"].to_dict()
    return {key: found[key] for key in ABOUT if key in found}


def _check_alike(reports: Mapping[str, Report]) -> None:
    if not reports:
        raise ValueError("nothing to compare: give {name: report, …}.")
    kinds = {report.compared for report in reports.values()}
    if len(kinds) > 1:
        raise ValueError(
            f"these reports do not compare: (data, feature network, samples) are {sorted(kinds)}. "
            "Score all against one reference."
        )


def three_digits(value: float) -> str:
    """A number with three significant digits: 1,234 or 12.3 or 0.0123."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    size = int(np.floor(np.log10(abs(value))))
    return f"{value:.{min(5, max(0, 2 - size))}f}"


def with_interval(value: float, low: float, high: float) -> str:
    """``value ± half``, to the first two digits of what is uncertain."""
    half = (high - low) / 2
    if half <= 0:
        return three_digits(value)
    digits = min(5, max(0, 1 - int(np.floor(np.log10(half)))))
    return f"{value:,.{digits}f} ± {half:,.{digits}f}"
