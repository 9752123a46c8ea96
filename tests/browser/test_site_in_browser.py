"""The website: it builds, and in a browser it is alone, complete and readable.

It is built anew, with the Python of the site's environment, which ``make site`` makes.
"""

import functools
import http.server
import os
import pathlib
import subprocess
import threading

import build_site
import nbformat
import pytest
from in_browser import ROOT, SHOTS, assert_alone, watched

PYTHON = ROOT / os.environ.get("SITE", ".venv-site") / "bin" / "python"
CONTRAST, CUT_OFF = (pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")
                     for name in ("contrast.js", "cut_off.js"))  # fmt: skip
AT_ONCE = "* { transition: none !important; animation: none !important }"
LESSON, LONG_FORMULA = "notebooks/01_gan_basics_mnist.html", "notebooks/08_diagnosing_gans.html"
PAGES = ("index.html", LESSON, LONG_FORMULA, "glossary.html", "troubleshooting.html",
         "reading.html", "api/gans.html", "search.html?q=gradient+penalty")  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    if not PYTHON.exists():
        pytest.skip("the site's environment is not there: make site makes it")
    out = tmp_path_factory.mktemp("site") / "site"
    command = [PYTHON, ROOT / "tools" / "build_site.py", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_the_site_builds_with_every_lesson_and_is_sound(site):
    assert list(build_site.faults(site)) == []
    for path, notebook in build_site.lessons().items():
        page = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert build_site.title(notebook) in page
        download = nbformat.read(site / "_sources" / "notebooks" / path.name, as_version=4)
        assert [c.source for c in download.cells] == [c.source for c in notebook.cells]
        assert not any(c.get("outputs") for c in download.cells)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 390], ids=["wide", "narrow"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pages_are_alone_readable_and_as_wide_as_the_screen(chromium, address, width, mode):
    page = watched(chromium)
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(color_scheme=mode)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        page.goto(f"{address}/{name}")
        page.add_style_tag(content=AT_ONCE)
        if name.startswith("search"):
            page.wait_for_selector("#search-results li a")
            assert page.locator("#search-results li", has_text="Wasserstein").count()
        if name == LESSON:
            page.wait_for_selector("mjx-container svg, mjx-container mjx-math")
            alts = page.locator(".cell_output img").evaluate_all("all => all.map(i => i.alt)")
            assert len(alts) >= 20
            assert all(len(alt) > 30 for alt in alts)
            heads = page.locator("table.dataframe thead")
            assert heads.count()
            assert all(head.is_visible() for head in heads.all()), "numbers without names"
        assert page.evaluate("document.documentElement.dataset.theme") == mode
        assert page.evaluate(CONTRAST) == [], name
        assert page.evaluate(CUT_OFF) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        stem = name.split("?")[0].removesuffix(".html").replace("/", "-")
        page.screenshot(path=SHOTS / f"site-{stem}-{width}-{mode}.png")
    page.context.close()
    assert_alone(page)


@pytest.mark.browser
def test_a_lesson_can_be_read_with_keys_alone(chromium, address):
    page = watched(chromium)
    page.goto(f"{address}/{LESSON}")
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    assert focused.inner_text() == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused.evaluate("e => Boolean(e.closest('main'))")
    outline = focused.evaluate(
        "e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).boxShadow]"
    )
    assert outline != ["none", "none"], "nobody sees where he is"

    solution = page.locator("details").first
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    assert solution.evaluate("e => e.open")

    page.keyboard.press("Control+k")
    page.keyboard.type("gradient penalty")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    assert "q=gradient+penalty" in page.url
    page.context.close()
    assert_alone(page)
