"""What plans share that quantise a weight: in every call, or ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.plans import HostPlan, Scratch


class QuantizingPlan(HostPlan):
    """A plan whose scratch memory has the weight's "integers" and what becomes of them, "packed".

    A subclass says how a weight is packed, and what is run with that: `_pack` and `run_packed`.
    """

    _scratch: Scratch

    def pack(self, weight: Any) -> Any:
        """Return a weight's integers, as they are read, and its scales."""
        integers, packed = (np.empty(*self._scratch.like(n)) for n in ("integers", "packed"))
        return self._pack(weight, integers, packed)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        integers, packed = (self._scratch.cut(n, workspace) for n in ("integers", "packed"))
        self._pack(inputs[1], integers, packed)
        self.run_packed((inputs[0], packed, *inputs[2:]), outputs, workspace)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run` with what `pack` returned."""
        raise NotImplementedError

    def _pack(self, weight: Any, integers: Any, packed: Any) -> Any:
        """Fill `packed` and return it; `integers` is memory that may be used meanwhile."""
        raise NotImplementedError
