"""A classifier that learns from generated pictures, tested on real ones."""

import numpy as np
import pytest

from helpers import tstr as module
from helpers.image_set import ImageSet
from helpers.scores import tstr


def stripes(n, seed, noise=60.0):
    """Pictures 8×8 with a bright upper half, left half or nothing, and their classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    images = random.normal(90, noise, (n, 8, 8, 1))
    images[labels == 1, :4] += 80
    images[labels == 2, :, :4] += 80
    return np.clip(images, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def data():
    images, labels = stripes(900, 0)
    return ImageSet("stripes", images, labels, ("a", "b", "c"), "a test", 600)


def test_good_pictures_teach_as_well_as_real_ones_and_the_table_says_so(data):
    images, labels = stripes(400, 5)
    table = tstr(images, data, n=400, labels=labels, epochs=4, name="mine")
    assert list(table.index) == ["mine", "real"]
    assert list(table) == ["accuracy", "low", "high"]
    assert table["accuracy"].min() > 0.9
    assert (table["low"] < table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"]).all()


def test_labels_that_the_pictures_do_not_show_teach_nothing(data):
    images, labels = stripes(400, 5)
    wrong = tstr(images, data, n=400, labels=np.random.default_rng(1).permutation(labels), epochs=4)
    assert wrong.loc["generated", "accuracy"] < 0.6
    assert wrong.loc["real", "accuracy"] > 0.9


def test_a_class_that_is_never_shown_is_never_read(data):
    images, labels = stripes(600, 5)
    kept = labels != 2
    table = tstr(images[kept], data, labels=labels[kept], epochs=4)
    share = (data.test.labels != 2).mean()
    assert table.loc["generated", "accuracy"] <= share


def test_the_seed_decides_everything_and_leaves_the_random_state_alone(data):
    images, labels = stripes(200, 5)
    np.random.seed(7)  # noqa: NPY002 (the state that must not change)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (tstr(images, data, labels=labels, epochs=1) for _ in range(2))
    other = tstr(images, data, labels=labels, epochs=1, seed=1)
    assert first.equals(again)
    assert not first.equals(other)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_both_classifiers_learn_from_equally_many_pictures_for_equally_many_steps(
    data, monkeypatch
):
    seen = []
    plain = module.classifier
    monkeypatch.setattr(module, "classifier", lambda *a: seen.append(a) or plain(*a))
    images, labels = stripes(130, 5)
    tstr(images, data, labels=labels, epochs=2)
    assert seen == [((8, 8, 1), 3, 4, 0)] * 2  # 130 pictures: 2 full batches, twice


def test_a_function_may_give_pictures_with_labels(data):
    table = tstr(stripes, data, n=300, epochs=8, seed=3)
    assert table.loc["generated", "accuracy"] > 0.9


def test_missing_or_wrong_labels_are_refused_before_any_training(data, monkeypatch):
    monkeypatch.setattr(module, "classifier", lambda *a: pytest.fail("trained first"))
    images, labels = stripes(100, 5)
    with pytest.raises(ValueError, match="TSTR needs to know what each generated picture shows"):
        tstr(images, data)
    with pytest.raises(ValueError, match="classes from 0 to 2"):
        tstr(images, data, labels=labels + 1)
    with pytest.raises(ValueError, match="classes from 0 to 2"):
        tstr(images, data, labels=labels - 1)
    with pytest.raises(ValueError, match="50 pictures are too few: give 64"):
        tstr(images[:50], data, labels=labels[:50])
    with pytest.raises(ValueError, match="99 labels do not fit 100 pictures"):
        tstr(images, data, labels=labels[:99])
    with pytest.raises(ValueError, match="epochs is 0"):
        tstr(images, data, labels=labels, epochs=0)
    unlabelled = ImageSet("faces", data.images, None, (), "a test", 600)
    with pytest.raises(ValueError, match=r"faces has no classes.*TSTR needs labels"):
        tstr(images, unlabelled, labels=labels)
