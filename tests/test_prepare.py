"""An array is prepared once, continued after a kill, and made anew when its source changes."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers import decoding, prepare, readers
from helpers.checks import DataError
from helpers.waiting import alone

SIZE = (8, 8)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Prepare the pictures of a place; ``made.calls`` counts the pictures decoded."""

    class Made:
        calls = 0
        file = tmp_path / "cache" / "set-8x8.npy"

        def __call__(self, place, size=SIZE, **kwargs):
            pictures = readers.pictures_in(place)
            return prepare.prepared(pictures, self.file, size, **kwargs)

        @property
        def manifest(self):
            return json.loads(self.file.with_suffix(".json").read_text(encoding="utf-8"))

    made = Made()

    def counted(*args):
        made.calls += 1
        return decoding.decoded(*args)

    monkeypatch.setattr(prepare, "decoded", counted)
    return made


def numbers(images):
    return np.rint(images[:, 0, 0, 0] / 8).astype(int).tolist()


def test_the_array_is_what_decoding_gives_in_the_order_of_the_names(album, made):
    place = album()
    images, kept, skipped = made(place)
    assert (images.dtype, images.shape, skipped) == (np.uint8, (20, 8, 8, 3), {})
    assert kept.tolist() == numbers(images) == list(range(20))
    np.testing.assert_array_equal(
        images[7], decoding.decode((place / "000007.jpg").read_bytes(), SIZE)
    )
    assert isinstance(images, np.memmap)
    np.testing.assert_array_equal(np.load(made.file), images)
    assert not made.file.with_suffix(".npy.part").exists()


def test_the_second_time_nothing_is_decoded(album, made):
    place = album("set.zip")
    first, _, _ = made(place)
    assert made.calls == 20
    again, _, _ = made(place)
    assert made.calls == 20
    np.testing.assert_array_equal(first, again)


def test_the_manifest_tells_all(album, made):
    pictures = readers.pictures_in(album(files={"notes.txt": b"words"}, n=30))
    made(pictures.place, crop=10)
    told = made.manifest
    assert told["source"] == str(pictures.place)
    assert told["checksum"] == pictures.checksum
    assert (told["size"], told["crop"], told["rows"], told["done"]) == ([8, 8], 10, 30, 31)
    assert told["tool"] == f"helpers.prepare {prepare.VERSION}"
    assert told["skipped"][0][:2] == [30, "notes.txt"]


@pytest.mark.parametrize("change", ["source", "size", "crop", "version"])
def test_a_change_is_noticed_and_the_array_made_anew(album, made, monkeypatch, capsys, change):
    place, size, crop = album(), SIZE, None
    made(place)
    if change == "source":
        shutil.copy(place / "000001.jpg", place / "000002.jpg")
    if change == "version":
        monkeypatch.setattr(prepare, "VERSION", 99)
    size = (4, 4) if change == "size" else SIZE
    crop = 6 if change == "crop" else None
    images, _, _ = made(place, size, crop=crop)
    assert made.calls == 40
    assert images.shape == (20, *size, 3)
    assert numbers(images)[2] == (1 if change == "source" else 2)
    assert "set-8x8.npy is of another source, size or crop: made anew." in capsys.readouterr().out


def test_more_pictures_of_the_same_source_are_added(album, made):
    place = album("set.zip", n=30, files={"000003.jpg": b"no"})
    for count, calls in ((21, 21), (30, 30), (2, 30)):
        images, kept, skipped = made(place, count=count)
        assert numbers(images) == kept.tolist() == [i for i in range(count) if i != 3]
        assert list(skipped) == (["000003.jpg"] if count > 3 else [])
        assert made.calls == calls


def test_damaged_files_are_skipped_counted_and_listed(album, made):
    spoilt = {"000003.jpg": b"<html>no</html>", "000020.jpg": b"", "read me.txt": b"words"}
    images, kept, skipped = made(album(n=70, files=spoilt))
    assert numbers(images) == [i % 32 for i in range(70) if i not in (3, 20)]
    assert kept.tolist() == [i for i in range(70) if i not in (3, 20)]
    assert list(skipped) == ["000003.jpg", "000020.jpg", "read me.txt"]
    assert "cannot identify image" in skipped["000003.jpg"]
    again, _, skipped_again = made(album("album", n=0))
    assert (len(again), skipped_again) == (68, skipped)


