"""Make the README's picture from the outputs stored in lesson 1.

    python tools/readme_picture.py [--out docs/images/lesson1.png]

Takes two figures as the lesson's last run left them, the game in two dimensions and the
digits of both recipes after the same minute, and puts one above the other.
"""

import argparse
import base64
import io
import pathlib

import nbformat
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSON = ROOT / "notebooks" / "01_gan_basics_mnist.ipynb"
CELLS = ("Four frames of the film", "comparison = plotting.sheets(")  # what marks their cells
WIDTH = 800


def stored_figure(notebook: nbformat.NotebookNode, mark: str) -> Image.Image:
    """The first PNG among the outputs of the cell whose source contains ``mark``."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and mark in cell.source:
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    data = base64.b64decode(output.data["image/png"])
                    return Image.open(io.BytesIO(data)).convert("RGB")
    raise ValueError(f"{LESSON.name} has no figure of a cell with {mark!r}: run the lesson first.")


def stacked(figures: list[Image.Image]) -> Image.Image:
    """Figures under one another, each scaled to the same width."""
    scaled = [f.resize((WIDTH, f.height * WIDTH // f.width), Image.Resampling.LANCZOS)
              for f in figures]  # fmt: skip
    picture = Image.new("RGB", (WIDTH, sum(f.height for f in scaled)), "white")
    top = 0
    for figure in scaled:
        picture.paste(figure, (0, top))
        top += figure.height
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/images/lesson1.png")
    arguments = parser.parse_args()
    notebook = nbformat.read(LESSON, as_version=4)
    picture = stacked([stored_figure(notebook, mark) for mark in CELLS])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(arguments.out, optimize=True)
    print(f"wrote {arguments.out}: {picture.width} × {picture.height}")


if __name__ == "__main__":
    main()
