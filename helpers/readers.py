"""Read the files that data sets come in: IDX, ``.npz``, pictures in a folder or zip, tables.

Nothing is decoded here but IDX and ``.npz``: :class:`Pictures` hands out the encoded bytes,
and :mod:`helpers.decoding` makes arrays of them.
"""

import functools
import gzip
import hashlib
import io
import os
import pathlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from helpers.checks import DataError

if TYPE_CHECKING:
    import pandas as pd

JUNK = {"Thumbs.db", "desktop.ini", "__MACOSX", "drawn.json"}
TABLES = ("list_attr_celeba.csv", "list_attr_celeba.txt", "attributes.csv")
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}

# What reading a damaged file raises: zip and gzip have errors of their own.
DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)


class Pictures:
    """Encoded pictures in a folder or in a zip, sorted by name; none is decoded yet.

    Attributes:
        place: the folder or the zip.
        names: paths inside it, with ``/`` on every system.
        stamps: int64, shape (n, 2): the size and, of a zip's entry, the CRC-32 of its
            content, of a file in a folder the time it was last changed (ns).
    """

    def __init__(self, place: pathlib.Path, names: Sequence[str], stamps: NDArray[np.int64]):
        self.place, self.names, self.stamps = place, tuple(names), stamps
        self._opened: tuple[int, zipfile.ZipFile] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: an open zip stays behind."""
        return {**self.__dict__, "_opened": None}

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of all names and stamps: cheap, because no picture is read for it.

        A zip's directory holds the CRC-32 of every entry, so a zip that was only moved or
        copied keeps its checksum. A folder's files are taken as changed if their times are.
        """
        names = "\n".join(self.names).encode("utf-8", "surrogateescape")
        return hashlib.sha256(names + np.ascontiguousarray(self.stamps).tobytes()).hexdigest()

    def read(self, i: int) -> bytes:
        """The encoded bytes of picture ``i``; may be called from several threads."""
        if self.place.is_dir():
            return (self.place / self.names[i]).read_bytes()
        # A process that was forked off shares the file's position with its parent.
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), open_zip(self.place))
        return self._opened[1].read(self.names[i])

    def choose(self, positions: NDArray[np.int64]) -> "Pictures":
        """These pictures alone, in this order."""
        return Pictures(self.place, [self.names[i] for i in positions], self.stamps[positions])

    def classes(self) -> tuple[tuple[str, ...], NDArray[np.int64]] | None:
        """Names of the subfolders and each picture's, or None if they are not in subfolders."""
        folders = [name.split("/")[:-1] for name in self.names]
        first, last = min(folders), max(folders)
        same = [a == b for a, b in zip(first, last, strict=False)]
        common = same.index(False) if False in same else len(same)
        if any(len(parts) == common for parts in folders):
            return None
        names, labels = np.unique([parts[common] for parts in folders], return_inverse=True)
        return tuple(map(str, names)), labels.astype(np.int64)


def pictures_in(place: pathlib.Path, *, within: str = "") -> Pictures:
    """All files of a folder (with its subfolders) or zip, but for hidden ones and tables.

    What is no picture is found when it is decoded. A zip in the folder goes before loose
    files; of several, the one named ``within`` or else the one with the most pictures.

    Args:
        place: a folder or a zip.
        within: if a folder of this name is in it, however deep, only files under that.

    Raises:
        DataError: nothing there, or a zip that is damaged or would leave its folder.
    """
    if place.is_dir():
        zips = sorted([*place.glob("*.zip"), *place.glob("*/*.zip")])
        found = [entries for file in zips if (entries := _zip_entries(file, within))]
        if found:
            named = [entries for entries in found if entries[0].stem == within]
            place, names, stamps = max(named or found, key=lambda entries: len(entries[1]))
            return Pictures(place, names, stamps)
        pairs = _below(_files(place), within)
        stats = [(place / name).stat() for name, _ in pairs]
        stamps = np.array([(s.st_size, s.st_mtime_ns) for s in stats], np.int64).reshape(-1, 2)
        names = [name for name, _ in pairs]
    else:
        _, names, stamps = _zip_entries(place, within) or (place, [], np.empty((0, 2), np.int64))
    if not any(pathlib.PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES for name in names):
        raise DataError(f"There are no pictures in {place}. Put them there, loose or as one zip.")
    return Pictures(place, names, stamps)


