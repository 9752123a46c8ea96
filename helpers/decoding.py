"""From encoded bytes to arrays: one picture, or as many as are asked for."""

import concurrent.futures
import contextlib
import functools
import io
import pathlib
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from helpers.checks import DataError
from helpers.readers import Pictures
from helpers.waiting import cores

MOST_DAMAGED = 0.05
ROOM = 1.25  # a JPEG is decoded to no less than this, times the size needed
Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""
Box: TypeAlias = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""


def decode(content: bytes, size: Size, crop: int | None = None) -> NDArray[np.uint8]:
    """An encoded picture as uint8 of shape (height, width, 3).

    Cut out is the largest centred rectangle with the proportions of ``size``, of the centred
    square of ``crop`` × ``crop`` pixels if ``crop`` is given; it is resized with Pillow's
    bicubic filter, which widens when it shrinks and so does not alias (Parmar, Zhang and Zhu,
    "On Aliased Resizing", 2021, arXiv:2104.11222).

    Grey, palette, CMYK and 16-bit pictures become RGB; what is transparent becomes white; a
    camera's rotation mark is obeyed. A JPEG much larger than needed is decoded straight
    to a half, a quarter or an eighth of its size, which the format allows (never to less than
    ROOM times the size needed): that saves time and, for CelebA at 64×64, alters
    its values by 0.6 of 255 levels in the mean (at 32×32 by 1.3).

    Raises:
        Exception: of many kinds, from Pillow, if it is no picture or a damaged one.
    """
    with Image.open(io.BytesIO(content)) as opened:
        box = _box(_upright_size(opened), size, crop)
        if opened.format == "JPEG":
            times = max(1, int((box[2] - box[0]) / (size[1] * ROOM)))
            width = opened.width
            drafted = opened.draft(None, (width // times, opened.height // times))
            scale = drafted[1][2] / width if drafted else 1
            box = (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)
        picture = _to_rgb(ImageOps.exif_transpose(opened) if "exif" in opened.info else opened)
        return np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC, box=box))


def own_size(pictures: Pictures) -> Size:
    """(height, width) that all of up to 100 pictures, spread over the set, agree on.

    Raises:
        DataError: they differ, so that a size has to be chosen, or none can be read.
    """
    sizes: dict[Size, str] = {}
    for i in np.unique(np.linspace(0, len(pictures) - 1, 100).astype(int)):
        with contextlib.suppress(Exception), Image.open(io.BytesIO(pictures.read(i))) as opened:
            sizes.setdefault(_upright_size(opened), pictures.names[i])
    if not sizes:
        raise DataError(f"None of the files looked at in {pictures.place} is a picture.")
    if len(sizes) > 1:
        (first, name), (other, other_name) = list(sizes.items())[:2]
        raise DataError(
            f"The pictures in {pictures.place} differ in size ({name}: {first[0]}×{first[1]}, "
            f"{other_name}: {other[0]}×{other[1]}). Say which to make: image_size=64."
        )
    return next(iter(sizes))


def resized(images: NDArray[np.uint8], size: Size, crop: int | None = None) -> NDArray[np.uint8]:
    """Grey pictures (n, height, width, 1) at another size; cut out as by :func:`decode`."""
    box = _box(images.shape[1:3], size, crop)
    made = np.empty((len(images), *size, 1), np.uint8)
    for i, image in enumerate(images[..., 0]):
        picture = Image.fromarray(np.ascontiguousarray(image))
        picture = picture.resize(size[::-1], Image.Resampling.BICUBIC, box=box)
        made[i, ..., 0] = np.asarray(picture)
    return made


def check_crop(pictures: Pictures, crop: int) -> None:
    """Raise a DataError if ``crop`` is more than the whole of the first picture."""
    with contextlib.suppress(OSError), Image.open(io.BytesIO(pictures.read(0))) as opened:
        if crop > max(opened.size):
            raise DataError(
                f"crop is {crop}, but the pictures in {pictures.place} are "
                f"{opened.height}×{opened.width}; choose a smaller one."
            )


