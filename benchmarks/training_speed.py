"""Images a second of the ways to run a training step, on the same networks.

    python benchmarks/training_speed.py [--rounds N] [--steps N] [--networks recommended r1]

Four ways: the loop written by hand as in lesson 1 (two gradient tapes in one
``tf.function``, called from a ``for``), ``gans.GAN.fit`` under a time budget, the same with
a live figure, and the bare compiled step on one batch over and over. Then the bare step
again, in float32 and in mixed bfloat16. The ways take turns in one process, in a new order
every round, so that what else the machine does meets all of them; medians are compared.
None keeps an EMA copy, because the loop written by hand has none. The live figure is drawn
before the first step, every few seconds and after the last, so it costs short runs more.
"""

import argparse
import functools
import pathlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.recipes import RECIPES, Contestant
from benchmarks.report import aligned
from helpers import datasets, monitors, runtime, training
from helpers._backend import tf

Way = Callable[[int], None]
"""Runs so many training steps."""

NETWORKS = ("recommended", "r1")
WARM_UP_STEPS = 3
BARE, LIVE = "bare compiled step", ".fit, live figure"


class Speed(NamedTuple):
    """Images a second: by the clock, and of processor time, which a busy machine hardly alters."""

    wall: float
    cpu: float


def contestant(recipe: str) -> Contestant:
    """A recipe with its EMA copy, if it has one, put away."""
    made = RECIPES[recipe](3600, 0)
    made.model.ema_generator = None
    return made


def bare_step(made: Contestant) -> Way:
    """The compiled training step on one batch that is already there."""
    step = tf.function(made.model.train_step)
    batch = next(iter(training_digits().batches(made.batch_size)))

    def run(steps: int) -> None:
        for _ in range(steps):
            step(batch)

    return run


def fit(made: Contestant, *, live: bool = False) -> Way:
    """``.fit`` with a time budget, and if wanted with a live figure written to a file."""
    z = training.noise(50, made.model.latent_dim, kind=made.model.noise_kind, step=-1)
    folder = tempfile.TemporaryDirectory()

    def run(steps: int) -> None:
        callbacks = [training.TimeBudget(60)]
        if live:
            callbacks.append(monitors.LiveFigure(z, folder=pathlib.Path(folder.name)))
        stream = training_digits().batches(made.batch_size)
        made.model.fit(stream, steps_per_epoch=steps, callbacks=callbacks, verbose=0)

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
        for number, real in enumerate(training_digits().batches(made.batch_size).take(steps)):
            d_loss, g_loss = step(real, tf.constant(number))
            losses.append((float(d_loss), float(g_loss)))

    return run


def measure(ways: dict[str, tuple[Way, int]], *, rounds: int, steps: int) -> dict[str, Speed]:
    """The median speed of each way; a way comes with its batch size."""
    speeds: dict[str, list[Speed]] = {name: [] for name in ways}
    for way, _ in ways.values():
        way(WARM_UP_STEPS)
    order = list(ways)
    for number in range(rounds):
        random.Random(number).shuffle(order)
        for name in order:
            way, batch_size = ways[name]
            wall, cpu = time.perf_counter(), time.process_time()
            way(steps)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            images = steps * batch_size
            speeds[name].append(Speed(images / wall, images / cpu))
        print(f"round {number + 1} of {rounds}", flush=True)
    return {
        name: Speed(*(statistics.median(column) for column in zip(*values, strict=True)))
        for name, values in speeds.items()
    }


def table(title: str, speeds: dict[str, Speed], reference: str) -> str:
    """Speeds as lines of text, each also as a multiple of the reference's."""
    rows = [[title, "images/s", "ratio", "images/CPU-s", "ratio"]]
    for name, speed in speeds.items():
        cells = [name]
        for value, of in zip(speed, speeds[reference], strict=True):
            cells += [f"{value:.0f}", f"{value / of:.3f}"]
        rows.append(cells)
    return aligned(rows)


def compare_ways(recipe: str, rounds: int, steps: int) -> None:
    """Print how fast the ways are on a recipe's networks."""
    makers: dict[str, Callable[[Contestant], Way]] = {
        BARE: bare_step,
        "loop by hand": by_hand,
        ".fit": fit,
        LIVE: functools.partial(fit, live=True),
    }
    ways = {}
    for name, maker in makers.items():
        made = contestant(recipe)
        ways[name] = (maker(made), made.batch_size)
    speeds = measure(ways, rounds=rounds, steps=steps)
    print(table(f"{recipe} networks", speeds, reference=BARE))
    compared = [speed.wall for name, speed in speeds.items() if name != LIVE]
    apart = 100 * (1 - min(compared) / max(compared))
    print(f"without the figure, the slowest is {apart:.1f} % behind the fastest (bar: 10 %)\n")


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


@functools.cache
def training_digits() -> datasets.ImageSet:
    """MNIST's training pictures, read once."""
    return datasets.load("mnist").train


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    options = parser.parse_args(arguments)
    runtime.seed_everything(0)
    for recipe in options.networks:
        compare_ways(recipe, options.rounds, options.steps)
    for recipe in options.networks:
        compare_precisions(recipe, options.rounds, options.steps)


if __name__ == "__main__":
    main()
