"""Drawn data sets: layout, the same everywhere, cached, and whole or not there."""

import csv
import hashlib
import importlib.util
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import zipfile

import filelock
import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from helpers import collage, standins
from helpers.checks import DataError

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYOUT = {
    "celeba": ("img_align_celeba.zip", "img_align_celeba", "list_attr_celeba.csv", (178, 218)),
    "anime": ("anime-faces.zip", "images", "attributes.csv", (64, 64)),
}
FACE = {"celeba": standins.face, "anime": standins.anime_face}
# SHA-256 of the pixels of the first 12 pictures of seed 0, and their attributes. If a change was
# meant to alter pictures, raise standins.VERSION and put in what the failing test says.
GOLDEN = {
    "celeba": "a276e0e86a663b441401f93b0272e0c48aa474307479dc3f65798a1c14876a4e",
    "anime": "4a2c8eaf3a01b0013c7b04036702584232aa19e683e276f022f4bde983fcfaef",
}


def fingerprint(name):
    digest = hashlib.sha256()
    for index in range(12):
        picture, attributes = FACE[name](index)
        digest.update(picture.tobytes() + json.dumps(attributes).encode())
    return digest.hexdigest()


def entries(folder, name):
    """The bytes of every picture in the archive, by name, and the rows of the table."""
    archive, inside, table, _ = LAYOUT[name]
    with zipfile.ZipFile(folder / archive) as pictures:
        assert pictures.testzip() is None
        assert {entry.compress_type for entry in pictures.infolist()} == {zipfile.ZIP_STORED}
        content = {entry: pictures.read(entry) for entry in pictures.namelist()}
    with (folder / table).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(content) == [f"{inside}/{row['image_id']}" for row in rows]
    return content, rows


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    for name in LAYOUT:
        standins.draw(name, folder / name, 30, seed=5)
    return folder


@pytest.mark.parametrize("name", LAYOUT)
def test_the_files_are_laid_out_as_the_real_ones(drawn, name):
    content, rows = entries(drawn / name, name)
    archive, inside, table, size = LAYOUT[name]
    assert {f.name for f in (drawn / name).iterdir()} == {archive, table, "drawn.json"}
    assert next(iter(content)) == f"{inside}/000001.jpg"
    assert list(content)[-1] == f"{inside}/000030.jpg"
    for index in (0, 29):
        pixels, attributes = FACE[name](index, 5)
        image = Image.open(io.BytesIO(content[f"{inside}/{index + 1:06}.jpg"]))
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)
        assert pixels.shape == (*size[::-1], 3)
        assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 3
        image_id, *values = rows[index].values()
        assert image_id == f"{index + 1:06}.jpg"
        assert dict(zip(list(rows[index])[1:], map(int, values), strict=True)) == attributes
        assert set(attributes.values()) == {-1, 1}


@pytest.mark.parametrize("name", LAYOUT)
def test_the_description_says_what_was_drawn(drawn, name):
    said = json.loads((drawn / name / "drawn.json").read_text("utf-8"))
    assert (said["name"], said["count"], said["seed"]) == (name, 30, 5)
    assert said["version"] == standins.VERSION
    assert sorted(said["files"]) == sorted([LAYOUT[name][0], LAYOUT[name][2]])
    assert {"resvg-py", "pillow", "numpy"} <= set(said["drawn with"])
    assert ("CC BY 4.0" in said["style"]) == (name == "celeba")


@pytest.mark.parametrize("name", LAYOUT)
def test_the_pictures_are_the_same_everywhere_and_ever(name):
    assert fingerprint(name) == GOLDEN[name]


