"""Plan of a depthwise convolution or of one of its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.conversion import convert
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, Scratch, is_contiguous, itemsize
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem

# A band and the results of a tile stay in the first-level cache; with a third axis, where each
# plane is read for several others, or several planes for one, in the second-level cache.
_BAND_BYTES = 24 * 2**10
_VOLUME_BYTES = 192 * 2**10
# Enough pieces for a few threads, and what their sums may take.
_PIECES = 16
_SUM_BYTES = 4 * 2**20


def channels_adjoin(problem: ConvProblem) -> bool:
    """Whether vectors run along channels, which lie side by side, unlike a line's elements."""
    x, y = problem.x, problem.y
    if x.shape[1] != y.shape[1] or x.shape[1] == 1:
        return False
    sizes = ((operand, itemsize(operand.dtype)) for operand in (x, y))
    return all(a.strides[1] == size and a.strides[-1] != size for a, size in sizes)


def split_count(problem: ConvProblem, limit: int) -> int:
    """Return into how many sums a weight gradient's images are split; whatever the threads."""
    batch, channels = problem.x.shape[:2]
    size = itemsize(sum_dtype(problem.dtype))
    affordable = min(_SUM_BYTES, limit) // max(1, problem.weight.size * size)
    return max(1, min(-(-_PIECES // channels), batch, affordable))


class DepthwisePlan(HostPlan):
    """Lets the core go over the channels; adds the splits of a weight gradient up.

    Parameters
    ----------
    problem : ConvProblem
        A depthwise one.
    threads, splits : int
        On how many threads; the sums of a weight gradient, over parts of the images.
    dtype : str or None, default None
        What the core takes the arrays for, if it isn't the problem's own dtype.
    rounding : str
        What float32 operands are rounded to as they are read; "" for nothing.
    """

    def __init__(
        self,
        problem: ConvProblem,
        threads: int,
        splits: int = 1,
        dtype: str | None = None,
        rounding: str = "",
    ) -> None:
        assert core is not None
        self._problem, self._rounding = problem, rounding
        self._dtype = dtype or problem.dtype
        self._threads = threads
        self._geometry = geometry_of(problem)
        self._pixels = channels_adjoin(problem)
        multiplier = problem.y.shape[1] // problem.x.shape[1]
        gathers_planes = multiplier > 1 and problem.operation == "conv_input_grad"
        deep = _is_deep(problem) or gathers_planes
        self._band_bytes = _VOLUME_BYTES if deep else _BAND_BYTES
        table, self.thread_bytes = core.depthwise_bytes(
            self._geometry,
            problem.operation,
            multiplier,
            self._dtype,
            self._pixels,
            self._band_bytes,
        )
        self._scratch = Scratch()
        self._scratch.add("table", (table,), "uint8")
        self._scratch.add("scratch", (self.thread_bytes * threads,), "uint8")
        self._gathers = problem.operation == "conv_weight_grad"
        if self._gathers:
            self._sums = (splits, problem.weight.shape[0], prod(problem.kernel))
            sums = sum_dtype(problem.dtype)
            if splits > 1 or not is_contiguous(problem.weight) or sums != problem.dtype:
                self._scratch.add("sums", self._sums, sums)

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
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        bias = None
        if self._gathers:
            x, y = inputs
            weight = self._sums_in(outputs[0], workspace)
        else:
            source, weight, *rest = inputs
            backward = self._problem.operation == "conv_input_grad"
            x, y = (outputs[0], source) if backward else (source, outputs[0])
            bias = np.ascontiguousarray(rest[0]) if rest else None
        overflowed = self._call(x, weight, y, bias, workspace)
        if "sums" in self._scratch:
            for part in weight[1:]:
                np.add(weight[0], part, out=weight[0])
            return convert(outputs[0], weight[0].reshape(outputs[0].shape), 1)
        return overflowed

    def convolve(
        self,
        x: Any,
        weight: Any,
        y: Any,
        bias: Any,
        workspace: Any,
        integers: tuple[tuple[int, int], Any, tuple[Any, ...]],
    ) -> None:
        """Fill y with a convolution of bytes; see ``core.depthwise``."""
        self._call(x, weight, y, bias, workspace, integers)

    def convolve_steps(
        self, x: Any, weight: Any, y: Any, workspace: Any, steps: tuple[float, Any, Any]
    ) -> None:
        """Fill y with a convolution of whole numbers that x is read as; see ``core.depthwise``."""
        self._call(x, weight, y, None, workspace, steps=steps)

    def _sums_in(self, weight: Any, workspace: Any) -> Any:
        if "sums" in self._scratch:
            return self._scratch.cut("sums", workspace)
        return weight.reshape(self._sums)

    def _call(
        self,
        x: Any,
        weight: Any,
        y: Any,
        bias: Any,
        workspace: Any,
        integers: Any = None,
        steps: tuple[float, Any, Any] | None = None,
    ) -> bool | None:
        assert core is not None
        overflowed: bool | None = core.depthwise(
            self._geometry,
            self._problem.operation,
            x,
            weight,
            y,
            bias,
            self._dtype,
            self._pixels,
            CODES[self._problem.activation],
            LEAKY_SLOPE,
            self._band_bytes,
            self._scratch.cut("table", workspace),
            self._scratch.cut("scratch", workspace),
            self._threads,
            integers,
            self._rounding,
            steps,
        )
        return overflowed


def _is_deep(problem: ConvProblem) -> bool:
    return len(problem.kernel) == 3 and problem.kernel[0] > 1
