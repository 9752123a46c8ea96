"""The slower ways to stream pictures, which lesson 2 builds first and then measures.

All three decode every picture in every epoch. ``ImageSet.batches`` reads them from an array
that was prepared once.
"""

import io
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import decoding
from helpers._backend import keras, tf
from helpers.datasets import to_float
from helpers.readers import Pictures

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def picture_generator(
    pictures: Pictures,
    batch_size: int,
    *,
    size: int,
    crop: int | None = None,
    attributes: NDArray[Any] | None = None,
    seed: int = 0,
) -> Iterator[Batch]:
    """Random batches for ever, one picture after the other, with scikit-image.

    Args:
        pictures: encoded pictures, as in ``datasets.find("celeba").pictures``.
        batch_size: pictures in a batch.
        size: pixels of a side.
        crop: cut out the central square of so many pixels first; None takes the largest.
        attributes: a row for each picture.
        seed: for the random choice.

    Yields:
        ``(x, attributes)``, or ``(x, x)`` for an autoencoder if there are no attributes; ``x``
        is float32 of shape (``batch_size``, ``size``, ``size``, 3) in [-1, 1].
    """
    random = np.random.default_rng(seed)
    while True:
        chosen = random.integers(len(pictures), size=batch_size)
        x = np.stack([_with_scikit_image(pictures.read(i), size, crop) for i in chosen])
        yield x, x if attributes is None else attributes[chosen].astype(np.float32)


def _with_scikit_image(content: bytes, size: int, crop: int | None) -> NDArray[np.float32]:
    from skimage.io import imread
    from skimage.transform import resize

    picture = imread(io.BytesIO(content))
    height, width = picture.shape[:2]
    side = crop or min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    small = resize(square, (size, size), anti_aliasing=True)  # float64 in [0, 1]
    return (2 * small - 1).astype(np.float32)


class PictureSequence(keras.utils.PyDataset):
    """The same batches for ``.fit``, decoded by Pillow in threads that Keras runs.

    Every epoch shows every picture once in a new order; the last few that do not fill a batch
    are left out. ``workers`` is how many threads.
    """

    def __init__(
        self,
        pictures: Pictures,
        batch_size: int,
        *,
        size: int,
        crop: int | None = None,
        attributes: NDArray[Any] | None = None,
        seed: int = 0,
        workers: int = 2,
    ):
        super().__init__(workers=workers)
        self.pictures, self.attributes = pictures, attributes
        self.batch_size, self.size, self.crop = batch_size, size, crop
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self.pictures) // self.batch_size

    def __getitem__(self, step: int) -> Batch:
        chosen = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        shape = (self.size, self.size)
        x = to_float(
            np.stack([decoding.decode(self.pictures.read(i), shape, self.crop) for i in chosen])
        )
        return x, x if self.attributes is None else self.attributes[chosen].astype(np.float32)

    def on_epoch_end(self) -> None:
        """Shuffle; Keras calls it after every epoch."""
        self.order = self.random.permutation(len(self.pictures))


def decoded(
    files: list[pathlib.Path],
    batch_size: int,
    *,
    size: int,
    crop: int | None = None,
    antialias: bool = True,
    seed: int = 0,
) -> "tf.data.Dataset":
    """JPEG files decoded by TensorFlow in parallel, in every epoch anew.

    ``antialias=False`` is more than twice as fast and skips most of the pixels: see what it
    does to stripes.

    Returns:
        An endless ``tf.data.Dataset`` of float32 in [-1, 1], of shape (``batch_size``,
        ``size``, ``size``, 3).
    """

    def decode(file: Any) -> Any:
        picture = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)
        side = crop or tf.reduce_min(tf.shape(picture)[:2])
        square = tf.image.resize_with_crop_or_pad(picture, side, side)
        small = tf.image.resize(square, (size, size), antialias=antialias)
        return tf.clip_by_value(small, 0.0, 255.0) / 127.5 - 1.0

    names = tf.data.Dataset.from_tensor_slices([os.fspath(file) for file in files])
    names = names.shuffle(len(files), seed=seed).repeat()
    pictures = names.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return pictures.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def unpack(pictures: Pictures, folder: str | os.PathLike[str]) -> list[pathlib.Path]:
    """The pictures as single files, which :func:`decoded` needs, and their paths.

    Pictures of a zip are written to ``folder`` under numbers, so that no name can lead out of
    it; what is there already is not written again. Pictures of a folder stay where they are.
    """
    if pictures.place.is_dir():
        return [pictures.place / name for name in pictures.names]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    digits = math.ceil(math.log10(len(pictures) + 1))
    files = []
    for i, name in enumerate(pictures.names):
        file = folder / f"{i:0{digits}}{pathlib.PurePosixPath(name).suffix}"
        if not file.exists() or file.stat().st_size != pictures.stamps[i, 0]:
            file.write_bytes(pictures.read(i))
        files.append(file)
    return files