def test_another_process_with_other_settings_draws_the_same():
    code = "import sys; sys.path.append('tests'); from test_standins import *\n"
    code += "print(*map(fingerprint, LAYOUT))"
    settings = {"PYTHONHASHSEED": "77", "LC_ALL": "C", "TZ": "Asia/Tokyo", "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **settings},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [fingerprint(name) for name in LAYOUT]


def test_pictures_depend_on_seed_and_index():
    def pixels(index, seed):
        return standins.anime_face(index, seed)[0].tobytes()

    assert pixels(3, 1) == pixels(3, 1)
    assert len({pixels(*at) for at in [(3, 1), (1, 3), (3, 2), (4, 1)]}) == 4


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
print("this script runs")
from helpers import standins
standins.draw("anime", {folder!r}, 601, seed=5)
"""


def test_many_pictures_are_drawn_by_workers_and_begin_with_the_few(drawn, tmp_path):
    """In a learner's script without a guard, which must not be run again by the workers."""
    script, folder = tmp_path / "script.py", tmp_path / "anime"
    script.write_text(SCRIPT.format(root=str(ROOT), folder="anime"))
    (tmp_path / "helpers.py").write_text("raise ImportError('not ours')")  # beside the script
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("this script runs") == 1
    assert done.stderr == ""
    few, few_rows = entries(drawn / "anime", "anime")
    many, many_rows = entries(folder, "anime")
    assert len(many) == 601
    assert list(many)[:30] == list(few)
    assert many_rows[:30] == few_rows
    assert all(many[entry] == content for entry, content in few.items())
    assert sorted(f.name for f in folder.iterdir()) == sorted(
        ["anime-faces.zip", "attributes.csv", "drawn.json"]
    )


def test_what_is_drawn_already_is_kept(tmp_path, monkeypatch):
    standins.draw("anime", tmp_path, 4)
    before = (tmp_path / "anime-faces.zip").stat().st_mtime_ns
    with monkeypatch.context() as nothing_drawn:
        nothing_drawn.setattr(standins, "_draw_faces", None)
        nothing_drawn.setattr(importlib.util, "find_spec", lambda module: None)  # no packages
        standins.draw("anime", tmp_path, 4)
        standins.draw("anime", tmp_path, 2)
    assert (tmp_path / "anime-faces.zip").stat().st_mtime_ns == before


def test_one_process_at_a_time_draws_and_the_next_asks_again(tmp_path, monkeypatch):
    lock = filelock.FileLock(tmp_path / "anime.lock")
    draw_faces, seen = standins._draw_faces, []

    def while_the_lock_is_held(name, folder, count, *rest):
        seen.append(count)
        with pytest.raises(filelock.Timeout):
            lock.acquire(timeout=0)
        draw_faces(name, folder, count, *rest)

    monkeypatch.setattr(standins, "_draw_faces", while_the_lock_is_held)
    standins.draw("anime", tmp_path / "anime", 4)
    asked = [False, True]  # not there at first; there when the other's lock is gone
    monkeypatch.setattr(standins, "_is_drawn", lambda *given: asked.pop(0))
    standins.draw("anime", tmp_path / "anime", 2)
    assert seen == [4]
    assert len(entries(tmp_path / "anime", "anime")[1]) == 4


def spoil(folder, **entry):
    said = json.loads((folder / "drawn.json").read_text())
    (folder / "drawn.json").write_text(json.dumps(said | entry))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: spoil(folder, count=2),
        lambda folder: spoil(folder, seed=1),
        lambda folder: spoil(folder, version=0),
        lambda folder: spoil(folder, name="celeba"),
        lambda folder: (folder / "drawn.json").write_text("{"),
        lambda folder: (folder / "drawn.json").unlink(),
        lambda folder: (folder / "attributes.csv").unlink(),
    ],
    ids=["fewer", "another seed", "another version", "another set", "damaged", "gone", "no table"],
)
def test_what_is_not_what_was_asked_for_is_drawn_anew(tmp_path, change):
    standins.draw("anime", tmp_path, 4)
    content = entries(tmp_path, "anime")
    change(tmp_path)
    (tmp_path / "anime-faces.zip").write_bytes(b"spoiled")
    standins.draw("anime", tmp_path, 4)
    assert entries(tmp_path, "anime") == content


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_drawing_leaves_nothing_that_looks_whole(tmp_path):
    code = f"from helpers import standins; standins.draw('anime', {str(tmp_path)!r}, 50_000)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".drawing-*/*.zip")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = len(list(tmp_path.glob(".drawing-*/*.log")))
    process.kill()
    process.wait()
    assert [f.name for f in tmp_path.iterdir() if not f.name.startswith(".drawing-")] == []
    # The workers notice, and go too: no chunk is begun any more.
    (folder,) = tmp_path.glob(".drawing-*")
    before, now, deadline = None, {*folder.iterdir()}, time.monotonic() + 20
    while now != before and time.monotonic() < deadline:  # a busy machine lets them notice late
        time.sleep(1)
        before, now = now, {*folder.iterdir()}
    assert now == before
    assert workers > 0
    standins.draw("anime", tmp_path, 4)
    assert len(entries(tmp_path, "anime")[0]) == 4


def test_a_worker_ends_well_when_its_share_is_drawn(tmp_path):
    task = ["anime", str(tmp_path), "150", "0", "0", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "helpers.standins", *task], cwd=ROOT, stdin=subprocess.PIPE
    ) as worker:
        assert worker.wait(timeout=60) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0.chunk", "100.chunk"]


def test_an_interrupted_drawing_ends_its_workers_and_cleans_up(tmp_path, monkeypatch):
    crew, start = [], subprocess.Popen

    def interrupt(*chunk):
        raise KeyboardInterrupt

    monkeypatch.setattr(standins, "cores", lambda: 2)
    monkeypatch.setattr(standins, "_append", interrupt)
    monkeypatch.setattr(
        standins.subprocess,
        "Popen",
        lambda *args, **how: crew.append(start(*args, **how)) or crew[-1],
    )
    with pytest.raises(KeyboardInterrupt):
        standins.draw("anime", tmp_path, 20_000)
    assert [worker.returncode is None for worker in crew] == [False, False]
    assert list(tmp_path.iterdir()) == []


