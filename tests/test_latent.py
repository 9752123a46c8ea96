"""Walks and sums in latent space: what is where, how long it is, and what is refused."""

import itertools

import numpy as np
import pytest

from helpers import latent


@pytest.fixture
def z():
    """A function that gives n normal codes of d numbers."""
    return lambda n, d=64, seed=0: np.random.default_rng(seed).normal(size=(n, d))


# ------------------------------------------------------------------------------ codes, pictures


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        (np.zeros((2, 3, 4)), r"shape \(n, latent_dim\).*this is \(2, 3, 4\)"),
        (np.zeros((0, 4)), r"this is \(0, 4\)"),
        (np.zeros(5), r"code of 5 numbers, but this generator's z has 4.*shape \(n, 4\)"),
        ([1, 2, np.nan, 4], "NaN or infinity"),
        ([1, 2, np.inf, 4], "NaN or infinity"),
    ],
)
def test_what_is_no_code_is_named_with_the_mend(codes, says):
    with pytest.raises(ValueError, match=says):
        latent.as_codes(codes, 4)


def test_one_code_becomes_a_row():
    assert latent.as_codes([1, 2, 3]).shape == (1, 3)
    assert latent.as_codes([[1, 2, 3]] * 2, 3).dtype == float


def test_a_drawer_draws_each_code_in_order_and_in_pieces(build, z, monkeypatch):
    draw = latent.Drawer(build.generator())
    assert draw.latent_dim == 3
    codes = z(7, 3)
    whole = draw(codes)
    assert (whole.shape, whole.dtype) == ((7, 4, 4, 1), np.float32)
    monkeypatch.setattr(latent, "ROWS", 2)
    np.testing.assert_allclose(draw(codes), whole, atol=1e-6)
    np.testing.assert_allclose(draw(codes[5]), whole[5:6], atol=1e-6)
    np.testing.assert_allclose(whole, build.generator()(codes.astype(np.float32)), atol=1e-6)
    with pytest.raises(ValueError, match="code of 64 numbers, but this generator's z has 3"):
        draw(z(1))


def test_a_drawer_uses_batch_norm_as_trained_not_the_batch(build, z):
    generator = build.generator(build.layers.BatchNormalization())
    codes = z(6, 3)
    np.testing.assert_allclose(
        latent.Drawer(generator)(codes)[:2], latent.Drawer(generator)(codes[:2]), atol=1e-6
    )


def test_a_drawer_wants_a_network_from_z_alone(build):
    keras = build.keras
    z, label = keras.Input((3,)), keras.Input((2,))
    x = keras.layers.Dense(4)(keras.layers.Concatenate()([z, label]))
    for network in (keras.Model([z, label], x), build.discriminator()):
        with pytest.raises(ValueError, match="takes z alone"):
            latent.Drawer(network)


# ---------------------------------------------------------------------------- walks, the shell


@pytest.mark.parametrize("d", [2, 64, 512])
def test_normal_codes_lie_in_the_shell(z, d):
    lengths = np.linalg.norm(z(4000, d), axis=1)
    shell = latent.shell(d)
    assert abs(lengths.mean() - shell.mean()) < 0.05
    assert abs(lengths.std() - shell.std()) < 0.05
    if d > 2:
        assert abs(shell.mean() - np.sqrt(d - 0.5)) < 0.01
        assert abs(shell.std() - np.sqrt(0.5)) < 0.01
    assert abs((lengths < shell.ppf(0.1)).mean() - 0.1) < 0.02


def test_on_shell_keeps_directions_and_shapes(z):
    codes = 3 * z(5)
    there = latent.on_shell(codes)
    np.testing.assert_allclose(np.linalg.norm(there, axis=1), latent.shell(64).mean())
    cosines = (there * codes).sum(1) / np.linalg.norm(there, axis=1) / np.linalg.norm(codes, axis=1)
    np.testing.assert_allclose(cosines, 1)
    assert latent.on_shell(codes[0], 2.0).shape == (64,)
    assert np.linalg.norm(latent.on_shell(codes[0], 2.0)) == pytest.approx(2)
    with pytest.raises(ValueError, match="zeros has no direction"):
        latent.on_shell(np.zeros(4))


