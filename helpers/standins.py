"""Data sets that are drawn, for where the real ones are not to be had.

They come in the files, layouts and names of the real ones, with attributes that are true of
every picture. A seed and an index give the same picture on every machine.

- ``celeba``: portraits, 178×218, 18 of CelebA's attributes; ToonHead by Johan Melin, CC BY 4.0,
  with changes; see :mod:`helpers.portraits`
- ``anime``: anime faces, 64×64, 26 attributes; parts of our own; see :mod:`helpers.anime`
- ``emnist``: characters of EMNIST's 47 classes, 28×28, of Hershey's fonts; see
  :mod:`helpers.characters`
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Generator, Iterator
from types import ModuleType
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from helpers import anime, checks, collage, portraits
from helpers.checks import DataError
from helpers.waiting import Progress, alone, cores

DRAWN = ("celeba", "anime", "emnist")
VERSION = 1
"""To be raised when the same seed and index give another picture than before."""

FACES: dict[str, ModuleType] = {"celeba": portraits, "anime": anime}
ARCHIVE = {"celeba": "img_align_celeba.zip", "anime": "anime-faces.zip"}
INSIDE = {"celeba": "img_align_celeba", "anime": "images"}
TABLE = {"celeba": "list_attr_celeba.csv", "anime": "attributes.csv"}
NEEDS = {  # modules, and the packages that bring them
    "celeba": {
        "dicebear": "dicebear-core",
        "dicebear_styles": "dicebear-styles",
        "resvg_py": "resvg-py",
    },
    "anime": {"resvg_py": "resvg-py"},
    "emnist": {"HersheyFonts": "Hershey-Fonts"},
}
JPEG: dict[str, dict[str, Any]] = {
    "celeba": {"quality": 95},
    "anime": {"quality": 95, "subsampling": 0},  # colors of single pixels matter here
}
CHUNK = 100
"""So many pictures a worker draws before it hands them over."""
BYTES = {"celeba": 12_000, "anime": 5_000, "emnist": 600}
"""What a picture takes on disk at most, on average."""


def face(index: int, seed: int = 0) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Portrait ``index``: uint8 pixels (218, 178, 3), and CelebA's attributes as 1 or -1."""
    who = portraits.person(index, seed)
    return portraits.picture(who), portraits.attributes(who)


