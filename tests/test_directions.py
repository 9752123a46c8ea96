"""Directions are found where they were hidden, and what a step does is counted right."""

import numpy as np
import pytest

from helpers import directions, latent


@pytest.fixture
def z():
    """A function that gives n normal codes of d numbers."""
    return lambda n, d=8, seed=0: np.random.default_rng(seed).normal(size=(n, d))


def alike(found, wanted):
    """Whether each is the other, or its opposite."""
    return np.abs((np.asarray(found) * wanted).sum(axis=-1)) > 0.999


# ------------------------------------------------------------------------------- without labels


@pytest.fixture
def layer():
    """Weights (d, units) of a layer that stretches three known directions 5, 3 and 2 times."""
    ways = np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0]
    units = np.linalg.qr(np.random.default_rng(6).normal(size=(20, 8)))[0]
    sizes = np.array([5, 3, 2, *[0.1] * 5])
    return ways.T[:3], ways @ np.diag(sizes) @ units.T, sizes**2 / (sizes**2).sum()


def test_closed_form_finds_what_the_layer_stretches_most(layer):
    ways, weights, shares = layer
    found, of_all = directions.closed_form(weights, 3)
    assert alike(found, ways).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    np.testing.assert_allclose(of_all, shares[:3])


@pytest.mark.parametrize(("weights", "k"), [(np.ones(4), 1), (np.ones((2, 9)), 3)])
def test_closed_form_refuses_weights_of_another_shape(weights, k):
    with pytest.raises(ValueError, match=rf"{k} directions are asked of weights of shape"):
        directions.closed_form(weights, k)


def test_principal_directions_of_a_linear_layer_are_those_in_closed_form(layer, z):
    ways, weights, shares = layer
    codes = z(40_000)
    found, of_all = directions.principal(codes @ weights + 3.0, codes, 3)
    assert alike(found, ways).all()
    np.testing.assert_allclose(of_all, shares[:3], rtol=0.05)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)


def test_principal_directions_see_through_a_nonlinear_layer(layer, z):
    ways, weights, _ = layer
    codes = z(4_000)
    found, _ = directions.principal(np.tanh(codes @ weights / 20).reshape(-1, 4, 5), codes, 2)
    assert (np.abs((found * ways[:2]).sum(axis=1)) > 0.97).all()


def test_principal_directions_want_an_activation_a_code_and_enough_of_them(z):
    with pytest.raises(ValueError, match="5 activations of 6 codes"):
        directions.principal(z(5, 20), z(6), 2)
    with pytest.raises(ValueError, match=r"4 components cannot be found in 4 activations"):
        directions.principal(z(4, 20), z(4), 4)
    with pytest.raises(ValueError, match="3 components cannot be found in 9 activations of 2"):
        directions.principal(z(9, 2), z(9), 3)


def test_first_weights_are_the_linear_map_with_its_norm_folded_in(build, z):
    layers, keras = build.layers, build.keras
    norm = layers.BatchNormalization()
    network = keras.Sequential([keras.Input((8,)), layers.Dense(5, use_bias=False), norm])
    norm.set_weights([np.arange(1.0, 6), np.ones(5), z(1, 5)[0], np.array([0.5, 1, 2, 4, 9])])
    whole = keras.Sequential([*network.layers, layers.ReLU(), layers.Dense(2)])
    whole.build((None, 8))
    codes = z(2)
    a, b = network(codes.astype(np.float32), training=False).numpy()
    weights = directions.first_weights(whole)
    np.testing.assert_allclose((codes[0] - codes[1]) @ weights, a - b, rtol=1e-4)


@pytest.mark.parametrize("scale", [True, False])
def test_first_weights_do_without_a_gain_and_without_a_norm(build, scale):
    layers, keras = build.layers, build.keras
    dense = layers.Dense(5)
    plain = keras.Sequential([keras.Input((3,)), dense, layers.ReLU()])
    np.testing.assert_allclose(directions.first_weights(plain), dense.kernel)
    norm = layers.BatchNormalization(scale=scale, epsilon=3.0)
    normed = keras.Sequential([keras.Input((3,)), dense, norm])
    np.testing.assert_allclose(directions.first_weights(normed), dense.kernel.numpy() / 2)


def test_first_weights_of_a_network_that_begins_otherwise_are_refused(build):
    network = build.keras.Sequential(
        [build.keras.Input((4, 4, 1)), build.layers.Conv2D(2, 3), build.layers.Dense(3)]
    )
    with pytest.raises(ValueError, match=r"first layer with weights is Conv2D.*principal"):
        directions.first_weights(network)


