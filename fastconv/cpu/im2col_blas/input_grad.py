"""x = the adjoint of the convolution, applied to y: weight^T times y, then col2im."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.cpu.blocking import Blocks, Costs, Sizes, choose_blocks, panel_cost
from fastconv.cpu.epilogue import finish
from fastconv.cpu.geometry import plain_geometry
from fastconv.cpu.im2col_blas.common import (
    ConvPlan,
    Span,
    copies_weight,
    spans,
    weight_matrices,
)
from fastconv.cpu.isa import core
from fastconv.cpu.plans import itemsize, merged_stride, spatial_matrix
from fastconv.problem import ConvProblem


def _is_direct(problem: ConvProblem, dtype: str) -> bool:
    spatial = merged_stride(problem.x.shape[2:], problem.x.strides[2:])
    return dtype == problem.dtype and spatial is not None


def _reads_y(problem: ConvProblem, dtype: str) -> bool:
    return dtype == problem.dtype and spatial_matrix(problem.y)


def _sum_bytes(problem: ConvProblem, dtype: str, channels: int) -> int:
    if _is_direct(problem, dtype):
        return 0
    return channels * prod(problem.x.shape[2:]) * itemsize(dtype)


def plan_blocks(problem: ConvProblem, dtype: str, limit: int) -> Blocks | None:
    """Return the blocks that fit a workspace limit, or None.

    Where x can't be summed into directly, the sums of one image's channels are kept: of all,
    of one group, or of some channels of it (then in whole kernels of rows).
    """
    sizes, size = Sizes.of(problem), itemsize(dtype)
    taps = prod(problem.kernel)
    weight = size * sizes.rows * sizes.groups if copies_weight(problem, dtype) else 0
    read = 0 if _reads_y(problem, dtype) else panel_cost(problem, dtype)
    costs = Costs(size, read, weight)
    per_group = problem.weight.shape[1]
    for groups in dict.fromkeys((sizes.groups, 1)):
        left = limit - _sum_bytes(problem, dtype, groups * per_group)
        blocks = choose_blocks(sizes, costs, left) if left > 0 else None
        if blocks is None or blocks.groups > groups or blocks.rows < sizes.rows:
            continue
        images = blocks.images if _is_direct(problem, dtype) else 1
        # Some of the output's channels go with a single group, whatever `groups` leaves room for.
        return replace(blocks, images=images)
    return _some_channels(problem, dtype, limit, Costs(size, read, weight), taps)


def _some_channels(
    problem: ConvProblem, dtype: str, limit: int, costs: Costs, taps: int
) -> Blocks | None:
    sizes = Sizes.of(problem)
    left = limit - 64 * 8
    fixed = costs.fixed_channel
    outputs = sizes.channels if not fixed else min(sizes.channels, left // 2 // fixed)
    if outputs < 1:
        return None
    left -= fixed * outputs
    outputs = min(outputs, max(1, left // 8 // max(costs.channel, 1)))
    left -= costs.channel * outputs
    channel = costs.row * taps + _sum_bytes(problem, dtype, 1)
    channels = min(left // channel, problem.weight.shape[1])
    return Blocks(1, 1, channels * taps, outputs, 1) if channels >= 1 else None


class InputGrad(ConvPlan):
    """Plan of ``conv_input_grad``."""

    def __init__(self, problem: ConvProblem, decision: Decision) -> None:
        super().__init__(problem, decision)
        dtype = self.dtype
        sizes, b, scratch = self.sizes, self.blocks, self.scratch
        self.taps = prod(problem.kernel)
        self.direct = _is_direct(problem, dtype)
        self.reads_y = _reads_y(problem, dtype)
        self.plain = None if self.reads_y else plain_geometry(problem.y)
        if copies_weight(problem, dtype):
            scratch.add("weight", (sizes.groups * b.channels * sizes.rows,), dtype)
        scratch.add("columns", (b.images * b.groups * b.rows * b.positions,), dtype)
        if not self.reads_y:
            count = (b.images * b.groups * b.channels * b.positions,)
            scratch.add("y", count, dtype)
            if self.narrow:
                scratch.add("raw", count, problem.dtype)
        if not self.direct:
            channels = b.groups * b.rows // self.taps
            scratch.add("sum", (b.images, channels, *problem.x.shape[2:]), dtype)

    def compute(self, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Any) -> None:
        """Fill x."""
        y, weight, *rest = inputs
        bias = rest[0].astype(self.dtype) if rest else None
        x = outputs[0]
        whole = self.blocks.channels == self.sizes.channels
        matrices = (
            weight_matrices(self, weight, (0, self.sizes.channels), workspace) if whole else None
        )
        for images in spans(self.sizes.images, self.blocks.images):
            for groups in spans(self.sizes.groups, self.blocks.groups):
                for rows in spans(self.sizes.rows, self.blocks.rows):
                    self._channels_of_x(
                        x, y, (weight, matrices), bias, workspace, (images, groups, rows)
                    )

    def _channels_of_x(
        self,
        x: Any,
        y: Any,
        weights: tuple[Any, Any],
        bias: Any,
        workspace: Any,
        where: tuple[Span, Span, Span],
    ) -> None:
        (n0, n1), (g0, g1), (r0, r1) = where
        count = (g1 - g0) * (r1 - r0) // self.taps
        first = (g0 * self.sizes.rows + r0) // self.taps
        target = x[n0:n1, first : first + count]
        sums = target if self.direct else self.scratch.cut("sum", workspace)[: n1 - n0, :count]
        sums[...] = 0
        for channels in spans(self.sizes.channels, self.blocks.channels):
            matrices = weights[1]
            if matrices is None:
                matrices = weight_matrices(self, weights[0], channels, workspace)
            for positions in spans(self.sizes.positions, self.blocks.positions):
                grad = self._y(y, workspace, (n0, n1), (g0, g1), channels, positions)
                shape = (n1 - n0, g1 - g0, r1 - r0, positions[1] - positions[0])
                columns = self.cut("columns", shape, workspace)
                transposed = matrices[g0:g1, :, r0:r1].transpose(0, 2, 1)
                np.matmul(transposed, grad, out=columns)
                self._add(columns.reshape(n1 - n0, -1, shape[-1]), sums, positions[0])
        merged = sums.reshape(n1 - n0, count, -1)
        part = None if bias is None else bias[first : first + count]
        finish(merged, part, self.problem.activation, self.threads)
        if not self.direct:
            np.copyto(target, sums, casting="same_kind")

    def _y(
        self, y: Any, workspace: Any, images: Span, groups: Span, channels: Span, positions: Span
    ) -> Any:
        (n0, n1), (g0, g1), (o0, o1), (p0, p1) = images, groups, channels, positions
        sizes = self.sizes
        if self.reads_y:
            grouped = y.reshape(sizes.images, sizes.groups, sizes.channels, sizes.positions)
            return grouped[n0:n1, g0:g1, o0:o1, p0:p1]
        shape = (n1 - n0, (g1 - g0) * (o1 - o0), p1 - p0)
        panel = self.cut("y", shape, workspace)
        raw = self.cut("raw", shape, workspace) if self.narrow else None
        # Either all of a group's channels are asked for, or a single group is.
        self.gather(self.plain, y, panel, raw, (n0, g0 * sizes.channels + o0, p0))
        return panel.reshape(n1 - n0, g1 - g0, o1 - o0, p1 - p0)

    def _add(self, columns: Any, sums: Any, position: int) -> None:
        assert core is not None
        parts = ((columns, sums),)
        if columns.dtype.kind == "c":
            parts = ((columns.real, sums.real), (columns.imag, sums.imag))  # type: ignore[assignment]
        for source, target in parts:
            core.col2im(
                self.geometry, source, target, source.dtype.name, 0, 0, position, self.threads
            )
