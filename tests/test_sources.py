"""The table of sources agrees with the files that ship, and knows a whole file from a bad one."""

import gzip
import hashlib
import io
import re
import zipfile
from urllib.parse import urlsplit

import pytest

from helpers import sources
from helpers.sources import Wanted

EACH_FILE = [
    pytest.param(wanted, url, id=f"{name}-{source.label}-{wanted.name}")
    for name, found in sources.SOURCES.items()
    for source in found
    for wanted, url in source.files
]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_checksums_are_those_of_the_files_that_ship(root, name):
    folder = root / "data" / name
    known = {w.name: w for source in sources.SOURCES[name] for w, _ in source.files}
    ship = sorted(folder.glob("*.gz"))
    assert ship
    assert [known[file.name].wrong(file) for file in ship] == [""] * len(ship)


@pytest.mark.parametrize("name", sources.SOURCES)
def test_each_set_has_several_sources_and_a_way_by_hand(name, tmp_path):
    assert len({source.label for source in sources.SOURCES[name]}) >= 3
    said = sources.by_hand(name, tmp_path / name)
    assert str(tmp_path / name) in said
    first = sources.SOURCES[name][0]
    assert first.files[-1][0].name in said or name == "anime"  # its zip may have any name


@pytest.mark.parametrize(("wanted", "url"), EACH_FILE)
def test_each_file_is_fetched_safely_and_checked(wanted, url):
    assert re.fullmatch(r"[0-9a-f]{64}", wanted.sha256) or wanted.pictures
    assert urlsplit(url).scheme == "https"
    assert wanted.size > 1000


@pytest.mark.parametrize("name", ["celeba", "anime"])
def test_what_must_not_be_passed_on_says_so(name):
    assert re.search(r"non-commercial|educational", sources.TERMS[name])
    assert "pass" in sources.TERMS[name]
    assert "https://" in sources.TERMS[name]


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


TEXT = b"two words\n"
SHA = hashlib.sha256(TEXT).hexdigest()
PICTURES = Wanted("a.zip", 0, pictures=2, holds=("table.csv",))


@pytest.mark.parametrize(
    ("wanted", "content", "wrong"),
    [
        (Wanted("a.txt", 0, SHA), TEXT, "^$"),
        (Wanted("a.txt", 0, SHA), TEXT + b".", "wrong checksum"),
        (Wanted("a.txt", 0, SHA), b"", "wrong checksum"),
        (Wanted("a.gz", 0, SHA), gzip.compress(TEXT, mtime=0), "^$"),
        (Wanted("a.gz", 0, SHA), gzip.compress(TEXT, 1, mtime=0), "^$"),
        (Wanted("a.gz", 0, SHA), gzip.compress(TEXT, mtime=0)[:-1], "damaged"),
        (Wanted("a.gz", 0, SHA), TEXT, r"no \.gz file"),
        (PICTURES, zipped("1.jpg", "b/2.PNG", "b/table.csv"), "^$"),
        (PICTURES, zipped("1.jpg", "b/table.csv"), r"1 pictures \(expected 2"),
        (PICTURES, zipped("1.jpg", "2.jpg"), r"without table\.csv"),
        (PICTURES, zipped("1.jpg", "2.jpg", "table.csv")[:-5], "damaged"),
        (PICTURES, b"\n <!DOCTYPE html><title>A &amp; B</title>", 'web page.*"A & B"'),
    ],
)  # fmt: skip
def test_a_whole_file_is_known_from_a_bad_one(tmp_path, wanted, content, wrong):
    (tmp_path / "file").write_bytes(content)
    assert re.search(wrong, wanted.wrong(tmp_path / "file"))


def test_a_file_that_is_not_there_is_not_whole(tmp_path):
    assert Wanted("a.zip", 0).wrong(tmp_path / "file")


@pytest.mark.parametrize(
    ("page", "meaning"),
    [
        ("<title>Google Drive - Quota exceeded</title>", "quota is used up"),
        ("Too many users have viewed or downloaded this file recently.", "quota is used up"),
        ("<title>Google Drive - Virus scan warning</title>", "asks to confirm"),
        ('<a href="https://accounts.google.com/ServiceLogin">', "log-in page"),
        ("<title>Login | Kaggle</title>", "log-in page"),
        ("<title>Sign in - Google Accounts</title>", "log-in page"),
        ('<input type="password">', "log-in page"),
        ("<title>\n Hotel &amp; Bar </title>", 'web page instead of the file ."Hotel & Bar".$'),
        ("<p>Hello</p>", "web page instead of the file$"),
    ],
)
def test_a_page_in_the_files_place_is_named(page, meaning):
    assert re.search(meaning, sources.page_says(f"<html>{page}</html>"))