# ------------------------------------------------------------------------------ for attributes

NAMES = ("hat", "beard")
HAT = np.eye(8)[2]
BEARD = np.array([0, 0, 3, 4, 0, 0, 0, 0]) / 5  # comes with hats


def labels_of(codes, noise=0.0, seed=9):
    random = np.random.default_rng(seed)
    sure = codes @ np.stack([HAT, BEARD]).T
    return (sure + noise * random.normal(size=sure.shape) > 0.3).astype(int)


@pytest.mark.parametrize("method", ["logistic", "means"])
def test_directions_are_found_where_the_attributes_are(z, method):
    codes = z(6_000)
    found = directions.of_attributes(codes, labels_of(codes, 0.3), NAMES, method=method)
    assert found.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert ((found * [HAT, BEARD]).sum(axis=1) > 0.99).all()  # and point the right way


def test_logistic_regression_is_not_misled_by_how_the_codes_spread(z):
    # Codes that vary together, as encodings do: the difference of means leans with them.
    codes = z(6_000) + 2 * z(6_000, 1, seed=3) * np.array([0, 0, 1, 1, 1, 0, 0, 0])
    has = labels_of(codes, 0.3)[:, :1]
    (logistic,) = directions.of_attributes(codes, has, NAMES[:1])
    (means,) = directions.of_attributes(codes, has, NAMES[:1], method="means")
    assert logistic @ HAT > 0.99 > 0.9 > means @ HAT


def test_a_perfectly_separable_attribute_is_no_trouble(z):
    codes = z(500)
    (found,) = directions.of_attributes(codes, labels_of(codes)[:, :1], NAMES[:1])
    assert found @ HAT > 0.98


def test_the_logistic_solution_has_no_slope_left(z):
    from scipy.special import expit

    codes = z(300)
    of = labels_of(codes, 1.0)[:, 0] == 1
    w = directions._logistic(codes, of, penalty=2.0)
    # At the best intercept for these weights the gradient must vanish.
    offsets = np.linspace(-3, 3, 60_001)
    errors = [abs((expit(codes @ w + b) - of).sum()) for b in offsets[::100]]
    b = offsets[::100][int(np.argmin(errors))]
    slope = codes.T @ (expit(codes @ w + b) - of) + 2.0 * w
    assert np.abs(slope).max() < 0.5  # of 300 terms


@pytest.mark.parametrize(
    ("has", "says"),
    [
        (np.zeros, r"only 0 are with 'hat', too few.*\(10 are needed\).*Draw more"),
        (np.ones, "only 0 are without 'hat'"),
        (lambda n: np.arange(n) < 9, "of 40 codes only 9 are with 'hat'"),
        (lambda n: np.arange(n) >= 9, "only 9 are without 'hat'"),
    ],
)
def test_an_attribute_without_examples_is_named(z, has, says):
    column = has(40).astype(int)[:, None]
    other = (np.arange(40) % 2)[:, None]
    with pytest.raises(ValueError, match=says):
        directions.of_attributes(z(40), np.hstack([other, column]), ("beard", "hat"))
    with pytest.raises(ValueError, match=r"only 0 .*\(1 are needed\)"):
        directions.of_attributes(z(40), np.zeros((40, 1)), ("hat",), least=0)


def test_labels_that_do_not_fit_are_named(z):
    with pytest.raises(ValueError, match=r"shape \(40,\).*want \(40, 2\)"):
        directions.of_attributes(z(40), np.ones(40), NAMES)
    with pytest.raises(ValueError, match=r"shape \(39, 2\)"):
        directions.of_attributes(z(40), np.ones((39, 2)), NAMES)
    with pytest.raises(ValueError, match="method is 'svm'; there is: logistic, means"):
        directions.of_attributes(z(40), labels_of(z(40)), NAMES, method="svm")


def test_probabilities_serve_as_labels(z):
    codes = z(200)
    has = labels_of(codes)
    np.testing.assert_allclose(
        directions.of_attributes(codes, has, NAMES),
        directions.of_attributes(codes, 0.2 + 0.6 * has, NAMES),
    )


