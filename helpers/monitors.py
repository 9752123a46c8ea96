"""Callbacks that let one see a GAN train: live losses over a sheet of the same z."""

import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from helpers import plotting
from helpers._backend import keras


class LiveFigure(keras.callbacks.Callback):
    """Losses above, samples of the same z below, redrawn in place while training goes on.

    In a notebook the figure is redrawn in its cell; elsewhere each redrawing goes to
    ``folder/progress.png``. At every snapshot the sampler draws from the very same z,
    so that frames can be compared. Memory and drawing time stay bounded: when the list
    of snapshots is full every second one is dropped and the interval doubles.

    Args:
        z: fixed latent vectors (n, latent_dim).
        seconds: time between snapshots, at first. The first comes before training, the
            last after it, always.
        minutes: the time budget, if there is one, to show the time left.
        title: above the figure.
        folder: where to write ``progress.png``.
        score: maps the sampler to a number, kept with each snapshot and drawn.
        score_name: what that number is called.
        columns: pictures in a row of the sheet.
        keep: the most snapshots kept.

    Attributes:
        history: ``step``, ``seconds``, ``d_loss``, ``g_loss``, one value a step.
        snapshots: list of (step, seconds, uint8 pictures).
        scores: list of (step, seconds, score).
    """

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
        keep: int = 64,
    ) -> None:
        super().__init__()
        self.z = np.asarray(z)
        self.seconds = seconds
        self.minutes = minutes
        self.title = title
        self.folder = folder
        self.score = score
        self.score_name = score_name
        self.columns = columns
        self.keep = keep
        self.history: dict[str, list[float]] = {}
        self.snapshots: list[tuple[int, float, NDArray[np.uint8]]] = []
        self.scores: list[tuple[int, float, float]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock and take the snapshot of the untrained generator."""
        self.history = {"step": [], "seconds": [], "d_loss": [], "g_loss": []}
        self.snapshots, self.scores = [], []
        self.began, self.steps, self._interval = time.monotonic(), 0, self.seconds
        self._display: Any = None
        self._snapshot()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note the losses; every so many seconds take a snapshot and redraw."""
        self.steps += 1
        self.history["step"].append(self.steps)
        self.history["seconds"].append(self.elapsed)
        for name in ("d_loss", "g_loss"):
            self.history[name].append(float((logs or {})[name]))
        if self.elapsed - self.snapshots[-1][1] >= self._interval:
            self._snapshot()

    def on_train_end(self, logs: Any = None) -> None:
        """The last snapshot, whenever training ended."""
        if self.snapshots[-1][0] != self.steps:
            self._snapshot()

    @property
    def elapsed(self) -> float:
        """Seconds since training began."""
        return time.monotonic() - self.began

    def figure(self) -> Figure:
        """The figure as it stands."""
        rows = -(-len(self.z) // self.columns)
        height = 2.4 + 0.62 * rows
        figure, (top, bottom) = plotting.new_figure(
            max(7.0, 0.7 * self.columns), height, 2, 1, height_ratios=[2.2, height - 2.2]
        )
        plotting.draw_losses(top, self.history)
        if len(self.scores) > 1:
            self._draw_scores(top.twinx())
        top.set_title(f"{self.title}\n{self.status()}".strip(), fontsize=9, loc="left")
        _, _, images = self.snapshots[-1]
        plotting.show_sheet(bottom, images, self.columns, "the same z at every snapshot")
        return figure

    def status(self) -> str:
        """One line: step, time, speed, time left."""
        seconds = max(self.elapsed, 1e-9)
        parts = [f"step {self.steps:,}", f"{seconds:.0f} s", f"{self.steps / seconds:.1f} steps/s"]
        planned = (self.params.get("epochs") or 0) * (self.params.get("steps") or 0)
        left = [planned / self.steps * seconds - seconds] if planned and self.steps else []
        if self.minutes:
            left.append(60 * self.minutes - seconds)
        if left and self.steps:
            parts.append(f"{max(0.0, min(left)):.0f} s left")
        if self.scores:
            parts.append(f"{self.score_name} {self.scores[-1][2]:.1f}")
        return " · ".join(parts)

    def _snapshot(self) -> None:
        sampler = self.model.sampler
        images = plotting.as_uint8(sampler(self.z, training=False))
        self.snapshots.append((self.steps, self.elapsed, images))
        if self.score is not None:
            self.scores.append((self.steps, self.elapsed, float(self.score(sampler))))
        if len(self.snapshots) > self.keep:
            self.snapshots = [*self.snapshots[:-1:2], self.snapshots[-1]]
            self._interval *= 2
        self._show()

    def _draw_scores(self, axes: Any) -> None:
        steps, _, values = zip(*self.scores, strict=True)
        axes.plot(steps, values, "o-", color="#2ca02c", markersize=3, label=self.score_name)
        axes.set_ylabel(self.score_name, color="#2ca02c")
        axes.set_yscale("log")

    def _show(self) -> None:
        in_notebook = _in_notebook()
        if self.folder is None and not in_notebook:
            return
        figure = self.figure()
        if self.folder is not None:
            figure.savefig(self.folder / "progress.png", dpi=100)
        if not in_notebook:
            return
        from IPython.display import display

        if self._display is None:
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)


def _in_notebook() -> bool:
    """Whether pictures can be shown in a cell's output (JupyterLab, Colab, VS Code)."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
