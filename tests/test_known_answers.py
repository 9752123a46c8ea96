"""The experiments spoil what they say, moves are called what they are, and the table shows it."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import known_answers, scoring
from helpers.image_set import ImageSet
from helpers.intervals import Estimate


@pytest.fixture(scope="module")
def reals():
    """200 pictures 8×8 with a bright square, of five classes."""
    random = np.random.default_rng(0)
    images = random.integers(0, 40, (200, 8, 8, 1)).astype(np.uint8)
    images[:, 2:6, 2:6] += 150
    return images, random.integers(0, 5, 200)


def spoilt(name, reals):
    return known_answers.EXPERIMENTS[name].make(*reals, 3)


@pytest.mark.parametrize("name", known_answers.EXPERIMENTS)
def test_experiments_give_pictures_again_and_leave_theirs_alone(name, reals):
    before = reals[0].copy()
    images = spoilt(name, reals)
    assert images.dtype == np.uint8
    assert images.shape[1:] == (8, 8, 1)
    np.testing.assert_array_equal(images, spoilt(name, reals))
    np.testing.assert_array_equal(reals[0], before)


def test_experiments_spoil_what_their_names_say(reals):
    images, labels = reals
    flat = images.astype(float)
    assert np.abs(spoilt("noise", reals) - flat).mean() > 20
    assert spoilt("blur", reals).astype(float).std() < flat.std()
    assert spoilt("blur", reals).mean() == pytest.approx(flat.mean(), rel=0.02)
    assert (spoilt("brighter", reals) - flat).min() >= 64 - 64
    assert spoilt("brighter", reals).mean() == pytest.approx(flat.mean() + 64, abs=1)
    assert spoilt("only noise", reals).mean() == pytest.approx(127.5, abs=3)
    half = spoilt("half noise", reals)
    assert [np.array_equal(a, b) for a, b in zip(half, images, strict=True)][:4] == [0, 1, 0, 1]
    assert len(spoilt("a class missing", reals)) == (labels != 4).sum()
    assert len(spoilt("half the classes", reals)) == (labels < 3).sum()
    assert len(np.unique(spoilt("few repeated", reals), axis=0)) <= 100
    one = spoilt("one repeated", reals)
    assert len(one) == 200
    assert (one == one[0]).all()
    assert any(np.array_equal(one[0], image) for image in images)


def near(value, half=0.01):
    return Estimate(value, value - half, value + half)


@pytest.mark.parametrize(
    ("score", "found", "reals", "expected"),
    [
        ("precision", near(0.80), near(0.90), "worse"),
        ("precision", near(0.99), near(0.90), "better"),
        ("precision", near(0.86), near(0.90), "="),
        ("duplicates", near(0.10), near(0.01), "worse"),
        ("sharpness", near(1.5), near(1.0), "worse"),
        ("sharpness", near(0.5), near(1.0), "worse"),
        ("density", near(1.04), near(1.0), "="),
        ("inception_score", near(9.0), near(9.8), "worse"),
        ("inception_score", near(9.5), near(9.8), "="),
        ("attribute_shift", near(0.09), near(0.03), "worse"),
        ("frechet_distance", near(16.0), near(10.0), "worse"),
        ("frechet_distance", near(14.0), near(10.0), "="),  # less than half as much again
        ("frechet_distance", near(16.0, 9), near(10.0), "="),  # not sure
        ("kernel_distance", near(0.3), near(-0.1), "worse"),
        ("kernel_distance", near(0.3, 1), near(-0.1), "="),
    ],
)
def test_moves_are_called_what_they_are(score, found, reals, expected):
    assert known_answers.move(score, found, reals) == expected


def findings(**changed):
    values = pd.DataFrame({"precision": [0.9, 0.5], "recall": [0.9, 0.9]}, index=["real", "blur"])
    moves = pd.DataFrame({"precision": ["=", "worse"], "recall": ["=", "="]}, index=values.index)
    expected = pd.DataFrame({"precision": ["=", "worse"], "recall": ["", ""]}, index=values.index)
    found = known_answers.Findings(values, moves, expected, {})
    for cell, move in changed.items():
        found.moves.loc["blur", cell] = move
    return found


def test_a_move_that_was_not_foretold_is_marked_and_fails():
    assert findings().as_expected
    assert findings(recall="worse").as_expected  # theory says nothing of it
    assert not findings(precision="=").as_expected
    assert known_answers.table(findings()).loc["precision", "blur"] == "0.500 worse ✓"
    table = known_answers.table(findings(precision="="))
    assert table.loc["precision", "blur"] == "0.500 = NOT worse"
    assert known_answers.table(findings()).loc["recall", "blur"] == "0.900 ="


def test_the_figure_shows_every_value():
    axes = known_answers.figure(findings(), "digits; ").axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.900", "0.500", "0.900", "0.900"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["precision", "recall"]
    assert axes.get_title(loc="left").startswith("digits; ")


def test_the_figure_of_sizes_has_every_score_and_a_log_axis_for_the_frechet_distance():
    values = pd.DataFrame({"frechet_distance": [9.0, 5.0], "recall": [0.5, 0.6]}, index=[500, 5000])
    axes = known_answers.size_figure({"real": values, "blur": 2 * values}).axes
    assert [ax.get_title(loc="left") for ax in axes[:2]] == ["Fréchet distance", "recall"]
    assert [ax.get_yscale() for ax in axes[:2]] == ["log", "linear"]
    assert [label.get_text() for label in axes[1].get_xticklabels()] == ["500", "5k"]
    assert [list(line.get_ydata()) for line in axes[1].lines] == [[0.5, 0.6], [1.0, 1.2]]


def test_experiments_foretell_moves_of_scores_that_exist():
    from helpers.scores import ABOUT

    for experiment in known_answers.EXPERIMENTS.values():
        worse, blind = set(experiment.worse.split()), set(experiment.blind.split())
        assert worse | blind <= set(ABOUT)
        assert not worse & blind


@pytest.mark.parametrize(
    ("arguments", "domains"), [([], ["digits", "faces"]), (["faces"], ["faces"])]
)
@pytest.mark.parametrize("seen", [True, False])
def test_the_command_runs_what_was_asked_for_and_fails_if_a_move_was_not_as_foretold(
    arguments, domains, seen, monkeypatch, tmp_path, capsys
):
    asked = []
    data = ImageSet("d", np.zeros((40, 2, 2, 1), np.uint8), None, (), "", 0)
    monkeypatch.setattr(known_answers, "domain", lambda name: asked.append(name) or (data, None))
    found = findings() if seen else findings(precision="=")
    found = found._replace(pictures={"real": np.zeros((2, 4, 4, 1), np.uint8)})
    monkeypatch.setattr(known_answers, "run", lambda *a, **k: found)
    pairs = pd.DataFrame({"frechet_distance": [1.0, 2.0]}, index=["real", "blur"])
    pairs.attrs["n"] = 10
    monkeypatch.setattr(known_answers, "halves", lambda *a, **k: pairs)
    monkeypatch.setattr("sys.argv", ["known_answers.py", *arguments, "--out", str(tmp_path)])
    assert known_answers.main() == (0 if seen else 1)
    assert asked == domains
    assert ("NOT all as expected" in capsys.readouterr().out) != seen
    assert {file.name for file in tmp_path.iterdir()} == {
        f"{name}{ending}" for name in domains for ending in (".png", ".csv", "-samples.png")
    }


@pytest.mark.slow
def test_the_run_scores_the_experiments_asked_for(monkeypatch):
    from helpers import datasets

    whole = datasets.load("mnist")
    data = ImageSet(
        "MNIST",
        np.concatenate([whole.images[:2000], whole.images[60_000:60_400]]),
        np.concatenate([whole.labels[:2000], whole.labels[60_000:60_400]]),
        whole.class_names,
        "a part",
        2000,
    )
    chosen = {
        name: known_answers.EXPERIMENTS[name]
        for name in ("real", "only noise", "one repeated", "training pictures")
    }
    found = known_answers.run(data, n=100, experiments=chosen)
    assert list(found.values.index) == list(chosen)
    assert found.moves.loc["only noise", "precision"] == "worse"
    assert found.moves.loc["training pictures", "memorised"] == "worse"
    assert found.moves.loc["one repeated", "memorised"] == "="
    assert (found.moves.loc["real"] == "=").all()
    half = {"half the classes": known_answers.EXPERIMENTS["half the classes"]}
    with pytest.raises(ValueError, match=r"half the classes: only .* give a smaller n than 150"):
        known_answers.run(data, n=150, experiments=half)


@pytest.mark.parametrize(("peak", "code"), [(1.35, 0), (1.45, 1)])
def test_the_measurement_of_scoring_fails_where_a_bound_is_missed(peak, code, monkeypatch, capsys):
    found = {"shape": (28, 28, 1), "first": 9.0, "second": 5.0, "before": 0.8, "peak": peak}
    monkeypatch.setattr(scoring, "measure_apart", lambda name, n: found)
    monkeypatch.setattr("sys.argv", ["scoring.py"])
    assert scoring.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["5,000", "digits,", "28×28×1"]
    assert len(lines) == 4
