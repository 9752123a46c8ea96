"""The repository agrees with itself: requirements, notebooks, documentation, targets."""

import ast
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile
from copy import deepcopy

import nbformat
import pytest
import yaml
from nbformat import v4
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
THIS_MACHINE = re.compile(r"/(?:work|root|home|tmp|Users)/")


def requirements(*files):
    lines = [line for f in files for line in (ROOT / f).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in found}


ALL = requirements("requirements.txt", "requirements-dev.txt")


# ------------------------------------------------------------------------------- requirements


def test_pyproject_takes_its_dependencies_from_the_requirement_files():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "dependencies" in project["project"]["dynamic"]
    assert "dependencies" not in project["project"]
    read = project["tool"]["setuptools"]["dynamic"]
    assert read["dependencies"] == {"file": ["requirements.txt"]}
    assert read["optional-dependencies"]["dev"] == {"file": ["requirements-dev.txt"]}
    # setuptools cannot follow "-r other.txt", and a name in both files could differ.
    learner, developer = requirements("requirements.txt"), requirements("requirements-dev.txt")
    assert not learner.keys() & developer.keys()


def test_conda_takes_its_packages_from_the_requirement_file():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.txt"]}
    (python,) = (d.removeprefix("python=") for d in conda if d.startswith("python="))
    assert python in PYTHONS
    assert environment["name"] == "gan-notebooks"


