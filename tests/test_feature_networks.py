"""The instrument: what it gives, what it refuses, and that each file is the one on its card."""

import functools
import json

import numpy as np
import pytest
import train_feature_network as tool

from helpers import datasets, feature_networks, standins
from helpers._backend import keras
from helpers.image_set import ImageSet

NAMES = sorted(file.stem for file in feature_networks.WEIGHTS_FOLDER.glob("*.json"))


def card_of(name):
    file = feature_networks.WEIGHTS_FOLDER / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


# --- what it gives and refuses ---------------------------------------------------------------


def test_a_feature_network_gives_features_and_probabilities(shipped, pictures):
    _, classifier = shipped
    network = feature_networks.load("tiny")
    assert (network.kind, network.names) == ("classes", ("a", "b", "c"))
    features, probabilities = network(pictures)
    assert (features.shape, probabilities.shape) == ((16, 6), (16, 3))
    assert features.dtype == probabilities.dtype == np.float64
    assert network.accuracy == 0.5
    logits = classifier.predict(pictures, verbose=0).astype(np.float64)
    np.testing.assert_allclose(
        probabilities, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rtol=1e-5
    )
    body = keras.Model(classifier.input, classifier.get_layer("features").output)
    np.testing.assert_allclose(features, body.predict(pictures, verbose=0), rtol=1e-5)


def test_an_attribute_has_a_probability_of_its_own(shipped, pictures):
    folder, classifier = shipped
    card = json.loads((folder / "tiny.json").read_text(encoding="utf-8"))
    card["attributes"] = card.pop("classes")
    (folder / "tiny.json").write_text(json.dumps(card), encoding="utf-8")
    network = feature_networks.load("tiny")
    assert (network.kind, network.names) == ("attributes", ("a", "b", "c"))
    logits = classifier.predict(pictures, verbose=0).astype(np.float64)
    np.testing.assert_allclose(network(pictures)[1], 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_pictures_are_looked_at_in_pieces_and_come_out_in_order(shipped, pictures):
    whole = feature_networks.load("tiny")
    for size in (1, 5, 16):
        pieces = feature_networks.FeatureNetwork("tiny", 0.5, whole.network, batch_size=size)
        for a, b in zip(whole(pictures), pieces(pictures), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda x: (x * 100).astype(np.uint8), r"float pictures in \[-1, 1\].*to_float"),
        (lambda x: np.sign(x).astype(int), r"float pictures in \[-1, 1\]"),
        (lambda x: (x + 1) * 127.5, r"float pictures in \[-1, 1\]"),
        (lambda x: x - 1, r"float pictures in \[-1, 1\]"),
        (lambda x: np.where(np.eye(4)[..., np.newaxis] == 1, np.nan, x), "finite"),
        (lambda x: np.where(x > 0.8, np.inf, x), "finite"),
        (lambda x: x[:, :3], r"takes pictures of \(4, 4, 1\), these are \(3, 4, 1\).*image_size"),
        (lambda x: x[..., 0], r"takes pictures of \(4, 4, 1\), these are \(16, 4, 4\)"),
        (lambda x: x[:0], r"takes pictures of \(4, 4, 1\), these are \(0, 4, 4, 1\)"),
    ],
)
def test_a_feature_network_refuses_what_it_would_misjudge(shipped, pictures, spoil, names):
    network = feature_networks.load("tiny")
    with pytest.raises(ValueError, match=names):
        network(spoil(pictures))


def test_a_feature_network_that_is_not_the_one_on_its_card_is_refused(shipped):
    folder, _ = shipped
    weights = folder / "tiny.keras"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"tiny\.keras is not the file on its card.*git checkout"):
        feature_networks.load("tiny")
    weights.unlink()
    with pytest.raises(ValueError, match=r"tiny\.keras is missing.*git checkout"):
        feature_networks.load("tiny")
    with pytest.raises(ValueError, match=r"no feature network 'faces'.*There is: tiny, inception"):
        feature_networks.load("faces")


# --- pictures of other sizes -----------------------------------------------------------------


def test_larger_pictures_are_averaged_not_picked_from(shipped, pictures):
    network, larger = (
        feature_networks.load("tiny"),
        feature_networks.load("tiny", image_size=32),
    )
    assert larger.network.input_shape == (None, 32, 32, 1)
    # In each block of 8 the two columns in the middle, where pixels would be picked, are white.
    stripes = np.where(np.isin(np.arange(32) % 8, (3, 4)), 1.0, -1.0)
    fine = np.broadcast_to(stripes[:, np.newaxis], (3, 32, 32, 1)).astype(np.float32)
    # A quarter is white; a triangle of 8 pixels either way sees that, but for where it is cut off.
    row = np.array([-25 / 56, -0.5, -0.5, -25 / 56], np.float32)
    grey = np.broadcast_to(row[:, np.newaxis], (3, 4, 4, 1))
    np.testing.assert_allclose(larger(fine)[0], network(grey)[0], atol=1e-4)
    # and what is the same all over stays as bright as it is
    for level in (-1.0, 0.3, 1.0):
        np.testing.assert_allclose(
            larger(np.full((1, 32, 32, 1), level, np.float32))[0],
            network(np.full((1, 4, 4, 1), level, np.float32))[0],
            atol=1e-5,
        )


