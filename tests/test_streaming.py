"""The slow ways give the same pictures as the fast one, in the form that .fit takes."""

import itertools

import numpy as np
import pytest

from helpers import readers, streaming
from helpers._backend import keras


@pytest.fixture
def pictures(album):
    """20 pictures; picture i has the level 8 i."""
    return readers.pictures_in(album("set.zip"))


ATTRIBUTES = np.arange(20)[:, None] % 2


def numbers(x):
    x = np.asarray(x)
    assert (x.dtype, x.shape[1:]) == (np.float32, (8, 8, 3))
    return np.rint((x[:, 4, 4, 0] + 1) * 127.5 / 8).astype(int)


def test_the_plain_generator_gives_pictures_with_their_attributes_or_pairs(pictures):
    batches = streaming.picture_generator(pictures, 5, size=8, attributes=ATTRIBUTES)
    seen = set()
    for x, attributes in itertools.islice(batches, 12):
        np.testing.assert_array_equal(attributes[:, 0], numbers(x) % 2)
        seen |= set(numbers(x).tolist())
    assert len(seen) > 15
    x, target = next(streaming.picture_generator(pictures, 5, size=8, crop=10))
    assert x is target


def test_the_sequence_shows_every_picture_once_in_an_epoch(pictures):
    sequence = streaming.PictureSequence(pictures, 4, size=8, attributes=ATTRIBUTES)
    assert len(sequence) == 5
    epochs = []
    for _ in range(2):
        epoch = []
        for x, attributes in (sequence[i] for i in range(5)):
            np.testing.assert_array_equal(attributes[:, 0], numbers(x) % 2)
            epoch += numbers(x).tolist()
        assert sorted(epoch) == list(range(20))
        epochs.append(epoch)
        sequence.on_epoch_end()
    assert epochs[0] != epochs[1]


def test_fit_takes_the_sequence_and_the_decoding_dataset(pictures, tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", "mse")
    model.fit(streaming.PictureSequence(pictures, 4, size=8), verbose=0)
    stream = streaming.decoded(streaming.unpack(pictures, tmp_path / "u"), 4, size=8)
    model.fit(stream.map(lambda x: (x, x)), steps_per_epoch=3, verbose=0)


@pytest.mark.parametrize("antialias", [True, False])
def test_tensorflow_decodes_every_picture_once_before_any_again(pictures, tmp_path, antialias):
    files = streaming.unpack(pictures, tmp_path / "u")
    stream = streaming.decoded(files, 4, size=8, antialias=antialias)
    shown = [number for x in stream.take(5) for number in numbers(x)]
    assert sorted(shown) == list(range(20))


@pytest.mark.parametrize("crop", [None, 10])
def test_all_ways_cut_out_the_same(album, encoded, tmp_path, crop):
    y, x = np.mgrid[0:48, 0:32]
    picture = np.stack([y * 5, x * 7, 255 - y * 5], axis=-1).astype(np.uint8)
    pictures = readers.pictures_in(album("one", n=0, files={"0.jpg": encoded(picture)}))
    ways = [
        next(streaming.picture_generator(pictures, 1, size=8, crop=crop))[0],
        streaming.PictureSequence(pictures, 1, size=8, crop=crop)[0][0],
        next(
            iter(streaming.decoded(streaming.unpack(pictures, "u"), 1, size=8, crop=crop))
        ).numpy(),
    ]
    for other in ways[1:]:
        assert np.abs(ways[0] - other).max() < 0.06


def test_unpacking_writes_each_picture_once_and_leaves_a_folder_alone(album, pictures, tmp_path):
    files = streaming.unpack(pictures, tmp_path / "u")
    assert [file.read_bytes() for file in files] == [pictures.read(i) for i in range(20)]
    times = [file.stat().st_mtime_ns for file in files]
    files[3].write_bytes(b"cut short")
    again = streaming.unpack(pictures, tmp_path / "u")
    assert again == files
    assert files[3].read_bytes() == pictures.read(3)
    assert [file.stat().st_mtime_ns for file in again][4:] == times[4:]
    folder = readers.pictures_in(album("loose"))
    assert streaming.unpack(folder, tmp_path / "v") == [folder.place / n for n in folder.names]
