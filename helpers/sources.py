"""Where each real data set is to be had, on which terms, and how to place it by hand.

Addresses, sizes and checksums are those that torchvision, TensorFlow Datasets and Keras use.
"""

import gzip
import hashlib
import html
import os
import pathlib
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.layouts import FASHION_MNIST_FILES, MNIST_FILES

MAGIC = {".gz": b"\x1f\x8b", ".zip": b"PK\x03\x04", ".npz": b"PK\x03\x04"}
PICTURES = (".jpg", ".jpeg", ".png")
CHUNK = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """A file of a data set, and how a whole one is known.

    Attributes:
        name: what it is called in the set's folder.
        size: bytes, for the check of the disk where the server does not tell.
        sha256: of the file; of a ``.gz`` the unpacked bytes, because mirrors pack anew. Empty
            if the source may change it; then only its content is checked.
        pictures: the fewest pictures that a zip must hold.
        holds: names of other files that must be in the zip.
    """

    name: str
    size: int
    sha256: str = ""
    pictures: int = 0
    holds: tuple[str, ...] = ()

    def wrong(self, file: pathlib.Path) -> str:
        """What is wrong with a file, in words; nothing if it is whole."""
        if not file.is_file():
            return "nothing"
        with file.open("rb") as opened:
            head = opened.read(CHUNK)
        if head.lstrip()[:20].lower().startswith((b"<!doctype html", b"<html")):
            return page_says(head.decode("utf-8", "replace"))
        suffix = pathlib.PurePath(self.name).suffix
        if not head.startswith(MAGIC.get(suffix, b"")):
            return f"no {suffix} file (it begins with {head[:8]!r})"
        try:
            found = _sha256(gzip.open if suffix == ".gz" else open, file) if self.sha256 else ""
            names = _names(file) if suffix == ".zip" else []
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            return f"a damaged file ({error})"
        if found != self.sha256:
            return f"a wrong checksum (SHA-256 {found[:12]}…, expected {self.sha256[:12]}…)"
        pictures = sum(name.lower().endswith(PICTURES) for name in names)
        if pictures < self.pictures:
            return f"a zip with {pictures:,} pictures (expected {self.pictures:,} or more)"
        missing = set(self.holds) - {pathlib.PurePosixPath(name).name for name in names}
        return f"a zip without {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class Source:
    """A place to fetch a whole set from.

    Attributes:
        label: what the reader calls it.
        files: each file with its address; or, empty, and instead
        kaggle: the set's handle for the package ``kagglehub``, and
        room: the bytes that it needs on the disk, packed and unpacked.
    """

    label: str
    files: tuple[tuple[Wanted, str], ...] = ()
    kaggle: str = ""
    room: int = 0


def _mirror(label: str, base: str, wanted: tuple[Wanted, ...]) -> Source:
    return Source(label, tuple((file, base + file.name) for file in wanted))


def _drive(file_id: str) -> str:
    return f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t"


def _idx(sha256_of: dict[str, str], *sizes: int) -> tuple[Wanted, ...]:
    files = zip(sha256_of.items(), sizes, strict=True)
    return tuple(Wanted(f"{name}.gz", size, sha256) for (name, sha256), size in files)


_MNIST = _idx(MNIST_FILES, 9_912_422, 28_881, 1_648_877, 4_542)
_FASHION = _idx(FASHION_MNIST_FILES, 26_421_880, 29_515, 4_422_102, 5_148)
_MNIST_NPZ = Wanted(
    "mnist.npz", 11_490_434, "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
)
_EMNIST = Wanted(
    "gzip.zip", 561_753_746, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"
)
# Western Sydney University, the authors' own, packed the same files into another zip.
_EMNIST_AUTHORS = Wanted(
    "gzip.zip", 561_753_746, "909a2a39c5e86bdd7662425e9b9c4a49bb582bf8d0edad427f3c3a9d0c6f7259"
)
_CELEBA = Wanted(
    "img_align_celeba.zip",
    1_443_490_838,
    "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
    pictures=202_599,
)
_CELEBA_ATTRIBUTES = Wanted(
    "list_attr_celeba.txt",
    26_721_026,
    "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
)
_CELEBA_KAGGLE = Wanted(
    "img_align_celeba.zip", 1_450_000_000, pictures=202_599, holds=("list_attr_celeba.csv",)
)
_ANIME = Wanted("anime-faces.zip", 415_000_000, pictures=60_000)
_GOOGLE = "https://storage.googleapis.com"
_KAGGLE = "https://www.kaggle.com/api/v1/datasets/download"

