"""Files of every layout are read, and what is damaged or dangerous is named."""

import gzip
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from helpers import readers
from helpers.checks import DataError

TXT = b"2\nSmiling Male \n000000.jpg  1 -1\n000001.jpg -1  1\n"
CSV = b"image_id,Smiling,Male\n000000.jpg,1,-1\n000001.jpg,-1,1\n"
PAGE = b"<!DOCTYPE html><html>Quota exceeded</html>"


# --- pictures ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["album", "album.zip"])
def test_pictures_are_sorted_by_name_and_read_back(album, encoded, place):
    pictures = readers.pictures_in(album(place, names="{:06}.jpg", n=12))
    assert pictures.names == tuple(f"{i:06}.jpg" for i in range(12))
    assert pictures.read(3) == encoded(np.full((16, 12, 3), 24, np.uint8))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pictures.read, [3] * 50)) == [pictures.read(3)] * 50


@pytest.mark.parametrize(
    "names",
    ["{:06}.jpg", "img_align_celeba/{:06}.jpg", "img_align_celeba/img_align_celeba/{:06}.jpg"],
)
@pytest.mark.parametrize("place", ["celeba", "celeba/img_align_celeba.zip"])
def test_pictures_are_found_at_every_depth(album, tmp_path, place, names):
    album(place, names=names, n=4)
    found = readers.pictures_in(tmp_path / "celeba", within="img_align_celeba")
    assert [name.split("/")[-1] for name in found.names] == [f"{i:06}.jpg" for i in range(4)]


def test_the_named_folder_goes_before_other_pictures(album):
    place = album(names="img_align_celeba/{}.jpg", n=3, files={"sheets/all.png": b"no"})
    assert len(readers.pictures_in(place, within="img_align_celeba")) == 3
    assert len(readers.pictures_in(place)) == 4


def test_the_named_zip_goes_before_a_larger_one(album, tmp_path):
    album("set/extra.zip", n=9)
    album("set/img_align_celeba.zip", n=3)
    assert len(readers.pictures_in(tmp_path / "set", within="img_align_celeba")) == 3
    assert len(readers.pictures_in(tmp_path / "set")) == 9


def test_hidden_files_tables_and_leftovers_are_not_taken_for_pictures(album):
    junk = [".hidden.jpg", "__MACOSX/._0.jpg", "Thumbs.db", "attributes.csv", "drawn.json"]
    place = album(n=2, files=dict.fromkeys(junk, b"x"))
    assert len(readers.pictures_in(place)) == 2


@pytest.mark.parametrize("place", ["album", "album.zip"])
def test_an_empty_folder_or_zip_is_named(album, place):
    with pytest.raises(DataError, match=r"no pictures in .*album"):
        readers.pictures_in(album(place, n=0, files={"notes.pdf": b"x"}))


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil.jpg", "a/../../x.jpg", "C:\\x.jpg"])
def test_a_zip_that_would_leave_its_folder_is_refused(album, name):
    with pytest.raises(DataError, match="would leave the folder"):
        readers.pictures_in(album("album.zip", n=2, files={name: b"x"}))


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda content: content[: len(content) // 2], "is cut short or damaged"),
        (lambda content: PAGE, "is a web page, not an archive: a log-in or quota page"),
        (lambda content: b"words", "is no zip"),
    ],
    ids=["truncated", "a web page", "another file"],
)
def test_a_file_that_is_no_whole_zip_is_named_for_what_it_is(album, spoil, names):
    place = album("album.zip")
    place.write_bytes(spoil(place.read_bytes()))
    with pytest.raises(DataError, match=names) as error:
        readers.pictures_in(place)
    assert str(place) in str(error.value)


@pytest.mark.parametrize("place", ["album", "album.zip"])
def test_the_checksum_changes_with_the_content_and_the_names(album, tmp_path, place):
    def checksum(**kwargs):
        return readers.pictures_in(album(place, **kwargs)).checksum

    first = checksum()
    assert readers.pictures_in(tmp_path / place).checksum == first
    assert checksum(n=21) != first
    other = np.full((16, 12, 3), 99, np.uint8)
    changed = readers.pictures_in(album(place, files={"000003.jpg": other.tobytes()}))
    assert changed.checksum != first


def test_a_zip_keeps_its_checksum_when_it_is_moved(album, tmp_path):
    zipped = album("album.zip")
    first = readers.pictures_in(zipped).checksum
    assert readers.pictures_in(zipped.rename(tmp_path / "moved.zip")).checksum == first


def test_subfolders_are_classes_unless_some_pictures_lie_outside(album, encoded):
    one = encoded(np.zeros((4, 4, 3), np.uint8))
    files = {"set/dogs/1.jpg": one, "set/cats/deep/2.jpg": one, "set/cats/3.jpg": one}
    names, labels = readers.pictures_in(album("a", n=0, files=files)).classes()
    assert (names, labels.tolist()) == (("cats", "dogs"), [0, 0, 1])
    assert readers.pictures_in(album("b", n=0, files={**files, "set/4.jpg": one})).classes() is None


def test_a_process_forked_off_opens_the_zip_anew(album, monkeypatch):
    pictures = readers.pictures_in(album("album.zip", n=3))
    content, first = pictures.read(1), pictures._opened[1]
    assert pictures.read(1) == content
    assert pictures._opened[1] is first
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert pictures.read(1) == content
    assert pictures._opened[1] is not first


def test_pictures_of_an_open_zip_can_be_sent_to_another_process(album):
    pictures = readers.pictures_in(album("album.zip", n=3))
    content = pictures.read(1)
    assert pickle.loads(pickle.dumps(pictures)).read(1) == content


