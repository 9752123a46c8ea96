"""Decode a data set once, into a memory-mapped array on disk.

Decoding a JPEG costs many times what reading the same picture from an array does, so a data
set is decoded once, to the size that a lesson needs, and every epoch reads the array.
"""

import contextlib
import json
import os
import pathlib
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import PIL
from numpy.typing import NDArray

from helpers.checks import DataError
from helpers.decoding import Size, check_damage, decoded
from helpers.readers import Pictures
from helpers.waiting import Progress, alone, cores

VERSION = 1  # of what `decoding.decode` makes: another number makes all arrays anew
SECONDS_BETWEEN_SAVES = 2.0
MANY = 3_000
"""So many pictures take longer to decode than it takes to start other processes."""

Block: TypeAlias = "list[tuple[NDArray[np.uint8] | None, str]]"


def prepared(
    pictures: Pictures,
    cache_file: pathlib.Path,
    size: Size,
    *,
    crop: int | None = None,
    count: int | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], dict[str, str]]:
    """Decode all pictures into a ``.npy`` file, once, and return it memory-mapped.

    Beside the file stands a manifest of the same name (``.json``): source, checksum, size,
    crop, versions, count, and every file that was skipped. If the work is interrupted, even
    killed, the next call continues it and the file comes out the same, byte for byte. If the
    source, the size or the crop are others than the manifest says, it is made anew. A process
    that finds another one at work on the same file waits for it.

    Args:
        pictures: where the encoded pictures are.
        cache_file: the ``.npy`` to make; its folder is made too.
        size, crop: see :func:`decode`.
        count: only the first so many; a later call that asks for more adds the others.

    Returns:
        ``(images, kept, skipped)``: uint8 of shape (n, height, width, 3), read-only; the
        position in ``pictures`` of each, int64 of shape (n,); and what was skipped: why.

    Raises:
        DataError: too little disk, a folder that cannot be written, or more than 5 % of the
            files are no pictures.
    """
    total = min(count or len(pictures), len(pictures))
    array = _Array(pictures, cache_file, size, crop)
    if not array.holds(total):
        try:
            cache_file.parent.mkdir(parents=True, exist_ok=True)
            with alone(cache_file.with_suffix(".lock"), f"preparing {cache_file.name}"):
                if not array.holds(total):
                    array.make(total)
        except OSError as error:
            raise DataError(
                f"{cache_file} cannot be written: {error}. What is done is kept. Or load with "
                "prepared=False, which needs no disk and decodes in every epoch."
            ) from error
    return array.open(total)


def keep_labels(cache_file: pathlib.Path, labels: NDArray[Any], names: Sequence[str]) -> None:
    """Write labels beside a prepared array, so that other programs can use the two together.

    ``<name>-labels.npz`` holds ``labels``, of shape (n,) or, for attributes, (n, attributes),
    and ``names``: of the classes or of the attributes.
    """
    file = cache_file.with_name(f"{cache_file.stem}-labels.npz")
    unreadable = contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile)
    with unreadable, np.load(file, allow_pickle=False) as there:
        same = list(there["names"]) == list(names)
        if same and np.array_equal(there["labels"][: len(labels)], labels):
            return
    new = file.with_name(f"{file.stem}.{os.getpid()}.npz")
    np.savez_compressed(new, labels=labels, names=np.array(names))
    os.replace(new, file)


