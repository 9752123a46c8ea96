"""Put into the stored outputs of the lessons what their pictures show, in words.

    python tools/alt_texts.py                  all lessons
    python tools/alt_texts.py notebooks/01*    one of them
    python tools/alt_texts.py --check          change nothing, only say what is missing

The words stand in ``docs/alt_texts.json``: for each lesson and each cell with pictures a text of
a sentence or more, under the cell's id. They are for those who cannot see the pictures, and for
where pictures do not load, so they say what one sees and not what follows from it, and no number
that the next run changes. ``tools/run_lessons.py --update`` puts them in by itself. nbconvert and
the site show them; JupyterLab, as of version 4.6, does not read alt texts of outputs.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence

import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from helpers.files import whole

FILE = ROOT / "docs" / "alt_texts.json"
LEAST = 40  # characters of a text that says something


def texts_of(lesson: str) -> dict[str, str]:
    """The texts of one lesson, by the ids of its cells; none if it has none yet."""
    return json.loads(FILE.read_text(encoding="utf-8")).get(lesson, {})


def pictures(cell: nbformat.NotebookNode) -> Iterator[tuple[nbformat.NotebookNode, str]]:
    """The outputs of a cell that are pictures, each with its kind, such as ``image/png``."""
    for output in cell.get("outputs", []):
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                yield output, kind


def put(notebook: nbformat.NotebookNode, texts: Mapping[str, str]) -> bool:
    """Give every picture of a notebook its text; whether that changed anything.

    Several pictures of one cell, as of a loop over seeds, share its text and are counted in it.
    """
    changed = False
    for cell in notebook.cells:
        found = list(pictures(cell))
        for n, (output, kind) in enumerate(found, start=1):
            said = texts.get(cell.get("id", ""), "")
            text = f"{said} ({n} of {len(found)})" if said and len(found) > 1 else said
            old = output.metadata.get(kind, {}).get("alt", "")
            if text != old:
                changed = True
                output.metadata[kind] = {**output.metadata.get(kind, {}), "alt": text}
            if not text:
                output.metadata.pop(kind, None)
    return changed


def faults(notebook: nbformat.NotebookNode, texts: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a lesson's alt texts: missing, too short, not put in, of no cell."""
    left = dict(texts)
    for cell in notebook.cells:
        found = list(pictures(cell))
        if not found:
            continue
        text = left.pop(cell.get("id", ""), "")
        where = f"cell {cell.get('id')} ({cell.source.strip().splitlines()[-1][:50]} …)"
        if len(text) < LEAST or not text.rstrip().endswith((".", "?", "!")):
            yield f"{where}: no sentence in docs/alt_texts.json says what its picture shows"
        elif any(text not in o.metadata.get(k, {}).get("alt", "") for o, k in found):
            yield f"{where}: its text is not in the notebook: python tools/alt_texts.py"
    yield from (f"docs/alt_texts.json: no cell {key} has pictures" for key in left)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 0, or 1 if a text is missing."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, help="default: all lessons")
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(argv)
    missing = 0
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook, texts = nbformat.read(path, as_version=4), texts_of(path.stem)
        if not options.check and put(notebook, texts):
            with whole(path) as new:
                nbformat.write(notebook, new)
        for fault in faults(notebook, texts):
            missing += 1
            print(f"{path.name}, {fault}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
