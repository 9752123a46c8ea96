"""Lessons in JupyterLab in a real browser: every cell runs, and what can be moved moves."""

import nbformat
import pytest
from in_browser import FAILED, ROOT, assert_alone, changes, note_times, shoot, until, watched

pytestmark = pytest.mark.browser

LESSONS = {"test_lesson_1": "01_gan_basics_mnist", "test_lesson_6": "06_latent_arithmetic"}


@pytest.fixture(scope="module")
def running(lab, chromium):
    """The lessons, each in a page of its own; all of their cells run at the same time."""
    books = {}
    for name in LESSONS.values():
        path = ROOT / "notebooks" / f"{name}.ipynb"
        lab.write(path.name, nbformat.read(path, as_version=4))
        books[name] = lab.open(watched(chromium), path.name)
        books[name].run_all()
    yield books
    for book in books.values():
        book.page.context.close()


@pytest.fixture
def book(running, request):
    """The lesson of a test when all of its cells have run."""
    book = running[LESSONS[request.node.name]]
    book.wait()
    yield book
    if request.node.stash.get(FAILED, False):
        shoot(book.page, f"failed-{request.node.name}")
    assert_alone(book.page)


def slider(box, label):
    """The handle of a slider, by what is written before it."""
    return box.locator(".widget-slider", has_text=label).locator(".noUi-handle").first


def value_of(handle):
    """Where a slider stands."""
    return float(handle.get_attribute("aria-valuetext"))


def drag(page, handle, by):
    """Move a slider with the mouse."""
    handle.scroll_into_view_if_needed()
    place = handle.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by / 2, y, steps=4)
    page.mouse.move(x + by, y, steps=4)
    page.mouse.up()


def test_lesson_1(book):
    book.show("widgets.game(")
    page = book.page
    box = page.locator(".widget-vbox", has=page.get_by_role("button", name="100 steps"))
    picture, step = box.locator("img"), box.get_by_role("button", name="10 steps")
    shoot(page, "lesson-1")
    changes(picture, step.click, "a click on 10 steps")
    changes(picture, lambda: step.press("Enter"), "Enter on 10 steps")
    handle = slider(box, "D updates")
    handle.press("ArrowRight")
    until(lambda: value_of(handle) == 2, "the slider moves by a key")
    drag(page, handle, 60)
    until(lambda: value_of(handle) > 2, "the slider moves by mouse")
    changes(picture, box.get_by_role("button", name="Restart").click, "a click on Restart")
    shoot(page, "lesson-1-played")


def test_lesson_6(book):
    book.show("widgets.playground(")
    page = book.page
    box = page.locator(".gan-playground")
    box.wait_for()
    picture, sheet = box.locator("img").first, box.locator("img").last
    button = lambda name: box.get_by_role("button", name=name, exact=True)  # noqa: E731
    handle = box.locator(".noUi-handle:visible").first
    shoot(page, "lesson-6")
    changes(picture, lambda: handle.press("ArrowRight"), "a key on a slider")
    note_times("lesson-6", [changes(picture, lambda: handle.press("ArrowRight"), "a key")
                            for _ in range(9)])  # fmt: skip
    changes(picture, lambda: drag(page, handle, 40), "dragging a slider")
    shoot(page, "lesson-6-moved")
    changes(picture, button("Random").click, "Random")
    changes(picture, button("Reset").click, "Reset")
    button("Save picture").click()
    box.get_by_text("saved as").wait_for()
    changes(picture, button("Mix two").click, "a click on Mix two")
    changes(picture, lambda: slider(box, "share of B").press("ArrowRight"), "a key on the share")
    arc = box.get_by_label("along the arc")
    changes(picture, lambda: arc.press("Space"), "Space on the arc")
    shoot(page, "lesson-6-mix")
    changes(sheet, lambda: button("A − B + C").press("Enter"), "Enter on A − B + C")
    first = box.get_by_label("A", exact=True)
    changes(sheet, lambda: first.fill("5"), "typing A")
    box.get_by_text("picture 5 − 2 + 3").wait_for()
    first.press("ArrowUp")
    box.get_by_text("picture 6 − 2 + 3").wait_for()
    changes(sheet, button("Other pictures below").click, "other pictures")
    shoot(page, "lesson-6-sum")
