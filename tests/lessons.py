"""What the tests of all lessons need: a lesson's cells, its definitions, a network's layers."""

import pathlib
import re
from types import SimpleNamespace

import nbformat

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "notebooks"


def cells_of(lesson):
    """The cells of a stored notebook, by its name without the suffix."""
    return nbformat.read(FOLDER / f"{lesson}.ipynb", as_version=4).cells


def definer(cells, names):
    """A function that runs the definitions of given names, in order, and returns them.

    ``names`` is what these definitions may use; what is defined is added to it.
    """

    def define(*wanted):
        for name in wanted:
            start = re.compile(rf"^(?:def|class) {name}\(", re.MULTILINE)
            (cell,) = (c for c in cells if c.cell_type == "code" and start.search(c.source))
            (definition,) = re.findall(
                rf"^((?:def|class) {name}\(.*?)(?=^\S|\Z)", cell.source, re.MULTILINE | re.DOTALL
            )
            exec(definition, names)
        return SimpleNamespace(**{name: names[name] for name in wanted}, names=names)

    return define


def layer_list(network):
    """Kind and settings of every layer, without names and random seeds."""
    hidden = ("name", "seed", "kernel_initializer", "bias_initializer", "build_config")
    return [
        (type(x).__name__, {k: v for k, v in x.get_config().items() if k not in hidden})
        for x in network.layers
    ]
