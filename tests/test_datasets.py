"""Every set is found where it should be, is what it should be, and says so in one line."""

import gzip
import hashlib
import shutil
import zipfile

import numpy as np
import pytest

from helpers import datasets, downloads, layouts, readers, standins
from helpers.datasets import DataError
from helpers.decoding import DecodedOnDemand

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


@pytest.fixture
def small(tmp_path, monkeypatch):
    """What ships, made small: 6 + 3 pictures of 4×5, whose checksums the loader expects."""
    random = np.random.default_rng(0)
    folder = tmp_path / "mnist"
    folder.mkdir()
    checksums = {}
    for name in layouts.MNIST_FILES:
        n = 6 if name.startswith("train") else 3
        shape = (n, 4, 5) if "images" in name else (n,)
        content = readers.encode_idx(random.integers(0, 10, shape).astype(np.uint8))
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        checksums[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(layouts, "MNIST_FILES", checksums)
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
            np.testing.assert_array_equal(layouts.load_mnist(small).pictures, good)
        except DataError:
            refused += 1
    assert refused > len(packed) - 10  # gzip's own header has a few bytes that mean nothing


@pytest.mark.parametrize("name", list(layouts.MNIST_FILES))
def test_a_missing_file_is_named_with_the_mend(small, name):
    (small / f"{name}.gz").unlink()
    mend = rf"{name}\.gz is missing\. Put the authors' own .* Or run `git checkout -- data/mnist`"
    with pytest.raises(DataError, match=mend):
        datasets.load("mnist")


def test_git_is_not_called_the_mend_of_a_folder_that_is_not_in_it(own):
    (own / f"{IMAGES}.gz").unlink()
    with pytest.raises(DataError, match=r"is missing. Put the authors' own") as error:
        datasets.load("mnist", path=own)
    assert "git checkout" not in str(error.value)


def test_a_path_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is not a folder. Give path= a folder"):
        datasets.load("mnist", path=tmp_path / "nowhere")


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


# --- more layouts of MNIST and Fashion-MNIST -----------------------------------------------


def as_npz(folder, checksums):
    """Keras' layout of the files in a folder."""
    arrays = [readers.decode_idx(readers.find_file(folder, name)[1]) for name in checksums]
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez_compressed(folder / "keras.npz", **dict(zip(names, arrays, strict=True)))
    for file in folder.glob("*.gz"):
        file.unlink()


def test_keras_npz_is_as_good_as_the_files_and_checked_like_them(own):
    files = datasets.load("mnist", path=own)
    as_npz(own, layouts.MNIST_FILES)
    npz = datasets.load("mnist", path=own)
    np.testing.assert_array_equal(npz.images, files.images)
    np.testing.assert_array_equal(npz.labels, files.labels)
    with np.load(own / "keras.npz") as arrays:
        np.savez(own / "keras.npz", **{**arrays, "y_test": 1 - arrays["y_test"] % 2})
    with pytest.raises(DataError, match="wrong checksum"):
        datasets.load("mnist", path=own)


def test_the_real_mnist_as_npz_has_the_checksums_of_the_files(mnist, tmp_path):
    arrays = {"x_train": mnist.train.images, "x_test": mnist.test.images}
    arrays = {name: images[..., 0] for name, images in arrays.items()}
    arrays |= {"y_train": mnist.train.labels, "y_test": mnist.test.labels}
    np.savez(tmp_path / "mnist.npz", **arrays)
    np.testing.assert_array_equal(datasets.load("mnist", path=tmp_path).images, mnist.images)


def test_fashion_mnist_ships_its_test_split_and_says_so(capsys):
    found = datasets.load("fashion_mnist")
    said = capsys.readouterr().out
    assert (len(found), len(found.train), found.image_shape) == (10_000, 8_000, (28, 28, 1))
    assert np.bincount(found.labels).tolist() == [1_000] * 10
    assert (found.class_names[0], found.class_names[9]) == ("T-shirt/top", "Ankle boot")
    assert (found.name, found.drawn) == ("Fashion-MNIST's test split", False)
    assert (
        "only a part of Fashion-MNIST; to have that, load('fashion_mnist', download=True)" in said
    )
    assert said.count("\n") == 1
    # trousers have a gap between the legs, ankle boots are filled at the sole
    trousers, boots = (found.images[found.labels == label].mean(axis=0)[..., 0] for label in (1, 9))
    assert trousers[24, 14] < 0.5 * trousers[24, 10]
    assert boots[20].mean() > 2 * boots[4].mean()


def test_all_of_fashion_mnist_is_used_when_it_is_there(own, monkeypatch):
    monkeypatch.setattr(layouts, "FASHION_MNIST_FILES", layouts.MNIST_FILES)
    found = datasets.load("fashion_mnist", path=own)
    assert (found.name, len(found.train), len(found.test)) == ("Fashion-MNIST", 6, 3)


# --- EMNIST --------------------------------------------------------------------------------


def test_the_real_emnist_is_upright_and_has_its_labels(real_data):
    found = datasets.load("emnist", path=real_data("emnist"))
    assert (len(found.train), len(found.test)) == (47 * 350, 47 * 60)
    assert found.class_names == layouts.EMNIST_NAMES
    assert np.bincount(found.test.labels).tolist() == [60] * 47
    mean = {
        name: found.images[found.labels == label].mean(axis=0)[..., 0]
        for label, name in enumerate(found.class_names)
    }
    # L has its bar below; 7 and T have theirs above
    assert mean["L"][20:].sum() > 1.5 * mean["L"][:8].sum()
    for name in "7T":
        assert mean[name][:12].sum() > 1.3 * mean[name][16:].sum()
    # and every digit is more like MNIST's upright than lying down (0 is the same both ways)
    digits = datasets.load("mnist")
    for digit in range(1, 10):
        theirs, ours = digits.images[digits.labels == digit].mean(axis=0)[..., 0], mean[str(digit)]
        upright, lying = (np.corrcoef(theirs.ravel(), x.ravel())[0, 1] for x in (ours, ours.T))
        assert upright > lying + 0.1


@pytest.mark.parametrize("layout", ["unpacked", "nist zip", "no mapping"])
def test_every_layout_of_emnist_is_the_same(real_data, tmp_path, layout):
    files = sorted(real_data("emnist").glob("emnist-*"))
    if layout == "nist zip":
        with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
            for file in files:
                archive.write(file, f"gzip/{file.name}")
    for file in files if layout != "nist zip" else ():
        if file.suffix == ".gz":
            (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        elif layout != "no mapping":
            shutil.copy(file, tmp_path)
    ours = datasets.load("emnist", path=tmp_path)
    real = datasets.load("emnist", path=real_data("emnist"))
    np.testing.assert_array_equal(ours.images, real.images)
    assert ours.class_names == real.class_names


def test_a_missing_file_of_emnist_is_named(tmp_path):
    with pytest.raises(DataError, match=r"emnist-balanced-train-images-idx3-ubyte\.gz is missing"):
        datasets.load("emnist", path=tmp_path)


def test_files_that_do_not_belong_together_are_refused(real_data, tmp_path):
    for file in real_data("emnist").glob("emnist-*"):
        name = file.name.replace("test", "TRAIN").replace("train", "test").replace("TRAIN", "train")
        shutil.copy(file, tmp_path / (name if "labels" in name else file.name))
    with pytest.raises(DataError, match="do not belong together"):
        datasets.load("emnist", path=tmp_path)


# --- pictures with attributes --------------------------------------------------------------

ROWS = "".join(f"{i:06}.jpg,{1 if i % 2 else -1},{1 if i < 10 else -1}\n" for i in range(20))
TABLE = ("image_id,Smiling,Male\n" + ROWS).encode()


def numbers(image_set):
    """Which picture of an album each is."""
    return np.rint(np.asarray(image_set.images)[:, 0, 0, 0] / 8).astype(int).tolist()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setattr(datasets, "DATA_FOLDER", tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("prepared", [True, False])
def test_celeba_has_its_attributes_and_is_split_in_file_order(home, album, prepared):
    place = album("celeba/img_align_celeba.zip", files={"list_attr_celeba.csv": TABLE}).parent
    found = datasets.load("celeba", path=place, image_size=12, prepared=prepared)
    assert (found.name, found.drawn, found.image_shape) == ("CelebA", False, (12, 12, 3))
    assert numbers(found) == list(range(20))
    assert (numbers(found.train), numbers(found.test)) == (list(range(16)), [16, 17, 18, 19])
    assert found.attributes["Smiling"].tolist() == [i % 2 for i in range(20)]
    assert found.test.attributes["Male"].sum() == 0
    assert isinstance(found.images, DecodedOnDemand) != prepared
    assert home.joinpath("cache/celeba-12x12.npy").exists() == prepared


def test_pictures_without_attributes_are_left_out_and_counted(home, album, capsys):
    place = album(files={"list_attr_celeba.csv": b"\n".join(TABLE.splitlines()[:8])})
    found = datasets.load("celeba", path=place)
    assert numbers(found) == list(range(7))
    assert "13 pictures that have no attributes are left out" in capsys.readouterr().out
    assert found.image_shape == (16, 12, 3)


def test_without_a_table_there_are_pictures_alone(home, album):
    found = datasets.load("celeba", path=album())
    assert (len(found), found.attributes, found.labels) == (20, None, None)


def test_the_table_of_another_set_is_refused(home, album):
    place = album(files={"list_attr_celeba.csv": TABLE}, names="other_{}.jpg")
    with pytest.raises(DataError, match=r"names none of the pictures: it begins with 000000\.jpg"):
        datasets.load("celeba", path=place)


def test_labels_stay_with_their_pictures_when_one_is_damaged(home, album, capsys):
    place = album(n=24, files={"000002.jpg": b"no", "attributes.csv": TABLE})
    found = datasets.load("anime", path=place, image_size=8)
    assert numbers(found) == [0, 1, *range(3, 20)]
    assert found.attributes["Smiling"].tolist() == [0, 1, *(i % 2 for i in range(3, 20))]
    said = capsys.readouterr().out
    assert "1 files could not be read and were skipped: 000002.jpg (" in said
    with np.load(home / "cache" / "anime-8x8-labels.npz") as beside:
        assert beside["labels"][:, 0].tolist() == found.attributes["Smiling"].tolist()


@pytest.mark.parametrize(("wanted", "columns"), [("Male", 1), (["Male", "Smiling"], 2)])
def test_attributes_are_chosen_by_name(home, album, wanted, columns):
    place = album(files={"list_attr_celeba.csv": TABLE})
    found = datasets.load("celeba", path=place, labels=wanted)
    assert found.attributes.shape == (20, columns)
    assert found.attributes["Male"].tolist() == [1] * 10 + [0] * 10


def test_an_unknown_attribute_is_refused_with_the_nearest_first(home, album):
    place = album(files={"list_attr_celeba.csv": TABLE})
    with pytest.raises(DataError, match=r"no class or attribute 'Mal'. There is: Male, Smiling"):
        datasets.load("celeba", path=place, labels="Mal")
    with pytest.raises(DataError, match=r"'Male'. There is: none"):
        datasets.load("anime", path=album("bare"), labels="Male")


def test_the_real_celeba_loads_in_both_sizes_of_the_lessons(home, real_data):
    folder = real_data("celeba")
    found = datasets.load("celeba", path=folder, image_size=32, crop=150, count=100)
    assert (len(found), found.image_shape, found.attributes.shape) == (100, (32, 32, 3), (100, 40))
    full = datasets.load("celeba", path=folder, prepared=False)
    assert full.image_shape == (218, 178, 3)
    middle = full.images[3][34:184, 14:164].reshape(30, 5, 30, 5, 3).mean(axis=(1, 3))
    ours = found.images[3][1:31, 1:31]
    assert np.corrcoef(ours.ravel(), middle.ravel())[0, 1] > 0.9


def test_the_real_anime_faces_load_from_their_zip(home, real_data):
    found = datasets.load("anime", path=real_data("anime") / "anime-faces.zip", count=50)
    assert (len(found), found.image_shape, found.n_train) == (50, (64, 64, 3), 40)


# --- the reader's own pictures -------------------------------------------------------------


def test_subfolders_are_classes_and_both_parts_have_all(home, album):
    place = album("mine", names="zebras/{:03}.jpg", n=60)
    album("mine", names="ants/{:03}.jpg", n=30)
    found = datasets.load("folder", path=place, image_size=8)
    assert (found.name, found.class_names) == ("mine", ("ants", "zebras"))
    assert np.bincount(found.labels).tolist() == [30, 60]
    for part in (found.train, found.test):
        assert set(part.labels) == {0, 1}
    again = datasets.load("folder", path=place, image_size=8)
    np.testing.assert_array_equal(found.images, again.images)


def test_classes_are_chosen_and_numbered_anew(home, album):
    for name in ("a", "b", "c"):
        album("mine", names=name + "/{}.jpg", n=5)
    found = datasets.load("folder", path=album("mine", n=0), labels=["c", "a"], image_size=8)
    assert (found.class_names, np.bincount(found.labels).tolist()) == (("a", "c"), [5, 5])
    everything = datasets.load("folder", path=album("mine", n=0), image_size=8)
    assert len(everything) == 15
    assert len(list((home / "cache").glob("*.npy"))) == 2  # neither makes the other anew


def test_two_folders_of_one_name_do_not_share_an_array(home, album):
    first = datasets.load("folder", path=album("a/faces", n=5), image_size=8)
    second = datasets.load("folder", path=album("b/faces", n=7), image_size=8)
    assert (len(first), len(second)) == (5, 7)
    assert len(list((home / "cache").glob("folder-faces-*.npy"))) == 2


def test_a_folder_needs_its_path():
    with pytest.raises(DataError, match="Say where your pictures are"):
        datasets.load("folder")


def test_an_empty_folder_is_named(tmp_path):
    for name in ("folder", "celeba", "anime"):
        with pytest.raises(DataError, match=f"no pictures in {tmp_path}"):
            datasets.load(name, path=tmp_path)


# --- sizes, counts, classes of sets in memory ----------------------------------------------


def test_a_count_takes_the_first_of_both_parts(mnist):
    few = datasets.load("mnist", count=70)
    assert (len(few.train), len(few.test)) == (60, 10)
    np.testing.assert_array_equal(few.train.images, mnist.train.images[:60])
    np.testing.assert_array_equal(few.test.labels, mnist.test.labels[:10])


def test_classes_of_mnist_are_chosen(mnist):
    few = datasets.load("mnist", labels=["3", "8"])
    assert few.class_names == ("3", "8")
    assert np.bincount(few.train.labels).tolist() == [6131, 5851]
    np.testing.assert_array_equal(few.train.images[0], mnist.images[mnist.labels == 3][0])
    with pytest.raises(DataError, match=r"no class or attribute 'x'. There is: 0, 1"):
        datasets.load("mnist", labels=["3", "x"])


def test_mnist_is_resized():
    assert datasets.load("mnist", image_size=32, count=10).image_shape == (32, 32, 1)
    assert datasets.load("mnist", image_size=(20, 14), count=10).image_shape == (20, 14, 1)
    assert datasets.load("mnist", crop=20, count=10).image_shape == (20, 20, 1)
    plain, cut = (datasets.load("mnist", image_size=28, crop=c, count=10) for c in (None, 20))
    assert (cut.images != plain.images).any(), "cut out, then brought to the size"
    with pytest.raises(DataError, match="crop=40 is more than the pictures have: 28 × 28"):
        datasets.load("mnist", crop=40, count=10)


def test_of_drawn_characters_as_many_as_wanted_have_the_label(home, monkeypatch):
    monkeypatch.setattr(datasets, "DRAWN_COUNT", 47 * 4)
    found = datasets.load("emnist", labels="A", count=3)
    assert (len(found), found.class_names) == (3, ("A",))


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": 6.5}, "image_size is 6.5"),
        ({"image_size": (4, 5, 6)}, "height, width"),
        ({"crop": -1}, "crop is -1"),
        ({"count": 0}, "count is 0"),
        ({"labels": []}, "no class or attribute"),
    ],
)
def test_absurd_wishes_are_refused(wrong, names):
    with pytest.raises(ValueError, match=names):
        datasets.load("mnist", **wrong)


# --- where a set is looked for -------------------------------------------------------------


@pytest.fixture
def helpers_called(home, album, monkeypatch):
    """In place of the internet and of the drawing: small albums, and a record of the calls."""
    calls = []

    def download(name, folder):
        calls.append(("download", name, folder))
        album(folder, n=20)

    def draw(name, folder, count, *, seed=0):
        calls.append(("draw", name, folder, count))
        album(folder, n=20, files={"drawn.json": b"{}"})

    monkeypatch.setattr(downloads, "download", download)
    monkeypatch.setattr(standins, "draw", draw)
    return calls


def test_what_is_not_there_is_drawn_and_said_to_be(home, helpers_called, capsys):
    found = datasets.load("celeba", image_size=8)
    assert helpers_called == [("draw", "celeba", home / "drawn/celeba", 20_000)]
    assert (found.name, found.drawn, found.origin) == ("generated avatars", True, "drawn/celeba")
    said = capsys.readouterr().out
    assert "They stand in for CelebA; to have that, load('celeba', download=True)" in said
    assert said.count("\n") == 1
    assert (home / "cache" / "celeba-drawn-8x8.npy").exists()


def test_a_count_is_drawn_and_not_more(home, helpers_called):
    assert len(datasets.load("anime", count=6)) == 6
    assert helpers_called == [("draw", "anime", home / "drawn/anime", 6)]


def test_a_download_comes_before_drawing_and_happens_once(home, helpers_called):
    for _ in range(2):
        found = datasets.load("celeba", image_size=8, download=True)
        assert (found.name, found.drawn) == ("CelebA", False)
    assert helpers_called == [("download", "celeba", home / "celeba")]
    assert datasets.load("celeba", image_size=8).name == "CelebA"


def test_gan_data_comes_before_the_data_folder_and_a_path_before_both(
    home, album, helpers_called, monkeypatch, tmp_path
):
    album(home / "celeba", n=3)
    album(tmp_path / "store" / "celeba", n=4)
    monkeypatch.setenv("GAN_DATA", str(tmp_path / "store"))
    assert len(datasets.load("celeba", image_size=8)) == 4
    assert len(datasets.load("celeba", image_size=8, path=album("own", n=5))) == 5
    monkeypatch.delenv("GAN_DATA")
    assert len(datasets.load("celeba", image_size=8)) == 3
    assert helpers_called == []


def test_drawn_pictures_can_be_had_although_the_real_ones_are_there(
    home, album, helpers_called, capsys
):
    album(home / "celeba", n=3)
    assert not datasets.load("celeba", image_size=8).drawn
    drawn = datasets.load("celeba", image_size=8, count=2, drawn=True)
    assert drawn.drawn
    assert len(drawn) == 2
    assert capsys.readouterr().out.splitlines()[-1].endswith("from drawn/celeba")  # no advice
    for other in ({"path": home / "celeba"}, {"download": True}):
        with pytest.raises(DataError, match="drawn=True takes no path= and no download=True"):
            datasets.load("celeba", image_size=8, drawn=True, **other)


def test_of_what_ships_there_are_no_drawn_pictures():
    with pytest.raises(DataError, match="no drawn set 'mnist'"):
        datasets.load("mnist", drawn=True)


def test_an_empty_folder_that_waits_for_a_set_is_not_taken_for_it(home, helpers_called):
    (home / "celeba").mkdir(parents=True)
    assert datasets.load("celeba", image_size=8).drawn


def test_the_part_of_fashion_mnist_that_ships_is_not_taken_for_the_whole(home, helpers_called):
    (home / "fashion_mnist").mkdir(parents=True)
    (home / "fashion_mnist" / "t10k-images-idx3-ubyte.gz").touch()
    with pytest.raises(DataError):  # what the false download leaves is no Fashion-MNIST
        datasets.load("fashion_mnist", download=True)
    assert helpers_called == [("download", "fashion_mnist", home / "fashion_mnist")]


def test_finding_decodes_nothing(home, album):
    found = datasets.find("celeba", path=album(files={"z.jpg": b"no"}))
    assert (len(found.pictures), found.name) == (21, "CelebA")
    assert not (home / "cache").exists()
