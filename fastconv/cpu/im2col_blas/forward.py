"""y = conv(x, weight): for each panel, weight matrix times columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.cpu.blocking import Blocks, Costs, Sizes, choose_blocks, panel_cost
from fastconv.cpu.epilogue import finish
from fastconv.cpu.im2col_blas.common import ConvPlan, Span, copies_weight, spans, weight_matrices
from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize, spatial_matrix
from fastconv.problem import ConvProblem


def is_pointwise(problem: ConvProblem, dtype: str) -> bool:
    """Whether x itself is the matrix of columns: 1x1, and laid out as BLAS takes it."""
    return (
        dtype == problem.dtype
        and all(extent == 1 for extent in problem.kernel + problem.stride)
        and all(pair == (0, 0) for pair in problem.padding)
        and problem.x.shape[2:] == problem.y.shape[2:]
        and spatial_matrix(problem.x)
    )


def is_direct(problem: ConvProblem, dtype: str) -> bool:
    """Whether products can be written straight into y."""
    return dtype == problem.dtype and spatial_matrix(problem.y)


def plan_blocks(problem: ConvProblem, dtype: str, limit: int) -> Blocks | None:
    """Return the blocks that fit a workspace limit, or None."""
    sizes, size = Sizes.of(problem), itemsize(dtype)
    weight = size * sizes.rows * sizes.groups if copies_weight(problem, dtype) else 0
    direct = is_direct(problem, dtype)
    if direct and is_pointwise(problem, dtype) and weight * sizes.channels <= limit:
        return Blocks(sizes.images, sizes.groups, sizes.rows, sizes.channels, sizes.positions)
    channel = 0 if direct else size + itemsize(problem.dtype) * (dtype != problem.dtype)
    blocks = choose_blocks(sizes, Costs(panel_cost(problem, dtype), channel, weight), limit)
    if blocks is None or blocks.rows == sizes.rows:
        return blocks
    # Rows in parts need two products: the running sum and the part to be added.
    costs = Costs(panel_cost(problem, dtype), 2 * size + itemsize(problem.dtype), weight)
    return choose_blocks(sizes, costs, limit)


class Forward(ConvPlan):
    """Plan of ``conv_forward``."""

    def __init__(self, problem: ConvProblem, decision: Decision) -> None:
        super().__init__(problem, decision)
        dtype = self.dtype
        sizes, b, scratch = self.sizes, self.blocks, self.scratch
        self.split = b.rows < sizes.rows
        self.direct = is_direct(problem, dtype) and not self.split
        self.pointwise = self.direct and is_pointwise(problem, dtype)
        if copies_weight(problem, dtype):
            scratch.add("weight", (sizes.groups * b.channels * sizes.rows,), dtype)
        columns = (b.images * b.groups * b.rows * b.positions,)
        products = (b.images * b.groups * b.channels * b.positions,)
        if not self.pointwise:
            scratch.add("panel", columns, dtype)
            if self.narrow:
                scratch.add("raw", columns, problem.dtype)
        if not self.direct:
            scratch.add("sum", products, dtype)
            if self.narrow:
                scratch.add("rounded", products, problem.dtype)
        if self.split:
            scratch.add("part", products, dtype)

    def compute(self, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Any) -> None:
        """Fill y."""
        x, weight, *rest = inputs
        bias = rest[0].astype(self.dtype) if rest else None
        for channels in spans(self.sizes.channels, self.blocks.channels):
            matrices = weight_matrices(self, weight, channels, workspace)
            for images in spans(self.sizes.images, self.blocks.images):
                for groups in spans(self.sizes.groups, self.blocks.groups):
                    for positions in spans(self.sizes.positions, self.blocks.positions):
                        where = (images, groups, channels, positions)
                        self._step(x, matrices, bias, outputs[0], workspace, where)

    def _step(
        self,
        x: Any,
        matrices: Any,
        bias: Any,
        y: Any,
        workspace: Any,
        where: tuple[Span, Span, Span, Span],
    ) -> None:
        (n0, n1), (g0, g1), (o0, o1), (p0, p1) = where
        shape = (n1 - n0, g1 - g0, o1 - o0, p1 - p0)
        sizes = self.sizes
        if self.direct:
            grouped = y.reshape(sizes.images, sizes.groups, sizes.channels, sizes.positions)
            target = grouped[n0:n1, g0:g1, o0:o1, p0:p1]
        else:
            target = self.cut("sum", shape, workspace)
        for r0, r1 in spans(sizes.rows, self.blocks.rows):
            panel = self._panel(x, workspace, where, (r0, r1))
            into = target if r0 == 0 else self.cut("part", shape, workspace)
            np.matmul(matrices[g0:g1, :, r0:r1], panel, out=into)
            if r0 > 0:
                target += into
        # Either all of a group's channels are here, or a single group is.
        first = g0 * sizes.channels + o0
        if bias is not None:
            bias = bias[first : first + (g1 - g0) * (o1 - o0)]
        for group in range(g1 - g0) if self.direct else ():
            part = None if bias is None else bias[group * (o1 - o0) : (group + 1) * (o1 - o0)]
            finish(target[:, group], part, self.problem.activation, self.threads)
        if not self.direct:
            merged = target.reshape(n1 - n0, -1, p1 - p0)
            finish(merged, bias, self.problem.activation, self.threads)
            self._store(merged, y, workspace, (n0, first, p0))

    def _panel(
        self, x: Any, workspace: Any, where: tuple[Span, Span, Span, Span], rows: Span
    ) -> Any:
        (n0, n1), (g0, g1), _, (p0, p1) = where
        sizes = self.sizes
        if self.pointwise:
            grouped = x.reshape(sizes.images, sizes.groups, sizes.rows, sizes.positions)
            return grouped[n0:n1, g0:g1, :, p0:p1]
        count = (g1 - g0) * (rows[1] - rows[0])
        shape = (n1 - n0, count, p1 - p0)
        panel = self.cut("panel", shape, workspace)
        raw = self.cut("raw", shape, workspace) if self.narrow else None
        self.gather(self.geometry, x, panel, raw, (n0, g0 * sizes.rows + rows[0], p0))
        return panel.reshape(n1 - n0, g1 - g0, rows[1] - rows[0], p1 - p0)

    def _store(self, merged: Any, y: Any, workspace: Any, start: tuple[int, int, int]) -> None:
        assert core is not None
        if self.narrow:
            rounded = self.cut("rounded", merged.shape, workspace)
            np.copyto(rounded, merged, casting="same_kind")
            merged = rounded
        core.scatter(merged, y, *start, self.threads)
