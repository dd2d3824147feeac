"""Plan of ``conv_weight_grad``: all of it in the core, pieces and workspace from here."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fastconv.cpu import narrow
from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, padded
from fastconv.cpu.weight_grad.form import Extents, Form, sample_bytes
from fastconv.cpu.weight_grad.pieces import Pieces, scratch_bytes
from fastconv.problem import ConvProblem


class WeightGradPlan(HostPlan):
    """Lets the core sum each split's boxes, then the splits."""

    def __init__(
        self, problem: ConvProblem, threads: int, extents: Extents, pieces: Pieces
    ) -> None:
        self._problem = problem
        self._threads = threads
        self._extents = extents
        self._pieces = pieces
        self._geometry = extents.geometry(problem)
        self._sampling = geometry_of(problem)
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
    ) -> bool | None:
        """Fill the weight; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        x, y = inputs
        weight = outputs[0]
        if self._extents.sampled:
            x, workspace = self._sample(x, workspace)
        if self._extents.form is Form.SWAPPED:
            x, y, weight = y, x[(..., *self._taken())], weight.swapaxes(0, 1)
        overflowed: bool | None = core.conv_weight_grad(
            self._geometry,
            x,
            y,
            weight,
            narrow.operands_dtype(self._problem),
            self._extents.groups,
            self._pieces,
            workspace,
            self._threads,
            **narrow.item_sizes(self._problem),
        )
        return overflowed

    def _sample(self, x: Any, workspace: Any) -> tuple[Any, Any]:
        """Return a copy of what a pointwise kernel reads, and the workspace that is left."""
        assert core is not None
        n, _, *out = self._problem.y.shape
        size = sample_bytes(self._problem)
        copy = workspace[:size].view(x.dtype).reshape(n, x.shape[1], prod(out))
        core.im2col(self._sampling, x, copy, 0, 0, 0, self._threads)
        return copy.reshape(n, x.shape[1], *out), workspace[padded(size) :]

    def _taken(self) -> tuple[slice, ...]:
        """Return the places that a pointwise kernel reads of x, or of the copy of them."""
        out = self._problem.y.shape[2:]
        steps = (1,) * len(out) if self._extents.sampled else self._problem.stride
        return tuple(slice(0, (n - 1) * s + 1, s) for n, s in zip(out, steps, strict=True))