@pytest.mark.parametrize("walk", [latent.straight, latent.spherical])
def test_walks_begin_and_end_where_they_should(walk, z):
    a, b = z(2)
    way = walk(a, b, np.linspace(0, 1, 5))
    assert way.shape == (5, 64)
    np.testing.assert_allclose(way[[0, -1]], [a, b], atol=1e-12)
    np.testing.assert_allclose(walk(a, b, 0.25), way[1:2])
    np.testing.assert_allclose(walk(b, a, 0.75), way[1:2])  # the way back is the same


def test_a_straight_line_dips_below_the_shell_and_an_arc_does_not(z):
    a, b = latent.on_shell(z(2))
    at = np.linspace(0, 1, 9)
    radius = latent.shell(64).mean()
    arc = latent.spherical(a, b, at)
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), radius)
    turns = (arc[1:] * arc[:-1]).sum(1) / radius**2
    np.testing.assert_allclose(turns, turns[0])  # at an even pace
    middle = np.linalg.norm(latent.straight(a, b, 0.5))
    assert 0.6 * radius < middle < 0.85 * radius
    np.testing.assert_allclose(latent.straight(a, b, 0.25)[0], 0.75 * a + 0.25 * b)


def test_an_arc_between_codes_of_unequal_length_changes_length_evenly():
    arc = latent.spherical([2, 0], [0, 6], [0, 0.5, 1])
    np.testing.assert_allclose(arc, [[2, 0], [4 / np.sqrt(2)] * 2, [0, 6]], atol=1e-12)


def test_arcs_between_equal_and_opposite_codes(z):
    (a,) = z(1)
    np.testing.assert_allclose(latent.spherical(a, 2 * a, [0, 0.5]), [a, 1.5 * a])
    with pytest.raises(ValueError, match="opposite"):
        latent.spherical(a, -a, 0.5)
    with pytest.raises(ValueError, match="zeros has no direction"):
        latent.spherical(a, 0 * a, 0.5)


@pytest.mark.parametrize("walk", [latent.straight, latent.spherical])
def test_a_walk_stays_within_one_generators_space(walk, z):
    with pytest.raises(ValueError, match="code of 32 numbers, but this generator's z has 64"):
        walk(z(1)[0], z(1, 32)[0], 0.5)


def test_a_sweep_sets_one_element_and_leaves_the_others(z):
    codes = z(3)
    swept = latent.sweep(codes, 11, [-2, 0, 2, 4])
    assert swept.shape == (3, 4, 64)
    np.testing.assert_array_equal(swept[:, :, 11], [[-2, 0, 2, 4]] * 3)
    others = np.delete(swept, 11, axis=2)
    np.testing.assert_array_equal(others, np.repeat(np.delete(codes, 11, 1)[:, None], 4, axis=1))
    np.testing.assert_array_equal(latent.sweep(codes[1], 11, [-2, 0, 2, 4]), swept[1])
    for element in (64, -1):
        with pytest.raises(ValueError, match=f"no element {element} in a code of 64.*0 to 63"):
            latent.sweep(codes, element, [0])


def test_along_moves_by_steps_of_the_direction(z):
    codes, direction = z(3), np.eye(64)[5]
    moved = latent.along(codes, direction, [-1, 0, 2])
    assert moved.shape == (3, 3, 64)
    np.testing.assert_allclose(moved[:, 1], codes)
    np.testing.assert_allclose(moved[:, 2] - codes, 2 * np.tile(direction, (3, 1)))
    np.testing.assert_allclose(latent.along(codes[0], direction, [-1, 0, 2]), moved[0])
    with pytest.raises(ValueError, match="code of 3 numbers"):
        latent.along(codes, [1, 0, 0], [1])


# ---------------------------------------------------------------------------------- arithmetic


def test_combinations_are_what_they_are_called():
    found = latent.combinations([1.0, -2.0], [3.0, 4.0])
    expected = {"a + b": [4, 2], "|a − b|": [2, 6], "a · b": [3, -8], "(a + b) / 2": [2, 1]}
    assert list(found) == list(expected)
    for name, code in expected.items():
        np.testing.assert_allclose(found[name], code)