def test_old_leavings_are_swept_and_those_of_today_are_not(tmp_path):
    old, young = tmp_path / ".drawing-old", tmp_path / ".drawing-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "0.chunk").touch()
    os.utime(old, (time.time() - 200_000,) * 2)
    standins.draw("anime", tmp_path, 1)
    assert not old.exists()
    assert young.exists()


def test_a_drawing_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    standins.draw("anime", tmp_path, 3)
    before = entries(tmp_path, "anime")

    def fail(who):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(standins.anime, "picture", fail)
    with pytest.raises(DataError, match="No space left"):
        standins.draw("anime", tmp_path, 5)
    assert entries(tmp_path, "anime") == before
    assert not list(tmp_path.glob(".drawing-*"))


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script as a Python that fails")
def test_a_worker_that_fails_is_reported_with_its_last_words(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho one >&2\necho the pen is broken >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(standins, "cores", lambda: 2)
    monkeypatch.setattr(standins.sys, "executable", str(python))
    with pytest.raises(DataError, match="code 3: the pen is broken"):
        standins.draw("anime", tmp_path / "anime", 700)
    assert list((tmp_path / "anime").iterdir()) == []


def test_a_short_drawing_says_nothing(tmp_path, capsys):
    standins.draw("anime", tmp_path, 2)
    assert capsys.readouterr() == ("", "")


def test_emnist_is_written_by_the_pen(tmp_path, monkeypatch):
    from helpers import characters

    def write(folder, count, *, seed):
        (folder / "letters.gz").write_text(f"{count} {seed}")

    monkeypatch.setattr(characters, "draw", write, raising=False)
    standins.draw("emnist", tmp_path, 94, seed=3)
    assert (tmp_path / "letters.gz").read_text() == "94 3"
    assert json.loads((tmp_path / "drawn.json").read_text("utf-8"))["files"] == ["letters.gz"]


@pytest.mark.parametrize(
    ("name", "count", "seed", "says"),
    [
        ("celebs", 10, 0, "'celebs'. There is: celeba, anime, emnist"),
        ("celeba", 0, 0, "count is 0"),
        ("celeba", 2.5, 0, "count is 2.5"),
        ("anime", 10, -1, "seed is -1"),
        ("anime", 10, "a", "seed is 'a'"),
    ],
)
def test_bad_input_is_named_before_anything_is_made(tmp_path, name, count, seed, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        standins.draw(name, tmp_path / "new", count, seed=seed)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"anime cannot be drawn into .*file"):
        standins.draw("anime", tmp_path / "file", 2)


def test_too_little_disk_is_said_before_work_begins(tmp_path, monkeypatch):
    class Usage:
        free = 1_000_000

    monkeypatch.setattr(standins.shutil, "disk_usage", lambda folder: Usage)
    monkeypatch.setattr(standins, "_draw_faces", None)
    with pytest.raises(DataError, match=r"480 MB .* 1 MB are free"):
        standins.draw("celeba", tmp_path, 20_000)


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("celeba", "dicebear", "dicebear-core"),
        ("celeba", "dicebear_styles", "dicebear-styles"),
        ("anime", "resvg_py", "resvg-py"),
        ("emnist", "HersheyFonts", "Hershey-Fonts"),
    ],
)
def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch, name, module, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda asked: None if asked == module else find(asked)
    )
    with pytest.raises(DataError, match=rf'{package}, which.*pip install "dicebear-core>=10'):
        standins.draw(name, tmp_path, 2)


def test_the_command_that_errors_give_installs_what_is_required():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    required = {str(Requirement(line)) for line in lines if line and line[0] != "#"}
    assert {str(Requirement(r)) for r in re.findall(r'"([^"]+)"', collage.DRAWING)} <= required


def test_drawing_loads_no_tensorflow_and_importing_no_drawing_package():
    code = "import sys; from helpers import standins; print(*sys.modules); standins.face(0)"
    code += "; standins.anime_face(0); print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert not {"dicebear", "resvg_py", "jsonschema", "pandas"} & set(said[0].split())
    assert said[1] == "False False"


def test_the_benchmark_measures_each_set(tmp_path, capsys):
    from benchmarks import standins as benchmark

    benchmark.main(["--count", "3", "--sets", "anime", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "standins.json").read_text())
    assert written["count"] == 3
    assert written["anime"]["pictures_per_second"] > 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[:2] == ["set", "pictures_per_second"]
    assert shown[1].split()[:2] == ["anime", str(written["anime"]["pictures_per_second"])]
