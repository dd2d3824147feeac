"""The linear layer: one matrix product by NumPy's BLAS, in blocks where operands are copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.blas import NEEDS_LIMITER, blas_threads, can_limit_blas, must_limit_blas
from fastconv.cpu.candidate import (
    arithmetic,
    error_bound,
    precision_name,
    rate_dtype,
    refused,
    threads_for,
)
from fastconv.cpu.epilogue import finish
from fastconv.cpu.im2col_blas.common import spans
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.plans import HostPlan, Scratch, is_blas_matrix, itemsize, padded
from fastconv.machine import peak_flops
from fastconv.problem import GemmProblem, Operand, Problem

_BLAS_SHARE = 0.6
# Items that NumPy converts in a second, on one thread.
_CONVERTED_PER_SECOND = 1e9
# Bytes that one core moves in a second; and elements of an outer product, which NumPy doesn't leave
# to BLAS.
_BYTES_PER_SECOND = 3e10
_LOOPED_PER_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class Detail:
    """What a decision found out: dtype of the sums, extents of a block, BLAS's threads."""

    dtype: str
    blocks: tuple[int, int, int]
    blas_threads: int | None


def _transposed(operand: Operand) -> Operand:
    return Operand(operand.shape[::-1], operand.strides[::-1], operand.dtype)


def _roles(problem: GemmProblem) -> tuple[Operand, Operand, Operand]:
    """Return (a, b, c) of the product c = a b that an operation comes to."""
    if problem.operation == "linear_forward":
        return problem.x, _transposed(problem.weight), problem.y
    if problem.operation == "linear_input_grad":
        return problem.y, problem.weight, problem.x
    return _transposed(problem.y), problem.x, problem.weight


def _copied(operand: Operand, dtype: str) -> bool:
    rows, columns = zip(operand.shape, operand.strides, strict=True)
    return operand.dtype != dtype or not is_blas_matrix(rows, columns, itemsize(dtype))


def _scratch(problem: GemmProblem, dtype: str, blocks: tuple[int, int, int]) -> Scratch:
    a, b, c = _roles(problem)
    m, n, k = blocks
    conjugated = problem.conjugate and dtype.startswith("complex")
    scratch = Scratch()
    if _copied(a, dtype):
        scratch.add("a", (m * k,), dtype)
    if _copied(b, dtype) or conjugated:
        scratch.add("b", (k * n,), dtype)
    if _copied(c, dtype):
        scratch.add("c", (m * n,), dtype)
    if k < a.shape[1]:
        scratch.add("part", (m * n,), dtype)
    return scratch


