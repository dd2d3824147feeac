"""Decide for Winograd's algorithm: sums of float32, where it saves enough multiplications."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    over_limit,
    refused,
    rounding_first,
    threads_for,
    threads_within,
)
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.narrow import HALVES, operands_dtype, rounding_of
from fastconv.cpu.pixels import adjoin
from fastconv.cpu.plans import padded
from fastconv.cpu.winograd.cost import grad_seconds, seconds
from fastconv.cpu.winograd.plan import WinogradPlan
from fastconv.cpu.winograd.shape import Shape, alpha_of, choose_shape, kernels_of
from fastconv.cpu.winograd.weight_grad import WinogradGradPlan, choose_grad_shape, grads_of
from fastconv.precision import real_format
from fastconv.problem import ConvProblem, Problem

# Published by how many inputs are transformed at a time: errors stay within for images and kernels
# without extreme spreads of magnitude; random ones reach a sixteenth. Winograd, "On multiplication
# of polynomials modulo a polynomial", SIAM J. Comput. 9(2), 1980, has the algorithms.
ERROR_BOUNDS = {6: 2.0**-16, 4: 2.0**-18}
_LEAST_GAIN, _LEAST_GAIN_OF_PAIRS = 1.2, 1.1


@dataclass(frozen=True, slots=True)
class _Detail:
    """The core's object, and how a forward pass or input gradient is cut."""

    kernels: Any
    shape: Shape | None = None
    pack_key: object = None
    splits: int = 1
    panels: int = 1
    rounding: str = ""


class Winograd:
    """Transformed tiles: 36 multiplications for 16 outputs of a 3 x 3 kernel instead of 144.

    Parameters
    ----------
    alpha : {6, 4}
        Extent of a tile of inputs; with 4, it is 16 multiplications for 4 outputs, and errors are
        smaller.
    """

    def __init__(self, alpha: int) -> None:
        self._alpha = alpha
        self.name = "winograd" if alpha == 6 else "winograd_2x2"

    def least_gain(self, problem: Problem, precision: str) -> float:
        """Return how many times faster than others it must be to be taken.

        Rounding that classical sums don't have must pay; beside that of bfloat16 it is nothing.
        What only breaks even on one thread loses on several, which share the transforms' memory.
        """
        return _LEAST_GAIN_OF_PAIRS if "bfloat16" in (problem.dtype, precision) else _LEAST_GAIN

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept convolutions of float32 and 16 bits where there is enough memory."""
        assert isinstance(problem, ConvProblem)
        if core is None:
            return refused(self.name, why_no_core)
        reason = _why_not(problem, policy) or self._why_not_cut(problem)
        if reason:
            return refused(self.name, reason)
        alpha, rounding = alpha_of(problem.kernel, self._alpha), _rounding(problem, policy)
        kernels = kernels_of(problem, alpha, rounding)
        if problem.operation == "conv_weight_grad":
            grad = choose_grad_shape(problem, alpha, kernels)
            units, alone = grad.units, grad_seconds(grad)
            detail = _Detail(grads_of(problem, alpha, grad, rounding), splits=grad.splits)
        else:
            shape = choose_shape(problem, alpha, kernels)
            units, alone = shape.units, seconds(shape)
            # Batch and extents of the images play no part in a transformed weight.
            key = (problem.operation, alpha, rounding, *_packing(problem))
            taps = (problem.stride, problem.padding) if max(problem.stride) > 1 else ()
            key = (*key, shape.pixels, *taps)
            detail = _Detail(kernels, shape, key, rounding=rounding)
        threads = min(threads_for(policy), units)
        outputs = kernels.phases * prod(max(a - 2, 1) for a in alpha)
        reason = f"{active()} kernels, {kernels.products} products for {outputs} outputs"
        bound = ERROR_BOUNDS[self._alpha]
        if problem.dtype != "float32":
            bound += real_format(problem.dtype).unit_roundoff * (1 + bound)
        found = self._within_limit(policy, detail, reason, threads, alone / threads, bound)
        return rounding_first(found, rounding) if rounding and found.can else found

    def _why_not_cut(self, problem: ConvProblem) -> str:
        if self._alpha == 4 and problem.operation == "conv_weight_grad":
            return "it has no weight gradient in tiles of 2 x 2"
        if self._alpha == 4 and alpha_of(problem.kernel, 4) != (4, 4):
            return "it takes kernels of several lines alone in tiles of 2 x 2"
        return ""

    def _within_limit(
        self,
        policy: Policy,
        detail: _Detail,
        reason: str,
        threads: int,
        predicted: float,
        bound: float,
    ) -> Decision:
        plan = _plan(detail, threads)
        limit = policy.workspace_limit
        once = plan.workspace_bytes - padded(plan.thread_bytes * threads)
        threads = threads_within(threads, limit, once, padded(plan.thread_bytes))
        if threads == 0:
            what = "its transformed weight and tiles"
            return over_limit(self.name, what, plan.workspace_bytes, limit)
        alone = replace(detail, panels=threads)
        if threads <= detail.splits and _bytes(alone, threads) <= limit:
            detail = alone
        return Decision(
            True,
            reason,
            self.name,
            "float32",
            bound,
            predicted,
            _bytes(detail, threads),
            threads=threads,
            finite_only=True,
            detail=detail,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(decision.detail, _Detail)
        return _plan(decision.detail, decision.threads)


def _plan(detail: _Detail, threads: int) -> WinogradPlan | WinogradGradPlan:
    if detail.shape is None:
        return WinogradGradPlan(detail.kernels, threads, detail.panels)
    return WinogradPlan(
        detail.kernels, detail.shape, threads, detail.pack_key, rounds=bool(detail.rounding)
    )


def _rounding(problem: ConvProblem, policy: Policy) -> str:
    """Return what tiles are rounded to; tiles of pixels can't be."""
    return "" if adjoin(problem) else rounding_of(problem, policy)


def _bytes(detail: _Detail, threads: int) -> int:
    return _plan(detail, threads).workspace_bytes


def _packing(problem: ConvProblem) -> tuple[Hashable, ...]:
    return problem.weight.shape, operands_dtype(problem), problem.groups, active()


def _why_not(problem: ConvProblem, policy: Policy) -> str:
    if not {problem.dtype, operands_dtype(problem)} <= {"float32", *HALVES}:
        return f"it takes float32 and 16 bits, not {problem.dtype}"
    taken = policy.precision in (None, "auto", "float32", problem.dtype)
    if not taken and not _rounding(problem, policy):
        return f"precision={policy.precision!r} excludes its rounding"
    if max(problem.stride) > 1 and (reason := _why_not_strided(problem)):
        return reason
    if problem.kernel[-1] < 2:
        return "its kernel has one tap along a line"
    if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
        return "an array is empty"
    return ""


def _why_not_strided(problem: ConvProblem) -> str:
    if set(problem.dilation) != {1}:
        return f"it takes no dilation where there is a stride, {problem.stride}"
    if problem.operation == "conv_input_grad":
        if max(problem.stride) > 2 or (len(problem.stride) == 3 and problem.stride[0] > 1):
            return f"its input gradient takes strides up to 2, along two axes, not {problem.stride}"
        if adjoin(problem):
            return "its strided input gradient takes channels first"
    return "" if max(problem.stride) <= 4 else f"it takes strides up to 4, not {problem.stride}"
