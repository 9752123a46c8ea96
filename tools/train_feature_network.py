"""Train a small classifier whose features score the generators, and write its card.

    python tools/train_feature_network.py digits [--epochs N] [--out data/weights]
    python tools/train_feature_network.py faces --real ../shared/data
    python tools/train_feature_network.py faces --measure [--real ../shared/data]
    python tools/train_feature_network.py faces --store

Leaves ``<name>.keras`` (weights only, no optimizer) and ``<name>.json``, the card that
``helpers.feature_networks.load`` checks it against. The weights are those after the last
epoch: the held-out pictures are looked at once, afterwards, to fill in the card, so its
accuracy is an honest one. What a drawn set is trained on is drawn from seed 1, and held out are
pictures of seed 0, which are those that the lessons show: the network has seen none of them.

``--real`` measures a network of drawn pictures on real ones too, and adds that to the card; it
trains on none. ``--measure`` trains nothing and fills in anew what the card says was measured.

A file of a newer Keras may not load in an older one. So run this in an environment with
constraints/lowest.txt before a new file is committed; ``--store`` there is enough, which writes
the same weights anew.
"""

import argparse
import functools
import hashlib
import json
import math
import pathlib
import platform
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from helpers import classifiers, datasets, layouts, prepare, standins
from helpers._backend import keras, tf
from helpers.feature_networks import WEIGHTS_FOLDER, Kind
from helpers.readers import Pictures
from helpers.runs import save_network, write_json

BATCH_SIZE = 128
FIRST_RATE, PEAK_RATE = 1e-4, 3e-3
SEED = 0
TRAINING_SEED, HELD_OUT_SEED = 1, 0
DRAWN = datasets.DATA_FOLDER / "drawn" / "feature_networks"
THUMBNAIL = 4
RECIPE = {
    "optimizer": f"Adam, cross-entropy, batches of {BATCH_SIZE}; learning rate up in a straight "
    f"line from {FIRST_RATE} to {PEAK_RATE} over the first tenth of the steps, then down a cosine "
    "to 0",
    "chosen": "the last epoch; no selection on the test pictures",
    "seed": SEED,
}
LOOK = {
    "also": f"from the features a second output, which is not kept, had to tell a thumbnail of "
    f"{THUMBNAIL}×{THUMBNAIL} pixels and how sharp the picture is (mean squared error): what the "
    "eye sees, and attributes alone would let the network forget"
}


# ------------------------------------------------------------------------------ the pictures


@dataclass(frozen=True)
class Part:
    """Pictures, uint8 (n, height, width, channels), and what they show: int64 (n,) for classes,
    0 or 1 of shape (n, attributes) for attributes, with the ``names`` of these."""

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def kind(self) -> Kind:
        """Whether a picture is of one class, or has any number of attributes."""
        return "classes" if self.targets.ndim == 1 else "attributes"


def shipped(name: str) -> tuple[Part, Part]:
    """The training and the held-out part of a set that ships."""
    found = datasets.load(name)
    train, test = (
        Part(np.asarray(p.images), np.asarray(p.labels), found.class_names)
        for p in (found.train, found.test)
    )
    return train, test


def drawn(name: str, training: int, held_out: int) -> tuple[Part, Part]:
    """Pictures to train on, and others to measure on: drawn here if they are not there yet."""
    parts = []
    for seed, count in ((TRAINING_SEED, training), (HELD_OUT_SEED, held_out)):
        folder = DRAWN / f"{name}-{seed}"
        standins.draw(name, folder, count, seed=seed)
        parts.append(read(name, folder, count))
    return parts[0], parts[1]


def read(
    name: str, place: pathlib.Path, count: int | None = None, *, cache: pathlib.Path = DRAWN
) -> Part:
    """The first ``count`` pictures of a set with classes or attributes, as the networks see them.

    Portraits come twice: whole, and the central 150 pixels of them; lessons show either.
    """
    found = layouts.LOADERS[name](place)
    if not isinstance(found.pictures, Pictures):
        assert found.labels is not None
        # Of EMNIST itself the test part, on which others measure too.
        chosen = slice(0, count) if found.drawn else slice(found.n_train, None)
        return Part(found.pictures[chosen], found.labels[chosen], found.class_names)
    assert found.attributes is not None, f"{place} has no attributes"
    images, targets = [], []
    for crop in (None, 150) if name == "celeba" else (None,):
        file = cache / f"{place.name}-64x64{f'-crop{crop}' if crop else ''}.npy"
        array, kept, _ = prepare.prepared(found.pictures, file, (64, 64), crop=crop, count=count)
        images.append(np.asarray(array))
        targets.append(found.attributes.to_numpy(np.int64)[kept])
    return Part(np.concatenate(images), np.concatenate(targets), tuple(found.attributes.columns))