def test_a_truncated_jpeg_is_damaged(album, made, encoded):
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    _, _, skipped = made(album(n=30, files={"z.jpg": whole[: len(whole) // 2]}))
    assert "truncated" in skipped["z.jpg"]


def test_a_zip_entry_with_a_wrong_crc_is_damaged(album, made):
    place = album("set.zip", n=30)
    content = bytearray(place.read_bytes())
    content[content.index(b"000004.jpg") + 200] ^= 0xFF
    place.write_bytes(content)
    _, kept, skipped = made(place)
    assert "Bad CRC-32" in skipped["000004.jpg"]
    assert 4 not in kept


def test_more_than_5_percent_damaged_is_an_error_that_names_some(album, made):
    with pytest.raises(DataError, match=r"2 of 20 files in .* cannot be read.*5%: 000003.jpg \("):
        made(album(files={"000003.jpg": b"no", "000004.jpg": b"no"}))
    assert not made.file.exists()


def test_too_little_disk_is_said_before_anything_is_decoded(album, made, monkeypatch):
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    with pytest.raises(DataError, match=r"needs .* GiB more, and 0\.0 GiB are free"):
        made(album())
    assert made.calls == 0


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(album, made):
    made.file.parent.parent.joinpath("cache").write_text("a file in the folder's place")
    with pytest.raises(DataError, match=r"cannot be written: .*prepared=False"):
        made(album())


WORKER = """
import pathlib, sys, time
from helpers import decoding, prepare, readers
prepare.SECONDS_BETWEEN_SAVES = 0
real, slow = decoding.decoded, float(sys.argv[3])
def slowly(*args):
    time.sleep(slow)
    return real(*args)
prepare.decoded = slowly
pictures = readers.pictures_in(pathlib.Path(sys.argv[1]))
images, _, _ = prepare.prepared(pictures, pathlib.Path(sys.argv[2]), (64, 64))
print("whole", len(images))
"""


@pytest.fixture
def worker(root):
    """Prepare in a process of its own, so slowly that it can be met at work."""

    def start(place, file, slow):
        command = [sys.executable, "-u", "-c", WORKER, str(place), str(file), str(slow)]
        return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)

    return start


def until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass within a minute")


def done(file):
    manifest = file.with_suffix(".json")
    return json.loads(manifest.read_text())["done"] if manifest.exists() else 0


def test_killed_at_work_it_continues_and_comes_out_the_same(album, tmp_path, worker, monkeypatch):
    place = album("set.zip", n=2_000, files={"000700.jpg": b"no"})
    pictures = readers.pictures_in(place)
    whole = tmp_path / "whole" / "set.npy"
    prepare.prepared(pictures, whole, (64, 64))
    killed = tmp_path / "killed" / "set.npy"
    process = worker(place, killed, 0.01)
    until(lambda: done(killed) > 0)
    process.kill()
    process.communicate()
    assert 0 < done(killed) < 2_000
    assert not killed.exists()
    with killed.with_suffix(".npy.part").open("ab") as part:
        part.write(b"half a picture that the manifest does not know of")
    calls = []
    monkeypatch.setattr(
        prepare, "decoded", lambda *args: (calls.append(args[3]), decoding.decoded(*args))[1]
    )
    before = done(killed)
    prepare.prepared(pictures, killed, (64, 64))
    assert sorted(calls) == list(range(before, 2_000))
    assert killed.read_bytes() == whole.read_bytes()


def test_a_second_process_waits_and_finds_the_work_done(album, tmp_path, worker):
    place, file = album("set.zip"), tmp_path / "cache" / "set.npy"
    file.parent.mkdir()
    with alone(file.with_suffix(".lock"), "preparing"):
        second = worker(place, file, 0)
        assert "Another process is preparing set.npy" in second.stdout.readline()
        prepare._Array(readers.pictures_in(place), file, (64, 64), None).make(20)
        written = file.stat().st_mtime_ns
    assert second.communicate()[0] == "whole 20\n"
    assert file.stat().st_mtime_ns == written


def test_the_lock_of_a_process_that_died_is_free(album, tmp_path, worker):
    place, file = album("set.zip", n=1_000), tmp_path / "cache" / "set.npy"
    process = worker(place, file, 0.01)
    until(lambda: done(file) > 0)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate()
    assert file.with_suffix(".lock").exists()
    images, _, _ = prepare.prepared(readers.pictures_in(place), file, (64, 64))
    assert len(images) == 1_000


def test_several_processes_make_the_same_array_as_one(album, tmp_path, monkeypatch):
    pictures = readers.pictures_in(album("set.zip", n=60, files={"000007.jpg": b"no"}))
    alone_file, together = tmp_path / "alone" / "set.npy", tmp_path / "together" / "set.npy"
    monkeypatch.setattr(prepare.np, "clip", lambda *_: 16)  # small blocks, so that there are some
    prepare.prepared(pictures, alone_file, (64, 64))
    monkeypatch.setattr(prepare, "MANY", 1)
    monkeypatch.setattr(prepare, "decoded", None)  # this process decodes nothing itself
    _, kept, skipped = prepare.prepared(pictures, together, (64, 64))
    assert together.read_bytes() == alone_file.read_bytes()
    assert len(kept) == len(pictures) - 1
    assert len(skipped) == 1


def test_labels_are_kept_beside_the_array(tmp_path):
    file = tmp_path / "set.npy"
    prepare.keep_labels(file, np.array([1, 0, 1]), ("a", "b"))
    kept = tmp_path / "set-labels.npz"
    with np.load(kept) as found:
        assert (found["labels"].tolist(), found["names"].tolist()) == ([1, 0, 1], ["a", "b"])
    before = kept.stat().st_mtime_ns
    prepare.keep_labels(file, np.array([1, 0]), ("a", "b"))
    assert kept.stat().st_mtime_ns == before
    prepare.keep_labels(file, np.array([0, 0]), ("a", "b"))
    with np.load(kept) as found:
        assert found["labels"].tolist() == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [pathlib.Path(kept).name]