def test_smaller_pictures_are_enlarged_smoothly_and_stand_upright(shipped):
    network, smaller = (
        feature_networks.load("tiny"),
        feature_networks.load("tiny", image_size=2),
    )
    corner = np.array([[1.0, -1.0], [0.0, 0.0]], np.float32).reshape(1, 2, 2, 1)
    # Bilinear, pixels as areas: the new ones lie at -1/4 (held), 1/4, 3/4, 5/4 (held).
    up = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]], np.float32)
    expected = (up @ corner[0, ..., 0] @ up.T).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(smaller(corner)[0], network(expected)[0], atol=1e-5)


def test_of_oblong_pictures_the_central_square_is_seen(shipped, pictures):
    network = feature_networks.load("tiny")
    framed = np.full((16, 4, 10, 1), 0.9, np.float32)
    framed[:, :, 3:7] = pictures
    wide = feature_networks.load("tiny", image_size=(4, 10))
    np.testing.assert_allclose(wide(framed)[0], network(pictures)[0], atol=1e-5)
    high = feature_networks.load("tiny", image_size=(10, 4))
    tall = framed.swapaxes(1, 2)
    upright = pictures.swapaxes(1, 2)
    np.testing.assert_allclose(high(tall)[0], network(upright)[0], atol=1e-5)


def test_pictures_of_the_networks_own_size_are_not_touched(shipped):
    assert feature_networks.load("tiny", image_size=4).network.input_shape == (None, 4, 4, 1)
    assert not [
        layer
        for layer in feature_networks.load("tiny", image_size=(4, 4)).network.layers
        if "resize" in layer.name
    ]


# --- which network for which data ------------------------------------------------------------


def set_of(name, shape=(28, 28, 1)):
    return ImageSet(name, np.zeros((4, *shape), np.uint8), None, (), "a test", 2)


@pytest.mark.parametrize(
    ("name", "network"),
    [("mnist", "digits"), ("fashion_mnist", "fashion"), ("emnist", "characters")],
)
def test_grey_sets_have_a_network_whose_classes_are_theirs(name, network, drawn_afresh):
    drawn_afresh(name)
    data = datasets.load(name, count=470)
    for part in (data, data.train, data.test):
        found = feature_networks.for_data(part)
        assert found.name == network
        assert found.names == data.class_names
        assert found.network.input_shape[1:] == data.image_shape


@pytest.mark.parametrize(("name", "network"), [("celeba", "faces"), ("anime", "anime")])
def test_faces_have_a_network_whose_attributes_are_theirs(name, network, drawn_afresh):
    drawn_afresh(name)
    data = datasets.load(name, image_size=48, count=10)
    found = feature_networks.for_data(data.test)
    assert found.name == network
    assert found.names == tuple(data.attributes.columns)
    features, probabilities = found(datasets.to_float(np.asarray(data.images)))
    assert (features.shape, probabilities.shape) == ((10, 128), (10, len(found.names)))


@pytest.mark.parametrize(
    ("name", "network"), [("celeba", "faces"), ("anime", "anime"), ("emnist", "characters")]
)
def test_real_sets_have_the_network_of_the_drawn_ones(name, network, real_data, drawn_afresh):
    drawn_afresh(name)
    folder = real_data(name)
    size = None if name == "emnist" else 64
    data = datasets.load(name, path=folder, image_size=size, count=94)
    assert not data.drawn
    assert feature_networks.for_data(data.train).name == network


def test_a_set_without_a_network_is_named_with_the_way_out():
    with pytest.raises(ValueError, match=r"no feature network for 'holiday'.*MNIST.*image_size=…"):
        feature_networks.for_data(set_of("holiday", (64, 64, 3)))


def test_a_set_is_seen_at_its_own_size():
    found = feature_networks.for_data(set_of("CelebA (test)", (218, 178, 3)))
    assert found.network.input_shape == (None, 218, 178, 3)


@pytest.fixture
def drawn_afresh(monkeypatch, tmp_path):
    """``drawn_afresh("celeba")``: the set is drawn in an empty folder; sets that ship stay."""

    def away(name):
        if name not in datasets.SHIPPED:
            monkeypatch.setattr(datasets, "DATA_FOLDER", tmp_path)

    return away


# --- InceptionV3 -----------------------------------------------------------------------------


