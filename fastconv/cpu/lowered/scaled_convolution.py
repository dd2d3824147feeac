"""A convolution of float32 in int8 by kernels that scale sums as they store them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastconv.cpu.integer.plan import ScaledPlan
from fastconv.cpu.lowered.problem import copy_of
from fastconv.cpu.lowered.quantizing_plan import QuantizingPlan
from fastconv.cpu.lowered.scales import quantize_channels, quantize_into, reach, scale_of
from fastconv.cpu.plans import Scratch, padded
from fastconv.problem import ConvProblem


def lies_as_copied(problem: ConvProblem) -> bool:
    """Whether results are float32 and lie as a copy of them would."""
    y = problem.y
    return y.dtype == "float32" and copy_of(y).operand(y.dtype).strides == y.strides


class ScaledConvolutionPlan(QuantizingPlan):
    """Quantises x and the weight, and has a plan of scaled sums do the rest.

    Parameters
    ----------
    problem : ConvProblem
        What is asked for.
    rows : int
        Images of a part.
    threads : int
        On how many.
    inner : callable
        Makes the plan for so many images.
    """

    def __init__(
        self, problem: ConvProblem, rows: int, threads: int, inner: Callable[[int], ScaledPlan]
    ) -> None:
        self._problem, self._rows, self._threads = problem, rows, threads
        self._images = problem.y.shape[0]
        self._weight = copy_of(problem.weight)
        self._whole = self._rest = inner(rows)
        self._first = padded(self._whole.packed_bytes)
        self._scales_at = self._first
        if left := self._images % rows:
            self._rest = inner(left)
            self._scales_at += padded(self._rest.packed_bytes)
        self._packed_bytes = self._scales_at + 4 * problem.weight.shape[0]
        self._scratch = scratch = Scratch()
        scratch.add("integers", (self._weight.size,), "int8")
        scratch.add("packed", (self._packed_bytes,), "uint8")
        scratch.add("x", (copy_of(problem.x, rows).size,), "int8")
        inside = max(self._whole.workspace_bytes, self._rest.workspace_bytes)
        scratch.add("inner", (inside,), "uint8")
        self.workspace_bytes = scratch.bytes

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run` with what `pack` returned."""
        x, packed, *rest = inputs
        scale = scale_of(self._problem.function, "x", reach(x, self._threads))
        factors = packed[self._scales_at :].view(np.float32) * scale
        bias = np.ascontiguousarray(rest[0], np.float32) if rest else None
        space, scratch = self._scratch.cut("x", workspace), self._scratch.cut("inner", workspace)
        for start in range(0, self._images, self._rows):
            part = x[start : start + self._rows]
            plan, weight = self._whole, packed
            if len(part) < self._rows:
                plan, weight = self._rest, packed[self._first :]
            quantized = copy_of(self._problem.x, len(part)).of(space)
            quantize_into(quantized, part, scale, self._threads)
            target = outputs[0][start : start + self._rows]
            plan.run(quantized, weight, factors, bias, target, scratch)

    def _pack(self, weight: Any, space: Any, packed: Any) -> Any:
        integers = self._weight.of(space)
        scales = packed[self._scales_at :].view(np.float32)
        quantize_channels(self._problem.function, weight, integers, scales, self._threads)
        self._whole.pack_into(integers, packed)
        if self._rest is not self._whole:
            self._rest.pack_into(integers, packed[self._first :])
        return packed
