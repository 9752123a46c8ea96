"""Portraits in the manner of CelebA, of which every attribute is known.

The parts are ToonHead by Johan Melin, https://www.figma.com/community/file/1589627891082866389,
licensed under CC BY 4.0, https://creativecommons.org/licenses/by/4.0/, as DiceBear's Python
packages (Florian Körner, MIT) draw them. Changed by us: colors, proportions, pupils. Added by
us: hats, glasses, earrings, fringes, noses, cheeks, four mouths, backgrounds and light.
"""

import functools
import json
import math
import re
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from helpers import collage
from helpers.collage import Chances, Layer, Pixels

STYLE = "ToonHead by Johan Melin, CC BY 4.0, with changes; drawn with DiceBear"
HEIGHT, WIDTH = 218, 178
COLUMNS = (
    "Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Eyeglasses", "Goatee",
    "Gray_Hair", "Mouth_Slightly_Open", "Mustache", "No_Beard", "Pale_Skin", "Rosy_Cheeks",
    "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat",
)  # fmt: skip
"""The columns of CelebA's attribute table that are drawn, in its order."""

# The canvas is larger than the picture, so that a turned or shifted picture is still full. Its
# unit is ToonHead's: the eyes stand at (314, 408) and (454, 408), here with 42 pixels between.
SCALE = 0.3
LEFT, TOP, RIGHT, BOTTOM = -6, -40, 774, 840
CANVAS = round((BOTTOM - TOP) * SCALE), round((RIGHT - LEFT) * SCALE)
EYES = (384 - LEFT) * SCALE, (408 - TOP) * SCALE
ROLES = ("skin", "hair", "clothes", "hat", "glasses", "metal", "iris")

SKIN = {
    True: ((248, 224, 210), (242, 214, 198)),
    False: ((232, 178, 142), (218, 162, 124), (198, 140, 104), (160, 106, 74), (116, 76, 56)),
}
"""Skin colors, by Pale_Skin; a person's is somewhere between two neighbors."""

HAIR = {
    "Black_Hair": ((22, 20, 24), (44, 36, 36)),
    "Brown_Hair": ((78, 48, 30), (126, 82, 50)),
    "Blond_Hair": ((206, 164, 86), (240, 214, 150)),
    "Gray_Hair": ((146, 146, 150), (214, 214, 218)),
    "red": ((140, 52, 26), (196, 92, 40)),
}
"""Hair colors; CelebA has no column for red."""

IRIS = ((72, 40, 28), (96, 62, 32), (56, 92, 132), (72, 112, 76), (88, 100, 110))
GLASSES = ((24, 22, 26), (76, 44, 26), (30, 44, 84), (132, 30, 38), (96, 96, 104))
METAL = ((226, 180, 60), (208, 212, 222), (60, 150, 170), (206, 60, 90))

# ------------------------------------------------------------------ what ToonHead does not have

DARK = 'fill="none" stroke="#3f2626" stroke-linecap="round" stroke-width'
LENSES = 'stroke="{glasses}" fill="#ffffff" fill-opacity=".16" stroke-width'
ARMS = '<path d="M258 398 L206 384 M510 398 L562 384" stroke="{glasses}" stroke-width="10"/>'

