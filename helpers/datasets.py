"""Find, verify, prepare and stream the pictures that the lessons train on."""

import difflib
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from helpers import checks, decoding, downloads, layouts, prepare, standins
from helpers.checks import DataError
from helpers.image_set import ImageSet, label_planes, to_float
from helpers.layouts import LOADERS, TRAINING_SHARE, Found
from helpers.readers import Pictures

if TYPE_CHECKING:
    from helpers.image_set import Images

__all__ = ["DataError", "Found", "ImageSet", "find", "grid", "label_planes", "load", "ring"]
__all__ += ["to_float"]

DATA_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data"
SHIPPED = ("mnist", "fashion_mnist")
REAL = {"fashion_mnist": "Fashion-MNIST", "emnist": "EMNIST", "celeba": "CelebA"}
REAL |= {"anime": "real anime faces"}
DRAWN_COUNT = 20_000


def load(
    name: str,
    *,
    image_size: int | tuple[int, int] | None = None,
    crop: int | None = None,
    labels: str | Sequence[str] | None = None,
    count: int | None = None,
    download: bool = False,
    path: str | os.PathLike[str] | None = None,
    drawn: bool = False,
    prepared: bool = True,
) -> ImageSet:
    """Find a data set by its name, verify it, prepare it, and say in one line what it is.

    Looked for in this order: ``path``; ``$GAN_DATA/<name>``; ``data/<name>``; the internet,
    if ``download=True``; and then what stands in for it: Fashion-MNIST's test split, which
    ships, or pictures drawn by :mod:`helpers.standins`. Real and drawn pictures are never
    mixed, and ``name``, ``origin`` and ``drawn`` of the result say which they are.

    Args:
        name: ``"mnist"``, ``"fashion_mnist"``, ``"emnist"``, ``"celeba"``, ``"anime"``, or
            ``"folder"``: pictures of your own, whose subfolders, if there are any, are classes.
        image_size: pixels of a side, or (height, width); None is the set's own size. What does
            not fit the shape is cut off on both sides alike.
        crop: cut out the central square of so many pixels first.
        labels: the classes to keep, in the set's own order, or the attributes.
        count: at most so many pictures, the first; of sets with a test split of their own the
            first of both parts, in proportion.
        download: fetch the real set if it is not there.
        path: a folder with the set's files, or a zip with its pictures.
        drawn: take the pictures drawn in its place, even where the real set is: the networks
            that ship were taught with those.
        prepared: whether to decode pictures into an array on disk (once, in ``data/cache``) or
            in every epoch anew, which is slow and needs no disk.

    Raises:
        DataError: no such set, label or folder; a file missing, damaged or with a wrong
            checksum; too little disk.
    """
    size = _checked(image_size, crop)
    # The first `count` pictures of some classes lie among more than `count` of all: draw all then.
    to_draw = count if labels is None or name in standins.FACES else None
    every = find(name, path=path, download=download, drawn=drawn, count=to_draw)
    found = _first(_chosen(every, labels), count)
    if isinstance(found.pictures, Pictures):
        stem = _cache_stem(name, found, labels)
        found, images = _decoded(found, stem, size, crop, count, prepared)
    else:
        images = _in_memory(found.pictures, size, crop)
    image_set = ImageSet(
        name=found.name,
        images=images,
        labels=found.labels,
        class_names=found.class_names,
        origin=found.origin,
        n_train=found.n_train or int(TRAINING_SHARE * len(images)),
        attributes=found.attributes,
        drawn=found.drawn,
    )
    print(*[image_set, *found.notes], sep=". ")
    return image_set


