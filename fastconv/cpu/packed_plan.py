"""What plans share whose core packs the weight: given at a call, or packed ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.plans import HostPlan

# Workspace begins where NumPy puts it; scratch memory at the next cache line.
_SLACK = 64


class PackedPlan(HostPlan):
    """One call of the core.

    Parameters
    ----------
    product : core.Convolution or core.Pointwise
        What packs a weight and multiplies.
    threads : int
        On how many.
    rounds : bool
        Whether a weight may become infinite when it is packed.
    """

    def __init__(self, product: Any, threads: int, *, rounds: bool = False) -> None:
        self._product = product
        self._rounds = rounds
        self._threads = threads
        self.units: int = product.units
        self.packed_bytes: int = product.packed_bytes
        self.scratch_bytes: int = product.scratch_bytes
        # Plain attributes are read faster than properties, and dispatch reads this at every call.
        self.workspace_bytes = self.packed_bytes + self.scratch_bytes * threads + _SLACK

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        return self._run(inputs, outputs[0], workspace, False)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        overflowed = self._run(inputs, outputs[0], workspace, True)
        return None if self._rounds else overflowed

    def pack(self, weight: Any) -> Any:
        """Return a weight in the order in which the plan reads it: read-only bytes."""
        packed = np.empty(self.packed_bytes, np.uint8)
        self.pack_into(weight, packed)
        packed.setflags(write=False)
        return packed

    def pack_into(self, weight: Any, packed: Any) -> None:
        """Do as `pack`, in memory that is there."""
        self._product.pack(weight, packed, self._threads)

    def convolve(
        self,
        x: Any,
        weight: Any,
        target: Any,
        bias: Any,
        workspace: Any,
        packed: bool,
        integers: tuple[int, Any, Any, int, int, int],
    ) -> None:
        """Fill the target of a product of integers; see ``core.Convolution.run``."""
        self._product.run(x, weight, target, bias, workspace, self._threads, packed, integers)

    def _run(self, inputs: Sequence[Any], target: Any, workspace: Any, packed: bool) -> bool | None:
        run, bias = self._product.run, inputs[2] if len(inputs) > 2 else None
        found: bool | None = run(
            inputs[0], inputs[1], target, bias, workspace, self._threads, packed
        )
        return found