OWN = {
    ("mouth", "curve"): f'<path d="M322 508 Q384 566 446 508" {DARK}="9"/>',
    ("mouth", "flat"): f'<path d="M338 526 Q384 519 430 526" {DARK}="9"/>',
    ("mouth", "beam"): '<path d="M316 500 Q384 518 452 500 Q440 572 384 572 Q328 572 316 500Z" '
    'fill="#611519"/><path d="M326 506 Q384 522 442 506 L436 526 Q384 538 332 526Z" '
    'fill="#fff"/>',
    ("mouth", "oh"): '<ellipse cx="384" cy="530" rx="34" ry="24" fill="#611519"/>'
    '<ellipse cx="384" cy="544" rx="22" ry="9" fill="#e0564b"/>',
    ("nose", "small"): '<path d="M366 474 Q384 488 402 474" fill="none" stroke="#000" '
    'stroke-opacity=".28" stroke-width="8" stroke-linecap="round"/>',
    ("nose", "long"): '<path d="M392 412 Q404 470 390 478 Q376 484 366 474" fill="none" '
    'stroke="#000" stroke-opacity=".24" stroke-width="8" stroke-linecap="round"/>',
    ("nose", "round"): '<ellipse cx="384" cy="466" rx="27" ry="19" fill="#000" '
    'fill-opacity=".13"/>',
    ("cheeks", "rosy"): '<ellipse cx="268" cy="476" rx="42" ry="28" fill="#f0364c" '
    'fill-opacity=".34"/><ellipse cx="500" cy="476" rx="42" ry="28" fill="#f0364c" '
    'fill-opacity=".34"/>',
    ("bangs", "straight"): '<path d="M214 366 Q206 190 384 150 Q562 190 554 366 Q540 352 520 350 '
    'L502 364 Q480 348 452 348 L436 364 Q410 346 378 348 L362 364 Q330 346 296 350 L284 364 '
    'Q240 350 214 366Z" fill="{hair}" stroke="#000" stroke-opacity=".5"/>',
    ("bangs", "swept"): '<path d="M212 352 Q206 190 384 150 Q562 190 558 384 Q530 350 500 330 '
    'Q420 372 330 366 Q270 362 212 352Z" fill="{hair}" stroke="#000" stroke-opacity=".5"/>',
    ("bangs", "parted"): '<path d="M210 404 Q206 190 384 150 Q562 190 558 404 Q554 362 520 352 '
    'Q420 336 384 252 Q348 336 248 352 Q214 362 210 404Z" fill="{hair}" stroke="#000" '
    'stroke-opacity=".5"/>',
    ("hat", "beanie"): '<path d="M184 310 Q176 60 384 56 Q592 60 584 310Z" fill="{hat}"/>'
    '<circle cx="384" cy="52" r="42" fill="{hat}"/><circle cx="384" cy="52" r="42" '
    'fill="#fff" fill-opacity=".35"/><path d="M176 262 Q384 206 592 262 L590 328 Q384 272 '
    '178 328Z" fill="{hat}"/><path d="M176 262 Q384 206 592 262 L590 328 Q384 272 178 328Z" '
    'fill="#000" fill-opacity=".22"/>',
    ("hat", "cap"): '<path d="M186 300 Q180 62 384 58 Q588 62 582 300 Q384 250 186 300Z" '
    'fill="{hat}"/><path d="M384 58 Q340 150 338 268 M384 58 Q428 150 430 268" stroke="#000" '
    'stroke-opacity=".22" stroke-width="6" fill="none"/><path d="M190 286 Q384 216 578 286 '
    'Q600 332 560 340 Q384 292 208 340 Q168 332 190 286Z" fill="{hat}"/><path d="M190 286 Q384 '
    '216 578 286 Q600 332 560 340 Q384 292 208 340 Q168 332 190 286Z" fill="#000" '
    'fill-opacity=".36"/>',
    ("hat", "brim"): '<path d="M206 276 Q200 70 300 66 Q384 92 468 66 Q568 70 562 276Z" '
    'fill="{hat}"/><path d="M204 228 Q384 190 564 228 L563 286 H205Z" fill="#000" '
    'fill-opacity=".4"/><path d="M96 306 Q384 190 672 306 Q660 338 600 334 Q384 268 168 334 '
    'Q108 338 96 306Z" fill="{hat}"/><path d="M120 322 Q384 226 648 322 Q630 336 600 334 Q384 '
    '268 168 334 Q140 336 120 322Z" fill="#000" fill-opacity=".25"/>',
    ("glasses", "round"): f'<circle cx="312" cy="410" r="57" {LENSES}="12"/><circle cx="456" '
    f'cy="410" r="57" {LENSES}="12"/><path d="M366 400 Q384 386 402 400" fill="none" '
    f'stroke="{{glasses}}" stroke-width="11"/>{ARMS}',
    ("glasses", "square"): f'<rect x="250" y="366" width="122" height="88" rx="18" {LENSES}="15"/>'
    f'<rect x="396" y="366" width="122" height="88" rx="18" {LENSES}="15"/>{ARMS}'
    '<path d="M366 394 H402" stroke="{glasses}" stroke-width="14"/>',
    ("glasses", "sun"): '<path d="M246 372 H376 Q378 462 312 462 Q248 462 246 372Z M392 372 H522 '
    'Q520 462 456 462 Q390 462 392 372Z M370 378 H398 V392 H370Z" fill="{glasses}" '
    f'fill-opacity=".93"/>{ARMS}<path d="M264 386 L300 386 L272 420Z M410 386 L446 386 L418 '
    '420Z" fill="#fff" fill-opacity=".3"/>',
    ("earrings", "stud"): '<circle cx="214" cy="484" r="17" fill="{metal}"/><circle cx="554" '
    'cy="484" r="17" fill="{metal}"/><circle cx="209" cy="479" r="6" fill="#fff"/>'
    '<circle cx="549" cy="479" r="6" fill="#fff"/>',
    ("earrings", "hoop"): '<g fill="none" stroke="{metal}" stroke-width="11"><circle cx="210" '
    'cy="516" r="31"/><circle cx="558" cy="516" r="31"/></g>',
    ("earrings", "drop"): '<path d="M212 478 L230 540 Q212 566 194 540Z M556 478 L574 540 Q556 '
    '566 538 540Z" fill="{metal}"/>',
}  # fmt: skip
"""Our own parts: SVG in ToonHead's coordinates, with places for colors."""

