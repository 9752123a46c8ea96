"""The networks whose features the scores are made of: one small classifier a domain."""

import hashlib
import json
import pathlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers._backend import keras

WEIGHTS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "weights"

Array = NDArray[Any]


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen classifier, used as a measuring instrument.

    Calling it with float32 pictures (n, height, width, channels) in [-1, 1] gives
    ``(features, probabilities)``: float64 of shape (n, 128), what the classifier sees
    before it decides, and float64 of shape (n, classes), what it decides.
    """

    name: str
    accuracy: float
    network: keras.Model = field(repr=False)

    def __call__(self, images: Array) -> tuple[Array, Array]:
        """See the class."""
        if images.shape[1:] != self.network.input_shape[1:]:
            raise ValueError(
                f"the {self.name} classifier takes pictures of {self.network.input_shape[1:]}, "
                f"these are {images.shape[1:]}."
            )
        if images.dtype == np.uint8 or not np.isfinite(images).all() or np.abs(images).max() > 1.01:
            raise ValueError(
                f"the {self.name} classifier takes finite float pictures in [-1, 1]; "
                "convert uint8 ones with datasets.to_float."
            )
        features, logits = self.network.predict(images, batch_size=250, verbose=0)
        return features.astype(np.float64), _softmax(logits.astype(np.float64))


def load(name: str = "digits") -> FeatureNetwork:
    """The shipped classifier of a domain, its checksum verified against its card.

    Args:
        name: ``"digits"``: 28×28×1 MNIST digits, 10 classes.

    Raises:
        ValueError: no such network, or a file that is missing or not the one on the card.
    """
    card_file = WEIGHTS_FOLDER / f"{name}.json"
    weights_file = WEIGHTS_FOLDER / f"{name}.keras"
    mend = "Restore it with `git checkout -- data/weights` in the repository's folder."
    if not card_file.is_file():
        known = ", ".join(sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.json")))
        raise ValueError(f"There is no feature network {name!r}. There is: {known or 'none'}.")
    if not weights_file.is_file():
        raise ValueError(f"{weights_file} is missing. {mend}")
    card = json.loads(card_file.read_text(encoding="utf-8"))
    found = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    if found != card["sha256"]:
        raise ValueError(
            f"{weights_file} is not the file on its card: SHA-256 {found[:12]}…, "
            f"expected {card['sha256'][:12]}…. {mend}"
        )
    classifier = keras.models.load_model(weights_file, compile=False)
    features = classifier.get_layer("features").output
    network = keras.Model(classifier.inputs[0], [features, classifier.outputs[0]], name=name)
    return FeatureNetwork(name, card["accuracy"], network)


def _softmax(logits: Array) -> Array:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
