"""A real browser and a real JupyterLab, both of this machine and for this machine alone."""

import shutil

import pytest
from in_browser import FAILED, Lab, assert_alone, shoot, watched

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # root, as CI is, has none
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        pytest.skip("Chromium is not installed: sudo apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request):
    """A page; at the end no error is in its console and it asked no other machine."""
    page = watched(chromium)
    yield page
    if request.node.stash.get(FAILED, False):
        shoot(page, f"failed-{request.node.name}")
    page.context.close()
    assert_alone(page)


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """JupyterLab, started on a free port, with a token."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        lab.wait()
        yield lab
    finally:
        lab.stop()