def open_zip(file: pathlib.Path) -> zipfile.ZipFile:
    """A zip opened for reading, after a look at its names.

    Raises:
        DataError: it is no whole zip, or an entry's name leads out of the folder.
    """
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGE as error:
        raise DataError(f"{file} {_what_it_is(file)} ({error}).") from error
    for name in archive.namelist():
        parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or (parts and (parts[0] == "/" or ":" in parts[0])):
            archive.close()
            raise DataError(
                f"{file} has an entry {name!r} that would leave the folder it is unpacked in. "
                "An honest archive has none: fetch it from another source."
            )
    return archive


def find_file(folder: pathlib.Path, name: str) -> tuple[pathlib.Path, bytes] | None:
    """A file's unpacked bytes, wherever in the folder it may be; None if it is not there.

    Looked for are ``name`` and ``name.gz`` in the folder, in its subfolders, and in zips in
    it (NIST serves EMNIST as ``gzip.zip``). MNIST's files go by two spellings, with ``-idx``
    and with ``.idx``.

    Raises:
        DataError: it is there and damaged.
    """
    names = [s + end for s in (name, name.replace("-idx", ".idx")) for end in (".gz", "")]
    for pattern in [*names, *(f"*/{name}" for name in names)]:
        for file in sorted(folder.glob(pattern)):
            if file.is_file():
                return file, _unpacked(file, file.read_bytes)
    for place in sorted(folder.glob("*.zip")):
        with open_zip(place) as archive:
            for entry in archive.namelist():
                if pathlib.PurePosixPath(entry).name in names:
                    inside = place / entry
                    return inside, _unpacked(inside, functools.partial(archive.read, entry))
    return None


def decode_idx(content: bytes, file: object = "it") -> NDArray[np.uint8]:
    """An array from the IDX format: two zero bytes, type 8, rank, sizes, then the values.

    Raises:
        DataError: it is another format, or its length is not what its head says.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{file} is damaged: it does not begin as an IDX file of bytes does.")
    rank = content[3]
    sizes = struct.unpack_from(f">{rank}I", content, 4)
    if len(content) != 4 + 4 * rank + int(np.prod(sizes, dtype=np.int64)):
        raise DataError(f"{file} is damaged: {len(content):,} bytes are not {sizes} and a head.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes)


def encode_idx(array: NDArray[np.uint8]) -> bytes:
    """The IDX file of an array of bytes."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + np.ascontiguousarray(array).tobytes()


def read_npz(file: pathlib.Path) -> list[NDArray[np.uint8]] | None:
    """``[x_train, y_train, x_test, y_test]`` of Keras' ``.npz``; None if it has no such arrays.

    Raises:
        DataError: it is damaged, or its values are no bytes.
    """
    keys = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if not set(keys) <= set(arrays):
                return None
            found = [arrays[key] for key in keys]
    except (*DAMAGE, ValueError) as error:
        raise DataError(f"{file} {_what_it_is(file)} ({error}).") from error
    if any(array.min(initial=0) < 0 or array.max(initial=0) > 255 for array in found):
        raise DataError(f"{file} has values outside 0 to 255; it is not Keras' file.")
    return [array.astype(np.uint8) for array in found]


def read_mapping(content: bytes, file: object) -> tuple[str, ...]:
    """Class names from EMNIST's mapping: a label, then the code of a character, in each line.

    Raises:
        DataError: it is something else.
    """
    try:
        codes = {int(label): int(code) for label, code in map(bytes.split, content.splitlines())}
        return tuple(chr(codes[label]) for label in range(len(codes)))
    except (ValueError, KeyError, OverflowError) as error:
        raise DataError(f"{file} is no mapping of labels to characters ({error!r}).") from error


def find_attributes(place: pathlib.Path) -> "pd.DataFrame | None":
    """The attribute table beside or among the pictures, or None.

    Args:
        place: the data set's folder (its subfolders are looked at too) or a zip.

    Returns:
        0 and 1 as uint8, a row for each picture's name (the index), a column an attribute.

    Raises:
        DataError: there is one, but it is damaged.
    """
    folder = place if place.is_dir() else place.parent
    for name in TABLES:
        for file in sorted([*folder.glob(name), *folder.glob(f"*/{name}")]):
            return read_attributes(file.read_bytes(), file)
    for file in sorted(folder.glob("*.zip")) if place.is_dir() else [place]:
        with open_zip(file) as archive:
            for entry in archive.namelist():
                if pathlib.PurePosixPath(entry).name in TABLES:
                    return read_attributes(archive.read(entry), file / entry)
    return None


