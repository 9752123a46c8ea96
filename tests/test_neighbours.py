"""Nearest neighbours against those of SciPy and of scikit-learn, in pieces of any size."""

import numpy as np
import pytest
import scipy.spatial.distance

from helpers import neighbours

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(2, 3, size=(90, 7)), RANDOM.normal(size=(60, 7))


def test_distances_are_those_of_scipy():
    np.testing.assert_allclose(
        neighbours.distances(A, B), scipy.spatial.distance.cdist(A, B), rtol=1e-10
    )


def test_a_copy_is_at_0_also_far_from_the_origin():
    far = A + 1e4
    apart = neighbours.distances(far, far.copy())
    assert (np.diag(apart) == 0).all()
    assert (apart[~np.eye(len(A), dtype=bool)] > 0.1).all()


@pytest.mark.parametrize("rows", [1, 7, 90, 1000])
def test_pieces_make_up_the_whole(rows):
    pieces = list(neighbours.in_pieces(A, B, rows))
    assert len(pieces) == -(-90 // rows)
    np.testing.assert_array_equal(
        np.concatenate([np.arange(90)[where] for where, _ in pieces]), np.arange(90)
    )
    together = np.concatenate([apart for _, apart in pieces])
    np.testing.assert_allclose(together, scipy.spatial.distance.cdist(A, B), rtol=1e-10)


@pytest.mark.parametrize("rows", [13, 500])
def test_nearest_others_are_sorted_and_never_the_row_itself(rows, monkeypatch):
    monkeypatch.setattr(neighbours.in_pieces, "__defaults__", (rows,))
    near, who = neighbours.nearest_others(A, 4)
    every = scipy.spatial.distance.cdist(A, A)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_array_equal(who, np.argsort(every, axis=1)[:, :4])
    np.testing.assert_allclose(near, np.sort(every, axis=1)[:, :4], rtol=1e-10)


def test_nearest_others_agree_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")
    tree = sklearn.NearestNeighbors(n_neighbors=6, algorithm="ball_tree").fit(A)
    expected, who = tree.kneighbors(A)
    near, found = neighbours.nearest_others(A, 5)
    np.testing.assert_allclose(near, expected[:, 1:], rtol=1e-9)
    np.testing.assert_array_equal(found, who[:, 1:])


def test_a_twin_is_a_nearest_other_at_distance_0():
    near, who = neighbours.nearest_others(np.concatenate([A, A[:1]]), 1)
    assert (near[0, 0], who[0, 0]) == (0, 90)
    assert (near[90, 0], who[90, 0]) == (0, 0)
    assert (near[1:90] > 0).all()


@pytest.mark.parametrize("k", [0, 90, 200])
def test_as_many_others_as_there_are_not_are_refused(k):
    with pytest.raises(ValueError, match=rf"{k} nearest others .* there are 90"):
        neighbours.nearest_others(A, k)


@pytest.mark.parametrize("rows", [2, 25, 1000])
def test_nearest_in_finds_the_k_smallest_distances_in_pieces(rows):
    expected = np.sort(scipy.spatial.distance.cdist(A, B), axis=1)[:, :3]
    found = neighbours.nearest_in(A, B, 3, rows=rows)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
