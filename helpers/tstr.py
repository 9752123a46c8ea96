"""Train on synthetic pictures, test on real ones: are generated pictures good for learning?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers import checks, intervals, plotting, samples, training
from helpers._backend import keras
from helpers.image_set import ImageSet, to_float
from helpers.samples import Maker

Array = NDArray[Any]
BATCH_SIZE = 64


def tstr(
    make: Maker,
    data: ImageSet,
    *,
    n: int = 5_000,
    epochs: int = 8,
    labels: Array | None = None,
    seed: int = 0,
    name: str = "generated",
) -> Any:
    """Train a small classifier on n generated pictures; how well does it read real ones?

    From "Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs" (Esteban
    et al., 2017, arXiv:1706.02633); for pictures "Classification Accuracy Score for
    Conditional Generative Models" (Ravuri and Vinyals, 2019, arXiv:1905.10887). It falls if
    pictures are bad, if they do not show their label, and if ways to look are missing; it does
    not see what no class depends on, as copies of training pictures.

    Args:
        make: a conditional generator; a function of (n, seed) that gives (pictures, labels); or
            pictures, with ``labels``.
        data: its training pictures train the classifier to compare with, n of them; its
            held-out pictures test both.
        n: how many pictures each of the two classifiers learns from.
        epochs: how often.
        labels: classes from 0, shape (n,): what is, or is to be, on each picture; by default a
            conditional network is asked for all classes alike.
        seed: of z, of the pictures chosen, and of both classifiers, which start alike.
        name: of the row.

    Returns:
        A table with a row for the generated and one for as many real pictures: ``accuracy`` on
        the held-out ones, and the 95 % interval ``low`` to ``high``, for these classifiers.

    Raises:
        ValueError: data or pictures without classes; too few pictures; else as
            :func:`helpers.samples.draw`.
    """
    checks.whole("epochs", epochs)
    if data.labels is None:
        raise ValueError(
            f"{data.name} has no classes, so no classifier can be trained: TSTR needs labels."
        )
    pool = np.arange(n) % len(data.class_names)
    made = samples.draw(make, n, data.image_shape, labels=labels, pool=pool, seed=seed)
    if made.labels is None:
        raise ValueError(
            "TSTR needs to know what each generated picture shows: give labels=, or a "
            "conditional generator, or a function that gives (pictures, labels)."
        )
    classes = len(data.class_names)
    if made.labels.ndim != 1 or made.labels.min() < 0 or made.labels.max() >= classes:
        raise ValueError(f"labels must be classes from 0 to {classes - 1}, one a picture.")
    if len(made.images) < BATCH_SIZE:
        raise ValueError(f"{len(made.images)} pictures are too few: give {BATCH_SIZE} or more.")
    train = data.train
    chosen = np.random.default_rng(seed).permutation(len(train))[: len(made.images)]
    parts = {
        name: (plotting.as_uint8(made.images), made.labels),
        "real": (np.asarray(train.images[chosen]), data.labels[chosen]),
    }
    return pd.DataFrame.from_dict(
        {what: _accuracy(*part, data, epochs, seed)._asdict() for what, part in parts.items()},
        orient="index",
    ).rename(columns={"value": "accuracy"})


def _accuracy(
    images: Array, labels: Array, data: ImageSet, epochs: int, seed: int
) -> intervals.Estimate:
    """How much of the held-out pictures a classifier reads that learned from these."""
    part = ImageSet("", images, labels.astype(np.int64), data.class_names, "", len(images))
    steps = part.steps_per_epoch(BATCH_SIZE) * epochs
    model = classifier(data.image_shape, len(data.class_names), steps, seed)
    stream = part.batches(BATCH_SIZE, seed=seed, conditional="one_hot")
    model.fit(stream, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0)
    logits = training.answers(model, [to_float(np.asarray(data.test.images))], 500)
    return intervals.of_share(logits.argmax(axis=1) == data.test.labels)


def classifier(shape: tuple[int, int, int], classes: int, steps: int, seed: int = 0) -> keras.Model:
    """A small convolutional classifier, compiled, for so many steps; every seed is its own.

    Maps pictures (n, *shape) in [-1, 1] to logits (n, ``classes``).
    """
    layers, seeds = keras.layers, iter(range(1000 * seed, 1000 * seed + 10))

    def start() -> Any:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    x = inputs = keras.Input(shape)
    for filters in (32, 64):
        convolution = layers.Conv2D(
            filters, 3, 2, padding="same", activation="relu", kernel_initializer=start()
        )
        x = convolution(x)
    x = layers.Dense(128, activation="relu", kernel_initializer=start())(layers.Flatten()(x))
    x = layers.Dropout(0.4, seed=next(seeds))(x)
    model = keras.Model(inputs, layers.Dense(classes, kernel_initializer=start())(x))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    return model
