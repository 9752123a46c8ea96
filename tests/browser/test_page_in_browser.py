"""The playground page in a real browser: what can be moved moves the picture, and nothing else."""

import json
import shutil
import threading

import numpy as np
import playground_page as tool
import pytest
from in_browser import ROOT, changes, digest, note_times, shoot
from PIL import Image

from helpers import directions, export, latent, named_directions, pretrained, runs

pytestmark = pytest.mark.browser

NAMES = ("First", "Second_of_all", "Third")


@pytest.fixture(scope="module")
def generator():
    """The faces that ship."""
    return pretrained.load("faces")


@pytest.fixture(scope="module")
def site(tmp_path_factory, generator):
    """The page as ``make playground`` makes it, served."""
    for package in export.ONNX_PACKAGES.split():
        pytest.importorskip(package, reason=f"pip install {export.ONNX_PACKAGES}")
    folder = tmp_path_factory.mktemp("page")
    runs.save_network(folder / "generator.keras", generator)
    ways, _ = directions.closed_form(directions.first_weights(generator), len(NAMES))
    named = dict(zip(NAMES, ways, strict=True))
    named_directions.save_directions(folder / "directions.json", named, 64)
    try:
        tool.make(str(folder / "generator.keras"), folder / "out", ROOT / "build" / "npm")
    except tool.CannotError as error:
        pytest.skip(f"onnxruntime-web is not to be had: {error}")
    with tool.server(folder / "out", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", folder / "out"
        server.shutdown()


@pytest.fixture
def opened(site, page):
    page.goto(site[0])
    page.locator("#play").wait_for()
    return page


def test_every_control_changes_the_picture_by_mouse_and_by_keyboard(opened):
    page, picture = opened, opened.locator("#picture")
    shoot(page, "page")
    first = digest(picture)
    first_way = page.get_by_role("slider", name="First")
    changes(picture, lambda: first_way.press("ArrowRight"), "a key on a slider")
    assert "First +0.1" in page.locator("#said").inner_text()
    note_times("page", [changes(picture, lambda: first_way.press("ArrowRight"), "a key")
                        for _ in range(9)])  # fmt: skip
    second = page.get_by_role("slider", name="Second of all")
    box = second.bounding_box()
    place = {"x": 0.8 * box["width"], "y": box["height"] / 2}
    changes(picture, lambda: second.click(position=place), "a click on a slider")
    changes(picture, lambda: page.get_by_label("keep the usual length").press("Space"), "Space")
    page.get_by_label("element", exact=True).fill("7")
    amount = page.get_by_label("how much of this element")
    changes(picture, lambda: amount.press("PageUp"), "a key on an element")
    assert "z[7] +" in page.locator("#said").inner_text()
    shoot(page, "page-moved")
    changes(picture, lambda: page.get_by_role("button", name="Random").press("Enter"), "Random")
    changes(picture, page.get_by_role("button", name="Reset").click, "Reset")
    assert digest(picture) == first


def test_a_mix_and_a_sum_of_pictures_picked_by_click_or_key(opened):
    page, picture = opened, opened.locator("#picture")
    sheet = page.locator("#sheet button")
    one = page.get_by_label("one picture")
    changes(picture, sheet.nth(4).click, "picking picture 5")
    fifth = digest(picture)
    changes(picture, lambda: one.press("ArrowDown"), "an arrow to the mix")
    changes(picture, sheet.nth(4).click, "picking A")
    changes(picture, lambda: sheet.nth(8).press("Enter"), "picking B by key")
    assert "spherical mix of 5 and 9, 50 % of 9" in page.locator("#said").inner_text()
    changes(picture, lambda: page.get_by_label("along the arc").press("Space"), "the path")
    share = page.get_by_label("share of B")
    changes(picture, lambda: share.press("Home"), "Home on the share")
    assert digest(picture) == fifth
    shoot(page, "page-mix")
    changes(picture, page.get_by_label("A − B + C").check, "the sum")
    page.get_by_label("C: 3").check()
    changes(picture, sheet.nth(9).click, "picking C")
    assert "picture 1 − 2 + 10" in page.locator("#said").inner_text()
    shoot(page, "page-sum")
    changes(picture, page.get_by_role("button", name="Other pictures").click, "other pictures")


def test_the_saved_file_is_the_picture(opened, tmp_path):
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "picture-001.png"
    download.value.save_as(tmp_path / "saved.png")
    assert Image.open(tmp_path / "saved.png").size == (64, 64)


def test_pictures_are_those_that_keras_makes(opened, generator):
    z = np.random.default_rng(0).normal(size=(2, 64))
    found = opened.evaluate("async z => (await pictures(z)).map(p => [...p.data])", z.tolist())
    expected = np.asarray(generator(z.astype(np.float32), training=False))
    levels = np.reshape(found, (2, 64, 64, 4))
    assert (levels[..., 3] == 255).all()
    np.testing.assert_allclose(levels[..., :3], (expected + 1) * 127.5, atol=0.6)


@pytest.mark.parametrize("path", ["straight", "spherical"])
def test_the_page_mixes_as_the_lessons_do(opened, path):
    a, b = np.random.default_rng(1).normal(size=(2, 64))
    for t in (0.0, 0.3, 1.0):
        found = opened.evaluate(f"([a, b, t]) => {path}(a, b, t)", [a.tolist(), b.tolist(), t])
        np.testing.assert_allclose(found, getattr(latent, path)(a, b, t)[0], atol=1e-12)


def test_the_page_adds_and_scales_as_the_lessons_do(opened):
    codes = np.random.default_rng(2).normal(size=(3, 64))
    found = opened.evaluate("codes => analogy(...codes)", codes.tolist())
    np.testing.assert_allclose(found, latent.analogy(*codes), atol=1e-12)
    found = opened.evaluate("z => ofLength(z, about.usual_length)", codes[0].tolist())
    np.testing.assert_allclose(found, latent.on_shell(codes[0]), atol=1e-12)
    drawn = np.array(opened.evaluate("Array.from({ length: 500 }, () => drawn(64))"))
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03


def test_every_control_has_a_name_and_can_be_reached_by_tab(opened):
    controls = opened.locator("button:visible, input:visible")
    name = "e => e.ariaLabel || (e.labels?.[0] ?? e).textContent.trim()"
    names = [controls.nth(i).evaluate(name) for i in range(controls.count())]
    assert len(names) > 20
    assert all(names), names
    reached = set()
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached.add(
            opened.evaluate("document.activeElement.id || document.activeElement.textContent")
        )
    assert {"random", "reset", "save", "slider0", "slider2", "amount", "others"} <= reached


def test_directions_for_another_generator_are_named(site, page):
    ways = site[1] / "directions.json"
    shutil.copy(ways, kept := ways.with_suffix(".kept"))
    try:
        ways.write_text(json.dumps({"Third": [1, 2]}))
        page.goto(site[0])
        page.get_by_text("the direction Third in directions.json has 2 numbers").wait_for()
        shoot(page, "page-wrong-directions")
    finally:
        kept.replace(ways)
