"""How long the playground takes from a slider to the picture, without a browser.

    python benchmarks/widgets.py [--rounds N] [GENERATOR]

Of a generator that ships (``faces``, ``anime``), or else of one of the same size, medians: the
network alone, the whole way from the slider's value to the new PNG, and the same with a new sheet
of pictures. What a browser adds is in ``build/browser/*.json`` after the tests there. Ends with 1
if the bound is missed.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ipywidgets
import numpy as np

from benchmarks.report import aligned, machine
from helpers import face_models, pretrained, widgets

BOUND = 150.0  # milliseconds from the slider to the picture


def generator_of(name: str | None) -> tuple[str, Any]:
    """A generator that ships, or a face generator of about 600,000 random weights."""
    if name is None:
        return "of the size of those that ship", face_models.face_generator(64, 8)
    return name, pretrained.load(name)


def inside(widget: Any) -> list[Any]:
    """A widget and all that are in it."""
    return [widget, *(w for child in getattr(widget, "children", ()) for w in inside(child))]


def milliseconds(act: Callable[[int], Any], rounds: int) -> np.ndarray:
    """What each of ``rounds`` calls takes, after two that warm up."""
    times = []
    for i in range(rounds + 2):
        began = time.perf_counter()
        act(i)
        times.append(1000 * (time.perf_counter() - began))
    return np.array(times[2:])


def measure(generator: Any, rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of each part."""
    latent_dim = generator.input_shape[1]
    ways = {f"direction {i}": np.eye(latent_dim)[i] for i in range(min(8, latent_dim))}
    parts = inside(widgets.playground(generator, ways, continuous=True))
    slider = next(w for w in parts if isinstance(w, ipywidgets.FloatSlider)
                  and w.description == "direction 0")  # fmt: skip
    (other,) = (w for w in parts if getattr(w, "description", "") == "Other pictures below")
    z = np.random.default_rng(0).normal(size=(1, latent_dim)).astype(np.float32)

    def move(i: int) -> None:
        slider.value = 0.1 * (i % 20 + 1)

    return {
        "the network alone": milliseconds(lambda _: np.asarray(generator(z)), rounds),
        "slider to picture": milliseconds(move, rounds),
        "a new sheet of 12": milliseconds(lambda _: other.click(), max(3, rounds // 5)),
    }


def main() -> int:
    """Measure and print the table; 1 if the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generator", nargs="?", help="one that ships, for instance faces")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    name, generator = generator_of(options.generator)
    found = measure(generator, options.rounds)
    rows = [["milliseconds", "median", "95 %", "asked"]]
    for part, times in found.items():
        asked = f"{BOUND:.0f}" if part == "slider to picture" else ""
        rows.append([part, f"{np.median(times):.1f}", f"{np.quantile(times, 0.95):.1f}", asked])
    shape = "×".join(map(str, generator.output_shape[1:]))
    print(f"generator {name}: {generator.count_params():,} numbers, {shape}")
    print(aligned(rows))
    print(", ".join(f"{what} {value}" for what, value in machine().items()))
    return int(np.median(found["slider to picture"]) > BOUND)


if __name__ == "__main__":
    sys.exit(main())
