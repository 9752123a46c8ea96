"""Sliders and buttons. Nothing imports this module but notebooks."""

import os
from collections.abc import Callable
from typing import Any

from helpers import plotting


def game(
    new: Callable[[], Any],
    play: Callable[[Any, int, int], None],
    draw: Callable[[Any, Any], None],
) -> Any:
    """Buttons to step the two-dimensional game, change its updates per step, and restart.

    Args:
        new: makes an untrained game.
        play: ``play(game, steps, disc_updates)`` trains it.
        draw: ``draw(game, axes)`` draws it.

    Returns:
        A box of widgets; None, after a printed line, where the environment variable
        ``GAN_HEADLESS`` says that nobody is there to press buttons.
    """
    if os.environ.get("GAN_HEADLESS"):
        print("Run this cell in Jupyter: here stand buttons to step the game and to restart it.")
        return None
    import ipywidgets

    state = {"game": new()}
    updates = ipywidgets.IntSlider(1, 0, 5, description="D updates", continuous_update=False)
    picture = ipywidgets.Image(format="png", layout={"width": "460px"})

    def redraw() -> None:
        figure, axes = plotting.new_figure(5, 5.2)
        draw(state["game"], axes)
        picture.value = plotting.png_of(figure)

    def press(steps: int) -> Callable[[Any], None]:
        def act(_: Any) -> None:
            if steps:
                play(state["game"], steps, updates.value)
            else:
                state["game"] = new()
            redraw()

        return act

    buttons = []
    for label, steps in {"1 step": 1, "10 steps": 10, "100 steps": 100, "Restart": 0}.items():
        button = ipywidgets.Button(description=label, layout={"width": "90px"})
        button.on_click(press(steps))
        buttons.append(button)
    redraw()
    return ipywidgets.VBox([ipywidgets.HBox([*buttons, updates]), picture])
