"""All scores in one table: which are there, beside which reals, and what bad samples get."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from helpers import feature_networks, metrics, scores
from helpers._backend import keras
from helpers.image_set import ImageSet, to_float

CLASSES = ("a", "b", "c")
ALWAYS = ["frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage"]
ALWAYS += ["diversity", "duplicates", "sharpness"]
OF_CLASSES = ["inception_score", "confidence", "class_shift", "smallest_class"]


def blobs(n, seed):
    """Pictures of three classes: a bright corner, another one, or none; and the classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    images = random.normal(90, 25, (n, 4, 4, 1))
    images[labels == 1, :2, :2] += 90
    images[labels == 2, 2:, 2:] += 90
    return np.clip(images, 0, 255).astype(np.uint8), labels


def image_set(n_train=300, n_test=400, seed=0, **more):
    images, labels = blobs(n_train + n_test, seed)
    given = {"labels": labels, "class_names": CLASSES} | more
    return ImageSet("blobs", images, origin="a test", n_train=n_train, **given)


@pytest.fixture(scope="module")
def network():
    """A classifier of blobs whose features are sums over the two corners, and a constant."""
    inputs = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(inputs)
    weights = np.zeros((16, 4), np.float32)
    weights[[0, 1, 4, 5], 0] = weights[[10, 11, 14, 15], 1] = 1
    weights[[2, 3, 6, 7], 2] = weights[[8, 9, 12, 13], 3] = 1
    features = keras.layers.Dense(4, use_bias=False)
    reading = keras.layers.Dense(3)
    outputs = features(flat)
    model = keras.Model(inputs, [outputs, reading(outputs)])
    features.set_weights([weights])
    to_logits = np.zeros((4, 3), np.float32)
    to_logits[0, 1] = to_logits[1, 2] = 6
    reading.set_weights([to_logits, np.zeros(3, np.float32)])
    return feature_networks.FeatureNetwork("blobs", 0.9, model, "classes", CLASSES)


@pytest.fixture(scope="module")
def data():
    return image_set()


@pytest.fixture(scope="module")
def reference(data, network):
    return scores.reference(data, network=network, n=200)


@pytest.fixture(scope="module")
def good(reference):
    return scores.score(blobs(200, 9)[0], reference, name="good")


def test_every_score_that_applies_has_its_row_in_the_order_of_the_page(good):
    assert list(good.table.index) == [name for name in scores.ABOUT if name in good.table.index]
    assert set(good.table.index) == {*ALWAYS, *OF_CLASSES, "memorised"}
    assert list(good.table) == ["value", "low", "high", "real", "best", "caveat"]
    numbers = good.table[["value", "low", "high", "real"]].to_numpy(float)
    assert np.isfinite(numbers).all()
    assert (good.table["low"] <= good.table["value"]).all()
    assert (good.table["value"] <= good.table["high"]).all()
    assert good.values == good.table["value"].to_dict()


