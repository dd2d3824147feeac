"""Plan of a convolution by Winograd's algorithm: one or two calls of the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.plans import HostPlan, padded
from fastconv.cpu.winograd.shape import FEW_BLOCKS, Shape
from fastconv.problem import ConvProblem


class WinogradPlan(HostPlan):
    """Transforms the weight, unless few blocks use it, and convolves."""

    def __init__(
        self, problem: ConvProblem, kernels: Any, shape: Shape, threads: int, packed: bool
    ) -> None:
        self._kernels = kernels
        self._shape = shape
        self._threads = threads
        self._packed_bytes = padded(kernels.packed_bytes) if packed else 0
        self._scratch_bytes = kernels.scratch_bytes(shape.width, shape.step, packed) * threads
        self.workspace_bytes = self._packed_bytes + self._scratch_bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        packed = None
        if self._packed_bytes:
            packed = workspace[: self._packed_bytes]
            self._kernels.pack(inputs[1], packed, self._threads)
        self._run(inputs, packed, outputs[0], workspace[self._packed_bytes :])

    def pack(self, weight: Any) -> Any:
        """Return a weight transformed, for `run_packed`."""
        packed = np.empty(self._kernels.packed_bytes, np.uint8)
        self._kernels.pack(weight, packed, self._threads)
        packed.setflags(write=False)
        return packed

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """As `run`, with what `pack` returned in the place of the weight."""
        self._run(inputs, inputs[1], outputs[0], workspace)

    def _run(self, inputs: Sequence[Any], packed: Any, target: Any, scratch: Any) -> None:
        shape = self._shape
        bias = np.ascontiguousarray(inputs[2]) if len(inputs) > 2 else None
        self._kernels.run(
            inputs[0],
            inputs[1],
            packed,
            target,
            bias,
            shape.width,
            shape.unit,
            shape.step,
            scratch,
            self._threads,
        )


def packs_beforehand(shape: Shape) -> bool:
    """Whether transformed weights are kept for all blocks."""
    return shape.blocks > FEW_BLOCKS
