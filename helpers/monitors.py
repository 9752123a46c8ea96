"""The live figure: losses over samples of the same z, redrawn while training goes on."""

import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from helpers import files, plotting
from helpers._backend import keras
from helpers.statistics import Allowance, Statistics, append, fixed, number

__all__ = ["LiveFigure", "Statistics"]

Array = NDArray[Any]

DRAWING_SHARE = 0.02
"""Of the time; with the first and the last figure, which are not counted, under 4 % of a minute."""


class LiveFigure(keras.callbacks.Callback):
    """Losses above, samples of the same z below, redrawn in place while training goes on.

    In a notebook (JupyterLab, Colab, VS Code) the figure is redrawn in its cell; elsewhere
    each redrawing goes to ``folder/progress.png``. At every snapshot the sampler draws
    from the very same z, so that frames can be compared. Memory and drawing time stay
    bounded: when the list of snapshots is full every second one is dropped and the interval
    doubles, and what would make drawing more than a fiftieth of the time is left out,
    the first figure and the last excepted. The time that ``score`` takes is not counted.

    Args:
        z: what the sampler is given, always the same: latent vectors (n, latent_dim);
            a list [z, condition] for a conditional generator; pictures for a CycleGAN.
        seconds: time between snapshots, at first. The first comes before training, the
            last after it, always.
        minutes: the time budget, if there is one, to show the time left.
        title: above the figure.
        folder: where to write ``progress.png``.
        score: maps the sampler to a number, kept with each snapshot and drawn.
        score_name: what that number is called.
        columns: pictures in a row of the sheet.
        caption: over the sheet.
        real: real pictures to show below the samples, both then with the discriminator's score
            above each (1: real for sure), the moving statistics of its layers in use.
        keep: the most snapshots kept.

    Attributes:
        history: ``step``, ``seconds`` and every loss in the logs (names that end in ``_loss``,
            else ``loss``), one value a step; NaN where a step did not log it.
        snapshots: list of (step, seconds, uint8 pictures), or float points (n, 2).
        scores: list of (step, seconds, score).
    """

    history: dict[str, list[float]]
    snapshots: list[tuple[int, float, Array]]
    scores: list[tuple[int, float, float]]

    def __init__(
        self,
        z: Any,
        *,
        seconds: float = 5.0,
        minutes: float | None = None,
        title: str = "",
        folder: pathlib.Path | None = None,
        score: Callable[[keras.Model], float] | None = None,
        score_name: str = "Fréchet distance",
        columns: int = 10,
        caption: str = "the same z at every snapshot",
        real: Any = None,
        keep: int = 64,
    ) -> None:
        super().__init__()
        self.z = fixed(z)
        self.seconds = seconds
        self.minutes = minutes
        self.title = title
        self.folder = folder
        self.score = score
        self.score_name = score_name
        self.columns = columns
        self.caption = caption
        self.real = None if real is None else plotting.as_uint8(real)
        self.keep = keep
        self._continued = False
        self._forget()

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock and take the snapshot of the untrained generator.

        After :meth:`load_state` the record goes on instead.
        """
        if not self._continued:
            self._forget()
        self.began = time.monotonic() - self._seconds_before
        self._drawing = Allowance(DRAWING_SHARE)
        self._display: Any = None
        if self.snapshots:
            self._show()
        else:
            self._snapshot(show=True)
        self._drawing = Allowance(DRAWING_SHARE)  # the first one loaded fonts: no measure

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note the losses; every so many seconds take a snapshot and redraw."""
        self.steps += 1
        losses = {name: number(value) for name, value in plotting.losses_in(logs or {}).items()}
        append(self.history, {"step": self.steps, "seconds": self.elapsed, **losses})
        if self.elapsed - self.snapshots[-1][1] >= self._interval:
            trained = self.elapsed - self._seconds_before
            self._snapshot(show=self._drawing.permits(trained))

    def on_train_end(self, logs: Any = None) -> None:
        """The last snapshot and figure, whenever training ended."""
        self._continued = False
        if self.snapshots[-1][0] != self.steps:
            self._snapshot(show=True)
        elif self._shown_at != self.steps:
            self._show()

    @property
    def elapsed(self) -> float:
        """Seconds since training began; of a continued run, its earlier part included."""
        return time.monotonic() - self.began

    def state(self) -> dict[str, Any]:
        """All that is recorded, as arrays and JSON values, for a checkpoint."""
        steps, seconds, images = zip(*self.snapshots, strict=True) if self.snapshots else ([],) * 3
        return {
            "steps": self.steps,
            "seconds": self.elapsed,
            "interval": self._interval,
            "history": {name: np.asarray(values) for name, values in self.history.items()},
            "snapshot_steps": list(steps),
            "snapshot_seconds": list(seconds),
            "snapshots": np.asarray(images),
            "scores": [list(score) for score in self.scores],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` gave, before or at the beginning of ``.fit``."""
        self.history = {name: np.asarray(v).tolist() for name, v in state["history"].items()}
        at = zip(state["snapshot_steps"], state["snapshot_seconds"], strict=True)
        images = np.asarray(state["snapshots"])
        self.snapshots = [(*when, image) for when, image in zip(at, images, strict=True)]
        self.scores = [(step, seconds, score) for step, seconds, score in state["scores"]]
        self.steps, self._interval = int(state["steps"]), float(state["interval"])
        self._seconds_before = float(state["seconds"])
        self.began = time.monotonic() - self._seconds_before
        self._continued = True

    def figure(self) -> Figure:
        """The figure as it stands."""
        _, _, images = self.snapshots[-1]
        caption = self.caption
        if self.real is not None:
            images = np.concatenate([images, self.real])
            caption += ", then real pictures; above each, what the discriminator says"
        rows = -(-len(images) // self.columns) if images.ndim == 4 else 5
        height = 2.4 + 0.62 * rows
        figure, (top, bottom) = plotting.new_figure(
            max(7.0, 0.7 * self.columns), height, 2, 1, height_ratios=[2.2, height - 2.2]
        )
        plotting.draw_losses(top, self.history, coin_toss=_is_cross_entropy(self.model))
        if len(self.scores) > 1:
            self._draw_scores(top.twinx())
        top.set_title(f"{self.title}\n{self.status()}".strip(), fontsize=9, loc="left")
        if self.real is not None:
            plotting.show_verdicts(bottom, images, self._verdicts(images), self.columns, caption)
        elif images.ndim == 4:
            plotting.show_sheet(bottom, images, self.columns, caption)
        else:
            bottom.scatter(*images.T, s=4, color=plotting.FAKE_COLOUR)
            bottom.set_aspect("equal")
            bottom.set_title(caption, fontsize=10, loc="left")
        return figure

    def _verdicts(self, images: Array) -> Array:
        logits = self.model.discriminator(images / np.float32(127.5) - 1, training=False)
        verdicts = keras.ops.sigmoid(logits) if _is_cross_entropy(self.model) else logits
        return np.asarray(verdicts, np.float32)[:, 0]

    def status(self) -> str:
        """One line: step, time, speed, time left."""
        seconds = max(self.elapsed, 1e-9)
        parts = [f"step {self.steps:,}", f"{seconds:.0f} s", f"{self.steps / seconds:.1f} steps/s"]
        planned = (self.params.get("epochs") or 0) * (self.params.get("steps") or 0)
        left = [planned / self.steps * seconds - seconds] if planned and self.steps else []
        if self.minutes:
            left.append(60 * self.minutes - (seconds - self._seconds_before))
        if left and self.steps:
            parts.append(f"{max(0.0, min(left)):.0f} s left")
        if self.scores:
            parts.append(f"{self.score_name} {self.scores[-1][2]:.1f}")
        return " · ".join(parts)

    def _forget(self) -> None:
        self.history = {"step": [], "seconds": []}
        self.snapshots, self.scores = [], []
        self.steps, self._interval, self._shown_at = 0, self.seconds, -1
        self._seconds_before, self.began = 0.0, time.monotonic()

    def _snapshot(self, *, show: bool) -> None:
        sampler = self.model.sampler
        with self._drawing:
            samples = np.asarray(sampler(self.z, training=False))
            images = plotting.as_uint8(samples) if samples.ndim == 4 else samples
        self.snapshots.append((self.steps, self.elapsed, images))
        if self.score is not None:
            self.scores.append((self.steps, self.elapsed, float(self.score(sampler))))
        if len(self.snapshots) > self.keep:
            self.snapshots = [*self.snapshots[:-1:2], self.snapshots[-1]]
            self._interval *= 2
        if show:
            with self._drawing:
                self._show()

    def _draw_scores(self, axes: Any) -> None:
        steps, _, values = zip(*self.scores, strict=True)
        colour = plotting.SCORE_COLOUR
        axes.plot(steps, values, "o-", color=colour, markersize=3, label=self.score_name)
        axes.set_ylabel(self.score_name, color=colour)
        axes.set_yscale("log")
        plotting.plain_ticks(axes)

    def _show(self) -> None:
        self._shown_at = self.steps
        in_notebook = _in_notebook()
        folder = self.folder if files.is_chief() else None  # others need not even draw
        if folder is None and not in_notebook:
            return
        figure = self.figure()
        if folder is not None:  # whole or not at all: somebody may be looking at the file
            with files.whole(folder / "progress.png") as new:
                figure.savefig(new, dpi=100)
        if not in_notebook:
            return
        from IPython.display import display

        if self._display is None:
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)


def _is_cross_entropy(model: Any) -> bool:
    return getattr(model, "loss_name", None) in ("non_saturating", "saturating")


def _in_notebook() -> bool:
    """Whether pictures can be shown in a cell's output (JupyterLab, Colab, VS Code)."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
