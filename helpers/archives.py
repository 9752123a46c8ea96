"""Checkpoints as files: one archive of arrays, written whole or not at all, and the one before.

An archive is an ordinary ``.npz`` (an uncompressed zip of ``.npy`` files, each with its
checksum) with one JSON text among the arrays; nothing in it is pickled, so reading one runs no
code of whoever wrote it.
"""

import io
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from helpers import files

LAST, BEFORE = "checkpoint.npz", "checkpoint.before.npz"
_ARRAY = "in array"  # stands in the JSON text where an array stood

State = dict[str, Any]
"""Dictionaries, lists and JSON values, with NumPy arrays anywhere among them."""

Old = Literal["keep the last", "keep the one before", "keep none"]
"""Which of the two files may stay as the one before, when a new last one is written."""

EXTRAS = {"s3": "fsspec s3fs", "gs": "fsspec gcsfs", "gcs": "fsspec gcsfs"}


class DamagedError(Exception):
    """An archive that is not whole, or none; the text says what is wrong with it."""


def as_stored(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What an archive will have of JSON values: tuples, for instance, come back as lists.

    Raises:
        ValueError: one that is no JSON value.
    """
    try:
        stored: dict[str, Any] = json.loads(json.dumps(dict(values)))
    except TypeError as error:
        raise ValueError(
            f"{name}={dict(values)!r} cannot be stored: {error}. Give numbers and text."
        ) from error
    return stored


def pack(state: State) -> dict[str, NDArray[Any]]:
    """A state as named arrays, one of which is a JSON text.

    Raises:
        TypeError: something that is neither JSON nor an array of numbers.
    """
    arrays: dict[str, NDArray[Any]] = {}

    def packed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                raise TypeError("an array of Python objects would have to be pickled.")
            arrays[f"{len(arrays):05}"] = value
            return {_ARRAY: len(arrays) - 1, "dtype": value.dtype.name}
        if isinstance(value, dict):
            return {str(key): packed(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [packed(part) for part in value]
        return value.item() if isinstance(value, np.generic) else value

    text = json.dumps(packed(state), ensure_ascii=False)
    return {"json": np.frombuffer(text.encode(), np.uint8), **arrays}


def unpack(content: bytes) -> State:
    """The state in the bytes of an archive; tuples come back as lists.

    Raises:
        DamagedError: bytes are missing or changed, or it is no archive of ours.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        state = json.loads(arrays["json"].tobytes().decode())
        return {key: _unpacked(value, arrays) for key, value in state.items()}
    except Exception as error:  # one changed byte shows as anything; all bytes are here already
        size = f"{len(content):,} bytes"
        raise DamagedError(f"{size}, {error or 'cut short'}".replace("\n", " ")) from error


def _unpacked(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_unpacked(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY not in value:
        return {key: _unpacked(part, arrays) for key, part in value.items()}
    array = arrays[f"{value[_ARRAY]:05}"]
    # NumPy's files know no bfloat16 and the like: they come back as plain bytes.
    return array.view(np.dtype(value["dtype"])) if array.dtype.kind == "V" else array


class Place(Protocol):
    """A folder for the last checkpoint and the one before it."""

    def check(self) -> None:
        """Make the folder; raise an OSError, with the mend, unless it can be written."""

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None if there is no such file."""

    def write(self, state: State, old: Old) -> None:
        """Write the last checkpoint; ``old`` says what becomes of those until now.

        Whatever goes wrong, what could be read before can still be read.
        """


def place(folder: str | os.PathLike[str]) -> Place:
    """A folder of this machine, or with ``://`` in its name one that fsspec reaches."""
    text = os.fspath(folder)
    return _Remote(text) if "://" in text else _Local(pathlib.Path(text))


class _Local:
    """A folder on a disk, or a mounted one such as Google Drive in Colab."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def check(self) -> None:
        files.make_folder("checkpoint folder", self.folder)

    def read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, state: State, old: Old) -> None:
        new, last, before = (self.folder / name for name in (f"new.{LAST}", LAST, BEFORE))
        try:
            _write(new, state)
            if old == "keep the last" and last.exists():
                os.replace(last, before)
            os.replace(new, last)
        finally:
            new.unlink(missing_ok=True)
        if old == "keep none":
            before.unlink(missing_ok=True)


class _Remote:
    """A folder in a bucket (``s3://…``, ``gs://…``), or wherever else fsspec reaches."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            import fsspec

            self.system, self.path = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            needed = EXTRAS.get(url.split("://", maxsplit=1)[0], "fsspec")
            raise ImportError(
                f"{url} is reached through fsspec, which lacks something here ({error}). "
                f"Install it with: pip install {needed}"
            ) from error

    def __str__(self) -> str:
        return self.url

    def check(self) -> None:
        try:
            self.system.makedirs(self.path, exist_ok=True)
            self.system.pipe_file(f"{self.path}/{files.PROBE}", b"")
            self.system.rm_file(f"{self.path}/{files.PROBE}")
        except Exception as error:
            raise files.unwritable("checkpoint folder", self, error) from error

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self.system.cat_file(f"{self.path}/{name}"))
        except FileNotFoundError:
            return None

    def write(self, state: State, old: Old) -> None:
        last, before = (f"{self.path}/{name}" for name in (LAST, BEFORE))
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder) / LAST
            _write(whole, state)
            try:
                if old == "keep the last" and self.system.exists(last):
                    self.system.copy(last, before)
                self.system.put_file(str(whole), last)  # buckets show a file when it is whole
                if old == "keep none" and self.system.exists(before):
                    self.system.rm_file(before)
            except Exception as error:  # each system has errors of its own
                raise OSError(f"{type(error).__name__}: {error}") from error


def _write(file: pathlib.Path, state: State) -> None:
    """Write an archive and wait until it is on the disk."""
    arrays: Any = pack(state)
    with file.open("wb") as handle:
        np.savez(handle, **arrays)
        handle.flush()
        os.fsync(handle.fileno())


def newest(folder: Place) -> tuple[State, bool] | None:
    """The last good state, and whether the last file holds it; None if nothing was written.

    Raises:
        ValueError: there are files, but none is whole.
        OSError: there are files, but they cannot be read.
    """
    damaged = []
    for name in (LAST, BEFORE):
        content = folder.read(name)
        if content is None:
            continue
        try:
            state = unpack(content)
        except DamagedError as error:
            damaged.append(f"{name} is damaged ({error})")
            continue
        if damaged:
            print(f"{folder}: {damaged[0]}; continuing from the one before.")
        return state, not damaged
    if damaged:
        raise ValueError(
            f"{folder}: {'; '.join(damaged)}. No good checkpoint is left to continue from. "
            "Move the files away, or begin anew with resume=False, which replaces them."
        )
    return None
