"""What the feature networks see: neighbours, accuracies, and distances whose order is known.

    python benchmarks/feature_networks.py [NAME ...] [--out FOLDER] [--pictures N]

For each network (all, or those named) on pictures that it was not trained on:

- a sheet, ``<name>.png``: held-out pictures, the five training pictures nearest to each in the
  network's features, and the five nearest in pixels;
- its accuracy of each class or attribute, and what it confuses most;
- Fréchet distances between two halves of the pictures, where the second is left as it is, or
  blurred, made noisy, lighter, or robbed of a class or an attribute.

It ends with 1 if real against real is not the smallest of these distances, or if more blur or
more noise is not further away. Drawn pictures are those that lessons see; with ``GAN_DATA`` set
they are the real ones, from there (without what is known of them, they are left out).
"""

import argparse
import pathlib
import sys
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from benchmarks.report import aligned, machine
from helpers import datasets, feature_networks, metrics, plotting
from helpers.feature_networks import FeatureNetwork
from helpers.image_set import ImageSet

SETS: dict[str, dict[str, Any]] = {
    "digits": {"name": "mnist"},
    "characters": {"name": "emnist"},
    "fashion": {"name": "fashion_mnist"},
    "faces": {"name": "celeba", "crop": 150, "image_size": 64},
    "anime": {"name": "anime", "image_size": 64},
}
TRAINED_ON = ("digits", "fashion")  # of the other sets the networks saw none of these pictures
NEIGHBOURS = 5
ROWS = 12


class Seen(NamedTuple):
    """Pictures, uint8, and what is known of them."""

    images: NDArray[np.uint8]
    shown: NDArray[Any]  # classes (n,), or attributes (n, attributes)

    def at(self, chosen: Any) -> "Seen":
        """Some of the pictures."""
        return Seen(self.images[chosen], self.shown[chosen])


def unseen(data: ImageSet, name: str, most: int) -> Seen:
    """At most so many pictures that the network was not trained on, in a random order."""
    part = data.test if name in TRAINED_ON else data
    order = np.random.default_rng(0).permutation(len(part))[:most]
    return Seen(np.asarray(part.images[order]), shown_by(part)[order])


def shown_by(data: ImageSet) -> NDArray[Any]:
    """The classes or the attributes of a set."""
    if data.attributes is not None:
        return data.attributes.to_numpy()
    assert data.labels is not None, f"{data.name} has neither classes nor attributes"
    return data.labels


def features_of(network: FeatureNetwork, images: NDArray[np.uint8]) -> NDArray[Any]:
    """What the network sees in uint8 pictures."""
    return network(datasets.to_float(images))[0]


# ---------------------------------------------------------------------------------- neighbours


def nearest(of: NDArray[Any], among: NDArray[Any], k: int = NEIGHBOURS) -> NDArray[np.int64]:
    """For each row of ``of`` the positions of the ``k`` rows of ``among`` nearest to it."""
    of, among = (x.reshape(len(x), -1).astype(np.float64) for x in (of, among))
    squared = (among**2).sum(axis=1) - 2 * of @ among.T
    return np.argsort(squared, axis=1, kind="stable")[:, :k]


def sheet(network: FeatureNetwork, data: ImageSet, most: int = 5_000) -> Any:
    """Held-out pictures beside their nearest training pictures in features and in pixels."""
    queries = np.asarray(data.test.images[: ROWS * 40 : 40])
    training = np.asarray(data.train.images[:most])
    by_features = nearest(features_of(network, queries), features_of(network, training))
    by_pixels = nearest(queries, training)
    figure, axes = plotting.new_figure(
        10, 8.4, 1, 3, gridspec_kw={"width_ratios": [1, NEIGHBOURS, NEIGHBOURS]}
    )
    plotting.show_sheet(axes[0], queries, 1, "held out")
    for axis, found, what in zip(
        axes[1:], (by_features, by_pixels), ("features", "pixels"), strict=True
    ):
        pictures = training[found.ravel()]
        plotting.show_sheet(axis, pictures, NEIGHBOURS, f"nearest of {len(training):,} in {what}")
    figure.suptitle(f"{network.name}: {data.name}", fontsize=10)
    return figure


# ------------------------------------------------------------------------------------ accuracy


