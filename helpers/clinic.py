"""Train a GAN under observation, keep its chart, and draw two charts side by side (lesson 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from helpers import plotting, training
from helpers._backend import keras, tf
from helpers.adversarial import AdversarialModel
from helpers.image_set import to_float
from helpers.statistics import append, number
from helpers.symptoms import Symptoms

Array = NDArray[Any]

SNAPSHOTS = 4
"""Moments at which a chart keeps samples, evenly spread, the last at the end."""
SHOWN = 400
"""Points in a snapshot; of pictures, twenty."""
LEAST = 1e-5
"""Gradients shorter than this are drawn so long, on a logarithmic axis."""
SPAN = 100.0
"""That axis reaches over at least this factor, so that it has two ticks."""


@dataclass(frozen=True)
class Chart:
    """What was seen of one training.

    Attributes:
        curves: ``step``, the losses, and the lengths of the gradients, one value a step.
        looks: see :class:`helpers.statistics.Statistics`.
        found: list of (step, name of the symptom, sentence), in the order they were told.
        snapshots: list of (step, samples of the same z), float points or pictures.
        real: some of what it was trained on, as many as in a snapshot.
        generator: as training left it.
    """

    curves: dict[str, list[float]] = field(repr=False)
    looks: dict[str, list[float]] = field(repr=False)
    found: list[tuple[int, str, str]]
    snapshots: list[tuple[int, Array]] = field(repr=False)
    real: Array = field(repr=False)
    generator: keras.Model = field(repr=False)

    @property
    def names(self) -> list[str]:
        """The symptoms' names, each once, in the order they were told."""
        return list(dict.fromkeys(name for _, name, _ in self.found))