def test_values_are_those_of_metrics_on_the_held_out_pictures(good, reference, network):
    images = to_float(blobs(200, 9)[0])
    features, probabilities = network(images)
    real = reference.held_out
    precision, recall = metrics.precision_recall(real.features, features)
    density, coverage = metrics.density_coverage(real.features, features)
    whole = {"subsets": 1, "subset_size": 200}
    expected = {
        "frechet_distance": metrics.frechet_distance(features, real.features),
        "kernel_distance": metrics.kernel_distance(features, real.features, **whole)[0],
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "inception_score": metrics.inception_score(probabilities, splits=1)[0],
        "confidence": metrics.confidence(probabilities),
        "class_shift": metrics.class_shift(probabilities, real.probabilities),
        "smallest_class": metrics.class_balance(probabilities).min(),
        "duplicates": metrics.duplicates(features, real.features),
        "sharpness": metrics.sharpness(images, to_float(real.images)),
    }
    assert {name: good.values[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    # of random pairs, which depend on the order
    assert good.values["diversity"] == pytest.approx(
        metrics.diversity(features, real.features), rel=0.02
    )


def test_held_out_pictures_judge_and_others_are_scored_for_comparison(data, reference):
    test = {picture.tobytes() for picture in data.test.images}
    judges = {picture.tobytes() for picture in reference.held_out.images}
    others = {picture.tobytes() for picture in reference.others.images}
    assert (len(judges), len(others)) == (200, 200)
    assert judges <= test
    assert others <= test
    assert not judges & others
    assert "200 held-out" in reference.notes[0]
    assert "200 other held-out" in reference.notes[0]


def test_where_too_few_are_held_out_all_judge_and_training_pictures_are_compared(network):
    data = image_set(n_test=150)
    reference = scores.reference(data, network=network, n=200)
    assert (len(reference.held_out.images), len(reference.others.images)) == (150, 200)
    training = {picture.tobytes() for picture in data.train.images}
    assert {picture.tobytes() for picture in reference.others.images} <= training
    assert "200 training pictures" in reference.notes[0]
    # and yet the copies are counted among held-out pictures, never among training pictures
    assert reference.real["memorised"] < 0.1


def test_real_pictures_score_like_real_pictures(good):
    table = good.table.drop(index="kernel_distance")
    for name, row in table.iterrows():
        assert row["low"] - 0.1 <= row["real"] <= row["high"] + 0.1, name
    real = good.table["real"]
    assert real["coverage"] > 0.9
    assert real["density"] == pytest.approx(1, abs=0.15)
    assert real["diversity"] == pytest.approx(1, abs=0.1)


def test_copies_of_training_pictures_are_found_and_held_out_ones_are_none(data, reference):
    copies = scores.score(data.train.images[:200], reference)
    assert copies.values["memorised"] == 1
    assert copies.table.loc["memorised", "real"] < 0.05
    half = np.concatenate([data.train.images[:100], blobs(100, 5)[0]])
    assert scores.score(half, reference).values["memorised"] == pytest.approx(0.5, abs=0.05)


def test_without_training_pictures_nobody_looks_for_copies(data, network):
    report = scores.score(blobs(60, 1)[0], data, network=network, n=60, training=False)
    assert "memorised" not in report.table.index


def test_score_of_a_data_set_and_of_its_reference_are_the_same(data, network, reference, good):
    again = scores.score(blobs(200, 9)[0], data, network=network, n=200, name="good")
    pd.testing.assert_frame_equal(again.table, good.table)
    assert again.notes == good.notes


def test_the_network_for_the_data_is_found_by_itself(data, network, monkeypatch):
    monkeypatch.setattr(feature_networks, "for_data", lambda found: network)
    assert scores.reference(data, n=50).network is network


def test_labels_that_were_asked_for_are_compared_with_what_is_read(reference):
    images, labels = blobs(200, 9)
    report = scores.score(images, reference, labels=labels)
    assert report.values["label_accuracy"] > 0.95
    assert report.table.loc["label_accuracy", "real"] > 0.95
    assert scores.score(images, reference, labels=(labels + 1) % 3).values["label_accuracy"] < 0.05


def test_labels_are_matched_to_the_network_by_the_names_of_classes(network):
    """A set of the classes c and a, in this order, as its numbers 0 and 1."""
    images, labels = blobs(700, 0)
    kept = labels != 1
    renamed = np.where(labels[kept] == 2, 0, 1)
    data = ImageSet("two", images[kept], renamed, ("c", "a"), "a test", 200)
    report = scores.score(images[kept], data, network=network, n=100, labels=renamed)
    assert report.values["label_accuracy"] > 0.95
    assert report.table.loc["smallest_class", "real"] > 0.3  # of the classes that reals show


def test_a_conditional_generator_is_asked_for_what_held_out_pictures_are(reference):
    shown = np.full((3, 16), -0.3, np.float32)  # a picture of each class
    shown[1, [0, 1, 4, 5]] = shown[2, [10, 11, 14, 15]] = 0.8
    z, label = keras.Input((2,)), keras.Input((3,))
    of_label = keras.layers.Dense(16, kernel_initializer=lambda *a, **k: shown)(label)
    of_z = keras.layers.Dense(16, kernel_initializer="zeros")(z)
    flat = keras.layers.Add()([of_label, of_z])
    model = keras.Model([z, label], keras.layers.Reshape((4, 4, 1))(flat))
    report = scores.score(model, reference)
    assert report.values["label_accuracy"] == 1
    assert report.values["class_shift"] < 0.1


def attributes_of(network):
    """A network of two attributes, read from the same features; and data that have them."""
    sure = dataclasses.replace(network, kind="attributes", names=("left", "x", "right"))
    images, labels = blobs(700, 0)
    table = pd.DataFrame({"right": (labels == 2) * 1, "left": (labels == 1) * 1})
    return sure, ImageSet("blobs", images, None, (), "a test", 300, attributes=table)


def test_attributes_have_their_own_scores(network):
    sure, data = attributes_of(network)
    report = scores.score(blobs(200, 9)[0], data, network=sure, n=200)
    assert set(report.table.index) == {
        *ALWAYS,
        "memorised",
        "confidence",
        "attribute_shift",
    }
    assert list(report.shares.index) == ["left", "x", "right"]
    assert report.values["confidence"] > 0.5
    one = scores.score(np.repeat(data.images[:1], 200, axis=0), data, network=sure, n=200)
    assert one.values["attribute_shift"] > report.values["attribute_shift"] + 0.05


def test_attributes_that_were_asked_for_are_matched_by_name(network):
    sure, data = attributes_of(network)
    asked = data.test.attributes.to_numpy()[:200]
    right = scores.score(data.test.images[:200], data, network=sure, n=200, labels=asked)
    swapped = scores.score(data.test.images[:200], data, network=sure, n=200, labels=asked[:, ::-1])
    assert right.values["label_accuracy"] > swapped.values["label_accuracy"] + 0.3
    unknown = dataclasses.replace(sure, names=("u", "v", "w"))
    with pytest.raises(ValueError, match="reads none of the attributes of blobs: right, left"):
        scores.score(data.test.images[:200], data, network=unknown, n=200, labels=asked)


def test_one_picture_repeated_is_scored_and_said(reference):
    report = scores.score(np.repeat(blobs(1, 4)[0], 200, axis=0), reference)
    assert report.values["diversity"] == 0
    assert report.values["duplicates"] == 1
    assert report.values["recall"] < 0.02
    assert report.values["inception_score"] == pytest.approx(1)
    assert np.isfinite(report.table[["value", "low", "high"]].to_numpy(float)).all()
    assert "All samples are one and the same picture." in report.notes
    assert report.table.loc["precision", "caveat"] == "of one picture only"


def test_fewer_samples_than_asked_for_are_scored_and_said(reference):
    report = scores.score(blobs(50, 4)[0], reference)
    assert any("Only 50 samples, not 200" in note for note in report.notes)


def test_fewer_samples_than_features_are_scored_and_said(data, network):
    inputs = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(inputs)
    wide = keras.layers.Concatenate()([flat] * 10)  # 160 features
    model = keras.Model(inputs, [wide, keras.layers.Dense(3)(flat)])
    broad = dataclasses.replace(network, network=model)
    report = scores.score(blobs(100, 4)[0], data, network=broad, n=100)
    assert report.table.loc["frechet_distance", "caveat"] == "too large: 100 samples, 160 features"
    assert any("100 samples are too few for 160 features" in note for note in report.notes)
    assert any("100 held-out pictures are too few" in note for note in report.notes)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: (blobs(19, 0)[0], image_set(), 200), "19 samples are too few to score: give 20"),
        (lambda: (blobs(90, 0)[0], image_set(), 10), "10 samples against 400 held-out pictures"),
        (lambda: (blobs(90, 0)[0], image_set(n_test=30), 90), "against 30 held-out pictures"),
        (lambda: (blobs(90, 0)[0][:, :3], image_set(), 90), r"shape \(90, 3, 4, 1\)"),
        (lambda: (np.full((90, 4, 4, 1), np.nan), image_set(), 90), "NaN or infinity"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_mend(make, names, network):
    samples, data, n = make()
    with pytest.raises(ValueError, match=names):
        scores.score(samples, data, network=network, n=n)


def test_samples_are_looked_at_before_the_reals(data, network, monkeypatch):
    """So that a wrong range costs no minute of waiting."""
    monkeypatch.setattr(scores, "reference", lambda *a, **k: pytest.fail("looked at reals first"))
    with pytest.raises(ValueError, match="Stretch"):
        scores.score(np.full((90, 4, 4, 1), 0.5), data, network=network)


def test_another_sample_lies_within_the_interval_as_a_rule(reference, good):
    within = []
    for seed in range(20, 30):
        values = scores.score(blobs(200, seed)[0], reference).values
        within += [row["low"] <= values[name] <= row["high"] for name, row in good.table.iterrows()]
    assert np.mean(within) > 0.75  # two samples differ by √2 as much as one from the truth


@pytest.mark.slow
def test_mnist_is_scored_with_the_shipped_network(capsys):
    from helpers import datasets

    data = datasets.load("mnist")
    report = scores.score(data.test.images[-500:], data, n=500, labels=data.test.labels[-500:])
    assert report.values["label_accuracy"] > 0.97
    assert report.values["memorised"] < 0.05
    assert report.compared == ("MNIST", "digits", 500)