SOURCES: dict[str, tuple[Source, ...]] = {
    "mnist": (
        _mirror("Google's CVDF store", f"{_GOOGLE}/cvdf-datasets/mnist/", _MNIST),
        _mirror("PyTorch's store", "https://ossci-datasets.s3.amazonaws.com/mnist/", _MNIST),
        _mirror("Keras' store", f"{_GOOGLE}/tensorflow/tf-keras-datasets/", (_MNIST_NPZ,)),
    ),
    "fashion_mnist": (
        _mirror("Keras' store", f"{_GOOGLE}/tensorflow/tf-keras-datasets/", _FASHION),
        _mirror("Zalando's store",
                "https://fashion-mnist.s3.eu-central-1.amazonaws.com/", _FASHION),
        _mirror("Zalando's repository", "https://raw.githubusercontent.com/zalandoresearch/"
                "fashion-mnist/master/data/fashion/", _FASHION),
    ),
    "emnist": (
        _mirror("NIST", "https://biometrics.nist.gov/cs_links/EMNIST/", (_EMNIST,)),
        _mirror("NIST's old address", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
                (_EMNIST,)),
        Source("the authors' university", ((_EMNIST_AUTHORS,
               "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip"),)),
    ),
    "celeba": (
        Source("the authors' Google Drive", (
            (_CELEBA_ATTRIBUTES, _drive("0B7EVK8r0v71pblRyaVFSWGxPY0U")),
            (_CELEBA, _drive("0B7EVK8r0v71pZjFTYXZWM3FlRnM")))),
        Source("Kaggle", ((_CELEBA_KAGGLE, f"{_KAGGLE}/jessicali9530/celeba-dataset"),)),
        Source("Kaggle, through kagglehub", kaggle="jessicali9530/celeba-dataset",
               room=3_000_000_000),
    ),
    "anime": (
        Source("the author's Google Drive",
               ((_ANIME, _drive("1HG7YnakUkjaxtNMclbl2t5sJwGLcHYsI")),)),
        Source("Kaggle", ((_ANIME, f"{_KAGGLE}/splcher/animefacedataset"),)),
        Source("Kaggle, through kagglehub", kaggle="splcher/animefacedataset",
               room=850_000_000),
    ),
}  # fmt: skip

TERMS = {
    "celeba": "CelebA is for non-commercial research only, and must not be passed on: "
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    "anime": "The anime faces are cut from cover pictures whose rights their artists and "
    "publishers hold; the collector offers them for educational purposes only, so do not "
    "publish or pass on the pictures: https://github.com/bchao1/Anime-Face-Dataset",
}

BY_HAND = {
    "mnist": "put the four files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
    "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz into {folder}, or the one file "
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "fashion_mnist": "take the four files train-images-idx3-ubyte.gz, "
    "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz from "
    "https://github.com/zalandoresearch/fashion-mnist/tree/master/data/fashion and put them "
    "into {folder}",
    "emnist": "open https://www.nist.gov/itl/products-and-services/emnist-dataset in a browser, "
    "choose the dataset in binary format, and put gzip.zip, as it is, into {folder}",
    "celeba": "open https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html in a browser and put "
    "img_align_celeba.zip (or its unpacked folder img_align_celeba) and list_attr_celeba.txt "
    "into {folder}; or put the zip of "
    "https://www.kaggle.com/datasets/jessicali9530/celeba-dataset there, as it is",
    "anime": "open https://www.kaggle.com/datasets/splcher/animefacedataset in a browser and "
    "put its zip, as it is, or its unpacked pictures into {folder}",
}


def by_hand(name: str, folder: str | os.PathLike[str]) -> str:
    """How to place the real set by hand: what to take, under which names, in which folder."""
    return BY_HAND[name].format(folder=os.fspath(folder))


def _names(file: pathlib.Path) -> list[str]:
    with zipfile.ZipFile(file) as packed:
        return packed.namelist()


def _sha256(opener: Callable[..., Any], file: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with opener(file, "rb") as opened:
        while block := opened.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def page_says(page: str) -> str:
    """What a page of HTML that came instead of a file is about."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.I | re.S)
    called = f' ("{html.unescape(title[1]).strip()[:80]}")' if title else ""
    if re.search(r"quota exceeded|too many users have viewed or downloaded", page, re.I):
        return f"a page that says the download quota is used up{called}; try again in 24 hours"
    if re.search(r"virus scan warning", page, re.I):
        return f"a page that asks to confirm the download, in a form we cannot answer{called}"
    if re.search(r"sign in|log ?in|type=.?password", page, re.I):
        return f"a log-in page instead of the file{called}"
    return f"a web page instead of the file{called}"
