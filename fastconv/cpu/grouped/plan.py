"""Plan of a convolution of groups of few channels, or of its input gradient."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, itemsize
from fastconv.cpu.rounded_copies import fill_rounded
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem, Ints

# Of output channels, whatever the level: a packed weight outlives a change of it.
_PIECE_BYTES = 64


def borders(problem: ConvProblem) -> Ints:
    """Return how far before its first position the source is read, axis by axis.

    An input gradient reads the output's gradient with the kernel turned round.
    """
    before = tuple(pads[0] for pads in problem.padding)
    if problem.operation == "conv_forward":
        return before
    return tuple(
        (taps - 1) * step - pad
        for taps, step, pad in zip(problem.kernel, problem.dilation, before, strict=True)
    )


def packed_shape(problem: ConvProblem) -> Ints:
    """Return (pieces, taps, channels of a group, channels of a piece) of the packed weight."""
    channels, group = problem.weight.shape[:2]
    lanes = _PIECE_BYTES // itemsize(sum_dtype(problem.dtype))
    return -(-channels // lanes), prod(problem.kernel), group, lanes


class GroupedPlan(HostPlan):
    """Packs the weight, channels of a piece innermost, and lets the core go over rows.

    Parameters
    ----------
    problem : ConvProblem
        Forward, or an input gradient of stride 1; as many channels in as out.
    threads : int
        On how many.
    rounding : str
        What float32 operands are rounded to; "" for nothing.
    """

    def __init__(self, problem: ConvProblem, threads: int, rounding: str = "") -> None:
        assert core is not None
        self._problem, self._threads, self._rounding = problem, threads, rounding
        self._sums = sum_dtype(problem.dtype)
        self._forward = problem.operation == "conv_forward"
        source, target = (problem.x, problem.y) if self._forward else (problem.y, problem.x)
        self._geometry = core.Geometry(
            source.shape[2:],
            problem.kernel,
            problem.stride,
            borders(problem),
            problem.dilation,
            target.shape[2:],
        )
        self._shape = packed_shape(problem)
        self.workspace_bytes = prod(self._shape) * itemsize(self._sums)
        self.pack_key = ("grouped", problem.operation, self._shape, self._sums, rounding)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        packed = np.ndarray(self._shape, self._sums, workspace)
        self._fill(packed, inputs[1])
        return self.run_packed((inputs[0], packed, *inputs[2:]), outputs, None)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        assert core is not None
        source, packed, *rest = inputs
        overflowed: bool | None = core.grouped(
            self._geometry,
            source,
            packed,
            outputs[0],
            np.ascontiguousarray(rest[0], self._sums) if rest else None,
            self._shape[2],
            CODES[self._problem.activation],
            LEAKY_SLOPE,
            self._problem.dtype,
            self._threads,
            self._rounding,
        )
        return overflowed

    def pack(self, weight: Any) -> Any:
        """Return the weight in the order in which the core reads it."""
        packed = np.empty(self._shape, self._sums)
        self._fill(packed, weight)
        packed.setflags(write=False)
        return packed

    def _fill(self, packed: Any, weight: Any) -> None:
        pieces, taps, group, lanes = self._shape
        channels = len(weight)
        weight = weight.reshape(channels, group, taps)
        if not self._forward:
            # Of the target's channel i and the source's j in a group: the weight from i to j.
            groups = weight.reshape(channels // group, group, group, taps)[..., ::-1]
            weight = groups.swapaxes(1, 2).reshape(channels, group, taps)
        whole = channels // lanes
        pairs = weight[: whole * lanes].reshape(whole, lanes, group, taps)
        packed[:whole] = pairs.transpose(0, 3, 2, 1)
        if whole < pieces:
            left = weight[whole * lanes :]
            packed[whole] = 0
            packed[whole, ..., : len(left)] = left.transpose(2, 1, 0)
        if self._rounding:
            fill_rounded(packed, packed, self._rounding, 1)
