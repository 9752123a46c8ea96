"""A generator to play with: what its controls say, as numbers, and the picture that follows.

:func:`helpers.widgets.playground` puts sliders in front of a :class:`Playground`, and
``tools/playground_page.py`` makes a page that does the same without Python; here stands what
both agree on. :func:`steps_figure` shows on paper what the sliders show on a screen.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from helpers import checks, files, latent, plotting
from helpers.named_directions import (
    Directions,
    as_code,
    as_directions,
    element,
    element_called,
    element_name,
)

if TYPE_CHECKING:
    import keras

Array = NDArray[np.float32]
Generator: TypeAlias = "keras.Model | latent.Draw"
Base = Literal["face", "mix", "sum"]
Path = Literal["straight", "spherical"]

FRAME_COLOURS = (plotting.FAKE_COLOUR, plotting.REAL_COLOUR, plotting.SCORE_COLOUR)
"""Of the faces on the sheet that are picked as A, B and C; told apart by their letters too."""


@dataclasses.dataclass
class Controls:
    """Where every control stands. Faces are counted from 0; the sheet shows them from 1."""

    base: Base = "face"
    face: int | None = None  # of the sheet; None: the one drawn at random
    pair: tuple[int, int] = (0, 1)
    share: float = 0.5  # of the second face of the pair
    path: Path = "spherical"
    terms: tuple[int, int, int] = (0, 1, 2)
    steps: dict[str, float] = dataclasses.field(default_factory=dict)
    usual_length: bool = False


class Playground:
    """A generator, a sheet of numbered faces, directions, and controls that say what to show.

    The code shown is a face (one of the sheet or another), a mix of two faces, or A − B + C; to
    that each direction is added as often as its control says.

    Args:
        generator: a network from z alone, or a function that draws codes (n, latent_dim).
        directions: vectors (latent_dim,) by their names; a step of 1 adds one once.
        elements: single elements of z, each another direction, named ``z[3]``.
        faces: how many on the sheet.
        start: the face to begin with; by default one drawn at random.
        seed: of the faces.
        latent_dim: how many numbers are in a code, where a function draws.

    Raises:
        ValueError: a generator that takes something else than z, a direction or start of the
            wrong size, an element that z does not have, fewer than three faces.
    """

    def __init__(
        self,
        generator: Generator,
        directions: Directions | None = None,
        *,
        elements: Sequence[int] = (),
        faces: int = 12,
        start: Any = None,
        seed: int = 0,
        latent_dim: int | None = None,
    ) -> None:
        self._generator, self.latent_dim = drawer(generator, latent_dim)
        self.directions = as_directions(directions or {}, self.latent_dim)
        for index in elements:
            self.directions[element_name(index)] = element(index, self.latent_dim)
        checks.whole("faces", faces)
        if faces < 3:
            raise ValueError(f"faces is {faces}; A − B + C needs three or more to pick from.")
        self._random = np.random.default_rng(seed)
        self._start = self._new() if start is None else as_code(start, self.latent_dim, "start")
        self.face = self._start
        self._deal(faces)
        self.controls = Controls()

    def _new(self, *n: int) -> Array:
        return self._random.normal(size=(*n, self.latent_dim)).astype(np.float32)

    def _deal(self, n: int) -> None:
        self.faces = self._new(n)
        self._pictures = self.draw(self.faces)

    def step(self, name: str, size: float) -> None:
        """Stand a direction's control, or that of any element (``z[3]``), at ``size``."""
        if name not in self.directions:
            self.directions[name] = element_called(name, self.latent_dim)
        self.controls.steps[name] = float(size)

    def random(self) -> None:
        """Show another face, drawn at random, with the directions as they stand."""
        self.face = self._new()
        self.controls.base, self.controls.face = "face", None

    def other_faces(self) -> None:
        """Draw all faces of the sheet anew."""
        self._deal(len(self.faces))

    def reset(self) -> None:
        """Stand everything as it was at first, except for the faces of the sheet."""
        self.face, self.controls = self._start, Controls()

    def base(self) -> Array:
        """The code before any direction is added."""
        c = self.controls
        if c.base == "mix":
            a, b = c.pair
            return mix(self.faces[a], self.faces[b], c.share, c.path)
        if c.base == "sum":
            return as_code(latent.analogy(*self.faces[list(c.terms)]), self.latent_dim)
        return self.face if c.face is None else self.faces[c.face]

    def z(self) -> Array:
        """The code that the controls ask for, shape (latent_dim,)."""
        z = self.base().astype(np.float64)
        for name, size in self.controls.steps.items():
            z += size * self.directions[name]
        if self.controls.usual_length and z.any():
            z = latent.on_shell(z)
        return z.astype(np.float32)

    def draw(self, z: Any) -> NDArray[np.uint8]:
        """The pictures of codes, uint8, shape (n, height, width, channels)."""
        return checked(self._generator(np.asarray(z, np.float32)))

    def picture(self) -> NDArray[np.uint8]:
        """The picture of :meth:`z`, uint8, shape (height, width, channels)."""
        return self.draw(self.z()[None])[0]

    def sheet(self) -> NDArray[np.uint8]:
        """The sheet of numbered faces, uint8; those picked have a frame and a letter."""
        c = self.controls
        picked = {"face": () if c.face is None else (c.face,), "mix": c.pair, "sum": c.terms}
        return numbered(self._pictures, picked[c.base])

    def description(self) -> str:
        """What is shown, in a line: the base, the steps that are not 0, and z's length."""
        c = self.controls
        a, b = (face + 1 for face in c.pair)
        parts = [
            {
                "face": "a random picture" if c.face is None else f"picture {c.face + 1}",
                "mix": f"{c.path} mix of {a} and {b}, {100 * c.share:.0f} % of {b}",
                "sum": "picture {} − {} + {}".format(*(i + 1 for i in c.terms)),
            }[c.base]
        ]
        parts += [f"{name} {signed(size)}" for name, size in c.steps.items() if size]
        length, usual = np.linalg.norm(self.z()), latent.shell(self.latent_dim).mean()
        return f"{', '.join(parts)}; length of z {length:.1f} (usual: {usual:.1f})"

    def save(self, folder: str | os.PathLike[str]) -> pathlib.Path:
        """Write the picture to the first free ``picture-001.png`` of a folder, z within it.

        :func:`load_z` reads z back, for ``start``.

        Raises:
            OSError: the folder cannot be written.
        """
        folder = pathlib.Path(folder)
        files.make_folder("folder for pictures", folder)
        number = 1
        while (file := folder / f"picture-{number:03}.png").exists():
            number += 1
        text = PngImagePlugin.PngInfo()
        text.add_text("z", json.dumps([float(x) for x in self.z()]))
        with files.whole(file) as new:
            image_of(self.picture()).save(new, "PNG", pnginfo=text)
        return files.place_of(file)


