"""A lesson in Google Colab: the few packages it lacks, its folder, and Drive to keep things in.

The first cell of each lesson fetches this repository there and calls :func:`start`; anywhere
else nothing of this module runs. TensorFlow, Keras and NumPy stay the ones that Colab has.
"""

import importlib
import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import tempfile

COURSE = pathlib.Path(__file__).resolve().parent.parent
MOUNT = pathlib.Path("/content/drive")
LACKING = ("dicebear-core", "dicebear-styles", "resvg-py", "Hershey-Fonts")
"""What Colab has not got, of what the lessons need to run: the packages that draw."""


def start(*, drive: bool = False) -> None:
    """Make a Colab session ready for a lesson, whose folder becomes the working directory.

    Args:
        drive: mount your Google Drive (Colab asks you for leave) and keep there, in its folder
            ``gan-notebooks``, what the lessons make (``runs``, checkpoints included: a lesson
            that was cut off goes on where it was); sets of pictures are looked for in ``data``.

    Raises:
        RuntimeError: a package cannot be installed; the text says which, and pip's reason.
    """
    os.chdir(COURSE / "notebooks")
    install(lacking())
    kept = keep_in_drive() if drive else "what lessons make is lost with this session"
    print(f"the course is in {COURSE}; {kept}")


def lacking() -> list[str]:
    """The lines of ``requirements.txt`` on those of ``LACKING`` that are not installed."""
    return [line for name, line in required().items() if name in LACKING and not _version(name)]


def install(requirements: list[str]) -> None:
    """Install packages beside what is there, none of which is replaced by another version."""
    if not requirements:
        return
    versions = {name: _version(name) for name in required()}
    with tempfile.TemporaryDirectory() as folder:
        keep = pathlib.Path(folder) / "keep.txt"
        keep.write_text("".join(f"{name}=={v}\n" for name, v in versions.items() if v))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "--constraint", str(keep), *requirements],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(
            f"pip could not install {', '.join(requirements)}. Without them the lessons run on "
            f"MNIST, Fashion-MNIST and your own pictures only. It said:\n{done.stdout.strip()}"
        )
    importlib.invalidate_caches()


def keep_in_drive() -> str:
    """Mount Google Drive and let ``GAN_RUNS`` and ``GAN_DATA`` point there; says so in words."""
    importlib.import_module("google.colab.drive").mount(str(MOUNT))
    folder = MOUNT / "MyDrive" / "gan-notebooks"
    for variable, name in {"GAN_RUNS": "runs", "GAN_DATA": "data"}.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(folder / name)
    return f"runs and data are kept in {folder}"


def required() -> dict[str, str]:
    """Name and line of each of the lessons' requirements, as ``requirements.txt`` has them."""
    lines = (COURSE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {m[0]: line for line in lines if (m := re.match(r"[\w.-]+", line))}


def _version(name: str) -> str:
    """The installed version of a package; empty if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
