"""How fast training runs: ways to run a step, PyTorch beside it, checkpoints, arithmetic.

    python benchmarks/training.py [--parts ways precisions checkpoint arithmetic]
        [--ways bare hand fit monitored torch] [--rounds N] [--steps N]
        [--networks recommended classic dcgan64] [--torch-python FILE]

``ways``: the bare compiled step on one batch over and over; the loop written by hand as in
lesson 1 (two gradient tapes in one ``tf.function``, called from a ``for``); ``gans.GAN.fit``
under a time budget; the same with the default monitors (live figure and symptoms); and, where
PyTorch is installed (here, or in the environment of ``--torch-python``), the same networks in a
plain PyTorch loop on the CPU, in a process of its own. ``precisions``: the bare step in float32
and in mixed bfloat16. The ways take turns in a new order every round, so that what else the
machine does meets all of them; a ratio is the median of the ratios of the rounds. None keeps an
EMA copy, because the loops by hand have none. The live figure is drawn before the first step,
every few seconds and after the last, so it costs short runs more: take as many ``--steps`` as
make a minute to see what it costs a lesson.

``checkpoint``: seconds to write one and to continue from it. ``arithmetic``: which share of
the machine's matrix-multiply rate each model's training reaches, and where the time goes
(see ``benchmarks/arithmetic.py``).
"""

import argparse
import functools
import importlib.util
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks import arithmetic
from benchmarks.recipes import RECIPES, Contestant
from benchmarks.report import aligned, machine
from helpers import checkpoints, datasets, gans, monitors, runtime, symptoms, training
from helpers._backend import keras, tf

Way = Callable[[int], "tuple[float, float] | None"]
"""Runs so many training steps; says what they took only if another process did them."""

PARTS = ("ways", "precisions", "checkpoint", "arithmetic")
NETWORKS = ("recommended", "classic", "dcgan64")
WAYS = ("bare", "hand", "fit", "monitored", "torch")
WARM_UP_STEPS = 3
BARE, MONITORED, TORCH = "bare compiled step", ".fit, default monitors", "PyTorch loop"
BARS = {MONITORED: 0.93}
"""What must be reached, as a part of the bare step's rate."""


class Speed(NamedTuple):
    """Images a second: by the clock, and of processor time, which a busy machine hardly alters."""

    wall: float
    cpu: float


def contestant(recipe: str) -> Contestant:
    """A recipe with its EMA copy, if it has one, put away."""
    made = dcgan64() if recipe == "dcgan64" else RECIPES[recipe](3600, 0)
    made.model.ema_generator = None
    return made


def dcgan64() -> Contestant:
    """DCGAN for colour pictures of 64×64 (Radford et al., 2015, arXiv:1511.06434), half as wide."""
    layers = keras.layers
    g = [
        keras.Input((100,)),
        layers.Dense(4 * 4 * 256, use_bias=False),
        layers.Reshape((4, 4, 256)),
    ]
    for filters in (128, 64, 32):
        g += [layers.BatchNormalization(), layers.ReLU()]
        g += [layers.Conv2DTranspose(filters, 4, 2, padding="same", use_bias=False)]
    g += [layers.BatchNormalization(), layers.ReLU()]
    g += [layers.Conv2DTranspose(3, 4, 2, padding="same", dtype="float32", activation="tanh")]
    d = [keras.Input((64, 64, 3)), layers.Conv2D(32, 4, 2, padding="same"), layers.LeakyReLU(0.2)]
    for filters in (64, 128, 256):
        d += [layers.Conv2D(filters, 4, 2, padding="same", use_bias=False)]
        d += [layers.BatchNormalization(), layers.LeakyReLU(0.2)]
    d += [layers.Flatten(), layers.Dense(1, dtype="float32")]
    model = gans.GAN(keras.Sequential(g), keras.Sequential(d), ema_decay=0)
    model.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    return Contestant("DCGAN 64×64", "arXiv:1511.06434", model, 64, training.TimeBudget(60))


def bare_step(made: Contestant) -> Way:
    """The compiled training step on one batch that is already there."""
    step = tf.function(made.model.train_step)
    batch = next(iter(pictures(made).batches(made.batch_size)))

    def run(steps: int) -> None:
        for _ in range(steps):
            step(batch)

    return run


