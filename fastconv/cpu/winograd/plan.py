"""Plan of a convolution by Winograd's algorithm: one or two calls of the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.plans import HostPlan, Scratch, both_known
from fastconv.cpu.winograd.shape import Shape


class WinogradPlan(HostPlan):
    """Transforms the weight, unless few blocks use it, and convolves."""

    def __init__(
        self, kernels: Any, shape: Shape, threads: int, pack_key: object, rounds: bool = False
    ) -> None:
        self.pack_key = pack_key
        self._rounds = rounds  # a weight may have become infinite when it was packed
        self._kernels = kernels
        self._shape = shape
        self._threads = threads
        packed = 0 if shape.shared else kernels.packed_bytes
        each, inputs = kernels.scratch_bytes(shape.width, shape.step, packed > 0, shape.shared)
        self.thread_bytes = each
        self._scratch = Scratch()
        self._scratch.add("packed", (packed,), "uint8")
        self._scratch.add("inputs", (inputs,), "uint8")
        self._scratch.add("threads", (each * threads,), "uint8")
        self.workspace_bytes = self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        if self._shape.shared:
            return self._run(inputs, None, outputs[0], workspace)
        packed = self._scratch.cut("packed", workspace)
        before = self._kernels.pack(inputs[1], packed, self._threads)
        return both_known(before, self._run(inputs, packed, outputs[0], workspace))

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
    ) -> bool | None:
        """As `run`, with what `pack` returned in the place of the weight."""
        overflowed = self._run(inputs, inputs[1], outputs[0], workspace)
        return None if self._rounds else overflowed

    def _run(self, inputs: Sequence[Any], packed: Any, target: Any, workspace: Any) -> bool | None:
        shape, scratch = self._shape, self._scratch
        overflowed: bool | None = self._kernels.run(
            inputs[0],
            inputs[1],
            packed,
            target,
            np.ascontiguousarray(inputs[2], np.float32) if len(inputs) > 2 else None,
            shape.width,
            shape.step,
            scratch.cut("inputs", workspace) if shape.shared else None,
            scratch.cut("threads", workspace),
            self._threads,
        )
        return overflowed
