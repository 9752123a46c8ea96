"""Lessons in JupyterLab in a real browser: every cell runs, and what can be moved moves."""

import nbformat
import pytest
from in_browser import ROOT, changes, note_times, shoot, until
from nbformat import v4

pytestmark = pytest.mark.browser

PLAYGROUND = """
import sys
sys.path.insert(0, "..")
from helpers import directions, pretrained, widgets

faces = pretrained.load("faces")
ways, _ = directions.closed_form(directions.first_weights(faces), 3)
named = dict(zip(["First", "Second_of_all", "Third"], ways))
widgets.playground(faces, named, elements=(7, 11))
"""


def lesson(name):
    path = ROOT / "notebooks" / f"{name}.ipynb"
    if not path.exists():
        pytest.skip(f"{path.name} is not written yet")
    return nbformat.read(path, as_version=4)


def opened(lab, page, name, notebook):
    """Put a notebook before JupyterLab, open it and run all its cells."""
    lab.write(f"{name}.ipynb", notebook)
    book = lab.open(page, f"{name}.ipynb")
    book.run_all()
    return book


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


def test_lesson_1(lab, page):
    book = opened(lab, page, "lesson-1", lesson("01_gan_basics_mnist"))
    book.show("widgets.game(")
    box = page.locator(".widget-vbox", has=page.get_by_role("button", name="100 steps"))
    picture, step = box.locator("img"), box.get_by_role("button", name="10 steps")
    shoot(page, "lesson-1-game")
    changes(picture, step.click, "a click on 10 steps")
    changes(picture, lambda: step.press("Enter"), "Enter on 10 steps")
    handle = slider(box, "D updates")
    handle.press("ArrowRight")
    until(lambda: value_of(handle) == 2, "the slider moves by a key")
    drag(page, handle, 60)
    until(lambda: value_of(handle) > 2, "the slider moves by mouse")
    changes(picture, box.get_by_role("button", name="Restart").click, "a click on Restart")
    shoot(page, "lesson-1-game-played")


def play(page, book, name):
    """What every playground has: sliders that move the picture by mouse and keyboard."""
    book.show("widgets.playground(")
    box = page.locator(".gan-playground")
    box.wait_for()
    picture = box.locator("img").first
    handle = box.locator(".noUi-handle:visible").first
    shoot(page, f"{name}-playground")
    changes(picture, lambda: handle.press("ArrowRight"), "a key on a slider")
    note_times(name, [changes(picture, lambda: handle.press("ArrowRight"), "a key")
                      for _ in range(9)])  # fmt: skip
    changes(picture, lambda: drag(page, handle, 40), "dragging a slider")
    changes(picture, box.get_by_role("button", name="Random", exact=True).click, "Random")
    changes(picture, box.get_by_role("button", name="Reset").click, "Reset")
    box.get_by_role("button", name="Save picture").click()
    box.get_by_text("saved as").wait_for()
    shoot(page, f"{name}-playground-played")
    return box, picture


def test_lesson_6(lab, page):
    book = opened(lab, page, "lesson-6", lesson("06_latent_arithmetic"))
    play(page, book, "lesson-6")


def test_playground(lab, page):
    cell = v4.new_code_cell(PLAYGROUND)
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    book = opened(lab, page, "playground", notebook)
    box, picture = play(page, book, "playground")
    sheet = box.locator("img").last
    changes(picture, box.get_by_role("button", name="Mix two").click, "a click on Mix two")
    share = slider(box, "share of B")
    changes(picture, lambda: share.press("ArrowRight"), "a key on the share of B")
    arc = box.get_by_label("along the arc")
    changes(picture, lambda: arc.press("Space"), "Space on the arc")
    shoot(page, "playground-mix")
    changes(
        picture, lambda: box.get_by_role("button", name="A − B").press("Enter"), "Enter on A−B+C"
    )
    first = box.get_by_label("A", exact=True)
    changes(sheet, lambda: (first.fill("5"), first.press("Enter")), "picking A, on the sheet,")
    changes(picture, lambda: first.press("ArrowUp"), "picking A by a key")
    box.get_by_role("button", name="Other pictures below").click()
    shoot(page, "playground-picked")
