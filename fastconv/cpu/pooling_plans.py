"""Plans of the pools over windows: in one go, or widened block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from fastconv.cpu.conversion import convert
from fastconv.cpu.isa import core
from fastconv.cpu.narrow import HALVES
from fastconv.cpu.plans import HostPlan
from fastconv.cpu.pooling_blocks import Blocks, Planes
from fastconv.cpu.pooling_kernels import Kernels, are_channels_innermost, magnitudes
from fastconv.cpu.pooling_windows import Part, Windows
from fastconv.problem import PoolProblem

Sizes = dict[str, tuple[int, str]]

# Tables of windows are made for so many rows at a time, whatever the scratch arrays take.
MOST_ROWS = 2**15


@dataclass(frozen=True, slots=True)
class Cut:
    """The parts that a plan goes through, and the planes in a block of each."""

    parts: tuple[Part, ...]
    planes: Planes
    halves: int = 0  # scratch bytes of a thread, where kernels take 16-bit arrays as they are


def takes_halves(problem: PoolProblem, dtype: str) -> bool:
    """Whether the core widens a problem's 16-bit arrays to `dtype` itself."""
    known = problem.operation in ("max_pool", "avg_pool", "avg_pool_backward", "lp_pool")
    return known and problem.dtype in HALVES and dtype == "float32" and abs(problem.norm_type) < inf


def _scratch_sizes(
    problem: PoolProblem, dtype: str, windows: Windows, part: Part, split: bool
) -> Sizes:
    """Return the scratch arrays that one plane of a part takes."""
    x, y = windows.elements(part), windows.outputs(part)
    wide, infinite = dtype != problem.dtype, abs(problem.norm_type) == inf
    sizes: Sizes = {}
    if problem.operation != "avg_pool_backward" and (wide or infinite):
        sizes["x"] = x, dtype
    if wide:
        sizes["y"] = y, dtype
    if problem.operation == "lp_pool_backward":
        sizes["norms"] = y, dtype
        if infinite:
            sizes["indices"] = y, "int64"
    norm_in_parts = problem.operation == "lp_pool_backward" and split
    if problem.operation.endswith("_backward") and (wide or norm_in_parts):
        sizes["x_grad"] = x, dtype
    return sizes


