"""Do the scores move the way theory says? Real pictures, spoilt in ways whose answer is known.

    python benchmarks/known_answers.py [digits|faces] [--n N] [--seed N] [--sizes] [--out DIR]

Each experiment spoils real pictures that were held out, in one way: blurs them, leaves out a
class, repeats one, and so on. A table says of every score whether it saw that: ``worse``,
``better`` or, if it moved no further than the bounds below, ``=``. Where theory foretells the
move, the cell is marked: as expected, or NOT; then the exit code is 1. Also printed: the distance
of two halves of real pictures beside those of all other pairs, and with ``--sizes`` how every
score depends on the number of samples. Tables and figures go to DIR, as a rule to
``build/benchmarks/known_answers``.
"""

import argparse
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
import scipy.ndimage

from benchmarks.report import machine
from helpers import datasets, metrics, plotting, scores
from helpers.intervals import Estimate
from helpers.reports import ABOUT, three_digits

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "build" / "benchmarks" / "known_answers"
DOMAINS = ("digits", "faces")
SIZES = (250, 500, 1_000, 2_000, 5_000)

# Experiments: (images uint8 (m, height, width, channels), labels (m,), seed) -> images uint8.


def real(images: Any, labels: Any, seed: int) -> Any:
    """Other held-out pictures, as they are."""
    return images


def noisy(images: Any, labels: Any, seed: int) -> Any:
    """Gaussian noise on each pixel, of a quarter of the range."""
    noise = np.random.default_rng(seed).normal(0, 64, images.shape)
    return as_pixels(images + noise)


def blurred(images: Any, labels: Any, seed: int) -> Any:
    """A Gaussian blur whose width is a twentieth of the picture's."""
    width = images.shape[1] / 20
    return as_pixels(scipy.ndimage.gaussian_filter(images.astype(np.float32), (0, width, width, 0)))


def brighter(images: Any, labels: Any, seed: int) -> Any:
    """All pixels brighter by a quarter of the range."""
    return as_pixels(images.astype(np.float32) + 64)


def static(images: Any, labels: Any, seed: int) -> Any:
    """Nothing but noise: each pixel anything, no picture at all."""
    return np.random.default_rng(seed).integers(0, 256, images.shape).astype(np.uint8)


def half_static(images: Any, labels: Any, seed: int) -> Any:
    """Every other picture is nothing but noise."""
    mixed = images.copy()
    mixed[::2] = static(images[::2], labels, seed)
    return mixed


def one_class_missing(images: Any, labels: Any, seed: int) -> Any:
    """All classes but one: the last."""
    return images[labels != labels.max()]