def anime_face(index: int, seed: int = 0) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Anime face ``index``: uint8 pixels (64, 64, 3), and its attributes as 1 or -1."""
    who = anime.person(index, seed)
    return anime.picture(who), anime.attributes(who)


def draw(name: str, folder: str | os.PathLike[str], count: int, *, seed: int = 0) -> None:
    """Draw a data set into a folder, in the layout of the real one; what is there is kept.

    ``celeba``: ``img_align_celeba.zip`` with ``img_align_celeba/000001.jpg`` and so on, and
    ``list_attr_celeba.csv``. ``anime``: ``anime-faces.zip`` and ``attributes.csv``. ``emnist``:
    the official files of EMNIST Balanced. Last comes ``drawn.json``, which says what was drawn;
    without it nothing in the folder is whole. Picture i depends on ``seed`` and i alone, so
    that a larger set begins with the smaller one.

    Args:
        name: one of ``DRAWN``.
        folder: made if it is missing.
        count: how many pictures (of ``emnist``: for training). If there are as many or more of
            the same seed already, nothing is done.
        seed: a whole number, 0 or more.

    Raises:
        DataError: no such set, a package missing, a folder that cannot be written, a full disk.
        ValueError: ``count`` or ``seed`` is no such number.
    """
    _check(name, count, seed)
    folder = pathlib.Path(folder).expanduser().resolve()
    if _is_drawn(name, folder, count, seed):
        return
    _check_packages(name)
    with _writing(name, folder, count) as unfinished:
        if _is_drawn(name, folder, count, seed):
            return  # by another process, while this one waited
        if name == "emnist":
            from helpers import characters

            characters.draw(unfinished, count, seed=seed)
        else:
            progress = Progress(f"drawing {name}", count)
            _draw_faces(name, unfinished, count, seed, progress)
            progress.end()
        _put_in_place(unfinished, folder, _description(name, count, seed))


def _check(name: str, count: int, seed: int) -> None:
    if name not in DRAWN:
        raise DataError(f"There is no drawn set {name!r}. There is: {', '.join(DRAWN)}.")
    checks.whole("count", count)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number, 0 or more.")


def _check_packages(name: str) -> None:
    for module, package in NEEDS[name].items():
        if importlib.util.find_spec(module) is None:
            raise collage.missing(package)


def _is_drawn(name: str, folder: pathlib.Path, count: int, seed: int) -> bool:
    try:
        there = json.loads((folder / "drawn.json").read_text("utf-8"))
        same = [there["name"], there["seed"], there["version"]] == [name, int(seed), VERSION]
        return (
            same and there["count"] >= count and all((folder / f).exists() for f in there["files"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _description(name: str, count: int, seed: int) -> dict[str, Any]:
    packages = (*NEEDS[name].values(), "pillow", "numpy")
    found = {package: importlib.metadata.version(package) for package in packages}
    style = FACES[name].STYLE if name in FACES else "Hershey's stroke fonts, written by a pen"
    numbers = {"count": int(count), "seed": int(seed), "version": VERSION}
    return {"name": name, **numbers, "style": style, "drawn with": found}


@contextlib.contextmanager
def _writing(name: str, folder: pathlib.Path, count: int) -> Iterator[pathlib.Path]:
    """A hidden folder to draw in, in the folder itself; it goes away, whatever happens."""
    mend = "Give another folder, or free the place"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free, needed = shutil.disk_usage(folder).free, 2 * count * BYTES[name]
        if free < needed:
            raise DataError(
                f"Drawing {count:,} pictures takes up to {needed / 1e6:,.0f} MB in {folder}, "
                f"where {free / 1e6:,.0f} MB are free. {mend}, or ask for fewer."
            )
        _sweep(folder)
        with (
            alone(folder.with_name(f"{folder.name}.lock"), f"drawing {name}"),
            tempfile.TemporaryDirectory(dir=folder, prefix=".drawing-") as unfinished,
        ):
            yield pathlib.Path(unfinished)
    except OSError as error:
        raise DataError(f"{name} cannot be drawn into {folder}: {error}. {mend}.") from error


def _sweep(folder: pathlib.Path) -> None:
    """Remove what drawings that were killed left behind, unless it is of today."""
    for old in folder.glob(".drawing-*"):
        if time.time() - old.stat().st_mtime > 86_400:
            shutil.rmtree(old, ignore_errors=True)


def _put_in_place(unfinished: pathlib.Path, folder: pathlib.Path, what: dict[str, Any]) -> None:
    """Move the finished files to where they belong; what says that all is whole comes last."""
    files = sorted(file.name for file in unfinished.iterdir() if file.name != "drawn.json")
    text = json.dumps({**what, "files": files}, indent=2, ensure_ascii=False)
    (unfinished / "drawn.json").write_text(text + "\n", encoding="utf-8")
    (folder / "drawn.json").unlink(missing_ok=True)
    for file in [*files, "drawn.json"]:
        os.replace(unfinished / file, folder / file)


# ------------------------------------------------------------------- faces, by several workers


def _draw_faces(name: str, folder: pathlib.Path, count: int, seed: int, progress: Progress) -> None:
    """The archive and the table, put together from chunks in the order of the pictures."""
    archive, table = folder / ARCHIVE[name], folder / TABLE[name]
    with zipfile.ZipFile(archive, "w") as pictures, table.open("w", newline="\n") as rows:
        rows.write(",".join(["image_id", *FACES[name].COLUMNS]) + "\n")
        with contextlib.closing(_chunks(name, folder, count, seed, progress)) as chunks:
            for done, chunk in chunks:
                _append(chunk, TABLE[name], pictures, rows)
                chunk.unlink()
                progress.show(done)


def _append(chunk: pathlib.Path, table: str, pictures: zipfile.ZipFile, rows: TextIO) -> None:
    """Copy a chunk's pictures and its rows of the table to the end of the whole."""
    with zipfile.ZipFile(chunk) as part:
        for entry in part.infolist():
            if entry.filename == table:
                rows.write(part.read(entry).decode())
            else:
                pictures.writestr(entry, part.read(entry))