def load_z(file: str | os.PathLike[str]) -> Array:
    """The code in a picture that :meth:`Playground.save` wrote.

    Raises:
        ValueError: there is none in it.
    """
    with Image.open(file) as picture:
        text = getattr(picture, "text", {}).get("z")
    if text is None:
        raise ValueError(f"{file} has no z in it: only pictures saved in a playground do.")
    return np.asarray(json.loads(text), np.float32)


def mix(a: Array, b: Array, share: float, path: Path) -> Array:
    """A code between two others, on a straight or spherical path: a at share 0, b at share 1."""
    checks.choice("path", path, get_args(Path))
    (code,) = {"straight": latent.straight, "spherical": latent.spherical}[path](a, b, share)
    return cast("Array", code.astype(np.float32))


def drawer(generator: Generator, latent_dim: int | None = None) -> tuple[latent.Draw, int]:
    """A generator as a function of codes, and how many numbers are in a code.

    Raises:
        ValueError: a network that takes something else than z; a function without latent_dim.
    """
    if hasattr(generator, "inputs"):
        network = latent.Drawer(generator)
        return network, network.latent_dim
    latent_dim = latent_dim or getattr(generator, "latent_dim", None)
    if latent_dim is None:
        raise ValueError("say with latent_dim= how many numbers the function takes in a code.")
    checks.whole("latent_dim", latent_dim)
    return cast("latent.Draw", generator), latent_dim