def find(
    name: str,
    *,
    path: str | os.PathLike[str] | None = None,
    download: bool = False,
    drawn: bool = False,
    count: int | None = None,
) -> Found:
    """Find a data set, and decode none of its pictures; see :func:`load` for the arguments."""
    if name not in LOADERS:
        raise DataError(_unknown("There is no data set", [name], LOADERS))
    if count is not None:
        checks.whole("count", count)
    if drawn and (path is not None or download):
        raise DataError(f"{name}: drawn=True takes no path= and no download=True. Leave one out.")
    place = None if drawn else _place(name, path, download)
    if place is None:
        place = DATA_FOLDER / "drawn" / name
        standins.draw(name, place, count or DRAWN_COUNT)
    try:
        found = LOADERS[name](place)
    except DataError as error:
        if place != DATA_FOLDER / name or name not in SHIPPED:
            raise
        mend = f"Or run `git checkout -- data/{name}` in the repository's folder."
        raise DataError(f"{error} {mend}") from error
    stands_in = found.drawn and not drawn
    if stands_in or (name == "fashion_mnist" and not layouts.is_whole(name, place)):
        found = replace(found, notes=(*found.notes, _how_to_get(name)))
    return found


def _place(name: str, path: str | os.PathLike[str] | None, download: bool) -> pathlib.Path | None:
    """The folder or zip of a data set; None if it has to be drawn."""
    if path is not None:
        place = pathlib.Path(path).expanduser()
        if not place.is_dir() and not (place.is_file() and name in ("celeba", "anime", "folder")):
            what = "a folder" if name in ("mnist", "fashion_mnist", "emnist") else "a folder or zip"
            raise DataError(f"{place} is not {what}. Give path= {what} with {name}'s files.")
        return place
    if name == "folder":
        raise DataError("Say where your pictures are: load('folder', path='…', image_size=64).")
    own = pathlib.Path(os.environ.get("GAN_DATA", "")).expanduser() / name
    if os.environ.get("GAN_DATA") and own.is_dir():
        return own
    place = DATA_FOLDER / name
    if download and not layouts.is_whole(name, place):
        downloads.download(name, place)
    return place if name in SHIPPED or layouts.is_whole(name, place) else None


def _how_to_get(name: str) -> str:
    what = "They stand in for" if name in standins.DRAWN else "This is only a part of"
    return (
        f"{what} {REAL[name]}; to have that, load({name!r}, download=True), or put its files "
        f"into data/{name} (see data/README.md)"
    )


def _chosen(found: Found, wanted: str | Sequence[str] | None) -> Found:
    """Only the pictures of the classes wanted, or only the attributes wanted."""
    if wanted is None:
        return found
    names = [str(w) for w in ([wanted] if isinstance(wanted, (str, int)) else wanted)]
    there = found.class_names if found.attributes is None else list(found.attributes.columns)
    unknown = [name for name in names if name not in there]
    if unknown or not names or not len(there):
        raise DataError(_unknown(f"{found.name} has no class or attribute", unknown, there))
    if found.attributes is not None:
        return replace(found, attributes=found.attributes[names])
    assert found.labels is not None
    classes = [i for i, name in enumerate(found.class_names) if name in names]
    kept = np.flatnonzero(np.isin(found.labels, classes))
    return replace(
        _at(found, kept),
        labels=np.searchsorted(classes, found.labels[kept]),
        class_names=tuple(found.class_names[i] for i in classes),
    )


def _first(found: Found, count: int | None) -> Found:
    """At most ``count`` pictures; those of the training and of the test part in proportion."""
    total = len(found.pictures)
    if count is None or count >= total or found.n_train is None:
        return found
    n_train = max(1, round(count * found.n_train / total))
    kept = np.r_[:n_train, found.n_train : found.n_train + count - n_train]
    return _at(found, kept)


def _at(found: Found, kept: NDArray[np.int64]) -> Found:
    """The pictures at these positions, with what belongs to them."""
    pictures = found.pictures
    return replace(
        found,
        pictures=pictures.choose(kept) if isinstance(pictures, Pictures) else pictures[kept],
        labels=None if found.labels is None else found.labels[kept],
        attributes=None if found.attributes is None else found.attributes.iloc[kept],
        n_train=None if found.n_train is None else int((kept < found.n_train).sum()),
    )


def _in_memory(
    images: NDArray[np.uint8], size: decoding.Size | None, crop: int | None
) -> NDArray[np.uint8]:
    full = images.shape[1:3]
    if crop and crop > min(full):
        raise DataError(
            f"crop={crop} is more than the pictures have: {full[0]} × {full[1]}. Give less, or "
            "leave it out."
        )
    size = size or ((crop, crop) if crop else full)
    return images if size == full and not crop else decoding.resized(images, size, crop)


