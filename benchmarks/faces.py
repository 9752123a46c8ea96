"""What the recipe of lesson 2 owes to each of its parts: the same steps, one change at a time.

    python benchmarks/faces.py [--variants recommended no_r1 batch_norm classic] [--steps N]
        [--marks N ...] [--seeds N ...] [--count N] [--real FOLDER] [--out FOLDER]

Faces of 64×64: drawn ones, or with ``--real`` CelebA's own, from a folder that has them as
``GAN_DATA`` would (see data/README.md). Each variant trains so many steps of lesson 2's
networks, each with its own batch size; at each mark the Fréchet distance of 2,000 samples to
held-out faces, their diversity, and the seconds of training so far. Steps and scores do not
depend on what else the machine does; the seconds do. A sheet of samples of each goes to ``--out``.

With ``--variants recommended --steps 50000`` it says how long more training pays.
"""

import argparse
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from benchmarks.report import aligned, machine
from helpers import datasets, face_models, feature_networks, gans, metrics, plotting
from helpers._backend import keras

SAMPLES = 2000
VARIANTS = ("recommended", "no_r1", "batch_norm", "classic")


def discriminator_with_norm() -> keras.Model:
    """Lesson 2's discriminator with BatchNormalization after each layer but the first."""
    layers = keras.layers
    x = picture = keras.Input((64, 64, 3))
    for k, filters in enumerate((16, 32, 64)):
        x = layers.Conv2D(filters, 4, strides=2, padding="same", use_bias=k == 0)(x)
        x = layers.BatchNormalization(momentum=0.9)(x) if k else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Dense(128, use_bias=False)(layers.Flatten()(x))
    x = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(picture, layers.Dense(1, dtype="float32")(x), name="discriminator")


def variant(name: str, seed: int) -> tuple[gans.GAN, int]:
    """A compiled GAN and its batch size."""
    keras.utils.set_random_seed(seed)
    adam = keras.optimizers.Adam
    if name == "classic":
        pair = face_models.minimal_generator(), face_models.minimal_discriminator()
        gan = gans.GAN(*pair, ema_decay=0, seed=seed)
        gan.compile(adam(2e-4), adam(2e-4))
        return gan, 32
    normed = name == "batch_norm"
    judge = discriminator_with_norm() if normed else face_models.face_discriminator()
    r1 = 1.0 if name == "recommended" else 0.0
    gan = gans.GAN(face_models.face_generator(), judge, r1=r1, ema_decay=0.999, seed=seed)
    gan.compile(adam(1e-3, beta_1=0.5, beta_2=0.99), adam(1e-3, beta_1=0.5, beta_2=0.99))
    return gan, 16


def train(
    name: str, seed: int, faces: datasets.ImageSet, marks: Sequence[int], out: pathlib.Path
) -> list[list[str]]:
    """Train one variant; a row of the table for each mark."""
    gan, batch_size = variant(name, seed)
    network = feature_networks.for_data(faces)
    n = min(SAMPLES, len(faces.test))
    real, _ = network(datasets.to_float(np.asarray(faces.test.images[:n])))
    rows, spent = [], 0.0
    for mark in sorted(marks):
        began, done = time.perf_counter(), gan.steps_done()
        batches = faces.train.batches(batch_size, seed=seed, start_step=done)
        gan.fit(batches, steps_per_epoch=mark - done, epochs=1, verbose=0)
        spent += time.perf_counter() - began
        samples = gan.generate(n, seed=99)
        fake, _ = network(samples)
        distance, variety = metrics.frechet_distance(fake, real), metrics.diversity(fake, real)
        rows.append([name, str(seed), f"{mark:,}", f"{spent:.0f}", f"{distance:.2f}"])
        rows[-1].append(f"{variety:.3f}")
        print("  ".join(rows[-1]), flush=True)
        sheet = plotting.tile(plotting.as_uint8(samples[:48]), 12)
        Image.fromarray(sheet).save(out / f"{name}-{seed}.png")
    return rows


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--marks", type=int, nargs="+", help="default: a half, and all of them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--real", help="a folder with CelebA, as GAN_DATA names it")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/benchmarks/faces"))
    options = parser.parse_args(arguments)
    if options.real:
        os.environ["GAN_DATA"] = options.real
    options.out.mkdir(parents=True, exist_ok=True)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    faces = datasets.load("celeba", image_size=64, crop=150, count=options.count)
    marks = options.marks or [options.steps // 2, options.steps]
    rows: list[list[Any]] = [["variant", "seed", "steps", "s", "Fréchet distance", "diversity"]]
    rows.append(["real faces", "", "", "", f"{_of_real(faces):.2f}", ""])
    for seed in options.seeds:
        for name in options.variants:
            rows += train(name, seed, faces, marks, options.out)
    print(aligned(rows))


def _of_real(faces: datasets.ImageSet) -> float:
    """The Fréchet distance of training faces to held-out ones: what can be reached."""
    network, n = feature_networks.for_data(faces), min(SAMPLES, len(faces.test))
    parts = (datasets.to_float(part.sample(n, seed=0)) for part in (faces.train, faces.test))
    return metrics.frechet_distance(*(network(part)[0] for part in parts))


if __name__ == "__main__":
    main()
