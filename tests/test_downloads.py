"""Downloads from a server of our own on this machine, with every way to fail provoked."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pathlib
import socket
import subprocess
import sys
import threading
import time
import types
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from helpers import downloads, layouts, sources
from helpers.checks import DataError
from helpers.sources import Source, Wanted

CONTENT = np.random.default_rng(0).bytes(300_000)
QUOTA = b"""<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head>
<body>Sorry, you can't view or download this file at this time. Too many users have viewed or
downloaded this file recently.</body></html>"""
LOG_IN = b"<html><head><title>Sign in - Accounts</title></head><form><input type=password></html>"
VIRUSES = b"<html><head><title>Google Drive - Virus scan warning</title></head></html>"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def packed(names, content=b"x"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def begins(headers):
    """At which byte the part of the file begins that was asked for."""
    return int((headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))


class Served:
    """What the server does with one address; ``cut`` ends the next answers so far in."""

    def __init__(self, content=b"", status=200, kind="application/octet-stream", etag='"1"'):
        self.content, self.status, self.kind, self.etag = content, status, kind, etag
        self.ranges = self.obeys_if_range = self.tells_length = True
        self.cut = []
        self.wait_for = None  # an Event
        self.asked = []  # the headers of each request
        self.path = ""  # the last one, with what follows the question mark

    def answer(self, to):
        self.asked.append(to.headers)
        self.path = to.path
        if self.wait_for:
            self.wait_for.wait(20)
        given, start, if_range = to.headers["Range"], 0, to.headers["If-Range"]
        if (
            self.ranges
            and given
            and not (self.obeys_if_range and if_range not in (None, self.etag))
        ):
            start = begins(to.headers)
        body = self.content[start:]
        to.send_response(206 if start else self.status)
        if start:
            last, total = len(self.content) - 1, len(self.content)
            to.send_header("Content-Range", f"bytes {start}-{last}/{total}")
        if self.etag:
            to.send_header("ETag", self.etag)
        to.send_header("Content-Type", self.kind)
        if self.tells_length:
            to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body[: self.cut.pop(0)] if self.cut else body)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.server.site[self.path.partition("?")[0]].answer(self)

    def log_message(self, *words):
        pass


@pytest.fixture
def site():
    """Addresses of a server on this machine and what is served there; ``site.url`` is before."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = Site()
    server.site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.site
    server.shutdown()
    server.server_close()
    thread.join()


class Site(dict):
    url = ""


@pytest.fixture
def waits(monkeypatch):
    """The seconds that would have been waited for, without waiting."""
    waited, real = [], time.sleep
    monkeypatch.setattr("time.sleep", lambda seconds: (waited.append(seconds), real(0.001)))
    return waited


@pytest.fixture
def offer(monkeypatch):
    """Replace the sources of CelebA: ``offer((wanted, url), ...)`` is a source for each pair."""

    def replace(*pairs):
        found = tuple(Source(f"source {i}", (pair,)) for i, pair in enumerate(pairs, 1))
        monkeypatch.setitem(sources.SOURCES, "celeba", found)

    return replace


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "celeba"


FILE = Wanted("file.bin", len(CONTENT), sha256(CONTENT))


def left(folder):
    """All files around the set's folder, but the lock."""
    found = (path for path in folder.parent.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder.parent).as_posix() for path in found)


# -------------------------------------------------------------------------------- going well


