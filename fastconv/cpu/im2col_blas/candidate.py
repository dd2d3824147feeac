"""Decide for im2col and BLAS: what it can do, in which blocks, at what predicted cost."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from types import ModuleType

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.blas import NEEDS_LIMITER, can_limit_blas, must_limit_blas
from fastconv.cpu.blocking import Blocks
from fastconv.cpu.candidate import arithmetic, error_bound, precision_name, refused, threads_for
from fastconv.cpu.im2col_blas import forward, input_grad, weight_grad
from fastconv.cpu.im2col_blas.common import ConvPlan, Detail
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import itemsize
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem, Problem

_PASSES: dict[str, tuple[type[ConvPlan], ModuleType]] = {
    "conv_forward": (forward.Forward, forward),
    "conv_input_grad": (input_grad.InputGrad, input_grad),
    "conv_weight_grad": (weight_grad.WeightGrad, weight_grad),
}
# Shares of the peak that a large product reaches, and bytes of columns copied in a second.
_BLAS_SHARE = 0.6
_COLUMN_BYTES_PER_SECOND = 6e9
_STEP_SECONDS = 15e-6
# Items that NumPy converts in a second, on one thread.
_CONVERTED_PER_SECOND = 1e9


class Im2colBlas:
    """Columns in bounded panels, multiplied by NumPy's BLAS."""

    name = "im2col_blas"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Say whether the panels fit, and what they cost."""
        if core is None:
            return refused(self.name, why_no_core)
        if not isinstance(problem, ConvProblem):
            return refused(self.name, f"it has no {problem.operation}")
        if 0 in problem.inputs[0].shape + problem.inputs[1].shape + problem.outputs[0].shape:
            return refused(self.name, "an array is empty")
        dtype, reason = arithmetic(problem, policy)
        if reason:
            return refused(self.name, reason)
        if must_limit_blas(policy.threads) and not can_limit_blas():
            return refused(self.name, NEEDS_LIMITER)
        _, module = _PASSES[problem.operation]
        blocks = module.plan_blocks(problem, dtype, policy.workspace_limit)
        if blocks is None:
            return refused(
                self.name,
                f"its smallest panels don't fit workspace_limit={policy.workspace_limit} bytes",
                over_limit=True,
            )
        return self._decision(problem, policy, dtype, blocks)

    def _decision(
        self, problem: ConvProblem, policy: Policy, dtype: str, blocks: Blocks
    ) -> Decision:
        threads = threads_for(policy)
        detail = Detail(dtype, blocks, policy.threads)
        plan_type, _ = _PASSES[problem.operation]
        draft = Decision(True, "", self.name, threads=threads, detail=detail)
        workspace = plan_type(problem, draft).workspace_bytes
        return replace(
            draft,
            reason=f"BLAS on panels of at most {workspace} bytes, copied by {active()} code",
            precision=precision_name(dtype),
            error_bound=error_bound(problem, dtype),
            seconds=_seconds(problem, dtype, blocks, threads),
            workspace_bytes=workspace,
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        plan_type, _ = _PASSES[problem.operation]
        return plan_type(problem, decision)


def _seconds(problem: ConvProblem, dtype: str, blocks: Blocks, threads: int) -> float:
    columns = prod(problem.y.shape[2:]) * problem.y.shape[0] * problem.weight.shape[1]
    copied = columns * problem.groups * prod(problem.kernel) * itemsize(dtype)
    per_step = blocks.images * blocks.groups * blocks.positions * blocks.rows
    steps = max(1, columns * problem.groups * prod(problem.kernel) // per_step)
    real = precision_name(dtype)
    flops = problem.flops / (_BLAS_SHARE * peak_flops(active(), real, threads))
    if dtype != problem.dtype:
        converted = columns * problem.groups * prod(problem.kernel)
        flops += (converted + problem.weight.size + problem.y.size) / _CONVERTED_PER_SECOND
    return flops + copied / (_COLUMN_BYTES_PER_SECOND * threads) + steps * _STEP_SECONDS