def _upright_size(picture: Image.Image) -> Size:
    turned = "exif" in picture.info and picture.getexif().get(0x0112, 1) >= 5
    return picture.size if turned else (picture.height, picture.width)


def _box(full: Size, size: Size, crop: int | None) -> Box:
    """(left, top, right, bottom) of what :func:`decode` cuts out."""
    height, width = (min(edge, crop) if crop else edge for edge in full)
    scale = min(height / size[0], width / size[1])
    left, top = (full[1] - size[1] * scale) / 2, (full[0] - size[0] * scale) / 2
    return left, top, left + size[1] * scale, top + size[0] * scale


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):  # 16 bits: Pillow would cut off all above 255
        levels = np.asarray(picture).astype(np.int64).clip(0, 65535)
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("a picture of floating-point numbers")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


class DecodedOnDemand:
    """Pictures that are decoded whenever they are indexed: no disk, little memory, slow.

    It has the shape, the length and the indexing of a uint8 array (n, height, width, 3); a
    slice is decoded no sooner than its own pictures are asked for. A damaged picture is
    replaced by the next good one, and noted in ``skipped`` (name: why).
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, pictures: Pictures, size: Size, crop: int | None = None):
        self.pictures, self.size, self.crop = pictures, size, crop
        self.shape = (len(pictures), *size, 3)
        self.skipped: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of them, in memory."""
        return self[np.arange(len(self))].astype(dtype or np.uint8, copy=False)

    def __getitem__(self, chosen: Any) -> Any:
        if isinstance(chosen, slice):
            kept = np.arange(len(self))[chosen]
            return DecodedOnDemand(self.pictures.choose(kept), self.size, self.crop)
        positions = np.arange(len(self))[chosen]
        images, _ = self.take(np.atleast_1d(positions))
        return images if np.ndim(positions) else images[0]

    def take(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The pictures at these positions, and the positions of those really given.

        Raises:
            DataError: more than 5 % of all pictures have turned out damaged.
        """
        made = list(pool().map(self._good_one, positions))
        return np.stack([image for image, _ in made]), np.array([i for _, i in made], np.int64)

    def _good_one(self, position: int) -> tuple[NDArray[np.uint8], int]:
        for step in range(len(self)):
            i = (int(position) + step) % len(self)
            name = self.pictures.names[i]
            if name not in self.skipped:
                image, why = decoded(self.pictures, self.size, self.crop, i)
                if image is not None:
                    return image, i
                self.skipped[name] = why
                check_damage(self.skipped, len(self), self.pictures.place)
        raise AssertionError("check_damage has raised before all pictures were skipped")


def check_damage(skipped: dict[str, str], total: int, place: pathlib.Path) -> None:
    """Raise a DataError if too many pictures were damaged to be chance."""
    if len(skipped) > MOST_DAMAGED * total:
        raise DataError(
            f"{len(skipped):,} of {total:,} files in {place} cannot be read as pictures, more "
            f"than {MOST_DAMAGED:.0%}: {listed(skipped)}. Remove those, or fetch the set again."
        )


def listed(skipped: dict[str, str], most: int = 5) -> str:
    """The first few damaged files with the reason of each."""
    some = [f"{name} ({why})" for name, why in list(skipped.items())[:most]]
    return "; ".join(some) + ("; …" if len(skipped) > most else "")


def decoded(
    pictures: Pictures, size: Size, crop: int | None, i: int
) -> tuple[NDArray[np.uint8] | None, str]:
    """A picture, or None and why it cannot be read: Pillow raises nearly any exception."""
    try:
        return decode(pictures.read(i), size, crop), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}".split("<_io")[0].strip()[:200]


@functools.cache
def pool() -> concurrent.futures.ThreadPoolExecutor:
    """Threads that decode, two for a core: Pillow lets the others run while it decodes."""
    return concurrent.futures.ThreadPoolExecutor(2 * cores(), thread_name_prefix="decode")
