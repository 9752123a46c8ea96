"""Train a generator that ships, for minutes on a GPU, and write its card.

    python tools/train_generator.py faces [--minutes M] [--out FOLDER] [--pictures FOLDER]
    python tools/train_generator.py faces --draw-only
    python tools/train_generator.py faces --store

Leaves ``<name>.keras`` and ``<name>.json``, the card that ``helpers.pretrained.load`` checks it
against, and ``<name>.jpg``, a sheet of samples; of the VAE-GAN two networks with a card each,
``vae_gan_encoder`` and ``vae_gan_generator``. Every so often the averaged generator is scored by
the Fréchet distance to held-out pictures, and the best so far is written at once: a run that is
cut short loses little. The clock counts from the start of the program.

Pictures that are drawn to train on come from seed 1; held out are pictures of seed 0, which are
those that the lessons show: no generator has seen any of them.

Training needs jax and optax (requirements-extras.txt), no TensorFlow. A file of a newer Keras may
not load in an older one. So run ``--store`` in an environment with constraints/lowest.txt before
new files are committed, which writes the same weights anew; it needs no JAX.
"""

import argparse
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import math
import os
import pathlib
import platform
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

BEGAN = time.monotonic()  # before Keras and JAX are loaded
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
if __name__ == "__main__" and importlib.util.find_spec("jax"):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave room for others

import numpy as np
import shipped_networks
from numpy.typing import NDArray
from PIL import Image

from helpers import feature_networks, layouts, metrics, prepare, standins
from helpers._backend import keras
from helpers.feature_networks import FeatureNetwork
from helpers.files import whole
from helpers.image_set import to_float
from helpers.pretrained import GENERATORS_FOLDER, architecture
from helpers.readers import Pictures
from helpers.runs import save_network, write_json

if TYPE_CHECKING:
    from jax_training import Training

Networks = dict[str, keras.Model]
Array = NDArray[Any]

TRAINING_SEED, HELD_OUT_SEED = 1, 0
DRAWN = ROOT / "data" / "drawn" / "generators"
CODES = 5_000  # training pictures whose codes are brought to the prior's place and size
SAMPLES, BATCH = 2_500, 250  # batches all of one size, so that one program is compiled
CHOOSING, SCORING, SHEET = 1, 2, 3  # seeds of the z to choose by, to score by, and to show
STEADY = 0.4  # so long the learning rate stays where it is; then it goes down a cosine to 0
STORED = (
    "saved anew, weights unchanged, with Keras {}, so that every supported version can load it: "
    "older versions cannot load the files of newer ones"
)


# ------------------------------------------------------------------------------ the pictures


@dataclass(frozen=True)
class Part:
    """Pictures, uint8 (n, height, width, channels), and their classes, int64 (n,), if any."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.images)


def digits(counts: tuple[int, int], folder: pathlib.Path) -> tuple[Part, Part]:
    """The first pictures of MNIST's training and of its test part."""
    found = layouts.load_mnist(ROOT / "data" / "mnist")
    assert found.labels is not None
    assert found.n_train is not None
    images, labels = np.asarray(found.pictures), found.labels
    parts = (slice(0, counts[0]), slice(found.n_train, found.n_train + counts[1]))
    return Part(images[parts[0]], labels[parts[0]]), Part(images[parts[1]], labels[parts[1]])


def drawn(
    name: str, crop: int | None, counts: tuple[int, int], folder: pathlib.Path
) -> tuple[Part, Part]:
    """Pictures to train on and held-out ones, drawn in the folder if they are not there yet."""
    parts = []
    for seed, count in zip((TRAINING_SEED, HELD_OUT_SEED), counts, strict=True):
        place = folder / f"{name}-{seed}"
        standins.draw(name, place, count, seed=seed)
        found = layouts.LOADERS[name](place)
        if isinstance(found.pictures, Pictures):
            cache = folder / f"{name}-{seed}-64x64.npy"
            array, _, _ = prepare.prepared(found.pictures, cache, (64, 64), crop=crop, count=count)
            parts.append(Part(np.array(array)))
        else:
            assert found.labels is not None
            parts.append(Part(found.pictures[:count], found.labels[:count]))
    return parts[0], parts[1]