def checked(images: Any) -> NDArray[np.uint8]:
    """Pictures as uint8.

    Raises:
        ValueError: another shape than (n, height, width, 1 or 3).
    """
    shape = np.shape(images)
    if len(shape) != 4 or shape[-1] not in (1, 3):
        raise ValueError(
            f"the generator makes {shape[1:]} of a code; a playground shows pictures of shape "
            "(height, width, 1) or (height, width, 3)."
        )
    return plotting.as_uint8(images)


def signed(number: float) -> str:
    """A number with its sign, as it is written by hand: +1.5, −0.3, 0."""
    return f"{number:+.3g}".replace("-", "−") if number else "0"


def image_of(picture: NDArray[np.uint8], least: int = 0) -> Image.Image:
    """A picture for Pillow, its pixels repeated until it is at least ``least`` wide."""
    image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
    factor = max(1, -(-least // image.width))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def numbered(images: Any, picked: Sequence[int] = (), columns: int = 6) -> NDArray[np.uint8]:
    """A sheet of pictures, counted from 1, with a letter and a frame on those picked, uint8.

    Args:
        images: uint8, shape (n, height, width, channels); made at least 64 wide.
        picked: which are A, B and so on; one alone gets a frame only.
        columns: pictures side by side.
    """
    drawn = []
    for i, image in enumerate(images):
        face = image_of(image, 64).convert("RGB")
        letters = [chr(ord("A") + k) for k, chosen in enumerate(picked) if chosen == i]
        label = f"{i + 1} {''.join(letters) if len(picked) > 1 else ''}".rstrip()
        colour = FRAME_COLOURS[list(picked).index(i)] if letters else None
        drawn.append(_labelled(face, label, colour))
    return plotting.tile(np.stack(drawn), columns, gap=6)


def _labelled(face: Image.Image, label: str, colour: str | None) -> NDArray[np.uint8]:
    """A picture under a strip with its label, in a frame if it has a colour."""
    strip, frame = 18, 4
    canvas = Image.new(
        "RGB", (face.width + 2 * frame, face.height + strip + 2 * frame), colour or "white"
    )
    canvas.paste(face, (frame, frame + strip))
    ImageDraw.Draw(canvas).text(
        (frame + 1, 2), label, fill="white" if colour else "black", font=ImageFont.load_default(15)
    )
    return np.asarray(canvas)


def steps_figure(
    generator: Generator,
    directions: Directions | None = None,
    *,
    elements: Sequence[int] = (),
    start: Any = None,
    steps: Sequence[float] = (-2, -1, 0, 1, 2),
    seed: int = 0,
    latent_dim: int | None = None,
    size: float = 0.9,
) -> Figure:
    """The playground on paper: a row for each direction and element, a column for each step.

    Args:
        generator: see :class:`Playground`, also for ``directions``, ``elements``, ``start``,
            ``seed`` and ``latent_dim``, which give the same face here as there.
        steps: how often each direction is added.
        size: of each picture, in inches.

    Raises:
        ValueError: as :class:`Playground` does; nothing to show.
    """
    play = Playground(
        generator, directions, elements=elements, start=start, seed=seed, latent_dim=latent_dim
    )
    if not play.directions:
        raise ValueError("there is nothing to show: give directions or elements.")
    z = [play.face + k * vector for vector in play.directions.values() for k in steps]
    images = play.draw(np.stack(z))
    rows, (height, width) = len(play.directions), images.shape[1:3]
    names = [name.replace("_", " ") for name in play.directions]
    left = 0.2 + 0.085 * max(map(len, names))  # inches: room for the names in 9 points
    wide, high = len(steps) * size, rows * size * height / width
    figure = Figure(figsize=(left + wide, high + 0.3))  # a layout engine would cut long names off
    axes = figure.add_axes((left / (left + wide), 0, wide / (left + wide), high / (high + 0.3)))
    axes.imshow(plotting.tile(images, len(steps)).squeeze(), cmap="gray", vmin=0, vmax=255)
    across = [i * (width + 2) + width / 2 for i in range(len(steps))]
    down = [i * (height + 2) + height / 2 for i in range(rows)]
    axes.set_xticks(across, [signed(k) for k in steps])
    axes.set_yticks(down, names)
    axes.tick_params(length=0, labelsize=9)
    axes.xaxis.tick_top()
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure
