"""Every kind of picture becomes the RGB pixels that a person sees, and damage is contained."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers import decoding, readers
from helpers.checks import DataError
from helpers.decoding import DecodedOnDemand, decode


def levels(height=24, width=16):
    """A colour picture in which every pixel differs: red grows downwards, green to the right."""
    red, green = np.mgrid[0:height, 0:width]
    return np.stack([red * 10, green * 15, 255 - red * 10], axis=-1).astype(np.uint8)


def test_a_picture_of_the_right_size_is_not_altered(encoded):
    np.testing.assert_array_equal(decode(encoded(levels(), "PNG"), (24, 16)), levels())


def test_the_centre_is_cut_out(encoded):
    png = encoded(levels(), "PNG")
    np.testing.assert_array_equal(decode(png, (16, 16)), levels()[4:20])
    np.testing.assert_array_equal(decode(png, (8, 8), 8), levels()[8:16, 4:12])
    np.testing.assert_array_equal(decode(png, (16, 16), 99), levels()[4:20])
    small = decode(png, (8, 8)).astype(int)
    means = levels()[4:20].reshape(8, 2, 8, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 6  # bicubic is a little sharper than the mean


def test_shrinking_does_not_alias(encoded):
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::2] = 255
    small = decode(encoded(stripes, "PNG"), (20, 20))
    assert np.abs(small.astype(int) - 127).max() < 20


@pytest.mark.parametrize(
    ("size", "crop", "apart"), [((64, 64), None, 1.5), ((32, 32), 150, 1.5), ((20, 10), None, 6)]
)
def test_a_jpeg_decoded_straight_to_a_smaller_size_is_nearly_the_same(encoded, size, crop, apart):
    y, x = np.mgrid[0:218, 0:178]
    picture = np.stack(
        [np.hypot(y - 90, x - 80), 127 + 127 * np.sin(x / 5), 127 + 127 * np.cos(y / 4)], axis=-1
    ).astype(np.uint8)
    jpeg = encoded(picture)
    fast = decode(jpeg, size, crop).astype(float)
    exact = decode(encoded(Image.open(io.BytesIO(jpeg)), "PNG"), size, crop)
    assert np.abs(fast - exact).mean() < apart
    assert abs((fast - exact).mean()) < 0.5


def grey16():
    ramp = (np.arange(256, dtype=np.uint16) * 256 + 128).reshape(16, 16)
    return Image.fromarray(ramp), np.repeat(np.arange(256).reshape(16, 16, 1), 3, axis=2)


def grey():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    return Image.fromarray(ramp), np.repeat(ramp[..., None], 3, axis=2)


def palette():
    picture = Image.frombytes("P", (16, 16), bytes(i % 3 for i in range(256)))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return picture, np.eye(3, dtype=int)[np.arange(256).reshape(16, 16) % 3] * 255


def transparent():
    pixels = np.full((16, 16, 4), 100, np.uint8)
    pixels[:8, :, 3], pixels[8:, :, 3] = 0, 255
    return Image.fromarray(pixels), np.repeat([255, 100], 8)[:, None, None] * np.ones((1, 16, 3))


def two_levels():
    bits = (np.arange(256).reshape(16, 16) % 2).astype(bool)
    return Image.fromarray(bits), np.repeat(bits[..., None] * 255, 3, axis=2)


@pytest.mark.parametrize("make", [grey16, grey, palette, transparent, two_levels])
def test_every_kind_of_png_becomes_the_colours_seen(encoded, make):
    picture, seen = make()
    np.testing.assert_array_equal(decode(encoded(picture, "PNG"), (16, 16)), seen)


def test_a_palette_with_a_transparent_colour_becomes_white_there(encoded):
    picture, seen = palette()
    made = decode(encoded(picture, "PNG", transparency=1), (16, 16))
    np.testing.assert_array_equal(made, np.where(seen[..., 1:2] == 255, 255, seen))


def test_a_cmyk_jpeg_becomes_the_colours_seen(encoded):
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    made = decode(encoded(red), (16, 16)).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(made, [255, 0, 0], atol=8)


def test_a_grey_jpeg_becomes_colour(encoded):
    made = decode(encoded(np.full((16, 16), 77, np.uint8)), (8, 8))
    assert made.shape == (8, 8, 3)
    np.testing.assert_allclose(made, 77, atol=2)


@pytest.mark.parametrize("size", [(24, 16), (6, 4)])
def test_a_cameras_rotation_mark_is_obeyed(encoded, size):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    lying = np.rot90(levels()).copy()
    made = decode(encoded(lying, "JPEG", exif=exif), size)
    straight = decode(encoded(levels(), "PNG"), size)
    assert np.abs(made.astype(int) - straight).mean() < 6


def test_grey_arrays_are_resized_and_cut_alike():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    small = decoding.resized(images, (14, 14))
    assert small.shape == (3, 14, 14, 1)
    means = images.reshape(3, 14, 2, 14, 2, 1).mean(axis=(2, 4))
    assert np.corrcoef(small.ravel(), means.ravel())[0, 1] > 0.9
    np.testing.assert_array_equal(decoding.resized(images, (20, 20), 20), images[:, 4:24, 4:24])


# --- a set's own size ----------------------------------------------------------------------


def test_the_size_that_all_have_is_the_sets_own(album):
    assert decoding.own_size(readers.pictures_in(album())) == (16, 12)


def test_pictures_of_different_sizes_need_a_size(album, encoded):
    place = album(files={"z.png": encoded(levels(), "PNG")})
    with pytest.raises(DataError, match=r"differ in size \(.*16×12, z.png: 24×16\).*image_size=64"):
        decoding.own_size(readers.pictures_in(place))


def test_no_readable_picture_is_an_error(album):
    place = album(n=0, files={"a.jpg": b"no", "b.jpg": b"no"})
    with pytest.raises(DataError, match="None of the files looked at"):
        decoding.own_size(readers.pictures_in(place))


def test_a_crop_larger_than_the_pictures_is_refused(album):
    pictures = readers.pictures_in(album())
    decoding.check_crop(pictures, 16)
    with pytest.raises(DataError, match=r"crop is 17, but the pictures in .* are 16×12"):
        decoding.check_crop(pictures, 17)


# --- decoded on demand ---------------------------------------------------------------------


def numbers(images):
    """Which picture of an album each is."""
    return np.rint(images[:, 0, 0, 0] / 8).astype(int).tolist()


def test_decoding_on_demand_indexes_like_an_array(album):
    lazy = DecodedOnDemand(readers.pictures_in(album("a.zip")), (16, 12))
    whole = np.asarray(lazy)
    assert (lazy.shape, len(lazy), lazy.dtype) == (whole.shape, 20, whole.dtype)
    assert lazy.shape == (20, 16, 12, 3)
    for key in (3, -1, [4, 1, 4], np.array([0, 19])):
        np.testing.assert_array_equal(lazy[key], whole[key])
    assert numbers(whole) == list(range(20))
    assert numbers(np.asarray(lazy[5:9])) == [5, 6, 7, 8]
    with pytest.raises(IndexError):
        lazy[20]


def test_a_damaged_picture_is_replaced_by_the_next_of_the_same_part(album):
    pictures = readers.pictures_in(album(n=40, files={"000019.jpg": b"no"}))
    lazy = DecodedOnDemand(pictures, (16, 12))[10:20]
    whole = DecodedOnDemand(pictures, (16, 12))
    images, used = whole.take(np.array([18, 19]))
    assert (numbers(images), used.tolist()) == ([18, 20], [18, 20])
    assert list(whole.skipped) == ["000019.jpg"]
    with pytest.raises(DataError, match=r"1 of 10 files .* more than 5%: 000019.jpg"):
        lazy.take(np.array([9]))


def test_the_last_picture_is_replaced_by_the_first(album):
    pictures = readers.pictures_in(album(files={"000019.jpg": b"no"}))
    images, used = DecodedOnDemand(pictures, (16, 12)).take(np.array([19]))
    assert (numbers(images), used.tolist()) == ([0], [0])
