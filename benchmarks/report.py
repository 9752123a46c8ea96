"""What the benchmarks print and note in common: aligned tables, and the machine."""

import platform
from collections.abc import Sequence

from helpers._backend import keras, tf
from helpers.waiting import cores


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def machine() -> dict[str, str | int]:
    """What the figures are measured on: CPU cores that may be used, and versions."""
    return {
        "cores": cores(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
