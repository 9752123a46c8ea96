"""Every attribute of a drawn anime face is true of its pixels."""

import colorsys
from itertools import product

import numpy as np
import pytest

from helpers import anime


@pytest.fixture(scope="module")
def table():
    rows = [anime.attributes(anime.person(i)) for i in range(4000)]
    return {column: np.array([row[column] == 1 for row in rows]) for column in anime.COLUMNS}


def test_every_attribute_is_balanced_enough_to_learn(table):
    shares = {column: values.mean() for column, values in table.items()}
    assert {c: s for c, s in shares.items() if not 0.05 <= s <= 0.95} == {}


def test_everybody_has_one_hair_color_and_an_eye_color_unless_eyes_are_closed(table):
    assert (np.sum([table[c] for c in anime.HAIR], axis=0) == 1).all()
    assert (np.sum([table[c] for c in anime.IRIS], axis=0) == ~table["Closed_Eyes"]).all()


def test_attributes_are_independent_but_for_kinds_of_one_thing(table):
    kinds = [{*anime.HAIR}, {*anime.IRIS, "Closed_Eyes"}, {"Bob_Cut", "Long_Hair", "Twin_Tails"}]
    for one, other in product(table, table):
        if one != other and not any({one, other} <= kind for kind in kinds):
            assert abs(np.corrcoef(table[one], table[other])[0, 1]) < 0.07, (one, other)


EVERYWHERE, EYES, MOUTH = (0, 64, 0, 64), (24, 48, 12, 52), (46, 58, 24, 40)
TOP = (0, 28, 2, 62)
CHANGES = {  # attribute: (with it, without it, where it may change: rows and columns, how much)
    **{c: ({"tone": c}, {"tone": "Silver_Hair"}, EVERYWHERE, 500) for c in anime.HAIR},
    "Silver_Hair": ({"tone": "Silver_Hair"}, {"tone": "Black_Hair"}, EVERYWHERE, 500),
    **{c: ({"gaze": c}, {"gaze": "Red_Eyes"}, EYES, 40) for c in anime.IRIS},
    "Red_Eyes": ({"gaze": "Red_Eyes"}, {"gaze": "Blue_Eyes"}, EYES, 40),
    "Bob_Cut": ({"back": "bob"}, {"back": "short"}, (2, 64, 4, 60), 80),
    "Cat_Ears": ({"ears": "cat"}, {"ears": ""}, (0, 24, 4, 60), 60),
    "Closed_Eyes": ({"eyes": "closed"}, {"eyes": "round"}, EYES, 150),
    "Eyeglasses": ({"glasses": "glasses"}, {"glasses": ""}, (29, 46, 9, 55), 120),
    "Hair_Band": ({"band": "band"}, {"band": ""}, TOP, 100),
    "Long_Hair": ({"back": "long"}, {"back": "short"}, EVERYWHERE, 300),
    "Mouth_Slightly_Open": ({"mouth": "oh"}, {"mouth": "flat"}, MOUTH, 12),
    "Ribbon": ({"ribbon": "bow"}, {"ribbon": ""}, (0, 24, 30, 64), 80),
    "Rosy_Cheeks": ({"blush": "blush"}, {"blush": ""}, (42, 51, 13, 51), 40),
    "Smiling": ({"mouth": "smile"}, {"mouth": "flat"}, MOUTH, 5),
    "Spiky_Hair": ({"fringe": "spiky"}, {"fringe": "straight"}, (0, 48, 2, 62), 250),
    "Twin_Tails": ({"back": "tails"}, {"back": "short"}, EVERYWHERE, 150),
}


def plain(index):
    """A face that looks straight ahead, with nothing that could hide something else."""
    who = anime.person(index)
    straight = {"turn": 0, "nod": 0, "angle": 0, "scale": 1, "shift": (0, 0), "mirrored": False}
    kinds = {"fringe": "straight", "eyes": "round", "back": "short", "mouth": "flat"}
    return (
        who | straight | kinds | dict.fromkeys(("blush", "ears", "glasses", "band", "ribbon"), "")
    )


