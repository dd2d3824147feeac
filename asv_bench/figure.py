"""A run as one picture: how many times faster fastconv is, layer by layer, for each pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asv_bench.cases import Pass
from asv_bench.names import OWN
from asv_bench.record import Record
from asv_bench.report import TITLES
from asv_bench.rules import geomean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _FAINT = "#22303c", "#8a96a3"
_WON, _LOST, _OTHER = "#2e6f95", "#d1495b", "#22303c"
_PANELS: tuple[Pass, ...] = ("forward", "input_grad", "weight_grad")
# Bars first, then a mark for each further configuration: matplotlib's names, and in text.
_MARKERS, _SIGNS = "D^o", "■◆▲●"
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    # Text stays text, and equal figures are equal files.
    "svg.fonttype": "none",
    "svg.hashsalt": "fastconv",
}


def write(path: Path, records: Sequence[Record]) -> None:
    """Draw bars of the first configuration, a mark for each other, in the suffix's format."""
    import matplotlib as mpl
    from matplotlib.figure import Figure  # without pyplot: no window system is asked

    records = records[: len(_SIGNS)]
    panels = [which for which in _PANELS if records[0].ratios(which)]
    if not panels:
        raise SystemExit("python -m asv_bench: --figure: nothing was compared, nothing to draw")
    most = max(len(records[0].ratios(which)) for which in panels)
    with mpl.rc_context(_STYLE):
        figure = Figure(
            figsize=(4.7 * len(panels), 1.7 + 0.2 * most), facecolor="white", layout="constrained"
        )
        engine: Any = figure.get_layout_engine()
        engine.set(w_pad=0.12, h_pad=0.06)
        figure.suptitle(_caption(records), x=0.005, ha="left", fontsize=13, fontweight="bold")
        figure.supxlabel(_legend(records), x=0.995, ha="right", fontsize=9, color=_INK)
        all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, which in zip(all_axes, panels, strict=True):
            _draw(axes, which, records)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=150, metadata=metadata)


def _caption(records: Sequence[Record]) -> str:
    rivals = sorted({name for record in records for name in record.versions} - {OWN})
    return f"How many times faster than {' and '.join(rivals)}, {records[0].configuration.dtype}"


def _legend(records: Sequence[Record]) -> str:
    marks = zip(_SIGNS, map(_threads, records), strict=False)
    return ",  ".join(f"{sign} {threads}" for sign, threads in marks) + ";  bold: geometric mean"


def _threads(record: Record) -> str:
    threads = record.configuration.threads
    return f"{threads} thread" + "s" * (threads > 1)


def _draw(axes: Axes, which: Pass, records: Sequence[Record]) -> None:
    """Sorted bars, the best on top; the axis is logarithmic, so that 2 and 1/2 are as far off."""
    ratios = records[0].ratios(which)
    rows = {layer: row for row, layer in enumerate(ratios)}
    values = list(ratios.values())
    colours = [_WON if value >= 1 else _LOST for value in values]
    axes.barh(list(rows), [value - 1 for value in values], left=1, height=0.72, color=colours)
    for record, marker in zip(records[1:], _MARKERS, strict=False):
        others = {layer: ratio for layer, ratio in record.ratios(which).items() if layer in rows}
        axes.plot(list(others.values()), list(others), marker, color=_OTHER, markersize=3.2)
        values += others.values()
    _scale(axes, min(*values, 1.0) / 1.2, max(*values, 1.0) * 1.2)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_title(TITLES[which], fontsize=11, loc="left", fontweight="bold")
    for number, record in enumerate(records):
        _numbers(axes, number, rows, record.ratios(which))


def _scale(axes: Axes, low: float, high: float) -> None:
    from matplotlib.ticker import NullLocator

    axes.axvline(1, color=_INK, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks([tick for tick in _TICKS if low <= tick <= high])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=0)
    axes.grid(axis="x", color=_FAINT, alpha=0.25)
    axes.set_axisbelow(True)


def _numbers(axes: Axes, column: int, rows: dict[str, int], ratios: dict[str, float]) -> None:
    """Write a record's ratios in a column beside the bars, under their geometric mean."""
    x = 1.11 + 0.15 * column
    mean = f"{geomean(ratios.values()):.2f}"
    for text, height, weight in ((_SIGNS[column], 18, "normal"), (mean, 5, "bold")):
        axes.annotate(
            text,
            (x, 1),
            xycoords="axes fraction",
            xytext=(0, height),
            textcoords="offset points",
            ha="right",
            fontweight=weight,
        )
    for layer, row in rows.items():
        if layer in ratios:
            axes.text(
                x,
                row,
                f"{ratios[layer]:.2f}",
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="center",
                fontsize=8,
                color=_INK if ratios[layer] >= 1 else _LOST,
            )