def _decoded(
    found: Found,
    stem: str,
    size: decoding.Size | None,
    crop: int | None,
    count: int | None,
    prepared: bool,
) -> tuple[Found, "Images"]:
    """The pictures at the size wanted, and what is known of those that could be read."""
    pictures = found.pictures
    assert isinstance(pictures, Pictures)
    if crop:
        decoding.check_crop(pictures, crop)
    height, width = size = size or ((crop, crop) if crop else decoding.own_size(pictures))
    if not prepared:
        kept = np.arange(min(count or len(pictures), len(pictures)))
        found = _at(found, kept)
        return found, decoding.DecodedOnDemand(pictures.choose(kept), size, crop)
    file = DATA_FOLDER / "cache" / f"{stem}-{height}x{width}{f'-crop{crop}' if crop else ''}.npy"
    images, kept, skipped = prepare.prepared(pictures, file, size, crop=crop, count=count)
    found = _at(found, kept)
    if found.attributes is not None:
        prepare.keep_labels(file, found.attributes.to_numpy(), list(found.attributes.columns))
    elif found.labels is not None:
        prepare.keep_labels(file, found.labels, found.class_names)
    if skipped:
        note = f"{len(skipped):,} files could not be read and were skipped: "
        note += f"{decoding.listed(skipped)} (all are in {file.with_suffix('.json').name})"
        found = replace(found, notes=(*found.notes, note))
    return found, images


def _cache_stem(name: str, found: Found, wanted: str | Sequence[str] | None) -> str:
    """A name for the prepared array that no other pictures share."""
    parts = [name, "drawn"] if found.drawn else [name]
    key = ""
    if name == "folder":
        assert isinstance(found.pictures, Pictures)
        parts.append(re.sub(r"[^\w-]+", "_", found.name))
        key = str(found.pictures.place.resolve())
    if wanted is not None and found.attributes is None:
        key += "|".join(found.class_names)
    return "-".join([*parts, hashlib.sha256(key.encode()).hexdigest()[:8]] if key else parts)


def _checked(image_size: int | tuple[int, int] | None, crop: int | None) -> decoding.Size | None:
    """(height, width), after a look at what was asked for."""
    if crop is not None:
        checks.whole("crop", crop)
    if image_size is None:
        return None
    sides = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    for side in sides:
        checks.whole("image_size", side)
    if len(sides) != 2:
        raise ValueError(f"image_size is {image_size!r}; give one number, or (height, width).")
    return int(sides[0]), int(sides[1])


def _unknown(what: str, names: Sequence[str], there: Iterable[str]) -> str:
    """What there is, with what is spelled most like the name first."""
    there = list(there)
    near = [n for name in names for n in difflib.get_close_matches(name, there, 3, 0.5)]
    ordered = list(dict.fromkeys([*near, *there]))
    return f"{what} {', '.join(map(repr, names))}. There is: {', '.join(ordered) or 'none'}."


def ring(n: int, *, modes: int = 8, radius: float = 2.0, spread: float = 0.1, seed: int = 0) -> Any:
    """Points on a ring of Gaussians, the classic test for mode collapse.

    Returns:
        ``(points, centres)``: float32 arrays of shape (n, 2) and (``modes``, 2).
    """
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _gaussians_at(centres, n, spread, seed)


def grid(n: int, *, side: int = 3, radius: float = 2.0, spread: float = 0.1, seed: int = 0) -> Any:
    """Points on a ``side`` × ``side`` grid of Gaussians; returns what :func:`ring` returns."""
    ticks = np.linspace(-radius, radius, side)
    centres = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return _gaussians_at(centres, n, spread, seed)


def _gaussians_at(centres: NDArray[Any], n: int, spread: float, seed: int) -> Any:
    random = np.random.default_rng(seed)
    points = centres[random.integers(len(centres), size=n)] + spread * random.normal(size=(n, 2))
    return points.astype(np.float32), centres.astype(np.float32)
