"""The scores: distances against closed forms, counts by hand, the instrument checked."""

import hashlib
import json
import warnings

import numpy as np
import pytest
import scipy.linalg

from helpers import datasets, feature_networks, metrics
from helpers._backend import keras


def cloud(mean, root, n=500, seed=0):
    """Points with exactly this sample mean, and the sample covariance ``root rootᵀ``."""
    mean, root = np.asarray(mean, float), np.asarray(root, float)
    points = np.random.default_rng(seed).normal(size=(n, len(mean)))
    points -= points.mean(axis=0)
    whiten = np.linalg.inv(np.linalg.cholesky(np.cov(points, rowvar=False).reshape(2 * mean.shape)))
    return mean + points @ whiten.T @ root.T


TURN = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # the same Gaussian from other points
        (cloud([1, 2], np.diag([1, 3]), seed=1), cloud([1, 2], np.diag([1, 3]), seed=2), 0),
        # the mean moved by (3, 4): |μa − μb|² = 25
        (cloud([0, 0], np.eye(2)), cloud([3, 4], np.eye(2), n=300), 25),
        # one dimension: (μa − μb)² + (σa − σb)² = (1 − 4)² + (2 − 5)²
        (cloud([1], [[2]]), cloud([4], [[5]]), 18),
        # diagonal covariances: Σ (σa − σb)² = (1 − 2)² + (3 − 7)²
        (cloud([0, 0], np.diag([1, 3])), cloud([0, 0], np.diag([2, 7])), 17),
        # the same, both turned: covariances that commute
        (cloud([0, 0], TURN @ np.diag([1, 3])), cloud([0, 0], TURN @ np.diag([2, 7])), 17),
        # to a single point: tr Σ = 2² + 3²
        (cloud([0, 0], np.diag([2, 3])), np.zeros((10, 2)), 13),
    ],
    ids=["equal", "mean", "one dimension", "diagonal", "commuting", "point"],
)
def test_frechet_distance_has_its_closed_form(a, b, expected):
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, abs=1e-8)
    assert metrics.frechet_distance(b, a) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("d", [1, 2, 16, 64])
def test_frechet_distance_agrees_with_the_matrix_root_of_scipy(d):
    random = np.random.default_rng(d)
    a, b = (random.normal(size=(300, d)) @ random.normal(size=(d, d)) + m for m in (0, 0.3))
    cov_a, cov_b = (np.cov(x, rowvar=False).reshape(d, d) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    shift = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    expected = shift + np.trace(cov_a + cov_b - 2 * root)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_singular_covariances_is_exact_and_quiet():
    random = np.random.default_rng(0)
    # two directions of variance among 50, from fewer samples than dimensions
    a = random.normal(size=(20, 2)) @ random.normal(size=(2, 50))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
        assert metrics.frechet_distance(a, a + 2) == pytest.approx(4 * 50, rel=1e-6)
        assert metrics.frechet_distance(a, 3 * a) == pytest.approx(
            4 * np.square(a.mean(axis=0)).sum() + 4 * np.trace(np.cov(a, rowvar=False)), rel=1e-6
        )


def test_frechet_distance_sees_neither_order_nor_precision_of_the_rows():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(200, 8)).astype(np.float32), random.normal(1, 2, size=(100, 8))
    distance = metrics.frechet_distance(a, b)
    shuffled = random.permutation(a.astype(np.float64)), random.permutation(b)
    assert metrics.frechet_distance(*shuffled) == pytest.approx(distance, rel=1e-9)


def test_frechet_distance_stays_exact_far_from_the_origin():
    a = cloud([0, 0], np.eye(2)).astype(np.float32)
    assert metrics.frechet_distance(a + 1000, a + 1003) == pytest.approx(18, rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), r"same width.*\(5, 3\) and \(5, 4\)"),
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least two rows"),
        (np.zeros(5), np.zeros(5), "two matrices"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "NaN or infinity"),
        (np.zeros((5, 3)), np.full((5, 3), np.inf), "NaN or infinity"),
    ],
)
def test_frechet_distance_names_what_is_wrong_with_the_features(a, b, names):
    with pytest.raises(ValueError, match=names):
        metrics.frechet_distance(a, b)


PROBABILITIES = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3]])


def test_class_balance_is_the_share_of_each_class_absent_ones_too():
    np.testing.assert_allclose(metrics.class_balance(PROBABILITIES), [0.75, 0.25, 0])


def test_confidence_is_the_mean_of_the_largest_probability():
    assert metrics.confidence(PROBABILITIES) == pytest.approx((0.9 + 0.6 + 0.8 + 0.5) / 4)


def test_diversity_is_0_for_one_picture_repeated_and_1_for_the_reference():
    reference = np.random.default_rng(0).normal(size=(300, 5))
    assert metrics.diversity(np.repeat(reference[:1], 300, axis=0), reference) == 0
    assert metrics.diversity(reference, reference) == 1
    assert metrics.diversity(3 * reference + 7, reference) == pytest.approx(3)
    other = np.random.default_rng(1).normal(size=(400, 5))
    assert metrics.diversity(other, reference) == pytest.approx(1, abs=0.05)


