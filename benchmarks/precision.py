"""Whether half precision learns as well as float32: one recipe, several seeds, one score each.

    python benchmarks/precision.py [--precisions float32 mixed_bfloat16 mixed_float16]
        [--seeds 0 1 2 3] [--steps N] [--out DIR]

Lesson 1's recommended recipe trains so many steps in each precision, from the same first weights
and on the same pictures and z wherever the seed is the same, in a process of its own. The samples
of its EMA copy are judged in float32, by the Fréchet distance between the features that our
digit classifier finds in them and in MNIST's test pictures. Each result goes to
``DIR/scores.json`` at once, and what stands there already is not trained again.

The table gives mean and spread over the seeds, and the 95 % interval of the difference to
float32 (Welch's t; GAN training is chaotic, so equal seeds do not make pairs). If 0 lies
in it, the two are alike within noise, and its width says how small a difference would have shown.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import pathlib
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, get_args

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import scipy.stats

from benchmarks.recipes import RECIPES
from benchmarks.report import aligned, machine
from helpers import datasets, feature_networks, metrics, runtime, training
from helpers.runs import write_json

SAMPLES = 5_000
SCORING_SEED = 2024
FULL = "float32"
PRECISIONS = tuple(name for name in get_args(runtime.Precision) if name != "auto")


def train(precision: Any, seed: int, steps: int) -> dict[str, Any]:
    """Train once and score it: seconds and Fréchet distance."""
    runtime.set_precision(precision)
    runtime.seed_everything(seed)
    made = RECIPES["recommended"](3600, seed)
    digits = datasets.load("mnist")
    began = time.perf_counter()
    made.model.fit(
        digits.train.batches(made.batch_size, seed=seed), steps_per_epoch=steps, verbose=0
    )
    seconds = time.perf_counter() - began
    z = training.noise(SAMPLES, made.model.latent_dim, seed=SCORING_SEED, step=-1)
    samples = made.model.sampler.predict(z, batch_size=500, verbose=0)
    runtime.set_precision(FULL)  # the judge is the same for all
    network = feature_networks.load("digits")
    real, fake = (network(x)[0] for x in (datasets.to_float(digits.test.images), samples))
    return {"seconds": round(seconds, 1), "distance": metrics.frechet_distance(real, fake)}


def train_apart(*arguments: Any) -> dict[str, Any]:
    """:func:`train` in a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=fresh) as process:
        return process.submit(train, *arguments).result()


def table(scores: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """A row for each precision: mean, spread, and how far off float32 it may be."""
    rows = [["precision", "seeds", "Fréchet distance", "difference to float32", "s a run"]]
    for name, runs in scores.items():
        found = [run["distance"] for run in runs]
        spread = statistics.stdev(found) if len(found) > 1 else float("nan")
        seconds = statistics.median(run["seconds"] for run in runs)
        against = [run["distance"] for run in scores.get(FULL, [])]
        verdict = "" if name == FULL else difference(found, against)
        mean = f"{statistics.mean(found):.1f} ± {spread:.1f}"
        rows.append([name, str(len(found)), mean, verdict, f"{seconds:.0f}"])
    return aligned(rows)


def difference(found: Sequence[float], full: Sequence[float]) -> str:
    """The difference of the means with its 95 % interval, and whether 0 lies in it."""
    if min(len(found), len(full)) < 2:
        return "two seeds of each are needed"
    low, high = scipy.stats.ttest_ind(found, full, equal_var=False).confidence_interval(0.95)
    within = "within noise" if low <= 0 <= high else "NOT within noise"
    mean = statistics.mean(found) - statistics.mean(full)
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f}): {within}"


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/precision"))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    file = options.out / "scores.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    scores: dict[str, list[dict[str, Any]]] = {name: [] for name in options.precisions}
    for seed in options.seeds:  # by turns, so that an early end leaves as many of each
        for precision in options.precisions:
            key = f"{precision}, seed {seed}, {options.steps} steps"
            if key not in known:
                known[key] = train_apart(precision, seed, options.steps)
                write_json(file, known)
            print(f"{key}: Fréchet distance {known[key]['distance']:.1f}", flush=True)
            scores[precision].append(known[key])
    print(table(scores))


if __name__ == "__main__":
    main()
