"""Parts do not overlap, batches are a pure function of seed and step, conditions are right."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pandas as pd
import pytest

from helpers import image_set as module
from helpers import readers
from helpers.decoding import DecodedOnDemand
from helpers.image_set import ImageSet, label_planes, to_float
from helpers.statistics import Statistics


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


def test_nothing_of_a_stream_is_left_to_tune():
    """The tuner's thread may need seconds to end, and ``.fit`` waits for it."""
    stream = numbered().batches(4)
    watched = Statistics(np.zeros((2, 2, 2, 1)), np.zeros((2, 3))).watch(stream)
    for one in (stream, watched):
        assert one.options().autotune.enabled is False


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
    floats = to_float(every)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, np.linspace(-1, 1, 256), atol=1e-6)
    for wrong in (floats, every.astype(np.int64)):
        with pytest.raises(TypeError, match=r"takes uint8 pictures .* these are"):
            to_float(wrong)


# --- labels, attributes, pairs -------------------------------------------------------------


def labelled(n=12):
    """Picture i is of class i % 3."""
    images = np.repeat(np.arange(n, dtype=np.uint8) * 20, 4).reshape(n, 2, 2, 1)
    return ImageSet("three", images, np.arange(n, dtype=np.int64) % 3, ("a", "b", "c"), "here", 9)


def with_attributes(images=None, n=12):
    """Attribute "big" of the pictures from 6, attribute "odd" of every second."""
    table = pd.DataFrame({"big": np.arange(n) >= 6, "odd": np.arange(n) % 2 == 1}).astype(np.uint8)
    images = numbered(n).images if images is None else images
    return ImageSet("faces", images, None, (), "here", n * 3 // 4, attributes=table, drawn=True)


def shown_in(x):
    return np.rint((x.numpy()[:, 0, 0, 0] + 1) * 127.5 / 20).astype(int)


def test_one_hot_labels_belong_to_their_pictures():
    for x, one_hot in labelled().batches(5, conditional="one_hot").take(4):
        assert one_hot.dtype == "float32"
        np.testing.assert_array_equal(one_hot, np.eye(3)[shown_in(x) % 3])


def test_planes_are_one_in_the_pictures_own_class_and_zero_in_the_others():
    for x, one_hot, planes in labelled().batches(5, conditional="planes").take(4):
        assert tuple(planes.shape) == (5, 2, 2, 3)
        np.testing.assert_array_equal(planes, label_planes(one_hot.numpy(), 2, 2))
        for number, plane in zip(shown_in(x), planes.numpy(), strict=True):
            for label in range(3):
                assert (plane[:, :, label] == (label == number % 3)).all()


def test_label_planes_look_as_they_should():
    planes = label_planes(np.eye(3)[[2, 0]], 4, 5)
    assert (planes.shape, planes.dtype) == ((2, 4, 5, 3), np.float32)
    assert planes[0, ..., 2].all()
    assert not planes[0, ..., :2].any()
    assert planes[1, ..., 0].all()


@pytest.mark.parametrize("part", ["train", "test"])
def test_attributes_belong_to_their_pictures_in_both_parts(part):
    for x, attributes in getattr(with_attributes(), part).batches(3, conditional="one_hot").take(5):
        numbers = shown_in(x)
        np.testing.assert_array_equal(attributes, np.stack([numbers >= 6, numbers % 2 == 1], 1))


def test_pairs_are_the_same_pictures_twice():
    for x, again in numbered().batches(4, pairs=True).take(3):
        np.testing.assert_array_equal(x, again)


def test_conditions_do_not_change_the_order():
    plain = take(labelled().batches(4, seed=5), 6)
    with_labels = labelled().batches(4, seed=5, conditional="one_hot").take(6)
    assert [shown_in(x).tolist() for x, _ in with_labels] == plain


def test_conditions_that_cannot_be_met_are_refused():
    bare = ImageSet("bare", numbered().images, None, (), "here", 9)
    with pytest.raises(ValueError, match="bare has neither classes nor attributes"):
        bare.batches(4, conditional="one_hot")
    for wrong in ({"conditional": "planets"}, {"conditional": "planes", "pairs": True}):
        with pytest.raises(ValueError, match="may be 'one_hot' or 'planes', and not together"):
            labelled().batches(4, **wrong)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.arange(11) % 3, "three has 12 pictures but 11 labels"),
        (np.arange(12) % 4, "labels from 0 to 3, but 3 class names"),
        (np.arange(12) % 3 - 1, "labels from -1 to 1, but 3 class names"),
    ],
)
def test_labels_that_do_not_match_the_pictures_are_named(labels, says):
    with pytest.raises(ValueError, match=says):
        replace(labelled(), labels=labels).batches(4, conditional="one_hot")


def test_an_item_is_a_picture_and_what_is_known_of_it():
    assert labelled()[4][1] == "b"
    assert with_attributes()[7][1] == "big, odd"
    assert with_attributes()[-2][1] == "big"
    assert ImageSet("bare", numbered().images, None, (), "here", 9)[0][1] == ""
    with pytest.raises(IndexError):
        labelled()[12]


def test_a_learner_can_read_what_it_is():
    assert repr(labelled()) == "three: 12 grey pictures of 2×2, 3 classes (a … c), from here"
    assert "2 attributes (big … odd)" in repr(with_attributes())
    assert "no labels" in repr(ImageSet("bare", numbered().images, None, (), "here", 9))
    assert with_attributes().train.drawn


# --- arrays that are not in memory ---------------------------------------------------------


@pytest.fixture
def mapped(tmp_path):
    """The numbered pictures, memory-mapped."""
    np.save(tmp_path / "numbers.npy", numbered().images)
    return np.load(tmp_path / "numbers.npy", mmap_mode="r")


def test_a_memory_map_gives_the_same_batches(mapped, monkeypatch):
    monkeypatch.setattr(module, "HELD_BYTES", 1)  # gives its pages back after every batch
    there = ImageSet("mapped", mapped, None, (), "here", 9)
    assert take(there.batches(4, seed=3), 9) == take(numbered().batches(4, seed=3), 9)
    assert take(there.test.batches(2), 3) == take(numbered().test.batches(2), 3)


def test_pages_read_of_a_memory_map_are_given_back(mapped, monkeypatch):
    given_back = []
    monkeypatch.setattr(module, "let_go", given_back.append)
    monkeypatch.setattr(module, "HELD_BYTES", 3 * 16)
    there = ImageSet("mapped", mapped, None, (), "here", 9)
    for _ in range(9):
        there._take(np.arange(4))
    assert len(given_back) == 3


def test_what_is_damaged_takes_its_attributes_with_it(album):
    place = album(n=24, files={"000005.jpg": b"no"})
    lazy = DecodedOnDemand(readers.pictures_in(place), (16, 12))
    stream = with_attributes(lazy, 24).batches(24, conditional="one_hot")
    x, attributes = next(iter(stream))
    numbers = np.rint((x.numpy()[:, 8, 6, 0] + 1) * 127.5 / 8).astype(int)
    assert sorted(numbers) == sorted([*range(5), 6, *range(6, 24)])
    np.testing.assert_array_equal(attributes, np.stack([numbers >= 6, numbers % 2 == 1], 1))
