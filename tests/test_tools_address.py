"""The address stands in one place, and `make address` copies it from there without harm."""

import ast
import re
import shutil
from types import SimpleNamespace

import address
import nbformat
import pytest
from nbformat import v4

URL = "https://github.com/someone/gans"
PLAIN = 'import sys\n\nsys.path.insert(0, "..")\n\nfrom helpers import runtime'


@pytest.fixture
def tree(tmp_path, root):
    """A small repository with two lessons, executed, without an address yet."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    shutil.copytree(root / "cloud", tmp_path / "cloud")
    (tmp_path / "assignments").mkdir()
    shutil.copy(root / "assignments" / "header.ipynb", tmp_path / "assignments")
    address.write_pyproject(tmp_path, address.Address(address.NONE_YET, "main"))
    table = "".join(f"| {i}. [L](notebooks/0{i}_l.ipynb): text | 1 |\n" for i in (1, 2))
    (tmp_path / "README.md").write_text(f"See [1](notebooks/01_l.ipynb).\n\n{table}")
    (tmp_path / "notebooks").mkdir()
    for i in (1, 2):
        printed = v4.new_output("stream", text="ran")
        cells = [
            v4.new_markdown_cell(f"# {i} · Lesson\n\nText."),
            v4.new_code_cell(PLAIN, execution_count=1, outputs=[printed]),
            v4.new_code_cell("x = 1", execution_count=2),
        ]
        nbformat.write(v4.new_notebook(cells=cells), tmp_path / f"notebooks/0{i}_l.ipynb")

    def lesson(i):
        return nbformat.read(tmp_path / f"notebooks/0{i}_l.ipynb", as_version=4)

    def texts():
        files = sorted(tmp_path.rglob("*.*"))
        return {file.name: file.read_text() for file in files if file.is_file()}

    return SimpleNamespace(root=tmp_path, lesson=lesson, texts=texts)


def test_an_address_comes_to_stand_everywhere(tree):
    assert address.main([f"{URL}.git"], tree.root) == 0
    assert address.read(tree.root) == (URL, "main")
    template = tree.texts()["ec2.yaml"]
    assert f"    Default: {URL}\n" in template
    assert address.NONE_YET not in template
    assert f'url, folder = \\"{URL}\\"' in tree.texts()["header.ipynb"]
    for i in (1, 2):
        title, link = tree.lesson(i).cells[0].source.split("\n\n")[:2]
        assert title == f"# {i} · Lesson"
        page = f"https://colab.research.google.com/github/someone/gans/blob/main/notebooks/0{i}_l"
        assert link == f"[Open in Colab]({page}.ipynb)"
        assert f'"{URL}"' in tree.lesson(i).cells[1].source
        assert (
            f"| {i}. [L](notebooks/0{i}_l.ipynb) ({link}): text | 1 |" in tree.texts()["README.md"]
        )
    assert tree.texts()["README.md"].startswith("See [1](notebooks/01_l.ipynb).\n")


def test_outputs_and_the_other_cells_stay(tree):
    before = tree.lesson(1)
    address.main([URL], tree.root)
    after = tree.lesson(1)
    assert after.cells[1].source != before.cells[1].source
    after.cells[0].source, after.cells[1].source = (c.source for c in before.cells[:2])
    assert after == before


@pytest.mark.parametrize("arguments", [[URL], [URL, "--branch", "v1.0"], []])
def test_a_second_time_changes_nothing(tree, arguments):
    address.main(arguments, tree.root)
    once = tree.texts()
    assert address.main([], tree.root) == 0
    assert tree.texts() == once


def test_another_address_leaves_nothing_of_the_one_before(tree):
    address.main(["https://github.com/first/one", "--branch", "v0.1-old"], tree.root)
    address.main([URL], tree.root)
    direct = tree.texts()
    assert not [name for name, text in direct.items() if re.search(r"first/one|v0\.1-old", text)]
    address.main([address.NONE_YET], tree.root)
    address.main([URL], tree.root)
    assert tree.texts() == direct


@pytest.mark.parametrize("url", [address.NONE_YET, "https://gitlab.com/someone/gans"])
def test_what_colab_cannot_open_has_no_link(tree, url, capsys):
    address.main([URL], tree.root)
    assert address.main([url], tree.root) == 0
    assert not [name for name, text in tree.texts().items() if "colab.research" in text]
    assert url in tree.lesson(1).cells[1].source
    assert "No links to Colab" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["http://github.com/a/b"], ["github.com/a/b"], [f'{URL}"; rm -rf ~'], [f"{URL} b"],
     [URL, "--branch", "main; rm"], [URL, "--branch=-x"], ["https://github.com"]],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_anything_is_written(tree, arguments, capsys):
    before = tree.texts()
    assert address.main(arguments, tree.root) == 2
    assert tree.texts() == before
    assert capsys.readouterr().err.startswith("address: ")


def test_a_lesson_without_the_usual_beginning_is_refused_by_name(tree, capsys):
    notebook = tree.lesson(2)
    notebook.cells[1].source = "import helpers"
    nbformat.write(notebook, tree.root / "notebooks/02_l.ipynb")
    assert address.main([URL], tree.root) == 2
    assert "02_l.ipynb must begin with" in capsys.readouterr().err


def test_the_first_cell_is_short_and_outside_colab_does_what_it_always_did():
    cell = address.Address(URL, "main").first_cell()
    lines = [line for line in cell.splitlines() if line.strip()]
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 100
    everywhere = [node for node in ast.parse(cell).body if not isinstance(node, ast.If)]
    names = [ast.unparse(node) for node in everywhere]
    assert names == ["import subprocess", "import sys", "sys.path.insert(0, '..')",
                     "from helpers import runtime"]  # fmt: skip


def test_the_lessons_that_ship_have_the_address_of_the_one_place(root):
    here = address.read(root)
    assert f"Default: {here.url}\n" in (root / "cloud" / "ec2.yaml").read_text()
    assert f"Default: {here.branch}\n" in (root / "cloud" / "ec2.yaml").read_text()
    header = nbformat.read(root / "assignments" / "header.ipynb", as_version=4)
    assert header.cells[-1].source == here.header_cell(), "run `make address`"
    for file in sorted((root / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(file, as_version=4).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        assert first.source == here.first_cell(), f"{file.name}: run `make address`"
        link = here.colab_link(file.name)
        assert link in cells[0].source
        assert link or "[Open in Colab]" not in cells[0].source
