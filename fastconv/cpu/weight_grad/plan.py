"""Plan of ``conv_weight_grad``: all of it in the core, pieces and workspace from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan
from fastconv.cpu.weight_grad.form import Extents, Form
from fastconv.cpu.weight_grad.pieces import Pieces, scratch_bytes
from fastconv.problem import ConvProblem


class WeightGradPlan(HostPlan):
    """Lets the core sum each split's boxes, then the splits."""

    def __init__(self, problem: ConvProblem, threads: int, pieces: Pieces) -> None:
        self._problem = problem
        self._threads = threads
        self._pieces = pieces
        extents = Extents.of(problem)
        self._swapped = extents.form is Form.SWAPPED
        self._geometry = extents.geometry(problem)
        once, each = scratch_bytes(problem, extents, pieces)
        self._bytes = once + each * threads

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the weight; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        x, y = inputs
        weight = outputs[0]
        if self._swapped:
            out, steps = self._problem.y.shape[2:], self._problem.stride
            taken = (slice(0, (n - 1) * s + 1, s) for n, s in zip(out, steps, strict=True))
            x, y, weight = y, x[(..., *taken)], weight.swapaxes(0, 1)
        core.conv_weight_grad(
            self._geometry,
            x,
            y,
            weight,
            self._problem.dtype,
            self._problem.groups,
            self._pieces,
            workspace,
            self._threads,
        )