def test_separation_counts_pairs_in_the_right_order():
    codes = np.array([[0.0, 1], [1, 1], [2, 1], [3, 1]])
    for has, share in (((0, 0, 1, 1), 1), ((0, 1, 0, 1), 3 / 4), ((1, 1, 0, 0), 0)):
        assert directions.separation(codes, has, [1, 0]) == share
    assert directions.separation(codes, (0, 1, 0, 1), [0, 1]) == 0.5  # ties are half right
    for has in ((1, 1, 1, 1), (0, 0, 0, 0)):
        with pytest.raises(ValueError, match="some must, and some not"):
            directions.separation(codes, has, [1, 0])


def test_without_takes_one_direction_out_of_another():
    left = directions.without(BEARD, HAT)
    np.testing.assert_allclose(left, np.eye(8)[3], atol=1e-12)
    np.testing.assert_allclose(directions.without(BEARD, -7 * HAT), left, atol=1e-12)
    np.testing.assert_allclose(directions.without(2 * BEARD, np.zeros((0, 8))), BEARD)


def test_without_takes_out_all_of_several_that_are_not_orthogonal(z):
    others = z(3)
    others[2] = others[0] + 0.01 * others[2]
    left = directions.without(z(1, seed=4)[0], others)
    np.testing.assert_allclose(others @ left, 0, atol=1e-9)
    assert np.linalg.norm(left) == pytest.approx(1)
    twice = directions.without(z(1, seed=4)[0], np.vstack([others, others]))
    np.testing.assert_allclose(left, twice, atol=1e-9)


def test_without_says_when_nothing_is_left(z):
    others = z(2)
    with pytest.raises(ValueError, match="nothing is left"):
        directions.without(others[0] - others[1], others)
    with pytest.raises(ValueError, match="code of 3 numbers"):
        directions.without(HAT, np.eye(3))


# ------------------------------------------------------------------------------ what it changes


def look(codes):
    """Element 2 beyond 1 is a hat, element 3 beyond 1 a beard; features are the whole code."""
    return codes, np.stack([codes[:, 2] > 1, codes[:, 3] > 1], axis=1) * 0.8 + 0.1


def test_effects_count_what_appeared_and_what_else_changed():
    codes = np.zeros((4, 8))
    codes[:, 2] = [0, 0.5, 3, -1]  # the third has a hat already
    codes[1, 3] = 2  # the second has a beard
    way = np.array([0, 0, 1, 1, 0, 0, 0, 0]) / np.sqrt(2)
    none, some, all_ = directions.effects(
        look, codes, {"hat": way}, np.sqrt(2) * np.array([0, 0.75, 2.5]), NAMES
    )
    assert (none.attribute, none.tried, none.success, none.moved) == ("hat", 3, 0, 0)
    assert some.success == pytest.approx(1 / 3)  # only 0.5 + 0.75 passes 1
    np.testing.assert_allclose(some.flipped, [1 / 3, 0])
    assert all_.success == 1
    np.testing.assert_allclose(all_.flipped, [1, 2 / 3])  # two of three had no beard before
    assert all_.step == pytest.approx(2.5 * np.sqrt(2))


def test_effects_measure_how_far_the_features_moved_in_faces(z):
    codes = z(2_000)
    (found,) = directions.effects(look, codes, {"hat": HAT}, 2.0, NAMES)
    between = np.sqrt(2) * latent.shell(8).mean()  # of two codes drawn at random
    assert found.moved == pytest.approx(2.0 / between, rel=0.03)
    assert found.tried == 200
    assert directions.effects(look, codes, {"hat": HAT}, 2.0, NAMES, most=9)[0].tried == 9


def test_effects_name_what_cannot_be_measured(z):
    with pytest.raises(ValueError, match=r"no 'scarf'\. It has: hat, beard"):
        directions.effects(look, z(5), {"scarf": HAT}, [1], NAMES)
    with pytest.raises(ValueError, match="every one of the 5 pictures has 'hat' already"):
        directions.effects(look, z(5) + 9 * HAT, {"hat": HAT}, [1], NAMES)


def test_a_projected_direction_leaves_the_other_attribute_alone(z):
    codes = z(4_000)
    has = labels_of(codes)
    found = directions.of_attributes(codes, has, NAMES)

    def see(codes):
        return codes, labels_of(codes) * 0.8 + 0.1

    beard = dict.fromkeys(["beard"], found[1])
    (plain,) = directions.effects(see, z(500, seed=1), beard, 2.0, NAMES)
    apart = {"beard": directions.without(found[1], found[0])}
    (careful,) = directions.effects(see, z(500, seed=1), apart, 2.0, NAMES)
    assert plain.flipped[0] > 0.25
    assert careful.flipped[0] < 0.03
    assert careful.success > 0.8
