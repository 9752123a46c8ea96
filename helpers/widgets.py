"""Sliders and buttons. Nothing imports this module but notebooks."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def writing(write: Callable[[str, int], NDArray[np.uint8]], text: str) -> Any:
    """A field for a text and a slider for the hand that writes it.

    Args:
        write: ``write(text, hand)`` gives a grey picture of the line, uint8, shape (height,
            width); a ValueError's message is shown in its place.
        text: what stands in the field at first.

    Returns:
        A box of widgets; None, after a printed line, where the environment variable
        ``GAN_HEADLESS`` says that nobody is there to write.
    """
    if os.environ.get("GAN_HEADLESS"):
        print("Run this cell in Jupyter: here stands a field for a text of your own.")
        return None
    import ipywidgets

    field = ipywidgets.Text(text, description="text")
    hand = ipywidgets.IntSlider(0, 0, 99, description="hand", continuous_update=False)
    picture = ipywidgets.Image(format="png")
    said = ipywidgets.Label()

    def redraw(_: Any = None) -> None:
        try:
            line = write(field.value, hand.value)
        except ValueError as error:
            said.value = str(error)
            return
        said.value = ""
        figure, axes = plotting.new_figure(line.shape[1] / 50, line.shape[0] / 50)
        axes.imshow(line, cmap="gray_r", vmin=0, vmax=255)
        axes.set_axis_off()
        picture.value = plotting.png_of(figure, dpi=100)

    for control in (field, hand):
        control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([ipywidgets.HBox([field, hand]), picture, said])
