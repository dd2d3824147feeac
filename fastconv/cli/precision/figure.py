"""Speed against error, one point for each precision."""

from collections.abc import Sequence
from pathlib import Path

from fastconv.cli.precision.variants import EXACT, Measured

_INK, _FAINT, _NAMED, _OWN = "#22303c", "#8a96a3", "#2e6f95", "#d1495b"
# Where no error is, on a logarithmic axis.
_LEAST = 1e-9


def write_figure(path: Path, rows: Sequence[Measured], batch: int, caption: str) -> None:
    """Draw the points and save them in the format that the path's suffix names."""
    from matplotlib.figure import Figure  # without pyplot: no window system is asked

    figure = Figure(figsize=(9, 5.6), dpi=130, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    # Neighbours' labels alternate, above and below.
    inexact = sorted((row for row in rows if row.name != EXACT), key=lambda row: row.error)
    for number, row in enumerate(inexact):
        speed, error = batch / row.seconds, max(row.error, _LEAST)
        own = row.name.endswith((" arrays", " net"))
        axes.plot(speed, error, "s" if own else "o", color=_OWN if own else _NAMED, ms=7)
        axes.annotate(
            f"{row.name}, {row.accuracy:.1%}",
            (speed, error),
            (6, 5 if number % 2 else -11),
            textcoords="offset points",
            color=_INK,
            fontsize=8,
        )
    exact = next(row for row in rows if row.name == EXACT)
    axes.axvline(batch / exact.seconds, color=_FAINT, ls=":", label=f"speed of {EXACT}")
    axes.set(xlabel="images in a second", ylabel=f"largest error against {EXACT}")
    axes.set_yscale("log")
    axes.margins(x=0.2, y=0.12)
    axes.grid(visible=True, which="major", color=_FAINT, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        "A net in every precision: speed against error, and images read right",
        loc="left",
        color=_INK,
    )
    axes.plot([], [], "o", color=_NAMED, label="float32 arrays, precision=")
    axes.plot([], [], "s", color=_OWN, label="arrays of that type")
    axes.legend(frameon=False, loc="best")
    figure.text(0.995, 0.003, caption, ha="right", color=_FAINT, fontsize=8)
    figure.savefig(path)