class _Array:
    """A prepared array and its manifest, or the unfinished one (``.npy.part``)."""

    def __init__(self, pictures: Pictures, file: pathlib.Path, size: Size, crop: int | None):
        self.pictures, self.file, self.size, self.crop = pictures, file, size, crop
        self.part, self.manifest = file.with_suffix(".npy.part"), file.with_suffix(".json")
        self.wanted = {
            "source": str(pictures.place),
            "pictures": len(pictures),
            "checksum": pictures.checksum,
            "size": list(size),
            "crop": crop,
            "tool": f"helpers.prepare {VERSION}",
        }

    def state(self) -> dict[str, Any]:
        """The manifest if it is of the array wanted, else one of nothing done yet."""
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(self.manifest.read_text(encoding="utf-8"))
            # The same pictures may have been moved.
            if all(found.get(k) == v for k, v in self.wanted.items() if k != "source"):
                return found
        return {**self.wanted, "pillow": PIL.__version__, "done": 0, "rows": 0, "skipped": []}

    def holds(self, total: int) -> bool:
        """Whether the array is finished for so many pictures of the source."""
        return self.file.exists() and self.state()["done"] >= total

    def open(self, total: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], dict[str, str]]:
        """See :func:`prepared`."""
        state = self.state()
        skipped = [(i, name, why) for i, name, why in state["skipped"] if i < total]
        kept = np.setdiff1d(np.arange(total), [i for i, _, _ in skipped])
        images = np.load(self.file, mmap_mode="r")[: len(kept)]
        return images, kept, {name: why for _, name, why in skipped}

    def make(self, total: int) -> None:
        """Continue where the manifest says that the last call came to."""
        state = self.state()
        if self.manifest.exists() and not state["done"]:
            print(f"{self.file.name} is of another source, size or crop: made anew.")
            self.file.unlink(missing_ok=True)
        if self.file.exists():
            os.replace(self.file, self.part)
        self._check_disk(total - state["done"])
        with self.part.open("r+b" if self.part.exists() else "w+b") as part:
            self._write_head(part, state["rows"])
            part.truncate(part.tell() + state["rows"] * self._picture_bytes())
            part.seek(0, os.SEEK_END)
            self._append(part, state, total)
            part.seek(0)
            self._write_head(part, state["rows"])
            self._save(part, state)
        os.replace(self.part, self.file)

    def _append(self, part: Any, state: dict[str, Any], total: int) -> None:
        progress = Progress(f"preparing {self.file.stem}", total, state["done"])
        step = int(np.clip(2**24 // self._picture_bytes(), 16, 512))
        saved = time.monotonic()
        blocks = [range(i, min(i + step, total)) for i in range(state["done"], total, step)]
        for positions, block in zip(blocks, self._decoded(blocks), strict=True):
            for i, (image, why) in zip(positions, block, strict=True):
                if image is None:
                    state["skipped"].append([i, self.pictures.names[i], why])
                else:
                    part.write(image.data)
                    state["rows"] += 1
            state["done"] = positions.stop
            check_damage(
                {name: why for _, name, why in state["skipped"]}, total, self.pictures.place
            )
            progress.show(state["done"])
            if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                self._save(part, state)
                saved = time.monotonic()
        progress.end()

    def _decoded(self, blocks: list[range]) -> Iterator[Block]:
        """The pictures of each block in order; by several processes if there are many.

        Pillow lets other threads run while it decodes, but it decodes so fast that they wait
        for one another: two threads were no faster than one, two processes twice as fast.
        """
        if sum(map(len, blocks)) < MANY:
            for block in blocks:
                yield [decoded(self.pictures, self.size, self.crop, i) for i in block]
            return
        import joblib

        work = joblib.delayed(_decoded_block)
        jobs = (work(self.pictures.choose(np.array(b)), self.size, self.crop) for b in blocks)
        yield from joblib.Parallel(n_jobs=cores(), return_as="generator")(jobs)

    def _save(self, part: Any, state: dict[str, Any]) -> None:
        """Write the manifest only after what it tells of is on the disk."""
        part.flush()
        os.fsync(part.fileno())
        new = self.manifest.with_suffix(".json.new")
        new.write_text(json.dumps(state, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(new, self.manifest)

    def _write_head(self, part: Any, rows: int) -> None:
        """NumPy pads the head, so that its length is the same for any number of rows."""
        head = {"descr": "|u1", "fortran_order": False, "shape": (rows, *self.size, 3)}
        np.lib.format.write_array_header_1_0(part, head)

    def _picture_bytes(self) -> int:
        return self.size[0] * self.size[1] * 3

    def _check_disk(self, pictures: int) -> None:
        needed = pictures * self._picture_bytes() + 2**20
        free = shutil.disk_usage(self.file.parent).free
        if needed > free:
            raise DataError(
                f"{self.file} needs {needed / 2**30:.1f} GiB more, and {free / 2**30:.1f} GiB are "
                f"free. Choose a smaller image_size or count, or load with prepared=False."
            )


def _decoded_block(pictures: Pictures, size: Size, crop: int | None) -> Block:
    return [decoded(pictures, size, crop, i) for i in range(len(pictures))]
