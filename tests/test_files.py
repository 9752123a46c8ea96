"""Files are there when they are whole; of several workers the chief alone writes them."""

import json
import subprocess
import sys

import pytest

from helpers import files


def tf_config(index, kind="worker", **cluster):
    cluster = cluster or {"worker": ["a:1", "b:1"]}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.fixture
def worker(as_worker):
    """Be the second of two workers."""
    as_worker(1)


def test_a_file_is_there_when_it_is_whole_and_not_before(tmp_path):
    def write(text, error=None):
        with files.whole(tmp_path / "a.txt") as new:
            new.write_text(text)
            assert new.suffix == ".txt"  # by which libraries choose the format
            if error:
                raise error

    with pytest.raises(KeyboardInterrupt):
        write("half", KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    write("whole")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"
    with pytest.raises(KeyboardInterrupt):
        write("half", KeyboardInterrupt())
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize(
    ("config", "chief"),
    [
        ("", True),
        (" ", True),
        (tf_config(0), True),
        (tf_config(1), False),
        (tf_config(0, "chief", chief=["a:1"], worker=["b:1"]), True),
        (tf_config(0, "worker", chief=["a:1"], worker=["b:1"]), False),
    ],
)
def test_one_process_of_all_is_the_chief(monkeypatch, config, chief):
    monkeypatch.setenv("TF_CONFIG", config)
    assert files.is_chief() is chief


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"cluster": {"worker": ["a:1"]}}', "KeyError"),
        (tf_config(2), "IndexError"),
        (tf_config(0, "ps", ps=["a:1"]), "there is no ps 0"),
    ],
)
def test_a_mistake_in_tf_config_is_named_with_an_example(monkeypatch, config, wrong):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=r"(?s)TF_CONFIG is .*It must look like") as said:
        files.is_chief()
    assert wrong in str(said.value)


def test_what_another_worker_writes_can_be_read_by_it_and_stands_nowhere_else(tmp_path, worker):
    (tmp_path / "one").mkdir()
    for place in ("one", "two"):  # the second is no folder at all
        with files.whole(tmp_path / place / "a.txt") as new:
            new.write_text(place)
    assert [file.name for file in tmp_path.rglob("*")] == ["one"]
    for place in ("one", "two"):
        assert files.place_of(tmp_path / place / "a.txt").read_text() == place


def test_the_chief_writes_where_it_was_asked_to(tmp_path, as_worker):
    as_worker(0)
    assert files.place_of(tmp_path / "a.txt") == tmp_path / "a.txt"
    assert files.place_of(str(tmp_path / "a.txt")) == tmp_path / "a.txt"


def test_what_another_worker_wrote_goes_with_its_process(tmp_path, root, worker):
    code = (
        f"from helpers import files\nwith files.whole({str(tmp_path / 'a')!r}) as new:\n"
        f"    new.touch()\nprint(files.place_of({str(tmp_path / 'a')!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    own = files.pathlib.Path(done.stdout.strip())
    assert own.name == "a"
    assert not own.exists()
    assert "worker-" in str(own)


def test_a_folder_is_made_tried_and_left_empty(tmp_path):
    for _ in range(2):
        files.make_folder("folder", tmp_path / "deep" / "folder")
        assert list((tmp_path / "deep" / "folder").iterdir()) == []


@pytest.mark.parametrize("in_the_way", ["deep", "deep/folder", f"deep/folder/{files.PROBE}"])
def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path, in_the_way):
    obstacle = tmp_path / in_the_way
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    if obstacle.name == files.PROBE:
        obstacle.mkdir()  # a test that runs as root can write wherever there is room
    else:
        obstacle.write_text("a file")
    with pytest.raises(OSError, match=r"the run folder .*folder cannot be written \(.*choose ano"):
        files.make_folder("run folder", tmp_path / "deep" / "folder")


def test_another_worker_neither_makes_nor_tries_a_folder(tmp_path, worker):
    files.make_folder("folder", tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
