"""Write the repository's public address wherever it has to stand.

    python tools/address.py                                        as pyproject.toml says
    python tools/address.py https://github.com/someone/gan-notebooks
    python tools/address.py https://github.com/someone/gan-notebooks --branch v1.0

It stands in pyproject.toml (``[project.urls]``; the branch or tag under ``[tool.gan-notebooks]``)
and is copied from there into cloud/ec2.yaml, into the first code cell of each lesson and of each
assignment that is handed out, which fetches the repository in Google Colab, and into the links
that open a lesson there: under its title and in the README's table. The links are text, because a
notebook with a badge would fetch a picture from another machine whenever it is opened. Colab opens
notebooks of GitHub; for an address elsewhere, and as long as there is none, the links are left
out. Outputs stay as they are, and running this again changes nothing.
"""

import argparse
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from helpers.files import whole

NONE_YET = "https://github.com/OWNER/gan-notebooks"
"""Stands in pyproject.toml until the repository has a public place."""
LINK = "[Open in Colab]"

FETCH = """\
import subprocess
import sys

if "google.colab" in sys.modules:  # in Google Colab the course has to be fetched
    url, folder = "{url}", "/content/gan-notebooks"
    fetch = f"test -d {{folder}} || git clone -q --depth=1 -b {branch} {{url}} {{folder}}"
    subprocess.run(fetch, shell=True, check=True)
    sys.path.insert(0, folder)
    from helpers import colab

    colab.start(drive=False)  # True: runs, checkpoints and data are kept in your Google Drive
"""
CELL = (
    FETCH
    + """\
sys.path.insert(0, "..")  # the repository's folder, where the package `helpers` lies

from helpers import runtime"""
)


class Address(NamedTuple):
    """Where the repository is to be had, and which branch or tag of it."""

    url: str
    branch: str

    @property
    def is_known(self) -> bool:
        """Whether it is an address, and not what stands there until there is one."""
        return self.url != NONE_YET

    def first_cell(self) -> str:
        """The first code cell of every lesson."""
        return CELL.format(url=self.url, branch=self.branch)

    def header_cell(self) -> str:
        """The first code cell of every assignment that is handed out."""
        return FETCH.format(url=self.url, branch=self.branch).rstrip()

    def colab_link(self, lesson: str) -> str:
        """The link that opens a lesson in Colab; empty where Colab cannot open it."""
        place = self.url.removeprefix("https://github.com/")
        if place == self.url or not self.is_known:
            return ""
        page = f"https://colab.research.google.com/github/{place}/blob/{self.branch}/notebooks"
        return f"{LINK}({page}/{lesson})"


def checked(url: str, branch: str) -> Address:
    """An address as it will be written; all of it goes into a shell command, so nothing odd."""
    url = url.rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+)+", url):
        raise ValueError(f"{url!r} is not like https://github.com/someone/gan-notebooks.")
    if not re.fullmatch(r"\w[\w./-]*", branch):
        raise ValueError(f"{branch!r} is no name of a branch or tag.")
    return Address(url, branch)


def read(root: pathlib.Path = ROOT) -> Address:
    """The address that pyproject.toml gives."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    return checked(_line("Repository").search(text)[2], _line("branch").search(text)[2])


def _line(name: str) -> re.Pattern[str]:
    return re.compile(rf'^({name} = ")([^"]*)', re.MULTILINE)


def write_pyproject(root: pathlib.Path, address: Address) -> None:
    """Set the one place where the address stands."""
    file = root / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    for name, value in {"Repository": address.url, "branch": address.branch}.items():
        text = _line(name).sub(rf"\g<1>{value}", text)
    file.write_text(text, encoding="utf-8")


def write_lesson(file: pathlib.Path, address: Address) -> bool:
    """Put the address into a lesson; whether that changed it."""
    notebook = nbformat.read(file, as_version=4)
    title, *rest = notebook.cells[0].source.split("\n")
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    if not title.startswith("# ") or not first.source.endswith("\nfrom helpers import runtime"):
        raise ValueError(
            f"{file.name} must begin with a title, and its first code cell must be the one that "
            "ends in `from helpers import runtime`."
        )
    if rest[1:2] and rest[1].startswith(LINK):
        rest = rest[2:]
    link = address.colab_link(file.name)
    new = "\n".join([title, *(["", link] if link else []), *rest]), address.first_cell()
    if new == (notebook.cells[0].source, first.source):
        return False
    notebook.cells[0].source, first.source = new
    with whole(file) as beside:
        nbformat.write(notebook, beside)
    return True


def write_header(file: pathlib.Path, address: Address) -> None:
    """Put the address into what every assignment that is handed out begins with."""
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[-1].source = address.header_cell()
    with whole(file) as beside:
        nbformat.write(notebook, beside)


def write_template(file: pathlib.Path, address: Address) -> None:
    """Set what a machine on EC2 clones."""
    text = file.read_text(encoding="utf-8")
    for name, value in {"Repository": address.url, "Branch": address.branch}.items():
        default = re.compile(rf"^(  {name}:\n    Type: String\n    Default: ).*", re.MULTILINE)
        text = default.sub(rf"\g<1>{value}", text)
    file.write_text(text, encoding="utf-8")


def write_readme(file: pathlib.Path, address: Address) -> None:
    """Put the links behind the lessons' names in the table of the README."""
    name = re.compile(r"(\(notebooks/(\w+\.ipynb)\))(?: \(\[Open in Colab\]\([^)]*\)\))?")

    def with_link(found: re.Match[str]) -> str:
        link = address.colab_link(found[2])
        return f"{found[1]} ({link})" if link else found[1]

    lines = file.read_text(encoding="utf-8").split("\n")
    lines = [name.sub(with_link, line) if line.startswith("| ") else line for line in lines]
    file.write_text("\n".join(lines), encoding="utf-8")


def main(argv: Sequence[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """Run the script; the exit code is 0 or 2 (bad input)."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("url", nargs="?", help="default: as pyproject.toml says")
    parser.add_argument("--branch", default="main", help="or a tag; default: main")
    options = parser.parse_args(argv)
    try:
        address = checked(options.url, options.branch) if options.url else read(root)
        lessons = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
        write_pyproject(root, address)
        changed = [file.stem for file in lessons if write_lesson(file, address)]
        write_header(root / "assignments" / "header.ipynb", address)
        write_template(root / "cloud" / "ec2.yaml", address)
        write_readme(root / "README.md", address)
    except ValueError as error:
        print(f"address: {error}", file=sys.stderr)
        return 2
    print(f"{address.url}, {address.branch}: {len(changed)} of {len(lessons)} lessons changed")
    if not address.colab_link(""):
        print("No links to Colab were written: it opens notebooks of a GitHub repository.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
