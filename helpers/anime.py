"""Anime faces, 64×64, of which every attribute is known. All parts are ours.

Large eyes with glints, a pointed chin, a small mouth, hair of any color in strands.
"""

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers import collage
from helpers.collage import Chances, Layer, Pixels

STYLE = "drawn by parts of our own"
SIZE = 64
# Parts are drawn on a canvas of 2 pixels to one of the picture, larger than it by a margin, so
# that a turned or shifted picture is still full.
MARGIN, INSIDE = 20, 128
CANVAS = INSIDE + 2 * MARGIN
ROLES = ("skin", "hair", "iris", "clothes", "ribbon")

HAIR = {
    "Black_Hair": ((34, 32, 44), (54, 48, 62)),
    "Blond_Hair": ((238, 200, 98), (250, 226, 150)),
    "Blue_Hair": ((62, 104, 190), (104, 170, 232)),
    "Brown_Hair": ((104, 64, 42), (150, 98, 62)),
    "Green_Hair": ((56, 140, 92), (120, 196, 130)),
    "Pink_Hair": ((236, 130, 172), (250, 176, 204)),
    "Purple_Hair": ((110, 72, 160), (160, 120, 210)),
    "Red_Hair": ((176, 44, 48), (220, 84, 66)),
    "Silver_Hair": ((188, 192, 208), (226, 228, 238)),
}
IRIS = {
    "Blue_Eyes": ((40, 96, 200), (70, 160, 236)),
    "Brown_Eyes": ((110, 62, 36), (156, 92, 48)),
    "Green_Eyes": ((30, 130, 84), (80, 184, 110)),
    "Purple_Eyes": ((112, 58, 170), (158, 96, 214)),
    "Red_Eyes": ((176, 30, 46), (226, 62, 72)),
}
SKIN = ((255, 232, 214), (250, 218, 192), (236, 194, 160))
RIBBON = ((226, 52, 72), (240, 130, 160), (244, 244, 248), (120, 160, 230), (60, 80, 190))

INK = "#2b1d2a"


def _both(half: str) -> str:
    """The left half of a part, and its mirror image."""
    return f'{half}<g transform="translate(128 0)scale(-1 1)">{half}</g>'


def _eye(lash: str, top: float, tilt: float) -> str:
    """A left eye: white, tall iris darker above, pupil, two glints, a thick upper lash."""
    y = 73 + top
    return _both(
        f'<g transform="rotate({tilt} 45 {y})"><ellipse cx="45" cy="{y}" rx="11" ry="12.5" '
        f'fill="#fff"/><ellipse cx="45.5" cy="{y + 0.5}" rx="8" ry="11.5" fill="{{iris}}"/>'
        f'<path d="M37.5 {y - 1}a8 11.5 0 0 1 16 0q-8 4-16 0Z" fill="#000" fill-opacity=".5"/>'
        f'<ellipse cx="45.5" cy="{y + 1}" rx="3.4" ry="5" fill="#140c18"/>'
        f'<path d="{lash.format(y=y, above=y - 14, below=y + 12)}" fill="none" '
        f'stroke="{INK}" stroke-width="4" stroke-linecap="round"/></g>'
    ) + "".join(  # the light comes from one side, so the glints are not mirrored
        f'<circle cx="{x - 3}" cy="{y - 5}" r="3.6" fill="#fff"/>'
        f'<circle cx="{x + 3.5}" cy="{y + 6}" r="2" fill="#fff" fill-opacity=".85"/>'
        for x in (45.5, 82.5)
    )


SHADE = 'fill="#000" fill-opacity'
HAIRY = f'fill="{{hair}}" stroke="{INK}" stroke-opacity=".55" stroke-width="1.4"'
STRAND = 'fill="none" stroke="#000" stroke-opacity=".25" stroke-width="1.6"'
SHINE = 'fill="none" stroke="#fff" stroke-opacity=".45" stroke-linecap="round" stroke-width'
SKINNY = f'fill="{{skin}}" stroke="{INK}" stroke-opacity=".5" stroke-width="1.2"'
LINE = f'fill="none" stroke="{INK}" stroke-linecap="round" stroke-width'
RING = f'<path d="M38 37Q64 25 90 37" {SHINE}="4"/>'

