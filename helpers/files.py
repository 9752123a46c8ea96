"""Files that appear whole or not at all; of several workers the chief alone writes them.

Every file that our functions leave in a run folder goes through :func:`whole`. Workers that
train one model together run the same program, so each would write the same files to the same
places; what the others write goes to a folder of their own, which vanishes with the process.
"""

import contextlib
import functools
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

PROBE = ".can-be-written"


def is_chief() -> bool:
    """Whether this process writes files: of several workers the chief alone does.

    Raises:
        ValueError: a mistake in ``TF_CONFIG``.
    """
    config = tf_config()
    if not config:
        return True
    kind, index = task(config)
    return kind == "chief" or (index == 0 and "chief" not in config["cluster"])


def place_of(file: str | os.PathLike[str]) -> pathlib.Path:
    """Where this process writes a file: there, or if it is not the chief, somewhere of its own."""
    file = pathlib.Path(file)
    if is_chief():
        return file
    own = pathlib.Path(_thrown_away().name).joinpath(*file.absolute().parts[1:])
    own.parent.mkdir(parents=True, exist_ok=True)
    return own


@contextlib.contextmanager
def whole(file: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A name to write to; what is written there becomes ``file`` (its :func:`place_of`) at the end.

    If writing fails, the earlier ``file`` stays as it was and nothing half-written stays.
    """
    file = place_of(file)
    new = file.with_name(f"new.{file.name}")
    try:
        yield new
        with new.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)


def make_folder(what: str, folder: pathlib.Path) -> None:
    """Let the chief make a folder, unless there is one, and try whether it can be written.

    Raises:
        OSError: it cannot; see :func:`unwritable`.
    """
    if not is_chief():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROBE).touch()
        (folder / PROBE).unlink()
    except OSError as error:
        raise unwritable(what, folder, error) from error


def unwritable(what: str, folder: Any, error: Exception) -> OSError:
    """The error that names a folder that cannot be written, why, and the mend."""
    return OSError(
        f"the {what} {folder} cannot be written ({error}). Free its place, give yourself the "
        "right to write there, or choose another folder."
    )


def tf_config() -> Any:
    """What the environment variable ``TF_CONFIG`` says, checked; None if it is not set.

    Raises:
        ValueError: it does not say who takes part, or which one this is.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
        kind, index = task(config)
        if kind not in ("chief", "worker") or not config["cluster"][kind][index]:
            raise ValueError(f"there is no {kind} {index}")
        return config
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(
            f"the environment variable TF_CONFIG is {text!r}, in which "
            f"{type(error).__name__} ({error}) was found. It must look like "
            '{"cluster": {"worker": ["machine-0:2222", "machine-1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}.'
        ) from error


def task(config: Any) -> tuple[str, int]:
    """This process' part in a cluster: ``("chief", 0)`` or ``("worker", number)``."""
    return config["task"]["type"], int(config["task"]["index"])


@functools.cache
def _thrown_away() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="worker-")
