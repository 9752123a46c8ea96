"""Run lessons in an environment made like Google Colab's.

    python tools/like_colab.py                          all lessons, smoke profile
    python tools/like_colab.py notebooks/01*            one of them
    python tools/like_colab.py --python .venv/bin/python notebooks/01*

As there: packages are installed already (the newest TensorFlow, Colab's old widgets and IPython,
see constraints/colab.txt; the packages that draw are missing), a module ``google.colab`` is
loaded, and the notebook lies by itself in another folder. Its first cell clones this repository,
as it is in the working tree, from an address of this machine. What is in ``build/colab`` is made
anew each time; the environment, ``build/env-colab``, once.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

import address
import run_lessons

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from helpers import colab

PLACE = ROOT / "build" / "colab"
ENVIRONMENT = ROOT / "build" / "env-colab"
CONSTRAINTS = ROOT / "constraints" / "colab.txt"
NOT_THERE = {*colab.LACKING, "jupyterlab"}
"""The requirements of the lessons that Colab does not fulfil."""
STAND_IN = {
    "google/colab/__init__.py": "",
    "google/colab/drive.py": "def mount(place):\n    print('Mounted at', place)\n",
    "sitecustomize.py": "import google.colab\n",  # loaded before the first cell, as in Colab
}


def make_environment() -> pathlib.Path:
    """The Python of an environment with what Colab has, and without what it has not."""
    there = {name: line for name, line in colab.required().items() if name not in NOT_THERE}
    pinned = re.findall(r"^([\w-]+)==", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    chosen = [name if name in pinned else line for name, line in there.items()]
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "requirements.txt").write_text("\n".join(chosen), encoding="utf-8")
    make_env = ["sh", str(ROOT / "tools" / "make_env.sh"), str(ENVIRONMENT)]
    files = ["-r", str(PLACE / "requirements.txt"), "-c", str(CONSTRAINTS)]
    pythons = {"GAN_PYTHONS": "3.12 3.11"}  # Colab's was 3.12 when its list was written
    subprocess.run([*make_env, *files], check=True, env={**os.environ, **pythons})
    return ENVIRONMENT / "bin" / "python"


def make_repository(folder: pathlib.Path) -> str:
    """A repository with all that is in the working tree; its address."""
    git = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    me = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*me, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder.as_uri()


def as_downloaded(lesson: pathlib.Path, content: pathlib.Path, url: str) -> pathlib.Path:
    """The lesson by itself in a folder, with our address in its first cell in place of its own."""
    content.mkdir(parents=True, exist_ok=True)
    ours, branch = address.read()
    text = lesson.read_text(encoding="utf-8")
    for old, new in {ours: url, f"-b {branch}": "-b main", "/content": str(content)}.items():
        if old not in text:
            raise ValueError(f"{lesson.name} has no {old} in its first cell: run `make address`.")
        text = text.replace(old, new)
    copy = content / lesson.name
    copy.write_text(text, encoding="utf-8")
    return copy


def stand_in(folder: pathlib.Path) -> pathlib.Path:
    """A folder for ``PYTHONPATH`` with a module ``google.colab`` in it."""
    for name, text in STAND_IN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(
    lessons: Sequence[pathlib.Path], python: pathlib.Path, place: pathlib.Path, profile: str
) -> list[run_lessons.Result]:
    """Run lessons in Colab's manner; everything happens in ``place``."""
    shutil.rmtree(place, ignore_errors=True)
    url = make_repository(place / "repository")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(stand_in(place / "stand-in"))
    try:
        copies = [as_downloaded(lesson, place / "content", url) for lesson in lessons]
        folders = {"out": place / "out", "runs": place / "runs"}
        asked = {"profile": profile, "html": False, "python": str(python), **folders}
        return [run_lessons.run_lesson(copy, **asked) for copy in copies]
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 0, 1 (a lesson failed) or 2 (bad input)."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="default: all lessons")
    parser.add_argument("--profile", default="smoke", choices=run_lessons.PROFILES)
    parser.add_argument("--python", type=pathlib.Path, help="of an environment that is there")
    options = parser.parse_args(argv)
    try:
        lessons = run_lessons.find_lessons(options.notebooks)
        python = options.python or make_environment()
        results = run(lessons, python.absolute(), PLACE, options.profile)
    except (ValueError, FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"like_colab: {error}", file=sys.stderr)
        return 2
    print(f"\n{run_lessons.table(results)}\n")
    return int(any(result.error for result in results))


if __name__ == "__main__":
    sys.exit(main())
