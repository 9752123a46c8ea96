"""Is each illness of lesson 8 named rightly, and no healthy training called ill, whatever the seed?

    python benchmarks/clinic.py [--seeds 0 1 2] [--profile quick]

Runs the lesson's own cells that carry the tag ``clinic``, which train its patients and the mended
ones, once for each seed, and prints what the symptoms were called. A patient is named rightly if
the first name told is its own. The exit code is 1 if one was not, or if a mended one was called
ill.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import pandas as pd

LESSON = ROOT / "notebooks" / "08_diagnosing_gans.ipynb"

NAMES = {
    "D too strong": "D wins",
    "D too weak": "D too weak",
    "saturating loss": "vanishing gradient",
    "training=True missing": "training=True is missing",
    "wrong output range": "outputs in a part of the range",
    "learning rate × 10": "learning rate too large",
    "frozen D": "a network stands still",
    "labels leak": "labels leak",
    "mode collapse": "mode collapse",
    "oscillation": "oscillation",
    "overfitting": "overfitting",
}
"""What each patient of the lesson should be called."""


def tagged(path: pathlib.Path, tag: str) -> list[str]:
    """The source of the code cells of a notebook that carry a tag."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if tag in c["metadata"].get("tags", [])]


def clinic(seed: int, path: pathlib.Path = LESSON) -> dict[str, Any]:
    """All charts of the lesson for a seed: of patients by their name, of others by variable."""
    from helpers import runtime
    from helpers.clinic import Chart

    names: dict[str, Any] = {"runtime": runtime, "ill": {}}
    (parameters,) = tagged(path, "parameters")
    exec(parameters, names)
    names |= {"SEED": seed, "MINUTES": 1000.0}  # steps end a training, and not the clock
    charts: dict[str, Any] = {}
    for source in tagged(path, "clinic"):
        began = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()):
            exec(source, names)
        found = {n: x for n, x in names.items() if isinstance(x, Chart)} | names["ill"]
        for name in found.keys() - charts.keys():
            told = ", ".join(found[name].names) or "-"
            took = time.monotonic() - began
            print(f"seed {seed}, {name}: {told} ({took:.0f} s for the cell)", flush=True)
        charts = found
    return charts


def verdict(name: str, found: Sequence[str]) -> bool:
    """Whether what was told of a training is right."""
    return list(found[:1]) == ([NAMES[name]] if name in NAMES else [])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 0 if every training of every seed was named rightly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--profile", default="quick", help="smoke, quick (the default) or full")
    arguments = parser.parse_args(argv)
    os.environ["GAN_PROFILE"] = arguments.profile
    told, wrong = {}, 0
    for seed in arguments.seeds:
        charts = clinic(seed)
        told[f"seed {seed}"] = {name: ", ".join(c.names) or "-" for name, c in charts.items()}
        wrong += sum(not verdict(name, chart.names) for name, chart in charts.items())
    table = pd.DataFrame(told)
    table.insert(0, "should be", [NAMES.get(name, "-") for name in table.index])
    print(f"\n{table.to_string()}\n")
    print("All were named rightly." if not wrong else f"{wrong} were not named rightly.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
