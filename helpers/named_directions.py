"""Directions by their names: checked, single elements among them, and in a file.

A direction is a vector that is added to a code z, as in :mod:`helpers.latent`; where they come
from: :mod:`helpers.directions`. The file lies beside a saved generator; the page that needs no
Python (``tools/playground_page.py``) reads it too.
"""

import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from helpers import runs

Array = NDArray[np.float32]
Directions: TypeAlias = Mapping[str, Any]
FILE = "directions.json"
"""What the file is called that lies beside a generator."""


def as_code(z: Any, latent_dim: int, name: str = "the code") -> Array:
    """One code or direction as float32, checked.

    Raises:
        ValueError: another shape than (latent_dim,), NaN or infinity.
    """
    vector = np.asarray(z, np.float32)
    if vector.shape != (latent_dim,):
        raise ValueError(
            f"{name} has shape {vector.shape}, but this generator takes z of {latent_dim} "
            f"numbers: shape ({latent_dim},) is needed, found with this very generator."
        )
    if not np.isfinite(vector).all():
        raise ValueError(f"{name} contains NaN or infinity; compute it anew.")
    return vector


def as_directions(directions: Directions, latent_dim: int) -> dict[str, Array]:
    """Named directions as float32 vectors, checked.

    Raises:
        ValueError: one of the wrong size, with NaN or infinity, or of length 0.
    """
    found = {}
    for name, vector in directions.items():
        found[str(name)] = as_code(vector, latent_dim, f"the direction {name!r}")
        if not found[str(name)].any():
            raise ValueError(f"the direction {name!r} is all zeros: it would change nothing.")
    return found


def element_name(index: int) -> str:
    """What the direction of a single element is called."""
    return f"z[{index}]"


def element(index: int, latent_dim: int) -> Array:
    """The direction that moves one element of z and no other.

    Raises:
        ValueError: z has no such element.
    """
    if isinstance(index, bool) or index != int(index) or not 0 <= index < latent_dim:
        raise ValueError(
            f"there is no element {index!r}: z has {latent_dim} numbers, 0 to {latent_dim - 1}."
        )
    return np.eye(latent_dim, dtype=np.float32)[int(index)]


def element_called(name: str, latent_dim: int) -> Array:
    """The direction of a single element by its name, ``z[3]``.

    Raises:
        ValueError: no element is called so.
    """
    found = re.fullmatch(r"z\[(\d+)\]", name)
    if not found:
        raise ValueError(
            f"there is no direction {name!r}: none was given under this name, and single "
            f"elements are called z[0] to z[{latent_dim - 1}]."
        )
    return element(int(found[1]), latent_dim)


def save_directions(file: str | os.PathLike[str], directions: Directions, latent_dim: int) -> None:
    """Write directions as JSON, a list of numbers for each name, beside a saved generator.

    Raises:
        ValueError: see :func:`as_directions`.
    """
    checked = as_directions(directions, latent_dim)
    content = {name: [round(float(x), 6) for x in vector] for name, vector in checked.items()}
    runs.write_json(pathlib.Path(file), content)


def load_directions(file: str | os.PathLike[str], latent_dim: int) -> dict[str, Array]:
    """The directions in a file that :func:`save_directions` wrote.

    Raises:
        ValueError: the file holds something else, or directions for another generator.
    """
    file = pathlib.Path(file)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        directions = {str(name): np.asarray(v, np.float32) for name, v in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{file} holds no directions ({error}). It must be JSON that gives a list of "
            'numbers for each name: {"Smiling": [0.1, -0.3, …]}.'
        ) from error
    try:
        return as_directions(directions, latent_dim)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