# ------------------------------------------------------------- how they are changed when shown


@dataclass(frozen=True)
class Changes:
    """How far a picture is changed at most each time it is shown; amounts are drawn uniformly.

    Attributes:
        turn: in degrees; zoom: as a share; shift: in pixels, each either way.
        background: what comes in from outside is background, -1; else the edges go on.
        flip: left and right change places in half of the pictures.
        light, tint: added to all channels alike, and to each; contrast: a factor 1 ± this.
        blur: a Gaussian of up to so many pixels; noise: of up to this deviation. All in units
            of [-1, 1].
    """

    turn: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    background: bool = True
    flip: bool = False
    light: float = 0.0
    contrast: float = 0.0
    tint: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __str__(self) -> str:
        text = (
            f"each time a picture is shown it is turned by up to {self.turn:g} degrees, scaled by "
            f"up to {100 * self.zoom:g} % and shifted by up to {self.shift:g} pixels, drawn "
            f"uniformly; {'background fills in' if self.background else 'its edges go on'}"
        )
        if self.flip:
            text += "; half are mirrored"
        if self.noise:
            text += (
                f"; light up to ±{self.light:g}, contrast 1 ± {self.contrast:g}, tint up to "
                f"±{self.tint:g}, blur up to {self.blur:g} pixels, noise up to {self.noise:g}"
            )
        return text


PEN = Changes(turn=10, zoom=0.1, shift=2)
CLOTHES = Changes(turn=5, zoom=0.1, shift=2, flip=True)
CAMERA = Changes(
    turn=8, zoom=0.12, shift=4, background=False, flip=True,
    light=0.2, contrast=0.25, tint=0.08, blur=0.8, noise=0.08,
)  # fmt: skip


def changed(images: Any, seed: Any, changes: Changes) -> Any:
    """Each picture changed by its own small random amounts.

    Args:
        images: float32, shape (n, height, width, channels), in [-1, 1].
        seed: int32 tensor of shape (2,); the same seed gives the same amounts.
        changes: which, and how far at most.

    Returns:
        Pictures of the same shape, in [-1, 1].
    """
    images = moved(images, seed, changes)
    if changes.noise:
        images = photographed(images, seed, changes)
    return images


def moved(images: Any, seed: Any, changes: Changes) -> Any:
    """Pictures turned, scaled, shifted and mirrored."""
    fold_in = tf.random.experimental.stateless_fold_in
    n, (height, width) = tf.shape(images)[0], images.shape[1:3]
    limits = [[math.radians(changes.turn)], [changes.zoom], [changes.shift], [changes.shift]]
    amounts = tf.constant(limits) * tf.random.stateless_uniform((4, n), seed, -1.0, 1.0)
    turn, zoom, right, down = tf.unstack(amounts)
    cos, sin = (1 + zoom) * tf.cos(turn), (1 + zoom) * tf.sin(turn)
    side = tf.ones(n)
    if changes.flip:
        side = tf.sign(tf.random.stateless_uniform((n,), fold_in(seed, 7), -1.0, 1.0))
    x, y = (width - 1) / 2, (height - 1) / 2  # the centre stays where it is, but for the shift
    first_row = [side * cos, -sin, x - side * x * cos + y * sin + right]
    second_row = [side * sin, cos, y - side * x * sin - y * cos + down]
    last_row = [tf.zeros_like(turn), tf.zeros_like(turn)]
    return keras.ops.image.affine_transform(
        images,
        tf.stack(first_row + second_row + last_row, axis=1),
        interpolation="bilinear",
        fill_mode="constant" if changes.background else "nearest",
        fill_value=-1.0,
        data_format="channels_last",
    )


