"""What a lesson leaves behind is whole, readable, and kept when a later save fails."""

import json

import numpy as np
import pytest

from helpers import runs
from helpers._backend import keras


def test_a_run_folder_is_made_where_asked_and_may_exist_already(tmp_path):
    for _ in range(2):
        folder = runs.run_folder("01", root=tmp_path / "deep" / "runs")
        assert folder == tmp_path / "deep" / "runs" / "01"
        assert list(folder.iterdir()) == []


def test_by_default_runs_stand_in_the_repository(root):
    assert runs.RUNS_FOLDER == root / "runs"


def test_the_environment_may_name_another_place(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_RUNS", str(tmp_path / "elsewhere"))
    assert runs.run_folder("01") == tmp_path / "elsewhere" / "01"
    assert runs.run_folder("01", root=tmp_path / "asked") == tmp_path / "asked" / "01"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(OSError, match=r"the run folder .*01 cannot be written"):
        runs.run_folder("01", root=tmp_path / "runs")


def save(folder, generator, loss=0.5):
    history = {"step": [1], "d_loss": [loss]}
    runs.save_run(
        folder, generator, history=history, config={"name": "Größe"}, scores={"confidence": 0.9}
    )


def read(folder):
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")
    }


def test_a_saved_run_can_be_read_again(tmp_path, build, z):
    generator = build.generator(keras.layers.BatchNormalization())
    save(tmp_path, generator)
    assert {file.name for file in tmp_path.iterdir()} == {
        "generator.keras",
        "history.json",
        "config.json",
        "scores.json",
    }
    assert read(tmp_path) == {
        "history": {"step": [1], "d_loss": [0.5]},
        "config": {"name": "Größe"},
        "scores": {"confidence": 0.9},
    }
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(loaded.predict(z, verbose=0), generator.predict(z, verbose=0))


def test_a_save_that_fails_leaves_the_earlier_one_as_it_was(tmp_path, build, monkeypatch):
    generator = build.generator()
    save(tmp_path, generator)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def half_a_file(path):
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(generator, "save", half_a_file)
        with pytest.raises(OSError, match="disk is full"):
            save(tmp_path, generator)
    with pytest.raises(TypeError):
        runs.write_json(tmp_path / "history.json", {"not": object()})
    for name, content in before.items():
        assert (tmp_path / name).read_bytes() == content
    save(tmp_path, generator, loss=0.25)
    assert read(tmp_path)["history"]["d_loss"] == [0.25]


def test_of_several_workers_the_chief_alone_writes(tmp_path, build, as_worker):
    for index in (1, 0):
        as_worker(index)
        folder = runs.run_folder("02", root=tmp_path)
        assert folder == tmp_path / "02"
        save(folder, build.generator())
        assert len(list(tmp_path.rglob("*"))) == (0 if index else 5)
