"""The tool that trains the feature networks: its cards, its changes of pictures, its training."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest
import train_feature_network as tool

from helpers import datasets, feature_networks, standins
from helpers._backend import keras, tf

FOLDER = feature_networks.WEIGHTS_FOLDER
KEYS = {
    "name", "data", "recipe", "command", "accuracy", "feature_layer", "seconds", "date",
    "versions", "sha256",
}  # fmt: skip
KINDS = {
    **dict.fromkeys(("digits", "characters", "fashion"), "classes"),
    **dict.fromkeys(("faces", "anime"), "attributes"),
}
SINGULAR = {"classes": "class", "attributes": "attribute"}


@pytest.fixture(scope="module")
def digits():
    return datasets.load("mnist")


def card_of(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


# --- the cards -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tool.PLANS)
def test_a_card_says_what_was_done_and_how_well_it_does(name):
    card, plan, kind = card_of(name), tool.PLANS[name], KINDS[name]
    by_what = f"accuracy_by_{SINGULAR[kind]}"
    more = {"real"} if plan.real else set()
    assert set(card) - {"stored"} == KEYS | {kind, by_what} | more
    assert card["name"] == name
    assert card["data"] == plan.data
    epochs = card["recipe"]["epochs"]
    assert card["recipe"] == plan.recipe(epochs)
    assert epochs == plan.epochs
    assert card["command"] == f"python tools/train_feature_network.py {name} --epochs {epochs}"
    assert set(card["versions"]) == {"python", "tensorflow", "keras", "numpy"}
    for measured in (card, card.get("real", card)):
        assert list(measured[by_what]) == card[kind]
        parts = list(measured[by_what].values())
        if kind == "attributes":
            assert np.mean([p["accuracy"] for p in parts]) == pytest.approx(
                measured["accuracy"], abs=1e-3
            )
            for part in parts:
                assert set(part) == {"accuracy", "balanced_accuracy", "base_rate"}
                assert 0 <= min(part.values()) <= max(part.values()) <= 1
        else:
            assert min(parts) < measured["accuracy"] < max(parts)


@pytest.mark.parametrize(
    ("name", "least"), [("digits", 0.993), ("characters", 0.88), ("fashion", 0.87)]
)
def test_the_classifiers_are_good_enough(name, least):
    assert card_of(name)["accuracy"] >= least


@pytest.mark.parametrize("name", tool.PLANS)
def test_the_readme_says_what_the_card_says(name, root):
    text = (root / "data" / "README.md").read_text(encoding="utf-8").split("## weights/")[1]
    (row,) = (line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    assert f"| {100 * card_of(name)['accuracy']:.1f} % |" in row
    assert f"{len(card_of(name)[KINDS[name]])} {KINDS[name]}" in row


def test_the_readme_says_what_carries_over_to_photographs(root):
    text = " ".join((root / "data" / "README.md").read_text(encoding="utf-8").split())
    for attribute, found in card_of("faces")["real"]["accuracy_by_attribute"].items():
        assert f"{attribute} {100 * found['balanced_accuracy']:.1f} %" in text


def test_the_file_on_a_card_can_be_stored_anew_and_stays_the_same_network(tmp_path, digits):
    for file in FOLDER.glob("digits.*"):
        shutil.copy(file, tmp_path)
    tool.main(["digits", "--store", "--out", str(tmp_path)])
    card = json.loads((tmp_path / "digits.json").read_text(encoding="utf-8"))
    old = card_of("digits")
    changing = ("sha256", "stored")
    assert {k: v for k, v in card.items() if k not in changing} == {
        k: v for k, v in old.items() if k not in changing
    }
    assert f"Keras {keras.__version__}" in card["stored"]
    assert hashlib.sha256((tmp_path / "digits.keras").read_bytes()).hexdigest() == card["sha256"]
    images = datasets.to_float(digits.test.images[:20])
    before, after = (
        keras.models.load_model(folder / "digits.keras") for folder in (FOLDER, tmp_path)
    )
    np.testing.assert_allclose(
        before.predict(images, verbose=0), after.predict(images, verbose=0), rtol=1e-4, atol=1e-4
    )


# --- what is measured ------------------------------------------------------------------------


def answering(logits):
    """A network that gives these logits, whatever it is shown."""
    inputs = keras.Input((2, 2, 1))
    network = keras.Model(inputs, inputs)
    network.predict = lambda images, **_: np.asarray(logits, np.float32)[: len(images)]
    return network


def test_the_accuracy_of_classes_is_counted_by_class():
    part = tool.Part(np.zeros((4, 2, 2, 1), np.uint8), np.array([0, 0, 0, 1]), ("a", "b"))
    found = tool.measured(answering([[2, 1], [0, 1], [3, 0], [5, 0]]), part)
    assert found["accuracy"] == 0.5
    assert found["accuracy_by_class"] == {"a": pytest.approx(2 / 3, abs=1e-4), "b": 0.0}


def test_the_accuracy_of_attributes_is_also_given_as_if_half_of_the_pictures_had_them():
    targets = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    part = tool.Part(np.zeros((4, 2, 2, 1), np.uint8), targets, ("hat", "smile"))
    logits = [[-1, -1], [-1, 4], [-1, 2], [-3, 0.1]]
    found = tool.measured(answering(logits), part)
    assert found["accuracy"] == 6 / 8
    assert found["accuracy_by_attribute"] == {
        # never seen, right where there is none: 3 of 4, but no better than a coin
        "hat": {"accuracy": 0.75, "balanced_accuracy": 0.5, "base_rate": 0.25},
        "smile": {"accuracy": 0.75, "balanced_accuracy": 0.75, "base_rate": 0.5},
    }


# --- how pictures are changed ----------------------------------------------------------------


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


def changed(images, seed, **amounts):
    return np.asarray(tool.changed(images, tf.constant([0, seed]), tool.Changes(**amounts)))


@pytest.mark.parametrize("changes", [tool.PEN, tool.CLOTHES, tool.CAMERA])
def test_changed_pictures_stay_in_range_and_differ(digits, changes):
    images = tf.constant(datasets.to_float(digits.train.images[:200]))
    new = np.asarray(tool.changed(images, tf.constant([0, 1]), changes))
    assert new.shape == images.shape
    assert new.dtype == np.float32
    assert new.min() >= -1
    assert new.max() <= 1
    assert np.abs(new - images).reshape(200, -1).max(axis=1).min() > 0.1
    np.testing.assert_array_equal(new, tool.changed(images, tf.constant([0, 1]), changes))
    assert not np.array_equal(new, tool.changed(images, tf.constant([0, 2]), changes))


def test_no_changes_change_nothing(digits):
    images = tf.constant(datasets.to_float(digits.train.images[:5]))
    np.testing.assert_allclose(changed(images, 1), images, atol=1e-5)


def test_shift_is_up_to_its_pixels_either_way():
    shifts = centres(changed(spot(), 1, shift=2)) - centres(spot())
    assert 1.5 < np.abs(shifts).max() <= 2.01
    assert shifts.min() < 0 < shifts.max()


def test_turn_and_zoom_are_small_and_about_the_middle():
    middle = centres(changed(spot(at=(12, 12)), 1, turn=10, zoom=0.1))
    np.testing.assert_allclose(middle, 13.5, atol=0.02)
    off = spot(at=(2, 12))  # ten pixels above the middle
    shifts = centres(changed(off, 1, turn=10, zoom=0.1)) - centres(off)
    assert 0.7 < np.abs(shifts[:, 0]).max() < 1.4  # a tenth of ten pixels towards or away
    assert 1.3 < np.abs(shifts[:, 1]).max() < 2.2  # ten degrees along the circle: 1.7


def test_half_of_the_pictures_are_mirrored_and_the_others_left():
    images = spot(at=(3, 4))
    pairs = list(zip(changed(images, 1, flip=True), images, strict=True))
    mirrored = np.array([np.allclose(x, i[:, ::-1], atol=1e-4) for x, i in pairs])
    kept = np.array([np.allclose(x, i, atol=1e-4) for x, i in pairs])
    assert (mirrored ^ kept).all()
    assert 16 < mirrored.sum() < 48


def test_pictures_mirrored_and_turned_at_once_keep_their_middle_and_their_shape():
    images = spot(at=(3, 6))
    from_middle = np.linalg.norm(centres(changed(images, 1, flip=True, turn=10)) - 13.5, axis=1)
    np.testing.assert_allclose(
        from_middle, np.linalg.norm(centres(images) - 13.5, axis=1), atol=0.1
    )


def test_what_comes_in_is_background_or_the_edge_goes_on():
    white = tf.ones((64, 28, 28, 1))
    assert changed(white, 1, shift=2).min() == -1
    np.testing.assert_allclose(changed(white, 1, shift=2, background=False), 1, atol=1e-5)


def test_light_and_contrast_change_a_picture_as_a_whole_and_tint_its_channels():
    images = np.linspace(-0.5, 0.5, 64 * 8 * 8 * 3, dtype=np.float32).reshape(64, 8, 8, 3)
    still = {"noise": 1e-9}
    moved = changed(images, 1, light=0.2, **still) - images
    assert np.ptp(moved, axis=(1, 2, 3)).max() < 1e-4
    assert 0.15 < np.abs(moved).max() <= 0.2001
    tinted = changed(images, 1, tint=0.1, **still) - images
    assert np.ptp(tinted, axis=(1, 2)).max() < 1e-4
    assert np.ptp(tinted.mean(axis=(1, 2)), axis=1).mean() > 0.03
    ratio = changed(images, 1, contrast=0.25, **still) / images
    assert np.ptp(ratio, axis=(1, 2, 3)).max() < 1e-3
    assert 0.74 < ratio.min() < 0.85
    assert 1.15 < ratio.max() < 1.26


def test_noise_is_of_every_strength_up_to_the_most():
    grain = changed(tf.zeros((200, 16, 16, 3)), 1, noise=0.1).std(axis=(1, 2, 3))
    assert grain.min() < 0.01
    assert 0.09 < grain.max() < 0.11
    assert np.abs(grain.mean() - 0.05) < 0.01


def test_blur_is_a_gaussian_that_keeps_the_light():
    dot = np.zeros((4, 15, 15, 1), np.float32)
    dot[:, 7, 7] = 1
    deviations = np.array([0.0, 0.4, 0.6, 0.8], np.float32).reshape(4, 1, 1, 1)
    soft = np.asarray(tool.blurred(tf.constant(dot), tf.constant(deviations)))[..., 0]
    np.testing.assert_allclose(soft.sum(axis=(1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(soft[0], dot[0, ..., 0], atol=1e-6)
    np.testing.assert_allclose(soft, soft.swapaxes(1, 2), atol=1e-6)
    np.testing.assert_allclose(soft, soft[:, ::-1], atol=1e-6)
    for one, deviation in zip(soft[1:], deviations.ravel()[1:], strict=True):
        assert one[7, 8] / one[7, 7] == pytest.approx(np.exp(-0.5 / deviation**2), rel=1e-4)
        assert one[7, 9] / one[7, 7] == pytest.approx(np.exp(-2 / deviation**2), rel=1e-3)
    flat = np.full((1, 6, 6, 3), 0.7, np.float32)  # also where it ends
    deviation = tf.fill((1, 1, 1, 1), 0.8)
    np.testing.assert_allclose(tool.blurred(tf.constant(flat), deviation), flat, atol=1e-6)


# --- what one sees at a glance ---------------------------------------------------------------


def test_a_look_is_the_colors_of_sixteen_places_from_left_to_right_and_down():
    pictures = np.random.default_rng(0).uniform(-1, 1, (3, 64, 32, 3)).astype(np.float32)
    seen = np.asarray(tool.look(tf.constant(pictures)))
    assert seen.shape == (3, 49)
    second_row_third_place = pictures[:, 16:32, 16:24].mean(axis=(1, 2))
    np.testing.assert_allclose(seen[:, 3 * 6 : 3 * 7], second_row_third_place, atol=1e-5)


def test_a_look_knows_sharp_from_soft_and_not_dark_from_light():
    pictures = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 32, 32, 3)).astype(np.float32)
    soft = tool.blurred(tf.constant(pictures), tf.fill((4, 1, 1, 1), 0.8))
    sharpness = [np.asarray(tool.look(x))[:, -1] for x in (soft, tf.constant(pictures))]
    assert (sharpness[0] < sharpness[1] - 1).all()
    lighter = np.asarray(tool.look(tf.constant(pictures + 0.3)))[:, -1]
    np.testing.assert_allclose(lighter, sharpness[1], atol=1e-4)
    slope = np.broadcast_to(np.linspace(-1, 1, 32, dtype=np.float32)[:, None, None], (1, 32, 32, 3))
    flat = np.zeros((1, 32, 32, 3), np.float32)
    slope, flat = (np.asarray(tool.look(tf.constant(x)))[0, -1] for x in (slope, flat))
    assert slope == pytest.approx(flat, abs=0.01)  # a change of light is no edge


def test_the_second_head_trains_the_layers_and_is_not_kept():
    images = np.random.default_rng(0).integers(0, 256, (256, 64, 64, 3)).astype(np.uint8)
    part = tool.Part(images, np.zeros((256, 2), np.int64), ("hat", "smile"))
    network = tool.classifiers.color_64x64(2)
    before = network.get_layer("features").output, network.get_weights()
    tool.train(network, part, tool.CAMERA, epochs=1, looks=True)
    assert network.output_shape == (None, 2)
    assert len(network.outputs) == 1
    moved = [
        not np.array_equal(a, b) for a, b in zip(before[1], network.get_weights(), strict=True)
    ]
    assert all(moved)


# --- the training ----------------------------------------------------------------------------


def test_the_stream_shows_every_picture_with_what_it_shows_once_an_epoch():
    levels = np.arange(12, dtype=np.uint8)
    images = np.broadcast_to(levels[:, None, None, None] * 20, (12, 4, 4, 1))
    part = tool.Part(images, np.stack([levels % 2, levels // 6], axis=1), ("odd", "late"))
    stream = tool.batches(part, tool.Changes(), 4, 0).take(6)
    seen = [
        (np.rint((np.asarray(x)[:, 0, 0, 0] + 1) * 127.5 / 20), np.asarray(y)) for x, y in stream
    ]
    shown, targets = (np.concatenate(column).astype(int) for column in zip(*seen, strict=True))
    assert sorted(shown[:12]) == sorted(shown[12:]) == list(range(12))
    assert shown[:12].tolist() != shown[12:].tolist()
    np.testing.assert_array_equal(targets, np.stack([shown % 2, shown // 6], axis=1))


def test_the_tool_makes_a_network_of_classes_that_loads(digits, tmp_path, monkeypatch):
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


def test_the_tool_makes_a_network_of_attributes_and_measures_it_on_others(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "DRAWN", tmp_path / "drawn")
    few = dataclasses.replace(tool.PLANS["faces"], parts=lambda: tool.drawn("celeba", 80, 20))
    monkeypatch.setitem(tool.PLANS, "faces", few)
    tool.main(["faces", "--epochs", "1", "--out", str(tmp_path)])
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path)
    network = feature_networks.load("faces")
    _, held_out = few.parts()
    assert len(held_out) == 2 * 20  # each whole and its middle
    probabilities = network(datasets.to_float(held_out.images))[1]
    assert network.accuracy == ((probabilities > 0.5) == held_out.targets).mean()
    assert network.names == held_out.names


def test_real_attributes_are_matched_by_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "DRAWN", tmp_path / "cache")
    standins.draw("celeba", tmp_path / "celeba", 12)
    part = tool.read("celeba", tmp_path / "celeba")
    names = ("Smiling", "Bald", "Eyeglasses")
    there = part.targets[:, [part.names.index(name) for name in names]]
    found = tool.on_real(answering(2 * there - 1), tool.PLANS["faces"], names, tmp_path)
    assert found["accuracy"] == 1
    assert list(found["accuracy_by_attribute"]) == list(names)
    assert found["data"].startswith("CelebA, whole and its central 150 pixels: 24 pictures")


def test_too_few_pictures_are_refused():
    part = tool.Part(np.zeros((100, 28, 28, 1), np.uint8), np.zeros(100, np.int64), ("a",))
    with pytest.raises(ValueError, match="100 pictures do not fill one batch of 128"):
        tool.train(tool.classifiers.grey_28x28(1), part, tool.PEN, epochs=1)


def test_no_epochs_is_refused(capsys):
    with pytest.raises(SystemExit):
        tool.main(["digits", "--epochs", "0"])
    assert "--epochs is 0" in capsys.readouterr().err