def photographed(images: Any, seed: Any, changes: Changes) -> Any:
    """Pictures as other cameras would take them: light, contrast, tint, blur, noise."""
    fold_in = tf.random.experimental.stateless_fold_in
    n, channels = tf.shape(images)[0], images.shape[-1]

    def drawn(i: int, *shape: Any) -> Any:
        return tf.random.stateless_uniform((n, *shape), fold_in(seed, i), -1.0, 1.0)

    images = blurred(images, changes.blur * tf.abs(drawn(1, 1, 1, 1)))
    images *= 1 + changes.contrast * drawn(2, 1, 1, 1)
    images += changes.light * drawn(3, 1, 1, 1) + changes.tint * drawn(4, 1, 1, channels)
    grain = tf.random.stateless_normal(tf.shape(images), fold_in(seed, 5))
    return tf.clip_by_value(images + changes.noise * tf.abs(drawn(6, 1, 1, 1)) * grain, -1.0, 1.0)


def blurred(images: Any, deviations: Any) -> Any:
    """Pictures blurred, each by its own Gaussian; ``deviations``, (n, 1, 1, 1), are in pixels."""
    far = tf.square(tf.constant([1.0, 2.0])) / 2
    sides = tf.exp(-far / tf.maximum(tf.square(deviations[..., 0]), 1e-3))  # (n, 1, 2)
    sides /= 1 + 2 * tf.reduce_sum(sides, axis=-1, keepdims=True)
    one, two = (side[..., tf.newaxis] for side in tf.unstack(sides[..., tf.newaxis], axis=2))
    for axis in (1, 2):
        padded = tf.pad(images, [[0, 0] if a != axis else [2, 2] for a in range(4)], "SYMMETRIC")
        parts = [tf.gather(padded, tf.range(images.shape[axis]) + k, axis=axis) for k in range(5)]
        images = (1 - 2 * one - 2 * two) * parts[2]
        images += one * (parts[1] + parts[3]) + two * (parts[0] + parts[4])
    return images


# -------------------------------------------------------------------------------- the training


@dataclass(frozen=True)
class Plan:
    """How one network is made.

    Attributes:
        data: in words; parts: pictures to train on, and held out.
        build: the network, of a number of outputs and a name.
        changes, epochs: how pictures are changed when shown, and how often each is shown.
        looks: whether the features also learn :func:`look`.
        real: the name of the real data set, where the network is trained on a drawn one.
    """

    data: str
    parts: Callable[[], tuple[Part, Part]]
    build: Callable[..., keras.Model]
    changes: Changes
    epochs: int
    looks: bool = False
    real: str = ""

    def recipe(self, epochs: int) -> dict[str, Any]:
        """What a card says of the training."""
        look = LOOK if self.looks else {}
        return {"epochs": epochs, "augmentation": str(self.changes), **RECIPE, **look}


def _portraits(what: str, training: int, held_out: int) -> str:
    return (
        f"{training:,} {what} drawn from seed {TRAINING_SEED} to train on, {held_out:,} of seed "
        f"{HELD_OUT_SEED} for what is measured; no real picture to train on"
    )


PLANS = {
    "digits": Plan(
        "MNIST: 60,000 training pictures to train on, 10,000 test pictures for the accuracy below",
        lambda: shipped("mnist"),
        functools.partial(classifiers.grey_28x28, normalized=False),
        PEN,
        epochs=6,
    ),
    "characters": Plan(
        _portraits("characters", 70_500, 4_700),
        lambda: drawn("emnist", 70_500, 4_700),
        functools.partial(classifiers.grey_28x28, normalized=False),
        PEN,
        epochs=5,
        real="emnist",
    ),
    "fashion": Plan(
        "Fashion-MNIST's test split, the part that ships: 8,000 pictures to train on, 2,000 for "
        "the accuracy below",
        lambda: shipped("fashion_mnist"),
        classifiers.grey_28x28,
        CLOTHES,
        epochs=24,
    ),
    "faces": Plan(
        _portraits("portraits, each whole and its central 150 pixels, at 64×64,", 7_000, 2_000),
        lambda: drawn("celeba", 7_000, 2_000),
        classifiers.color_64x64,
        CAMERA,
        epochs=6,
        real="celeba",
        looks=True,
    ),
    "anime": Plan(
        _portraits("anime faces", 14_000, 2_000),
        lambda: drawn("anime", 14_000, 2_000),
        classifiers.color_64x64,
        CAMERA,
        epochs=6,
        looks=True,
    ),
}