MOUTHS = {  # by (Smiling, Mouth_Slightly_Open)
    (True, False): ("curve",),
    (True, True): ("laugh", "beam"),
    (False, False): ("flat", "sad"),
    (False, True): ("agape", "oh"),
}
STRETCH = {"mouth": (1.3, 384, 500)}
"""ToonHead's parts that are drawn larger: how much, about which point."""


@functools.cache
def part(component: str, variant: str) -> Layer:
    """One part, rasterized when it is first asked for."""
    svg = OWN.get((component, variant))
    svg = _from_dicebear(component, variant) if svg is None else _frame(svg)
    return collage.layer(svg, ROLES, CANVAS[1], CANVAS[0])


def _frame(elements: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" fill="none" viewBox="{LEFT} {TOP} '
        f'{RIGHT - LEFT} {BOTTOM - TOP}">{elements}</svg>'
    )


@functools.cache
def _definition() -> dict[str, Any]:
    try:
        text = resources.files("dicebear_styles").joinpath("toon-head.json").read_text("utf-8")
    except ImportError as error:
        raise collage.missing("dicebear-styles") from error
    return json.loads(text)


def _from_dicebear(component: str, variant: str) -> str:
    """ToonHead's part alone on our canvas, with places for colors."""
    try:
        from dicebear import Avatar, Style
    except ImportError as error:
        raise collage.missing("dicebear-core") from error
    whole = _definition()
    (element,) = (e for e in whole["canvas"]["elements"] if e["name"] == component)
    size, x, y = STRETCH.get(component, (1, 0, 0))
    transform = f"translate({x - size * x - LEFT} {y - size * y - TOP})scale({size})"
    group: dict[str, Any] = {"name": "g", "type": "element", "attributes": {"transform": transform}}
    elements = [{**group, "children": [element]}]
    canvas = {"width": RIGHT - LEFT, "height": BOTTOM - TOP, "elements": elements}
    # DiceBear checks every part that it is given, which takes long: it is given one.
    drawn = whole["components"][component]
    components = {component: {**drawn, "variants": {variant: drawn["variants"][variant]}}}
    style = Style({**whole, "canvas": canvas, "components": components})
    # Colors that nobody else uses mark the places where ours go in.
    marks = {role: f"#0f0f{i:02x}" for i, role in enumerate(ROLES)}
    options: dict[str, Any] = {f"{role}Color": marks[role] for role in ("skin", "hair", "clothes")}
    options |= {f"{component}Variant": variant, f"{component}Probability": 100}
    svg = Avatar(style, options).to_string()
    for role, mark in marks.items():
        svg = svg.replace(mark, "{" + role + "}")
    return _with_pupils(svg) if component == "eyes" else svg


def _with_pupils(svg: str) -> str:
    """ToonHead's eyes are brown disks; ours have an iris of any color, a pupil and a glint."""
    iris = re.compile(r'<circle cx="(\d+)" cy="([\d.]+)" r="27"([^>]*?) fill="#4B2422"/>')
    return iris.sub(
        r'<circle cx="\1" cy="\2" r="27"\3 fill="{iris}"/>'
        r'<circle cx="\1" cy="\2" r="15"\3 fill="#160d0e"/>'
        r'<g transform="translate(0 -10)"><circle cx="\1" cy="\2" r="8"\3 fill="#fff"/></g>',
        svg,
    )


