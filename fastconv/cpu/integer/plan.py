"""Plans of integer convolutions: one product, or three steps where the weight has zero points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.cpu.integer.convolution import (
    Planner,
    as_convolution,
    of_windows,
    options_of,
    signed,
    unsigned,
    with_sums,
)
from fastconv.cpu.plans import HostPlan, Scratch
from fastconv.cpu.reference.integer import per_channel, requantized
from fastconv.problem import IntegerConvProblem


class IntegerPlan(HostPlan):
    """One call of the core.

    Where a weight has zero points other than its type's middle, the sums over windows of x, times
    those, are taken off the int32 sums.
    """

    def __init__(self, problem: IntegerConvProblem, planner: Planner) -> None:
        self._problem = problem
        self.product = planner(as_convolution(problem), **options_of(problem))
        self._middle = 128 if problem.weight.dtype == "uint8" else 0
        scratch = self._scratch = Scratch()
        self._sums, self._windows = self.product, self.product
        size = self.product.workspace_bytes
        if problem.w_zero_point is not None or self._middle:
            sums, windows = with_sums(problem), of_windows(problem)
            if sums.y != problem.y:
                self._sums = planner(as_convolution(sums), **options_of(sums))
            self._windows = planner(as_convolution(windows), **options_of(windows))
            size = max(size, self._sums.workspace_bytes, self._windows.workspace_bytes)
            scratch.add("windows", windows.y.shape, "int32")
            scratch.add("ones", windows.weight.shape, "int8")
            scratch.add("part", problem.y.shape[1:], "int32")
            if problem.operation == "conv_requantized":
                scratch.add("sums", problem.y.shape, "int32")
                scratch.add("scaled", problem.y.shape[1:], "float32")
        scratch.add("product", (size,), "uint8")
        self.workspace_bytes = scratch.bytes
        self.units = self.product.units

    def pack(self, weight: Any) -> Any:
        """Return a weight in the order in which the plan reads it: read-only bytes.

        That of the int32 sums may be cut up otherwise, and follows.
        """
        packed = self.product.pack(weight)
        if self._sums is not self.product:
            packed = np.concatenate([packed, self._sums.pack(weight)])
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
        problem = self._problem
        x, weight, x_zero, *rest = inputs
        zeros = rest.pop(0) if problem.w_zero_point is not None else None
        bias = rest.pop(0) if problem.bias is not None else None
        space = self._scratch.cut("product", workspace)
        zero = unsigned(int(x_zero[0]), problem.x.dtype)
        plain = self._middle == 0 if zeros is None else bool((zeros == self._middle).all())
        if plain:
            scaling: tuple[Any, int, int, int] = (None, 0, 0, 0)
            if rest:
                multiplier, y_zero = rest
                ends = np.iinfo(y.dtype)
                scaling = (np.ascontiguousarray(multiplier), int(y_zero[0]), ends.min, ends.max)
            self.product.convolve(x, weight, y, bias, space, packed, (zero, *scaling))
            return
        sums = self._scratch.cut("sums", workspace) if rest else y
        if packed and self._sums is not self.product:
            weight = weight[self.product.packed_bytes :]
        self._sums.convolve(x, weight, sums, bias, space, packed, (zero, None, 0, 0, 0))
        weights = np.zeros(1, problem.weight.dtype) if zeros is None else zeros
        self._take_off(x, zero, weights, sums, workspace)
        if rest:
            self._requantize(sums, rest, y, workspace)

    def _take_off(self, x: Any, zero: int, zeros: Any, sums: Any, workspace: Any) -> None:
        problem = self._problem
        windows, ones = (self._scratch.cut(name, workspace) for name in ("windows", "ones"))
        part, space = (self._scratch.cut(name, workspace) for name in ("part", "product"))
        ones[...] = 1
        self._windows.convolve(x, ones, windows, None, space, False, (zero, None, 0, 0, 0))
        channels, axes = sums.shape[1], sums.ndim - 1
        off = per_channel(signed(zeros, problem.weight.dtype), channels, "int32", axes)
        grouped = (problem.groups, channels // problem.groups, *sums.shape[2:])
        for n in range(sums.shape[0]):
            products = part.reshape(grouped)
            np.multiply(off.reshape(*grouped[:2], *off.shape[1:]), windows[n][:, None], products)
            sums[n] -= part

    def _requantize(self, sums: Any, scaling: list[Any], y: Any, workspace: Any) -> None:
        multiplier = per_channel(scaling[0], sums.shape[1], "float32", sums.ndim - 1)
        scaled = self._scratch.cut("scaled", workspace)
        zero = scaling[1].astype("float32")
        for n in range(sums.shape[0]):
            y[n] = requantized(sums[n], multiplier, zero, y.dtype, scaled)
