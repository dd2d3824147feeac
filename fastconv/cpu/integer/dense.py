"""Integer convolutions of one tap whose channels lie innermost: linear layers of positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu import narrow
from fastconv.cpu.integer.candidate import IntegerCandidate
from fastconv.cpu.integer.convolution import as_convolution, numbers_of, options_of
from fastconv.cpu.isa import active, core
from fastconv.cpu.plans import HostPlan, itemsize, merged_stride
from fastconv.cpu.pointwise.candidate import why_not_one_tap
from fastconv.machine import peak_flops
from fastconv.problem import IntegerConvProblem, Operand

_DTYPE = "int8"
# Measured: share of the peak where tiles are full, bytes of the weight that one core reads in a
# second, and those that it packs.
_PEAK_SHARE = 0.85
_BYTES_PER_SECOND = 3e10
_PACKED_PER_SECOND = 3e10
# The workspace begins where NumPy puts it.
_SLACK = 64


class IntegerDense(IntegerCandidate):
    """Rows of x times rows of the weight, whichever way x lies.

    It takes one tap, where y's channels lie side by side and its positions are one axis.
    """

    name = "gemm"
    needs = "its packed weight and items"

    def _why_not(self, problem: IntegerConvProblem) -> str:
        return _why_not(problem)

    def _plan(self, problem: IntegerConvProblem, threads: int) -> IntegerDensePlan:
        return IntegerDensePlan(problem, threads)

    def _seconds(self, problem: IntegerConvProblem, plan: Any, threads: int) -> float:
        return _seconds(problem, threads)


def _positions(operand: Operand) -> int | None:
    """Return the step from a position to the next one, None where there's no one step."""
    shape, strides = operand.shape, operand.strides
    return merged_stride((shape[0], *shape[2:]), (strides[0], *strides[2:]))


def _why_not(problem: IntegerConvProblem) -> str:
    reason = why_not_one_tap(as_convolution(problem))
    if reason:
        return reason
    if problem.groups > 1:
        return "it has no groups"
    y = problem.y
    if y.shape[1] > 1 and y.strides[1] != itemsize(y.dtype):
        return "it writes channels that lie side by side only"
    if _positions(problem.x) is None or _positions(y) is None:
        return "positions are no single axis"
    return ""


def _seconds(problem: IntegerConvProblem, threads: int) -> float:
    assert core is not None
    lanes, rows = core.vector_bytes() // 4, problem.x.size // problem.x.shape[1]
    columns, depth = problem.weight.shape[:2]
    items = narrow.items_of(depth, _DTYPE)
    products = 2 * rows * -(-columns // lanes) * lanes * items
    rate = _PEAK_SHARE * peak_flops(active(), "float32", threads)
    moved = columns * items * 4 + problem.x.size + problem.y.size * itemsize(problem.y.dtype)
    packing = problem.weight.size / (_PACKED_PER_SECOND * threads)
    return float(max(products / rate, moved / _BYTES_PER_SECOND) + packing)


def product_of(problem: IntegerConvProblem, **options: Any) -> Any:
    """Return the core's product that a problem is, given what it is to be told besides."""
    assert core is not None
    x, y = problem.x, problem.y
    told = options_of(problem)
    return core.ByteProduct(
        x.size // x.shape[1], y.shape[1], x.shape[1], target_size=told["target_size"],
        flips=told["flips"], turned=x.strides[1] != 1 and _positions(x) == 1, **options,
    )  # fmt: skip


def as_rows(array: Any) -> Any:
    """Return (N, C, ...) as (1, positions, C), a view."""
    if array.ndim == 3 and len(array) == 1:
        return array.transpose(0, 2, 1)
    turned = array.transpose(0, *range(2, array.ndim), 1)
    return turned.reshape(1, -1, array.shape[1])


class IntegerDensePlan(HostPlan):
    """One call of the core."""

    def __init__(self, problem: IntegerConvProblem, threads: int) -> None:
        self._problem = problem
        self._threads = threads
        self._product = product = product_of(problem)
        self.packed_bytes: int = product.packed_bytes
        self.thread_bytes: int = product.scratch_bytes
        self.once_bytes = self.packed_bytes + product.items_bytes + 2 * _SLACK
        self.workspace_bytes = self.once_bytes + threads * self.thread_bytes
        self.pack_key = ("bytes", problem.weight.shape, problem.weight.dtype, active())

    def pack(self, weight: Any) -> Any:
        """Return a weight in the order in which the plan reads it: read-only bytes."""
        packed = np.empty(self.packed_bytes, np.uint8)
        self._pack(weight, packed)
        packed.setflags(write=False)
        return packed

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        packed = workspace[: self.packed_bytes]
        self._pack(inputs[1], packed)
        self._run(inputs, packed, outputs[0], workspace[self.packed_bytes :])

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        self._run(inputs, inputs[1], outputs[0], workspace)

    def _pack(self, weight: Any, packed: Any) -> None:
        shape = self._problem.weight.shape
        self._product.pack(weight.reshape(1, shape[0], shape[1]), packed, self._threads)

    def _run(self, inputs: Sequence[Any], packed: Any, y: Any, workspace: Any) -> None:
        bias, integers = numbers_of(self._problem, inputs)
        if bias is not None:
            bias = np.ascontiguousarray(bias)
        x, y = as_rows(inputs[0]), as_rows(y)
        self._product.run(x, packed, y, bias, workspace, self._threads, integers)