def test_inception_sees_pictures_of_299_pixels_between_minus_1_and_1(monkeypatch):
    seen = []

    def stand_in(*, include_top, weights, pooling):
        """A body that hands on the mean and extremes of what it is shown."""
        assert (include_top, weights, pooling) == (False, None, "avg")
        x = inputs = keras.Input((None, None, 3))
        seen.append(inputs)
        return keras.Model(
            inputs,
            keras.ops.concatenate(
                [keras.ops.mean(x, (1, 2)), keras.ops.max(x, (1, 2)), keras.ops.min(x, (1, 2))],
                axis=-1,
            ),
        )

    monkeypatch.setattr(keras.applications, "InceptionV3", stand_in)
    network = feature_networks.inception(image_size=64, weights=None)
    assert (network.name, network.kind, network.names) == ("inception", "inception", ())
    images = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)
    images[0] = [-1.0, 0.25, 1.0]
    features, probabilities = network(images)
    np.testing.assert_allclose(features[0], [-1, 0.25, 1] * 3, atol=1e-5)
    np.testing.assert_allclose(features[1:, :3], images[1:].mean(axis=(1, 2)), atol=0.02)
    assert features.dtype == np.float64
    assert probabilities.shape == (3, 0)


def test_inception_itself_gives_2048_features_that_know_pictures_apart():
    keras.utils.set_random_seed(0)
    network = feature_networks.inception(image_size=64, weights=None)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    features, probabilities = network(np.concatenate([images, images[:1]]))
    assert (features.shape, probabilities.shape) == ((3, 2048), (3, 0))
    np.testing.assert_allclose(features[0], features[2], rtol=1e-4, atol=1e-6)
    assert np.abs(features[0] - features[1]).max() > 0.01 * features.max()


def test_inception_without_weights_says_where_to_get_them(monkeypatch, tmp_path):
    def no_network(**_):
        raise Exception("URL fetch failure: no route")

    monkeypatch.setattr(keras.applications, "InceptionV3", no_network)
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"not to be had \(URL fetch.*inception_v3\.h5.*faces"):
        feature_networks.load("inception", image_size=64)


def test_inception_takes_weights_that_lie_ready(monkeypatch, tmp_path):
    asked = []

    def note(*, weights, **_):
        asked.append(weights)
        x = keras.Input((None, None, 3))
        return keras.Model(x, keras.ops.mean(x, (1, 2)))

    monkeypatch.setattr(keras.applications, "InceptionV3", note)
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path)
    feature_networks.load("inception")
    (tmp_path / "inception_v3.h5").write_bytes(b"weights")
    feature_networks.load("inception")
    assert asked == ["imagenet", str(tmp_path / "inception_v3.h5")]


# --- what ships ------------------------------------------------------------------------------


def test_there_is_a_network_for_every_domain():
    assert set(NAMES) == set(feature_networks.DOMAINS.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_small_and_carries_no_optimizer(name):
    file = feature_networks.WEIGHTS_FOLDER / f"{name}.keras"
    assert file.stat().st_size <= 3_000_000
    assert not keras.models.load_model(file).compiled


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """A few pictures that a network was not trained on, float32, and what they show."""

    @functools.cache
    def pictures_for(name):
        drawn = {"characters": "emnist", "faces": "celeba", "anime": "anime"}.get(name)
        if drawn is None:
            test = datasets.load("mnist" if name == "digits" else "fashion_mnist").test
            return datasets.to_float(test.images[:1_000]), test.labels[:1_000]
        folder = tmp_path_factory.mktemp(drawn)
        standins.draw(drawn, folder, 940 if drawn == "emnist" else 150)
        part = tool.read(drawn, folder, cache=folder)
        return datasets.to_float(part.images), part.targets

    return pictures_for


@pytest.mark.parametrize("name", NAMES)
def test_the_accuracy_on_the_card_is_what_the_network_has(name, held_out):
    images, shown = held_out(name)
    network = feature_networks.load(name)
    features, probabilities = network(images)
    assert features.shape == (len(images), 128)
    assert features.min() == 0
    assert probabilities.shape == (len(images), len(network.names))
    if network.kind == "classes":
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        right = probabilities.argmax(axis=1) == shown
        deviation = right.std() / np.sqrt(len(right))
    else:
        right = (probabilities > 0.5) == shown
        deviation = right.mean(axis=1).std() / np.sqrt(len(right))
    assert network.accuracy == card_of(name)["accuracy"]
    assert right.mean() == pytest.approx(network.accuracy, abs=max(0.005, 4 * deviation))


@pytest.mark.parametrize("name", NAMES)
def test_no_feature_is_always_asleep_nor_all_the_same(name, held_out):
    images, _ = held_out(name)
    features, _ = feature_networks.load(name)(images)
    # in digits and characters the features are not normalized, see helpers.classifiers
    least = 90 if name in ("digits", "characters") else 125
    assert (features.std(axis=0) > 1e-3).sum() >= least
    assert np.linalg.matrix_rank(features - features.mean(axis=0)) >= least
