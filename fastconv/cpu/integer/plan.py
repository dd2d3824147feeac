"""Plans of integer convolutions, each one product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastconv.cpu.integer.convolution import (
    Planner,
    as_convolution,
    numbers_of,
    options_of,
    unsigned,
)
from fastconv.cpu.plans import HostPlan
from fastconv.problem import IntegerConvProblem, Operand


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


class ScaledPlan:
    """One call of the core, whose sums become float32 as they are stored.

    Parameters
    ----------
    problem : IntegerConvProblem
        What is summed, without zero points.
    y : Operand
        Where results go, of float32.
    activation : str or None
        What they end with.
    planner : Planner
        Makes the plan of its product.
    """

    def __init__(
        self, problem: IntegerConvProblem, y: Operand, activation: str | None, planner: Planner
    ) -> None:
        conv = replace(as_convolution(problem), y=y, activation=activation)
        options = options_of(problem) | {"target_size": 4, "scales": True}
        self._product = product = planner(conv, **options)
        self._zero = unsigned(0, problem.x.dtype)
        self.packed_bytes = product.packed_bytes
        self.pack_into = product.pack_into
        self.workspace_bytes = product.workspace_bytes - product.packed_bytes

    def run(self, x: Any, packed: Any, factors: Any, bias: Any, y: Any, workspace: Any) -> None:
        """Fill y with sums times their channel's factor, plus the bias, activated."""
        integers = (self._zero, None, factors, 0, 0, 0)
        self._product.convolve(x, packed, y, bias, workspace, True, integers)
