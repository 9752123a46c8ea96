"""The networks whose features the scores are made of: one small classifier a domain.

They ship in ``data/weights``, each with a card beside it that says what it was trained on, how
well it does, and by which command it was made. Only :func:`load` with ``"inception"`` gives a
network that does not ship.
"""

import functools
import hashlib
import json
import pathlib
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.special
from numpy.typing import NDArray

from helpers._backend import keras
from helpers.image_set import ImageSet

WEIGHTS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "weights"
DOMAINS = {  # the names that data sets bear, see helpers.layouts
    "MNIST": "digits",
    "EMNIST": "characters",
    "pen-drawn characters": "characters",
    "Fashion-MNIST": "fashion",
    "Fashion-MNIST's test split": "fashion",
    "CelebA": "faces",
    "generated avatars": "faces",
    "anime faces": "anime",
    "generated anime faces": "anime",
}

Array = NDArray[Any]
Kind = Literal["classes", "attributes", "inception"]
Size: TypeAlias = int | tuple[int, int]


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen classifier, used as a measuring instrument.

    Calling it with float32 pictures (n, height, width, channels) in [-1, 1] gives
    ``(features, probabilities)``: float64 of shape (n, 128), what the classifier sees
    before it decides, and float64 of shape (n, classes), what it decides.

    Attributes:
        name: of the domain.
        accuracy: on pictures that it was not trained on, 0 to 1; of attributes the mean.
        network: maps pictures to [features, logits].
        kind: ``"classes"``: a picture is of one class, and its probabilities add up to 1;
            ``"attributes"``: it has any number of attributes, each with a probability of its
            own; ``"inception"``: 2048 features and no probabilities, shape (n, 0).
        names: of the classes or attributes.
        batch_size: so many pictures are looked at at once.
    """

    name: str
    accuracy: float
    network: keras.Model = field(repr=False)
    kind: Kind = "classes"
    names: tuple[str, ...] = ()
    batch_size: int = field(default=250, repr=False)

    def __call__(self, images: Array) -> tuple[Array, Array]:
        """See the class.

        Raises:
            ValueError: no pictures, or of another size, dtype or range, or NaN among them.
        """
        self._check(images)
        # In pieces: `predict` would first copy all pictures into one tensor.
        parts = [
            self.network.predict_on_batch(images[start : start + self.batch_size])
            for start in range(0, len(images), self.batch_size)
        ]
        features, logits = (np.concatenate(x).astype(np.float64) for x in zip(*parts, strict=True))
        if self.kind == "attributes":
            return features, scipy.special.expit(logits)
        return features, scipy.special.softmax(logits, axis=1) if logits.shape[1] else logits

    def _check(self, images: Array) -> None:
        takes = self.network.input_shape[1:]
        if images.ndim != 4 or images.shape[1:] != takes or not len(images):
            these = images.shape[1:] if images.ndim == 4 and len(images) else images.shape
            raise ValueError(
                f"the {self.name} classifier takes pictures of {takes}, these are {these}. "
                "For another height and width: feature_networks.load(…, image_size=…)."
            )
        # NaN is neither above nor below.
        floats = np.issubdtype(images.dtype, np.floating)
        if not (floats and -1.01 <= images.min() and images.max() <= 1.01):
            raise ValueError(
                f"the {self.name} classifier takes finite float pictures in [-1, 1]; "
                "convert uint8 ones with datasets.to_float."
            )


def load(name: str = "digits", *, image_size: Size | None = None) -> FeatureNetwork:
    """The feature network of a domain, its checksum verified against its card.

    A score is as good as the network that looks: distances of two networks do not compare, and
    what a network was not trained to tell apart, it sees only by accident. The cards in
    ``data/weights`` say what each can do.

    Args:
        name: one of

            - ``"digits"``: 28×28×1, the 10 classes of MNIST, on which it was trained;
            - ``"characters"``: 28×28×1, the 47 classes of EMNIST Balanced, in its order;
              trained on characters that :mod:`helpers.characters` drew;
            - ``"fashion"``: 28×28×1, the 10 classes of Fashion-MNIST; trained on a part of its
              test split, so that scores of the whole set's test pictures flatter a little;
            - ``"faces"``: 64×64×3, 18 attributes of CelebA; trained on drawn portraits, of
              use on photographs as far as its card says;
            - ``"anime"``: 64×64×3, 26 attributes of the drawn anime faces;
            - ``"inception"``: see :func:`inception`.
        image_size: height and width, or (height, width), of the pictures that will be shown, if
            they are not the network's own. Their central square is resized, bilinearly, and
            averaged where it becomes smaller; real and generated pictures alike.

    Raises:
        ValueError: no such network, or a file that is missing or not the one on the card.
    """
    if name == "inception":
        return inception(image_size=image_size or 299)
    card = read_card(WEIGHTS_FOLDER, name, "feature network", also=("inception",))
    file = verified(WEIGHTS_FOLDER / f"{name}.keras", card["sha256"])
    classifier = keras.models.load_model(file, compile=False)
    features = classifier.get_layer("features").output
    network = keras.Model(classifier.inputs[0], [features, classifier.outputs[0]], name=name)
    kind: Kind = "attributes" if "attributes" in card else "classes"
    return FeatureNetwork(
        name, card["accuracy"], _resizing(network, image_size), kind, tuple(card.get(kind, ()))
    )


def for_data(data: ImageSet) -> FeatureNetwork:
    """The feature network for a data set, real or drawn, at the size of its pictures.

    Raises:
        ValueError: there is none for such pictures.
    """
    name = data.name.removesuffix(" (training)").removesuffix(" (test)")
    if name not in DOMAINS:
        raise ValueError(
            f"There is no feature network for {name!r}; there is one for: {', '.join(DOMAINS)}. "
            "Choose the one that comes nearest with feature_networks.load(name, image_size=…), "
            "or load('inception', image_size=…)."
        )
    height, width, _ = data.image_shape
    return load(DOMAINS[name], image_size=(height, width))


def inception(*, image_size: Size = 299, weights: str | None = "imagenet") -> FeatureNetwork:
    """InceptionV3 of ``keras.applications``, trained on ImageNet: 2048 features of color pictures.

    "Rethinking the Inception Architecture for Computer Vision" (Szegedy et al., 2015,
    arXiv:1512.00567). Pictures are resized to 299×299, bilinearly, and stay in [-1, 1], which
    is what the network was trained on. A Fréchet distance on these features does not compare
    with an FID that is published: that takes the network of 2015 (its weights were ported to
    other programs as "FID Inception"), which pools and resizes in its own way and was trained
    otherwise, and 50,000 pictures. Compare with distances of this network only.

    Args:
        image_size: see :func:`load`.
        weights: ``"imagenet"``: those in ``data/weights/inception_v3.h5``, if you put the file
            ``inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5`` of Keras there under
            this name, else those that Keras downloads, once (88 MB); ``None``: random ones,
            to try things out.

    Raises:
        ValueError: the weights are not to be had.
    """
    own = WEIGHTS_FOLDER / "inception_v3.h5"
    if weights == "imagenet" and own.is_file():
        weights = str(own)
    try:
        body = keras.applications.InceptionV3(include_top=False, weights=weights, pooling="avg")
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise ValueError(
            f"InceptionV3's weights are not to be had ({error}). Connect to the internet once, or "
            "put inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 (from "
            f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/) there as "
            f"{own}. Or use a network that ships: load('faces')."
        ) from error
    inputs = keras.Input((299, 299, 3))
    features = body(inputs, training=False)
    network = keras.Model(inputs, [features, features[:, :0]], name="inception")
    return FeatureNetwork(
        "inception", float("nan"), _resizing(network, image_size), "inception", batch_size=50
    )


def read_card(
    folder: pathlib.Path, name: str, what: str, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The card ``<name>.json`` of a network that ships in a folder.

    Args:
        folder: where cards and networks lie.
        name: of the network.
        what: such a network is called so, for the error.
        also: names that are known besides the cards.

    Raises:
        ValueError: there is no such card; which there are.
    """
    file = folder / f"{name}.json"
    if not file.is_file():
        known = ", ".join((*sorted(card.stem for card in folder.glob("*.json")), *also))
        raise ValueError(f"There is no {what} {name!r}. There is: {known or 'none'}.")
    card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return card


