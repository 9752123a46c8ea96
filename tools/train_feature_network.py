"""Train the small classifier whose features score the generators, and write its card.

    python tools/train_feature_network.py digits [--epochs N] [--out data/weights]

Leaves ``<name>.keras`` (weights only, no optimizer) and ``<name>.json``, the card that
``helpers.feature_networks.load`` checks it against. The weights are those after the last
epoch: the test pictures are looked at once, afterwards, to fill in the card, so its
accuracy is an honest one.

A file of a newer Keras may not load in an older one. So run this in an environment with
constraints/lowest.txt before a new file is committed.
"""

import argparse
import hashlib
import math
import pathlib
import platform
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from helpers import datasets, models
from helpers._backend import keras, tf
from helpers.datasets import ImageSet
from helpers.feature_networks import WEIGHTS_FOLDER
from helpers.runs import save_network, write_json

BATCH_SIZE = 128
FIRST_RATE, PEAK_RATE = 1e-4, 3e-3
SEED = 0

TURN = math.radians(10)
ZOOM = 0.1
SHIFT = 2.0

RECIPE = {
    "augmentation": "each time a picture is shown it is turned by up to 10 degrees, scaled by "
    "up to 10 % and shifted by up to 2 pixels, drawn uniformly; background fills in",
    "optimizer": f"Adam, cross-entropy, batches of {BATCH_SIZE}; learning rate up in a straight "
    f"line from {FIRST_RATE} to {PEAK_RATE} over the first tenth of the steps, then down a cosine "
    "to 0",
    "chosen": "the last epoch; no selection on the test pictures",
    "seed": SEED,
}


def augment(images: Any, seed: Any) -> Any:
    """Turn, scale and shift each picture by its own small random amounts.

    Args:
        images: float32, shape (n, height, width, channels), in [-1, 1].
        seed: int32 tensor of shape (2,); the same seed gives the same amounts.

    Returns:
        Pictures of the same shape, in [-1, 1]; what was outside comes in as background, -1.
    """
    height, width = images.shape[1:3]
    limits = tf.constant([[TURN], [ZOOM], [SHIFT], [SHIFT]])
    amounts = limits * tf.random.stateless_uniform((4, tf.shape(images)[0]), seed, -1.0, 1.0)
    turn, zoom, right, down = tf.unstack(amounts)
    cos, sin = (1 + zoom) * tf.cos(turn), (1 + zoom) * tf.sin(turn)
    x, y = (width - 1) / 2, (height - 1) / 2  # the centre stays where it is, but for the shift
    first_row = [cos, -sin, x - x * cos + y * sin + right]
    second_row = [sin, cos, y - x * sin - y * cos + down]
    last_row = [tf.zeros_like(turn), tf.zeros_like(turn)]
    return keras.ops.image.affine_transform(
        images,
        tf.stack(first_row + second_row + last_row, axis=1),
        interpolation="bilinear",
        fill_mode="constant",
        fill_value=-1.0,
        data_format="channels_last",
    )


def batches(pictures: ImageSet, batch_size: int, seed: int) -> "tf.data.Dataset":
    """An endless stream of (augmented float32 pictures in [-1, 1], int64 labels)."""

    def prepare(pair: Any, step: Any) -> Any:
        images, labels = pair
        images = tf.cast(images, tf.float32) / 127.5 - 1.0
        return augment(images, tf.stack([seed, step])), labels

    shuffled = tf.data.Dataset.from_tensor_slices((pictures.images, pictures.labels))
    shuffled = shuffled.shuffle(len(pictures), seed=seed).repeat()
    pairs = shuffled.batch(batch_size, drop_remainder=True)
    numbered = tf.data.Dataset.zip(pairs, tf.data.Dataset.counter(dtype=tf.int32))
    return numbered.map(prepare, num_parallel_calls=2, deterministic=True).prefetch(2)


def train(network: keras.Model, pictures: ImageSet, *, epochs: int, seed: int = SEED) -> None:
    """Train a classifier that gives logits, in place; the recipe is :data:`RECIPE`."""
    steps_per_epoch = pictures.steps_per_epoch(BATCH_SIZE)
    steps = epochs * steps_per_epoch
    warm_up = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=FIRST_RATE,
        decay_steps=steps - warm_up,
        warmup_target=PEAK_RATE,
        warmup_steps=warm_up,
    )
    network.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(
        batches(pictures, BATCH_SIZE, seed),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,  # the stream shuffles itself
        verbose=2,
    )


def accuracy(network: keras.Model, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of uint8 pictures that a classifier gets right, 0 to 1."""
    logits = network.predict(datasets.to_float(images), batch_size=500, verbose=0)
    return float((logits.argmax(axis=1) == labels).mean())


def save_without_optimizer(network: keras.Model, file: pathlib.Path) -> str:
    """Write a network without its optimizer, whole or not at all; return the SHA-256."""
    save_network(file, keras.Model(network.input, network.output, name=network.name))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_digits(folder: pathlib.Path, epochs: int) -> dict[str, Any]:
    """Train the digit classifier on MNIST's training pictures; write it and return its card."""
    digits = datasets.load("mnist")
    keras.utils.set_random_seed(SEED)
    network = models.digit_classifier()
    began = time.monotonic()
    train(network, digits.train, epochs=epochs)
    seconds = time.monotonic() - began
    sha256 = save_without_optimizer(network, folder / "digits.keras")
    saved = keras.models.load_model(folder / "digits.keras")
    return {
        "name": "digits",
        "data": f"MNIST: {len(digits.train):,} training pictures to train on, "
        f"{len(digits.test):,} test pictures for the accuracy below",
        "recipe": {"epochs": epochs, **RECIPE},
        "command": f"python tools/train_feature_network.py digits --epochs {epochs}",
        "accuracy": accuracy(saved, digits.test.images, digits.test.labels),
        "classes": list(digits.class_names),
        "feature_layer": "features",
        "seconds": round(seconds),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "sha256": sha256,
    }


MAKERS = {"digits": make_digits}


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=MAKERS, help="which network")
    parser.add_argument("--epochs", type=int, default=6, help="passes over the training pictures")
    parser.add_argument("--out", type=pathlib.Path, default=WEIGHTS_FOLDER)
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error(f"--epochs is {options.epochs}; it must be at least 1.")
    options.out.mkdir(parents=True, exist_ok=True)
    card = MAKERS[options.name](options.out, options.epochs)
    write_json(options.out / f"{options.name}.json", card)
    print(
        f"{options.out / options.name}.keras: {100 * card['accuracy']:.2f} % on the test pictures"
    )


if __name__ == "__main__":
    main()
