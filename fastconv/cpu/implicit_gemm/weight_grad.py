"""Plan of ``conv_weight_grad``: y times columns transposed, summed over images and positions.

The result is cut into chunks of rows, and the batch into splits whose sums are added in order at
the end: both follow from the shape alone, so that the result doesn't depend on threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.geometry import geometry_of, plain_geometry
from fastconv.cpu.implicit_gemm.shape import PANEL_BYTES, even_width, round_up
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, Scratch, is_contiguous, itemsize
from fastconv.problem import ConvProblem

_POSITIONS = 256
# Enough pieces for a few threads each, and what their sums may take.
_PIECES = 16
_SUM_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Pieces:
    """Extents per group: `channels` x `rows` sums; `width` rows and `depth` positions a panel."""

    channels: int
    filled: int
    rows: int
    width: int
    images: int
    depth: int
    splits: int

    def panel_bytes(self, size: int) -> int:
        """Return the bytes of one thread's panels and sums."""
        positions = self.images * self.depth
        return (positions * (self.width + self.filled) + self.filled * self.width) * size


def choose_pieces(problem: ConvProblem, dtype: str, limit: int) -> Pieces | None:
    """Return pieces whose scratch memory, of one thread, fits the limit, or None."""
    assert core is not None
    size = itemsize(dtype)
    tile_rows, tile_columns = core.gemm_tile(dtype)
    channels = problem.weight.shape[0] // problem.groups
    rows = problem.weight.shape[1] * prod(problem.kernel)
    filled = round_up(channels, tile_rows)
    positions, batch = prod(problem.y.shape[2:]), problem.y.shape[0]
    depth = min(positions, _POSITIONS)
    images = max(1, min(_POSITIONS // max(positions, 1), batch)) if depth == positions else 1
    sums = problem.weight.size * size
    while True:
        length = images * depth
        budget = min(PANEL_BYTES, limit - sums)
        widest = (budget // size - length * filled) // (length + filled)
        if widest >= tile_columns or length == 1:
            break
        images, depth = max(1, images // 2), depth if images > 1 else -(-depth // 2)
    width = even_width(rows, widest, tile_columns)
    chunks = problem.groups * -(-rows // width)
    affordable = max(1, min(_SUM_BYTES, limit - sums) // max(sums, 1))
    splits = max(1, min(-(-_PIECES // chunks), -(-batch // images), affordable))
    for count in (splits, 1):
        pieces = Pieces(channels, filled, rows, width, images, depth, count)
        if affordable_threads(problem, dtype, pieces, limit) >= 1:
            return pieces
    return None


def affordable_threads(problem: ConvProblem, dtype: str, pieces: Pieces, limit: int) -> int:
    """Return for how many threads the pieces' scratch memory fits the limit."""
    size = itemsize(dtype)
    left = limit - pieces.splits * problem.weight.size * size - 256
    return left // pieces.panel_bytes(size)


class WeightGradPlan(HostPlan):
    """Lets the core sum each split, then adds the splits up."""

    def __init__(self, problem: ConvProblem, dtype: str, threads: int, pieces: Pieces) -> None:
        self._problem = problem
        self._dtype = dtype
        self._threads = threads
        self._pieces = pieces
        self._geometry = geometry_of(problem)
        self._plain = plain_geometry(problem.y)
        size = itemsize(dtype)
        self._scratch = Scratch()
        self._scratch.add("panels", (pieces.panel_bytes(size) * threads,), "uint8")
        self._direct = pieces.splits == 1 and is_contiguous(problem.weight)
        if not self._direct:
            shape = (pieces.splits, problem.weight.shape[0], pieces.rows)
            self._scratch.add("sums", shape, dtype)

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the weight; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        x, y = inputs
        weight, pieces = outputs[0], self._pieces
        if self._direct:
            sums = weight.reshape(1, weight.shape[0], pieces.rows)
        else:
            sums = self._scratch.cut("sums", workspace)
        core.conv_weight_grad(
            self._geometry,
            self._plain,
            x,
            y,
            sums,
            self._dtype,
            self._problem.groups,
            pieces.width,
            pieces.images,
            pieces.depth,
            self._scratch.cut("panels", workspace),
            self._threads,
        )
        if not self._direct:
            for part in sums[1:]:
                np.add(sums[0], part, out=sums[0])
            weight[...] = sums[0].reshape(weight.shape)