def look(pictures: Any) -> Any:
    """What one sees at a glance: colors of 4×4 places, and how sharp the picture is.

    Args:
        pictures: float32, shape (n, height, width, 3), in [-1, 1]; height and width are
            multiples of 4.

    Returns:
        float32 of shape (n, 49). Sharpness, the last, is the logarithm of the mean difference of
        a pixel from the mean of its four neighbors, brought to about 0 and to the weight of all
        colors together.
    """
    height, width, channels = pictures.shape[1:]
    side = THUMBNAIL
    places = (-1, side, height // side, side, width // side, channels)
    thumbnail = tf.reduce_mean(tf.reshape(pictures, places), axis=(2, 4))
    inner, across = pictures[:, 1:-1, 1:-1], pictures[:, 1:-1, :-2] + pictures[:, 1:-1, 2:]
    around = (across + pictures[:, :-2, 1:-1] + pictures[:, 2:, 1:-1]) / 4
    difference = tf.reduce_mean(tf.abs(inner - around), axis=(1, 2, 3))
    sharpness = 4 * (tf.math.log(difference + 1e-3) + 3.4)
    return tf.concat([tf.reshape(thumbnail, (-1, side * side * channels)), sharpness[:, None]], 1)


def batches(
    part: Part, changes: Changes, batch_size: int, seed: int, *, looks: bool = False
) -> "tf.data.Dataset":
    """An endless stream of (changed float32 pictures in [-1, 1], what they show).

    With ``looks`` of (pictures, (what they show, :func:`look`)).
    """
    images, targets = part.images, tf.constant(part.targets)

    def prepare(positions: Any, step: Any) -> Any:
        taken = tf.numpy_function(lambda i: images[i], [positions], tf.uint8, stateful=False)
        taken = tf.ensure_shape(taken, (batch_size, *images.shape[1:]))
        pictures = tf.cast(taken, tf.float32) / 127.5 - 1.0
        pictures = changed(pictures, tf.stack([seed, step]), changes)
        shown = tf.gather(targets, positions)
        return pictures, (shown, look(pictures)) if looks else shown

    shuffled = tf.data.Dataset.range(len(part)).shuffle(len(part), seed=seed).repeat()
    positions = shuffled.batch(batch_size, drop_remainder=True)
    numbered = tf.data.Dataset.zip(positions, tf.data.Dataset.counter(dtype=tf.int32))
    return numbered.map(prepare, num_parallel_calls=2, deterministic=True).prefetch(2)


def train(
    network: keras.Model,
    part: Part,
    changes: Changes,
    *,
    epochs: int,
    looks: bool = False,
    seed: int = SEED,
) -> None:
    """Train a classifier that gives logits, in place; the recipe is :data:`RECIPE`."""
    steps_per_epoch = len(part) // BATCH_SIZE
    if not steps_per_epoch:
        raise ValueError(f"{len(part)} pictures do not fill one batch of {BATCH_SIZE}; take more.")
    steps = epochs * steps_per_epoch
    warm_up = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=FIRST_RATE,
        decay_steps=max(1, steps - warm_up),
        warmup_target=PEAK_RATE,
        warmup_steps=warm_up,
    )
    if part.kind == "classes":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    else:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        metric = keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
    if looks:  # a second head on the same layers, which `network` does not have
        seen = keras.layers.Dense(3 * THUMBNAIL**2 + 1)(network.get_layer("features").output)
        network = keras.Model(network.input, [network.output, seen])
        network.compile(keras.optimizers.Adam(rate), [loss, "mse"], metrics=[[metric], []])
    else:
        network.compile(keras.optimizers.Adam(rate), loss, metrics=[metric])
    network.fit(
        batches(part, changes, BATCH_SIZE, seed, looks=looks),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,  # the stream shuffles itself
        verbose=2,
    )


# ------------------------------------------------------------------------------- what it can do


def measured(network: keras.Model, part: Part) -> dict[str, Any]:
    """The accuracy on pictures not trained on, 0 to 1, in all and of each class or attribute."""
    logits = network.predict(datasets.to_float(part.images), batch_size=500, verbose=0)
    if part.kind == "classes":
        right = logits.argmax(axis=1) == part.targets
        classes = {
            name: round(float(right[part.targets == i].mean()), 4)
            for i, name in enumerate(part.names)
        }
        return {"accuracy": float(right.mean()), "accuracy_by_class": classes}
    right, there = (logits > 0) == part.targets, part.targets == 1
    attributes = {}
    for i, name in enumerate(part.names):
        found = [right[there[:, i] == has, i].mean() for has in (True, False)]
        attributes[name] = {
            "accuracy": round(float(right[:, i].mean()), 4),
            "balanced_accuracy": round(float(np.mean(found)), 4),
            "base_rate": round(float(there[:, i].mean()), 4),
        }
    return {"accuracy": float(right.mean()), "accuracy_by_attribute": attributes}


