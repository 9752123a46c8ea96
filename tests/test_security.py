"""What a reader of this repository trusts: no secrets, no code in data, no way out of a folder.

That downloads come over https and with checksums, test_sources.py and test_downloads.py check.
"""

import ast
import io
import pathlib
import re
import subprocess
import zipfile

import nbformat
import numpy as np
import pytest
from PIL import Image

from helpers import readers
from helpers.checks import DataError

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECRETS = {
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a token of GitHub": r"\bgh[opsu]_[0-9A-Za-z]{36}\b|\bgithub_pat_\w{22,}",
    "a token of Hugging Face": r"\bhf_[A-Za-z]{34}\b",
    "a token of Slack": r"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "Jupyter's token": r"[?&]token=[0-9a-f]{16,}",
    "a password in an address": r"https?://[^\s/:@\"'{}<>]+:[^\s/:@\"'{}<>]+@",
    "Kaggle's key": r"\"key\"\s*:\s*\"[0-9a-f]{32}\"",
}
RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
"""Modules whose files run code when they are read."""
DEMONSTRATION = "03_cgan_emnist"
"""The lesson that shows, on a harmless pickle of its own making, why none is used."""


def tracked():
    git = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git repository")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def secrets_in(text):
    return [f"{what}: {m[0][:8]}…" for what, p in SECRETS.items() for m in re.finditer(p, text)]


def test_no_secret_is_in_any_file():
    found = {}
    for file in tracked():
        content = file.read_bytes()
        if b"\0" not in content[:8000]:
            found[str(file.relative_to(ROOT))] = secrets_in(content.decode("utf-8", "replace"))
    found = {name: secrets for name, secrets in found.items() if secrets}
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "AIza" + "x" * 35,
        "ghp_" + "a" * 36,
        "hf_" + "a" * 34,
        "xoxb-" + "1" * 12,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "http://localhost:8888/lab?" + "token=0123456789abcdef0123",
        "https://me:" + "secret@example.org",
        '{"username": "me", "key"' + f': "{"0" * 32}"}}',
    ],
)
def test_each_kind_of_secret_is_found(text):
    assert len(secrets_in(f"see {text} here")) == 1


# ------------------------------------------------------------------------ nothing runs when read


def dangers(source):
    """Calls and imports by which a file that is read could run code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in RUNS_CODE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in RUNS_CODE:
            yield node.module
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if re.search(
                r"(^|\.)(extractall|unpack_archive|unsafe_load|enable_unsafe_\w+)$", called
            ):
                yield called
            if called in ("torch.load", "joblib.load"):
                yield called
            if called in ("yaml.load", "yaml.full_load") and not re.search(
                r"SafeLoader|\bLoader\b", ast.unparse(node)
            ):
                yield called
            for keyword in node.keywords:
                said = ast.unparse(keyword.value)
                if (keyword.arg, said) in (("allow_pickle", "True"), ("safe_mode", "False")):
                    yield f"{called}({keyword.arg}={said})"
                if keyword.arg == "verify" and said == "False":
                    yield f"{called}(verify=False)"


def code():
    """Each Python file and notebook with its code."""
    for file in tracked():
        if file.suffix == ".py" and "tests" not in file.parts:
            yield file, file.read_text(encoding="utf-8")
        elif file.suffix == ".ipynb":
            cells = nbformat.read(file, as_version=4).cells
            sources = [c.source for c in cells if c.cell_type == "code"]
            yield file, re.sub(r"^\s*[%!].*", "", "\n".join(sources), flags=re.MULTILINE)


def test_nothing_is_read_that_could_run_code():
    found = {file: sorted(set(dangers(source))) for file, source in code()}
    found = {file: dangerous for file, dangerous in found.items() if dangerous}
    assert found == {ROOT / "notebooks" / f"{DEMONSTRATION}.ipynb": ["pickle"]}


def test_the_demonstration_reads_only_what_it_has_just_written():
    (source,) = (source for file, source in code() if file.stem == DEMONSTRATION)
    calls = [ast.unparse(n) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    made, read = sorted(call for call in calls if call.startswith("pickle."))
    assert made.startswith("pickle.dumps(")
    assert re.fullmatch(r"pickle\.loads\(\w+\)", read)


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from dill import load", "np.load(f, allow_pickle=True)", "torch.load(f)",
     "keras.models.load_model(f, safe_mode=False)", "archive.extractall(folder)",
     "shutil.unpack_archive(f)", "yaml.load(f)", "requests.get(u, verify=False)",
     "keras.config.enable_unsafe_deserialization()"],
)  # fmt: skip
def test_each_danger_is_found(source):
    assert len(list(dangers(source))) == 1


@pytest.mark.parametrize("source", ["np.load(f)", "yaml.load(f, Loader)", "yaml.safe_load(f)"])
def test_what_is_safe_is_no_danger(source):
    assert not list(dangers(source))


# ------------------------------------------------------------------------- archives from elsewhere


def picture():
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/evil.png", "..\\evil.png", "C:\\evil.png",
             "C:/evil.png", "a/b/../../../evil.png"],
)  # fmt: skip
def test_an_entry_that_would_leave_the_folder_is_refused_and_nothing_written(tmp_path, name):
    place = tmp_path / "deep" / "set"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "set.zip", "w") as archive:
        archive.writestr("good.png", picture())
        archive.writestr(name, picture())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="would leave the folder"):
        readers.pictures_in(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_an_archive_leads_nowhere(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16  # a symbolic link, says Unix
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(link, str(tmp_path / "secret.png"))
        archive.writestr("good.png", picture())
    found = readers.pictures_in(tmp_path / "set.zip")
    content = [found.read(i) for i in range(len(found))]
    assert str(tmp_path / "secret.png").encode() in content  # the name of the file, as text
    assert b"secret" not in content


def test_the_tests_that_the_page_on_security_names_exist():
    named = re.findall(r"`(tests/[\w./]+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) >= 8
    assert [name for name in named if not (ROOT / name).exists()] == []