def accuracies(network: FeatureNetwork, seen: Seen, names: tuple[str, ...]) -> str:
    """A table of the accuracy of each class or attribute, and the commonest confusions."""
    _, probabilities = network(datasets.to_float(seen.images))
    if network.kind == "classes":
        guesses = probabilities.argmax(axis=1)
        parts = [
            f"{name} {(guesses[seen.shown == i] == i).mean():.1%}" for i, name in enumerate(names)
        ]
        return "  ".join(parts) + f"\ntaken for: {confusions(seen.shown, guesses, names)}"
    columns = [network.names.index(name) for name in names]
    guesses = probabilities[:, columns] > 0.5
    rows = [["attribute", "accuracy", "balanced", "have it"]]
    for i, name in enumerate(names):
        there = seen.shown[:, i] == 1
        right = guesses[:, i] == there
        balanced = np.mean([right[there == has].mean() for has in (True, False)])
        rows.append([name, f"{right.mean():.1%}", f"{balanced:.1%}", f"{there.mean():.1%}"])
    return aligned(rows)


def confusions(
    shown: NDArray[Any], guesses: NDArray[Any], names: tuple[str, ...], most: int = 12
) -> str:
    """The commonest mistakes, as ``L>1 23``: so many L taken for 1."""
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (shown, guesses), 1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
    return "  ".join(f"{names[a]}>{names[b]} {counts[a, b]}" for a, b in pairs if counts[a, b])


# ------------------------------------------------------------------------------- known answers


def blurred(images: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    """Pictures blurred by a Gaussian of so many pixels."""
    soft = scipy.ndimage.gaussian_filter(images.astype(np.float32), (0, deviation, deviation, 0))
    return np.rint(soft).astype(np.uint8)


def noisy(images: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    """Pictures with noise of so many grey levels."""
    noise = np.random.default_rng(0).normal(0, deviation, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def lighter(images: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """Pictures lighter by so many grey levels."""
    return np.clip(images.astype(int) + levels, 0, 255).astype(np.uint8)


def without(seen: Seen, i: int) -> NDArray[np.uint8]:
    """The pictures that are not of class ``i``, or do not have attribute ``i``."""
    has = seen.shown == i if seen.shown.ndim == 1 else seen.shown[:, i] == 1
    return seen.images[~has]


def known_answers(network: FeatureNetwork, seen: Seen, names: tuple[str, ...]) -> dict[str, float]:
    """Fréchet distances from the first half of the pictures to the second, changed."""
    half = len(seen.images) // 2
    first, second = seen.at(slice(0, half)), seen.at(slice(half, 2 * half))
    changed = {"real": second.images}
    changed |= {f"blur {d} px": blurred(second.images, d) for d in (0.5, 1.0, 2.0)}
    changed |= {f"noise {d}": noisy(second.images, d) for d in (10, 25, 50)}
    changed |= {"lighter by 40": lighter(second.images, 40)}
    share = second.shown.mean(axis=0) if second.shown.ndim == 2 else None
    # The class in the middle, or the attribute that nearest to half of the pictures have.
    chosen = len(names) // 2 if share is None else int(np.abs(share - 0.5).argmin())
    changed |= {f"no {names[chosen]}": without(second, chosen)}
    reference = features_of(network, first.images)
    return {
        what: metrics.frechet_distance(reference, features_of(network, images))
        for what, images in changed.items()
    }


def as_expected(distances: dict[str, float]) -> bool:
    """Whether real against real is nearest, and more blur and more noise are further away."""
    values = list(distances.values())
    blur, noise = (
        [d for what, d in distances.items() if what.startswith(w)] for w in ("blur", "noise")
    )
    return min(values) == values[0] and blur == sorted(blur) and noise == sorted(noise)


def main() -> int:
    """Look at the networks; 1 if one of them does not see what it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*SETS, []], help="which networks; all of them")
    parser.add_argument("--out", type=pathlib.Path, default="build/benchmarks/feature_networks")
    parser.add_argument("--pictures", type=int, default=5_000, help="at most, for the figures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    missed = 0
    for name in options.names or SETS:
        data = datasets.load(**SETS[name])
        if data.attributes is None and data.labels is None:
            print(f"{name}: nothing is known of these pictures; left out")
            continue
        network = feature_networks.for_data(data)
        names = data.class_names if data.attributes is None else tuple(data.attributes.columns)
        names = tuple(n for n in names if n in network.names)
        seen = unseen(data, name, options.pictures)
        if data.attributes is not None:
            kept = [list(data.attributes.columns).index(n) for n in names]
            seen = Seen(seen.images, seen.shown[:, kept])
        sheet(network, data).savefig(options.out / f"{name}.png", dpi=110)
        print(f"\n{name}: accuracy {network.accuracy:.2%} on its card")
        print(accuracies(network, seen, names))
        distances = known_answers(network, seen, names)
        print(
            aligned(
                [["to the second half", "distance"]]
                + [[what, f"{distance:.3g}"] for what, distance in distances.items()]
            )
        )
        missed += not as_expected(distances)
        print("as expected" if as_expected(distances) else "NOT as expected")
    print(", ".join(f"{what} {value}" for what, value in machine().items()))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