def test_combinations_have_the_lengths_that_the_docstring_says(z):
    d = 64
    found = latent.combinations(z(20_000, d), z(20_000, d, seed=1))
    squares = {name: (np.linalg.norm(c, axis=1) ** 2).mean() / d for name, c in found.items()}
    for name, times in {"a + b": 2, "|a − b|": 2, "a · b": 1, "(a + b) / 2": 0.5}.items():
        assert squares[name] == pytest.approx(times, rel=0.02)
    assert found["|a − b|"].min() >= 0


def test_an_analogy_takes_means_of_examples():
    a, b, c = [[4.0, 0.0], [6.0, 0.0]], [[1.0, 1.0]], [0.0, 2.0]
    np.testing.assert_allclose(latent.analogy(a, b, c), [4, 1])
    with pytest.raises(ValueError, match="code of 3 numbers, but this generator's z has 2"):
        latent.analogy(a, b, [1, 2, 3])
    with pytest.raises(ValueError, match="code of 1 numbers"):
        latent.analogy(a, [[1.0]], c)


def test_means_of_examples_leave_what_they_have_in_common(z):
    shared = z(1, seed=7)[0]
    with_it, others, base = z(40) + shared, z(40, seed=1), z(40, seed=2)
    found = latent.analogy(with_it, others, base)
    single = latent.analogy(with_it[0], others[0], base[0])
    assert np.linalg.norm(found - shared) < 0.3 * np.linalg.norm(shared)
    assert np.linalg.norm(single - shared) > np.linalg.norm(shared)


def pixels(codes):
    """A stand-in for a generator: three numbers of a code are the pixels."""
    return codes[:, :3].reshape(-1, 1, 3, 1)


def test_average_pictures_use_the_same_noise_for_each_mean():
    averages = latent.average_pictures(pixels, 5, [-1, 0, 2], n=50, seed=3)
    assert averages.shape == (3, 1, 3, 1)
    np.testing.assert_allclose(np.diff(averages, axis=0), [[[[1]] * 3], [[[2]] * 3]], atol=1e-12)
    wide = latent.average_pictures(pixels, 5, [0], spread=4.0, n=50, seed=3)
    np.testing.assert_allclose(wide, 4 * averages[1:2])
    other = latent.average_pictures(pixels, 5, [0], n=50, seed=4)
    assert not np.allclose(other, averages[1:2])
    for n in (0, 2.5):
        with pytest.raises(ValueError, match="n is"):
            latent.average_pictures(pixels, 5, [0], n=n)


def test_influence_is_the_root_mean_square_change(z):
    def see(codes):
        return codes[:, :2] * [3.0, 0.5]

    found = latent.influence(see, z(6, 4), step=2.0)
    # From -2 to 2 is 4 apart; half of what is seen changes.
    np.testing.assert_allclose(found, np.array([4 * 3, 4 * 0.5, 0, 0]) / np.sqrt(2), atol=1e-9)
    ways = [[0, 0, 0, 1.0], [1.0, 0, 0, 0]]
    np.testing.assert_allclose(latent.influence(see, z(6, 4), ways, step=2.0), found[[3, 0]])
    with pytest.raises(ValueError, match="code of 3 numbers"):
        latent.influence(see, z(6, 4), np.eye(3))


def test_influence_looks_at_every_code(z):
    codes = np.array([[0.0, 0.0], [0.0, 10.0]])
    found = latent.influence(lambda z: z[:, :1] * (z[:, 1:] > 5), codes)
    np.testing.assert_allclose(found[0], np.sqrt((0 + 2**2) / 2))


def test_nothing_given_is_changed(z):
    codes = z(4)
    kept = codes.copy()
    latent.on_shell(codes)
    for _ in itertools.chain(
        latent.sweep(codes, 3, [1, 2]), latent.along(codes, codes[0], [1]),
        latent.spherical(codes[0], codes[1], [0.5]), latent.combinations(codes, codes).values(),
    ):  # fmt: skip
        pass
    np.testing.assert_array_equal(codes, kept)