PARTS = {
    ("back", "long"): f'<path d="M64 8C20 8 14 50 16 90Q16 130 4 168H124Q112 130 112 90C114 50 '
    f'108 8 64 8Z" {HAIRY}/><path d="M30 84Q28 130 34 168H94Q100 130 98 84Z" {SHADE}=".3"/>',
    ("back", "bob"): f'<path d="M64 8C20 8 12 50 16 84Q16 108 26 116H102Q112 108 112 84C116 50 '
    f'108 8 64 8Z" {HAIRY}/><path d="M32 80L34 116H94L96 80Z" {SHADE}=".3"/>',
    ("back", "short"): f'<path d="M64 8C26 8 18 46 22 74L28 96H100L106 74C110 46 102 8 64 8Z" '
    f"{HAIRY}/>",
    ("back", "tails"): _both(
        f'<path d="M26 34C-8 24-18 70-12 118Q-10 138-2 150Q18 124 18 92Q20 60 34 46Z" {HAIRY}/>'
        f'<path d="M14 50Q-2 80 0 120M22 52Q8 76 10 104" {STRAND}/>'
    ) + f'<path d="M64 8C26 8 18 46 22 74L28 92H100L106 74C110 46 102 8 64 8Z" {HAIRY}/>',
    ("body", "body"): f'<path d="M54 100V124Q20 128 6 168H122Q108 128 74 124V100Z" {SKINNY}/>'
    f'<path d="M54 108Q64 122 74 108V114Q64 128 54 114Z" {SHADE}=".18"/>',
    ("clothes", "sailor"): '<path d="M46 122Q14 130 2 168H126Q114 130 82 122L64 148Z" '
    'fill="#f6f6fa"/><path d="M46 121L64 150L82 121L94 126L80 168H48L34 126Z" fill="{clothes}"/>',
    ("clothes", "shirt"): '<path d="M44 122Q10 130 0 168H128Q118 130 84 122Q64 144 44 122Z" '
    f'fill="{{clothes}}"/><path d="M44 122Q64 144 84 122L88 126Q64 152 40 126Z" {SHADE}=".25"/>',
    ("clothes", "collar"): '<path d="M48 118Q10 126 0 168H128Q118 126 80 118Z" '
    'fill="{clothes}"/><path d="M46 116L64 136L44 144L36 124ZM82 116L64 136L84 144L92 124Z" '
    'fill="#fff"/>',
    ("face", "face"): f'<path d="M29 58C27 84 38 100 54 112Q64 120 74 112C90 100 101 84 99 58C98 '
    f'34 84 24 64 24C44 24 30 34 29 58Z" {SKINNY}/><path d="M29 58Q64 36 99 58Q98 46 92 38H36Q30 '
    f'46 29 58Z" {SHADE}=".12"/><path d="M63 93L65.5 95" {LINE}="1.6"/>',
    ("blush", "blush"): _both('<ellipse cx="40" cy="93" rx="9" ry="5" fill="#ff5a6e" '
    'fill-opacity=".5"/>'),
    ("eyes", "round"): _eye("M33 {y}Q36 {above} 46 {above}Q54 {above} 57 {y}", 0, 0),
    ("eyes", "sharp"): _eye("M31 {above}Q40 {above} 48 {above}Q55 {above} 58 {y}", 1, 8),
    ("eyes", "droopy"): _eye("M31 {y}Q34 {above} 46 {above}Q53 {above} 57 {y}", 2, -9),
    ("eyes", "closed"): _both(f'<path d="M34 78Q45 64 56 78" {LINE}="4"/>'),
    ("brows", "soft"): _both(f'<path d="M36 53Q44 48 54 51" {LINE}="2"/>'),
    ("brows", "firm"): _both(f'<path d="M35 49L55 54" {LINE}="2.4"/>'),
    ("brows", "worried"): _both(f'<path d="M35 54Q46 50 55 47" {LINE}="2"/>'),
    ("mouth", "smile"): f'<path d="M55 100Q64 108 73 100" {LINE}="2.4"/>',
    ("mouth", "cat"): f'<path d="M53 100Q57 106 64 100Q71 106 75 100" {LINE}="2.4"/>',
    ("mouth", "laugh"): f'<path d="M53 98Q64 101 75 98Q74 110 64 110Q54 110 53 98Z" '
    f'fill="#b3303e" stroke="{INK}" stroke-width="1.6"/><path d="M58 107Q64 103 70 107Q64 111 58 '
    '107Z" fill="#ff8f94"/>',
    ("mouth", "flat"): f'<path d="M58 103H70" {LINE}="2.4"/>',
    ("mouth", "pout"): f'<path d="M57 105Q64 99 71 105" {LINE}="2.4"/>',
    ("mouth", "oh"): f'<ellipse cx="64" cy="104" rx="5" ry="5.5" fill="#b3303e" stroke="{INK}" '
    'stroke-width="1.6"/>',
    ("fringe", "straight"): f'<path d="M64 10C26 8 18 44 22 92Q30 96 34 90Q32 70 36 58L42 62L46 '
    f'55L54 61L60 54L68 61L74 54L82 61L86 55L92 60Q96 70 94 90Q98 96 106 92C110 44 102 8 64 10Z" '
    f'{HAIRY}/><path d="M46 55Q48 40 54 32M60 54Q60 40 62 30M74 54Q74 40 70 30M86 55Q84 42 78 32" '
    f"{STRAND}/>{RING}",
    ("fringe", "parted"): f'<path d="M64 10C26 8 18 44 21 96Q30 94 33 84Q34 62 56 34L62 28L68 '
    f'34Q92 56 95 84Q98 94 107 96C110 44 102 8 64 10Z" {HAIRY}/><path d="M26 82Q28 54 52 32M102 '
    f'82Q98 50 74 32" {STRAND}/><path d="M34 44Q40 36 48 32M82 32Q90 38 94 44" {SHINE}="4"/>',
    ("fringe", "swept"): f'<path d="M70 9C28 4 18 40 20 88L30 92Q30 72 38 60Q60 62 84 38Q82 50 74 '
    f'60Q92 54 94 46Q98 68 97 90L107 86C112 40 100 10 70 9Z" {HAIRY}/><path d="M38 60Q52 48 62 '
    f'28M74 60Q86 48 88 32M30 70Q32 50 44 34" {STRAND}/>{RING}',
    ("fringe", "spiky"): f'<path d="M64 12L58 2L52 12L38 6L36 16L20 20L24 32L10 44L20 52L14 72L23 '
    f'72L24 90L32 76L36 60L44 72L50 54L58 70L66 52L74 68L80 52L88 66L92 58L96 76L104 90L105 72L114 '
    f'72L108 52L118 44L104 32L108 20L92 16L90 6L76 12L70 2Z" {HAIRY}/><path d="M50 54Q50 42 54 '
    f'34M66 52Q66 42 66 32M80 52Q80 42 76 34" {STRAND}/>{RING}',
    ("ribbon", "bow"): '<g transform="rotate(-18 92 24)"><path d="M92 24Q70 4 68 16Q66 38 92 '
    f'24Q118 38 116 14Q112 4 92 24Z" fill="{{ribbon}}" stroke="{INK}" stroke-width="1.5"/><circle '
    f'cx="92" cy="23" r="5" fill="{{ribbon}}" stroke="{INK}" stroke-width="1.5"/></g>',
    ("ears", "cat"): _both(
        f'<path d="M18 44Q12 12 20-8Q42 0 54 16Z" {HAIRY}/><path d="M24 34Q19 14 23 3Q36 8 44 '
        '18Z" fill="#ffb3bd"/>'
    ),
    ("glasses", "glasses"): _both(
        '<rect x="31" y="61" width="29" height="28" rx="10" fill="#fff" fill-opacity=".15" '
        'stroke="#7a1626" stroke-width="3.4"/><path d="M31 70L24 68" stroke="#7a1626" '
        'stroke-width="3"/>'
    ) + '<path d="M60 71Q64 68 68 71" fill="none" stroke="#7a1626" stroke-width="3"/>',
    ("band", "band"): '<path d="M22 44Q30 14 64 13Q98 14 106 44L101 46Q92 22 64 21Q36 22 27 '
    f'46Z" fill="{{ribbon}}" stroke="{INK}" stroke-width="1.2"/>',
}  # fmt: skip
"""SVG in units of half a pixel of the picture, with places for colors."""

