"""The scores: distances against closed forms, counts by hand, what a scorer says."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial

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


# --- kernel distance, inception score, manifolds ---------------------------------------------


def clouds(n=300, m=250, d=5, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)), 0.4 + 0.8 * random.standard_t(6, size=(m, d))


@pytest.mark.parametrize(("n", "d"), [(20, 50), (90, 200), (300, 256)])
def test_frechet_distance_of_any_singular_covariances_agrees_with_the_nuclear_norm(n, d):
    """Tr (Σa Σb)^½ is the sum of the singular values of A Bᵀ: no root, no product of Σ."""
    random = np.random.default_rng(n)
    a = random.normal(size=(n, d)) * np.logspace(0, -4, d)
    b = random.normal(size=(n + 10, d)) @ random.normal(size=(d, d))
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    shift = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    expected = shift + sum(np.square(x).sum() for x in centred) - 2 * cross
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def kernel_by_hand(a, b):
    """The unbiased MMD² from its definition, with loops."""

    def k(x, y):
        return (x @ y / len(x) + 1) ** 3

    def among(x):
        return np.mean([k(p, q) for i, p in enumerate(x) for j, q in enumerate(x) if i != j])

    return among(a) + among(b) - 2 * np.mean([k(p, q) for p in a for q in b])


def test_kernel_distance_is_its_definition():
    a, b = clouds(25, 20)
    found, spread = metrics.kernel_distance(a, b, subsets=1, subset_size=100)
    assert found == pytest.approx(kernel_by_hand(a, b), rel=1e-10)
    assert spread == 0


def test_kernel_distance_agrees_with_scikit_learns_kernel():
    kernel = pytest.importorskip("sklearn.metrics.pairwise").polynomial_kernel
    a, b = clouds()
    of_a, of_b = ((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(a), kernel(b)))
    expected = of_a + of_b - 2 * kernel(a, b).mean()
    found, _ = metrics.kernel_distance(a, b, subsets=1, subset_size=300)
    assert found == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_is_unbiased_whatever_the_sample_size():
    random = np.random.default_rng(0)
    for n in (10, 40):
        values = [
            metrics.kernel_distance(*random.normal(size=(2, n, 4)), subsets=1, subset_size=n)[0]
            for _ in range(2000)
        ]
        assert np.mean(values) == pytest.approx(0, abs=4 * np.std(values) / np.sqrt(2000))
        assert min(values) < 0


def test_kernel_distance_over_subsets_has_the_mean_and_a_spread_that_shrinks():
    a, b = clouds(1000, 1000)
    whole, _ = metrics.kernel_distance(a, b, subsets=1, subset_size=1000)
    small, wide = metrics.kernel_distance(a, b, subsets=40, subset_size=20)
    large, narrow = metrics.kernel_distance(a, b, subsets=40, subset_size=300)
    assert small == pytest.approx(whole, abs=4 * wide / np.sqrt(40))
    assert large == pytest.approx(whole, abs=4 * narrow / np.sqrt(40))
    assert narrow < wide / 3
    one, again, other = (
        metrics.kernel_distance(a, b, subsets=3, subset_size=20, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_kernel_distance_refuses_what_makes_no_pairs():
    a, b = clouds()
    with pytest.raises(ValueError, match="subset_size is 1"):
        metrics.kernel_distance(a, b, subset_size=1)
    with pytest.raises(ValueError, match="subsets is 0"):
        metrics.kernel_distance(a, b, subsets=0)


def test_inception_score_is_1_at_worst_and_the_number_of_classes_at_best():
    sure, unsure = np.eye(4)[np.arange(40) % 4], np.full((40, 4), 0.25)
    assert metrics.inception_score(sure, splits=2) == pytest.approx((4, 0))
    assert metrics.inception_score(unsure) == pytest.approx((1, 0))
    assert metrics.inception_score(np.repeat(sure[:1], 40, axis=0)) == pytest.approx((1, 0))
    assert metrics.inception_score(sure[sure[:, 3] == 0], splits=1)[0] == pytest.approx(3)


def test_inception_score_is_the_exponent_of_the_mutual_information_of_each_part():
    p = np.random.default_rng(0).dirichlet([0.3] * 5, size=60)
    parts = []
    for part in (p[:30], p[30:]):
        kl = (part * np.log(part / part.mean(axis=0))).sum(axis=1)
        parts.append(np.exp(kl.mean()))
    expected = np.mean(parts), np.std(parts)
    assert metrics.inception_score(p, splits=2) == pytest.approx(expected)


def test_inception_score_refuses_attributes_and_too_few():
    with pytest.raises(ValueError, match="Attributes have none"):
        metrics.inception_score(np.random.default_rng(0).uniform(size=(50, 3)))
    with pytest.raises(ValueError, match="5 pictures do not make 10 parts"):
        metrics.inception_score(np.eye(5))


def reach_by_scipy(x, k):
    """The distance of each row to its k-th nearest other."""
    return scipy.spatial.KDTree(x).query(x, k + 1)[0][:, k]


def reach_by_scikit_learn(x, k):
    tree = pytest.importorskip("sklearn.neighbors").NearestNeighbors
    return tree(n_neighbors=k + 1, algorithm="ball_tree").fit(x).kneighbors(x)[0][:, k]


@pytest.mark.parametrize("reach", [reach_by_scipy, reach_by_scikit_learn])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("d", [2, 40])
def test_manifold_scores_agree_with_a_second_implementation(reach, k, d):
    real, fake = clouds(d=d, seed=k)
    apart = scipy.spatial.distance.cdist(real, fake)
    inside = apart <= reach(real, k)[:, None]
    expected = inside.any(axis=0).mean(), (apart <= reach(fake, k)).any(axis=1).mean()
    assert metrics.precision_recall(real, fake, k=k) == pytest.approx(expected, abs=1e-12)
    expected = inside.sum(axis=0).mean() / k, inside.any(axis=1).mean()
    assert metrics.density_coverage(real, fake, k=k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [3, 5])
def test_manifold_scores_agree_with_prdc(k):
    prdc = pytest.importorskip("prdc")
    real, fake = clouds(d=16, seed=k)
    found = prdc.compute_prdc(real, fake, nearest_k=k)
    precision, recall = metrics.precision_recall(real, fake, k=k)
    density, coverage = metrics.density_coverage(real, fake, k=k)
    mine = {"precision": precision, "recall": recall, "density": density, "coverage": coverage}
    assert mine == pytest.approx({name: float(value) for name, value in found.items()}, abs=1e-6)


def test_manifold_scores_on_a_line_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])  # with k = 1 their balls reach 1, 1, 1 and 8
    fake = np.array([[0.5], [1.5], [30.0]])  # and these 1, 1 and 28.5
    assert metrics.precision_recall(real, fake, k=1) == pytest.approx((2 / 3, 1))
    # 0.5 lies in the balls of 0 and 1; 1.5 of 1 and 2 (10 reaches down to 2); 30 in none
    assert metrics.density_coverage(real, fake, k=1) == pytest.approx((4 / 3, 3 / 4))


def test_samples_of_one_distribution_reach_what_the_paper_derives():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(2, 4000, 3))
    density, coverage = metrics.density_coverage(real, fake, k=5)
    assert density == pytest.approx(1, abs=0.02)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.01)


def test_precision_is_blind_to_what_is_missing_and_recall_to_bad_samples():
    random = np.random.default_rng(0)
    real = np.concatenate([random.normal(0, 1, (300, 2)), random.normal(20, 1, (300, 2))])
    one_mode = random.normal(0, 1, (600, 2))
    precision, recall = metrics.precision_recall(real, one_mode)
    assert precision > 0.95
    assert recall == pytest.approx(0.5, abs=0.03)
    half_bad = np.concatenate([real + 0.01, 200 + random.normal(size=(600, 2))])
    precision, recall = metrics.precision_recall(real, half_bad)
    assert precision == pytest.approx(0.5, abs=0.01)
    assert recall > 0.95


def test_one_far_off_fake_raises_recall_and_leaves_coverage_as_it_was():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(300, 2)), random.normal(0, 0.1, (300, 2))
    spoilt = np.concatenate([fake, np.array([[50.0, 0], [-50, 0], [0, 50], [0, -50]])])
    assert metrics.precision_recall(real, fake)[1] < 0.2
    assert metrics.precision_recall(real, spoilt)[1] == 1
    before, after = (metrics.density_coverage(real, x)[1] for x in (fake, spoilt))
    assert after == before


def test_duplicates_are_the_share_with_a_twin_nearer_than_reals_have():
    random = np.random.default_rng(0)
    reference, others, fresh = random.normal(size=(3, 500, 8))
    assert metrics.duplicates(reference, reference) == pytest.approx(0.01, abs=0.003)
    assert metrics.duplicates(others, reference) == pytest.approx(0.01, abs=0.015)
    half = np.concatenate([fresh[:250], np.repeat(others[:50], 5, axis=0)])
    assert metrics.duplicates(half, reference) == pytest.approx(0.5, abs=0.02)
    assert metrics.duplicates(np.repeat(others[:1], 500, axis=0), reference) == 1


def test_duplicates_do_not_grow_with_the_number_of_samples():
    random = np.random.default_rng(0)
    reference, many = random.normal(size=(500, 4)), random.normal(size=(5000, 4))
    assert metrics.duplicates(many, reference) == pytest.approx(0.01, abs=0.015)


def test_class_shift_is_the_share_that_would_have_to_change():
    p = np.eye(3)[[0, 0, 0, 1]]
    q = np.eye(3)[[0, 1, 1, 2]]
    assert metrics.class_shift(p, q) == pytest.approx(0.5)
    assert metrics.class_shift(p, p) == 0
    assert metrics.class_shift(np.eye(3)[[0, 0]], np.eye(3)[[1, 2]]) == 1


def test_attribute_scores_are_the_worst_shift_and_the_mean_confidence():
    p = np.array([[0.9, 0.2], [0.8, 0.4], [0.1, 0.3], [0.7, 0.9]])
    q = np.array([[0.9, 0.2], [0.1, 0.4], [0.1, 0.3], [0.1, 0.6]])
    assert metrics.attribute_shift(p, q) == pytest.approx(0.5)
    assert metrics.attribute_confidence(p) == pytest.approx((3.3 + 3.0) / 8)


@pytest.mark.parametrize("score", ["kernel_distance", "precision_recall", "density_coverage"])
def test_scores_of_two_clouds_name_what_is_wrong_with_them(score):
    good = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match="same width"):
        getattr(metrics, score)(good, good[:, :2])
    with pytest.raises(ValueError, match="NaN or infinity"):
        getattr(metrics, score)(good, good * np.nan)


def test_manifolds_need_more_samples_than_neighbours():
    good = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match="3 nearest others need more than 3 samples"):
        metrics.precision_recall(good, good[:3])
    with pytest.raises(ValueError, match="5 nearest others need more than 5 samples"):
        metrics.density_coverage(good[:5], good)
