"""The widgets answer to their buttons, and say so where nobody can press any."""

import io

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from helpers import widgets
from helpers.playground import Playground


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


# The playground -------------------------------------------------------------------------


def draw(z):
    """Pictures of 2×2 in which z, four numbers, can be seen."""
    return np.clip(np.asarray(z) / 8, -1, 1).reshape(-1, 2, 2, 1)


WAYS = {"Smiling": [1, 0, 0, 0], "Wearing_Hat": [0, 2, 0, 0]}


class Panel:
    """A playground's widgets, found as a reader finds them: by what is written on them."""

    def __init__(self, **options):
        options = {"latent_dim": 4, "elements": (2,), "continuous": True} | options
        self.box = widgets.playground(draw, WAYS, **options)
        self.all = list(self.inside(self.box))
        self.picture, self.sheet = (w for w in self.all if isinstance(w, ipywidgets.Image))
        (self.kind,) = (w for w in self.all if isinstance(w, ipywidgets.ToggleButtons))
        self.said, self.saved = (w for w in self.all if type(w) is ipywidgets.Label)

    def inside(self, widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from self.inside(child)

    def __getitem__(self, label):
        (found,) = (w for w in self.all if getattr(w, "description", None) == label)
        return found

    def levels(self):
        """The picture's four levels."""
        with Image.open(io.BytesIO(self.picture.value)) as image:
            whole = np.asarray(image)
        half = len(whole) // 2
        return whole[::half, ::half].ravel().astype(int)


@pytest.fixture
def panel(monkeypatch):
    monkeypatch.delenv("GAN_HEADLESS", raising=False)
    return Panel


def test_a_slider_for_each_direction_and_element_moves_the_picture(panel):
    p = panel(start=[0, 0, 0, 0])
    assert list(p.levels()) == [128] * 4
    p["Smiling"].value = 2
    assert list(p.levels()) == [159, 128, 128, 128]
    p["Wearing Hat"].value = -2
    p["z[2]"].value = 1
    assert list(p.levels()) == [159, 64, 143, 128]
    assert p.said.value.startswith("a random picture, Smiling +2, Wearing_Hat −2, z[2] +1; ")


def test_any_element_has_a_slider_and_elements_with_two_agree(panel):
    p = panel(start=[0, 0, 0, 0])
    p["of 0 to 3, by"].value = 2
    assert list(p.levels()) == [159, 128, 128, 128]
    p["element"].value = 2
    assert p["of 0 to 3, by"].value == 0
    p["of 0 to 3, by"].value = 1
    assert p["z[2]"].value == 1
    p["z[2]"].value = -1
    assert p["of 0 to 3, by"].value == -1
    assert list(p.levels()) == [159, 128, 112, 128]
    p["element"].value = 0
    assert p["of 0 to 3, by"].value == 2


def seen(panel):
    """Which of the choices for a base is in sight."""
    inside = {"picture (0: drawn at random)": "face", "share of B": "mix", "+ C": "sum"}
    return [
        base
        for label, base in inside.items()
        for w in panel.all
        if getattr(w, "layout", None) is not None
        and w.layout.display == "flex"
        and panel[label] in list(panel.inside(w))
    ]


def test_each_kind_of_base_shows_its_own_choices(panel):
    p = panel()
    assert seen(p) == ["face"]
    first = p.picture.value
    p.kind.value = "mix"
    assert seen(p) == ["mix"]
    assert p.said.value.startswith("spherical mix of 1 and 2")
    assert p.picture.value != first
    p.kind.value = "sum"
    assert seen(p) == ["sum"]
    assert p.said.value.startswith("picture 1 − 2 + 3")


def test_mixing_by_share_path_and_numbers(panel):
    p = panel()
    p.kind.value = "mix"
    before, sheet = p.picture.value, p.sheet.value
    p["share of B"].value = 0.25
    assert "25 % of 2" in p.said.value
    p["along the arc (spherical)"].value = False
    p["from A"].value, p["to B"].value = 5, 6
    assert p.said.value.startswith("straight mix of 5 and 6, 25 % of 6")
    assert p.picture.value != before
    assert p.sheet.value != sheet
    expected = Playground(draw, latent_dim=4)
    levels = draw((0.75 * expected.faces[4] + 0.25 * expected.faces[5])[None])
    np.testing.assert_array_equal(p.levels(), np.rint((levels.ravel() + 1) * 127.5))


def test_arithmetic_by_numbers_of_the_sheet(panel):
    p = panel()
    p.kind.value = "sum"
    p["A"].value, p["− B"].value, p["+ C"].value = 7, 12, 4
    assert p.said.value.startswith("picture 7 − 12 + 4; ")
    faces = Playground(draw, latent_dim=4).faces
    levels = draw((faces[6] - faces[11] + faces[3])[None])
    np.testing.assert_array_equal(p.levels(), np.rint((levels.ravel() + 1) * 127.5))


def test_a_picture_of_the_sheet_and_random_go_back_to_one_picture(panel):
    p = panel()
    p["picture (0: drawn at random)"].value = 3
    assert p.said.value.startswith("picture 3; ")
    p.kind.value = "sum"
    p["Random"].click()
    assert (p.kind.value, p["picture (0: drawn at random)"].value) == ("face", 0)
    assert p.said.value.startswith("a random picture; ")
    first = p.picture.value
    p["Random"].click()
    assert p.picture.value != first


def test_other_pictures_change_the_sheet_and_what_is_made_of_it(panel):
    p = panel()
    p.kind.value = "mix"
    before, sheet = p.picture.value, p.sheet.value
    p["Other pictures below"].click()
    assert p.sheet.value != sheet
    assert p.picture.value != before


def test_reset_stands_every_control_as_it_was(panel):
    p = panel()
    first = p.picture.value
    p.kind.value = "mix"
    p["share of B"].value, p["from A"].value = 1, 4
    p["Smiling"].value = 3
    p["of 0 to 3, by"].value = 2
    p["keep the usual length of z"].value = True
    assert "(usual: 1.9)" in p.said.value
    assert "length of z 1.9" in p.said.value
    p["Reset"].click()
    assert p.picture.value == first
    assert (p.kind.value, p["share of B"].value, p["from A"].value) == ("face", 0.5, 1)
    assert (p["Smiling"].value, p["of 0 to 3, by"].value) == (0, 0)
    assert p["keep the usual length of z"].value is False
    assert p["along the arc (spherical)"].value is True


def test_a_saved_picture_is_said_and_so_is_one_that_could_not_be(panel, tmp_path):
    p = panel(folder=tmp_path / "mine")
    p["Save picture"].click()
    assert p.saved.value.startswith("saved as ")
    assert p.saved.value.endswith("picture-001.png")
    assert (tmp_path / "mine" / "picture-001.png").exists()
    p["Smiling"].value = 1
    assert p.saved.value == ""
    (tmp_path / "file").touch()
    p = panel(folder=tmp_path / "file")
    p["Save picture"].click()
    assert p.saved.value.startswith("not saved: the folder for pictures")


def test_without_a_folder_pictures_go_to_runs(panel, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_RUNS", str(tmp_path))
    panel()["Save picture"].click()
    assert (tmp_path / "playground" / "picture-001.png").exists()


def test_one_move_draws_one_picture(panel):
    drawn = []

    def counted(z):
        drawn.append(len(z))
        return draw(z)

    play = widgets.playground(counted, WAYS, latent_dim=4, continuous=True)
    p = panel()
    p.all = list(p.inside(play))
    drawn.clear()
    p["Smiling"].value = 1
    p["A"].value = 3
    assert drawn == [1, 1]  # and not the sheet
    p["Reset"].click()
    assert drawn == [1, 1, 1]


@pytest.mark.parametrize(("seconds", "fluid"), [(0.05, True), (0.3, False)])
def test_a_slow_generator_is_asked_when_the_slider_stops(panel, clock, seconds, fluid):
    def slow(z):
        clock.now += seconds
        return draw(z)

    box = widgets.playground(slow, WAYS, latent_dim=4)
    sliders = [w for w in panel().inside(box) if isinstance(w, ipywidgets.FloatSlider)]
    assert len(sliders) == 4
    assert {slider.continuous_update for slider in sliders} == {fluid}


def test_the_arrow_keys_of_every_control_work_in_jupyterlab(panel):
    # JupyterLab takes them away from lists, radio buttons and tabs (tests/browser found out).
    lists = (ipywidgets.Dropdown, ipywidgets.RadioButtons, ipywidgets.Select, ipywidgets.Tab)
    assert [w for w in panel().all if isinstance(w, lists)] == []


def test_every_slider_and_field_is_labelled(panel):
    kinds = (ipywidgets.FloatSlider, ipywidgets.BoundedIntText, ipywidgets.Checkbox)
    labels = [w.description for w in panel().all if isinstance(w, kinds)]
    assert len(labels) == 14
    assert all(labels)


def test_a_playground_without_a_reader_prints_a_line_but_checks_what_it_is_given(
    monkeypatch, capsys
):
    monkeypatch.setenv("GAN_HEADLESS", "1")
    assert widgets.playground(draw, WAYS, latent_dim=4) is None
    assert "in Jupyter" in capsys.readouterr().out
    with pytest.raises(ValueError, match="the direction 'Smiling'"):
        widgets.playground(draw, WAYS, latent_dim=3)