# --------------------------------------------------------------------------------- the plans


def grey(classes: int, hidden: int) -> Networks:
    """The networks for 28×28×1 with classes."""
    shape = (28, 28, 1)
    return {
        "generator": shipped_networks.generator(
            shape, (48, 64, 32), hidden=hidden, classes=classes
        ),
        "discriminator": shipped_networks.discriminator(shape, (64, 128), 256, classes=classes),
    }


def color() -> Networks:
    """The networks for 64×64×3."""
    shape = (64, 64, 3)
    return {
        "generator": shipped_networks.generator(shape, (192, 144, 96, 64, 32)),
        "discriminator": shipped_networks.discriminator(shape, (48, 96, 192), 256),
    }


def autoencoding() -> Networks:
    """The networks of the VAE-GAN for 64×64×3."""
    shape = (64, 64, 3)
    return {
        "encoder": shipped_networks.encoder(shape, (32, 56, 88, 96), 64),
        "generator": shipped_networks.generator(shape, (160, 112, 80, 56, 32)),
        "discriminator": shipped_networks.discriminator(shape, (48, 96, 192), 256),
    }


@dataclass(frozen=True)
class Plan:
    """How one generator is made.

    Attributes:
        data: in words.
        parts: pictures to train on and held out, for how many of each and a folder.
        counts: so many of each.
        judge: the feature network that looks at them.
        build: the networks.
        rate: of Adam, for all networks.
        settings: see ``jax_training.Settings``.
        limit: bytes that the shipped networks may take in all.
        minutes: by default.
    """

    data: str
    parts: Callable[[tuple[int, int], pathlib.Path], tuple[Part, Part]]
    counts: tuple[int, int]
    judge: str
    build: Callable[[], Networks]
    rate: float
    settings: dict[str, Any] = field(default_factory=dict)
    limit: int = 4_000_000
    minutes: float = 3.0

    @property
    def autoencodes(self) -> bool:
        """Whether it is a VAE-GAN's."""
        return bool(self.settings.get("beta"))

    def recipe(self) -> dict[str, Any]:
        """What a card says of the training."""
        settings = self.settings
        words = {
            "loss": "cross-entropy of logits, non-saturating (arXiv:1406.2661); R1 with "
            f"gamma {settings['r1']:g} at every 16th step, times 16 (arXiv:1801.04406)",
            "optimizer": f"Adam(β₁ 0.5, β₂ 0.99), batches of {settings['batch']}; learning rate "
            f"{self.rate:g} for {STEADY:.0%} of the time, then down a cosine to 0",
            "average": f"of the weights, decay {settings['decay']:g}; BatchNormalization's "
            "statistics measured anew for it",
            "chosen": "the best by Fréchet distance on the held-out pictures, looked at every so "
            "often; the scores are of other draws of z",
            "seed": settings["seed"],
        }
        if self.autoencodes:
            words["autoencoder"] = (
                "arXiv:1512.09300: likeness by the discriminator's last 8×8 features, each channel "
                f"in units of its deviation; encoder: likeness + {settings['beta']:g} KL; generator"
                f": being called real + {settings['likeness']:g} likeness"
            )
            words["codes"] = (
                f"every number shifted and scaled, after training, so that over {CODES:,} training "
                "pictures it has the prior's mean 0 and variance 1; reconstructions stay the same"
            )
            words["chosen"] = words["chosen"].replace(
                "Fréchet distance", "mean Fréchet distance of samples and reconstructions"
            )
        return words