def fit(made: Contestant, *, monitored: bool = False) -> Way:
    """``.fit`` with a time budget, and if wanted with what a lesson watches its training with."""
    model = made.model
    z = training.noise(50, model.latent_dim, kind=model.noise_kind, step=-1)
    folder = tempfile.TemporaryDirectory()

    def run(steps: int) -> None:
        callbacks: list[Any] = [training.TimeBudget(60)]
        stream = pictures(made).batches(made.batch_size)
        if monitored:
            watching = symptoms.Symptoms(pictures(made).sample(32), z)
            callbacks += [monitors.LiveFigure(z, folder=pathlib.Path(folder.name)), watching]
        model.fit(stream, steps_per_epoch=steps, callbacks=callbacks, verbose=0)

    return run


def by_hand(made: Contestant) -> Way:
    """The loop as lesson 1 writes it, with the networks, optimizers and losses of a recipe."""
    model = made.model
    generator, discriminator = model.generator, model.discriminator

    def discriminator_half(real: Any, z: Any) -> Any:
        fake = generator(z, training=True)
        with tf.GradientTape() as tape:
            if model.joint_batch:
                both = discriminator(tf.concat([real, fake], axis=0), training=True)
                real_logits, fake_logits = tf.split(both, 2)
            else:
                real_logits = discriminator(real, training=True)
                fake_logits = discriminator(fake, training=True)
            loss = model.discriminator_loss(real_logits, fake_logits)
        gradients = tape.gradient(loss, discriminator.trainable_variables)
        model.d_optimizer.apply(gradients, discriminator.trainable_variables)
        return loss

    def generator_half(z: Any) -> Any:
        with tf.GradientTape() as tape:
            fake = generator(z, training=True)
            loss = model.generator_loss(discriminator(fake, training=True))
        gradients = tape.gradient(loss, generator.trainable_variables)
        model.optimizer.apply(gradients, generator.trainable_variables)
        return loss

    def z_of(number: Any, draw: int) -> Any:
        return training.noise(
            made.batch_size, model.latent_dim, kind=model.noise_kind, step=number, draw=draw
        )

    @tf.function
    def step(real: Any, number: Any) -> tuple[Any, Any]:
        return discriminator_half(real, z_of(number, 0)), generator_half(z_of(number, 1))

    def run(steps: int) -> None:
        losses = []
        for number, real in enumerate(pictures(made).batches(made.batch_size).take(steps)):
            d_loss, g_loss = step(real, tf.constant(number))
            losses.append((float(d_loss), float(g_loss)))

    return run


