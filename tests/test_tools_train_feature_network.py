"""The shipped digit classifier: card and file belong together, and it measures well."""

import json
import shutil

import numpy as np
import pytest
import train_feature_network as tool

from helpers import datasets, feature_networks
from helpers._backend import keras, tf


@pytest.fixture(scope="module")
def digits():
    return datasets.load("mnist")


@pytest.fixture(scope="module")
def card():
    return json.loads((feature_networks.WEIGHTS_FOLDER / "digits.json").read_text(encoding="utf-8"))


@pytest.fixture
def weights_copy(tmp_path, monkeypatch):
    """A folder with copies of card and weights, where ``metrics`` now looks."""
    for file in feature_networks.WEIGHTS_FOLDER.glob("digits.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path)
    return tmp_path


def test_card_says_what_was_done(card):
    assert set(card) - {"stored"} == {
        "name", "data", "recipe", "command", "accuracy", "classes", "feature_layer", "seconds",
        "date", "versions", "sha256",
    }  # fmt: skip
    assert card["name"] == "digits"
    assert card["classes"] == list("0123456789")
    assert card["recipe"] == {"epochs": card["recipe"]["epochs"], **tool.RECIPE}
    assert f"--epochs {card['recipe']['epochs']}" in card["command"]
    assert set(card["versions"]) == {"python", "tensorflow", "keras", "numpy"}
    assert card["accuracy"] >= 0.993


def test_file_is_small_and_carries_no_optimizer():
    file = feature_networks.WEIGHTS_FOLDER / "digits.keras"
    assert file.stat().st_size <= 3_000_000
    assert not keras.models.load_model(file).compiled


def test_accuracy_on_the_card_is_what_the_network_has(card, digits):
    network = feature_networks.load("digits")
    _, probabilities = network(datasets.to_float(digits.test.images[:2_000]))
    right = float((probabilities.argmax(axis=1) == digits.test.labels[:2_000]).mean())
    assert network.accuracy == card["accuracy"]
    assert right == pytest.approx(card["accuracy"], abs=0.005)


def test_features_are_128_and_not_negative_and_probabilities_add_up(digits):
    images = datasets.to_float(digits.test.images[:50])
    features, probabilities = feature_networks.load("digits")(images)
    assert features.shape == (50, 128)
    assert features.min() == 0
    assert features.max() > 1
    assert probabilities.shape == (50, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_a_changed_file_is_refused(weights_copy):
    file = weights_copy / "digits.keras"
    content = bytearray(file.read_bytes())
    content[1_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"digits\.keras is not the file on its card"):
        feature_networks.load("digits")


def test_a_missing_file_is_named(weights_copy):
    (weights_copy / "digits.keras").unlink()
    with pytest.raises(ValueError, match=r"digits\.keras is missing.*git checkout"):
        feature_networks.load("digits")


def test_an_unknown_network_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no feature network 'letters'.*digits"):
        feature_networks.load("letters")


def spot(n=64, at=(13, 13)):
    """Pictures with one bright blob of 4×4 whose first corner is ``at``."""
    images = np.full((n, 28, 28, 1), -1, np.float32)
    images[:, at[0] : at[0] + 4, at[1] : at[1] + 4] = 1
    return tf.constant(images)


def centres(images):
    """Where the brightness of each picture lies on average, (n, 2): row and column."""
    weights = np.asarray(images)[..., 0] + 1
    places = np.stack(np.meshgrid(np.arange(28), np.arange(28), indexing="ij"), axis=-1)
    return np.einsum("nij,ijk->nk", weights, places) / weights.sum(axis=(1, 2))[:, None]


@pytest.fixture
def only(monkeypatch):
    """Switch on some of the augmentations and the others off."""

    def switch(**limits):
        for name in ("TURN", "ZOOM", "SHIFT"):
            monkeypatch.setattr(tool, name, limits.get(name, 0.0))

    return switch


def test_augmented_pictures_stay_in_range_and_differ(digits):
    images = tf.constant(datasets.to_float(digits.train.images[:200]))
    augmented = np.asarray(tool.augment(images, tf.constant([0, 1])))
    assert augmented.shape == images.shape
    assert augmented.dtype == np.float32
    assert augmented.min() >= -1
    assert augmented.max() <= 1
    assert np.abs(augmented - images).reshape(200, -1).max(axis=1).min() > 0.1
    np.testing.assert_array_equal(augmented, tool.augment(images, tf.constant([0, 1])))
    assert not np.array_equal(augmented, tool.augment(images, tf.constant([0, 2])))


def test_augmentation_of_nothing_changes_nothing(digits, only):
    only()
    images = tf.constant(datasets.to_float(digits.train.images[:5]))
    np.testing.assert_allclose(tool.augment(images, tf.constant([0, 1])), images, atol=1e-5)


def test_shift_is_up_to_two_pixels_either_way(only):
    only(SHIFT=tool.SHIFT)
    moved = centres(tool.augment(spot(), tf.constant([0, 1]))) - centres(spot())
    assert 1.5 < np.abs(moved).max() <= 2.01
    assert moved.min() < 0 < moved.max()


def test_turn_and_zoom_are_small_and_about_the_middle(only):
    only(TURN=tool.TURN, ZOOM=tool.ZOOM)
    middle = centres(tool.augment(spot(at=(12, 12)), tf.constant([0, 1])))
    np.testing.assert_allclose(middle, 13.5, atol=0.02)
    off = spot(at=(2, 12))  # ten pixels above the middle
    moved = centres(tool.augment(off, tf.constant([0, 1]))) - centres(off)
    assert 0.7 < np.abs(moved[:, 0]).max() < 1.4  # a tenth of ten pixels towards or away
    assert 1.3 < np.abs(moved[:, 1]).max() < 2.2  # ten degrees along the circle: 1.7


def test_the_tool_makes_a_network_that_loads(digits, tmp_path, monkeypatch):
    few = datasets.ImageSet(
        "few", digits.images[:384], digits.labels[:384], digits.class_names, "a test", 256
    )
    monkeypatch.setattr(datasets, "load", lambda name: few)
    tool.main(["digits", "--epochs", "1", "--out", str(tmp_path / "new")])
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path / "new")
    network = feature_networks.load("digits")
    logits = network(datasets.to_float(few.test.images))[1]
    assert network.accuracy == (logits.argmax(axis=1) == few.test.labels).mean()
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"digits.keras", "digits.json"}
    assert not keras.models.load_model(tmp_path / "new" / "digits.keras").compiled


def test_no_epochs_is_refused(capsys):
    with pytest.raises(SystemExit):
        tool.main(["digits", "--epochs", "0"])
    assert "--epochs is 0" in capsys.readouterr().err