def on_real(network: keras.Model, plan: Plan, names: tuple[str, ...], folder: pathlib.Path) -> Any:
    """The same for real pictures; of their attributes those that the network knows."""
    part = read(plan.real, folder / plan.real)
    if part.kind == "attributes":
        columns = [part.names.index(name) for name in names]
        part = Part(part.images, part.targets[:, columns], names)
    what = "CelebA, whole and its central 150 pixels" if plan.real == "celeba" else "EMNIST's test"
    return {"data": f"{what}: {len(part):,} pictures, none trained on", **measured(network, part)}


def save_without_optimizer(network: keras.Model, file: pathlib.Path) -> str:
    """Write a network without its optimizer, whole or not at all; return the SHA-256."""
    save_network(file, keras.Model(network.input, network.output, name=network.name))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def store(card: dict[str, Any], folder: pathlib.Path) -> None:
    """Write a network's file anew with this version of Keras, weights unchanged, and say so."""
    name = card["name"]
    outputs = len(card.get("classes") or card["attributes"])
    network = PLANS[name].build(outputs, name=name)
    with tempfile.TemporaryDirectory() as unpacked:
        # The configuration beside the weights is what an older Keras cannot read.
        with zipfile.ZipFile(folder / f"{name}.keras") as archive:
            weights = archive.extract("model.weights.h5", unpacked)
        network.load_weights(weights)
    card["sha256"] = save_without_optimizer(network, folder / f"{name}.keras")
    card["stored"] = (
        f"saved anew, weights unchanged, with Keras {keras.__version__}, so that every supported "
        "version can load it: older versions cannot load the files of newer ones"
    )


def make(name: str, folder: pathlib.Path, epochs: int) -> dict[str, Any]:
    """Train a network; write it and return its card, still without what is measured."""
    plan = PLANS[name]
    part, _ = plan.parts()
    keras.utils.set_random_seed(SEED)
    network = plan.build(len(part.names), name=name)
    began = time.monotonic()
    train(network, part, plan.changes, epochs=epochs, looks=plan.looks)
    seconds = time.monotonic() - began
    return {
        "name": name,
        "data": plan.data,
        "recipe": plan.recipe(epochs),
        "command": f"python tools/train_feature_network.py {name} --epochs {epochs}",
        part.kind: list(part.names),
        "feature_layer": "features",
        "seconds": round(seconds),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "sha256": save_without_optimizer(network, folder / f"{name}.keras"),
    }


def measure(card: dict[str, Any], folder: pathlib.Path, real: pathlib.Path | None) -> None:
    """Fill in on a card what is measured of the network that it belongs to."""
    name = card["name"]
    plan, network = PLANS[name], keras.models.load_model(folder / f"{name}.keras")
    _, held_out = plan.parts()
    card |= measured(network, held_out)
    if real is not None and plan.real:
        card["real"] = on_real(network, plan, held_out.names, real)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=PLANS, help="which network")
    parser.add_argument("--epochs", type=int, help="passes over the training pictures")
    parser.add_argument("--out", type=pathlib.Path, default=WEIGHTS_FOLDER)
    parser.add_argument("--real", type=pathlib.Path, help="where real data sets are, to measure on")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--measure", action="store_true", help="train nothing; measure anew")
    instead.add_argument("--store", action="store_true", help="train nothing; save it anew")
    options = parser.parse_args(arguments)
    epochs = PLANS[options.name].epochs if options.epochs is None else options.epochs
    if epochs < 1:
        parser.error(f"--epochs is {epochs}; it must be at least 1.")
    options.out.mkdir(parents=True, exist_ok=True)
    card_file = options.out / f"{options.name}.json"
    if options.measure or options.store:
        card = json.loads(card_file.read_text(encoding="utf-8"))
    else:
        card = make(options.name, options.out, epochs)
    if options.store:
        store(card, options.out)
    else:
        measure(card, options.out, options.real)
    write_json(card_file, card)
    print(f"{card_file.with_suffix('.keras')}: {100 * card['accuracy']:.2f} % on held-out pictures")


if __name__ == "__main__":
    main()