def _seeds(what: str, counts: tuple[int, int]) -> str:
    return (
        f"{counts[0]:,} {what} drawn from seed {TRAINING_SEED} to train on, {counts[1]:,} of seed "
        f"{HELD_OUT_SEED} held out; no real picture"
    )


FACES = (30_000, 4_000)
CHARACTERS = (56_400, 4_700)
COLOR = {"batch": 32, "r1": 1.0, "decay": 0.9995, "seed": 0}
GREY = {"batch": 64, "r1": 0.2, "decay": 0.9995, "seed": 0}
PLANS = {
    "digits": Plan(
        "MNIST: 60,000 training pictures to train on, 10,000 test pictures held out",
        digits, (60_000, 10_000), "digits", functools.partial(grey, 10, 144),
        rate=1e-3, settings=GREY, limit=1_800_000, minutes=2.0,
    ),
    "characters": Plan(
        _seeds("characters of EMNIST's 47 classes", CHARACTERS),
        functools.partial(drawn, "emnist", None), CHARACTERS, "characters",
        functools.partial(grey, 47, 208),
        rate=1e-3, settings=GREY, limit=2_400_000, minutes=2.0,
    ),
    "faces": Plan(
        _seeds("portraits, the central 150 pixels at 64×64,", FACES),
        functools.partial(drawn, "celeba", 150), FACES, "faces", color,
        rate=1e-3, settings=COLOR, limit=3_000_000,
    ),
    "anime": Plan(
        _seeds("anime faces, 64×64,", FACES),
        functools.partial(drawn, "anime", None), FACES, "anime", color,
        rate=1e-3, settings=COLOR, limit=3_000_000,
    ),
    "vae_gan": Plan(
        _seeds("anime faces, 64×64,", FACES),
        functools.partial(drawn, "anime", None), FACES, "anime", autoencoding,
        rate=5e-4, settings={**COLOR, "beta": 5.0, "likeness": 1e-3}, limit=3_900_000,
    ),
}  # fmt: skip


def files_of(name: str) -> dict[str, str]:
    """The names of the files that a plan leaves, by which network is in each."""
    if PLANS[name].autoencodes:
        return {part: f"{name}_{part}" for part in ("encoder", "generator")}
    return {"generator": name}


# --------------------------------------------------------------------------- what it can do


def samples(generator: keras.Model, n: int, seed: int) -> tuple[Array, Array | None]:
    """``n`` pictures, float32 in [-1, 1], and their classes in turn, if it takes any."""
    z = np.random.default_rng(seed).normal(size=(n, generator.inputs[0].shape[-1]))
    given: list[Array] = [z.astype(np.float32)]
    labels = None
    if len(generator.inputs) > 1:
        labels = np.arange(n) % generator.inputs[1].shape[-1]
        given.append(np.eye(generator.inputs[1].shape[-1], dtype=np.float32)[labels])
    return shown(generator, *given), labels


def shown(network: keras.Model, *inputs: Array) -> Array:
    """What a network makes of its inputs: pictures, float32 in [-1, 1]."""
    made = network.predict(list(inputs) if len(inputs) > 1 else inputs[0], BATCH, verbose=0)
    return np.clip(np.asarray(made, np.float32), -1.0, 1.0)


def reconstructed(networks: Networks, images: Array) -> Array:
    """Pictures decoded from the means of their codes."""
    mean, _ = networks["encoder"].predict(images, BATCH, verbose=0)
    return shown(networks["generator"], np.asarray(mean))


