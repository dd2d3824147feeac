"""Cut a convolution's columns into panels that fit the cache and the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem

# A panel should still be in the second-level cache when BLAS reads it.
PANEL_BYTES = 2**20
# Below so many columns a product is bound by its overhead; worth leaving the cache for.
LEAST_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """The extents of a convolution as a matrix product, per group where that applies."""

    images: int
    groups: int
    rows: int
    channels: int
    positions: int

    @classmethod
    def of(cls, problem: ConvProblem) -> Sizes:
        """Return a problem's sizes: weight is (channels, rows), columns (rows, positions)."""
        return cls(
            images=problem.y.shape[0],
            groups=problem.groups,
            rows=problem.weight.shape[1] * prod(problem.kernel),
            channels=problem.weight.shape[0] // problem.groups,
            positions=prod(problem.y.shape[2:]),
        )


@dataclass(frozen=True, slots=True)
class Blocks:
    """How much of each extent one step takes.

    Several images only if a panel holds all of their positions; part of a group's rows or
    output channels only if a panel holds a single group.
    """

    images: int
    groups: int
    rows: int
    channels: int
    positions: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Bytes of workspace: for each column of a group, by row and by channel, and fixed.

    `fixed_channel` is what each output channel of a group takes for all groups, once.
    """

    row: int
    channel: int
    fixed_channel: int = 0


def choose_blocks(sizes: Sizes, costs: Costs, limit: int) -> Blocks | None:
    """Return blocks within `limit` bytes, or None if even the smallest don't fit."""
    limit -= 64 * 8  # what rounding scratch arrays up to cache lines may take
    if limit <= 0:
        return None
    channels = sizes.channels
    if costs.fixed_channel * channels > limit // 2:
        channels = limit // 2 // costs.fixed_channel
        if channels < 1:
            return None
    budget = limit - costs.fixed_channel * channels
    one_group = sizes.rows * costs.row + channels * costs.channel
    everything = one_group * sizes.groups
    if everything <= budget and channels == sizes.channels:
        groups, column = sizes.groups, everything
    elif one_group <= budget:
        groups, column = 1, one_group
    else:
        return _split_rows(sizes, costs, channels, budget)
    column = max(column, 1)
    positions = min(max(PANEL_BYTES // column, LEAST_COLUMNS), budget // column)
    if positions < sizes.positions:
        return Blocks(1, groups, sizes.rows, channels, positions)
    images = max(1, min(sizes.images, positions // max(sizes.positions, 1)))
    return Blocks(images, groups, sizes.rows, channels, sizes.positions)


def _split_rows(sizes: Sizes, costs: Costs, channels: int, budget: int) -> Blocks | None:
    # Not even one column fits: take some rows of it at a time and add the products up.
    # An eighth of the budget at most goes to the output's side of a column.
    while channels > 1 and channels * costs.channel > budget // 8:
        channels = -(-channels // 2)
    left = budget - channels * costs.channel
    rows = min(left // costs.row, sizes.rows)
    return Blocks(1, 1, rows, channels, 1) if rows >= 1 else None


def panel_cost(problem: ConvProblem, dtype: str) -> int:
    """Return the bytes of a panel's element: twice, where it is converted after the copy."""
    size = itemsize(dtype)
    return size if dtype == problem.dtype else size + itemsize(problem.dtype)
