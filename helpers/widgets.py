"""Sliders and buttons. Nothing imports this module but notebooks."""

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import plotting, runs
from helpers.named_directions import Directions, element_name
from helpers.playground import Base, Generator, Playground, image_of

BASES: dict[str, Base] = {"One picture": "face", "Mix two": "mix", "A − B + C": "sum"}

FLUID_SECONDS = 0.1
"""A picture that takes no longer than this is redrawn while a slider moves, else when it stops."""


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


def playground(
    generator: Generator,
    directions: Directions | None = None,
    *,
    elements: Sequence[int] = (),
    faces: int = 12,
    start: Any = None,
    seed: int = 0,
    latent_dim: int | None = None,
    reach: float = 3.0,
    folder: str | os.PathLike[str] | None = None,
    continuous: bool | None = None,
) -> Any:
    """Sliders for what a generator knows: directions, single elements, mixes, A − B + C.

    :class:`helpers.playground.Playground` holds what they say, and has the first arguments;
    :func:`helpers.playground.steps_figure` is the figure to put beside it for those who read
    on paper.

    Args:
        generator: a network from z alone, or a function that draws codes (n, latent_dim).
        directions: vectors (latent_dim,) by their names, a slider each.
        elements: single elements of z, a slider each; there is always one for any element.
        faces: how many there are to pick from.
        start: the face to begin with.
        seed: of the faces.
        latent_dim: how many numbers are in a code, where a function draws.
        reach: the sliders go from -reach to reach.
        folder: where saved pictures go; by default ``runs/playground``.
        continuous: redraw while a slider moves; by default if a picture takes 0.1 s at most.

    Returns:
        A box of widgets; None, after a printed line, where the environment variable
        ``GAN_HEADLESS`` says that nobody is there to move sliders.

    Raises:
        ValueError: see :class:`helpers.playground.Playground`.
    """
    play = Playground(
        generator,
        directions,
        elements=elements,
        faces=faces,
        start=start,
        seed=seed,
        latent_dim=latent_dim,
    )
    if os.environ.get("GAN_HEADLESS"):
        print("Run this cell in Jupyter: here stand sliders to play with the generator.")
        return None
    if continuous is None:
        began = time.monotonic()
        play.picture()
        continuous = time.monotonic() - began <= FLUID_SECONDS
    return _Panel(play, reach=reach, folder=folder, continuous=continuous).box


def png(picture: NDArray[np.uint8], least: int = 0) -> bytes:
    """A uint8 picture as a PNG file, its pixels repeated until it is ``least`` wide."""
    buffer = io.BytesIO()
    image_of(picture, least).save(buffer, "PNG")
    return buffer.getvalue()