@dataclass(frozen=True)
class Examiner:
    """Scores generators against held-out pictures.

    Attributes:
        judge: the feature network.
        images: held out, float32 in [-1, 1].
        seen: their features, (n, 128).
        held: what the judge finds in them: probabilities, (n, classes or attributes).
        n: pictures of a generator to look at.
    """

    judge: FeatureNetwork
    images: Array
    seen: Array
    held: Array
    n: int

    @classmethod
    def of(cls, judge: str, part: Part, n: int) -> "Examiner":
        """An examiner with so many samples, and a feature network of that name."""
        network, images = feature_networks.load(judge), to_float(part.images)
        return cls(network, images, *network(images), n)

    def distance(self, pictures: Array) -> float:
        """The Fréchet distance of pictures to those held out; infinite if they are no pictures."""
        if not np.isfinite(pictures).all():
            return math.inf
        return metrics.frechet_distance(self.judge(pictures)[0], self.seen)

    def quick(self, networks: Networks) -> float:
        """What the best is chosen by."""
        distances = [self.distance(samples(networks["generator"], self.n, CHOOSING)[0])]
        if "encoder" in networks:
            distances.append(self.distance(reconstructed(networks, self.images[: self.n])))
        return float(np.mean(distances))

    def full(self, networks: Networks, training: Part) -> dict[str, Any]:
        """What a card says, on draws of z that nothing was chosen by."""
        pictures, labels = samples(networks["generator"], self.n, SCORING)
        features, found = self.judge(pictures)
        real = self.judge(to_float(training.images[: self.n]))[0]
        precision, recall = metrics.precision_recall(self.seen[: self.n], features)
        scores = {
            "samples": self.n,
            "held_out": len(self.images),
            "frechet_distance": metrics.frechet_distance(features, self.seen),
            "frechet_distance_of_training_pictures": metrics.frechet_distance(real, self.seen),
            "precision": precision,
            "recall": recall,
            "diversity": metrics.diversity(features, self.seen),
        }
        if labels is not None:
            scores["class_accuracy"] = float((found.argmax(axis=1) == labels).mean())
        if "encoder" in networks:
            scores |= self.reconstruction(networks)
        return {key: round(value, 4) for key, value in scores.items()}

    def reconstruction(self, networks: Networks) -> dict[str, float]:
        """How near reconstructions come to what was encoded: held-out pictures."""
        images = self.images[: self.n]
        made = reconstructed(networks, images)
        features, found = self.judge(made)
        kept = (found > 0.5) == (self.held[: self.n] > 0.5)
        return {
            "reconstruction_frechet_distance": metrics.frechet_distance(features, self.seen),
            "reconstruction_error": float(np.sqrt(np.square(made - images).mean())),
            "reconstruction_attributes_kept": float(kept.mean()),
        }