# ---------------------------------------------------------------------------------- a person

Person = dict[str, Any]
"""What is decided about a portrait before it is drawn. A part is the name of its variant, or ""
for none; change one entry of a copy, and the rest of the picture stays as it is."""


def person(index: int, seed: int = 0) -> Person:
    """Decide who is on portrait ``index``, and how the picture is taken.

    Things are independent of each other, with these exceptions: half of the people have long
    hair; those wear earrings (50 % against 12 %) and a fringe (34 % against 22 %) more often and
    have no beard. Nobody with long hair or a hat is bald, and a hat hides the fringe.
    """
    chances = Chances(seed, index)
    happens, one_of = chances.happens, chances.one_of
    long, hat, bald = happens(0.5), happens(0.14), happens(0.2)
    bald = bald and not long and not hat
    hair = one_of(("bun", "sideComed") if long else ("sideComed", "spiky", "undercut"))
    rear = one_of(("longStraight", "longWavy", "neckHigh", "shoulderHigh"))
    fringe = happens(0.34 if long else 0.22) and not bald and not hat
    beard = one_of(("chin", "chinMoustache", "fullBeard", "longBeard", "moustacheTwirl"))
    optional = {
        "hair": (not bald, "sideComed" if hat else hair),
        "rearHair": (long, rear),
        "bangs": (fringe, one_of(("straight", "swept", "parted"))),
        "hat": (hat, one_of(("beanie", "cap", "brim"))),
        "glasses": (happens(0.27), one_of(("round", "square", "sun"))),
        "earrings": (happens(0.5 if long else 0.12), one_of(("stud", "hoop", "drop"))),
        "beard": (happens(0.56) and not long, beard),
        "cheeks": (happens(0.2), "rosy"),
    }
    smiling, open_mouth, pale = happens(0.5), happens(0.42), happens(0.13)
    tone = one_of(tuple(HAIR), (28, 28, 20, 14, 10))
    return {
        **{component: variant if is_there else "" for component, (is_there, variant)
           in optional.items()},
        "mouth": one_of(MOUTHS[smiling, open_mouth]),
        "eyes": one_of(("happy", "wide")),
        "eyebrows": one_of(("neutral", "happy", "raised", "sad", "angry"), (5, 4, 2, 1, 1)),
        "nose": one_of(("small", "long", "round")),
        "clothes": one_of(("dress", "openJacket", "shirt", "tShirt", "turtleNeck")),
        "tone": tone,
        "pale": pale,
        "colors": {
            "skin": chances.color(SKIN[pale]),
            "hair": chances.color(HAIR[tone]),
            "clothes": chances.any_color(25, 230, 0.85),
            "hat": chances.any_color(40, 235),
            "glasses": chances.color(GLASSES),
            "metal": chances.color(METAL),
            "iris": chances.color(IRIS),
        },
        **_photograph(chances),
    }  # fmt: skip


def _photograph(chances: Chances) -> Person:
    """How the picture is taken: pose, light, background."""
    number, muted = chances.number, functools.partial(chances.any_color, 10, 245, 0.6)
    return {
        "turn": number(-1, 1),
        "nod": number(-1, 1),
        "angle": number(-6, 6),
        "size": (number(0.95, 1.06) * (scale := number(0.95, 1.08)), scale),
        "shift": (number(-4, 4), number(-4, 4)),
        "mirrored": chances.happens(0.5),
        "light": (number(-0.2, 0.2), number(-0.1, 0.1), number(0.84, 1.03), number(-0.04, 0.07)),
        "backdrop": (muted(), muted(), number(-1, 1), number(-1, 1)),
        "blobs": [
            (muted(), number(), number(), number(0.08, 0.3)) for _ in range(int(number(0, 5)))
        ],
    }


