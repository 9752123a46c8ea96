"""What the tests of all lessons need: a lesson's cells, definitions and exercises, its networks."""

import pathlib
import re
from types import SimpleNamespace

import nbformat
import pytest

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


def printed(cells):
    """All text that a stored lesson has printed."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    return "".join(o.text for cell in code for o in cell.outputs if o.output_type == "stream")


def solution(cells, exercise):
    """What is folded away first after an exercise."""
    after = "".join(c.source for c in cells).split(f"**Exercise {exercise}.**")[1]
    return after.split("<summary>A solution</summary>")[1].split("</details>")[0]


def solution_code(cells, exercise):
    """The code in it."""
    return re.search(r"```python\n(.*?)```", solution(cells, exercise), re.DOTALL)[1]


def solution_answers(cells, exercise):
    """The answers in it, where an exercise wants a dictionary filled in."""
    return eval(re.search(r"`(\{.*?\})`", solution(cells, exercise))[1])


def assert_code_passes(made, cells, exercise, capsys):
    """An exercise says that it is not done yet, and with its solution that it is right."""
    check = getattr(made, f"check_exercise_{exercise}")
    check()
    assert "not done yet" in capsys.readouterr().out
    exec(solution_code(cells, exercise), made.names)
    check()
    assert f"Exercise {exercise}: right" in capsys.readouterr().out


def assert_answers_pass(made, cells, exercise, name, capsys):
    """The same of an exercise that wants the dictionary ``name`` filled in."""
    check, answers = getattr(made, f"check_exercise_{exercise}"), solution_answers(cells, exercise)
    made.names[name] = dict.fromkeys(answers)
    check()
    assert "not done yet" in capsys.readouterr().out
    made.names[name] = answers
    check()
    assert f"Exercise {exercise}: right." in capsys.readouterr().out


def assert_mistake_is_named(made, exercise, says, **mine):
    """An exercise's check stops at a wrong answer, which ``mine`` names, and says what is wrong."""
    made.names.update(mine)
    with pytest.raises(AssertionError, match=says):
        getattr(made, f"check_exercise_{exercise}")()


def layer_list(network):
    """Kind and settings of every layer, without names and random seeds."""
    hidden = ("name", "seed", "kernel_initializer", "bias_initializer", "build_config")
    return [
        (type(x).__name__, {k: v for k, v in x.get_config().items() if k not in hidden})
        for x in network.layers
    ]
