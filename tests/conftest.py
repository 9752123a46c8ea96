"""What the tests share: tiny networks, a clock set by hand, a clean environment."""

import hashlib
import io
import json
import os
import pathlib
import zipfile

os.environ["MPLBACKEND"] = "Agg"

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in ("GAN_PROFILE", "GAN_DATA", "GAN_HEADLESS", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def root():
    """The repository's folder."""
    return ROOT


@pytest.fixture
def clock(monkeypatch):
    """``time.monotonic`` under the test's control: ``clock.now`` is what it says."""

    class Clock:
        now = 1_000.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


@pytest.fixture
def as_worker(monkeypatch):
    """Be one of two workers: ``as_worker(1)``; 0 is the chief."""

    def be(index):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": task}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))

    return be


@pytest.fixture(scope="session")
def pictures():
    """16 pictures of 4×4×1 as networks see them."""
    return np.random.default_rng(0).uniform(-0.9, 0.9, (16, 4, 4, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def z():
    """16 latent vectors."""
    return np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)


@pytest.fixture
def precision():
    """Set Keras' precision for one test: ``precision("mixed_bfloat16")``."""
    from helpers._backend import keras

    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def build():
    """Builders of tiny networks and GANs, always with the same initial weights."""
    return Build()


class Build:
    """See :func:`build`; ``extra`` layers stand between the Dense layers."""

    def __init__(self):
        from helpers._backend import keras
        from helpers.gans import GAN

        self.keras, self.layers, self.GAN = keras, keras.layers, GAN

    def generator(self, *extra, shape=(4, 4, 1), activation="tanh"):
        self.keras.utils.set_random_seed(1)
        return self.keras.Sequential(
            [
                self.keras.Input((3,)),
                self.layers.Dense(8, use_bias=False),
                *extra,
                self.layers.Dense(int(np.prod(shape)), activation=activation),
                self.layers.Reshape(shape),
            ]
        )

    def discriminator(self, *extra, shape=(4, 4, 1), activation=None):
        self.keras.utils.set_random_seed(2)
        return self.keras.Sequential(
            [
                self.keras.Input(shape),
                self.layers.Flatten(),
                self.layers.Dense(8, use_bias=False),
                self.layers.LeakyReLU(negative_slope=0.2),
                *extra,
                self.layers.Dense(1, activation=activation),
            ]
        )

    def gan(self, generator=None, discriminator=None, *, g_rate=0.1, d_rate=0.1, **kwargs):
        """A compiled GAN with plain gradient descent: what moves is easy to foretell."""
        gan = self.GAN(
            generator or self.generator(), discriminator or self.discriminator(), **kwargs
        )
        sgd = self.keras.optimizers.SGD
        gan.compile(sgd(g_rate), sgd(d_rate))
        return gan

    def lifelike_gan(self, **kwargs):
        """A GAN with all that has a training mode or chance in it, in both networks."""
        self.keras.utils.set_random_seed(0)  # Dropout takes its seed when it is made
        norm, dropout = self.layers.BatchNormalization, self.layers.Dropout
        generator = self.generator(norm(), dropout(0.2))
        return self.gan(generator, self.discriminator(norm(), dropout(0.2)), **kwargs)


@pytest.fixture(scope="session")
def values():
    """Copies of the numbers in a list of variables."""
    return lambda variables: [variable.numpy().copy() for variable in variables]


@pytest.fixture(scope="session")
def moved():
    """For each variable, whether it has moved from the numbers it had before."""
    return lambda before, variables: [
        not np.array_equal(b, v.numpy()) for b, v in zip(before, variables, strict=True)
    ]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of weights with one small classifier, ``"tiny"``, and its card."""
    from helpers import feature_networks
    from helpers._backend import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dropout(0.9)(x)
    x = keras.layers.Dense(6, activation="relu", name="features")(x)
    classifier = keras.Model(inputs, keras.layers.Dense(3)(x))
    classifier.save(tmp_path / "tiny.keras")
    digest = hashlib.sha256((tmp_path / "tiny.keras").read_bytes()).hexdigest()
    card = json.dumps({"sha256": digest, "accuracy": 0.5, "classes": ["a", "b", "c"]})
    (tmp_path / "tiny.json").write_text(card, encoding="utf-8")
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path)
    return tmp_path, classifier


@pytest.fixture(scope="session")
def real_data():
    """The folder of one real data set, or a skip: ``real_data("celeba")``."""

    def folder(name):
        found = ROOT.parent / "shared" / "data" / name
        if not found.is_dir():
            pytest.skip(f"the real {name} is not in {found}")
        return found

    return folder


@pytest.fixture(scope="session")
def encoded():
    """A picture as the bytes of a file: ``encoded(array, "PNG")``."""

    def encode(array, form="JPEG", **options):
        file = io.BytesIO()
        picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
        picture.save(file, form, **({"quality": 95} if form == "JPEG" else {}) | options)
        return file.getvalue()

    return encode


@pytest.fixture
def album(tmp_path, encoded):
    """Write pictures 12 wide and 16 high into a folder or zip; picture i has the level 8 i."""

    def make(place="album", n=20, names="{:06}.jpg", **more):
        files = {
            names.format(i): encoded(np.full((16, 12, 3), 8 * i % 256, np.uint8)) for i in range(n)
        }
        files |= more.pop("files", {})
        place = tmp_path / place
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix == ".zip":
            with zipfile.ZipFile(place, "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            return place
        for name, content in files.items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return place

    return make
