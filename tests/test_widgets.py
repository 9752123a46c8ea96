"""The widgets answer to their buttons, and say so where nobody can press any."""

import ipywidgets
import pytest

from helpers import widgets


@pytest.fixture
def played(monkeypatch):
    """The box of a game, and what its buttons did: a list of (game, steps, updates)."""
    monkeypatch.delenv("GAN_HEADLESS", raising=False)
    calls, games = [], []

    def new():
        games.append(f"game {len(games)}")
        return games[-1]

    def draw(game, axes):
        axes.set_title(f"{game} after {len(calls)} turns")

    box = widgets.game(new, lambda *call: calls.append(call), draw)
    return box, calls


def controls(box):
    row, picture = box.children
    buttons = {c.description: c for c in row.children if isinstance(c, ipywidgets.Button)}
    (slider,) = (c for c in row.children if isinstance(c, ipywidgets.IntSlider))
    return buttons, slider, picture


def test_step_buttons_play_as_many_steps_with_the_updates_chosen(played):
    box, calls = played
    buttons, slider, _ = controls(box)
    buttons["1 step"].click()
    slider.value = 4
    buttons["100 steps"].click()
    assert calls == [("game 0", 1, 1), ("game 0", 100, 4)]


def test_restart_plays_on_with_a_new_game(played):
    box, calls = played
    buttons, _, _ = controls(box)
    buttons["Restart"].click()
    buttons["10 steps"].click()
    assert calls == [("game 1", 10, 1)]


def test_every_press_redraws_the_picture(played):
    box, _ = played
    buttons, _, picture = controls(box)
    for label in ("1 step", "Restart"):
        before = bytes(picture.value)
        assert before.startswith(b"\x89PNG")
        buttons[label].click()
        assert bytes(picture.value) != before


def test_headless_prints_a_line_and_makes_no_game(monkeypatch, capsys):
    monkeypatch.setenv("GAN_HEADLESS", "1")
    assert widgets.game(None, None, None) is None
    assert "in Jupyter" in capsys.readouterr().out
