"""Copies and sharpness, on pictures for which the answer is known."""

import numpy as np
import pytest

from helpers import pixels
from helpers.image_set import to_float

RANDOM = np.random.default_rng(0)


def crowd(n, seed, size=12):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 1)).astype(np.uint8)


TRAINING, HELD_OUT = crowd(300, 1), crowd(200, 2)


def test_nearness_is_the_nearest_distance_over_the_mean_of_the_next():
    training = np.zeros((5, 4, 4, 1), np.uint8)
    training[:, 0, 0, 0] = [10, 20, 30, 40, 50]  # distances to black: 10, 20, 30, 40, 50
    black = np.zeros((1, 4, 4, 1), np.uint8)
    assert pixels.nearness(black, training, others=1)[0] == pytest.approx(10 / 20, rel=1e-3)
    assert pixels.nearness(black, training, others=3)[0] == pytest.approx(10 / 30, rel=1e-3)


def test_a_copy_is_near_0_and_a_fresh_picture_near_1():
    assert pixels.nearness(TRAINING[:50], TRAINING).max() < 0.01
    assert pixels.nearness(HELD_OUT, TRAINING).min() > 0.8


def test_a_plain_picture_like_many_is_no_copy():
    plain = np.full((100, 12, 12, 1), 30, np.uint8) + crowd(100, 3) // 64
    assert pixels.nearness(plain[:20] + np.uint8(1), plain).min() > 0.5


def test_where_all_training_pictures_are_equal_nearness_is_0_not_nan():
    same = np.repeat(TRAINING[:1], 20, axis=0)
    assert pixels.nearness(same[:3], same).tolist() == [0, 0, 0]


def test_large_pictures_are_averaged_over_blocks_so_that_one_pixel_hides_no_copy():
    training = crowd(40, 4, size=64)
    moved = training[:10].copy()
    moved[:, ::7, ::7] = 255 - moved[:, ::7, ::7]
    assert pixels.nearness(moved, training).max() < 0.75
    assert pixels.nearness(crowd(10, 5, size=64), training).min() > 0.85
    wide = np.repeat(np.repeat(crowd(1, 6, size=8), 8, axis=1), 8, axis=2)
    exact = pixels._small(wide).reshape(16, 16)  # blocks of 4×4
    np.testing.assert_allclose(exact[::2, ::2], to_float(wide)[0, ::8, ::8, 0], atol=1e-6)
    odd = crowd(3, 8, size=35)  # blocks of 3×3, what does not fill one is left out
    mean = to_float(odd)[:, :33, :33, 0].reshape(3, 11, 3, 11, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(pixels._small(odd), mean.reshape(3, -1), atol=1e-6)


@pytest.mark.parametrize("copied", [0, 50, 200])
def test_memorised_counts_the_copies_among_the_fakes(copied):
    fake = np.concatenate([TRAINING[:copied], crowd(200 - copied, 7)])
    share = pixels.memorised(fake, TRAINING, HELD_OUT)
    assert share == pytest.approx(copied / 200, abs=0.03)


def test_memorised_holds_the_held_out_pictures_to_the_share_asked_for():
    assert pixels.memorised(HELD_OUT, TRAINING, HELD_OUT, share=0.1) == pytest.approx(0.1, abs=0.01)


def test_memorised_sees_a_copy_through_a_little_noise():
    noisy = np.clip(TRAINING[:100] + RANDOM.normal(0, 20, TRAINING[:100].shape), 0, 255)
    assert pixels.memorised(noisy.astype(np.uint8), TRAINING, HELD_OUT) == 1


def test_nearness_refuses_floats_and_too_few_training_pictures():
    with pytest.raises(TypeError, match=r"images must be uint8 .* not float32"):
        pixels.nearness(to_float(TRAINING), TRAINING)
    with pytest.raises(TypeError, match=r"training must be uint8 .* not float32"):
        pixels.nearness(TRAINING, to_float(TRAINING))
    with pytest.raises(ValueError, match="10 training pictures; more than 10"):
        pixels.nearness(HELD_OUT, TRAINING[:10])


def test_laplacian_variance_is_that_of_scipy_inside_the_border():
    ndimage = pytest.importorskip("scipy.ndimage")
    images = RANDOM.uniform(-1, 1, (5, 9, 8, 3)).astype(np.float32)
    expected = [
        ndimage.laplace(image.mean(axis=2).astype(np.float64))[1:-1, 1:-1].var() for image in images
    ]
    np.testing.assert_allclose(pixels.laplacian_variance(images), expected, rtol=1e-5)


def test_sharpness_falls_with_blur_rises_with_noise_and_ignores_brightness():
    ndimage = pytest.importorskip("scipy.ndimage")
    images = ndimage.gaussian_filter(RANDOM.uniform(-0.8, 0.8, (50, 16, 16, 1)), (0, 1, 1, 0))
    blurred = ndimage.gaussian_filter(images, (0, 1, 1, 0))
    noisy = images + RANDOM.normal(0, 0.3, images.shape)
    assert pixels.sharpness(images, images) == 1
    assert pixels.sharpness(images[:10] + 0.1, images[:10]) == pytest.approx(1, rel=1e-4)
    assert pixels.sharpness(2 * images, images) == pytest.approx(4, rel=1e-4)
    assert pixels.sharpness(blurred, images) < 0.5
    assert pixels.sharpness(noisy, images) > 2
    assert pixels.sharpness(np.zeros_like(images), images) == 0


def test_pages_of_training_pictures_are_given_back_after_each_piece(monkeypatch):
    given_back = []
    monkeypatch.setattr(pixels, "let_go", given_back.append)
    pixels.nearness(crowd(2, 1), crowd(2500, 2))
    assert len(given_back) == 3  # a thousand at a time
