"""Find, verify and stream the pictures that the lessons train on."""

import gzip
import hashlib
import os
import pathlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf

DATA_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data"

# The four files of MNIST in the order train, test; the SHA-256 is of the unpacked bytes, so
# that the authors' own .gz files and unpacked ones are as good as those in data/mnist.
MNIST_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class DataError(ValueError):
    """A data set that is missing, damaged or not what it should be; the text says the mend."""


@dataclass(frozen=True)
class ImageSet:
    """Pictures with their labels, and batches of them for ``.fit``.

    Attributes:
        name: what the pictures are, for titles and saved metadata.
        images: uint8, shape (n, height, width, channels), 0 to 255.
        labels: int64, shape (n,).
        class_names: ``class_names[label]`` is what a learner calls that class.
        origin: where the files were found.
        n_train: how many of the first pictures are for training; the rest are held out.
    """

    name: str
    images: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    class_names: tuple[str, ...]
    origin: str
    n_train: int

    @property
    def train(self) -> "ImageSet":
        """The training pictures alone."""
        return self._part("training", slice(0, self.n_train))

    @property
    def test(self) -> "ImageSet":
        """The held-out pictures alone: never trained on, used to judge."""
        return self._part("test", slice(self.n_train, None))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one picture."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[NDArray[np.uint8], str]:
        """Picture ``i`` and the name of its class."""
        return self.images[i], self.class_names[self.labels[i]]

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        colour = "grey" if channels == 1 else "colour"
        return (
            f"{self.name}: {len(self):,} {colour} pictures of {height}×{width}, "
            f"{len(self.class_names)} classes ({self.class_names[0]} … {self.class_names[-1]}), "
            f"from {self.origin}"
        )

    def sample(self, n: int, seed: int = 0) -> NDArray[np.uint8]:
        """``n`` different pictures drawn at random, uint8, shape (n, height, width, channels)."""
        if not 1 <= n <= len(self):
            raise ValueError(f"cannot draw {n} pictures from {len(self):,}: ask for 1 to all.")
        chosen = np.random.default_rng(seed).choice(len(self), size=n, replace=False)
        return self.images[np.sort(chosen)]

    def steps_per_epoch(self, batch_size: int) -> int:
        """How many full batches one pass over the pictures gives."""
        self._check_batch_size(batch_size)
        return len(self) // batch_size

    def batches(self, batch_size: int, *, seed: int = 0, start_step: int = 0) -> "tf.data.Dataset":
        """An endless stream of shuffled batches for ``.fit``.

        Every epoch is a new shuffle of all pictures, and the batch at a step is a pure
        function of (``seed``, step): a run that stopped at step 700 continues with
        ``start_step=700`` as if it had never stopped. The few pictures that do not fill
        a batch wait for another epoch's shuffle.

        Returns:
            A ``tf.data.Dataset`` of float32 tensors of shape
            (``batch_size``, height, width, channels) in [-1, 1].

        Raises:
            ValueError: ``batch_size`` is not between 1 and the number of pictures.
        """
        steps = self.steps_per_epoch(batch_size)
        from helpers._backend import tf

        n, shape = len(self), (batch_size, *self.image_shape)

        def positions(step: Any) -> Any:
            within = tf.range(batch_size, dtype=tf.int64) + (step % steps) * batch_size
            key = tf.stack([tf.constant(seed, tf.int64), step // steps])
            return tf.random.experimental.index_shuffle(within, key, n - 1)

        def gather(chosen: Any) -> Any:
            batch = tf.numpy_function(self.images.__getitem__, [chosen], tf.uint8, stateful=False)
            return tf.ensure_shape(tf.cast(batch, tf.float32) / 127.5 - 1.0, shape)

        stream = tf.data.Dataset.counter(start_step).map(positions)
        return stream.map(gather, num_parallel_calls=2, deterministic=True).prefetch(4)

    def _check_batch_size(self, batch_size: int) -> None:
        if not isinstance(batch_size, (int, np.integer)) or not 1 <= batch_size <= len(self):
            raise ValueError(
                f"BATCH_SIZE is {batch_size!r}; it must be a whole number from 1 to "
                f"{len(self):,}, the number of pictures ({self.name})."
            )

    def _part(self, what: str, part: slice) -> "ImageSet":
        images, labels = self.images[part], self.labels[part]
        name = f"{self.name} ({what})"
        return ImageSet(name, images, labels, self.class_names, self.origin, len(images))


def to_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures as networks see them: uint8 [0, 255] to float32 [-1, 1]."""
    if images.dtype != np.uint8:
        raise TypeError(f"to_float takes uint8 pictures in [0, 255]; these are {images.dtype}.")
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def load(name: str, *, path: str | os.PathLike[str] | None = None) -> ImageSet:
    """Find a data set by its name, verify its files, and say in one line what was found.

    Args:
        name: ``"mnist"``.
        path: a folder with the set's files; by default ``$GAN_DATA/<name>`` if it
            exists, else the ``data/<name>`` that ships.

    Raises:
        DataError: no such set, a file missing, damaged or with a wrong checksum.
    """
    if name not in LOADERS:
        raise DataError(f"There is no data set {name!r}. There is: {', '.join(LOADERS)}.")
    image_set = LOADERS[name](_find_folder(name, path))
    print(image_set)
    return image_set


def load_mnist(folder: pathlib.Path) -> ImageSet:
    """MNIST: 60,000 training and 10,000 test digits, 28×28×1 (LeCun, Cortes, Burges, 1998)."""
    train_x, train_y, test_x, test_y = (
        _verified_idx(folder, name, sha256) for name, sha256 in MNIST_FILES.items()
    )
    return ImageSet(
        name="MNIST",
        images=np.concatenate([train_x, test_x])[..., np.newaxis],
        labels=np.concatenate([train_y, test_y]).astype(np.int64),
        class_names=tuple("0123456789"),
        origin=f"{folder.parent.name}/{folder.name}",
        n_train=len(train_x),
    )


LOADERS = {"mnist": load_mnist}


def ring(n: int, *, modes: int = 8, radius: float = 2.0, spread: float = 0.1, seed: int = 0) -> Any:
    """Points on a ring of Gaussians, the classic test for mode collapse.

    Returns:
        ``(points, centres)``: float32 arrays of shape (n, 2) and (``modes``, 2).
    """
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _gaussians_at(centres, n, spread, seed)


def grid(n: int, *, side: int = 3, radius: float = 2.0, spread: float = 0.1, seed: int = 0) -> Any:
    """Points on a ``side`` × ``side`` grid of Gaussians; returns what :func:`ring` returns."""
    ticks = np.linspace(-radius, radius, side)
    centres = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return _gaussians_at(centres, n, spread, seed)


def _gaussians_at(centres: NDArray[Any], n: int, spread: float, seed: int) -> Any:
    random = np.random.default_rng(seed)
    points = centres[random.integers(len(centres), size=n)] + spread * random.normal(size=(n, 2))
    return points.astype(np.float32), centres.astype(np.float32)


def _find_folder(name: str, path: str | os.PathLike[str] | None) -> pathlib.Path:
    if path is not None:
        folder = pathlib.Path(path).expanduser()
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder. Give path= the folder with {name}'s files.")
        return folder
    own = pathlib.Path(os.environ.get("GAN_DATA", "")).expanduser() / name
    return own if os.environ.get("GAN_DATA") and own.is_dir() else DATA_FOLDER / name


def _verified_idx(folder: pathlib.Path, name: str, sha256: str) -> NDArray[np.uint8]:
    """An IDX file, gzipped or not, whose unpacked bytes have the right checksum."""
    mend = f"Put the authors' own {name}.gz there"
    if folder.parent == DATA_FOLDER:
        mend += f", or run `git checkout -- data/{folder.name}` in the repository's folder"
    file = next((f for f in (folder / f"{name}.gz", folder / name) if f.is_file()), None)
    if file is None:
        raise DataError(f"{folder / name}.gz is missing. {mend}.")
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is damaged: {error}. {mend}.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{file} has a wrong checksum: SHA-256 {found[:12]}…, expected {sha256[:12]}… "
            f"(of {len(content):,} bytes unpacked). {mend}."
        )
    return _decode_idx(content)


def _decode_idx(content: bytes) -> NDArray[np.uint8]:
    """The IDX format: two zero bytes, the type (8: uint8), the rank, the sizes, the values."""
    rank = content[3]
    sizes = struct.unpack_from(f">{rank}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes)
