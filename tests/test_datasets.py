"""Pictures are what they should be, damaged files are refused, batches are a pure function."""

import gzip
import hashlib
import shutil
import struct
from itertools import chain

import numpy as np
import pytest

from helpers import datasets
from helpers.datasets import DataError, ImageSet

IMAGES = "train-images-idx3-ubyte"


# --- the real MNIST ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist():
    return datasets.load("mnist")


def test_mnist_is_all_there(mnist):
    assert (len(mnist), len(mnist.train), len(mnist.test)) == (70_000, 60_000, 10_000)
    assert mnist.images.dtype == np.uint8
    assert mnist.images.shape == (70_000, 28, 28, 1)
    assert mnist.image_shape == (28, 28, 1)
    assert mnist.labels.dtype == np.int64
    assert mnist.class_names == tuple("0123456789")


def test_mnist_has_the_published_mean_and_standard_deviation(mnist):
    pixels = mnist.train.images / np.float32(255)
    assert pixels.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert pixels.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)


@pytest.mark.parametrize(
    ("part", "counts"),
    [
        ("train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_mnist_has_the_published_class_counts(mnist, part, counts):
    assert np.bincount(getattr(mnist, part).labels).tolist() == counts


def test_mnist_pictures_are_upright_and_belong_to_their_labels(mnist):
    assert mnist.train[0][1] == "5"
    assert mnist.test[0][1] == "7"
    # the first strokes of both pictures, as anyone who prints them sees
    first_row = np.flatnonzero(mnist.train[0][0].any(axis=(1, 2)))[0]
    assert first_row == 5
    assert mnist.train.images[0, 5, 12:16, 0].tolist() == [3, 18, 18, 18]
    assert mnist.test.images[0, 7, 6:10, 0].tolist() == [84, 185, 159, 151]
    ones = mnist.train.images[mnist.train.labels == 1].mean(axis=0)[..., 0]
    height, width = ((ones.max(axis=axis) > 20).sum() for axis in (1, 0))
    assert height > width


def test_loading_says_what_was_found(mnist, capsys):
    datasets.load("mnist")
    said = capsys.readouterr().out
    assert said == f"{mnist}\n"
    assert said == "MNIST: 70,000 grey pictures of 28×28, 10 classes (0 … 9), from data/mnist\n"


def test_an_unknown_data_set_is_refused_by_name():
    with pytest.raises(DataError, match=r"no data set 'mnits'. There is: mnist"):
        datasets.load("mnits")


# --- files: a small MNIST ------------------------------------------------------------------


def idx(array):
    """An array in the IDX format."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """What ships, made small: 6 + 3 pictures of 4×5, whose checksums the loader expects."""
    random = np.random.default_rng(0)
    folder = tmp_path / "mnist"
    folder.mkdir()
    checksums = {}
    for name in datasets.MNIST_FILES:
        n = 6 if name.startswith("train") else 3
        shape = (n, 4, 5) if "images" in name else (n,)
        content = idx(random.integers(0, 10, shape))
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        checksums[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(datasets, "MNIST_FILES", checksums)
    monkeypatch.setattr(datasets, "DATA_FOLDER", tmp_path)
    return folder


@pytest.fixture
def own(small, tmp_path):
    """A folder of the learner's own with the same files."""
    return shutil.copytree(small, tmp_path / "mine" / "mnist")


def test_a_path_is_used_when_given(own):
    found = datasets.load("mnist", path=str(own))
    assert found.origin == "mine/mnist"
    assert (len(found.train), len(found.test), found.image_shape) == (6, 3, (4, 5, 1))


def test_unpacked_files_are_as_good_as_packed_ones(small):
    packed = datasets.load("mnist")
    for file in small.glob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    unpacked = datasets.load("mnist")
    np.testing.assert_array_equal(packed.images, unpacked.images)
    np.testing.assert_array_equal(packed.labels, unpacked.labels)


def test_gan_data_is_used_when_the_set_is_there_else_what_ships(small, own, monkeypatch):
    ships = f"{small.parent.name}/mnist"
    assert datasets.load("mnist").origin == ships
    monkeypatch.setenv("GAN_DATA", str(own.parent))
    assert datasets.load("mnist").origin == "mine/mnist"
    monkeypatch.setenv("GAN_DATA", str(own.parent / "elsewhere"))
    assert datasets.load("mnist").origin == ships


def other_content(packed):
    content = bytearray(gzip.decompress(packed))
    content[-1] ^= 1
    return gzip.compress(content)


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda packed: packed[: len(packed) // 2], "is damaged"),
        (lambda packed: b"", "wrong checksum|is damaged"),
        (lambda packed: b"<html>404</html>", "is damaged"),
        (other_content, "wrong checksum: SHA-256 .*, expected "),
    ],
    ids=["truncated", "empty", "not gzip", "other content"],
)
def test_a_damaged_file_is_refused_with_its_name_and_the_mend(small, spoil, names):
    file = small / f"{IMAGES}.gz"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(DataError, match=names) as error:
        datasets.load("mnist")
    assert str(file) in str(error.value)
    assert "git checkout -- data/mnist" in str(error.value)


def test_no_flipped_byte_goes_unnoticed(small):
    file, good = small / f"{IMAGES}.gz", datasets.load("mnist").images
    packed = file.read_bytes()
    refused = 0
    for i in range(len(packed)):
        flipped = bytearray(packed)
        flipped[i] ^= 0xFF
        file.write_bytes(flipped)
        try:
            np.testing.assert_array_equal(datasets.load_mnist(small).images, good)
        except DataError:
            refused += 1
    assert refused > len(packed) - 10  # gzip's own header has a few bytes that mean nothing


@pytest.mark.parametrize("name", list(datasets.MNIST_FILES))
def test_a_missing_file_is_named_with_the_mend(small, name):
    (small / f"{name}.gz").unlink()
    mend = rf"{name}\.gz is missing\. Put the authors' own .* or run `git checkout -- data/mnist`"
    with pytest.raises(DataError, match=mend):
        datasets.load("mnist")


def test_git_is_not_called_the_mend_of_a_folder_that_is_not_in_it(own):
    (own / f"{IMAGES}.gz").unlink()
    with pytest.raises(DataError, match=r"is missing. Put the authors' own") as error:
        datasets.load("mnist", path=own)
    assert "git checkout" not in str(error.value)


def test_a_path_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is not a folder. Give path= the folder"):
        datasets.load("mnist", path=tmp_path / "nowhere")


# --- an image set --------------------------------------------------------------------------


def numbered(n=12, train=9):
    """Pictures of 2×2×1 in which every pixel of picture i is 20 i, so that one knows it again."""
    images = np.repeat(np.arange(n, dtype=np.uint8) * 20, 4).reshape(n, 2, 2, 1)
    labels = np.arange(n, dtype=np.int64) % 2
    return ImageSet("numbers", images, labels, ("even", "odd"), "here", train)


def take(stream, n):
    """The numbers of the pictures in the first n batches, a list for each batch."""
    return [
        np.rint((batch.numpy()[:, 0, 0, 0] + 1) * 127.5 / 20).astype(int).tolist()
        for batch in stream.take(n)
    ]


def test_parts_do_not_overlap():
    both = numbered()
    assert len(both.train) == 9
    assert len(both.test) == 3
    np.testing.assert_array_equal(
        np.concatenate([both.train.images, both.test.images]), both.images
    )
    np.testing.assert_array_equal(
        np.concatenate([both.train.labels, both.test.labels]), both.labels
    )
    assert both[3][1] == "odd"


def test_a_sample_has_no_picture_twice_and_is_the_same_for_the_same_seed():
    numbers = numbered().sample(12, seed=1)[:, 0, 0, 0]
    assert sorted(numbers.tolist()) == [20 * i for i in range(12)]
    first, again, other = (numbered().sample(5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    for n in (0, 13):
        with pytest.raises(ValueError, match=f"cannot draw {n} pictures from 12"):
            numbered().sample(n)


def test_batches_are_float32_in_minus_one_to_one():
    images = np.arange(256, dtype=np.uint8).reshape(16, 4, 4, 1)
    stream = ImageSet("all", images, np.zeros(16, np.int64), ("a",), "here", 16).batches(16)
    batch = next(iter(stream)).numpy()
    assert batch.dtype == np.float32
    assert tuple(stream.element_spec.shape) == batch.shape == (16, 4, 4, 1)
    assert (batch.min(), batch.max()) == (-1, 1)
    np.testing.assert_allclose(np.sort(batch.ravel()), np.linspace(-1, 1, 256), atol=1e-6)


def test_an_epoch_shows_every_picture_once_in_an_order_of_its_own():
    shown = take(numbered().batches(4, seed=3), 12)
    epochs = [list(chain(*shown[i : i + 3])) for i in range(0, 12, 3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(12))
    assert len({tuple(epoch) for epoch in [*epochs, range(12)]}) == 5


def test_pictures_that_do_not_fill_a_batch_wait_for_another_epoch():
    image_set = numbered()
    assert image_set.steps_per_epoch(5) == 2
    shown = take(image_set.batches(5), 40)
    for i in range(0, 40, 2):
        assert len(set(shown[i] + shown[i + 1])) == 10
    assert set(chain(*shown)) == set(range(12))


def test_the_batch_at_a_step_is_a_function_of_seed_and_step():
    whole = take(numbered().batches(4, seed=3), 10)
    assert take(numbered().batches(4, seed=3), 10) == whole
    for start_step in (1, 3, 7):
        assert (
            take(numbered().batches(4, seed=3, start_step=start_step), 3)
            == (whole[start_step : start_step + 3])
        )
    assert take(numbered().batches(4, seed=4), 10) != whole


@pytest.mark.parametrize("batch_size", [1, 12])
def test_the_smallest_and_the_largest_batch_work(batch_size):
    steps = 12 // batch_size
    assert sorted(chain(*take(numbered().batches(batch_size), steps))) == list(range(12))


@pytest.mark.parametrize("batch_size", [0, -1, 13, 2.5, "4", None])
def test_an_absurd_batch_size_is_refused_at_once(batch_size):
    for use in (numbered().batches, numbered().steps_per_epoch):
        with pytest.raises(ValueError, match=r"BATCH_SIZE is .* whole number from 1 to 12"):
            use(batch_size)


def test_to_float_maps_0_to_minus_one_and_255_to_one_evenly():
    every = np.arange(256, dtype=np.uint8)
    floats = datasets.to_float(every)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, np.linspace(-1, 1, 256), atol=1e-6)
    for wrong in (floats, every.astype(np.int64)):
        with pytest.raises(TypeError, match=r"takes uint8 pictures .* these are"):
            datasets.to_float(wrong)


# --- points --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "modes"), [(datasets.ring, 8), (datasets.grid, 9)], ids=["ring", "grid"]
)
def test_points_lie_around_all_centres_evenly(make, modes):
    points, centres = make(20_000, seed=1)
    assert points.shape == (20_000, 2)
    assert centres.shape == (modes, 2)
    assert points.dtype == centres.dtype == np.float32
    offsets = points[:, None] - centres
    nearest = np.square(offsets).sum(axis=2).argmin(axis=1)
    assert np.abs(np.bincount(nearest, minlength=modes) / 20_000 - 1 / modes).max() < 0.01
    spread = offsets[np.arange(20_000), nearest]
    assert spread.std(axis=0) == pytest.approx(0.1, rel=0.03)
    assert spread.mean(axis=0) == pytest.approx(0, abs=0.005)
    again, _ = make(20_000, seed=1)
    np.testing.assert_array_equal(points, again)
    assert (points != make(20_000, seed=2)[0]).all()


def test_centres_lie_on_the_ring_and_on_the_grid():
    _, centres = datasets.ring(1, modes=4, radius=3)
    np.testing.assert_allclose(centres, [[3, 0], [0, 3], [-3, 0], [0, -3]], atol=1e-6)
    _, centres = datasets.grid(1, side=2, radius=1)
    assert {tuple(c) for c in centres.tolist()} == {(-1, -1), (-1, 1), (1, -1), (1, 1)}
