"""Pictures put together from parts that were each rasterized once, and their random choices.

Rasterizing a whole SVG portrait takes 10 ms and more. A part (a mouth, a beard) looks the same
in every portrait but for its colors, so :func:`layer` rasterizes it once and finds out how
its pixels follow from the colors; :func:`put` then lays it over a picture in microseconds.

Only additions and multiplications touch pixels here, and only uniform random numbers are
drawn, so that every machine gets the same bytes.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers.checks import DataError

DRAWING = (
    '"dicebear-core>=10.7,<10.8" "dicebear-styles>=10.6,<10.7" "resvg-py>=0.5,<0.6" '
    '"Hershey-Fonts>=2.1"'
)
"""The packages that draw, with the ranges of requirements.txt."""

Pixels = NDArray[np.float32]
Color = Pixels
"""Red, green, blue from 0 to 255, float32, shape (3, 1, 1)."""


@dataclass(frozen=True)
class Layer:
    """A part on its canvas: how it covers what is below, and how its pixels follow from colors.

    Attributes:
        top, left: where its box of (height, width) pixels stands on the canvas.
        lets_through: float32 (height, width) from 0 to 1: how much is seen of what is below.
        own: float32 (3, height, width) from 0 to 255: what it adds whatever the colors.
        shares: for each role of a color, float32 (height, width): how much of it is added.
    """

    top: int
    left: int
    lets_through: Pixels
    own: Pixels
    shares: Mapping[str, Pixels]


def missing(package: str) -> DataError:
    """The error for a drawing package that is not installed."""
    return DataError(
        f"Drawing needs the package {package}, which is not installed. Install it with: "
        f"pip install {DRAWING}"
    )


def rasterize(svg: str, width: int, height: int) -> NDArray[np.uint8]:
    """An SVG text as uint8 pixels, shape (height, width, 4): red, green, blue, opacity."""
    try:
        import resvg_py
    except ImportError as error:
        raise missing("resvg-py") from error
    png = resvg_py.svg_to_bytes(svg_string=svg, width=width, height=height, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def layer(svg: str, roles: tuple[str, ...], width: int, height: int) -> Layer:
    """Rasterize an SVG in which ``{role}`` stands wherever a color is to be chosen later.

    Pixels are linear in each color: one picture with all colors black gives what does not
    depend on them, and one more per role, with that color white, gives its share.
    """
    used = [role for role in roles if "{" + role + "}" in svg]

    def premultiplied(white: str | None) -> tuple[Pixels, Pixels]:
        text = svg
        for role in used:
            text = text.replace("{" + role + "}", "#ffffff" if role == white else "#000000")
        rgba = rasterize(text, width, height).astype(np.float32).transpose(2, 0, 1)
        opacity = rgba[3] / np.float32(255)
        return rgba[:3] * opacity, opacity

    own, opacity = premultiplied(None)
    box = _box(opacity > 0)
    shares = {r: (premultiplied(r)[0] - own)[0][box].copy() / np.float32(255) for r in used}
    own, lets_through = own[(slice(None), *box)].copy(), (1 - opacity)[box].copy()
    return Layer(box[0].start, box[1].start, lets_through, own, shares)


def _box(covered: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest rectangle around all that is covered."""
    if not covered.any():
        raise ValueError("the part covers nothing of its canvas.")
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def put(canvas: Pixels, part: Layer, colors: Mapping[str, Color], x: int = 0, y: int = 0) -> None:
    """Lay a part over a picture, in place, moved by whole pixels; what falls outside is cut off.

    Args:
        canvas: float32 (3, height, width), 0 to 255.
        part: made for a canvas of the same size.
        colors: a color for every role of the part.
        x: pixels to the right.
        y: pixels down.
    """
    top, above, high = _overlap(part.top + y, part.own.shape[1], canvas.shape[1])
    left, before, wide = _overlap(part.left + x, part.own.shape[2], canvas.shape[2])
    there = canvas[:, top : top + high, left : left + wide]
    here = slice(above, above + high), slice(before, before + wide)
    there *= part.lets_through[here]
    there += part.own[(slice(None), *here)]
    for role, share in part.shares.items():
        there += share[here] * colors[role]


def to_image(canvas: Pixels) -> Image.Image:
    """A canvas as a picture; what is above 255 or below 0 is cut off, in place."""
    np.clip(canvas, 0, 255, out=canvas)
    return Image.merge("RGB", [Image.fromarray(plane) for plane in canvas.astype(np.uint8)])


def to_canvas(image: Image.Image) -> Pixels:
    """A picture as a canvas."""
    return np.stack([np.asarray(plane) for plane in image.split()]).astype(np.float32)


def _overlap(start: int, size: int, whole: int) -> tuple[int, int, int]:
    """Where a stretch begins on the canvas, how much is cut off before, how much is left."""
    first, last = max(start, 0), min(start + size, whole)
    return first, first - start, max(last - first, 0)


class Chances:
    """A picture's own random numbers, which follow from (seed, index) alone.

    All are uniform, because that stream is the same in every version of NumPy.
    """

    def __init__(self, seed: int, index: int) -> None:
        self._next = np.random.default_rng([seed, index]).random

    def number(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number from low to high."""
        return low + (high - low) * float(self._next())

    def happens(self, probability: float) -> bool:
        """True with that probability."""
        return float(self._next()) < probability

    def one_of(self, options: Sequence[Any], weights: Sequence[float] = ()) -> Any:
        """One of the options, equally likely or by weights."""
        at, reached = float(self._next()) * (sum(weights) or len(options)), 0.0
        for option, weight in zip(options, weights or [1] * len(options), strict=True):
            reached += weight
            if at < reached:
                return option
        return options[-1]

    def color(self, palette: Sequence[tuple[int, int, int]]) -> Color:
        """A color between two neighbors of a palette."""
        at = self.number(0, len(palette) - 1)
        i = min(int(at), len(palette) - 2)
        low, high = np.array(palette[i]), np.array(palette[i + 1])
        return (low + (high - low) * (at - i)).astype(np.float32).reshape(3, 1, 1)

    def any_color(self, low: float, high: float, saturation: float = 1.0) -> Color:
        """A color whose channels lie from low to high, drawn towards grey by low saturation."""
        color = np.array([self.number(low, high) for _ in "rgb"])
        grey = color.sum() / 3
        return (grey + saturation * (color - grey)).astype(np.float32).reshape(3, 1, 1)