ORDER = (
    ("back", -1, 0), ("body", 0, 0), ("clothes", 0, 0), ("face", 0, 0), ("blush", 3, 1),
    ("mouth", 3, 2), ("eyes", 3, 2), ("brows", 3, 2), ("ears", 0, 0), ("fringe", 1, 1),
    ("glasses", 3, 2), ("band", 1, 1), ("ribbon", 1, 0),
)  # fmt: skip
"""From back to front, with how many pixels of the canvas a part moves as the head turns."""


@functools.cache
def part(component: str, variant: str) -> Layer:
    """One part, rasterized when it is first asked for."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-MARGIN} {-MARGIN} {CANVAS} {CANVAS}">'
        f"{PARTS[component, variant]}</svg>"
    )
    return collage.layer(svg, ROLES, CANVAS, CANVAS)


Person = dict[str, Any]
"""What is decided about a face before it is drawn. A part is the name of its variant, or "" for
none; change one entry of a copy, and the rest of the picture stays as it is."""


def person(index: int, seed: int = 0) -> Person:
    """Decide who is on face ``index``; all things are independent of each other."""
    chances = Chances(seed, index)
    happens, one_of, number = chances.happens, chances.one_of, chances.number
    smiling, open_mouth = happens(0.5), happens(0.4)
    tone, gaze, closed = one_of(tuple(HAIR)), one_of(tuple(IRIS)), happens(0.1)
    return {
        "back": one_of(("long", "bob", "short", "tails"), (4, 3, 3, 2)),
        "fringe": one_of(("straight", "parted", "swept", "spiky")),
        "body": "body",
        "face": "face",
        "clothes": one_of(("sailor", "shirt", "collar")),
        "eyes": "closed" if closed else one_of(("round", "sharp", "droopy")),
        "mouth": one_of(MOUTHS[smiling, open_mouth]),
        "brows": one_of(("soft", "firm", "worried"), (3, 1, 1)),
        "blush": "blush" if happens(0.35) else "",
        "ears": "cat" if happens(0.14) else "",
        "glasses": "glasses" if happens(0.18) else "",
        "band": "band" if happens(0.16) else "",
        "ribbon": "bow" if happens(0.22) else "",
        "tone": tone,
        "gaze": gaze,
        "colors": {
            "hair": chances.color(HAIR[tone]),
            "iris": chances.color(IRIS[gaze]),
            "skin": chances.color(SKIN),
            "clothes": chances.any_color(30, 220, 0.8),
            "ribbon": chances.color(RIBBON),
        },
        "turn": number(-1, 1),
        "nod": number(-1, 1),
        "angle": number(-8, 8),
        "scale": number(0.92, 1.1),
        "shift": (number(-3, 3), number(-3, 3)),
        "mirrored": happens(0.5),
        "backdrop": (chances.any_color(120, 250, 0.7), chances.any_color(120, 250, 0.7), number()),
    }


MOUTHS = {  # by (Smiling, Mouth_Slightly_Open)
    (True, False): ("smile", "cat"),
    (True, True): ("laugh",),
    (False, False): ("flat", "pout"),
    (False, True): ("oh",),
}
COLUMNS = (
    *HAIR, *IRIS, "Bob_Cut", "Cat_Ears", "Closed_Eyes", "Eyeglasses", "Hair_Band", "Long_Hair",
    "Mouth_Slightly_Open", "Ribbon", "Rosy_Cheeks", "Smiling", "Spiky_Hair", "Twin_Tails",
)  # fmt: skip
"""The columns of the attribute table; those that CelebA has too bear its names."""


def attributes(who: Person) -> dict[str, int]:
    """The row of the attribute table that is true of a person: 1 or -1 for every column.

    An eye color is that of open eyes; long hair is loose hair that reaches the shoulders.
    """
    true = {
        "Bob_Cut": who["back"] == "bob",
        "Cat_Ears": who["ears"],
        "Closed_Eyes": who["eyes"] == "closed",
        "Eyeglasses": who["glasses"],
        "Hair_Band": who["band"],
        "Long_Hair": who["back"] == "long",
        "Mouth_Slightly_Open": who["mouth"] in ("laugh", "oh"),
        "Ribbon": who["ribbon"],
        "Rosy_Cheeks": who["blush"],
        "Smiling": who["mouth"] in ("smile", "cat", "laugh"),
        "Spiky_Hair": who["fringe"] == "spiky",
        "Twin_Tails": who["back"] == "tails",
        **{color: who["tone"] == color for color in HAIR},
        **{color: who["gaze"] == color and who["eyes"] != "closed" for color in IRIS},
    }
    return {column: 1 if true[column] else -1 for column in COLUMNS}


def picture(who: Person) -> NDArray[np.uint8]:
    """The face, uint8, shape (64, 64, 3)."""
    above, below, bend = who["backdrop"]
    y = np.linspace(0, 1, CANVAS, dtype=np.float32).reshape(1, CANVAS, 1)
    x = np.linspace(-bend, bend, CANVAS, dtype=np.float32)
    mix = np.clip(y + np.float32(0.5) * x, 0, 1)
    canvas: Pixels = above + (below - above) * mix
    for component, turns, nods in ORDER:
        if who[component]:
            x_by, y_by = round(turns * who["turn"]), round(nods * who["nod"])
            collage.put(canvas, part(component, who[component]), who["colors"], x_by, y_by)
    image, size = collage.to_image(canvas), (INSIDE, INSIDE)
    affine, smooth = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return np.asarray(image.transform(size, affine, _camera(who), smooth).reduce(2))


def _camera(who: Person) -> tuple[float, ...]:
    """Where on the canvas a pixel of the picture, at twice its size, is found."""
    # Rounded, so that the last bits of a machine's sine make no difference.
    angle = math.radians(who["angle"])
    cos, sin = round(math.cos(angle), 9) / who["scale"], round(math.sin(angle), 9) / who["scale"]
    a, d = (-cos, -sin) if who["mirrored"] else (cos, sin)
    b, e = (sin, cos) if who["mirrored"] else (-sin, cos)
    x, y = (INSIDE / 2 + by for by in who["shift"])
    return a, b, CANVAS / 2 - a * x - b * y, d, e, CANVAS / 2 - d * x - e * y