def attributes(who: Person) -> dict[str, int]:
    """The row of the attribute table that is true of a person: 1 or -1 for every column.

    Hair colors are those of hair that is there. ``Goatee`` is a beard on the chin alone,
    ``Mustache`` also the one of a full beard; ``No_Beard`` is a face without any of these.
    """
    beard, mouth, tone = who["beard"], who["mouth"], who["tone"]
    true = {
        "Bald": not who["hair"],
        "Bangs": who["bangs"],
        "Eyeglasses": who["glasses"],
        "Goatee": beard in ("chin", "chinMoustache"),
        "Mouth_Slightly_Open": mouth in MOUTHS[True, True] + MOUTHS[False, True],
        "Mustache": beard not in ("", "chin"),
        "No_Beard": not beard,
        "Pale_Skin": who["pale"],
        "Rosy_Cheeks": who["cheeks"],
        "Smiling": mouth in MOUTHS[True, True] + MOUTHS[True, False],
        "Straight_Hair": who["rearHair"] in ("longStraight", "neckHigh"),
        "Wavy_Hair": who["rearHair"] in ("longWavy", "shoulderHigh"),
        "Wearing_Earrings": who["earrings"],
        "Wearing_Hat": who["hat"],
        **{color: who["hair"] and tone == color for color in HAIR},
    }
    return {column: 1 if true[column] else -1 for column in COLUMNS}


# ------------------------------------------------------------------------------- its portrait

ORDER = (
    ("rearHair", -1, 0), ("body", 0, 0), ("head", 0, 0), ("clothes", 0, 0), ("cheeks", 3, 2),
    ("nose", 5, 3), ("beard", 1, 0), ("mouth", 3, 2), ("eyes", 3, 2), ("eyebrows", 3, 2),
    ("bangs", 1, 1), ("earrings", 0, 0), ("hair", 0, 0), ("glasses", 3, 2), ("hat", 1, 1),
)  # fmt: skip
"""From back to front, with how many pixels a part moves as the head turns and nods."""

ALWAYS = {"body": "body", "head": "head"}


def picture(who: Person) -> NDArray[np.uint8]:
    """The portrait, uint8, shape (218, 178, 3)."""
    canvas = _background(who)
    for component, turns, nods in ORDER:
        variant = ALWAYS.get(component) or who[component]
        if variant:
            x, y = round(turns * who["turn"]), round(nods * who["nod"])
            collage.put(canvas, part(component, variant), who["colors"], x, y)
    canvas *= _light(who["light"])
    image, size = collage.to_image(canvas), (WIDTH, HEIGHT)
    affine, smooth = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return np.asarray(image.transform(size, affine, _camera(who), smooth))


def _camera(who: Person) -> tuple[float, ...]:
    """Where on the canvas a pixel of the picture is found; the eyes stand about (89, 112)."""
    # Rounded, so that the last bits of a machine's sine make no difference.
    angle = math.radians(who["angle"])
    cos, sin = round(math.cos(angle), 9), round(math.sin(angle), 9)
    (wide, high), (right, down) = who["size"], who["shift"]
    wide = -wide if who["mirrored"] else wide
    x, y = WIDTH / 2 + right, 112 + down
    a, b, d, e = cos / wide, sin / wide, -sin / high, cos / high
    return a, b, EYES[0] - a * x - b * y, d, e, EYES[1] - d * x - e * y


def _light(light: tuple[float, float, float, float]) -> Pixels:
    """A light from one side, warm or cold: factors of shape (3, height, width)."""
    across, down, brightness, warmth = light
    x = np.linspace(-across, across, CANVAS[1], dtype=np.float32)
    y = np.linspace(-down, down, CANVAS[0], dtype=np.float32)
    tint = brightness * np.array([1 + warmth, 1, 1 - warmth])
    return (x + y[:, np.newaxis] + np.float32(1)) * tint.astype(np.float32).reshape(3, 1, 1)


def _background(who: Person) -> Pixels:
    """A gradient with soft shapes, as if out of focus."""
    height, width = 96, 80
    first, second, across, down = who["backdrop"]
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, np.newaxis]
    mix = np.clip(0.5 + 0.35 * (across * x + down * y), 0, 1)
    image = collage.to_image(first * mix + second * (1 - mix))
    pen = ImageDraw.Draw(image)
    for color, right, below, radius in who["blobs"]:
        middle, level, r = int(right * width), int(below * height), int(radius * width)
        box = (middle - r, level - r, middle + r, level + r)
        pen.ellipse(box, fill=tuple(color.astype(int).ravel().tolist()))
    soft = image.reduce(8).resize(CANVAS[::-1], Image.Resampling.BICUBIC)
    return collage.to_canvas(soft)
