"""Plan of an integer convolution: one product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastconv.cpu.integer.convolution import Planner, as_convolution, numbers_of, options_of
from fastconv.cpu.plans import HostPlan
from fastconv.problem import IntegerConvProblem


class IntegerPlan(HostPlan):
    """One call of the core.

    Parameters
    ----------
    problem : IntegerConvProblem
        What is asked for.
    planner : Planner
        Makes the plan of its product.
    """

    def __init__(self, problem: IntegerConvProblem, planner: Planner) -> None:
        self._problem = problem
        self.product = planner(as_convolution(problem), **options_of(problem))
        self.thread_bytes = self.product.scratch_bytes
        self.workspace_bytes = self.product.workspace_bytes
        self.units = self.product.units
        key = getattr(self.product, "pack_key", None)
        if key is not None:
            # Signs are flipped as it is packed.
            self.pack_key = ("integer", problem.weight.dtype, key)

    def pack(self, weight: Any) -> Any:
        """Return a weight in the order in which the plan reads it: read-only bytes."""
        return self.product.pack(weight)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        self._run(inputs, outputs[0], workspace, False)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        self._run(inputs, outputs[0], workspace, True)

    def _run(self, inputs: Sequence[Any], y: Any, workspace: Any, packed: bool) -> None:
        bias, integers = numbers_of(self._problem, inputs)
        self.product.convolve(inputs[0], inputs[1], y, bias, workspace, packed, integers)
