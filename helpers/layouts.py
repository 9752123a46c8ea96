"""The files of each data set, as its authors publish them: found, verified, read."""

import hashlib
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from helpers import readers
from helpers.checks import DataError

if TYPE_CHECKING:
    import pandas as pd

TRAINING_SHARE = 0.8  # of sets that come without a split of their own, in file order

# The four files of a set in the order train, test; the SHA-256 is of the unpacked bytes, so
# that the authors' own .gz files and unpacked ones are as good as those that ship.
MNIST_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION_MNIST_FILES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FASHION_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
EMNIST_NAMES = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")


@dataclass(frozen=True)
class Found:
    """A data set as it was found, before its pictures are made the size that is wanted.

    Attributes:
        name, origin, labels, class_names, attributes, drawn: see :class:`ImageSet`.
        pictures: uint8 arrays (n, height, width, 1), or encoded pictures.
        n_train: how many are for training, where the set itself says so.
        notes: what a learner should know: pictures left out, what it stands in for.
    """

    name: str
    origin: str
    pictures: "NDArray[np.uint8] | readers.Pictures" = field(repr=False)
    labels: NDArray[np.int64] | None = field(default=None, repr=False)
    class_names: tuple[str, ...] = ()
    attributes: "pd.DataFrame | None" = field(default=None, repr=False)
    drawn: bool = False
    n_train: int | None = None
    notes: tuple[str, ...] = ()


def load_mnist(folder: pathlib.Path) -> Found:
    """MNIST: 60,000 training and 10,000 test digits, 28×28×1 (LeCun, Cortes, Burges, 1998)."""
    arrays = _verified(folder, MNIST_FILES)
    return _labelled(folder, "MNIST", arrays, tuple("0123456789"))


def load_fashion_mnist(folder: pathlib.Path) -> Found:
    """Fashion-MNIST: 60,000 + 10,000 pieces of clothing, 28×28×1 (Xiao, Rasul, Vollgraf, 2017).

    arXiv:1708.07747. What ships is the test split alone; it is divided anew, 80 to 20.
    """
    if is_whole("fashion_mnist", folder):
        arrays = _verified(folder, FASHION_MNIST_FILES)
        return _labelled(folder, "Fashion-MNIST", arrays, FASHION_NAMES)
    tests = {n: sha for n, sha in FASHION_MNIST_FILES.items() if n.startswith("t10k")}
    images, labels = _verified(folder, tests)
    cut = int(TRAINING_SHARE * len(images))
    arrays = [images[:cut], labels[:cut], images[cut:], labels[cut:]]
    return _labelled(folder, "Fashion-MNIST's test split", arrays, FASHION_NAMES)


def load_emnist(folder: pathlib.Path) -> Found:
    """EMNIST Balanced: 112,800 + 18,800 characters of 47 classes (Cohen et al., 2017).

    arXiv:1702.05373. The official files hold every picture transposed; here it is upright.
    """
    parts = ("train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1")
    arrays = [_idx(folder, f"emnist-balanced-{part}-ubyte") for part in parts]
    mapping = readers.find_file(folder, "emnist-balanced-mapping.txt")
    names = readers.read_mapping(mapping[1], mapping[0]) if mapping else EMNIST_NAMES
    arrays[::2] = [images.swapaxes(1, 2) for images in arrays[::2]]
    drawn = is_drawn(folder)
    found = _labelled(folder, "pen-drawn characters" if drawn else "EMNIST", arrays, names)
    return replace(found, drawn=drawn)


def load_celeba(place: pathlib.Path) -> Found:
    """CelebA, aligned: 202,599 faces, 178×218, 40 attributes (Liu et al., 2015).

    "Deep Learning Face Attributes in the Wild", arXiv:1411.7766. Any part of it will do, as the
    authors' zip or unpacked, with or without the table of attributes.
    """
    drawn = is_drawn(place)
    return _with_attributes(place, "generated avatars" if drawn else "CelebA", "img_align_celeba")


def load_anime(place: pathlib.Path) -> Found:
    """Anime faces: one folder or zip of pictures of any size, with or without attributes."""
    drawn = is_drawn(place)
    return _with_attributes(place, "generated anime faces" if drawn else "anime faces", "")