def _chunks(
    name: str, folder: pathlib.Path, count: int, seed: int, progress: Progress
) -> Generator[tuple[int, pathlib.Path], None, None]:
    """The chunks in order, as they are finished, and how many pictures that makes."""
    firsts = range(0, count, CHUNK)
    files = {first: folder / f"{first}.chunk" for first in firsts}
    workers = min(cores(), len(firsts) // 3)  # to start one takes as long as some 300 pictures
    with contextlib.ExitStack() as stack:
        crew = [
            stack.enter_context(_worker(folder, name, count, seed, i, workers))
            for i in range(workers if workers > 1 else 0)
        ]
        for first, file in files.items():
            if not crew:
                _draw_chunk(name, file, first, min(first + CHUNK, count), seed)
            while not file.exists():
                progress.show(first)
                _look_after(crew, name, folder)
                time.sleep(0.05)
            yield min(first + CHUNK, count), file


@contextlib.contextmanager
def _worker(
    folder: pathlib.Path, name: str, count: int, seed: int, number: int, workers: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python of its own that draws every so-manieth chunk.

    It is started by its command line: ``multiprocessing`` would run the learner's script or
    notebook again, or copy a process in which TensorFlow's threads run.
    """
    root = str(pathlib.Path(__file__).resolve().parent.parent)
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    task = map(str, [name, folder, count, seed, number, workers])
    with (folder / f"{number}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.standins", *task],
            cwd=root,  # which Python searches first
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        (folder / f"{number}.log").unlink()


def _look_after(crew: list[subprocess.Popen[bytes]], name: str, folder: pathlib.Path) -> None:
    """Stop with a worker's last words if it has failed."""
    for number, process in enumerate(crew):
        if process.poll():
            words = (folder / f"{number}.log").read_text("utf-8", errors="replace").strip()
            last = words.splitlines()[-1] if words else "it said nothing"
            raise DataError(
                f"Drawing {name} stopped, because a process that draws has ended with "
                f"code {process.returncode}: {last}"
            )


def _work(name: str, folder: str, count: int, seed: int, number: int, workers: int) -> None:
    """What a worker does, until its share is drawn or nobody waits for it any more."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for first in range(number * CHUNK, count, workers * CHUNK):
        file = pathlib.Path(folder) / f"{first}.chunk"
        _draw_chunk(name, file, first, min(first + CHUNK, count), seed)


def _end_with_parent() -> None:
    """Wait for the end of the pipe from the process that started this one, which is its end."""
    os.read(0, 1)  # not sys.stdin.read(), whose lock would stop Python from ending
    os._exit(1)


def _draw_chunk(name: str, file: pathlib.Path, first: int, last: int, seed: int) -> None:
    """The pictures from first to last as JPEG, and their rows of the table, in one zip."""
    faces, rows = FACES[name], []
    unfinished = file.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w") as chunk:
        for index in range(first, last):
            who, image_id = faces.person(index, seed), f"{index + 1:06}.jpg"
            jpeg = io.BytesIO()
            Image.fromarray(faces.picture(who)).save(jpeg, "JPEG", **JPEG[name])
            # A ZipInfo of its own has a fixed date, so that the same pictures give the same file.
            chunk.writestr(zipfile.ZipInfo(f"{INSIDE[name]}/{image_id}"), jpeg.getvalue())
            values = faces.attributes(who)
            rows.append(",".join([image_id, *(str(values[c]) for c in faces.COLUMNS)]) + "\n")
        chunk.writestr(zipfile.ZipInfo(TABLE[name]), "".join(rows))
    os.replace(unfinished, file)


if __name__ == "__main__":
    name, folder, *numbers = sys.argv[1:]
    _work(name, folder, *map(int, numbers))
