"""weight = the sum over images and positions of y times conj(columns)^T."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.cpu.blocking import Blocks, Costs, Sizes, choose_blocks, panel_cost
from fastconv.cpu.geometry import plain_geometry
from fastconv.cpu.im2col_blas.common import ConvPlan, Span, spans
from fastconv.cpu.plans import is_contiguous, itemsize
from fastconv.problem import ConvProblem

# Adding a product to the sum moves it three times through memory: worth long products.
LEAST_LENGTH = 512


def _is_direct(problem: ConvProblem, dtype: str) -> bool:
    return dtype == problem.dtype and is_contiguous(problem.weight)


def plan_blocks(problem: ConvProblem, dtype: str, limit: int) -> Blocks | None:
    """Return the blocks that fit a workspace limit, or None.

    Beside the panels of y and of columns there is a product, and the sums where the weight
    can't hold them itself: of one block of channels and rows each.
    """
    sizes, size = Sizes.of(problem), itemsize(dtype)
    cost = panel_cost(problem, dtype)
    products = 1 if _is_direct(problem, dtype) else 2
    rows, channels, groups = sizes.rows, sizes.channels, sizes.groups
    while True:
        part = Sizes(sizes.images, groups, rows, channels, sizes.positions)
        left = limit - products * size * groups * rows * channels - 64 * 8
        blocks = choose_blocks(part, Costs(cost, cost), left) if left > 0 else None
        enough = min(LEAST_LENGTH, sizes.images * sizes.positions)
        fits = blocks is not None and (blocks.rows, blocks.groups) == (rows, groups)
        if fits and blocks is not None:
            length = blocks.images * blocks.positions
            smallest = groups == rows == channels == 1
            if length >= enough or smallest:
                return blocks
        if groups > 1:
            groups = 1
        elif rows > 1 and rows >= channels:
            rows = -(-rows // 2)
        elif channels > 1:
            channels = -(-channels // 2)
        else:
            return blocks if fits else None


class WeightGrad(ConvPlan):
    """Plan of ``conv_weight_grad``."""

    def __init__(self, problem: ConvProblem, decision: Decision) -> None:
        super().__init__(problem, decision)
        dtype = self.dtype
        b, scratch = self.blocks, self.scratch
        self.plain = plain_geometry(problem.y)
        self.direct = _is_direct(problem, dtype)
        length = b.images * b.positions
        for name, rows in (("columns", b.rows), ("y", b.channels)):
            scratch.add(name, (b.groups * rows * length,), dtype)
            if self.narrow:
                scratch.add(f"raw {name}", (b.groups * rows * length,), problem.dtype)
        product = (b.groups * b.channels * b.rows,)
        scratch.add("part", product, dtype)
        if not self.direct:
            scratch.add("sum", product, dtype)

    def compute(self, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Any) -> None:
        """Fill the weight."""
        x, y = inputs
        sizes = self.sizes
        weight = outputs[0]
        grouped = weight.reshape(sizes.groups, sizes.channels, *weight.shape[1:])
        for groups in spans(sizes.groups, self.blocks.groups):
            for channels in spans(sizes.channels, self.blocks.channels):
                for rows in spans(sizes.rows, self.blocks.rows):
                    self._block(x, y, grouped, workspace, (groups, channels, rows))

    def _block(
        self, x: Any, y: Any, grouped: Any, workspace: Any, where: tuple[Span, Span, Span]
    ) -> None:
        (g0, g1), (o0, o1), (r0, r1) = where
        shape = (g1 - g0, o1 - o0, r1 - r0)
        if self.direct:
            matrices = grouped.reshape(self.sizes.groups, self.sizes.channels, self.sizes.rows)
            sums = matrices[g0:g1, o0:o1, r0:r1]
        else:
            sums = self.cut("sum", shape, workspace)
        first = True
        for images in spans(self.sizes.images, self.blocks.images):
            for positions in spans(self.sizes.positions, self.blocks.positions):
                at = (images, positions)
                source = (g0 * self.sizes.rows + r0, (g1 - g0) * (r1 - r0))
                columns = self._panel("columns", self.geometry, x, source, at, workspace)
                if self.conjugate:
                    np.conjugate(columns, out=columns)
                source = (g0 * self.sizes.channels + o0, (g1 - g0) * (o1 - o0))
                grads = self._panel("y", self.plain, y, source, at, workspace)
                product = sums if first else self.cut("part", shape, workspace)
                np.matmul(
                    grads.reshape(g1 - g0, o1 - o0, -1),
                    columns.reshape(g1 - g0, r1 - r0, -1).transpose(0, 2, 1),
                    out=product,
                )
                if not first:
                    sums += product
                first = False
        if not self.direct:
            self._store(sums, grouped, where)

    def _panel(
        self,
        name: str,
        geometry: Any,
        array: Any,
        rows: tuple[int, int],
        at: tuple[Span, Span],
        workspace: Any,
    ) -> Any:
        """Return rows (start, count) of an array's columns as (rows, images * positions)."""
        (n0, n1), (p0, p1) = at
        start, count = rows
        shape = (count, n1 - n0, p1 - p0)
        panel = self.cut(name, shape, workspace)
        raw = self.cut(f"raw {name}", shape, workspace) if self.narrow else None
        self.gather(
            geometry,
            array,
            panel.transpose(1, 0, 2),
            None if raw is None else raw.transpose(1, 0, 2),
            (n0, start, p0),
        )
        return panel

    def _store(self, sums: Any, grouped: Any, where: tuple[Span, Span, Span]) -> None:
        """Put a block of sums into a weight whose rows may not be one axis."""
        (g0, g1), (o0, o1), (r0, r1) = where
        part = grouped[g0:g1, o0:o1]
        if (r0, r1) == (0, self.sizes.rows):
            np.copyto(part, sums.reshape(part.shape), casting="same_kind")
            return
        axes = np.unravel_index(np.arange(r0, r1), grouped.shape[2:])
        part[(slice(None), slice(None), *axes)] = sums