def load_folder(place: pathlib.Path) -> Found:
    """Pictures of the reader's own; if all are in subfolders, these are the classes.

    With classes, the pictures come in an order that mixes them (by a hash of their names), so
    that training and test parts have some of each.
    """
    pictures = readers.pictures_in(place)
    classes = pictures.classes()
    found = Found(name=place.stem, origin=_origin(place), pictures=pictures)
    if classes is None:
        return found
    keys = [hashlib.sha256(name.encode()).digest() for name in pictures.names]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    return replace(
        found, pictures=pictures.choose(order), labels=classes[1][order], class_names=classes[0]
    )


LOADERS: dict[str, Callable[[pathlib.Path], Found]] = {
    "mnist": load_mnist,
    "fashion_mnist": load_fashion_mnist,
    "emnist": load_emnist,
    "celeba": load_celeba,
    "anime": load_anime,
    "folder": load_folder,
}


def is_drawn(place: pathlib.Path) -> bool:
    """Whether a folder holds pictures that were drawn in place of the real ones."""
    return (place / "drawn.json").exists()


def is_whole(name: str, folder: pathlib.Path) -> bool:
    """Whether a folder holds the data set, and not nothing or only Fashion-MNIST's test split."""
    if not folder.is_dir():
        return False
    files = [f for f in [*folder.glob("*"), *folder.glob("*/*")] if not f.name.startswith(".")]
    if name == "fashion_mnist":
        files = [f for f in files if f.name.startswith("train-") or f.suffix in (".npz", ".zip")]
    return any(file.is_file() for file in files)


def _with_attributes(place: pathlib.Path, name: str, within: str) -> Found:
    """Encoded pictures, and those attributes that there are."""
    pictures = readers.pictures_in(place, within=within)
    found = Found(name, _origin(place), pictures, drawn=is_drawn(place))
    table = readers.find_attributes(place)
    if table is None:
        return found
    rows = readers.rows_of(table, pictures.names)
    known = np.flatnonzero(rows >= 0)
    if not len(known):
        raise DataError(
            f"The table of attributes in {place} names none of the pictures: it begins with "
            f"{table.index[0]}, they with {pictures.names[0]}. Take it away, or fetch its own."
        )
    left_out = len(pictures) - len(known)
    note = f"{left_out:,} pictures that have no attributes are left out"
    return replace(
        found,
        pictures=pictures.choose(known) if left_out else pictures,
        attributes=table.iloc[rows[known]],
        notes=(note,) if left_out else (),
    )


def _labelled(
    folder: pathlib.Path, name: str, arrays: list[NDArray[np.uint8]], names: tuple[str, ...]
) -> Found:
    """Grey pictures in memory: training pictures and labels, test pictures and labels."""
    train_x, train_y, test_x, test_y = arrays
    for x, y in ((train_x, train_y), (test_x, test_y)):
        if x.ndim != 3 or len(x) != len(y) or not len(x) or y.max() >= len(names):
            raise DataError(
                f"The files in {folder} do not belong together: pictures {x.shape}, labels "
                f"{y.shape} up to {y.max(initial=0)}, {len(names)} classes. Fetch them again."
            )
    return Found(
        name=name,
        origin=_origin(folder),
        pictures=np.concatenate([train_x, test_x])[..., np.newaxis],
        labels=np.concatenate([train_y, test_y]).astype(np.int64),
        class_names=names,
        n_train=len(train_x),
    )


def _verified(folder: pathlib.Path, checksums: Mapping[str, str]) -> list[NDArray[np.uint8]]:
    """The arrays of IDX files, or of Keras' ``.npz``, with the checksums of the IDX files."""
    arrays = None
    if not any(readers.find_file(folder, name) for name in checksums):
        arrays = next(filter(None, map(readers.read_npz, sorted(folder.glob("*.npz")))), None)
    arrays = arrays or [_idx(folder, name) for name in checksums]
    for array, (name, sha256) in zip(arrays, checksums.items(), strict=True):
        found = hashlib.sha256(readers.encode_idx(array)).hexdigest()
        if found != sha256:
            file = (readers.find_file(folder, name) or [folder / name])[0]
            raise DataError(
                f"{file} has a wrong checksum: SHA-256 {found[:12]}…, expected "
                f"{sha256[:12]}… (of {array.nbytes:,} values). Put the authors' own there."
            )
    return arrays


def _idx(folder: pathlib.Path, name: str) -> NDArray[np.uint8]:
    found = readers.find_file(folder, name)
    if found is None:
        raise DataError(f"{folder / name}.gz is missing. Put the authors' own there.")
    return readers.decode_idx(found[1], found[0])


def _origin(place: pathlib.Path) -> str:
    place = place.resolve()
    return f"{place.parent.name}/{place.name}"
