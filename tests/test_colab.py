"""In Colab: nothing that is there is replaced, Drive keeps what is asked for, lesson 1 runs."""

import importlib.metadata
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import like_colab
import pytest

from helpers import colab

NEVER = ("tensorflow", "keras", "numpy", "ipywidgets", "jupyterlab")


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A Colab session: which packages are there, what pip is told, and a Drive to mount."""
    there = dict.fromkeys(colab.required(), "9.9")
    session = SimpleNamespace(there=there, pip=[], kept="", returncode=0, mounted=[])

    def version(name):
        if name not in there:
            raise importlib.metadata.PackageNotFoundError(name)
        return there[name]

    def pip(command, **_):
        session.pip.append(command)
        session.kept = pathlib.Path(command[command.index("--constraint") + 1]).read_text()
        return SimpleNamespace(returncode=session.returncode, stdout="no room\n")

    drive = SimpleNamespace(mount=session.mounted.append)
    monkeypatch.setitem(sys.modules, "google.colab.drive", drive)
    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.setattr("subprocess.run", pip)
    monkeypatch.setattr(colab, "MOUNT", tmp_path / "drive")
    monkeypatch.chdir(tmp_path)
    for name in ("GAN_RUNS", "GAN_DATA"):
        monkeypatch.setenv(name, "")  # so that it is as before at the end
        monkeypatch.delenv(name)
    return session


def test_what_is_missing_is_installed_and_nothing_else(session):
    for name in colab.LACKING:
        del session.there[name]
    colab.start()
    (command,) = session.pip
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    wanted = command[command.index("--constraint") + 2 :]
    lines = (colab.COURSE / "requirements.txt").read_text().splitlines()
    assert sorted(wanted) == sorted(line for line in lines if line.startswith(colab.LACKING))
    assert len(wanted) == 4
    assert not [part for part in command for name in NEVER if part.startswith(name)]


def test_pip_may_replace_nothing_that_colab_has(session):
    del session.there["resvg-py"]
    session.there["tensorflow"] = "2.99.1"
    colab.start()
    kept = session.kept.splitlines()
    assert "tensorflow==2.99.1" in kept
    assert {"keras==9.9", "numpy==9.9", "ipywidgets==9.9"} <= set(kept)
    assert not [line for line in kept if line.startswith("resvg")]
    assert len(session.pip[0][session.pip[0].index("--constraint") + 2 :]) == 1


def test_where_all_is_there_pip_is_not_called(session):
    colab.start()
    assert session.pip == []


def test_nothing_is_missing_but_what_colab_lacks(session):
    session.there.clear()  # not even TensorFlow, which then is Colab's affair
    assert {line.split(">")[0] for line in colab.lacking()} == set(colab.LACKING)


def test_a_failure_of_pip_is_told_with_its_reason(session):
    del session.there["resvg-py"]
    session.returncode = 1
    with pytest.raises(RuntimeError, match=r"could not install resvg-py.*\n.*no room") as caught:
        colab.start()
    assert "tensorflow" not in str(caught.value)


def test_the_lesson_finds_its_own_folder(session):
    colab.start()
    assert pathlib.Path.cwd() == colab.COURSE / "notebooks"
    assert (pathlib.Path("..") / "helpers").is_dir()


def test_without_drive_nothing_is_mounted_and_it_is_said(session, capsys):
    colab.start()
    assert session.mounted == []
    assert "GAN_RUNS" not in os.environ
    assert "lost with this session" in capsys.readouterr().out


def test_with_drive_runs_and_data_live_there(session, tmp_path, capsys):
    colab.start(drive=True)
    assert session.mounted == [str(tmp_path / "drive")]
    place = tmp_path / "drive" / "MyDrive" / "gan-notebooks"
    for variable, folder in {"GAN_RUNS": "runs", "GAN_DATA": "data"}.items():
        assert os.environ[variable] == str(place / folder)
        assert (place / folder).is_dir()
    assert str(place) in capsys.readouterr().out


@pytest.mark.notebook
@pytest.mark.slow
def test_lesson_1_runs_in_an_environment_like_colabs(tmp_path, root):
    lesson = root / "notebooks" / "01_gan_basics_mnist.ipynb"
    python = pathlib.Path(sys.executable)
    (result,) = like_colab.run([lesson], python, tmp_path / "colab", "smoke")
    assert result.error == ""
    assert (tmp_path / "colab" / "content" / "gan-notebooks" / "helpers").is_dir(), "not cloned"
    assert result.scores, "nothing was left in the run folder"


def test_outside_colab_the_first_cell_loads_nothing_more(root):
    code = "import sys; from helpers import runtime; print('helpers.colab' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
