"""What was measured, as a table: cuDNN's best time over ours, so that above 1 is a win."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log


@dataclass(frozen=True, slots=True)
class Row:
    """One layer's pass in one precision, and our layout of its images.

    Times are seconds; `peak` is the share of the card's peak rate that we reached.
    """

    layer: str
    pass_: str
    precision: str
    layout: str
    algorithm: str
    ours: float
    theirs: float
    peak: float

    @property
    def ratio(self) -> float:
        """Their time over ours."""
        return self.theirs / self.ours


def geomean(values: Iterable[float]) -> float:
    """Return the geometric mean; NaN of nothing.

    Examples
    --------
    >>> round(geomean([0.5, 2.0, 1.0]), 6)
    1.0
    """
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs)) if logs else float("nan")


def summary(rows: Sequence[Row]) -> list[tuple[str, str, str, float, float]]:
    """Return (precision, pass, layout, geomean, lowest ratio) of each group, in order."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        groups.setdefault((row.precision, row.pass_, row.layout), []).append(row.ratio)
    return [(*key, geomean(ratios), min(ratios)) for key, ratios in groups.items()]


def markdown(rows: Sequence[Row], heading: str) -> str:
    """Return the tables as a section of docs/gpu-results.md."""
    lines = [f"## {heading}", "", "| precision | pass | layout | geomean | lowest |"]
    lines.append("|---|---|---|---|---|")
    for precision, pass_, layout, mean, low in summary(rows):
        lines.append(f"| {precision} | {pass_} | {layout} | {mean:.2f} | {low:.2f} |")
    lines += ["", "| layer | pass | precision | layout | algorithm | ours, us | ratio | of peak |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        lines.append(
            f"| {row.layer} | {row.pass_} | {row.precision} | {row.layout} | {row.algorithm} | "
            f"{row.ours * 1e6:.1f} | {row.ratio:.2f} | {row.peak:.0%} |"
        )
    return "\n".join([*lines, ""])