# --- IDX and npz ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
def test_idx_is_read_as_it_is_written(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(readers.decode_idx(readers.encode_idx(array)), array)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08", PAGE, b"\0\0\x0d\x01\0\0\0\x01\0", b"\0\0\x08\x01\0\0\0\x05abc"]
)
def test_what_is_no_idx_file_is_named(content):
    with pytest.raises(DataError, match=r"here\.gz is damaged"):
        readers.decode_idx(content, "here.gz")


@pytest.mark.parametrize(
    "name", ["train-x-idx1", "train-x-idx1.gz", "train-x.idx1.gz", "sub/train-x-idx1"]
)
def test_a_file_is_found_packed_or_not_and_one_folder_deep(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(gzip.compress(b"abc") if name.endswith("gz") else b"abc")
    assert readers.find_file(tmp_path, "train-x-idx1") == (file, b"abc")


def test_a_file_is_found_in_a_zip_as_nist_packs_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
        archive.writestr("gzip/x-idx1.gz", gzip.compress(b"abc"))
    assert readers.find_file(tmp_path, "x-idx1") == (tmp_path / "gzip.zip/gzip/x-idx1.gz", b"abc")
    assert readers.find_file(tmp_path, "y-idx1") is None


def test_a_web_page_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "x-idx1.gz").write_bytes(PAGE)
    with pytest.raises(DataError, match=r"x-idx1\.gz is damaged: .* It is a web page"):
        readers.find_file(tmp_path, "x-idx1")


def test_keras_npz_is_read_and_another_is_passed_over(tmp_path):
    arrays = {"x_train": np.ones((2, 3, 3), np.uint8), "y_train": np.array([1, 2])}
    np.savez(tmp_path / "other.npz", **arrays)
    assert readers.read_npz(tmp_path / "other.npz") is None
    arrays |= {"x_test": np.zeros((1, 3, 3), np.uint8), "y_test": np.array([3])}
    np.savez(tmp_path / "mnist.npz", **arrays)
    found = readers.read_npz(tmp_path / "mnist.npz")
    assert [a.dtype for a in found] == [np.uint8] * 4
    assert [a.tolist() for a in found[1::2]] == [[1, 2], [3]]
    np.savez(tmp_path / "mnist.npz", **{**arrays, "y_test": np.array([300])})
    with pytest.raises(DataError, match="values outside 0 to 255"):
        readers.read_npz(tmp_path / "mnist.npz")
    (tmp_path / "mnist.npz").write_bytes(PAGE)
    with pytest.raises(DataError, match="is a web page"):
        readers.read_npz(tmp_path / "mnist.npz")


def test_the_mapping_gives_class_names():
    assert readers.read_mapping(b"0 48\n1 65\n2 97\n", "m") == ("0", "A", "a")
    for wrong in (b"0 48\n2 65\n", b"a b\n", PAGE, b"0 48 49\n"):
        with pytest.raises(DataError, match="m is no mapping"):
            readers.read_mapping(wrong, "m")


# --- attributes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"), [("list_attr_celeba.csv", CSV), ("list_attr_celeba.txt", TXT)]
)
@pytest.mark.parametrize("under", ["", "Anno/"])
def test_both_layouts_of_the_attributes_give_the_same_table(album, name, content, under):
    table = readers.find_attributes(album(files={under + name: content}))
    assert list(table.columns) == ["Smiling", "Male"]
    assert list(table.index) == ["000000.jpg", "000001.jpg"]
    assert table.to_numpy().tolist() == [[1, 0], [0, 1]]
    assert set(table.dtypes) == {np.dtype(np.uint8)}


def test_attributes_are_found_inside_the_zip_and_beside_it(album, tmp_path):
    inside = album("k/archive.zip", files={"list_attr_celeba.csv": CSV})
    assert len(readers.find_attributes(tmp_path / "k")) == 2
    assert len(readers.find_attributes(inside)) == 2
    beside = album("b/set.zip")
    assert readers.find_attributes(beside) is None
    (tmp_path / "b" / "attributes.csv").write_bytes(CSV)
    assert len(readers.find_attributes(beside)) == 2


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("a.txt", TXT.replace(b"2\n", b"3\n", 1), "says 3 pictures and lists 2"),
        ("a.csv", CSV[:-3], "row of 000001.jpg is not all"),
        ("a.csv", CSV.replace(b",1,", b",7,"), "row of 000000.jpg is not all"),
        ("a.csv", CSV.replace(b"000001.jpg", b"000000.png"), "two rows for 000000.png"),
        ("a.csv", b"", "is no table"),
        ("a.csv", PAGE, "is damaged: it is empty"),
        ("a.txt", PAGE, "is no table"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, name, content, names):
    with pytest.raises(DataError, match=names):
        readers.read_attributes(content, tmp_path / name)


def test_rows_are_found_by_name_without_folder_and_suffix(tmp_path):
    table = readers.read_attributes(CSV, tmp_path / "a.csv")
    assert readers.rows_of(table, ["x/000001.png", "7.jpg", "000000.jpg"]).tolist() == [1, -1, 0]


def test_the_real_tables_agree(real_data):
    folder = real_data("celeba")
    csv, txt = (
        readers.read_attributes((folder / name).read_bytes(), folder / name)
        for name in readers.TABLES[:2]
    )
    assert csv.shape == (2000, 40)
    assert csv.equals(txt.set_axis(csv.index.set_names(txt.index.name)))
    assert csv.loc["000001.jpg", ["Smiling", "Male", "Young"]].tolist() == [1, 0, 1]
