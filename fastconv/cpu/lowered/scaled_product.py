"""A linear layer of float32 in int8, in one call of the core: x is quantised on the way into the
product, and sums are scaled on the way out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.isa import active, core
from fastconv.cpu.lowered.problem import copy_of
from fastconv.cpu.lowered.quantizing_plan import QuantizingPlan
from fastconv.cpu.lowered.scales import quantize_channels, refuse_infinite
from fastconv.cpu.plans import Scratch, is_contiguous, padded
from fastconv.problem import GemmProblem


def is_one_product(problem: GemmProblem, algorithm: str) -> bool:
    """Whether a problem in int8 is one that the core's product of bytes takes as it is."""
    return (
        algorithm == "gemm"
        and problem.x.dtype == problem.y.dtype == "float32"
        and is_contiguous(problem.x)
        and (problem.y.shape[1] == 1 or problem.y.strides[1] == 4)
    )


class ScaledProductPlan(QuantizingPlan):
    """Plan of a linear layer's forward pass.

    Parameters
    ----------
    problem : GemmProblem
        What is asked for.
    threads : int
        On how many.
    """

    def __init__(self, problem: GemmProblem, threads: int) -> None:
        assert core is not None
        self._function = problem.function
        self._threads = threads
        (rows, depth), (columns, _) = problem.x.shape, problem.weight.shape
        self._columns, self._depth = columns, depth
        self._product = product = core.ByteProduct(
            rows, columns, depth, target_size=4, scales=True,
            activation=CODES[problem.activation], parameter=LEAKY_SLOPE,
        )  # fmt: skip
        self._weight = copy_of(problem.weight)
        # A row of it is quantised while it is packed.
        self._at_once = depth == 1 or problem.weight.strides[1] == 4
        self._packed_bytes = padded(product.packed_bytes)
        self._scratch = Scratch()
        self._scratch.add("integers", (0 if self._at_once else self._weight.size,), "int8")
        self._scratch.add("packed", (self._packed_bytes + 4 * columns,), "uint8")
        inner = product.scaled_bytes() + threads * product.scratch_bytes
        self._scratch.add("product", (inner,), "uint8")
        self.workspace_bytes = self._scratch.bytes
        self.pack_key = ("scaled", self._weight.axes, active())

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run` with what `pack` returned."""
        x, packed, *rest = inputs
        bias = np.ascontiguousarray(rest[0], np.float32) if rest else None
        if not self._product.run_scaled(
            x, packed, packed[self._packed_bytes :], outputs[0][None], bias,
            self._scratch.cut("product", workspace), self._threads,
        ):  # fmt: skip
            refuse_infinite(self._function, "x")

    def _pack(self, weight: Any, integers: Any, packed: Any) -> Any:
        scales = packed[self._packed_bytes :].view(np.float32)
        if self._at_once:
            self._product.pack_scaled(weight[None], packed, scales, self._threads)
            if not np.isfinite(scales).all():
                refuse_infinite(self._function, "weight")
            return packed
        integers = self._weight.of(integers)
        quantize_channels(self._function, weight, integers, scales, self._threads)
        self._product.pack(integers[None], packed, self._threads)
        return packed
