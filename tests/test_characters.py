"""The drawn EMNIST: right classes, EMNIST's geometry, the same everywhere, whole or not there."""

import gzip
import hashlib
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from helpers import characters, readers

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAPPING = "emnist-balanced-mapping.txt"
REAL = ROOT.parent / "shared" / "data" / "emnist"


def array(folder, part, kind):
    """One of the four IDX files as it is stored."""
    suffix = {"images": "images-idx3", "labels": "labels-idx1"}[kind]
    packed = (folder / f"emnist-balanced-{part}-{suffix}-ubyte.gz").read_bytes()
    return readers.decode_idx(gzip.decompress(packed))


def digest(file):
    """A checksum of what is in a file, unpacked: zlib versions may pack differently."""
    content = file.read_bytes()
    content = gzip.decompress(content) if file.suffix == ".gz" else content
    return hashlib.sha256(content).hexdigest()


def digests(folder):
    """The checksums of all files in a folder."""
    return {file.name: digest(file) for file in folder.iterdir() if file.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("drawn") / "emnist"
    characters.draw(made, 47 * 12, seed=3)
    return made


@pytest.fixture(scope="module")
def many():
    """Twenty characters of each class, shape (47, 20, 28, 28)."""
    return np.array([[characters.character(k, 5, i) for i in range(20)] for k in range(47)])


# --- one character -------------------------------------------------------------------------


def test_a_character_is_ink_on_black_within_a_border(many):
    assert many.dtype == np.uint8
    assert many.shape == (47, 20, 28, 28)
    for picture in many.reshape(-1, 28, 28):
        assert picture.max() >= 200
        inked = picture > 40
        assert not inked[[0, 1, -2, -1]].any()
        assert not inked[:, [0, 1, -2, -1]].any()
        assert 15 <= inked.sum() <= 400


def test_a_character_fills_the_frame_and_stands_in_its_middle(many):
    for picture in many.reshape(-1, 28, 28):
        sides = []
        for axis in (0, 1):
            at = np.flatnonzero((picture > 40).any(axis=1 - axis))
            assert abs((at[0] + at[-1]) / 2 - 13.5) <= 1
            sides.append(at[-1] - at[0] + 1)
        assert 21 <= max(sides) <= 24


def test_the_grey_is_that_of_emnist(many):
    """EMNIST Balanced's training mean is 0.175, and a sixth of its pixels is ink."""
    assert many.mean() / 255 == pytest.approx(0.175, abs=0.015)
    assert (many > 127).mean() == pytest.approx(0.169, abs=0.02)
    # soft edges, yet a full black: neither bilevel nor blurred away
    inside = many[many > 0]
    assert (inside >= 240).mean() == pytest.approx(0.28, abs=0.06)
    assert (inside < 48).mean() == pytest.approx(0.31, abs=0.06)


def test_every_picture_of_a_class_is_another(many):
    for pictures in many:
        assert len({picture.tobytes() for picture in pictures}) == 20


def test_seed_and_index_and_label_decide():
    first = characters.character(10, 0, 0)
    np.testing.assert_array_equal(first, characters.character(10, 0, 0))
    for other in ((11, 0, 0), (10, 1, 0), (10, 0, 1)):
        assert (first != characters.character(*other)).any()


def test_the_same_in_another_process():
    code = """
        import hashlib
        from helpers import characters
        for label in (0, 17, 46):
            print(hashlib.sha256(characters.character(label, 7, 1234).tobytes()).hexdigest())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = [characters.character(label, 7, 1234).tobytes() for label in (0, 17, 46)]
    assert done.stdout.split() == [hashlib.sha256(picture).hexdigest() for picture in ours]


def test_upright_and_not_mirrored():
    """7 has its bar at the top, P its bowl; b and d have theirs below, and d its stem right."""
    mean = {
        name: np.mean(
            [characters.character(characters.CLASSES.index(name), 1, i) for i in range(60)], axis=0
        )
        for name in "7Pbd"
    }
    assert mean["7"][:14].sum() > 1.3 * mean["7"][14:].sum()
    assert mean["P"][:14].sum() > 1.3 * mean["P"][14:].sum()
    assert mean["b"][14:].sum() > 1.2 * mean["b"][:14].sum()
    assert mean["d"][:12, 16:].sum() > 2 * mean["d"][:12, :12].sum()


@pytest.mark.parametrize("label", [-1, 47, 1.5, "A", None])
def test_a_label_that_is_no_class_is_refused(label):
    with pytest.raises(ValueError, match=r"label is .* classes 0 to 46"):
        characters.character(label, 0, 0)


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_a_negative_seed_or_index_is_refused(seed, index):
    with pytest.raises(ValueError, match="neither may be negative"):
        characters.character(0, seed, index)


# --- the files -----------------------------------------------------------------------------


def test_the_five_files_of_emnist_balanced(folder):
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [
            MAPPING,
            "emnist-balanced-train-images-idx3-ubyte.gz",
            "emnist-balanced-train-labels-idx1-ubyte.gz",
            "emnist-balanced-test-images-idx3-ubyte.gz",
            "emnist-balanced-test-labels-idx1-ubyte.gz",
        ]
    )
    assert array(folder, "train", "images").shape == (564, 28, 28)
    assert array(folder, "test", "images").shape == (94, 28, 28)


def test_the_mapping_is_the_official_one(folder):
    lines = [line.split() for line in (folder / MAPPING).read_text().splitlines()]
    assert [int(label) for label, _ in lines] == list(range(47))
    assert "".join(chr(int(code)) for _, code in lines) == characters.CLASSES
    if not REAL.is_dir():
        pytest.skip("no ../shared/data/emnist to compare the mapping with")
    official = [line.split() for line in (REAL / MAPPING).read_text().splitlines()]
    assert lines == official


def test_classes_are_balanced_and_mixed(folder):
    for part, each in (("train", 12), ("test", 2)):
        labels = array(folder, part, "labels")
        assert np.bincount(labels, minlength=47).tolist() == [each] * 47
        assert sorted(labels[:47]) == list(range(47))
        assert (labels[:47] != np.arange(47)).any()
    train = array(folder, "train", "labels")
    assert (train[:47] != train[47:94]).any()


def test_pictures_are_stored_transposed_and_belong_to_their_labels(folder):
    for part, first in (("train", 0), ("test", characters.TEST_FROM)):
        images, labels = array(folder, part, "images"), array(folder, part, "labels")
        for i in (0, 5, 93):
            upright = characters.character(int(labels[i]), 3, first + i)
            np.testing.assert_array_equal(images[i], upright.T)
            assert (images[i] != upright).any()


def test_a_larger_count_only_appends(folder, tmp_path):
    characters.draw(tmp_path, 50, seed=3)
    for kind in ("images", "labels"):
        short = array(tmp_path, "train", kind)
        np.testing.assert_array_equal(short, array(folder, "train", kind)[:50])
        np.testing.assert_array_equal(
            array(tmp_path, "test", kind), array(folder, "test", kind)[:8]
        )


def test_no_test_picture_is_a_training_picture(folder):
    train = {picture.tobytes() for picture in array(folder, "train", "images")}
    assert not train & {picture.tobytes() for picture in array(folder, "test", "images")}


def test_the_same_bytes_again_and_others_for_another_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        characters.draw(tmp_path / name, 47, seed=seed)
    files = {name: sorted((tmp_path / name).iterdir()) for name in "abc"}
    contents = {name: [file.read_bytes() for file in files[name]] for name in "abc"}
    assert contents["a"] == contents["b"]
    for file in (tmp_path / "a").glob("*.gz"):
        assert file.read_bytes()[4:8] == bytes(4), "gzip's header has the time of writing"
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_drawing_again_replaces_what_was_there(tmp_path):
    characters.draw(tmp_path, 100)
    (tmp_path / "drawn.json").write_text("not ours")
    characters.draw(tmp_path, 60)
    assert len(array(tmp_path, "train", "labels")) == len(array(tmp_path, "train", "images")) == 60
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("count", [0, -5, 2.5, "47", None, True])
def test_an_absurd_count_is_refused_before_anything_is_made(tmp_path, count):
    with pytest.raises(ValueError, match=r"count is .* whole number"):
        characters.draw(tmp_path / "new", count)
    assert not (tmp_path / "new").exists()


def test_too_few_for_a_test_part_and_a_negative_seed_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"count is 5; it must be 6 or more"):
        characters.draw(tmp_path / "new", 5)
    with pytest.raises(ValueError, match=r"seed is -1; it must be 0 or more"):
        characters.draw(tmp_path / "new", 47, seed=-1)
    assert not (tmp_path / "new").exists()


# os._exit ends a process as a kill does: nothing is tidied up.
KILLS = {
    "drawing": """
        once = characters.character
        characters.character = lambda k, s, i: os._exit(9) if i == 30 else once(k, s, i)
    """,
    "writing": """
        pathlib.Path.write_bytes = lambda self, content: os._exit(9)
    """,
    "moving": """
        once, moved = os.replace, []
        def replace(old, new):
            moved.append(new)
            os._exit(9) if len(moved) == 3 else once(old, new)
        os.replace = replace
    """,
}


@pytest.mark.parametrize("when", list(KILLS))
def test_killed_half_way_nothing_looks_whole(tmp_path, when):
    characters.draw(tmp_path, 60, seed=9)
    before = digests(tmp_path)
    code = "import os, pathlib\nfrom helpers import characters\n"
    code += textwrap.dedent(KILLS[when]) + f"characters.draw({str(tmp_path)!r}, 50)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 9
    left = {file.name for file in tmp_path.iterdir() if file.is_file()}
    if when == "moving":
        assert 0 < len(left) < 5
    else:
        assert digests(tmp_path) == before
    characters.draw(tmp_path, 50)
    assert len(array(tmp_path, "train", "images")) == 50


def test_progress_is_shown_only_when_it_takes_long(tmp_path, capsys, monkeypatch):
    characters.draw(tmp_path, 47)
    assert capsys.readouterr().out == ""
    clock = iter(np.arange(0, 10_000, 0.3).tolist())
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    characters.draw(tmp_path, 47)
    lines = capsys.readouterr().out.split("\r")
    assert "of 54" in lines[1]
    assert "left" in lines[1]
    assert lines[-1].startswith("drawing characters: done in ")
    assert lines[-1].endswith("\n")
    assert "\n" not in "".join(lines[:-1])