def verified(file: pathlib.Path, sha256: str) -> pathlib.Path:
    """The file of a network that ships, after a look at its checksum.

    Raises:
        ValueError: it is missing, or is another file than that on its card.
    """
    mend = "Restore it with `git checkout -- data/weights` in the repository's folder."
    if not file.is_file():
        raise ValueError(f"{file} is missing. {mend}")
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{file} is not the file on its card: SHA-256 {found[:12]}…, "
            f"expected {sha256[:12]}…. {mend}"
        )
    return file


def _resizing(network: keras.Model, image_size: Size | None) -> keras.Model:
    """The network behind a layer that makes pictures of another size fit."""
    own, channels = tuple(network.input_shape[1:3]), network.input_shape[3]
    given = (image_size, image_size) if isinstance(image_size, int) else image_size
    if given is None or given == own:
        return network
    inputs = keras.Input((*given, channels))
    side = min(given)
    top, left = ((length - side) // 2 for length in given)
    square = inputs[:, top : top + side, left : left + side]
    resize = functools.partial(keras.ops.image.resize, data_format="channels_last")
    # Without antialias single pixels would be picked, and fine structure become noise.
    fitting = resize(square, own, interpolation="bilinear", antialias=True)
    return keras.Model(inputs, network(fitting), name=network.name)
