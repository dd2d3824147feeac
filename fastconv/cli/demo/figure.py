"""The demo's picture: photograph, times, training curve and learnt filters on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastconv.cli.demo.photograph import FILTERS
from fastconv.cli.output import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Array = NDArray[Any]
Bars = tuple[str, dict[str, float]]

_INK, _FAINT, _ACCENT, _SECOND = "#22303c", "#8a96a3", "#d1495b", "#2e6f95"
_OTHERS = "#b8c4ce"
_STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def write_figure(
    path: Path,
    *,
    photograph: Array,
    pictures: Array,
    bars: Sequence[Bars],
    losses: Sequence[float],
    accuracies: Sequence[float],
    filters: Array,
    target: float,
    caption: str,
) -> None:
    """Draw everything and save it in the format that the path's suffix names.

    ``photograph`` is (H, W, 3) and ``pictures`` (4, H, W, 3), all in 0..1; ``bars`` pairs a task
    with seconds by name; ``filters`` are the first layer's (O, 1, KH, KW).
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure  # without pyplot: no window system is asked

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(14, 8.2), dpi=130, facecolor="white", layout="constrained")
        engine: Any = figure.get_layout_engine()
        engine.set(w_pad=0.08, h_pad=0.06)
        parts: Any = figure.subfigures(3, 1, height_ratios=(2.75, 5.2, 0.25))
        _draw_pictures(parts[0], photograph, pictures)
        panels: Any = parts[1].subfigures(1, 3, width_ratios=(1.35, 1.2, 0.95))
        _draw_bars(panels[0], bars)
        _draw_training(panels[1], losses, accuracies, target)
        _draw_filters(panels[2], filters)
        parts[2].text(0.993, 0.35, caption, ha="right", color=_FAINT, fontsize=9)
        figure.savefig(path)


def _heading(part: "Figure | SubFigure", text: str) -> None:
    part.suptitle(text, x=0.01, ha="left", fontsize=13, fontweight="bold")


def _title(axes: "Axes", text: str) -> None:
    axes.set_title(text, fontsize=10, loc="left", color=_INK)


def _bare(axes: "Axes") -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_pictures(part: "SubFigure", photograph: Array, pictures: Array) -> None:
    _heading(part, "A photograph, and four filters of 5 x 5 on its three channels")
    names = ("original", *FILTERS)
    for axes, picture, name in zip(
        part.subplots(1, len(names)), [photograph, *pictures], names, strict=True
    ):
        axes.imshow(picture, interpolation="antialiased")
        _title(axes, name)
        _bare(axes)


def _draw_bars(part: "SubFigure", bars: Sequence[Bars]) -> None:
    """One panel a task, all on one logarithmic scale, so that lengths compare across them."""
    _heading(part, "Median time (logarithmic scale)")
    heights = [len(times) + 0.8 for _, times in bars]
    panels = part.subplots(len(bars), 1, height_ratios=heights, sharex=True, squeeze=False)[:, 0]
    everything = [seconds for _, times in bars for seconds in times.values()]
    for axes, (task, times) in zip(panels, bars, strict=True):
        names, seconds = list(times), list(times.values())
        colours = [_ACCENT if name == "fastconv" else _OTHERS for name in names]
        axes.barh(names, seconds, height=0.7, color=colours)
        for row, (name, taken) in enumerate(times.items()):
            axes.annotate(
                duration(taken).replace("us", "µs"),
                (taken, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                fontweight="bold" if name == "fastconv" else "normal",
            )
        axes.set_xscale("log")
        axes.invert_yaxis()
        axes.grid(axis="x", color=_FAINT, alpha=0.25)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0, labelcolor=_INK)
        axes.tick_params(axis="x", which="both", length=0)
        axes.spines["bottom"].set_visible(False)
        _title(axes, task)
    # Room on the right for the longest bar's label.
    panels[0].set_xlim(min(everything) / 5, max(everything) * 6)
    panels[-1].xaxis.set_major_formatter(lambda seconds, _: _power_of_ten(seconds))


def _power_of_ten(seconds: float) -> str:
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.9 * scale:
            return f"{seconds / scale:.0f} {unit}"
    return ""


def _draw_training(
    part: "SubFigure", losses: Sequence[float], accuracies: Sequence[float], target: float
) -> None:
    _heading(part, "A small network learns to read digits")
    upper, lower = part.subplots(2, 1, sharex=True)
    epochs = np.arange(1, len(accuracies) + 1)
    steps = np.arange(1, len(losses) + 1) * len(accuracies) / len(losses)
    upper.plot(steps, losses, color=_OTHERS, linewidth=0.8)
    upper.plot(steps, _smooth(losses), color=_SECOND, linewidth=2)
    upper.set_yscale("log")
    _title(upper, "loss of each step, and its moving average")
    wrong = [100 * (1 - share) for share in accuracies]
    lower.plot(epochs, wrong, color=_ACCENT, linewidth=2, marker="o", markersize=4)
    lower.axhline(100 * (1 - target), color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
    lower.set_ylim(0, max(*wrong, 100 * (1 - target), 1.0) * 1.12)
    lower.annotate(
        f"{accuracies[-1]:.1%} right",
        (epochs[-1], max(wrong[-1], 100 * (1 - target))),
        xytext=(0, 8),
        textcoords="offset points",
        ha="right",
        color=_ACCENT,
        fontweight="bold",
    )
    _title(lower, f"errors on held-back images, % (dashed: {target:.0%} right)")
    lower.set_xlabel("epoch")
    lower.xaxis.get_major_locator().set_params(integer=True)


def _smooth(losses: Sequence[float]) -> Array:
    """Exponential moving average that starts at the first loss."""
    smoothed = np.array(losses, float)
    for i in range(1, len(smoothed)):
        smoothed[i] = 0.9 * smoothed[i - 1] + 0.1 * smoothed[i]
    return smoothed


def _draw_filters(part: "SubFigure", filters: Array) -> None:
    _heading(part, "What its first layer sees")
    axes = part.subplots()
    limit = float(np.abs(filters).max()) or 1.0
    axes.imshow(mosaic(filters[:, 0]), cmap="RdBu_r", vmin=-limit, vmax=limit)
    _title(axes, "weights: red adds, blue takes away")
    axes.set_anchor("N")
    _bare(axes)


def mosaic(filters: Array, cell: int = 6, gap: int = 4) -> Array:
    """Filters (O, KH, KW) as one picture, in a square with NaN between them."""
    count, height, width = filters.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    high, wide = height * cell + gap, width * cell + gap
    picture = np.full((rows * high - gap, columns * wide - gap), np.nan)
    for index, weights in enumerate(filters):
        top, left = index // columns * high, index % columns * wide
        enlarged = np.kron(weights, np.ones((cell, cell)))
        picture[top : top + height * cell, left : left + width * cell] = enlarged
    return picture