def test_a_file_arrives_byte_for_byte_and_nothing_else_is_left(site, offer, folder, capsys):
    site["/a"] = Served(CONTENT)
    offer((FILE, f"{site.url}/a"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert left(folder) == ["celeba/file.bin"]
    said = capsys.readouterr().out
    assert "non-commercial research" in said
    assert "celeba: from source 1" in said


def test_what_is_there_is_not_fetched_again(site, offer, folder):
    site["/a"] = Served(CONTENT)
    offer((FILE, f"{site.url}/a"))
    downloads.download("celeba", folder)
    downloads.download("celeba", folder)
    assert len(site["/a"].asked) == 1
    assert left(folder) == ["celeba/file.bin"]


def test_what_another_source_would_bring_is_enough(site, offer, folder):
    site["/a"] = Served(CONTENT)
    offer((Wanted("other.bin", 0, sha256(b"")), f"{site.url}/a"), (FILE, f"{site.url}/a"))
    folder.mkdir(parents=True)
    (folder / "file.bin").write_bytes(CONTENT)
    downloads.download("celeba", folder)
    assert not site["/a"].asked


def test_only_what_is_missing_or_damaged_is_fetched(site, monkeypatch, folder):
    contents = {name: gzip.compress(name.encode() * 99) for name in ("a.gz", "b.gz", "c.gz")}
    files = [Wanted(name, 0, sha256(gzip.decompress(c))) for name, c in contents.items()]
    for name, content in contents.items():
        site[f"/{name}"] = Served(content)
    pairs = tuple((file, f"{site.url}/{file.name}") for file in files)
    monkeypatch.setitem(sources.SOURCES, "mnist", (Source("here", pairs),))
    folder.mkdir(parents=True)
    own = gzip.compress(b"a.gz" * 99, 1)  # packed in another way, the same within
    (folder / "a.gz").write_bytes(own)
    (folder / "b.gz").write_bytes(contents["b.gz"][:-9])
    downloads.download("mnist", folder)
    assert [len(site[f"/{name}"].asked) for name in contents] == [0, 1, 1]
    assert (folder / "a.gz").read_bytes() == own
    assert (folder / "b.gz").read_bytes() == contents["b.gz"]


def test_google_drives_question_on_viruses_is_answered(site, offer, folder):
    page = (
        f'<html><title>Google Drive - Virus scan warning</title><form id="download-form" '
        f'action="{site.url}/really" method="get"><input type="submit" value="Download anyway"/>'
        '<input type="hidden" name="id" value="ID"><input type="hidden" name="uuid" '
        'value="1-2"></form></html>'
    )
    site["/uc"] = Served(page.encode(), kind="text/html; charset=utf-8")
    site["/really"] = Served(CONTENT)
    offer((FILE, f"{site.url}/uc?id=ID"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert site["/really"].path == "/really?id=ID&uuid=1-2"


def test_the_loader_reads_what_is_left_of_mnist(site, monkeypatch, folder, root):
    files = [wanted for wanted, _ in sources.SOURCES["mnist"][0].files]
    for wanted in files:
        site[f"/{wanted.name}"] = Served((root / "data" / "mnist" / wanted.name).read_bytes())
    pairs = tuple((wanted, f"{site.url}/{wanted.name}") for wanted in files)
    monkeypatch.setitem(sources.SOURCES, "mnist", (Source("here", pairs),))
    downloads.download("mnist", folder)
    found = layouts.load_mnist(folder)
    assert (len(found.pictures), found.n_train) == (70_000, 60_000)


def test_the_loader_reads_kaggles_zip_of_celeba_as_it_is(site, offer, folder):
    faces = [f"img_align_celeba/img_align_celeba/00000{i}.jpg" for i in (1, 2)]
    table = b"image_id,Bald,Smiling\n000001.jpg,-1,1\n000002.jpg,1,-1\n"
    site["/a"] = Served(packed([*faces, "list_attr_celeba.csv", "list_bbox_celeba.csv"], table))
    wanted = sources.SOURCES["celeba"][1].files[0][0]
    offer((replace(wanted, pictures=2), f"{site.url}/a"))
    downloads.download("celeba", folder)
    found = layouts.load_celeba(folder)
    assert len(found.pictures) == 2
    assert found.attributes["Smiling"].tolist() == [1, 0]


# ---------------------------------------------------------------------------------- continuing


def test_a_dropped_connection_is_continued(site, offer, folder, waits):
    site["/a"] = Served(CONTENT)
    site["/a"].cut = [100_000, 100_000]
    offer((FILE, f"{site.url}/a"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    asked = site["/a"].asked
    assert [headers["If-Range"] for headers in asked] == [None, '"1"', '"1"']
    first, second, third = (begins(headers) for headers in asked)
    assert first == 0 < 100_000 - downloads.CHUNK < second <= 100_000 < third <= second + 100_000
    assert waits == [1, 1]  # each attempt got further, so the patience begins anew


def test_a_server_that_cannot_continue_begins_anew(site, offer, folder, waits):
    site["/a"] = Served(CONTENT)
    site["/a"].ranges = False
    site["/a"].cut = [100_000]
    offer((FILE, f"{site.url}/a"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert len(site["/a"].asked) == 2


def test_a_server_that_gets_no_further_is_given_up(site, offer, folder, waits):
    site["/a"] = Served(CONTENT)
    site["/a"].ranges = False
    site["/a"].cut = [200_000, 100_000] * 9
    offer((FILE, f"{site.url}/a"))
    with pytest.raises(DataError, match="broke off"):
        downloads.download("celeba", folder)
    assert waits == [1, 2, 4]


def test_interrupted_at_the_very_end_nothing_is_fetched_again(site, offer, folder, monkeypatch):
    site["/a"] = Served(CONTENT)
    offer((FILE, f"{site.url}/a"))
    with monkeypatch.context() as patch:
        patch.setattr(Wanted, "wrong", lambda *_: interrupt() if site["/a"].asked else "nothing")
        with pytest.raises(KeyboardInterrupt):
            downloads.download("celeba", folder)
    assert not folder.exists()
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert len(site["/a"].asked) == 1


def interrupt():
    raise KeyboardInterrupt


class Changing(Served):
    """Another file of the same length stands there from the second request on."""

    def answer(self, to):
        if self.asked:
            self.content, self.etag = CONTENT, self.etag and '"2"'
        super().answer(to)


@pytest.mark.parametrize("obeys_if_range", [True, False])
@pytest.mark.parametrize("etag", ['"1"', ""])
@pytest.mark.parametrize("checksum", [sha256(CONTENT), ""])
def test_a_file_that_changed_is_not_glued_together(
    site, offer, folder, waits, obeys_if_range, etag, checksum
):
    site["/a"] = Changing(bytes(len(CONTENT)), etag=etag)
    site["/a"].cut = [100_000]
    site["/a"].obeys_if_range = obeys_if_range
    offer((Wanted("file.bin", 0, checksum), f"{site.url}/a"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_now_begins_anew(site, offer, folder, waits):
    class Shrinking(Served):
        def answer(self, to):
            if self.asked:
                self.content, self.status = CONTENT[:1000], 200
                if to.headers["Range"]:
                    self.asked.append(to.headers)
                    to.send_error(416)
                    return
            super().answer(to)

    site["/a"] = Shrinking(bytes(300_000))
    site["/a"].cut = [100_000]
    offer((Wanted("file.bin", 0, sha256(CONTENT[:1000])), f"{site.url}/a"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT[:1000]


def test_a_later_call_continues(site, offer, folder, waits):
    site["/a"] = Served(CONTENT)
    site["/a"].cut = [100_000] + 5 * [0]
    offer((FILE, f"{site.url}/a"))
    with pytest.raises(DataError, match=r"broke off at [\d,]+ of 300,000 bytes") as error:
        downloads.download("celeba", folder)
    assert f"waits in {folder}.part" in str(error.value)
    assert not folder.exists()
    site["/a"].cut.clear()
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert begins(site["/a"].asked[-1]) > 0
    assert left(folder) == ["celeba/file.bin"]


def test_the_part_of_one_mirror_is_not_continued_from_another(site, offer, folder, waits):
    site["/a"], site["/b"] = Served(bytes(300_000)), Served(CONTENT)
    site["/a"].cut = [100_000] + 5 * [0]
    unsure = Wanted("file.bin", 0)
    offer((unsure, f"{site.url}/a"), (unsure, f"{site.url}/b"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert [headers["Range"] for headers in site["/b"].asked] == [None]


IN_ANOTHER_PROCESS = """
import sys
from helpers import downloads, layouts, sources
url, folder, checksum = sys.argv[1:]
wanted = sources.Wanted("file.bin", 0, checksum)
sources.SOURCES["celeba"] = (sources.Source("there", ((wanted, url),)),)
downloads.download("celeba", folder)
"""


def start(url, folder, root):
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, url, str(folder), sha256(CONTENT)]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=root, **pipe)


def until(condition):
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited for a minute")


def test_killed_half_way_nothing_looks_whole_and_the_rest_is_fetched(site, offer, folder, root):
    class Stalling(Served):
        def answer(self, to):
            if self.asked:
                return super().answer(to)
            self.asked.append(to.headers)
            to.send_response(200)
            to.send_header("ETag", self.etag)
            to.send_header("Content-Length", str(len(big)))
            to.end_headers()
            to.wfile.write(big[:2_500_000])
            to.wfile.flush()
            self.wait_for.wait(60)
            return None

    big = CONTENT * 20
    site["/a"] = Stalling(big)
    site["/a"].wait_for = threading.Event()
    process = start(f"{site.url}/a", folder, root)
    staging = folder.with_name("celeba.part")
    until(lambda: any(part.stat().st_size >= 2_000_000 for part in staging.glob("*.part")))
    process.kill()
    process.communicate()
    site["/a"].wait_for.set()
    assert not folder.exists()
    offer((Wanted("file.bin", 0, sha256(big)), f"{site.url}/a"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == big
    assert begins(site["/a"].asked[1]) >= 2_000_000


def test_a_second_process_waits_for_the_first(site, folder, root):
    site["/a"] = Served(CONTENT)
    site["/a"].wait_for = threading.Event()
    first = start(f"{site.url}/a", folder, root)
    until(lambda: site["/a"].asked)
    second = start(f"{site.url}/a", folder, root)
    assert "Another process is fetching celeba" in second.stdout.readline()
    site["/a"].wait_for.set()
    assert first.communicate(timeout=60)[0].count("from there") == 1
    assert "from there" not in second.communicate(timeout=60)[0]
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert len(site["/a"].asked) == 1


# ----------------------------------------------------------------------------------- going wrong

ZIP = packed([f"{i}.jpg" for i in range(9)])
FACES = Wanted("faces.zip", 0, pictures=9)
PAGE = "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("wanted", "served", "words", "requests"),
    [
        (FILE, Served(b"no", 404), "HTTP 404", 1),
        (FILE, Served(b"no", 403), "HTTP 403", 1),
        (FILE, Served(QUOTA, 403, PAGE), "HTTP 403 Forbidden: .*quota is used up", 1),
        (FILE, Served(b"no", 500), "HTTP 500", 4),
        (FILE, Served(b"no", 429), "HTTP 429", 4),
        (FACES, Served(QUOTA, 200, PAGE), "download quota is used up.*24 hours", 1),
        (FACES, Served(QUOTA), "download quota is used up.*Quota exceeded", 1),
        (FACES, Served(LOG_IN, 200, PAGE), r"log-in page.*Sign in - Accounts", 1),
        (FACES, Served(VIRUSES, 200, PAGE), "asks to confirm", 1),
        (FACES, Served(b"<html><title>Welcome to Wi-Fi</title>", 200, PAGE), "Welcome to Wi-Fi", 1),
        (FACES, Served(ZIP[:-30]), "damaged file", 1),
        (FACES, Served(packed(["1.jpg", "2.png", "3.txt"])), "2 pictures .expected 9", 1),
        (FACES, Served(b"\x1f\x8b rest"), "no .zip file", 1),
        (Wanted("a.gz", 0, sha256(b"a")), Served(gzip.compress(b"b")), "wrong checksum", 1),
        (Wanted("a.gz", 0, sha256(b"a")), Served(gzip.compress(b"a")[:-3]), "damaged file", 1),
        (FILE, Served(CONTENT[::-1]), f"wrong checksum.*expected {FILE.sha256[:12]}", 1),
        (Wanted("faces.zip", 0, pictures=9, holds=("a.csv",)), Served(ZIP), "without a.csv", 1),
    ],
)  # fmt: skip
def test_a_failure_is_named_and_leaves_nothing_that_looks_whole(
    site, offer, folder, waits, wanted, served, words, requests
):
    served.asked = []
    site["/a"] = served
    offer((wanted, f"{site.url}/a"))
    with pytest.raises(DataError, match=words):
        downloads.download("celeba", folder)
    assert len(served.asked) == requests
    assert waits == [1, 2, 4][: requests - 1]
    assert not folder.exists()
    assert not [name for name in left(folder) if name.endswith((wanted.name, ".part"))]


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_without_a_network_it_gives_up_soon_and_says_so(offer, folder, waits):
    offer((FILE, f"http://127.0.0.1:{closed_port()}/a"))
    with pytest.raises(DataError, match=r"no connection \(ConnectionRefusedError: .*refused"):
        downloads.download("celeba", folder)
    assert waits == [1, 2]


def test_a_broken_answer_of_unknown_length_is_noticed(site, offer, folder, waits):
    site["/a"] = Served(ZIP)
    site["/a"].tells_length = False
    site["/a"].cut = [len(ZIP) - 30]
    offer((FACES, f"{site.url}/a"))
    with pytest.raises(DataError, match="damaged file"):
        downloads.download("celeba", folder)


def test_the_next_source_is_tried_and_the_first_ones_failure_told(site, offer, folder, capsys):
    site["/a"], site["/b"] = Served(QUOTA, 200, PAGE), Served(CONTENT)
    offer((FILE, f"{site.url}/a"), (FILE, f"{site.url}/b"))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT
    said = capsys.readouterr().out
    assert "1. source 1: it sent a page that says the download quota is used up" in said
    assert "celeba: from source 2" in said


def test_when_all_fail_the_error_tells_each_reason_and_what_to_do_by_hand(site, offer, folder):
    site["/a"], site["/b"] = Served(b"", 404), Served(LOG_IN, 200, PAGE)
    offer((FILE, f"{site.url}/a"), (FILE, f"{site.url}/b"))
    with pytest.raises(DataError) as error:
        downloads.download("celeba", folder)
    text = str(error.value)
    assert text.index("1. source 1: HTTP 404") < text.index("2. source 2: it sent a log-in page")
    assert sources.by_hand("celeba", folder) in text
    assert "img_align_celeba.zip" in text
    assert str(folder) in text
    assert "What has arrived" not in text


def test_too_little_room_is_said_before_anything_is_written(site, offer, folder, monkeypatch):
    site["/a"], site["/b"] = Served(CONTENT), Served(CONTENT)
    offer((FILE, f"{site.url}/a"), (FILE, f"{site.url}/b"))
    little = types.SimpleNamespace(free=len(CONTENT) - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: little)
    with pytest.raises(DataError, match=r"no room.*GAN_DATA"):
        downloads.download("celeba", folder)
    assert left(folder) == []
    assert not folder.with_name("celeba.part").exists()
    assert not site["/b"].asked
    little.free += 1
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT


def test_the_room_that_the_rest_needs_is_what_counts(site, offer, folder, monkeypatch, waits):
    site["/a"] = Served(CONTENT)
    site["/a"].cut = [200_000] + 5 * [0]
    offer((FILE, f"{site.url}/a"))
    with pytest.raises(DataError, match="broke off"):
        downloads.download("celeba", folder)
    site["/a"].cut.clear()
    monkeypatch.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=200_000))
    downloads.download("celeba", folder)
    assert (folder / "file.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_made_is_named(offer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"celeba cannot be stored in .*file.celeba"):
        downloads.download("celeba", tmp_path / "file" / "celeba")


def test_a_set_without_a_download_is_named_with_those_that_have_one(tmp_path):
    with pytest.raises(DataError, match=r"'cifar'.*mnist, fashion_mnist, emnist, celeba, anime"):
        downloads.download("cifar", tmp_path)


# ------------------------------------------------------------------------------------- kagglehub


@pytest.fixture
def kaggle(monkeypatch):
    """Offer CelebA through kagglehub alone, with this function as its ``dataset_download``."""
    through = Source("kagglehub", kaggle="owner/faces", room=1)
    monkeypatch.setitem(sources.SOURCES, "celeba", (through,))

    def replace(function):
        fake = function and types.SimpleNamespace(dataset_download=function)
        monkeypatch.setitem(sys.modules, "kagglehub", fake)

    return replace


def unpack(handle, output_dir):
    """What kagglehub 1.0 leaves in a folder for a set of Kaggle's."""
    assert handle == "owner/faces"
    target = pathlib.Path(output_dir)
    (target / "img" / "img").mkdir(parents=True)
    (target / "img" / "img" / "1.jpg").write_bytes(b"1")
    (target / "attributes.csv").write_bytes(b"2")
    (target / ".complete").mkdir()
    (target / ".complete" / "bundle.complete").touch()
    return output_dir


def test_what_kagglehub_brings_is_moved_to_the_folder(kaggle, folder):
    kaggle(unpack)
    old = folder.with_name("celeba.part") / "kaggle" / "img" / "1"  # killed last time
    old.parent.mkdir(parents=True)
    old.touch()
    downloads.download("celeba", folder)
    assert left(folder) == ["celeba/attributes.csv", "celeba/img/img/1.jpg"]


def test_without_kagglehub_the_source_says_how_to_get_it(kaggle, folder):
    kaggle(None)
    with pytest.raises(DataError, match="pip install 'kagglehub>=1'"):
        downloads.download("celeba", folder)


def test_a_failure_of_kagglehub_is_passed_on_in_one_line(kaggle, folder):
    def refuse(handle, output_dir):
        raise PermissionError("403: log in first\nwith many\nmore lines")

    kaggle(refuse)
    with pytest.raises(DataError, match=r"PermissionError: 403: log in first\.\n"):
        downloads.download("celeba", folder)


def test_kagglehub_does_not_overwrite_a_folder_of_pictures(kaggle, folder):
    kaggle(unpack)
    (folder / "img").mkdir(parents=True)
    (folder / "img" / "mine.jpg").write_bytes(b"3")
    with pytest.raises(DataError, match="has a folder img already; move it away"):
        downloads.download("celeba", folder)
    assert (folder / "img" / "mine.jpg").read_bytes() == b"3"


def test_room_is_checked_before_kagglehub_is_called(kaggle, folder, monkeypatch):
    kaggle(unpack)
    monkeypatch.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=0))
    with pytest.raises(DataError, match="no room"):
        downloads.download("celeba", folder)


def test_a_source_that_leads_out_of_https_is_given_up(offer, folder, monkeypatch):
    requests = pytest.importorskip("requests")
    closed = []
    answer = types.SimpleNamespace(
        url="http://elsewhere.org/a", status_code=200, headers={}, close=lambda: closed.append(1)
    )
    monkeypatch.setattr(requests.Session, "get", lambda self, url, **options: answer)
    offer((FILE, "https://example.org/a"))
    with pytest.raises(DataError, match=r"without encryption \(http://elsewhere.org/a\)"):
        downloads.download("celeba", folder)
    assert closed
    assert not folder.exists()
