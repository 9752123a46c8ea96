"""Figures: sample sheets, loss curves, film strips, the game in two dimensions.

Every function that draws a figure returns it, so that it shows at a cell's end and can be saved.
Pictures may come as uint8 [0, 255] or float [-1, 1].
"""

import io
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray
from PIL import Image

from helpers import files

Array = NDArray[Any]

MOST_POINTS = 2000
"""Values of one curve that are drawn; more would cost time that no eye sees."""

REAL_COLOUR, FAKE_COLOUR, D_COLOUR, G_COLOUR = "#1f77b4", "#d62728", "#4c4c4c", "#e08214"
SCORE_COLOUR = "#00441b"
CYCLE = (REAL_COLOUR, G_COLOUR, SCORE_COLOUR, "#b6324c", "#572786", "#4ebec1")
"""One after the other; these and those above stay apart for the colour-blind (test_plotting)."""

plt.rc("axes", prop_cycle=cycler(color=CYCLE))

LABELS = {
    "d_loss": "discriminator", "g_loss": "generator", "real_loss": "D on real",
    "fake_loss": "D on fake", "frechet_distance": "Fréchet distance",
}  # fmt: skip
COLOURS = {
    "d_loss": D_COLOUR, "g_loss": G_COLOUR, "real_loss": REAL_COLOUR, "fake_loss": FAKE_COLOUR,
    "cycle_loss": "#572786", "identity_loss": "#2a9d8f",
}  # fmt: skip


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> Any:
    """A figure and its axes, kept out of pyplot's list so that nothing shows twice."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), layout="constrained", **kwargs
    )
    plt.close(figure)
    return figure, axes


class PlainLogFormatter(LogFormatter):
    """Labels the same ticks as its parent, but as 0.2 and 20000 and not as 2e−01 and 2e+04."""

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: D102
        return f"{x:g}" if super().__call__(x, pos) else ""


def plain_ticks(axes: Axes) -> None:
    """Write the ticks of logarithmic axes as 20 and not as 2 × 10¹."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(PlainLogFormatter(minor_thresholds=(1.5, 0.4)))