def torch_loop(made: Contestant, python: str) -> Way:
    """The same networks in ``torch_loop.py``, run by another interpreter."""
    process = subprocess.Popen(
        [python, str(pathlib.Path(__file__).with_name("torch_loop.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(line: str) -> Any:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    told = ask(json.dumps(torch_description(made)))
    ours = sum(
        int(np.prod(weight.shape))
        for network in (made.model.generator, made.model.discriminator)
        for weight in network.trainable_variables
    )
    if told["parameters"] != ours:
        raise RuntimeError(f"PyTorch trains {told['parameters']:,} numbers, we {ours:,}")
    return lambda steps: tuple(ask(str(steps)))


def torch_description(made: Contestant) -> dict[str, Any]:
    """What ``torch_loop.py`` has to train."""
    model = made.model
    return {
        "generator": [described(layer) for layer in model.generator.layers],
        "discriminator": [described(layer) for layer in model.discriminator.layers],
        "optimizer": optimizer_settings(model.optimizer),
        "latent_dim": model.latent_dim,
        "joint_batch": model.joint_batch,
        "shape": model.discriminator.input_shape[1:],
        "batch_size": made.batch_size,
    }


def described(layer: Any) -> tuple[str, dict[str, Any]]:
    """A Keras layer's kind and settings."""
    config = layer.get_config()
    settings = {
        "inputs": layer.input.shape[-1],
        "outputs": layer.output.shape[-1],
        "rank": len(layer.input.shape),
        "kernel": config.get("kernel_size", [0])[0],
        "strides": config.get("strides", [0])[0] if config.get("strides") else 0,
        "padding": config.get("padding"),
        "bias": config.get("use_bias", False),
        "activation": config.get("activation", ""),
        "momentum": config.get("momentum"),
        "slope": config.get("negative_slope"),
        "shape": config.get("target_shape"),
    }
    return type(layer).__name__, settings


def optimizer_settings(optimizer: Any) -> dict[str, Any]:
    """What PyTorch has to know of Adam or SGD."""
    config = optimizer.get_config()
    names = ("beta_1", "beta_2", "momentum", "nesterov")
    settings = {name: config.get(name) for name in names}
    return {**settings, "kind": type(optimizer).__name__, "rate": float(config["learning_rate"])}


def python_with_torch(given: str | None) -> str | None:
    """An interpreter that has PyTorch: the one named, or this one; None if it has not."""
    if given:
        return given
    return sys.executable if importlib.util.find_spec("torch") else None


def measure(ways: dict[str, tuple[Way, int]], *, rounds: int, steps: int) -> dict[str, list[Speed]]:
    """The speeds of each way, one a round; a way comes with its batch size."""
    speeds: dict[str, list[Speed]] = {name: [] for name in ways}
    for way, _ in ways.values():
        way(WARM_UP_STEPS)
    order = list(ways)
    for number in range(rounds):
        random.Random(number).shuffle(order)
        for name in order:
            way, batch_size = ways[name]
            wall, cpu = time.perf_counter(), time.process_time()
            elsewhere = way(steps)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            wall, cpu = elsewhere or spent
            images = steps * batch_size
            speeds[name].append(Speed(images / wall, images / cpu))
        print(f"round {number + 1} of {rounds}", flush=True)
    return speeds


def table(title: str, speeds: dict[str, list[Speed]], reference: str) -> str:
    """Median speeds as lines of text, each with the median of its ratios to the reference."""
    rows = [[title, "images/s", "ratio", "images/CPU-s", "ratio"]]
    for name, rounds in speeds.items():
        cells = [name]
        for kind in Speed._fields:
            value = statistics.median(getattr(speed, kind) for speed in rounds)
            cells += [f"{value:.0f}", f"{ratio(speeds, name, reference, kind):.3f}"]
        rows.append(cells)
    return aligned(rows)


def ratio(speeds: dict[str, list[Speed]], name: str, reference: str, kind: str = "wall") -> float:
    """The median, over the rounds, of one way's speed as a multiple of another's."""
    rounds = zip(speeds[name], speeds[reference], strict=True)
    return statistics.median(getattr(one, kind) / getattr(other, kind) for one, other in rounds)


def compare_ways(
    recipe: str, chosen: Collection[str], rounds: int, steps: int, torch_python: str | None
) -> None:
    """Print how fast the ways are on a recipe's networks; the bare step is always among them."""
    if "torch" in chosen and not torch_python:
        print("PyTorch is not installed: left out (see --torch-python)")
        chosen = set(chosen) - {"torch"}
    makers: dict[str, tuple[str, Callable[[Contestant], Way]]] = {
        "bare": (BARE, bare_step),
        "hand": ("loop by hand", by_hand),
        "fit": (".fit", fit),
        "monitored": (MONITORED, functools.partial(fit, monitored=True)),
        "torch": (TORCH, functools.partial(torch_loop, python=torch_python or "")),
    }
    ways = {}
    for short in (one for one in WAYS if one == "bare" or one in chosen):
        name, maker = makers[short]
        made = contestant(recipe)
        ways[name] = (maker(made), made.batch_size)
    speeds = measure(ways, rounds=rounds, steps=steps)
    print(table(f"{recipe} networks", speeds, reference=BARE))
    for name, bar in BARS.items():
        if name in speeds:
            print(f"{name}: {ratio(speeds, name, BARE):.3f} of the bare step (bar: {bar})")
    if TORCH in speeds:
        print(f"bare step: {ratio(speeds, BARE, TORCH):.3f} of PyTorch's rate (bar: 1)")
    print()


def compare_precisions(recipe: str, rounds: int, steps: int) -> None:
    """Print how fast the bare step is in float32 and in mixed bfloat16."""
    ways = {}
    for precision in ("float32", "mixed_bfloat16"):
        runtime.set_precision(precision)
        made = contestant(recipe)
        ways[precision] = (bare_step(made), made.batch_size)
    runtime.set_precision("float32")
    speeds = measure(ways, rounds=rounds, steps=steps)
    print(table(f"{recipe} networks", speeds, reference="float32"))
    print(
        f"runtime.processor_gains_from_bfloat16() says {runtime.processor_gains_from_bfloat16()}\n"
    )


def checkpoint_costs(recipe: str, rounds: int) -> None:
    """Print the seconds that a checkpoint takes to write, and to continue from."""
    writes, fresh, resumed = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        keep_going(recipe, folder, 2, resume=False)
        for _ in range(rounds):
            fresh.append(keep_going(recipe, f"{folder}/new", 1, resume=False)[1])
            checkpoint, seconds = keep_going(recipe, folder, checkpoints_step(folder) + 1)
            resumed.append(seconds)
            began = time.perf_counter()
            checkpoint.write()
            writes.append(time.perf_counter() - began)
        size = (pathlib.Path(folder) / "checkpoint.npz").stat().st_size / 2**20
    write = statistics.median(writes)
    more = statistics.median(a - b for a, b in zip(resumed, fresh, strict=True))
    share = 1 / (1 + checkpoints.SPARING)
    print(f"{recipe} networks: a checkpoint of {size:.1f} MiB is written in {write:.3f} s:")
    print(f"  {100 * write / 300:.2f} % of the time if every 5 minutes,")
    print(f"  at most {100 * share:.2f} % where epochs are short (bar: 2 %)")
    print(f"  continuing costs {more:.2f} s more than beginning anew (bar: 3 s)\n")


def keep_going(recipe: str, folder: str, epochs: int, resume: bool = True) -> tuple[Any, float]:
    """Build a model and train on to so many epochs of one step: its checkpoint, and seconds."""
    began = time.perf_counter()
    made = contestant(recipe)
    checkpoint = checkpoints.Checkpoint(made.model, folder, resume=resume)
    stream = pictures(made).batches(made.batch_size, start_step=checkpoint.step)
    ended: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ended.append(time.perf_counter())
    )
    made.model.fit(
        stream, steps_per_epoch=1, epochs=epochs, callbacks=[note, checkpoint], verbose=0
    )
    return checkpoint, ended[-1] - began


def checkpoints_step(folder: str) -> int:
    """The step of the checkpoint in a folder."""
    with np.load(pathlib.Path(folder) / "checkpoint.npz") as archive:
        return int(json.loads(archive["json"].tobytes().decode())["step"])


def pictures(made: Contestant) -> datasets.ImageSet:
    """What a contestant trains on: MNIST, or for other sizes colour noise."""
    shape = made.model.discriminator.input_shape[1:]
    return training_digits() if shape == (28, 28, 1) else colour_noise(shape)


@functools.cache
def colour_noise(shape: tuple[int, ...]) -> datasets.ImageSet:
    """4,096 pictures of noise: speed does not depend on what is in them."""
    images = np.random.default_rng(0).integers(0, 256, (4096, *shape), dtype=np.uint8)
    return datasets.ImageSet("noise", images, np.zeros(4096, np.int64), ("noise",), "here", 4096)


@functools.cache
def training_digits() -> datasets.ImageSet:
    """MNIST's training pictures, read once."""
    return datasets.load("mnist").train


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--torch-python", help="an interpreter that has PyTorch; default: this")
    options = parser.parse_args(arguments)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    tf.get_logger().setLevel("ERROR")  # many models in one process: TensorFlow warns of tracing
    runtime.seed_everything(0)
    rounds, steps = options.rounds, options.steps
    for recipe in options.networks if "ways" in options.parts else ():
        python = python_with_torch(options.torch_python)
        compare_ways(recipe, options.ways, rounds, steps, python)
    for recipe in options.networks if "precisions" in options.parts else ():
        compare_precisions(recipe, rounds, steps)
    for recipe in options.networks if "checkpoint" in options.parts else ():
        checkpoint_costs(recipe, rounds)
    if "arithmetic" in options.parts:
        arithmetic.compare(rounds)


if __name__ == "__main__":
    main()