def sheet(networks: Networks, images: Array, columns: int = 16, rows: int = 8) -> Image.Image:
    """Samples, in columns; of an autoencoder first held-out pictures above what became of them."""
    pictures, _ = samples(networks["generator"], max(BATCH, columns * rows), SHEET)
    shape = pictures.shape[1:]
    if "encoder" in networks:
        n = columns * (rows // 4)
        both = np.stack([images[:n], reconstructed(networks, images[:BATCH])[:n]])
        in_rows = both.reshape(2, -1, columns, *shape).swapaxes(0, 1).reshape(-1, *shape)
        pictures = np.concatenate([in_rows, pictures])
    height, width, channels = shape
    tiled = (
        pictures[: columns * rows].reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    )
    tiled = tiled.reshape(rows * height, columns * width, channels)
    pixels = np.rint((tiled + 1.0) * 127.5).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


# -------------------------------------------------------------------------------- the training


@dataclass
class Clock:
    """When a training has to end.

    Attributes:
        end: by ``time.monotonic``.
        steps: the most steps, if there is such a limit.
        began: when the first steps were done, for until then everything is compiled.
        chunk, look: seconds that a chunk of steps took at most, and that looking at the
            generator took last (at first it is compiled): time to keep in reserve.
    """

    end: float
    steps: int | None = None
    began: float | None = None
    chunk: float = 0.0
    look: float = 0.0

    def share(self, step: int) -> float:
        """The part of the training that is over; 1 or more: stop."""
        by_steps = step / self.steps if self.steps else 0.0
        if self.began is None:
            return by_steps
        last = self.end - self.chunk - 3 * self.look
        left = last - time.monotonic()
        return max(by_steps, 1.0 - left / max(last - self.began, 1e-9) if left > 0 else 1.0)


def rate_at(share: float) -> float:
    """The factor on the learning rate when so much of the training is over: 1, then down to 0."""
    falling = min(1.0, max(0.0, (share - STEADY) / (1.0 - STEADY)))
    return 0.5 * (1.0 + math.cos(math.pi * falling))


@dataclass
class Best:
    """The best networks so far, on disk and in memory."""

    name: str
    folder: pathlib.Path
    about: dict[str, Any]
    score: float = math.inf
    weights: dict[str, list[Array]] = field(default_factory=dict)

    def offer(self, networks: Networks, score: float, step: int, examiner: Examiner) -> None:
        """Keep and write networks, if they are better than those before."""
        if not score < self.score and self.weights:
            return
        self.score = score
        self.weights = {part: network.get_weights() for part, network in networks.items()}
        self.about["steps_of_the_best"] = step
        self.write(networks, {"frechet_distance": round(score, 4)}, examiner)

    def write(self, networks: Networks, scores: dict[str, Any], examiner: Examiner) -> None:
        """The networks, their cards and the sheet, each whole or not at all."""
        for part, stem in files_of(self.name).items():
            file, network = self.folder / f"{stem}.keras", networks[part]
            save_network(file, network)
            card = {
                "name": stem,
                **self.about,
                "latent_dim": networks["generator"].inputs[0].shape[-1],
                **architecture(network),
                "scores": scores,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            write_json(file.with_suffix(".json"), card)
        with whole(self.folder / f"{self.name}.jpg") as new:
            sheet(networks, examiner.images).save(new, "JPEG", quality=90)


def train(
    training: "Training", plan: Plan, clock: Clock, best: Best, examiner: Examiner, every: float
) -> None:
    """Train until the time is up; look every so many seconds, and at the end."""
    looked, seen = -math.inf, -1  # look at once: then that is compiled too, and its time known
    while (share := clock.share(training.step)) < 1.0:
        before = time.monotonic()
        logs = training.run(plan.rate * rate_at(share))
        now = time.monotonic()
        if clock.began is None:
            clock.began = now
        else:
            clock.chunk = max(clock.chunk, now - before)
        if now - looked >= every:
            look(training, clock, best, examiner, logs)
            looked, seen = time.monotonic(), training.step
    if training.step != seen:
        look(training, clock, best, examiner, {})


def look(
    training: "Training", clock: Clock, best: Best, examiner: Examiner, logs: dict[str, float]
) -> None:
    """Score the averaged networks, keep them if they are the best, and say so in a line."""
    before = time.monotonic()
    networks = training.settled()
    score = examiner.quick(networks)
    best.offer(networks, score, training.step, examiner)
    clock.look = time.monotonic() - before
    told = ", ".join(f"{key} {value:.3f}" for key, value in logs.items())
    left = clock.end - time.monotonic()
    print(
        f"{best.name}: step {training.step:,}, distance {score:.3f} (best {best.score:.3f}), "
        f"{left:.0f} s left; {told}",
        flush=True,
    )


def make(name: str, options: argparse.Namespace, began: float) -> dict[str, Any]:
    """Train a generator and write all there is to write; returns its scores."""
    if keras.backend.backend() != "jax":
        raise SystemExit(
            "Training needs jax and optax, and Keras on them: pip install -r requirements.txt -r "
            "requirements-extras.txt, and KERAS_BACKEND=jax."
        )
    from jax_training import Settings, Training, VaeGanTraining

    plan = PLANS[name]
    part, held_out = plan.parts(options.count or plan.counts, options.pictures)
    if options.draw_only:
        return {"pictures": len(part), "held_out": len(held_out)}
    keras.utils.set_random_seed(plan.settings["seed"])
    settings = {**plan.settings}
    if options.quick:  # to see on a CPU that everything works
        settings |= {"batch": 4, "chunk": 5, "settling": (2, 16)}
    kind = VaeGanTraining if plan.autoencodes else Training
    training = kind(plan.build(), part.images, part.labels, Settings(**settings))
    examiner = Examiner.of(plan.judge, held_out, options.samples)
    clock = Clock(began + 60 * options.minutes, options.steps)
    classes = () if part.labels is None else examiner.judge.names
    best = Best(name, options.out, about(name, plan, options, classes))
    train(training, plan, clock, best, examiner, options.every)
    networks = {part: training.networks[part] for part in best.weights}
    for which, weights in best.weights.items():
        networks[which].set_weights(weights)
    if plan.autoencodes:
        halves = networks["encoder"], networks["generator"]
        shipped_networks.standardise_codes(*halves, to_float(part.images[:CODES]))
    best.about |= {"steps": training.step, "seconds": round(time.monotonic() - began)}
    scores = examiner.full(networks, part)
    best.write(networks, scores, examiner)
    return scores


def about(
    name: str, plan: Plan, options: argparse.Namespace, classes: tuple[str, ...]
) -> dict[str, Any]:
    """What a card says before there are any scores."""
    import jax

    versions = {p: importlib.metadata.version(p) for p in ("jax", "keras", "numpy", "optax")}
    device = jax.devices()[0]
    data = plan.data if options.count is None else f"{options.count} of: {plan.data}"
    return {
        "data": data,
        **({"classes": list(classes)} if classes else {}),
        "recipe": plan.recipe(),
        "command": f"python tools/train_generator.py {name} --minutes {options.minutes:g}",
        "feature_network": plan.judge,
        "machine": f"{device.device_kind} ({device.platform}), {os.cpu_count()} CPU cores",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {"python": platform.python_version(), **versions},
    }


def store(name: str, folder: pathlib.Path) -> None:
    """Write a plan's files anew with this version of Keras, weights unchanged, and say so."""
    networks = PLANS[name].build()
    for part, stem in files_of(name).items():
        file = folder / f"{stem}.keras"
        card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as unpacked:
            # The configuration beside the weights is what an older Keras cannot read.
            with zipfile.ZipFile(file) as archive:
                weights = archive.extract("model.weights.h5", unpacked)
            networks[part].load_weights(weights)
        save_network(file, networks[part])
        card["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        card["stored"] = STORED.format(keras.__version__)
        write_json(file.with_suffix(".json"), card)


def main(arguments: list[str] | None = None, began: float | None = None) -> None:
    """The command line; see the module. ``began`` is when the clock was started."""
    began = time.monotonic() if began is None else began
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=PLANS, help="which generator")
    parser.add_argument("--minutes", type=float, help="the whole program ends after so many")
    parser.add_argument("--steps", type=int, help="the most steps")
    parser.add_argument("--out", type=pathlib.Path, default=GENERATORS_FOLDER)
    parser.add_argument("--pictures", type=pathlib.Path, default=DRAWN, help="where they are drawn")
    parser.add_argument("--count", type=int, nargs=2, help="pictures to train on, and held out")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two looks")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="pictures in a look")
    parser.add_argument("--quick", action="store_true", help="tiny batches: does it work at all?")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--draw-only", action="store_true", help="train nothing; draw")
    instead.add_argument("--store", action="store_true", help="train nothing; save it anew")
    options = parser.parse_args(arguments)
    if options.minutes is None:
        options.minutes = PLANS[options.name].minutes
    if not options.minutes > 0:
        parser.error(f"--minutes is {options.minutes:g}; it must be more than 0.")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.store:
        store(options.name, options.out)
        print(f"{options.name}: saved anew with Keras {keras.__version__}")
        return
    options.count = tuple(options.count) if options.count else None
    print(f"{options.name}: {make(options.name, options, began)}", flush=True)


if __name__ == "__main__":
    main(began=BEGAN)
