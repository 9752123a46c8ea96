"""The widgets answer to their buttons, and say so where nobody can press any."""

import ipywidgets
import numpy as np
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


def test_writing_shows_each_text_in_each_hand_and_says_what_cannot_be_written(monkeypatch):
    monkeypatch.delenv("GAN_HEADLESS", raising=False)
    written = []

    def write(text, hand):
        written.append((text, hand))
        if "?" in text:
            raise ValueError("cannot write ?")
        return np.full((28, 28 * len(text)), 10 * hand, np.uint8)

    (controls, picture, said) = widgets.writing(write, "AB").children
    field, hand = controls.children
    first = bytes(picture.value)
    assert first.startswith(b"\x89PNG")
    hand.value = 7
    second = bytes(picture.value)
    assert second != first
    field.value = "AB?"
    assert (said.value, bytes(picture.value)) == ("cannot write ?", second)
    field.value = "ABC"
    assert said.value == ""
    assert bytes(picture.value) != second
    assert written == [("AB", 0), ("AB", 7), ("AB?", 7), ("ABC", 7)]


def test_writing_without_a_reader_prints_a_line(monkeypatch, capsys):
    monkeypatch.setenv("GAN_HEADLESS", "1")
    assert widgets.writing(None, "AB") is None
    assert "in Jupyter" in capsys.readouterr().out
