"""Every attribute of a drawn portrait is true of its pixels."""

import sys
from itertools import product

import numpy as np
import pytest

from helpers import portraits
from helpers.checks import DataError

NAMES = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)


@pytest.fixture(scope="module")
def table():
    people = [portraits.person(i) for i in range(4000)]
    rows = [portraits.attributes(who) for who in people]
    return {column: np.array([row[column] == 1 for row in rows]) for column in portraits.COLUMNS}


def test_the_columns_are_celebas_own_in_its_order():
    assert tuple(c for c in NAMES.split() if c in portraits.COLUMNS) == portraits.COLUMNS


def test_every_attribute_is_balanced_enough_to_learn(table):
    shares = {column: values.mean() for column, values in table.items()}
    assert {c: s for c, s in shares.items() if not 0.05 <= s <= 0.95} == {}


def test_attributes_depend_on_each_other_only_as_documented(table):
    def correlation(one, other):
        return abs(np.corrcoef(table[one], table[other])[0, 1])

    free = ["Eyeglasses", "Smiling", "Mouth_Slightly_Open", "Pale_Skin", "Rosy_Cheeks"]
    for one in free:
        assert max(correlation(one, other) for other in table if other != one) < 0.06
    assert not (table["Bald"] & (table["Wearing_Hat"] | table["Bangs"])).any()
    assert not (table["Wearing_Hat"] & table["Bangs"]).any()
    long = table["Straight_Hair"] | table["Wavy_Hair"]
    assert 0.45 < long.mean() < 0.55
    assert table["No_Beard"][long].all()
    assert not table["Bald"][long].any()
    for column, with_long, without in (("Wearing_Earrings", 0.5, 0.12), ("Bangs", 0.29, 0.15)):
        assert table[column][long].mean() == pytest.approx(with_long, abs=0.05)
        assert table[column][~long].mean() == pytest.approx(without, abs=0.05)
    tones = [table[c] for c in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Bald")]
    assert np.sum(tones, axis=0).max() == 1


# Where ToonHead's coordinates come to lie in a picture that is not turned or shifted.
def box(left, top, right, bottom):
    x, y = (lambda u: 89 + (u - 384) * 0.3), (lambda v: 112 + (v - 408) * 0.3)
    return round(y(top)) - 2, round(y(bottom)) + 3, round(x(left)) - 2, round(x(right)) + 3


HEAD_AND_SIDES = (60, -50, 710, 870)
CHANGES = {  # attribute: (with it, without it, where the picture may change, how many pixels do)
    "Bald": ({"hair": ""}, {"hair": "sideComed"}, (180, 60, 590, 430), 1500),
    "Bangs": ({"bangs": "swept"}, {"bangs": ""}, (200, 140, 570, 400), 200),
    "Black_Hair": ({"tone": "Black_Hair"}, {"tone": "red"}, HEAD_AND_SIDES, 1500),
    "Blond_Hair": ({"tone": "Blond_Hair"}, {"tone": "red"}, HEAD_AND_SIDES, 1500),
    "Brown_Hair": ({"tone": "Brown_Hair"}, {"tone": "red"}, HEAD_AND_SIDES, 1500),
    "Gray_Hair": ({"tone": "Gray_Hair"}, {"tone": "red"}, HEAD_AND_SIDES, 1500),
    "Eyeglasses": ({"glasses": "round"}, {"glasses": ""}, (200, 345, 568, 475), 400),
    "Goatee": ({"beard": "chin"}, {"beard": ""}, (340, 565, 430, 600), 20),
    "Mouth_Slightly_Open": ({"mouth": "oh"}, {"mouth": "flat"}, (320, 485, 450, 575), 90),
    "Mustache": ({"beard": "moustacheTwirl"}, {"beard": ""}, (285, 465, 485, 515), 60),
    "No_Beard": ({"beard": ""}, {"beard": "fullBeard"}, (215, 395, 550, 705), 900),
    "Pale_Skin": ({"pale": True}, {"pale": False}, HEAD_AND_SIDES, 4000),
    "Rosy_Cheeks": ({"cheeks": "rosy"}, {"cheeks": ""}, (220, 440, 550, 510), 250),
    "Smiling": ({"mouth": "curve"}, {"mouth": "flat"}, (310, 495, 460, 550), 70),
    "Straight_Hair": ({"rearHair": "longStraight"}, {"rearHair": ""}, HEAD_AND_SIDES, 500),
    "Wavy_Hair": ({"rearHair": "longWavy"}, {"rearHair": ""}, HEAD_AND_SIDES, 500),
    "Wearing_Earrings": ({"earrings": "hoop"}, {"earrings": ""}, (172, 470, 596, 556), 60),
    "Wearing_Hat": ({"hat": "cap"}, {"hat": ""}, (170, 50, 600, 350), 2500),
}


def plain(index):
    """Somebody who looks straight ahead, with nothing that could hide something else."""
    who = portraits.person(index)
    straight = {"turn": 0, "nod": 0, "angle": 0, "size": (1, 1), "shift": (0, 0)}
    nothing = dict.fromkeys(("bangs", "hat", "glasses", "earrings", "beard", "cheeks"), "")
    who |= {**straight, **nothing, "hair": "sideComed", "rearHair": "", "mirrored": False}
    return who


def changed(who, change):
    """With colors as ``person`` would have chosen them."""
    who = {**who, **change, "colors": {**who["colors"]}}
    for key, role, palette in (("tone", "hair", portraits.HAIR), ("pale", "skin", portraits.SKIN)):
        if key in change:
            middle = np.mean(palette[who[key]], axis=0, dtype=np.float32)
            who["colors"][role] = middle.reshape(3, 1, 1)
    return who


@pytest.mark.parametrize("attribute", portraits.COLUMNS)
def test_an_attribute_changes_its_place_in_the_picture_and_nothing_else(attribute):
    present, absent, where, at_least = CHANGES[attribute]
    top, bottom, left, right = box(*where)
    for index in range(8):
        pictures, rows = [], []
        for change in (present, absent):
            who = changed(plain(index), change)
            pictures.append(portraits.picture(who).astype(int))
            rows.append(portraits.attributes(who))
        assert [row[attribute] for row in rows] == [1, -1]
        others = {c for c in portraits.COLUMNS if rows[0][c] != rows[1][c]} - {attribute}
        hair = [row[f"{who['tone']}"] for row in rows] if who["tone"] != "red" else [1, 1]
        entailed = {"No_Beard", "Mustache"} if "beard" in present else set()
        entailed |= {who["tone"]} if attribute == "Bald" and hair[0] != hair[1] else set()
        assert others <= entailed
        differs = np.abs(pictures[0] - pictures[1]).max(axis=-1) > 12
        assert differs.sum() >= at_least
        outside = np.abs(pictures[0] - pictures[1]).max(axis=-1) > 0
        outside[max(top, 0) : bottom, max(left, 0) : right] = False
        assert not outside.any()


VARIANTS = [("hat", "Wearing_Hat"), ("glasses", "Eyeglasses"), ("earrings", "Wearing_Earrings")]
VARIANTS += [("bangs", "Bangs")]


@pytest.mark.parametrize(("key", "attribute"), VARIANTS)
def test_each_kind_of_a_thing_is_seen_where_it_belongs(key, attribute):
    kinds = {kind for component, kind in portraits.OWN if component == key}
    assert len(kinds) == 3
    without = portraits.picture(plain(5)).astype(int)
    for kind in kinds:
        who = {**plain(5), key: kind}
        assert portraits.attributes(who)[attribute] == 1
        differs = np.abs(portraits.picture(who) - without).max(axis=-1) > 25
        assert differs.sum() > (25 if key == "earrings" else 150)


@pytest.mark.parametrize("beard", ["", "fullBeard", "longBeard", "chinMoustache"])
@pytest.mark.parametrize(("smiling", "opened"), portraits.MOUTHS)
def test_the_mouth_is_seen_through_any_beard(beard, smiling, opened):
    top, bottom, left, right = box(320, 495, 450, 560)
    for mouth in portraits.MOUTHS[smiling, opened]:
        for other in portraits.MOUTHS[not smiling, opened]:
            one, two = (
                portraits.picture({**plain(2), "beard": beard, "mouth": m}).astype(int)
                for m in (mouth, other)
            )
            differs = np.abs(one - two).max(axis=-1)[top:bottom, left:right] > 25
            assert differs.sum() > 30


def looks_like(red, green, blue):
    """What one would call such hair."""
    gray, tint = (red + green + blue) / 3, red - blue
    if gray < 50:
        return "Black_Hair"
    if tint < 20:
        return "Gray_Hair"
    if gray > 135:
        return "Blond_Hair"
    return "red" if red > 1.85 * green else "Brown_Hair"


def test_hair_has_the_color_that_the_table_says():
    for index in range(40):
        who = plain(index) | {"light": (0, 0, 1, 0)}
        crown = portraits.picture(who)[30:45, 75:100].mean(axis=(0, 1))
        tone = looks_like(*crown)
        assert tone == who["tone"], crown
        true = portraits.attributes(who)
        assert [c for c in portraits.HAIR if true.get(c) == 1] == [tone] * (tone != "red")


def test_pale_skin_is_lighter_than_any_other():
    pale, other = portraits.SKIN[True], portraits.SKIN[False]
    assert min(sum(c) for c in pale) > max(sum(c) for c in other) + 60


def test_eyes_stand_where_celebas_stand():
    who = plain(0)
    eyes = portraits.picture({**who, "eyes": "happy"}).astype(int)
    closed = portraits.picture({**who, "eyes": "humble"}).astype(int)
    rows, columns = np.nonzero(np.abs(eyes - closed).max(axis=-1) > 40)
    assert 105 < rows.mean() < 119
    assert 86 < columns.mean() < 92
    left, right = columns[columns < 89].mean(), columns[columns > 89].mean()
    assert 36 < right - left < 48


def test_the_canvas_fills_every_picture():
    for angle, aspect, scale, x, y in product((-6, 6), (0.95, 1.06), (0.95, 1.08), *[(-4, 4)] * 2):
        for mirrored in (False, True):
            who = {"angle": angle, "size": (aspect * scale, scale), "shift": (x, y)}
            a, b, c, d, e, f = portraits._camera({**who, "mirrored": mirrored})
            for right, down in product((0, portraits.WIDTH), (0, portraits.HEIGHT)):
                assert 1 <= a * right + b * down + c <= portraits.CANVAS[1] - 1
                assert 1 <= d * right + e * down + f <= portraits.CANVAS[0] - 1


def test_portraits_differ_in_light_pose_and_ground():
    pictures = np.stack([portraits.picture(portraits.person(i)) for i in range(30)])
    assert pictures.shape == (30, 218, 178, 3)
    assert pictures.dtype == np.uint8
    corners = pictures[:, [2, 2], [2, -3]].reshape(30, -1).astype(float)
    assert corners.std(axis=0).min() > 28
    assert 60 < pictures.mean() < 190


@pytest.mark.parametrize("package", ["dicebear", "dicebear_styles"])
def test_without_dicebear_the_error_says_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    portraits._definition.cache_clear()
    with pytest.raises(DataError, match=rf"{package.replace('_', '-')}.*pip install"):
        portraits._from_dicebear("mouth", "laugh")
