"""Which share of the machine's matrix-multiply rate training reaches, and what takes the rest.

For each of the six models, on 28×28 pictures: the floating-point operations of a compiled step,
counted by TensorFlow from its graph, over the seconds of a step, over the rate of a large
float32 matrix product measured in turn with it. Then TensorFlow's profiler says in which
kinds of operations the threads were busy.
"""

import collections
import contextlib
import io
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report import aligned
from helpers import cyclegan, gans, models, vaes
from helpers._backend import keras, tf

layers = keras.layers

BATCH = 64
PRODUCT = 2048
"""Rows and columns of the matrices whose product gives the machine's rate."""
STEPS = 5
CONTRACTIONS = ("MatMul", "Conv2D")


class Found(NamedTuple):
    """What a model's step does."""

    operations: float
    seconds: float
    share: float
    busy: dict[str, float]


def encoder(latent_dim: int = 64) -> keras.Model:
    """A convolutional encoder: pictures (n, 28, 28, 1) to mean and log-variance."""
    x = inputs = keras.Input((28, 28, 1))
    for filters in (32, 64):
        x = layers.Conv2D(filters, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, [layers.Dense(latent_dim)(x), layers.Dense(latent_dim)(x)])


def critic() -> keras.Model:
    """The recommended discriminator without BatchNormalization."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(64, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dense(128),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(1),
        ]
    )


def translator() -> keras.Model:
    """Pictures (n, 28, 28, 1) to pictures, through 7×7."""
    x = inputs = keras.Input((28, 28, 1))
    for filters in (32, 64):
        x = layers.Conv2D(filters, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(inputs, x)


def gan() -> Any:
    """Lesson 1's recommended networks."""
    return gans.GAN(models.digit_generator(), models.digit_discriminator())


def conditional() -> Any:
    """The networks of lesson 3's classic recipe, ten classes."""
    networks = models.conditional_generator(10), models.conditional_discriminator(10)
    return gans.ConditionalGAN(*networks)


def wasserstein() -> Any:
    """With gradient penalty, five critic updates a step."""
    return gans.WassersteinGAN(models.digit_generator(), critic())


def vae() -> Any:
    """The recommended generator as decoder."""
    return vaes.VAE(encoder(), models.digit_generator())


def vaegan() -> Any:
    """Likeness in features."""
    return vaes.VAEGAN(encoder(), models.digit_generator(), models.digit_discriminator())


def cycle() -> Any:
    """Two small translators."""
    return cyclegan.CycleGAN(translator(), translator(), critic(), critic())


MODELS: dict[str, tuple[Callable[[], Any], int]] = {
    "GAN": (gan, 2),
    "ConditionalGAN": (conditional, 2),
    "WassersteinGAN": (wasserstein, 2),
    "VAE": (vae, 1),
    "VAEGAN": (vaegan, 3),
    "CycleGAN": (cycle, 2),
}


def compiled(name: str) -> Any:
    """A model with Adam throughout."""
    build, optimizers = MODELS[name]
    model = build()
    model.compile(*[keras.optimizers.Adam(2e-4, 0.5) for _ in range(optimizers)])
    return model


def batch_for(name: str) -> Any:
    """A batch of noise as this model wants it."""
    random = np.random.default_rng(0)
    first, second = random.uniform(-1, 1, (2, BATCH, 28, 28, 1)).astype(np.float32)
    one_hot = np.eye(10, dtype=np.float32)[random.integers(0, 10, BATCH)]
    given = {"CycleGAN": (first, second), "ConditionalGAN": (first, one_hot)}.get(name, first)
    return tf.nest.map_structure(tf.constant, given)


def operations_of(step: Any, batch: Any) -> float:
    """Floating-point operations of a ``tf.function`` on this batch, as TensorFlow counts them."""
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder.float_operation()
    options = profiler.ProfileOptionBuilder(options).with_empty_output().build()
    with contextlib.redirect_stdout(io.StringIO()):
        graph = step.get_concrete_function(batch).graph
        return float(profiler.profile(graph, options=options).total_float_ops)


def product_rate() -> float:
    """Floating-point operations a second of a large float32 matrix product."""
    a = tf.random.stateless_normal((PRODUCT, PRODUCT), (1, 2))
    tf.matmul(a, a).numpy()
    began = time.perf_counter()
    for _ in range(STEPS):
        tf.matmul(a, a).numpy()
    return STEPS * 2 * PRODUCT**3 / (time.perf_counter() - began)


def seconds_of(step: Any, batch: Any) -> float:
    """Seconds a step."""
    began = time.perf_counter()
    for _ in range(STEPS):
        logs = step(batch)
    next(iter(logs.values())).numpy()
    return (time.perf_counter() - began) / STEPS


def busy_in(step: Any, batch: Any) -> dict[str, float]:
    """The share of the threads' busy time in each kind of operation, the largest first."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        seconds_of(step, batch)
        tf.profiler.experimental.stop()
        (file,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    spent: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            kind = plane.event_metadata[event.metadata_id].name.rpartition(":")[2]
            if kind.startswith("_Mkl") or hasattr(tf.raw_ops, kind):  # not what contains others
                spent[kind.removeprefix("_MklNative").removeprefix("_Mkl")] += event.duration_ps
    return {kind: amount / sum(spent.values()) for kind, amount in spent.most_common()}


def examine(name: str, rounds: int) -> Found:
    """One model's numbers; product and step take turns, and of each the best round counts."""
    step, batch = tf.function(compiled(name).train_step), batch_for(name)
    operations = operations_of(step, batch)
    seconds_of(step, batch)
    rates, seconds = [], []
    for _ in range(rounds):
        rates.append(product_rate())
        seconds.append(seconds_of(step, batch))
    share = operations / min(seconds) / max(rates)
    return Found(operations, min(seconds), share, busy_in(step, batch))


def bound(busy: dict[str, float]) -> str:
    """What takes the time, in words."""
    contractions = sum(
        share for kind, share in busy.items() if any(word in kind for word in CONTRACTIONS)
    )
    first = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in list(busy.items())[:4])
    where = "convolutions and matrix products" if contractions > 0.5 else "all else: memory traffic"
    return f"{100 * contractions:.0f} % of it in products; bound by {where} ({first})"


def compare(rounds: int) -> None:
    """Print the table of all models."""
    rows = [["model", "GFLOP a step", "ms a step", "share of the product's rate"]]
    words = []
    for name in MODELS:
        found = examine(name, rounds)
        figures = found.operations / 1e9, 1e3 * found.seconds, 100 * found.share
        rows.append([name, *(f"{x:.{n}f}" for x, n in zip(figures, (1, 0, 0), strict=True))])
        rows[-1][-1] += " %"
        words.append(f"{name}: {bound(found.busy)}")
    print(aligned(rows), *words, sep="\n")
