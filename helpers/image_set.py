"""Pictures with their labels or attributes, and batches of them for ``.fit``."""

import itertools
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from helpers.decoding import DecodedOnDemand

if TYPE_CHECKING:
    import pandas as pd
    import tensorflow as tf

Images: TypeAlias = "NDArray[np.uint8] | DecodedOnDemand"
HELD_BYTES = 2**24  # read from a memory map before its pages are given back
_TAKES = itertools.count()
Conditional = Literal["one_hot", "planes"]


@dataclass(frozen=True)
class ImageSet:
    """Pictures with their labels or attributes, and batches of them for ``.fit``.

    Attributes:
        name: what the pictures are, for titles and saved metadata.
        images: uint8, shape (n, height, width, channels), 0 to 255: an array in memory, one
            memory-mapped from disk, or pictures that are decoded whenever they are indexed.
        labels: int64, shape (n,), or None if the pictures have no classes.
        class_names: ``class_names[label]`` is what a learner calls that class.
        origin: where the files were found.
        n_train: how many of the first pictures are for training; the rest are held out.
        attributes: a table of 0 and 1, a row for each picture and a column for each
            attribute, or None if the pictures have none.
        drawn: whether the pictures were drawn by a program of ours, in place of real ones.
    """

    name: str
    images: Images = field(repr=False)
    labels: NDArray[np.int64] | None = field(repr=False)
    class_names: tuple[str, ...]
    origin: str
    n_train: int
    attributes: "pd.DataFrame | None" = field(default=None, repr=False)
    drawn: bool = False

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
        """Picture ``i`` and the name of its class, or of its attributes with commas between."""
        images, (used,) = self._take(np.array([range(len(self))[i]]))
        if self.labels is not None:
            return images[0], self.class_names[self.labels[used]]
        if self.attributes is not None:
            present = self.attributes.columns[self.attributes.iloc[int(used)] == 1]
            return images[0], ", ".join(present)
        return images[0], ""

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        colour = "grey" if channels == 1 else "colour"
        names: Sequence[str] = self.class_names if self.labels is not None else ()
        if self.attributes is not None:
            names = list(self.attributes.columns)
        kind = "attributes" if self.attributes is not None else "classes"
        known = f"{len(names)} {kind} ({names[0]} … {names[-1]})" if names else "no labels"
        return (
            f"{self.name}: {len(self):,} {colour} pictures of {height}×{width}, "
            f"{known}, from {self.origin}"
        )

    def sample(self, n: int, seed: int = 0) -> NDArray[np.uint8]:
        """``n`` different pictures drawn at random, uint8, shape (n, height, width, channels)."""
        if not 1 <= n <= len(self):
            raise ValueError(f"cannot draw {n} pictures from {len(self):,}: ask for 1 to all.")
        chosen = np.random.default_rng(seed).choice(len(self), size=n, replace=False)
        return np.asarray(self.images[np.sort(chosen)])

    def steps_per_epoch(self, batch_size: int) -> int:
        """How many full batches one pass over the pictures gives."""
        self._check_batch_size(batch_size)
        return len(self) // batch_size

    def batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        start_step: int = 0,
        conditional: Conditional | None = None,
        pairs: bool = False,
    ) -> "tf.data.Dataset":
        """An endless stream of shuffled batches for ``.fit``.

        Every epoch is a new shuffle of all pictures, and the batch at a step is a pure
        function of (``seed``, step): a run that stopped at step 700 continues with
        ``start_step=700`` as if it had never stopped. The few pictures that do not fill
        a batch wait for another epoch's shuffle.

        Args:
            batch_size: pictures in a batch.
            seed, start_step: see above.
            conditional: ``"one_hot"`` adds each picture's class as a one-hot vector, or its
                attributes as a vector of 0 and 1; ``"planes"`` adds that and the same as
                planes, see :func:`label_planes`.
            pairs: each batch twice, as input and as target of an autoencoder.

        Returns:
            A ``tf.data.Dataset`` of float32 tensors: ``x`` of shape
            (``batch_size``, height, width, channels) in [-1, 1]; with ``conditional``
            ``(x, one_hot)`` or ``(x, one_hot, planes)``; with ``pairs`` ``(x, x)``.

        Raises:
            ValueError: ``batch_size`` is not between 1 and the number of pictures, or
                ``conditional`` is asked of pictures without labels, or with ``pairs``.
        """
        steps = self.steps_per_epoch(batch_size)
        conditions = self._conditions(conditional, pairs)
        from helpers._backend import tf

        n, shape = len(self), (batch_size, *self.image_shape)

        def positions(step: Any) -> Any:
            within = tf.range(batch_size, dtype=tf.int64) + (step % steps) * batch_size
            key = tf.stack([tf.constant(seed, tf.int64), step // steps])
            return tf.random.experimental.index_shuffle(within, key, n - 1)

        def gather(chosen: Any) -> Any:
            types = [tf.uint8, tf.int64]
            batch, used = tf.numpy_function(self._take, [chosen], types, stateful=False)
            x = tf.ensure_shape(tf.cast(batch, tf.float32) / 127.5 - 1.0, shape)
            if conditions is None:
                return (x, x) if pairs else x
            one_hot = conditions(tf.ensure_shape(used, (batch_size,)))
            if conditional == "one_hot":
                return x, one_hot
            planes = one_hot[:, tf.newaxis, tf.newaxis, :]
            return x, one_hot, tf.tile(planes, (1, *self.image_shape[:2], 1))

        stream = tf.data.Dataset.counter(start_step).map(positions)
        stream = stream.map(gather, num_parallel_calls=2, deterministic=True).prefetch(4)
        options = tf.data.Options()  # all numbers above are given: nothing is left to be tuned, and
        options.autotune.enabled = False  # waiting for the tuner to end takes up to seconds
        stream = stream.with_options(options)
        stream.start_step = start_step  # a Checkpoint sees to it that training goes on there
        return stream

    def _take(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures, and the positions of those given, which damage may have changed."""
        if isinstance(self.images, DecodedOnDemand):
            return self.images.take(positions)
        images = np.take(self.images, positions, axis=0)
        if next(_TAKES) % max(1, HELD_BYTES // images.nbytes) == 0:
            let_go(self.images)
        return images, positions

    def _conditions(self, conditional: Conditional | None, pairs: bool) -> Any:
        """The function from positions to one-hot labels or attributes, as TensorFlow has it."""
        if conditional is None:
            return None
        if conditional not in ("one_hot", "planes") or pairs:
            raise ValueError(
                f"conditional is {conditional!r} and pairs is {pairs}; conditional may be "
                "'one_hot' or 'planes', and not together with pairs."
            )
        from helpers._backend import tf

        if self.attributes is not None:
            table = tf.constant(self.attributes.to_numpy(np.uint8))
            return lambda chosen: tf.cast(tf.gather(table, chosen), tf.float32)
        if self.labels is None:
            raise ValueError(f"{self.name} has neither classes nor attributes to condition on.")
        self._check_labels()
        labels = tf.constant(self.labels)
        return lambda chosen: tf.one_hot(tf.gather(labels, chosen), len(self.class_names))

    def _check_labels(self) -> None:
        labels, classes = self.labels, len(self.class_names)
        assert labels is not None
        if len(labels) != len(self):
            raise ValueError(
                f"{self.name} has {len(self):,} pictures but {len(labels):,} labels; they must "
                "come in the same order, one label a picture."
            )
        if not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f"{self.name} has labels from {labels.min()} to {labels.max()}, but "
                f"{classes} class names; labels must be whole numbers from 0 to {classes - 1}."
            )

    def _check_batch_size(self, batch_size: int) -> None:
        if not isinstance(batch_size, (int, np.integer)) or not 1 <= batch_size <= len(self):
            raise ValueError(
                f"BATCH_SIZE is {batch_size!r}; it must be a whole number from 1 to "
                f"{len(self):,}, the number of pictures ({self.name})."
            )

    def _part(self, what: str, part: slice) -> "ImageSet":
        images = self.images[part]
        return ImageSet(
            name=f"{self.name} ({what})",
            images=images,
            labels=None if self.labels is None else self.labels[part],
            class_names=self.class_names,
            origin=self.origin,
            n_train=len(images),
            attributes=None if self.attributes is None else self.attributes.iloc[part],
            drawn=self.drawn,
        )


def let_go(images: NDArray[np.uint8]) -> None:
    """Take the pages read of a memory-mapped array out of this process's memory.

    They stay in the system's file cache, as long as there is room, and come back from there;
    but an epoch would otherwise seem to fill the memory with the whole array.
    """
    mapping: Any = images
    while isinstance(mapping, np.ndarray):
        mapping = mapping.base
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def to_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures as networks see them: uint8 [0, 255] to float32 [-1, 1]."""
    if images.dtype != np.uint8:
        raise TypeError(f"to_float takes uint8 pictures in [0, 255]; these are {images.dtype}.")
    return np.asarray(images).astype(np.float32) / np.float32(127.5) - np.float32(1)


def label_planes(one_hot: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """One constant plane for each class: 1 everywhere in the picture's own, 0 in the others.

    A discriminator sees them as further channels beside the picture (Mirza and Osindero,
    "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784, joins label and picture).

    Args:
        one_hot: shape (n, classes).
        height, width: of the pictures.

    Returns:
        float32 of shape (n, ``height``, ``width``, classes).
    """
    planes = np.asarray(one_hot, np.float32)[:, np.newaxis, np.newaxis, :]
    return np.tile(planes, (1, height, width, 1))