def changed(who, change):
    """With colors as ``person`` would have chosen them."""
    who = {**who, **change, "colors": {**who["colors"]}}
    for key, role, palettes in (("tone", "hair", anime.HAIR), ("gaze", "iris", anime.IRIS)):
        if key in change:
            middle = np.mean(palettes[who[key]], axis=0, dtype=np.float32)
            who["colors"][role] = middle.reshape(3, 1, 1)
    return who


@pytest.mark.parametrize("attribute", anime.COLUMNS)
def test_an_attribute_changes_its_place_in_the_picture_and_nothing_else(attribute):
    present, absent, (top, bottom, left, right), at_least = CHANGES[attribute]
    for index in range(8):
        with_it, without = (changed(plain(index), change) for change in (present, absent))
        rows = [anime.attributes(who) for who in (with_it, without)]
        assert [row[attribute] for row in rows] == [1, -1]
        others = {c for c in anime.COLUMNS if rows[0][c] != rows[1][c]} - {attribute}
        assert others <= {*anime.HAIR, *anime.IRIS}
        one, two = (anime.picture(who).astype(int) for who in (with_it, without))
        differs = np.abs(one - two).max(axis=-1)
        assert (differs > 12).sum() >= at_least
        differs[top:bottom, left:right] = 0
        assert not differs.any()


def looks_like(color):
    """What one would call such hair or eyes."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(np.asarray(color) / 255))
    if value < 0.3:
        return "Black"
    if saturation < 0.2:
        return "Silver"
    degrees = 360 * hue
    if degrees < 15 or degrees > 300:
        return "Pink" if value > 0.85 and saturation < 0.6 and degrees > 300 else "Red"
    if degrees < 55:
        return "Blond" if value > 0.75 else "Brown"
    return "Green" if degrees < 170 else "Blue" if degrees < 240 else "Purple"


def test_hair_and_eyes_have_the_colors_that_the_table_says():
    for index in range(60):
        who = plain(index)
        picture = anime.picture(who)
        crown = np.median(picture[8:12, 24:40].reshape(-1, 3), axis=0)
        iris = picture[39:42, 20:25].reshape(-1, 3).astype(int)
        eye = iris[np.ptp(iris, axis=1).argmax()]
        assert f"{looks_like(crown)}_Hair" == who["tone"], crown
        assert f"{looks_like(eye)}_Eyes" == who["gaze"], eye
        true = anime.attributes(who)
        assert [c for c in (*anime.HAIR, *anime.IRIS) if true[c] == 1] == [who["tone"], who["gaze"]]


def test_the_canvas_fills_every_picture():
    for angle, scale, x, y in product((-8, 8), (0.92, 1.1), (-3, 3), (-3, 3)):
        for mirrored in (False, True):
            who = {"angle": angle, "scale": scale, "shift": (x, y), "mirrored": mirrored}
            a, b, c, d, e, f = anime._camera(who)
            for right, down in product((0, anime.INSIDE), repeat=2):
                assert 1 <= a * right + b * down + c <= anime.CANVAS - 1
                assert 1 <= d * right + e * down + f <= anime.CANVAS - 1


def test_a_mirrored_face_is_turned_round():
    who = plain(3) | {"backdrop": (*plain(3)["backdrop"][:2], 0), "fringe": "swept"}
    other = anime.picture({**who, "mirrored": True})[:, ::-1].astype(int)
    assert np.abs(anime.picture(who) - other).mean() < 3
    assert np.abs(anime.picture(who) - other[:, ::-1]).mean() > 4


def test_faces_are_colorful_and_differ():
    pictures = np.stack([anime.picture(anime.person(i)) for i in range(30)])
    assert pictures.shape == (30, 64, 64, 3)
    assert pictures.dtype == np.uint8
    assert np.ptp(pictures, axis=-1).mean() > 40
    assert pictures.std(axis=0).mean() > 35