class _Panel:
    """The widgets of a playground. Whatever moves, the controls are told, and all is shown anew.

    There are sliders, number fields, check boxes and buttons alone, because JupyterLab keeps
    the arrow keys to itself where a list or a tab has the focus.
    """

    def __init__(self, play: Playground, *, reach: float, folder: Any, continuous: bool) -> None:
        import ipywidgets

        self.play, self.folder, self.w = play, folder, ipywidgets
        self._showing = False
        self._live = {"continuous_update": continuous}
        self.picture = ipywidgets.Image(format="png", layout={"width": "320px"})
        self.sheet = ipywidgets.Image(format="png", layout={"align_self": "flex-start"})
        self.said, self.saved = ipywidgets.Label(), ipywidgets.Label()
        self.sliders = {name: self._step_slider(name, reach) for name in play.directions}
        self.any = self._any_element(reach)
        self.usual = self._watch(
            ipywidgets.Checkbox(description="keep the usual length of z", indent=False),
            self._set("usual_length"),
        )
        self.kind = self._watch(
            ipywidgets.ToggleButtons(options=list(BASES.items()), style={"button_width": "110px"}),
            self._set("base"),
            sheet=True,
        )
        self.bases = self._bases()
        self.box = self._laid_out()
        self._show(sheet=True)

    # Making widgets ---------------------------------------------------------------------------

    def _watch(self, widget: Any, tell: Callable[[Any], None], *, sheet: bool = False) -> Any:
        """Let a widget tell its value whenever a reader (not :meth:`_show`) changes it."""

        def act(change: Any) -> None:
            if not self._showing:
                tell(change["new"])
                self._show(sheet=sheet)

        widget.observe(act, names="value")
        return widget

    def _set(self, name: str) -> Callable[[Any], None]:
        """What tells a value to the control of that name."""
        return lambda value: setattr(self.play.controls, name, value)

    def _button(self, label: str, act: Callable[[], None], *, shows: bool = True) -> Any:
        def press(_: Any) -> None:
            act()
            if shows:
                self._show(sheet=True)

        button = self.w.Button(description=label, layout={"width": "auto"})
        button.on_click(press)
        return button

    def _slider(self, label: str, low: float, high: float, step: float) -> Any:
        return self.w.FloatSlider(
            value=0,
            min=low,
            max=high,
            step=step,
            description=label,
            readout_format=".2f",
            style={"description_width": "150px"},
            layout={"width": "98%", "flex": "0 0 auto"},
            **self._live,
        )

    def _step_slider(self, name: str, reach: float) -> Any:
        slider = self._slider(name.replace("_", " "), -reach, reach, 0.1)
        return self._watch(slider, lambda size: self.play.step(name, size))

    def _any_element(self, reach: float) -> tuple[Any, Any]:
        """A field for the number of an element, and the slider that moves it."""
        last = self.play.latent_dim - 1
        layout = {"width": "150px"}
        style = {"description_width": "80px"}
        which = self.w.BoundedIntText(
            value=0,
            min=0,
            max=last,
            description="element",
            continuous_update=True,
            layout=layout,
            style=style,
        )
        slider = self._slider(f"of 0 to {last}, by", -reach, reach, 0.1)
        slider.layout.flex, slider.style.description_width = "1 1 200px", "initial"
        self._watch(which, lambda _: None)
        self._watch(slider, lambda size: self.play.step(element_name(which.value), size))
        return which, slider

    def _face(self, label: str, least: int, tell: Callable[[Any], None]) -> Any:
        """A field for the number of a face of the sheet."""
        field = self.w.BoundedIntText(
            value=least,
            min=least,
            max=len(self.play.faces),
            description=label,
            continuous_update=True,  # what is typed counts at once
            layout={"width": "auto"},
            style={"description_width": "initial"},
        )
        return self._watch(field, tell, sheet=True)

    def _places(self, name: str, labels: Sequence[str]) -> list[Any]:
        """Numbers of faces for each place of the controls' ``pair`` or ``terms``."""

        def teller(place: int) -> Callable[[Any], None]:
            def tell(number: int) -> None:
                faces = list(getattr(self.play.controls, name))
                faces[place] = number - 1
                self._set(name)(tuple(faces))

            return tell

        return [self._face(label, 1, teller(place)) for place, label in enumerate(labels)]

    def _bases(self) -> dict[Base, Any]:
        """What there is to choose for each kind of base; one of them is seen at a time."""
        w = self.w
        self.face = self._face(
            "picture (0: drawn at random)", 0, lambda n: self._set("face")(n - 1 if n else None)
        )
        self.pair = self._places("pair", ("from A", "to B"))
        self.share = self._watch(self._slider("share of B", 0, 1, 0.02), self._set("share"))
        self.arc = self._watch(
            w.Checkbox(description="along the arc (spherical)", indent=False),
            lambda on: self._set("path")("spherical" if on else "straight"),
        )
        self.terms = self._places("terms", ("A", "− B", "+ C"))
        mix = w.VBox([w.HBox(self.pair), self.share, self.arc])
        return {"face": w.HBox([self.face]), "mix": mix, "sum": w.HBox(self.terms)}

    def _laid_out(self) -> Any:
        w = self.w
        buttons = [
            self._button("Random", self.play.random),
            self._button("Reset", self.play.reset),
            self._button("Save picture", self._save, shows=False),
            self._button("Other pictures below", self.play.other_faces),
        ]
        left = w.VBox([self.picture, w.HBox(buttons, layout={"flex_flow": "row wrap"})])
        sliders = w.VBox(
            list(self.sliders.values()), layout={"max_height": "300px", "overflow": "auto"}
        )
        add = [sliders, w.HBox(list(self.any)), self.usual]
        right = w.VBox(
            [self.kind, *self.bases.values(), *add],
            layout={"flex": "1 1 420px", "min_width": "420px"},
        )
        top = w.HBox([left, right], layout={"flex_flow": "row wrap"})
        box = w.VBox([top, self.said, self.saved, self.sheet])
        box.add_class("gan-playground")
        return box

    # Showing ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """While the widgets are set by us, their changes are no news."""
        self._showing = True
        try:
            yield
        finally:
            self._showing = False

    def _show(self, *, sheet: bool = False) -> None:
        """Set every widget as the controls stand, and draw what they ask for."""
        c = self.play.controls
        with self._quiet():
            for name, slider in self.sliders.items():
                slider.value = c.steps.get(name, 0.0)
            which, slider = self.any
            slider.value = c.steps.get(element_name(which.value), 0.0)
            self.kind.value = c.base
            self.face.value = 0 if c.face is None else c.face + 1
            for fields, faces in ((self.pair, c.pair), (self.terms, c.terms)):
                for field, face in zip(fields, faces, strict=True):
                    field.value = face + 1
            self.share.value, self.arc.value = c.share, c.path == "spherical"
            self.usual.value = c.usual_length
        for base, chooser in self.bases.items():
            chooser.layout.display = "flex" if base == c.base else "none"
        self.picture.value = png(self.play.picture(), 320)
        if sheet:
            self.sheet.value = png(self.play.sheet())
        self.said.value, self.saved.value = self.play.description(), ""

    def _save(self) -> None:
        try:
            file = self.play.save(self.folder or runs.run_folder("playground"))
            self.saved.value = f"saved as {os.path.relpath(file)}"
        except OSError as error:
            self.saved.value = f"not saved: {error}"
