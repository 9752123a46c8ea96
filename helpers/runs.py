"""What a lesson leaves behind in ``runs/<lesson>/``, for later lessons and for the reader."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from helpers._backend import keras

RUNS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "runs"


def run_folder(lesson: str, root: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Make ``runs/<lesson>``, where a lesson leaves what it made, and check it can be written.

    Args:
        lesson: the folder's name, as a rule the notebook's.
        root: another place than the repository's ``runs`` folder; by default the
            environment variable ``GAN_RUNS``, where it is set.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder = pathlib.Path(root or os.environ.get("GAN_RUNS") or RUNS_FOLDER) / lesson
    probe = folder / ".can-be-written"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"the run folder {folder} cannot be written ({error.strerror}). Free its place, "
            "give yourself the right to write there, or choose another root."
        ) from error
    return folder


def save_run(
    folder: pathlib.Path,
    generator: keras.Model,
    *,
    history: dict[str, list[float]],
    config: dict[str, Any],
    scores: dict[str, float] | None = None,
) -> None:
    """Leave a trained generator and its story in a run folder.

    Writes ``generator.keras``, ``history.json``, ``config.json`` and ``scores.json``, each
    whole or not at all: a crash half-way leaves the earlier file as it was.
    """
    save_network(folder / "generator.keras", generator)
    for name, content in {"history": history, "config": config, "scores": scores or {}}.items():
        write_json(folder / f"{name}.json", content)


def save_network(file: pathlib.Path, network: keras.Model) -> None:
    """Write a ``.keras`` file whole or not at all."""
    with whole(file) as new:
        network.save(new)


def write_json(file: pathlib.Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    with whole(file) as new:
        new.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


@contextlib.contextmanager
def whole(file: pathlib.Path) -> Iterator[pathlib.Path]:
    """A name beside ``file`` to write to; what is written there becomes ``file`` at the end.

    If writing fails, the earlier ``file`` stays as it was and nothing half-written stays.
    """
    new = file.with_name(f"new.{file.name}")
    try:
        yield new
        with new.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)