def test_the_same_pythons_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={PYTHONS[0]}"
    script = (ROOT / "tools" / "make_env.sh").read_text()
    assert f"GAN_PYTHONS:-{' '.join(reversed(PYTHONS))}}}" in script
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("which", ["lowest", "newest"])
@pytest.mark.parametrize("name", ALL)
def test_pinned_sets_lie_in_the_ranges(which, name):
    lines = (ROOT / "constraints" / f"{which}.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if not line.startswith("#")]
    pins = [p for p in pinned if canonicalize_name(p.name) == name]
    for python in PYTHONS:
        here = {"python_version": python, "python_full_version": f"{python}.99"}
        versions = [p for p in pins if (p.marker or Marker("os_name != ''")).evaluate(here)]
        assert len(versions) == 1, f"{name} has {len(versions)} pins for Python {python}"
        (pin,) = versions[0].specifier
        assert pin.operator == "=="
        assert ALL[name].specifier.contains(pin.version)
    if which == "lowest":
        bound = next(s.version for s in ALL[name].specifier if s.operator == ">=")
        lowest = min(Version(s.version) for p in pins for s in p.specifier)
        assert lowest == Version(bound), "requirements were changed: make pins, make test-lowest"


PACKAGE_OF = {
    "HersheyFonts": "hershey-fonts",
    "IPython": "ipykernel",  # which cannot be without it
    "jupyter_client": "nbclient",
    "packaging": "pytest",
    "PIL": "pillow",
    "dicebear": "dicebear-core",
    "resvg_py": "resvg-py",
    "skimage": "scikit-image",
    "tomli": "pytest",
    "tomllib": "pytest",  # tomli's name from Python 3.11 on
    "yaml": "pyyaml",
}


def imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_what_is_imported_is_required():
    learner = requirements("requirements.txt")
    optional = requirements("requirements-extras.txt", "requirements-classroom.txt")
    optional = {*optional, "torch"}  # torch: to compare speed with
    sources = {p: p.read_text() for d in ("helpers", "tools", "benchmarks", "tests")
               for p in (ROOT / d).rglob("*.py")}  # fmt: skip
    for path in LESSONS:
        cells = nbformat.read(path, as_version=4).cells
        code = [re.sub(r"^\s*[%!].*", "", c.source, flags=re.M) for c in cells
                if c.cell_type == "code"]  # fmt: skip
        sources[path] = "\n".join(code)
    ours = {p.stem for p in sources} | {"helpers", "benchmarks"}
    for path, source in sources.items():
        allowed = {*(ALL if "tests" in path.parts else learner), *optional}
        for module in set(imported(source)) - ours - sys.stdlib_module_names:
            package = canonicalize_name(PACKAGE_OF.get(module, module))
            assert package in allowed, f"{path} imports {module}, which no requirement names"


# ---------------------------------------------------------------------------------- notebooks


def text_of(output):
    """What a reader sees of an output as text (a picture's bytes spell anything)."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    return "\n".join(str(data[kind]) for kind in data if kind.startswith("text/"))


def faults(nb):
    """What is wrong with a lesson as it is stored; nothing, if it may ship."""
    found = []
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        found.append(f"invalid: {error.message}")
    code = [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]
    parameters = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    if len(parameters) != 1:
        found.append(f"{len(parameters)} cells are tagged 'parameters', not 1")
    elif "by_profile(" not in parameters[0].source:
        found.append("the parameters do not depend on the profile: by_profile is not used")
    if [c.get("execution_count") for c in code] != list(range(1, len(code) + 1)):
        found.append("not executed in order, from top to bottom, in a fresh kernel")
    outputs = [o for c in code for o in c.get("outputs", [])]
    if not any("image/png" in o.get("data", {}) for o in outputs):
        found.append("no picture among the stored outputs")
    if any(o.output_type == "error" for o in outputs):
        found.append("an error among the outputs")
    if any(o.get("name") == "stderr" for o in outputs):
        found.append("something on stderr among the outputs")
    texts = [text_of(o) for o in outputs] + [c.source for c in nb.cells]
    paths = [text[m.start() :][:40] for text in texts if (m := THIS_MACHINE.search(text))]
    if paths:
        found.append(f"paths of somebody's machine: {paths}")
    if extra := set(nb.metadata) - {"kernelspec", "language_info", "jupytext"}:
        found.append(f"metadata that differ from run to run: {extra}")
    return found


def test_there_is_a_first_lesson():
    assert [p.stem for p in LESSONS][:1] == ["01_gan_basics_mnist"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_ships_executed_and_clean(path):
    assert faults(nbformat.read(path, as_version=4)) == []


def good_lesson():
    first = v4.new_code_cell("EPOCHS = by_profile(smoke=1, quick=2, full=3)", execution_count=1)
    first.metadata["tags"] = ["parameters"]
    picture = v4.new_output("display_data", data={"image/png": "/tmp/aaa", "text/plain": "a"})
    second = v4.new_code_cell("plot()", execution_count=2, outputs=[picture])
    return v4.new_notebook(cells=[v4.new_markdown_cell("# A"), first, second])


def break_nothing(nb):
    pass


def break_validity(nb):
    nb.cells[2].outputs[0]["output_type"] = "nonsense"


def break_tag(nb):
    nb.cells[1].metadata["tags"] = []


def break_profile(nb):
    nb.cells[1].source = "EPOCHS = 3"


def break_order(nb):
    nb.cells[2].execution_count = 3


def break_execution(nb):
    nb.cells[2].execution_count = None


def break_pictures(nb):
    nb.cells[2].outputs = []


def break_with_error(nb):
    nb.cells[2].outputs.append(v4.new_output("error", ename="E", evalue="e", traceback=[]))


def break_with_stderr(nb):
    nb.cells[2].outputs.append(v4.new_output("stream", name="stderr", text="hm"))


def break_with_path(nb):
    nb.cells[2].outputs.append(v4.new_output("stream", text="saved in /home/me/x.keras"))


def break_with_path_in_prose(nb):
    nb.cells[0].source = "Open /work/main/README.md"


def break_metadata(nb):
    nb.metadata["widgets"] = {}


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (break_nothing, None),
        (break_validity, "invalid"),
        (break_tag, "tagged 'parameters'"),
        (break_profile, "by_profile"),
        (break_order, "in order"),
        (break_execution, "in order"),
        (break_pictures, "no picture"),
        (break_with_error, "an error"),
        (break_with_stderr, "stderr"),
        (break_with_path, "/home/me"),
        (break_with_path_in_prose, "/work/main"),
        (break_metadata, "metadata"),
    ],
)
def test_each_fault_of_a_lesson_is_found(break_it, fault):
    nb = deepcopy(good_lesson())
    break_it(nb)
    found = faults(nb)
    assert (fault is None and not found) or any(fault in f for f in found), found


# ------------------------------------------------------------------- documentation and targets


def documented_targets():
    lines = (ROOT / "Makefile").read_text().splitlines()
    return {m[1]: m[2] for line in lines if (m := re.match(r"([\w-]+):.*?## (.+)", line))}


def make(folder: pathlib.Path, *targets: str) -> str:
    """What `make` prints, without the variables of a `make test` that these tests run in."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *targets], cwd=folder, env=clean, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_lists_every_target():
    said = make(ROOT)
    for target, description in documented_targets().items():
        assert re.search(rf"^ *make {target} +{re.escape(description)}$", said, re.M), target


def test_every_target_is_described_or_internal():
    phony = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    assert set(phony) - documented_targets().keys() == {"in-env", "void"}
    assert {"help", "lab", "run", "test", "lint", "format", "bench"} <= set(phony)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_clean_keeps_the_grades_and_the_runs(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = ["build/grading/gradebook.db", "runs/a/scores.json", ".venv/bin/python"]
    gone = ["build/site/index.html", "build/summary.json", "helpers/__pycache__/a.pyc"]
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    make(tmp_path, "clean")
    assert [name for name in (*kept, *gone) if (tmp_path / name).exists()] == kept
    make(tmp_path, "clean")  # nothing there any more: no error


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("git"), reason="no make or git")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone")
def test_the_students_copy_has_everything_but_the_answers():
    make(ROOT, "handout")
    with zipfile.ZipFile(ROOT / "build" / "gan-notebooks.zip") as copy:
        names = {name.removeprefix("gan-notebooks/") for name in copy.namelist()}
        notebooks = [name for name in copy.namelist() if name.endswith(".ipynb")]
        assert not [name for name in notebooks if b"### BEGIN SOLUTION" in copy.read(name)]
    assert {"helpers/gans.py", "notebooks/01_gan_basics_mnist.ipynb", "Makefile"} <= names
    assert "data/mnist" in {name.rpartition("/")[0] for name in names}
    assert not [
        name for name in names if name.startswith(("assignments/source", "assignments/wrong"))
    ]


PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/colab.md", "docs/ec2.md"]


@pytest.mark.parametrize("page", [*PAGES, ".ci/run"])
def test_the_targets_that_the_pages_name_exist(page):
    named = set(re.findall(r"(?:`|^ *|\n *)make ([a-z][a-z-]*)", (ROOT / page).read_text()))
    assert named, "no target is named"
    assert named <= documented_targets().keys()


@pytest.mark.parametrize("page", [*PAGES, "data/README.md", "assignments/README.md", "LICENSE"])
def test_the_files_that_the_pages_link_exist(page):
    file = ROOT / page
    for target in re.findall(r"\]\(([^)#\s]+)", file.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (file.parent / target).exists(), f"{page} links {target}, which is not there"


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_each_lesson_is_in_the_table_of_the_readme(path):
    assert f"(notebooks/{path.name})" in (ROOT / "README.md").read_text()


def test_the_readme_has_no_open_place():
    assert re.findall(r"\{\{\w+\}\}", (ROOT / "README.md").read_text()) == []


def test_the_data_that_ship_are_documented_with_licence_and_checksum():
    page, licence = (ROOT / "data/README.md").read_text(), (ROOT / "LICENSE").read_text()
    known = re.findall(r"^\| `(\w+)/([\w.-]+)` \| ([\d,]+) \| `([0-9a-f]{64})`", page, re.M)
    assert {folder for folder, *_ in known} == {"mnist", "fashion_mnist"}
    for folder, name, size, checksum in known:
        content = (ROOT / "data" / folder / name).read_bytes()
        assert len(content) == int(size.replace(",", ""))
        assert hashlib.sha256(content).hexdigest() == checksum
        assert f"data/{folder}" in licence


def test_ci_runs_the_tests():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.splitlines()[-1] == "make test"
    assert "set -euo pipefail" in script