@pytest.fixture(scope="module")
def crowd():
    """300 training pictures of 6×6×1."""
    return np.random.default_rng(0).integers(0, 256, (300, 6, 6, 1)).astype(np.uint8)


def test_nearest_finds_exact_copies_at_distance_0(crowd):
    indices, distances = metrics.nearest(crowd[[250, 3, 99]], crowd)
    assert indices.tolist() == [250, 3, 99]
    assert distances.tolist() == [0, 0, 0]


@pytest.mark.parametrize("chunk", [1, 7, 300, 5_000])
def test_nearest_is_what_comparing_all_pairs_finds_in_chunks_of_any_size(crowd, chunk):
    images = np.random.default_rng(1).integers(0, 256, (20, 6, 6, 1)).astype(np.uint8)
    difference = images[:, None].astype(float) - crowd[None].astype(float)
    every = np.sqrt(np.square(difference).mean(axis=(2, 3, 4)))
    indices, distances = metrics.nearest(images, crowd, chunk=chunk)
    assert indices.tolist() == every.argmin(axis=1).tolist()
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-6)


def test_nearest_tells_a_copy_from_what_is_almost_one():
    training = np.full((40, 64, 64, 3), 250, np.uint8)
    for i in range(40):
        training[i, i, : i + 1] = 249  # each differs from the last in a few pixels by 1
    indices, distances = metrics.nearest(training[::-1], training)
    assert indices.tolist() == list(range(39, -1, -1))
    assert distances.max() == 0


@pytest.mark.parametrize("which", [0, 1])
def test_nearest_compares_uint8_pictures_only(crowd, which):
    pair = [crowd, crowd]
    pair[which] = datasets.to_float(crowd)
    with pytest.raises(TypeError, match=r"must be uint8 pictures .* not float32"):
        metrics.nearest(*pair)


# --- the instrument ------------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of weights with one small classifier and its card."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dropout(0.9)(x)
    x = keras.layers.Dense(6, activation="relu", name="features")(x)
    classifier = keras.Model(inputs, keras.layers.Dense(3)(x))
    classifier.save(tmp_path / "tiny.keras")
    digest = hashlib.sha256((tmp_path / "tiny.keras").read_bytes()).hexdigest()
    card = json.dumps({"sha256": digest, "accuracy": 0.5})
    (tmp_path / "tiny.json").write_text(card, encoding="utf-8")
    monkeypatch.setattr(feature_networks, "WEIGHTS_FOLDER", tmp_path)
    return tmp_path, classifier


def test_a_feature_network_gives_features_and_probabilities(shipped, pictures):
    _, classifier = shipped
    network = feature_networks.load("tiny")
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


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda x: (x * 100).astype(np.uint8), r"float pictures in \[-1, 1\].*to_float"),
        (lambda x: (x + 1) * 127.5, r"float pictures in \[-1, 1\]"),
        (lambda x: x * np.nan, "finite"),
        (lambda x: x[:, :3], r"takes pictures of \(4, 4, 1\), these are \(3, 4, 1\)"),
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
    with pytest.raises(ValueError, match=r"no feature network 'faces'.*There is: tiny"):
        feature_networks.load("faces")


def test_a_scorer_gives_the_real_pictures_the_best_scores(shipped, pictures):
    scorer = metrics.Scorer.against(feature_networks.load("tiny"), pictures)
    scores = scorer(pictures)
    assert set(scores) == {"frechet_distance", "confidence", "smallest_class", "diversity"}
    assert scores["frechet_distance"] == pytest.approx(0, abs=1e-9)
    assert scores["diversity"] == 1
    same = scorer(np.repeat(pictures[:1], 16, axis=0))
    assert same["frechet_distance"] > 0.01
    assert same["diversity"] == 0
    assert same["smallest_class"] == 0


def test_score_generator_scores_the_pictures_it_makes_of_z(shipped, build, pictures, z):
    scorer = metrics.Scorer.against(feature_networks.load("tiny"), pictures)
    generator = build.generator(keras.layers.Dropout(0.9))
    expected = scorer(np.asarray(generator(z, training=False)))
    assert metrics.score_generator(generator, z, scorer) == pytest.approx(expected, rel=1e-5)


def test_the_shipped_digit_classifier_reads_digits_it_was_not_trained_on():
    network = feature_networks.load("digits")
    digits = datasets.load("mnist").test
    n = 1_000
    features, probabilities = network(datasets.to_float(digits.images[:n]))
    assert features.shape == (n, 128)
    assert features.min() >= 0
    right = (probabilities.argmax(axis=1) == digits.labels[:n]).mean()
    assert right == pytest.approx(network.accuracy, abs=0.01)
    assert right > 0.98