def half_the_classes(images: Any, labels: Any, seed: int) -> Any:
    """The first half of the classes only."""
    return images[labels <= labels.max() // 2]


def few_repeated(images: Any, labels: Any, seed: int) -> Any:
    """Twenty pictures of each class, over and over."""
    few = np.concatenate([np.flatnonzero(labels == label)[:20] for label in np.unique(labels)])
    return images[np.random.default_rng(seed).choice(few, len(images))]


def one_repeated(images: Any, labels: Any, seed: int) -> Any:
    """A complete mode collapse: the picture nearest to the mean, over and over."""
    mean = images.mean(axis=0)
    nearest = np.square(images - mean).sum(axis=(1, 2, 3)).argmin()
    return np.repeat(images[nearest][None], len(images), axis=0)


def as_pixels(images: Any) -> Any:
    """Rounded and cut off to uint8 from 0 to 255."""
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


class Experiment(NamedTuple):
    """A way to spoil pictures, and what theory says of the scores.

    ``worse`` and ``blind`` name the scores that must and must not see it; of the others theory
    says nothing for sure. ``training``: it spoils training pictures, not held-out ones.
    """

    make: Callable[[Any, Any, int], Any]
    worse: str
    blind: str
    training: bool = False


DISTANCES = "frechet_distance kernel_distance"
ALL = f"{DISTANCES} precision recall density coverage"
# A class that is missing moves the kernel distance little, and few pictures cannot show it.
MISSING = "frechet_distance recall class_shift attribute_shift smallest_class inception_score"
UNSEEN = "precision confidence duplicates memorised"
EXPERIMENTS = {
    "real": Experiment(real, "", " ".join(ABOUT)),
    "noise": Experiment(noisy, f"{DISTANCES} precision density coverage sharpness", "memorised"),
    "blur": Experiment(blurred, f"{DISTANCES} recall coverage sharpness", "memorised"),
    "brighter": Experiment(brighter, DISTANCES, "memorised"),
    "only noise": Experiment(static, f"{ALL} class_shift attribute_shift sharpness", "memorised"),
    "half noise": Experiment(half_static, f"{DISTANCES} precision density sharpness", "memorised"),
    "a class missing": Experiment(one_class_missing, MISSING, UNSEEN),
    "half the classes": Experiment(half_the_classes, f"{MISSING} kernel_distance", UNSEEN),
    "few repeated": Experiment(
        few_repeated,
        "frechet_distance recall coverage duplicates",
        "confidence inception_score sharpness memorised",
    ),
    "one repeated": Experiment(
        one_repeated, f"{MISSING} kernel_distance coverage diversity duplicates", "memorised"
    ),
    "training pictures": Experiment(real, "memorised", ALL, training=True),
}


LARGER_IS_BETTER = ("precision", "recall", "coverage")
LARGER_IS_BETTER += ("inception_score", "confidence", "smallest_class")
BEST_AS_REAL = ("density", "diversity", "sharpness")  # off either way is worse


def move(score: str, found: Estimate, reals: Estimate) -> str:
    """Whether a score got ``worse``, ``better`` or stayed ``=`` against that of real pictures.

    Shares and ratios have moved if they are off by more than 0.05, the inception score if by
    more than 5 %. Distances have no scale of their own: they have moved if the two 95 %
    intervals lie apart, and the Fréchet distance, which is never 0, if it also is off by more
    than half.
    """
    change = found.value - reals.value
    bounds = {
        "frechet_distance": 0.5 * reals.value,
        "kernel_distance": 0.0,
        "inception_score": 0.05 * reals.value,
    }
    if score.endswith("distance") and found.low <= reals.high and reals.low <= found.high:
        change = 0.0
    elif score in LARGER_IS_BETTER:
        change = -change
    elif score in BEST_AS_REAL:
        change = abs(change)
    bound = bounds.get(score, 0.05)
    return "worse" if change > bound else "better" if change < -bound else "="


class Findings(NamedTuple):
    """What :func:`run` found; rows are experiments, columns are scores."""

    values: Any
    moves: Any
    expected: Any
    pictures: dict[str, Any]

    @property
    def as_expected(self) -> bool:
        """Whether every move that theory foretells was seen."""
        return bool(((self.expected == "") | (self.expected == self.moves)).to_numpy().all())


def run(
    data: datasets.ImageSet,
    labels: Any = None,
    *,
    n: int = 2_500,
    seed: int = 0,
    experiments: Mapping[str, Experiment] = EXPERIMENTS,
) -> Findings:
    """Score every experiment on a data set: n pictures each, against n others that judge.

    Args:
        data: with at least 4 n held-out pictures, so that half of the classes are still n.
        labels: of all pictures, integers from 0; by default those of the data.
        n: see above.
        seed: of all draws.
        experiments: which, by name; ``real`` must be among them.
    """
    reference = scores.reference(data, n=n, seed=seed)
    labels = data.labels if labels is None else labels
    # The same permutation as the reference's: the first n judge, the rest may be spoilt.
    order = np.random.default_rng(seed).permutation(len(data.test))[n:]
    held_out = np.asarray(data.test.images[order]), labels[data.n_train :][order]
    some = np.random.default_rng(seed).permutation(data.n_train)[: 2 * n]
    training = np.asarray(data.train.images[some]), labels[: data.n_train][some]
    rows, pictures = {}, {}
    for name, experiment in experiments.items():
        spoilt = experiment.make(*(training if experiment.training else held_out), seed)[:n]
        if len(spoilt) < n:
            raise ValueError(f"{name}: only {len(spoilt)} pictures; give a smaller n than {n}.")
        rows[name] = scores.score(spoilt, reference, seed=seed, name=name).table
        pictures[name] = spoilt[:10]
    estimates = {
        name: {score: Estimate(*row[["value", "low", "high"]]) for score, row in each.iterrows()}
        for name, each in rows.items()
    }
    values, moves, expected = {}, {}, {}
    for name, experiment in experiments.items():
        worse, blind = experiment.worse.split(), experiment.blind.split()
        values[name] = {score: found.value for score, found in estimates[name].items()}
        moves[name] = {
            score: move(score, found, estimates["real"][score])
            for score, found in estimates[name].items()
        }
        expected[name] = {
            score: "worse" if score in worse else "=" if score in blind else ""
            for score in estimates[name]
        }
    tables = (pd.DataFrame.from_dict(each, orient="index") for each in (values, moves, expected))
    return Findings(*tables, pictures)


def table(findings: Findings) -> Any:
    """Values and moves as text, scores down and experiments across."""
    cells = findings.values.astype(object)
    for name in cells.index:
        for score in cells:
            found, foretold = findings.moves.loc[name, score], findings.expected.loc[name, score]
            mark = "" if foretold == "" else " ✓" if found == foretold else f" NOT {foretold}"
            cells.loc[name, score] = (
                f"{three_digits(findings.values.loc[name, score])} {found}{mark}"
            )
    return cells.rename(columns={score: ABOUT[score].title for score in cells}).T


def figure(findings: Findings, title: str = "") -> Any:
    """Which score sees what: a coloured cell for each, with the value."""
    colours = {"worse": 1.0, "=": 0.0, "better": -1.0}
    seen = findings.moves.map(colours.get).astype(float).to_numpy().T
    drawn, axes = plotting.new_figure(9, 0.3 * seen.shape[0] + 1.5)
    axes.imshow(seen, cmap="RdBu_r", vmin=-1.6, vmax=1.6, aspect="auto")
    for i, score in enumerate(findings.values):
        for j, name in enumerate(findings.values.index):
            text = three_digits(findings.values.loc[name, score])
            axes.text(j, i, text, ha="center", va="center", fontsize=7)
    names = ["\n".join(name.rsplit(" ", 1)) for name in findings.values.index]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_yticks(range(seen.shape[0]), [ABOUT[s].title for s in findings.values], fontsize=8)
    axes.xaxis.tick_top()
    axes.set_title(f"{title}red: worse than real pictures; white: not seen", fontsize=9, loc="left")
    return drawn


def by_size(
    data: datasets.ImageSet, sizes: tuple[int, ...] = SIZES, seed: int = 0
) -> dict[str, Any]:
    """Scores of real and of blurred pictures at several sample sizes, as tables of values."""
    rows: dict[str, dict[int, Any]] = {"real": {}, "blur": {}}
    for n in [size for size in sizes if 2 * size <= len(data.test)]:
        reference = scores.reference(data, n=n, seed=seed, training=False)
        others = reference.others.images[:n]
        for name, images in {"real": others, "blur": blurred(others, None, seed)}.items():
            rows[name][n] = scores.score(images, reference, seed=seed).values
    return {name: pd.DataFrame.from_dict(each, orient="index") for name, each in rows.items()}


def size_figure(tables: Mapping[str, Any]) -> Any:
    """Each score over the number of samples, for real and for blurred pictures."""
    names = list(tables["real"])
    drawn, axes = plotting.new_figure(9, 5.4, -(-len(names) // 5), 5)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax, score in zip(axes.flat, names, strict=False):
        for label, colour in (("real", plotting.REAL_COLOUR), ("blur", plotting.FAKE_COLOUR)):
            values = tables[label][score]
            ax.plot(values.index, values, "o-", color=colour, markersize=3, label=label)
        ax.set_title(ABOUT[score].title, fontsize=8, loc="left")
        ax.set_xscale("log")
        if score == "frechet_distance":
            ax.set_yscale("log")
        ax.set_xticks([], minor=True)
        short = [str(n) if n < 1000 else f"{n / 1000:g}k" for n in values.index]
        ax.set_xticks(values.index, short, fontsize=7)
        ax.tick_params(axis="y", labelsize=7)
    axes.flat[0].legend(fontsize=7)
    drawn.supxlabel("samples, and as many real pictures that judge", fontsize=8)
    return drawn


def halves(data: datasets.ImageSet, n: int = 5_000, seed: int = 0) -> Any:
    """Distances of n real pictures to two others' pictures: real halves, and spoilt ones."""
    n = min(n, len(data.test) // 2)
    reference = scores.reference(data, n=n, seed=seed, training=False)
    others = reference.others.images
    labels = np.zeros(len(others), int)
    spoil = {"real": real, "noise": noisy, "blur": blurred, "brighter": brighter}
    spoil |= {"half noise": half_static, "one repeated": one_repeated, "only noise": static}
    rows = {}
    for name, make in spoil.items():
        images = datasets.to_float(make(others, labels, seed))
        features = reference.network(images)[0]
        rows[name] = {
            "frechet_distance": metrics.frechet_distance(reference.held_out.features, features),
            "kernel_distance": metrics.kernel_distance(reference.held_out.features, features)[0],
        }
    found = pd.DataFrame.from_dict(rows, orient="index")
    found.attrs["n"] = n
    return found


def domain(name: str) -> tuple[datasets.ImageSet, Any]:
    """The data of a domain, and the labels whose classes the experiments leave out."""
    if name == "digits":
        data = datasets.load("mnist")
        return data, data.labels
    data = datasets.load("celeba", image_size=64, crop=150, drawn=True)
    assert data.attributes is not None
    face = data.attributes
    # The last class wears glasses, and the last two of four smile or wear glasses.
    kinds = [face["Eyeglasses"] == 1, face["Smiling"] == 1, face["Mouth_Slightly_Open"] == 1]
    return data, np.select(kinds, [3, 2, 1], 0)


def main() -> int:
    """Run what was asked for; 1 if a score did not move as foretold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domain", nargs="?", choices=[*DOMAINS, "all"], default="all")
    parser.add_argument("--n", type=int, help="pictures of each experiment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", action="store_true", help="and scores over sample sizes")
    parser.add_argument("--out", type=pathlib.Path, default=FOLDER)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name in DOMAINS if options.domain == "all" else [options.domain]:
        data, labels = domain(name)
        n = options.n or len(data.test) // 4
        findings = run(data, labels, n=n, seed=options.seed)
        print(f"\n{name}: {n:,} samples against {n:,} held-out pictures")
        print(table(findings).to_string())
        figure(findings, f"{name}; ").savefig(options.out / f"{name}.png", dpi=110)
        plotting.sheets(findings.pictures, size=0.5).savefig(options.out / f"{name}-samples.png")
        findings.values.to_csv(options.out / f"{name}.csv")
        pairs = halves(data, seed=options.seed)
        smallest = bool((pairs.idxmin() == "real").all())
        print(f"\nreal halves of {pairs.attrs['n']:,} and other pairs\n{pairs.to_string()}")
        print(f"real against real is the smallest: {'as expected' if smallest else 'NOT'}")
        wrong += not (smallest and findings.as_expected)
        if options.sizes:
            tables = by_size(data, seed=options.seed)
            print(pd.concat(tables).to_string())
            size_figure(tables).savefig(options.out / f"{name}-sizes.png", dpi=110)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print("all as expected" if not wrong else "NOT all as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