def as_uint8(images: Any) -> NDArray[np.uint8]:
    """Pictures for the screen: uint8 as they are, floats from [-1, 1] to [0, 255]."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    return np.clip(np.rint((images.astype(np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def tile(images: Any, columns: int, gap: int = 2) -> NDArray[np.uint8]:
    """One large uint8 picture with the given ones in rows of ``columns``, white between."""
    images = as_uint8(images)
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    sheet = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def show_sheet(axes: Axes, images: Any, columns: int, title: str = "") -> None:
    """Draw a sheet of pictures into given axes."""
    picture = tile(images, columns)
    axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=10, loc="left")


def show_verdicts(axes: Axes, images: Any, verdicts: Any, columns: int, title: str = "") -> None:
    """Draw a sheet of pictures into given axes, above each what a discriminator says of it."""
    images = as_uint8(images)
    room = max(4, images.shape[1] // 3)
    padded = np.pad(images, ((0, 0), (room, 0), (0, 0), (0, 0)), constant_values=255)
    show_sheet(axes, padded, columns, title)
    width, height = images.shape[2] + 2, padded.shape[1] + 2  # with the gap that tile leaves
    for i, verdict in enumerate(verdicts):
        x, y = (i % columns) * width + width / 2, (i // columns) * height + room - 2
        axes.text(x, y, f"{verdict:.2f}", fontsize=8, ha="center", va="bottom")


def sheet(
    images: Any,
    *,
    columns: int = 10,
    title: str = "",
    labels: Sequence[str] = (),
    size: float = 0.7,
) -> Figure:
    """A figure with a sheet of pictures, each ``size`` inches, with an optional line under each."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    if not labels:
        figure, axes = new_figure(columns * size, rows * size + 0.35)
        show_sheet(axes, images, columns, title)
        return figure
    figure, grid = new_figure(
        columns * size, rows * (size + 0.3) + 0.4, rows, columns, squeeze=False
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image, label in zip(grid.flat, as_uint8(images), labels, strict=False):
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        # Not a title: the layout leaves no room for one below the axes.
        axes.text(0.5, -0.06, label, fontsize=9, ha="center", va="top", transform=axes.transAxes)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def sheets(rows: Mapping[str, Any], *, columns: int = 10, size: float = 0.7) -> Figure:
    """Several titled sheets, one under the other."""
    heights = [-(-len(images) // columns) * size for images in rows.values()]
    figure, axes = new_figure(
        columns * size,
        sum(heights) + 0.4 * len(rows),
        len(rows),
        height_ratios=heights,
        squeeze=False,
    )
    for ax, (title, images) in zip(axes[:, 0], rows.items(), strict=True):
        show_sheet(ax, images, columns, title)
    return figure


def smooth(values: Any, window: int) -> Array:
    """Running mean over ``window`` values (fewer at the start), for readable curves."""
    values = np.asarray(values, dtype=float)
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)


def losses_in(logs: Mapping[str, Any]) -> dict[str, Any]:
    """What is called a loss: every name that ends in ``_loss``; without any, ``loss``."""
    losses = {name: value for name, value in logs.items() if name.endswith("_loss")}
    return losses or {name: value for name, value in logs.items() if name == "loss"}


def draw_losses(
    axes: Axes, history: Mapping[str, Sequence[float]], *, coin_toss: bool = False
) -> None:
    """All losses over the steps, each step faint and its running mean strong, into axes.

    Args:
        axes: where to draw.
        history: ``step`` and the losses, one value a step; NaN is passed over.
        coin_toss: draw a line at ln 2, the cross-entropy of a discriminator that guesses.
    """
    shown: list[Array] = []
    for name, values in losses_in(history).items():
        known = np.isfinite(values)
        at, losses = np.asarray(history["step"])[known], np.asarray(values)[known]
        strong = smooth(losses, max(1, len(losses) // 40))
        some = slice(None, None, max(1, len(losses) // MOST_POINTS))
        colour = COLOURS.get(name)
        (line,) = axes.plot(at[some], losses[some], color=colour, alpha=0.2, linewidth=0.7)
        label = LABELS.get(name, name.removesuffix("_loss"))
        axes.plot(at[some], strong[some], color=line.get_color(), label=label)
        shown.append(losses)
    if coin_toss:
        label = "coin toss (ln 2)"
        axes.axhline(np.log(2), color="black", linewidth=0.6, linestyle=":", label=label)
    axes.set_xlabel("training step")
    axes.set_ylabel("loss")
    if any(len(losses) for losses in shown):
        low, high = np.percentile(np.concatenate(shown), (0.5, 99.5))
        room = 0.05 * (high - low) + 1e-6
        axes.set_ylim(low - room, high + 5 * room)  # above for the legend; no single peak counts
        axes.legend(loc="upper right", fontsize=8, ncols=3)


def losses(histories: Mapping[str, Mapping[str, Sequence[float]]], *, width: float = 9) -> Figure:
    """Loss curves of one or several runs side by side; each is a monitor's ``history``."""
    figure, axes = new_figure(width, 3.0, 1, len(histories), squeeze=False)
    for ax, (title, history) in zip(axes[0], histories.items(), strict=True):
        draw_losses(ax, history, coin_toss=True)
        ax.set_title(title, fontsize=10, loc="left")
    return figure


def film_strip(
    snapshots: Sequence[tuple[int, float, Array]], *, n: int = 8, frames: int = 8, title: str = ""
) -> Figure:
    """Training as a film: a column for each of ``frames`` moments, a row for each of n fixed z.

    Args:
        snapshots: a monitor's list of (step, seconds, uint8 pictures).
        n: how many of the pictures to follow.
        frames: how many moments, evenly spread.
        title: over the figure.
    """
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, frames).round().astype(int))
    figure, axes = new_figure(1.05 * len(chosen), 0.85 * n + 0.7, 1, len(chosen), squeeze=False)
    for ax, i in zip(axes[0], chosen, strict=True):
        step, seconds, images = snapshots[i]
        show_sheet(ax, images[:n], 1)
        ax.set_title(f"step {step:,}\n{seconds:.0f} s", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def gif(
    frames: Sequence[Array], path: pathlib.Path, *, seconds: float = 4.0, scale: int = 1
) -> pathlib.Path:
    """Write uint8 frames (height, width, channels) as an animation that repeats.

    The last frame stands for a second before the film begins again. Returns where it was
    written, which is ``path`` unless another worker is the one that writes there.
    """
    pictures = [Image.fromarray(frame.squeeze()) for frame in frames]
    pictures = [
        p.resize((p.width * scale, p.height * scale), Image.Resampling.NEAREST) for p in pictures
    ]
    each = int(1000 * seconds / len(pictures))
    durations = [each] * (len(pictures) - 1) + [each + 1000]
    with files.whole(path) as new:
        pictures[0].save(new, save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return files.place_of(path)


def png_of(figure: Figure, dpi: int = 72) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def light(figure: Figure, quality: int = 85) -> Any:
    """A figure of pictures as a JPEG, to end a cell with: a quarter of what its PNG weighs."""
    buffer, how = io.BytesIO(), {"quality": quality, "subsampling": 0}  # no color is averaged
    figure.savefig(buffer, format="jpeg", dpi=100, pil_kwargs=how)
    return display.Image(buffer.getvalue(), format="jpeg")


def frame_of(figure: Figure, dpi: int = 72) -> NDArray[np.uint8]:
    """A figure as a uint8 picture (height, width, 3), to become a frame of a GIF."""
    return np.asarray(Image.open(io.BytesIO(png_of(figure, dpi))).convert("RGB"))


def bars(
    shares: Mapping[str, Array],
    names: Sequence[str],
    *,
    title: str = "",
    level: float | None = None,
) -> Figure:
    """Grouped bars of shares per class, with a dotted line at ``level``."""
    figure, axes = new_figure(9, 2.6)
    width = 0.8 / len(shares)
    for k, (label, values) in enumerate(shares.items()):
        at = np.arange(len(names)) + (k - (len(shares) - 1) / 2) * width
        axes.bar(at, values, width, label=label)
    if level is not None:
        axes.axhline(level, color="black", linestyle=":", linewidth=0.8)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("share of samples")
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=8)
    return figure


def draw_game(
    axes: Axes,
    score: Callable[[Array], Array],
    real: Array,
    fake: Array,
    arrows: Array | None = None,
    *,
    reach: float = 3.2,
    title: str = "",
) -> None:
    """The two-dimensional game: D as a heat map, real and fake points, D's push as arrows.

    Args:
        axes: where to draw.
        score: maps points (n, 2) to D's probabilities of being real, (n,) or (n, 1).
        real: points (n, 2).
        fake: points (m, 2).
        arrows: vectors (k, 2), drawn as they are at the first k fake points; optional.
        reach: the picture shows [-reach, reach]².
        title: above.
    """
    ticks = np.linspace(-reach, reach, 61)
    field = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype(np.float32)
    axes.imshow(
        np.asarray(score(field)).reshape(61, 61),
        origin="lower",
        extent=(-reach, reach, -reach, reach),
        cmap="RdBu",
        vmin=0,
        vmax=1,
        alpha=0.55,
        interpolation="bilinear",
    )
    axes.scatter(real[:, 0], real[:, 1], s=4, color=REAL_COLOUR, label="real", alpha=0.6)
    axes.scatter(fake[:, 0], fake[:, 1], s=4, color=FAKE_COLOUR, label="fake", alpha=0.6)
    if arrows is not None:
        axes.quiver(
            *fake[: len(arrows)].T,
            *arrows.T,
            color="black",
            width=0.004,
            angles="xy",
            scale_units="xy",
            alpha=0.8,
        )
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)
