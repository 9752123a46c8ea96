"""Bring a real data set from its public stores, or say exactly how to place it by hand.

The sources of a set (helpers/sources.py) are tried in order. A file is fetched under another
name, continued where it broke off, checked, and put into the set's folder only when it is whole.
"""

import contextlib
import importlib
import itertools
import json
import os
import pathlib
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from helpers.checks import DataError
from helpers.sources import SOURCES, TERMS, Source, Wanted, by_hand, page_says
from helpers.waiting import Progress, alone

TIMEOUT = (10.0, 30.0)  # seconds to connect, and to wait for the next bytes
BACK_OFF = 1.0  # seconds before the first retry, doubled for each that follows
PATIENCE = 3  # passing failures in a row, without a new byte, before a source is given up
CHUNK = 1 << 16  # bytes; what is lost of a chunk that breaks off is fetched again
# Some stores answer Python's own name with an error page, and some unpack .gz files on the way.
HEADERS = {"User-Agent": "Mozilla/5.0 (gan-notebooks)", "Accept-Encoding": "identity"}


class _SourceError(Exception):
    """Why a source failed, and how many such failures in a row are worth another try."""

    def __init__(self, why: str, patience: int = 0) -> None:
        super().__init__(why)
        self.patience = patience


def download(name: str, folder: str | os.PathLike[str]) -> None:
    """Bring a real data set into ``folder``, from the first source that gives it whole.

    What has arrived waits in ``<folder>.part`` beside the folder until every file is whole, so
    that an interrupted download continues there. A second process waits for the first.

    Args:
        name: one of ``SOURCES``.
        folder: where the files go; made if missing.

    Raises:
        DataError: no such set, no room on the disk, or every source failed; the text says
            why each one did, and how to place the files by hand.
    """
    if name not in SOURCES:
        raise DataError(f"There is no download of {name!r}. There is: {', '.join(SOURCES)}.")
    folder = pathlib.Path(folder).expanduser()
    staging = folder.with_name(f"{folder.name}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder.with_name(f"{folder.name}.lock"), f"fetching {name}"):
            if any(_is_there(source, folder) for source in SOURCES[name]):
                return
            staging.mkdir(exist_ok=True)
            try:
                _from_first_that_works(name, staging, folder)
                shutil.rmtree(staging, ignore_errors=True)
            finally:
                with contextlib.suppress(OSError):
                    staging.rmdir()  # if there is nothing in it to go on with
    except OSError as error:
        raise DataError(f"{name} cannot be stored in {folder}: {error}.") from error


def _from_first_that_works(name: str, staging: pathlib.Path, folder: pathlib.Path) -> None:
    print(f"Downloading {name}. {TERMS.get(name, '')}".rstrip())
    reasons = []
    for number, source in enumerate(SOURCES[name], 1):
        try:
            ready = _fetch(source, staging, folder)
        except _SourceError as fault:
            reasons.append(f"  {number}. {source.label}: {fault}.")
            print(reasons[-1], flush=True)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for path in ready:
            os.replace(path, folder / path.name)
        print(f"{name}: from {source.label}, in {folder}")
        return
    waits = any(staging.iterdir())
    kept = f"\nWhat has arrived waits in {staging}; the next download goes on from there."
    raise DataError(
        f"{name} could not be downloaded. Tried, in this order:\n" + "\n".join(reasons) + "\n"
        f"By hand: {by_hand(name, folder)}.{kept if waits else ''}"
    )


def _is_there(source: Source, folder: pathlib.Path) -> bool:
    whole = (not wanted.wrong(folder / wanted.name) for wanted, _ in source.files)
    return bool(source.files) and all(whole)


def _fetch(source: Source, staging: pathlib.Path, folder: pathlib.Path) -> list[pathlib.Path]:
    """Paths of all files of a source, each whole: in ``folder`` already, or in ``staging``."""
    if source.kaggle:
        return _from_kagglehub(source, staging / "kaggle", folder)
    ready = []
    for wanted, url in source.files:
        places = (folder / wanted.name, staging / wanted.name)
        file = next((place for place in places if not wanted.wrong(place)), None)
        if file is None:
            file = staging / wanted.name
            _fetch_file(url, file, wanted)
        ready.append(file)
    return ready


def _from_kagglehub(
    source: Source, target: pathlib.Path, folder: pathlib.Path
) -> list[pathlib.Path]:
    try:
        kagglehub = importlib.import_module("kagglehub")
    except ImportError as error:
        raise _SourceError("the package is not installed (pip install 'kagglehub>=1')") from error
    if not (target / ".complete").exists():  # kagglehub's own mark
        shutil.rmtree(target, ignore_errors=True)
    _check_room(target, source.room)
    try:
        kagglehub.dataset_download(source.kaggle, output_dir=str(target))
    except Exception as error:  # whatever it is, another source may work
        first_line = str(error).strip().partition("\n")[0][:200]
        raise _SourceError(f"{type(error).__name__}: {first_line}") from error
    found = [path for path in target.iterdir() if not path.name.startswith(".")]
    if taken := [path.name for path in found if (folder / path.name).is_dir()]:
        raise _SourceError(f"{folder} has a folder {', '.join(taken)} already; move it away first")
    return found


def _fetch_file(url: str, target: pathlib.Path, wanted: Wanted) -> None:
    """Fetch one file, with retries; ``target`` appears only when it is whole and checked."""
    # A part for each address: what one mirror gave is not glued to what another gives.
    part = target.with_name(f"{target.name}.{zlib.crc32(url.encode()):08x}.part")
    failures = furthest = 0
    while fault := _attempt(url, part, wanted):
        length = part.stat().st_size if part.exists() else 0
        failures = 1 if length > furthest else failures + 1
        furthest = max(furthest, length)
        if failures > fault.patience:
            raise fault
        time.sleep(BACK_OFF * 2 ** (failures - 1))
    os.replace(part, target)


def _attempt(url: str, part: pathlib.Path, wanted: Wanted) -> _SourceError | None:
    """Bring ``part`` to its full length and check it; what went wrong, if anything did."""
    try:
        resumed = _transfer(url, part, wanted)
    except _SourceError as fault:
        return fault
    if wrong := wanted.wrong(part):
        part.unlink()
        return _SourceError(f"it sent {wrong}", patience=PATIENCE if resumed else 0)
    return None


def _transfer(url: str, part: pathlib.Path, wanted: Wanted) -> bool:
    """Bring ``part`` to its full length; whether that continued an earlier attempt.

    Beside the part stands what the server said of the file (length, and ETag or date); a
    later attempt continues only a file of which it still says the same.
    """
    import requests

    card = part.with_suffix(".json")
    start, known = _known_part(part, card, wanted)
    if start and start == known["total"]:
        return True
    headers = HEADERS | ({"Range": f"bytes={start}-"} if start else {})
    headers |= {"If-Range": known["validator"]} if start and known["validator"] else {}
    with requests.Session() as session:
        try:
            response = _open(session, url, headers)
        except requests.exceptions.SSLError as error:
            raise _SourceError(f"its certificate is not trusted ({_short(error)})") from error
        except requests.exceptions.RequestException as error:
            raise _SourceError(f"no connection ({_short(error)})", patience=2) from error
        with response:
            told = _told(response, start)
            other = response.status_code == 206 and _changed(known, told)
            if other or response.status_code == 416:
                part.unlink(missing_ok=True)
                raise _SourceError("the file changed while it was being fetched", patience=PATIENCE)
            start = start if response.status_code == 206 else 0
            _check_room(part, (told["total"] or wanted.size) - start)
            card.write_text(json.dumps(known if start else told), encoding="utf-8")
            _append(response.iter_content(CHUNK), part, start, told["total"], wanted.name)
    return start > 0


def _known_part(
    part: pathlib.Path, card: pathlib.Path, wanted: Wanted
) -> tuple[int, dict[str, Any]]:
    """How much of the file is here, and what the server said of it; 0 if it must begin anew."""
    try:
        known, start = json.loads(card.read_text(encoding="utf-8")), part.stat().st_size
    except (OSError, ValueError):
        return 0, {}
    # Without a word on its version, only a checksum would notice that the file has changed.
    sure = known["validator"] or wanted.sha256
    return (start, known) if sure and start <= (known["total"] or start) else (0, {})


def _told(response: Any, start: int) -> dict[str, Any]:
    """What the server says of the whole file: its length (or None), and its version's mark."""
    length, etag = response.headers.get("Content-Length"), response.headers.get("ETag", "")
    total = int(length) if length and "Content-Encoding" not in response.headers else None
    if response.status_code == 206:
        given = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        total = int(given[2]) if given and int(given[1]) == start else -1
    strong = "" if etag.startswith("W/") else etag
    return {"total": total, "validator": strong or response.headers.get("Last-Modified", "")}


def _changed(known: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether the rest that is offered belongs to another file; it need not name its version."""
    same = told["validator"] in ("", known["validator"])
    return told["total"] != known["total"] or not same


def _open(session: Any, url: str, headers: dict[str, str]) -> Any:
    """The response whose body is the file; Google Drive's question on viruses is answered."""
    for answer in (True, False):
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
        if url.startswith("https:") and not response.url.startswith("https:"):
            response.close()
            raise _SourceError(f"it leads to an address without encryption ({response.url})")
        status = response.status_code
        is_page = "html" in response.headers.get("Content-Type", "")
        if status == 416 or (status < 400 and not is_page):
            return response
        first = itertools.islice(response.iter_content(1 << 16), 8)
        page = b"".join(first).decode("utf-8", "replace")
        response.close()
        if status >= 400:
            said = f": {page_says(page)}" if is_page else ""
            passing = status >= 500 or status in (408, 425, 429)
            raise _SourceError(
                f"HTTP {status} {response.reason}{said}", patience=PATIENCE if passing else 0
            )
        if not (answer and (url := _confirmed(page))):
            break
    raise _SourceError(f"it sent {page_says(page)}")


def _confirmed(page: str) -> str:
    """The address behind Google Drive's button "Download anyway"; empty if there is none."""
    form = re.search(r'<form[^>]*id="download-form"[^>]*action="([^"]+)"', page)
    fields = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    return f"{form[1]}?{urlencode(fields)}" if form else ""


def _append(
    blocks: Iterator[bytes], part: pathlib.Path, start: int, total: int | None, label: str
) -> None:
    import requests

    progress = Progress(label, total, start, unit="MB")
    broke_off = False
    with part.open("ab" if start else "wb") as file:
        try:
            for block in blocks:
                file.write(block)
                progress.show(file.tell())
        except requests.exceptions.RequestException:
            broke_off = True
        finally:
            progress.end()
        length = file.tell()
    if broke_off or (total is not None and length != total):
        whole = f" of {total:,}" if total else ""
        raise _SourceError(
            f"the connection broke off at {length:,}{whole} bytes", patience=PATIENCE
        )


def _check_room(part: pathlib.Path, need: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if need > free:
        raise DataError(
            f"There is no room for {part.parent}: {need / 1e6:,.0f} MB are still to come, and "
            f"{free / 1e6:,.0f} MB are free on that disk. Make room, or place the files in a "
            "folder on another disk and set GAN_DATA to the folder above it."
        )


def _short(error: BaseException) -> str:
    """The innermost cause, which is what a reader can act on."""
    while error.__context__:
        error = error.__context__
    return f"{type(error).__name__}: {error}"
