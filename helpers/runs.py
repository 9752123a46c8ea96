"""What a lesson leaves behind in ``runs/<lesson>/``, for later lessons and for the reader."""

import json
import os
import pathlib
from typing import Any

from helpers import files
from helpers._backend import keras

RUNS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "runs"


def run_folder(lesson: str, root: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Make ``runs/<lesson>``, where a lesson leaves what it made, and check it can be written.

    Of several workers only the chief makes it and writes to it (see :mod:`helpers.files`): what
    a lesson writes there by itself, it writes if :func:`helpers.runtime.is_chief`.

    Args:
        lesson: the folder's name, as a rule the notebook's.
        root: another place than the repository's ``runs`` folder; by default the
            environment variable ``GAN_RUNS``, where it is set.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder = pathlib.Path(root or os.environ.get("GAN_RUNS") or RUNS_FOLDER) / lesson
    files.make_folder("run folder", folder)
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
    with files.whole(file) as new:
        network.save(new)


def write_json(file: pathlib.Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    with files.whole(file) as new:
        new.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
