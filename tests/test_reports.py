"""The table and the figures that a learner reads."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from helpers import plotting, reports


def report(name="mine", shift=0.0, data="digits", **more):
    rows = {
        "frechet_distance": (30.123 + shift, 28.1, 32.1, 2.34567, "0", "sees means only"),
        "precision": (0.8, 0.78, 0.82, 0.9, "as real", "blind <to> much"),
        "memorised": (0.0, 0.0, 0.0038, 0.01, "as real", "misses shifts"),
        "sharpness": (2.5, 2.4, 2.6, 1.0, "1", "noise is sharp"),
    } | more
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["value", "low", "high", "real", "best", "caveat"]
    )
    shares = pd.DataFrame({"generated": [0.3, 0.7], "real": [0.5, 0.5]}, index=["a", "b"])
    return reports.Report(name, (data, "net", 100), table, shares, ("Against <100> pictures.",))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234.5, "1,234"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.0, "1.00"),
        (0.01234, "0.0123"),
        (-0.00001, "-0.00001"),
        (-1.339, "-1.34"),
    ],
)
def test_three_digits(value, text):
    assert reports.three_digits(value) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (30.123, 28.1, 32.1, "30.1 ± 2.0"),
        (634.2, 600, 668, "634 ± 34"),
        (0.8, 0.78, 0.82, "0.800 ± 0.020"),
        (1.0, 1.0, 1.0, "1.00"),
        (0.1, -3.0, 3.0, "0.1 ± 3.0"),
        (12345.6, 12000, 12600, "12,346 ± 300"),
    ],
)
def test_values_have_the_digits_that_their_interval_allows(value, low, high, text):
    assert reports.with_interval(value, low, high) == text


def test_a_report_shows_as_a_table_with_titles_and_notes():
    page = report()._repr_html_()
    for part in ("Fréchet distance", "30.1 ± 2.0", "2.35", "what it cannot see", "mine"):
        assert part in page
    assert "blind &lt;to&gt; much" in page
    assert "Against &lt;100&gt; pictures." in page
    text = str(report())
    assert "0.800 ± 0.020" in text
    assert text.endswith("Against <100> pictures.")


def test_a_column_of_caveats_is_shown_whole():
    long = "a caveat of more than fifty letters, which pandas would cut short by itself"
    shown = report(sharpness=(1.0, 1.0, 1.0, 1.0, "1", long))
    assert long in shown._repr_html_()
    assert long in str(shown)


def test_values_are_plain_numbers():
    values = report().values
    assert values["precision"] == 0.8
    assert all(type(value) is float for value in values.values())


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_figure_shows_scores_of_one_scale_beside_reals_and_distances_as_text():
    figure = report().figure
    left, right = figure.axes
    titles = [label.get_text() for label in left.get_yticklabels()]
    assert titles == ["precision", "memorised", "sharpness"]
    assert "Fréchet distance 30.1 (real 2.35)" in left.get_title(loc="left")
    assert texts(left) == ["2.5"]  # off the scale, so written
    assert left.get_xlabel() == "value of the score"
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first row above
    bars = [patch.get_height() for patch in right.patches]
    assert bars == pytest.approx([0.3, 0.7])
    assert right.get_ylabel() == "share of pictures"
    assert np.asarray(figure.get_size_inches()).tolist() == [9, 3.9]


def test_a_figure_without_classes_has_the_scores_alone():
    alone = dataclasses.replace(report(), shares=report().shares.iloc[:0])
    assert len(alone.figure.axes) == 1


def test_compare_has_a_row_a_model_and_one_for_reals_and_the_best():
    table = reports.compare({"old": report(), "new": report(shift=-10)})
    assert list(table.index) == ["old", "new", "real", "best"]
    assert table.loc["new", "Fréchet distance"] == "20.1 ± 2.0"
    assert table.loc["real", "Fréchet distance"] == "2.35"
    assert table.loc["best", "precision"] == "as real"


def test_compare_leaves_a_gap_where_only_one_has_a_score():
    with_labels = report(label_accuracy=(0.9, 0.88, 0.92, 0.99, "as real", ""))
    for order in (["a", "b"], ["b", "a"]):
        both = {"a": report(), "b": with_labels}
        table = reports.compare({name: both[name] for name in order})
        assert table.loc["a", "label accuracy"] == ""
        assert table.loc["b", "label accuracy"] == "0.900 ± 0.020"
        assert table.loc["real", "label accuracy"] == "0.990"


def test_reports_that_do_not_compare_are_refused():
    with pytest.raises(ValueError, match=r"do not compare.*'digits'.*'faces'"):
        reports.compare({"a": report(), "b": report(data="faces")})
    with pytest.raises(ValueError, match="nothing to compare"):
        reports.compare_figure({})


def test_the_comparing_figure_has_a_plot_a_score_with_every_model_and_the_reals():
    figure = reports.compare_figure({"old": report(), "new": report(shift=-10)})
    first = figure.axes[0]
    assert first.get_title(loc="left") == "Fréchet distance (best 0)"
    assert figure.axes[1].get_title(loc="left") == "precision"
    assert [label.get_text() for label in first.get_yticklabels()] == ["old", "new"]
    dots = [line.get_xdata()[0] for line in first.lines if line.get_marker() == "o"]
    assert dots == pytest.approx([30.123, 20.123])
    assert any(line.get_xdata()[0] == pytest.approx(2.34567) for line in first.lines)
    assert len([axes for axes in figure.axes if axes.axison]) == 4
    assert plotting.png_of(figure)[:4] == b"\x89PNG"
