"""A depthwise convolution of float32 in int8: x is read as whole numbers, whose sums float32 holds
exactly, and sums are scaled as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.depthwise.plan import DepthwisePlan
from fastconv.cpu.lowered.problem import copy_of
from fastconv.cpu.lowered.quantizing_plan import QuantizingPlan
from fastconv.cpu.lowered.scales import quantize_channels, reach, scale_of
from fastconv.cpu.plans import Scratch
from fastconv.problem import ConvProblem


class SteppedDepthwisePlan(QuantizingPlan):
    """Plan of a forward pass.

    Parameters
    ----------
    problem : ConvProblem
        A depthwise one of float32, of so few taps that sums are exact.
    threads : int
        On how many.
    """

    def __init__(self, problem: ConvProblem, threads: int) -> None:
        self._problem, self._threads = problem, threads
        self._plan = DepthwisePlan(problem, threads)
        self._weight = copy_of(problem.weight)
        self._packed_items = self._weight.size + problem.weight.shape[0]
        self._scratch = scratch = Scratch()
        scratch.add("integers", (self._weight.size,), "int8")
        scratch.add("packed", (self._packed_items,), "float32")
        scratch.add("inner", (self._plan.workspace_bytes,), "uint8")
        self.workspace_bytes = scratch.bytes
        self.pack_key = ("steps", self._weight.axes)

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
        factors = packed[self._weight.size :] * scale
        bias = np.ascontiguousarray(rest[0], np.float32) if rest else None
        scratch = self._scratch.cut("inner", workspace)
        weight = self._weight.of(packed)
        self._plan.convolve_steps(x, weight, outputs[0], scratch, (float(scale), factors, bias))

    def _pack(self, weight: Any, space: Any, packed: Any) -> Any:
        integers, scales = self._weight.of(space), packed[self._weight.size :]
        quantize_channels(self._problem.function, weight, integers, scales, self._threads)
        packed[: self._weight.size] = space
        return packed
