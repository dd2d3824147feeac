"""Plans of the pools that follow indices: unpooling, and the gradients of maxima."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.conversion import convert
from fastconv.cpu.isa import core
from fastconv.cpu.narrow import HALVES
from fastconv.cpu.plans import HostPlan
from fastconv.cpu.pooling_blocks import Blocks, Planes
from fastconv.cpu.pooling_indices import check_indices
from fastconv.cpu.pooling_kernels import Kernels, are_channels_innermost, parts_of
from fastconv.cpu.pooling_windows import Part, Windows, cut_axis
from fastconv.problem import Ints, PoolProblem

Span = tuple[int, int]

_GATHERED = ("float32", "float64", *HALVES)
# Longer axes would take long tables of windows.
_MOST_WINDOWS = 2**15


@dataclass(frozen=True, slots=True)
class Rows:
    """How many planes a widened block has; or of one plane, how many rows of x and of y.

    Rows are taken along the first axis with an extent, `x_axis` and `y_axis`; 0 rows: all.
    """

    planes: Planes
    x_axis: int
    y_axis: int
    x_rows: int = 0
    y_rows: int = 0
    halves: int = 0  # scratch bytes of a thread, where kernels take 16-bit arrays as they are


def _row_size(shape: Ints, axis: int) -> int:
    return prod(shape[2:]) // max(shape[2 + axis], 1)


def _sizes(problem: PoolProblem, dtype: str, rows: Rows) -> dict[str, tuple[int, str]]:
    x, y = problem.x.shape, problem.y.shape
    if not rows.x_rows:
        return {"x": (prod(x[2:]), dtype), "y": (prod(y[2:]), dtype)}
    listed = _row_size(y, rows.y_axis) * rows.y_rows
    # One element more takes what other rows' indices name.
    elements = _row_size(x, rows.x_axis) * rows.x_rows + 1
    return {"x": (elements, dtype), "y": (listed, dtype), "indices": (listed, "int64")}


def choose_rows(problem: PoolProblem, dtype: str, limit: int) -> Rows | None:
    """Return how to sum gradients in a wider `dtype` within the limit; None if it can't be."""
    x, y = problem.x.shape, problem.y.shape
    axes = cut_axis(x[2:]), cut_axis(y[2:])
    if dtype == problem.dtype:
        return Rows(Planes(1, 1), *axes)
    if problem.dtype in HALVES and dtype == "float32":
        assert core is not None
        needed = core.half_indexed_scratch(x[1], prod(x[2:]), prod(y[2:]))
        if needed <= limit:
            return Rows(Planes(1, 1), *axes, halves=needed)
    whole = Rows(Planes(1, 1), *axes)
    per_plane = Blocks.plane_bytes(_sizes(problem, dtype, whole))
    planes = Planes.within(x[:2], per_plane, limit)
    if planes is not None:
        return Rows(planes, *axes)
    x_rows, y_rows = x[2 + axes[0]], y[2 + axes[1]]
    while x_rows > 1 or y_rows > 1:
        # The larger part of the limit goes to the sums: every part of them reads all of y.
        if (y_rows > 1 and _row_size(y, axes[1]) * y_rows * 12 > limit // 4) or x_rows == 1:
            y_rows = -(-y_rows // 2)
        else:
            x_rows = -(-x_rows // 2)
        rows = Rows(Planes(1, 1), *axes, x_rows, y_rows)
        if Blocks.plane_bytes(_sizes(problem, dtype, rows)) <= limit:
            return rows
    return None


def _gathering(problem: PoolProblem, threads: int) -> tuple[Kernels, Part] | None:
    """Return what gathers maxima's gradients by their windows; None where only indices serve."""
    if problem.operation != "max_pool_backward" or problem.dtype not in _GATHERED:
        return None
    windows, inner = Windows(problem), are_channels_innermost(problem.x)
    extents = windows.extents
    if not inner or min(problem.x.size, problem.y.size) == 0 or max(extents) > _MOST_WINDOWS:
        return None
    cut = windows.cut
    part = Part(0, cut.count, 0, cut.length, 0, cut.length)
    kernels = Kernels(problem, windows, inner, threads, False)
    kernels.prepare(part, problem.x.shape[1])
    return kernels, part


class IndexPlan(HostPlan):
    """Write, read or add where indices say."""

    def __init__(self, problem: PoolProblem, dtype: str, rows: Rows, threads: int) -> None:
        self._problem = problem
        self._rows = rows
        self._threads = threads
        self._batch = problem.y.shape[:2]
        wide = problem.operation == "max_pool_backward" and dtype != problem.dtype
        self._widens = wide and not rows.halves
        self._kernels = None if self._widens else _gathering(problem, threads)
        sizes = _sizes(problem, dtype, rows) if self._widens else {}
        self._blocks = Blocks(sizes, rows.planes, False)

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._blocks.bytes + self._threads * self._rows.halves

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill `outputs` from `inputs`; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        (source, indices), (target,) = inputs, outputs
        if self._problem.operation == "max_pool_backward" and not self._widens:
            return self._add_all(source, indices, target, workspace)
        check_indices(self._problem, indices)
        if self._problem.operation == "max_unpool_backward":
            core.gather(source, indices, target, self._threads)
        elif self._widens:
            with np.errstate(over="ignore", invalid="ignore"):
                self._add_widened(source, indices, target, workspace)
        else:
            target[...] = 0
            core.unpool(source, indices, target, self._threads)
        return None

    def _add_all(self, grad: Any, indices: Any, x: Any, workspace: Any) -> bool | None:
        if self._kernels is not None:
            kernels, part = self._kernels
            complete, overflowed = kernels.choose(part, grad, indices, x)
            if complete:
                return overflowed
        size = self._threads * self._rows.halves
        scratch = np.ndarray((size,), np.uint8, workspace) if size else None
        try:
            return self._add(grad, indices, x, scratch, clear=True)
        except ValueError:
            # The core looks at indices on its way, and a fresh result may be half made.
            check_indices(self._problem, indices)
            raise

    def _add(
        self, grad: Any, indices: Any, sums: Any, scratch: Any = None, *, clear: bool
    ) -> bool | None:
        assert core is not None
        overflowed: bool | None = None
        for source, target in parts_of(grad, sums):
            name = source.dtype.name
            overflowed = core.scatter_add(
                source, indices, target, name, clear, self._threads, scratch
            )
        return overflowed

    def _add_widened(self, grad: Any, indices: Any, x: Any, workspace: Any) -> None:
        for planes in self._rows.planes.over(self._batch):
            if self._rows.x_rows:
                self._add_rows(grad[planes], indices[planes], x[planes], workspace)
                continue
            wide = self._blocks.cut("y", grad[planes].shape, workspace)
            convert(wide, grad[planes], self._threads)
            sums = self._blocks.cut("x", x[planes].shape, workspace)
            self._add(wide, indices[planes], sums, clear=True)
            convert(x[planes], sums, self._threads)

    def _add_rows(self, grad: Any, indices: Any, x: Any, workspace: Any) -> None:
        size = _row_size(x.shape, self._rows.x_axis)
        for part, (low, high) in _slices(x, self._rows.x_axis, self._rows.x_rows):
            count = size * (high - low)
            sums = self._blocks.cut("x", (1, 1, count + 1), workspace)
            sums[...] = 0
            for some, _ in _slices(grad, self._rows.y_axis, self._rows.y_rows):
                listed = prod(grad[some].shape)
                wide = self._blocks.cut("y", grad[some].shape, workspace)
                np.copyto(wide, grad[some])
                places = self._blocks.cut("indices", grad[some].shape, workspace)
                np.subtract(indices[some], size * low, out=places)
                # Seen as unsigned, an index before this part is large, as one behind it is.
                unsigned = places.view(np.uint64)
                np.minimum(unsigned, np.uint64(count), out=unsigned)
                flat = (1, 1, listed)
                self._add(wide.reshape(flat), places.reshape(flat), sums, clear=False)
            np.copyto(x[part], sums[..., :count].reshape(x[part].shape), casting="same_kind")


def _slices(array: Any, axis: int, rows: int) -> Iterator[tuple[tuple[slice, ...], Span]]:
    extent = array.shape[2 + axis]
    for low in range(0, extent, rows):
        high = min(low + rows, extent)
        yield (*(slice(None),) * (2 + axis), slice(low, high)), (low, high)
