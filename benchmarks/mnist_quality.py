"""Train several MNIST recipes for the same seconds, and score what they have learnt.

    python benchmarks/mnist_quality.py --seconds 60 240 [--recipes classic,recommended] [--out DIR]

Each recipe of ``benchmarks/recipes.py`` trains in a process of its own, one after another,
so that none inherits another's memory or graphs. The clock runs from the first step to the
last: tracing the graphs counts, finding the data and scoring do not. Leaves in DIR (with
several budgets: in ``DIR/<seconds>s``) each generator as ``<recipe>.keras``, a map from z to
28×28×1 in [-1, 1] of Keras' own layers alone, a sheet of its samples as ``<recipe>.png``,
and ``scores.json``.
"""

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import sys
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks.recipes import RECIPES
from benchmarks.report import aligned, machine
from helpers import datasets, feature_networks, metrics, plotting, runtime, training
from helpers._backend import keras
from helpers.runs import save_network, write_json

SAMPLES = 5_000
SHOWN = 100
SCORING_SEED = 2024

# What the table shows of each row: its key, the heading, how it is written.
COLUMNS = (
    ("steps", "steps", "{:,}"),
    ("images_seen", "images seen", "{:,}"),
    ("frechet_distance", "Fréchet distance", "{:.1f}"),
    ("confidence", "confidence", "{:.3f}"),
    ("smallest_class", "smallest class", "{:.3f}"),
    ("diversity", "diversity", "{:.3f}"),
    ("ratio_to_recommended", "× recommended", "{:.1f}"),
)


class ProgressLines(keras.callbacks.Callback):
    """A line with both losses now and then, and the seconds from the first step to the last."""

    def __init__(self, label: str, every: float) -> None:
        super().__init__()
        self.label, self.every = label, every
        self.seconds = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self.began = self.said = time.monotonic()
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count; print if it is time."""
        self.steps += 1
        now = time.monotonic()
        self.seconds = now - self.began
        if now - self.said >= self.every:
            self.said = now
            losses = "  ".join(f"{name} {float(value):.3f}" for name, value in logs.items())
            print(
                f"{self.label:<12} {self.seconds:5.0f} s {self.steps:7,} steps  {losses}",
                flush=True,
            )


def train(recipe: str, seconds: float, seed: int, folder: pathlib.Path) -> dict[str, Any]:
    """Train one recipe, leave ``folder/<recipe>.keras``, and return the facts of the run."""
    runtime.seed_everything(seed)
    contestant = RECIPES[recipe](seconds, seed)
    model, batch_size = contestant.model, contestant.batch_size
    progress = ProgressLines(recipe, every=max(5.0, seconds / 6))
    model.fit(
        datasets.load("mnist").train.batches(batch_size, seed=seed),
        steps_per_epoch=10**9,  # the budget ends it
        callbacks=[contestant.budget, progress],
        verbose=0,
    )
    save_network(folder / f"{recipe}.keras", model.sampler)
    return {
        "title": contestant.title,
        "source": contestant.source,
        "z": model.noise_kind,
        "latent_dim": model.latent_dim,
        "batch_size": batch_size,
        "seconds": round(progress.seconds, 2),
        "steps": progress.steps,
        "images_seen": progress.steps * batch_size,
    }


def train_apart(*arguments: Any) -> dict[str, Any]:
    """:func:`train` in a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=fresh) as process:
        return process.submit(train, *arguments).result()


def score(file: pathlib.Path, facts: dict[str, Any], scorer: metrics.Scorer) -> dict[str, float]:
    """Scores of the generator in a file, on z of the kind that it was trained with.

    Also writes a sheet of its first samples beside it. The z are the same for all budgets
    and seeds, and for all recipes that draw them from the same distribution.
    """
    generator = keras.models.load_model(file)
    z = training.noise(SAMPLES, facts["latent_dim"], kind=facts["z"], seed=SCORING_SEED, step=-1)
    images = generator.predict(z, batch_size=500, verbose=0)
    title = f"{facts['title']}: {facts['seconds']:.0f} s, {facts['steps']:,} steps"
    plotting.sheet(images[:SHOWN], title=title).savefig(file.with_suffix(".png"), dpi=100)
    return scorer(images)


def compare(recipes: list[str], seconds: float, seed: int, folder: pathlib.Path) -> dict[str, Any]:
    """Train and score recipes on one budget; write and return what becomes ``scores.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = datasets.load("mnist")
    network = feature_networks.load("digits")
    scorer = metrics.Scorer.against(network, datasets.to_float(digits.test.images))
    result: dict[str, Any] = {
        "seconds": seconds,
        "seed": seed,
        "samples": SAMPLES,
        "reference": f"{len(digits.test):,} test digits",
        "feature_network": {"name": network.name, "accuracy": network.accuracy},
        "machine": machine(),
        "real": scorer(datasets.to_float(digits.train.sample(SAMPLES, seed=SCORING_SEED))),
        "recipes": {},
    }
    for recipe in recipes:
        print(f"{recipe}: training for {seconds:g} s", flush=True)
        facts = train_apart(recipe, seconds, seed, folder)
        facts |= score(folder / f"{recipe}.keras", facts, scorer)
        print(f"{recipe}: Fréchet distance {facts['frechet_distance']:.1f}", flush=True)
        result["recipes"][recipe] = facts
        add_ratios(result["recipes"])
        write_json(folder / "scores.json", result)
    return result


def add_ratios(rows: dict[str, dict[str, Any]]) -> None:
    """Give each row its Fréchet distance as a multiple of the recommended one's, if it is there."""
    if "recommended" not in rows:
        return
    ours = rows["recommended"]["frechet_distance"]
    for row in rows.values():
        row["ratio_to_recommended"] = row["frechet_distance"] / ours


def table(result: dict[str, Any]) -> str:
    """The scores as lines of text: a row for each recipe and one for real digits."""
    rows = {**result["recipes"], "real digits": result["real"]}
    lines = [["recipe", *(heading for _, heading, _ in COLUMNS)]]
    for name, row in rows.items():
        cells = (form.format(row[key]) if key in row else "" for key, _, form in COLUMNS)
        lines.append([name, *cells])
    title = (
        f"{result['seconds']:g} s of training each; "
        f"{result['samples']:,} samples against {result['reference']}:"
    )
    return f"{title}\n{aligned(lines)}"


def recipe_names(text: str) -> list[str]:
    """The names in a comma-separated list, checked."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in RECIPES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"unknown recipe {', '.join(unknown) or '(none)'}; there is {', '.join(RECIPES)}"
        )
    return names


def positive(text: str) -> float:
    """A number of seconds greater than 0."""
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=positive, nargs="+", default=[60.0])
    parser.add_argument("--recipes", type=recipe_names, default=list(RECIPES))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/mnist_quality"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    several = len(options.seconds) > 1
    for seconds in options.seconds:
        folder = options.out / f"{seconds:g}s" if several else options.out
        print(table(compare(options.recipes, seconds, options.seed, folder)))


if __name__ == "__main__":
    main()