class _Recorder(keras.callbacks.Callback):
    """Notes every step's curves, and samples of the same z now and then."""

    def __init__(self, z: Any, at: Sequence[int]) -> None:
        super().__init__()
        self.z, self.at = z, set(at)
        self.curves: dict[str, list[float]] = {}
        self.snapshots: list[tuple[int, Array]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """One value more in every curve."""
        kept = {n: v for n, v in (logs or {}).items() if n.endswith(("_loss", "_gradient"))}
        step = self.model.steps_done()
        append(self.curves, {"step": step, **{name: number(v) for name, v in kept.items()}})
        if step in self.at:
            self._snapshot(step)

    def on_train_end(self, logs: Any = None) -> None:
        """However it ended, the last samples."""
        step = self.model.steps_done()
        if not self.snapshots or self.snapshots[-1][0] != step:
            self._snapshot(step)

    def _snapshot(self, step: int) -> None:
        self.snapshots.append((step, training.answers(self.model.generator, [self.z], SHOWN)))


class _Watch(Symptoms):
    """All symptoms but that of a slow stream: here all data lie in memory.

    A step that waits all the same says how busy the machine is, and nothing of the training.
    """

    def watch(self, stream: Any) -> Any:
        """The same stream, not watched."""
        return stream


def observe(
    gan: AdversarialModel,
    data: Array,
    *,
    steps: int,
    batch_size: int,
    minutes: float,
    held_out: Array | None = None,
) -> Chart:
    """Train a compiled GAN with its symptoms watched; they tell what they find as they find it.

    Args:
        gan: compiled; its seed is that of the batches, too.
        data: uint8 pictures (n, height, width, channels), or float points (n, 2).
        steps: of training.
        batch_size: of real samples.
        minutes: training ends after so many, if the steps have not.
        held_out: data of the same kind that is not trained on, to see whether the
            discriminator knows its training data by heart.

    Raises:
        ValueError: not one whole batch of data.
    """
    if len(data) < batch_size:
        raise ValueError(f"{len(data)} samples do not make one batch of {batch_size}.")
    data = to_float(data) if data.dtype == np.uint8 else data
    shown = SHOWN if data.ndim == 2 else 20
    z = training.noise(shown, gan.latent_dim, kind=gan.noise_kind, seed=99).numpy()
    recorder = _Recorder(z, [steps * (i + 1) // SNAPSHOTS for i in range(SNAPSHOTS)])
    symptoms = _Watch(data[:32], z, share=1.0, held_out=held_out)
    batches = stream(data, batch_size=batch_size, seed=gan.seed)
    callbacks = [symptoms, recorder, training.TimeBudget(minutes)]
    gan.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=callbacks)
    snapshots, real = recorder.snapshots, data[:shown]
    return Chart(recorder.curves, symptoms.history, symptoms.found, snapshots, real, gan.generator)


def stream(data: Array, *, batch_size: int, seed: int) -> Any:
    """Endless batches of an array of floats, shuffled by a seed: a ``tf.data.Dataset``."""
    batches = tf.data.Dataset.from_tensor_slices(data).shuffle(len(data), seed=seed)
    return batches.repeat().batch(batch_size).prefetch(2)


def side_by_side(charts: Mapping[str, Chart]) -> Figure:
    """Charts from left to right: losses, lengths of the gradients, and samples below.

    Args:
        charts: for each title its chart; of several the first, the ill one, has a red title.
    """
    height = 3.4 if all(chart.real.ndim == 4 for chart in charts.values()) else 4.0
    figure = _new_figure(5.2 * len(charts), height)
    parts = figure.subfigures(1, len(charts), squeeze=False, wspace=0.03).flat
    for i, (part, (title, chart)) in enumerate(zip(parts, charts.items(), strict=True)):
        colour = plotting.FAKE_COLOUR if i == 0 and len(charts) > 1 else "black"
        part.suptitle(title, color=colour, fontsize=10, x=0.02, ha="left")
        _draw(part, chart)
    return figure


def quiz(charts: Sequence[Chart], columns: int = 2) -> Figure:
    """Charts with nothing but their numbers, 1 for the first."""
    rows = -(-len(charts) // columns)
    figure = _new_figure(5.2 * columns, 4.0 * rows)
    parts = figure.subfigures(rows, columns, squeeze=False).flat
    for i, (part, chart) in enumerate(zip(parts, charts, strict=False), start=1):
        part.suptitle(f"chart {i}", fontsize=11, x=0.02, ha="left")
        _draw(part, chart)
    return figure


def _new_figure(width: float, height: float) -> Figure:
    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)  # kept out of pyplot's list, so that nothing shows twice
    return figure


def _draw(part: Any, chart: Chart) -> None:
    upper, lower = part.subfigures(2, 1, height_ratios=(1.3, 1))
    _draw_curves(upper.subplots(1, 2), chart)
    _draw_samples(lower, chart)


def _draw_curves(axes: Any, chart: Chart) -> None:
    plotting.draw_losses(axes[0], chart.curves)
    steps = np.asarray(chart.curves["step"])
    for name, label, colour in (
        ("d_gradient", "discriminator", plotting.D_COLOUR),
        ("g_gradient", "generator", plotting.G_COLOUR),
    ):
        lengths = np.asarray(chart.curves[name])
        known = np.isfinite(lengths)
        smooth = plotting.smooth(lengths[known], max(1, len(steps) // 40))
        axes[1].plot(steps[known], np.maximum(smooth, LEAST), color=colour, label=label)
    axes[1].set(yscale="log", xlabel="training step", ylabel="length of the gradient")
    low, high = axes[1].get_ylim()
    if high < SPAN * low:  # or a wobble would look like an explosion
        middle, reach = np.sqrt(low * high), np.sqrt(SPAN)
        axes[1].set_ylim(middle / reach, middle * reach)
    plotting.plain_ticks(axes[1])
    for ax in axes:
        ax.xaxis.label.set_size(8)
        ax.yaxis.label.set_size(8)
        ax.tick_params(labelsize=7, which="both")
    axes[0].legend(fontsize=7)  # where there is room


def _draw_samples(figure: Any, chart: Chart) -> None:
    """Points at each snapshot over real ones, or the last sheet of pictures."""
    step, samples = chart.snapshots[-1]
    if samples.ndim == 4:
        axes = figure.subplots()
        plotting.show_sheet(axes, samples, 10)
        axes.set_title(f"step {step:,}", fontsize=8)
        return
    grid = np.atleast_1d(figure.subplots(1, len(chart.snapshots)))
    for axes, (step, points) in zip(grid, chart.snapshots, strict=True):
        reach = max(3.0, 1.1 * float(np.percentile(np.abs(points), 99)))
        axes.scatter(*chart.real.T, s=1, color=plotting.REAL_COLOUR, alpha=0.3)
        axes.scatter(*points.T, s=2, color=plotting.FAKE_COLOUR)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
        axes.set_title(f"step {step:,}" + (f", ±{reach:.0f}" if reach > 3 else ""), fontsize=8)