def read_attributes(content: bytes, file: pathlib.Path) -> "pd.DataFrame":
    """CelebA's table, as Kaggle's ``.csv`` or as the authors' ``.txt``; see find_attributes."""
    import pandas as pd

    try:
        if file.suffix == ".csv":
            table = pd.read_csv(io.BytesIO(content), index_col=0)
        else:
            table = pd.read_csv(io.BytesIO(content), sep=r"\s+", skiprows=1, index_col=0)
            said = int(content.split(maxsplit=1)[0])
            if said != len(table):
                raise ValueError(f"it says {said:,} pictures and lists {len(table):,}")
    except (ValueError, IndexError) as error:
        raise DataError(f"{file} is no table of attributes: {error}. Fetch it again.") from error
    wrong = ~table.isin([-1, 0, 1]).all(axis=1)
    if table.empty or wrong.any():
        where = f"the row of {table.index[wrong][0]}" if wrong.any() else "it is empty"
        raise DataError(f"{file} is damaged: {where} is not all -1 and 1. Fetch it again.")
    if (again := _stems(table.index).duplicated()).any():
        raise DataError(f"{file} has two rows for {table.index[again][0]}.")
    return (table > 0).astype(np.uint8)


def rows_of(table: "pd.DataFrame", names: Iterable[str]) -> NDArray[np.int64]:
    """The table's row for each picture's name, -1 where it has none.

    Names are compared without folders and suffix, since CelebA is also passed on as PNG.
    """
    stems = [pathlib.PurePosixPath(name).stem for name in names]
    return _stems(table.index).get_indexer(stems).astype(np.int64)


def _stems(index: "pd.Index") -> "pd.Index":
    return index.astype(str).str.replace(r"\.\w+$", "", regex=True)


def _zip_entries(
    file: pathlib.Path, within: str
) -> tuple[pathlib.Path, list[str], NDArray[np.int64]] | None:
    """The zip, the names of its files and their stamps; None if no picture is among them."""
    with open_zip(file) as archive:
        infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    pairs = _below(sorted((name, name.split("/")) for name in infos), within)
    names = [name for name, _ in pairs]
    if not any(pathlib.PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES for name in names):
        return None
    stamps = [(infos[name].file_size, infos[name].CRC) for name in names]
    return file, names, np.array(stamps, np.int64).reshape(-1, 2)


def _files(folder: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """Every file below a folder, as a path relative to it and as that path's parts."""
    found = []
    for root, _, files in os.walk(folder):
        head = pathlib.Path(root).relative_to(folder).parts
        found += [[*head, file] for file in files]
    yield from sorted(("/".join(parts), parts) for parts in found)


def _below(files: Iterable[tuple[str, list[str]]], within: str) -> list[tuple[str, list[str]]]:
    """Without hidden files, tables, archives; only those under ``within``, if there are any."""
    kept = [
        (name, parts)
        for name, parts in files
        if not any(part.startswith(".") or part in JUNK for part in parts)
        and parts[-1] not in TABLES
        and not parts[-1].endswith((".zip", ".part"))
    ]
    return [pair for pair in kept if within in pair[1][:-1]] or kept


def _unpacked(file: pathlib.Path, read: Any) -> bytes:
    content = b""
    try:
        content = read()
        return gzip.decompress(content) if file.suffix == ".gz" else content
    except DAMAGE as error:
        page = " It is a web page, saved in the file's place." if _is_page(content) else ""
        raise DataError(f"{file} is damaged: {error}.{page}") from error


def _is_page(head: bytes) -> bool:
    return b"<html" in head[:512].lower() or b"<!doctype" in head[:512].lower()


def _what_it_is(file: pathlib.Path) -> str:
    """What a file that does not open as an archive seems to be, and the mend."""
    with file.open("rb") as opened:
        head = opened.read(512)
    if _is_page(head):
        return (
            "is a web page, not an archive: a log-in or quota page was saved in its place. "
            "Open the address in a browser and fetch the file itself"
        )
    if head.startswith(b"PK"):
        return f"is cut short or damaged, at {file.stat().st_size:,} bytes. Fetch it again"
    return "is no zip. Fetch it again"
