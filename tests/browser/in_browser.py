"""What the tests in a browser share: waiting for a picture to change, and a JupyterLab."""

import hashlib
import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FAILED = pytest.StashKey()
SHOTS = ROOT / "build" / "browser"
SECONDS = 120  # that anything may take; a neighbour may hold both cores
LESSON_SECONDS = 400
PIXELS = """image => {
    if (image.complete === false) return null;
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth ?? image.width;
    canvas.height = image.naturalHeight ?? image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL();
}"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def digest(picture):
    """The hash of the pixels of an <img> or <canvas> as it is shown."""
    pixels = until(lambda: picture.evaluate(PIXELS), "the picture is loaded")
    return hashlib.sha256(pixels.encode()).hexdigest()


def until(true, what, seconds=SECONDS, pause=0.01):
    """Wait until ``true()`` is; fail with ``what`` did not happen."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(pause)
    return found


def changes(picture, act, what):
    """Do something, wait until a picture shows something else; the seconds that it took."""
    before = digest(picture)
    began = time.monotonic()
    act()
    until(lambda: digest(picture) != before, f"the picture changes after {what}")
    return time.monotonic() - began


def watched(chromium):
    """A page that notes what it asks for and what goes wrong in it; see :func:`assert_alone`."""
    page = chromium.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(1000 * SECONDS)
    page.asked, page.errors = [], []

    def heard(message):
        if message.type == "error":
            page.errors.append(f"{message.text} {message.location}")

    page.context.on("request", lambda request: page.asked.append(request.url))
    page.on("websocket", lambda socket: page.asked.append(socket.url))
    page.on("console", heard)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    return page


def assert_alone(page):
    """A page had no error in its console and asked no other machine for anything."""
    assert page.asked, "nothing was watched"
    assert [url for url in page.asked if leaves(url)] == []
    assert page.errors == []


def leaves(url):
    """Whether a request goes to another machine."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1"


def shoot(page, name):
    """A screenshot for a person to look at, in build/browser."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def note_times(name, seconds):
    """Leave the milliseconds from a key to the picture in build/browser, and print the median."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    times = sorted(round(1000 * s) for s in seconds)
    (SHOTS / f"{name}.json").write_text(json.dumps({"milliseconds": times}))
    print(f"{name}: {times[len(times) // 2]} ms from the key to the picture (median; {times})")


class Lab:
    """A JupyterLab on a copy of the lessons, with a configuration of its own."""

    def __init__(self, folder):
        self.folder, self.token, self.port = folder, secrets.token_hex(16), free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        for name in ("helpers", "data"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "notebooks").mkdir()
        self.log = (folder / "log.txt").open("w")
        self.process = subprocess.Popen(
            self.command(), env=self.environment(), stdout=self.log, stderr=self.log
        )

    def command(self):
        options = ["--no-browser", "--ip=127.0.0.1", f"--port={self.port}"]
        options += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.folder}"]
        options += ["--LabApp.expose_app_in_browser=True"]
        if hasattr(os, "getuid") and os.getuid() == 0:
            options.append("--allow-root")
        return [sys.executable, "-m", "jupyterlab", *options]

    def environment(self):
        config = self.folder / "config"
        (config / "labconfig").mkdir(parents=True)
        no_news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (config / "labconfig" / "page_config.json").write_text(json.dumps(no_news))
        clean = {k: v for k, v in os.environ.items() if k not in ("GAN_HEADLESS", "MPLBACKEND")}
        own = {
            f"JUPYTER_{what}_DIR": str(self.folder / what.lower()) for what in ("DATA", "RUNTIME")
        }
        return clean | own | {
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "JUPYTER_TOKEN": self.token,
            "IPYTHONDIR": str(self.folder / "ipython"),
            "GAN_PROFILE": "smoke",
            "GAN_RUNS": str(self.folder / "runs"),
        }  # fmt: skip

    def wait(self):
        def answers():
            assert self.process.poll() is None, (self.folder / "log.txt").read_text()[-3000:]
            try:
                asked = urllib.request.Request(
                    f"{self.address}/api/status", headers={"Authorization": f"token {self.token}"}
                )
                return urllib.request.urlopen(asked, timeout=5).status == 200
            except OSError:
                return False

        until(answers, "JupyterLab answers", LESSON_SECONDS)

    def write(self, name, notebook):
        """Put a notebook where the lessons lie, without outputs."""
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, self.folder / "notebooks" / name)

    def open(self, page, name):
        """Open a notebook as a reader does, alone, and wait until its kernel is there."""
        workspace = f"lab/workspaces/{pathlib.Path(name).stem}"  # nothing else is open in it
        page.goto(f"{self.address}/{workspace}/tree/notebooks/{name}?token={self.token}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(
            "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )
        return Notebook(page)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


class Notebook:
    """A notebook that is open in a page."""

    STATE = """() => {
        const cells = jupyterapp.shell.currentWidget.content.widgets
            .map(cell => cell.model)
            .filter(model => model.type === "code" && model.sharedModel.source.trim());
        const outputs = cells.flatMap(
            ({ outputs }) => Array.from({ length: outputs.length }, (_, i) => outputs.get(i)));
        return {
            left: cells.filter(model => !model.executionCount).length,
            errors: outputs.filter(o => o.type === "error").map(o => o.toJSON().evalue),
        };
    }"""
    SHOW = """text => {
        const notebook = jupyterapp.shell.currentWidget.content;
        const index = notebook.widgets.findIndex(
            cell => cell.model.type === "code" && cell.model.sharedModel.source.includes(text));
        notebook.activeCellIndex = index;
        return notebook.scrollToItem(index, "start");
    }"""

    def __init__(self, page):
        self.page = page

    def run_all(self):
        """Run All Cells from the menu."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
        self.page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()

    def wait(self):
        """Wait until all cells have run; none ends with an error."""
        state = until(self.done, "all cells have run", LESSON_SECONDS, pause=0.5)
        assert state == {"left": 0, "errors": []}

    def done(self):
        state = self.page.evaluate(self.STATE)
        return state if state["errors"] or not state["left"] else None

    def show(self, source):
        """Scroll to the code cell with this in its source."""
        self.page.evaluate(self.SHOW, source)
