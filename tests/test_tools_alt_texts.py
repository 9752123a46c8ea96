"""Every picture of a lesson has a text that says what it shows, and the tool puts it there."""

import json
import pathlib
from copy import deepcopy

import alt_texts
import nbformat
import pytest
from nbformat import v4

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXT = "A line that rises from 0 to 1 and stays there from the middle on."


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_every_picture_of_a_lesson_has_a_text(path):
    notebook = nbformat.read(path, as_version=4)
    assert list(alt_texts.faults(notebook, alt_texts.texts_of(path.stem))) == []


def test_each_text_says_something_else():
    texts = json.loads(alt_texts.FILE.read_text(encoding="utf-8"))
    every = [text for lesson in texts.values() for text in lesson.values()]
    assert len(every) == len(set(every))


def picture(kind="image/png"):
    return v4.new_output("display_data", data={kind: "aaaa", "text/plain": "a"})


@pytest.fixture
def notebook():
    """A cell with one picture, one with two, one with a table."""
    table = v4.new_output("display_data", data={"text/html": "<table>"})
    outputs = [picture()], [picture("image/gif"), picture("image/jpeg")], [table]
    cells = [v4.new_code_cell("draw()", outputs=o, id=i) for o, i in zip(outputs, "abc")]  # noqa: B905
    return v4.new_notebook(cells=[v4.new_markdown_cell("# A"), *cells])


def test_a_text_is_put_into_the_output_and_the_notebook_stays_valid(notebook):
    before = deepcopy(notebook)
    assert alt_texts.put(notebook, {"a": TEXT, "b": TEXT + " Two."})
    nbformat.validate(notebook)
    _, one, two, table = notebook.cells
    assert one.outputs[0].metadata == {"image/png": {"alt": TEXT}}
    assert two.outputs[0].metadata == {"image/gif": {"alt": f"{TEXT} Two. (1 of 2)"}}
    assert two.outputs[1].metadata == {"image/jpeg": {"alt": f"{TEXT} Two. (2 of 2)"}}
    assert table.outputs[0].metadata == {}
    for cell, old in zip(notebook.cells, before.cells, strict=True):
        assert cell.source == old.source
        for output, old_output in zip(cell.get("outputs", []), old.get("outputs", []), strict=True):
            assert output.data == old_output.data


def test_putting_it_in_again_changes_nothing_and_what_else_is_noted_stays(notebook):
    notebook.cells[1].outputs[0].metadata["image/png"] = {"width": 300}
    assert alt_texts.put(notebook, {"a": TEXT})
    assert notebook.cells[1].outputs[0].metadata == {"image/png": {"width": 300, "alt": TEXT}}
    assert not alt_texts.put(notebook, {"a": TEXT})


def test_a_text_that_was_taken_out_goes(notebook):
    alt_texts.put(notebook, {"a": TEXT, "b": TEXT})
    assert alt_texts.put(notebook, {"a": TEXT})
    assert notebook.cells[2].outputs[0].metadata == {}


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ({"b": TEXT}, "cell a (draw() …): no sentence"),
        ({"a": "A line.", "b": TEXT}, "cell a (draw() …): no sentence"),
        ({"a": TEXT.rstrip("."), "b": TEXT}, "cell a (draw() …): no sentence"),
        ({"a": TEXT, "b": TEXT, "c": TEXT}, "no cell c has pictures"),
    ],
)
def test_each_fault_of_the_texts_is_named(notebook, texts, fault):
    alt_texts.put(notebook, texts)
    (found,) = alt_texts.faults(notebook, texts)
    assert fault in found


def test_a_text_that_is_not_in_the_notebook_is_missed(notebook):
    alt_texts.put(notebook, {"a": TEXT})
    (found,) = alt_texts.faults(notebook, {"a": TEXT, "b": TEXT})
    assert found == "cell b (draw() …): its text is not in the notebook: python tools/alt_texts.py"


def test_the_tool_changes_the_files_and_says_what_is_missing(
    notebook, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(alt_texts, "FILE", tmp_path / "texts.json")
    path = tmp_path / "01_x.ipynb"
    nbformat.write(notebook, path)
    alt_texts.FILE.write_text(json.dumps({"01_x": {"a": TEXT}}))
    before = path.read_bytes()
    assert alt_texts.main(["--check", str(path)]) == 1
    assert path.read_bytes() == before
    assert alt_texts.main([str(path)]) == 1
    assert "01_x.ipynb, cell b" in capsys.readouterr().err
    alt_texts.FILE.write_text(json.dumps({"01_x": {"a": TEXT, "b": TEXT}}))
    assert alt_texts.main([str(path)]) == 0
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