def _parts(windows: Windows, operation: str, rows: int) -> tuple[Part, ...]:
    if not operation.endswith("_backward"):
        return tuple(windows.by_windows(rows))
    # After whole strides the windows repeat. An average's share of the gradient needs nothing
    # else of its window; a norm's does.
    stride = windows.cut.stride
    whole = operation == "lp_pool_backward"
    return tuple(windows.by_elements(rows // stride * stride or rows, whole))


def choose_cut(problem: PoolProblem, dtype: str, limit: int) -> Cut | None:
    """Return parts and blocks whose scratch arrays fit the limit; None if even rows don't."""
    windows = Windows(problem)
    batch = problem.x.shape[:2]
    rows = MOST_ROWS
    if takes_halves(problem, dtype):
        parts = _parts(windows, problem.operation, rows)
        cut = Cut(parts, Planes(max(batch[0], 1), max(batch[1], 1)), halves=1)
        needed = WindowPlan(problem, problem.dtype, cut, 1).workspace_bytes
        if needed <= limit:
            return replace(cut, halves=needed)
    while True:
        parts = _parts(windows, problem.operation, rows)
        split = len(parts) > 1
        sizes = [_scratch_sizes(problem, dtype, windows, part, split) for part in parts]
        planes = Planes.within(batch, max(map(Blocks.plane_bytes, sizes), default=0), limit)
        if planes is not None:
            return Cut(parts, planes)
        if rows == 1:
            return None
        rows = min(rows, max(windows.cut.length, windows.cut.count)) // 2 or 1


class WindowPlan(HostPlan):
    """A pool over windows, or the gradient of an average or norm."""

    def __init__(self, problem: PoolProblem, dtype: str, cut: Cut, threads: int) -> None:
        self._problem = problem
        self._parts, self._planes = cut.parts, cut.planes
        self._batch = problem.x.shape[:2]
        self._infinite = abs(problem.norm_type) == inf
        windows = Windows(problem)
        self._axis = windows.axis
        inner = are_channels_innermost(problem.x)
        split = len(cut.parts) > 1
        every = [_scratch_sizes(problem, dtype, windows, part, split) for part in cut.parts]
        names = every[0] if every else ()
        largest = {name: max(sizes[name] for sizes in every) for name in names}
        self._blocks = Blocks(largest, cut.planes, inner)
        self._kernels = Kernels(problem, windows, inner, threads, cut.halves > 0)
        for part in cut.parts:
            for _, channels in cut.planes.over(self._batch):
                self._kernels.prepare(part, channels.stop - channels.start)
        self._threads = threads

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._blocks.bytes + self._threads * self._kernels.scratch_bytes

    def _for_kernels(self, workspace: Any) -> Any:
        size = self._threads * self._kernels.scratch_bytes
        return np.ndarray((size,), np.uint8, workspace, self._blocks.bytes) if size else None

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill `outputs` from `inputs`; see :class:`fastconv.backend.Plan`."""
        step = self._gradient if self._problem.operation.endswith("_backward") else self._forward
        # A float16 result may overflow to infinity, as any sum may.
        with np.errstate(over="ignore", invalid="ignore"):
            overflowed = [
                step(part, planes, inputs, outputs, workspace)
                for part in self._parts
                for planes in self._planes.over(self._batch)
            ]
        return False if all(each is False for each in overflowed) else None

    def _some(self, array: Any, planes: tuple[slice, slice], first: int, last: int) -> Any:
        return array[(*planes, *(slice(None),) * self._axis, slice(first, last))]

    def _widened(self, name: str, array: Any, workspace: Any) -> Any:
        if name not in self._blocks:
            return array
        wide = self._blocks.cut(name, array.shape, workspace)
        convert(wide, array, self._threads)
        return wide

    def _forward(
        self,
        part: Part,
        planes: tuple[slice, slice],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
    ) -> bool | None:
        overflowed: bool | None = None
        x = self._widened("x", self._some(inputs[0], planes, part.start, part.stop), workspace)
        y, *rest = (self._some(each, planes, part.first, part.last) for each in outputs)
        target = self._blocks.cut("y", y.shape, workspace) if "y" in self._blocks else y
        scratch = self._for_kernels(workspace)
        if self._problem.operation == "avg_pool":
            overflowed = self._kernels.average(part, x, target, scratch)
        elif self._problem.operation == "max_pool":
            overflowed = self._kernels.max(part, x, target, rest[0] if rest else None, scratch)
        elif self._infinite:
            magnitudes(x, self._problem.norm_type, out=x)
            self._kernels.max(part, x, target, None)
            np.absolute(target, out=target)
        else:
            overflowed = self._kernels.norm(part, x, target, scratch)
        if target is y:
            return overflowed
        convert(y, target, self._threads)
        return None

    def _gradient(
        self,
        part: Part,
        planes: tuple[slice, slice],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
    ) -> bool | None:
        overflowed: bool | None = None
        grad = self._some(inputs[0], planes, part.first, part.last)
        grad = self._widened("y", grad, workspace)
        target = sums = self._some(outputs[0], planes, part.start, part.stop)
        if "x_grad" in self._blocks:
            sums = self._blocks.cut("x_grad", target.shape, workspace)
        if self._problem.operation == "avg_pool_backward":
            scratch = self._for_kernels(workspace)
            overflowed = self._kernels.spread(part, grad, sums, scratch)
        else:
            x = self._some(inputs[1], planes, part.start, part.stop)
            self._norm_gradient(part, grad, x, sums, workspace)
        if sums is target:
            return overflowed
        some = (part.keep - part.start, part.end - part.start)
        every = (slice(None), slice(None))
        convert(
            self._some(outputs[0], planes, part.keep, part.end),
            self._some(sums, every, *some),
            self._threads,
        )
        return None

    def _norm_gradient(self, part: Part, grad: Any, x: Any, sums: Any, workspace: Any) -> None:
        assert core is not None
        norms = self._blocks.cut("norms", grad.shape, workspace)
        wide = self._widened("x", x, workspace)
        if not self._infinite:
            sums[...] = 0
            self._kernels.norm(part, wide, norms)
            self._kernels.slopes(part, grad, wide, norms, sums)
            return
        # The largest |x| takes the gradient, with the sign of x.
        places = self._blocks.cut("indices", grad.shape, workspace)
        magnitudes(wide, self._problem.norm_type, out=wide)
        self._kernels.max(part, wide, norms, places, local=True)
        core.scatter_add(grad, places, sums, sums.dtype.name, True, self._threads)
        np.sign(x, out=wide)
        np.multiply(sums, wide, out=sums)