def choose_blocks(problem: GemmProblem, dtype: str, limit: int) -> tuple[int, int, int] | None:
    """Return the block extents (m, n, k) whose copies fit `limit` bytes, or None."""
    a, _, c = _roles(problem)
    m, n, k = (*c.shape, a.shape[1])
    while _scratch(problem, dtype, (m, n, k)).bytes > limit:
        if m == n == k == 1:
            return None
        # Halve what leaves the least; k last of equals, since splitting it adds a product.
        halves = ((-(-m // 2), n, k), (m, -(-n // 2), k), (m, n, -(-k // 2)))
        smaller = [blocks for blocks in halves if blocks != (m, n, k)]
        m, n, k = min(smaller, key=lambda blocks: _scratch(problem, dtype, blocks).bytes)
    return m, n, k


class DensePlan(HostPlan):
    """Plan of a linear operation."""

    def __init__(self, problem: GemmProblem, decision: Decision) -> None:
        assert isinstance(decision.detail, Detail)
        self._problem = problem
        self._detail = decision.detail
        self._threads = decision.threads
        self._scratch = _scratch(problem, self._detail.dtype, self._detail.blocks)
        self._conjugate = problem.conjugate and self._detail.dtype.startswith("complex")

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        operation = self._problem.operation
        first, second, *rest = inputs
        bias = rest[0].astype(self._detail.dtype) if rest else None
        if operation == "linear_forward":
            a, b = first, second.T
        elif operation == "linear_input_grad":
            a, b = first, second
        else:
            a, b = second.T, first
        m, n, _ = self._detail.blocks
        with np.errstate(all="ignore"), blas_threads(self._detail.blas_threads):
            for columns in spans(outputs[0].shape[1], n):
                for rows in spans(outputs[0].shape[0], m):
                    self._block(a, b, bias, outputs[0], workspace, (rows, columns))

    def _block(
        self,
        a: Any,
        b: Any,
        bias: Any,
        c: Any,
        workspace: Any,
        where: tuple[tuple[int, int], tuple[int, int]],
    ) -> None:
        (m0, m1), (n0, n1) = where
        target = c[m0:m1, n0:n1]
        sums = self._cut("c", target.shape, workspace) if "c" in self._scratch else target
        for k0, k1 in spans(a.shape[1], self._detail.blocks[2]):
            left = self._operand("a", a[m0:m1, k0:k1], workspace)
            right = self._operand("b", b[k0:k1, n0:n1], workspace)
            product = sums if k0 == 0 else self._cut("part", target.shape, workspace)
            np.matmul(left, right, out=product)
            if k0 > 0:
                sums += product
        # The features are the channels of one image whose positions are the rows.
        part = None if bias is None else bias[n0:n1]
        finish(sums.T[None], part, self._problem.activation, self._threads)
        if sums is not target:
            np.copyto(target, sums, casting="same_kind")

    def _operand(self, name: str, block: Any, workspace: Any) -> Any:
        if name not in self._scratch:
            return block
        copy = self._cut(name, block.shape, workspace)
        np.copyto(copy, block)
        return np.conjugate(copy, out=copy) if name == "b" and self._conjugate else copy

    def _cut(self, name: str, shape: tuple[int, ...], workspace: Any) -> Any:
        return self._scratch.cut(name, workspace)[: shape[0] * shape[1]].reshape(shape)


def _converted(problem: GemmProblem, dtype: str) -> int:
    if dtype == problem.dtype:
        return 0
    return sum(operand.size for operand in problem.inputs + problem.outputs)


def _seconds(problem: GemmProblem, dtype: str, threads: int) -> float:
    compute = problem.flops / (_BLAS_SHARE * peak_flops(active(), rate_dtype(dtype), threads))
    if problem.reduction == 1:
        compute = problem.outputs[0].size / _LOOPED_PER_SECOND
    moved = sum(o.size * itemsize(o.dtype) for o in problem.inputs + problem.outputs)
    converted = _converted(problem, dtype) / _CONVERTED_PER_SECOND
    return float(max(compute, moved / _BYTES_PER_SECOND) + converted)


class Blas:
    """NumPy's matmul."""

    name = "blas"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept every product; copies that BLAS needs are made in blocks."""
        assert isinstance(problem, GemmProblem)
        if core is None:
            return refused(self.name, why_no_core)
        dtype, reason = arithmetic(problem, policy)
        if reason:
            return refused(self.name, reason)
        if any(operand.size == 0 for operand in problem.inputs + problem.outputs):
            return refused(self.name, "an array is empty")
        if must_limit_blas(policy.threads) and not can_limit_blas():
            return refused(self.name, NEEDS_LIMITER)
        blocks = choose_blocks(problem, dtype, policy.workspace_limit)
        if blocks is None:
            return refused(self.name, "no block fits workspace_limit", over_limit=True)
        threads = threads_for(policy)
        return Decision(
            True,
            "BLAS",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            _seconds(problem, dtype, threads),
            padded(_scratch(problem, dtype, blocks).bytes),
            threads=threads,
            detail=Detail(dtype, blocks, policy.threads),
        )

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, GemmProblem)
        return DensePlan(problem, decision)
