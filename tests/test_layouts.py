"""What the loaders of the sets find, before anything is decoded."""

import numpy as np
import pytest

from helpers import layouts, readers


def test_the_checksums_are_those_of_the_files_that_ship(root):
    for name, files in (
        ("mnist", layouts.MNIST_FILES),
        ("fashion_mnist", layouts.FASHION_MNIST_FILES),
    ):
        there = [file for file in files if (root / "data" / name / f"{file}.gz").exists()]
        assert len(there) == (4 if name == "mnist" else 2)
        assert layouts.LOADERS[name](root / "data" / name).n_train


def test_encoded_pictures_are_found_and_not_decoded(album):
    found = layouts.load_anime(album(n=3, files={"no.jpg": b"no"}))
    assert isinstance(found.pictures, readers.Pictures)
    assert len(found.pictures) == 4


def test_a_mark_in_the_folder_tells_drawn_from_real(album):
    assert not layouts.load_celeba(album("real")).drawn
    assert layouts.load_celeba(album("ours", files={"drawn.json": b"{}"})).drawn


@pytest.mark.parametrize(
    ("name", "file", "whole"),
    [
        ("celeba", "img_align_celeba.zip", True),
        ("celeba", ".DS_Store", False),
        ("celeba", "img_align_celeba/1.jpg", True),
        ("fashion_mnist", "t10k-images-idx3-ubyte.gz", False),
        ("fashion_mnist", "train-images-idx3-ubyte.gz", True),
        ("fashion_mnist", "fashion_mnist.npz", True),
    ],
)
def test_a_folder_is_whole_if_it_holds_more_than_what_ships(tmp_path, name, file, whole):
    assert not layouts.is_whole(name, tmp_path / "nowhere")
    assert not layouts.is_whole(name, tmp_path)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert layouts.is_whole(name, tmp_path) == whole


def test_own_pictures_with_classes_come_mixed(album):
    place = album("mine", names="a/{}.jpg", n=20)
    album("mine", names="b/{}.jpg", n=20)
    labels = layouts.load_folder(place).labels
    assert np.bincount(labels).tolist() == [20, 20]
    assert 5 < labels[:20].sum() < 15
