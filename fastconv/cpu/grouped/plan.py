"""Plan of a convolution of groups of few channels, or of its input gradient."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.implicit_gemm.blocking import moved_bytes, second_level_bytes, stream_bytes
from fastconv.cpu.implicit_gemm.phases import Phase, leaves_gaps, phases_of
from fastconv.cpu.isa import core
from fastconv.cpu.narrow import HALVES
from fastconv.cpu.plans import HostPlan, Scratch, itemsize, padded
from fastconv.cpu.rounded_copies import fill_rounded
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem, Ints, Operand

# Of output channels, whatever the level: a packed weight outlives a change of it.
_PIECE_BYTES = 64
# From so many second-level caches on, x is asked for early: a third-level cache may be shared, and
# asking costs nothing measurable then, a tenth of the time where the second level holds all.
_ASKED_FROM = 4
# The part of the second-level cache that a band of widened rows may take.
_BAND_SHARE = 2


def packed_size(problem: ConvProblem, kernel: Ints) -> int:
    """Return the items of a weight of so many taps in whole pieces of channels."""
    channels, group = problem.weight.shape[:2]
    lanes = _PIECE_BYTES // itemsize(sum_dtype(problem.dtype))
    return -(-channels // lanes) * lanes * prod(kernel) * group


def source_of(problem: ConvProblem) -> Operand:
    """Return what the kernel goes over: x, or an input gradient's y."""
    return problem.y if problem.operation == "conv_input_grad" else problem.x


class _Part:
    """A phase's geometry, its taps and places, and where its packed weight lies."""

    def __init__(self, problem: ConvProblem, phase: Phase, first: int) -> None:
        assert core is not None
        source = source_of(problem)
        self.geometry = core.Geometry(
            source.shape[2:], phase.kernel, phase.stride, phase.before, phase.dilation, phase.out
        )
        self.weights = slice(first, first + packed_size(problem, phase.kernel))
        self.taps = (slice(None), slice(None), *phase.taps)
        self.places = (slice(None), slice(None), *phase.places)
        self.slides: bool = core.grouped_slides(self.geometry)
        self.band_bytes = 0 if self.slides else _band_bytes(source, phase)


def _band_bytes(source: Operand, phase: Phase) -> int:
    """Return what the rows of a band take as float32, 0 where those of one output are too many.

    Kernels that have a depth go without.
    """
    row = source.shape[-1] * padded(4 * source.shape[1])
    kernel, stride = (1, *phase.kernel)[-2], (1, *phase.stride)[-2]
    spanned = (kernel - 1) * (1, *phase.dilation)[-2] + 1
    most = second_level_bytes() // _BAND_SHARE // row
    if most < spanned or prod(phase.kernel[:-2]) > 1:
        return 0
    bands = min((most - spanned) // stride + 1, (1, *phase.out)[-2])
    return row * (spanned + (bands - 1) * stride)


class GroupedPlan(HostPlan):
    """Packs the weight, channels of a piece innermost, and lets the core go over rows.

    An input gradient with a stride is a convolution for each phase.

    Parameters
    ----------
    problem : ConvProblem
        Forward or an input gradient; as many channels in as out.
    threads : int
        On how many.
    rounding : str
        What float32 operands are rounded to; "" for nothing.
    limit : int
        How much workspace bands of widened rows, which it can do without, must keep within.
    """

    def __init__(self, problem: ConvProblem, threads: int, rounding: str, limit: int) -> None:
        self._problem, self._threads, self._rounding = problem, threads, rounding
        self._sums = sum_dtype(problem.dtype)
        self._parts: list[_Part] = []
        size = 0
        for phase in phases_of(problem):
            self._parts.append(_Part(problem, phase, size))
            size = self._parts[-1].weights.stop
        self._gaps = leaves_gaps(problem)
        self._streams = moved_bytes(problem) > stream_bytes()
        self._ahead = moved_bytes(problem) > _ASKED_FROM * second_level_bytes()
        self._size = size
        self._scratch = Scratch()
        self._scratch.add("packed", (size,), self._sums)
        band = threads * max((part.band_bytes for part in self._parts), default=0)
        few_bits = rounding != "" or problem.dtype in HALVES
        alone = problem.weight.shape[1] == 1
        self.slides = alone and all(part.slides for part in self._parts)
        self.bands = alone and few_bits and 0 < band <= limit - self._scratch.bytes
        if self.bands:
            self._scratch.add("bands", (band,), "uint8")
        self.workspace_bytes = self._scratch.bytes
        self.pack_key = ("grouped", problem.operation, size, self._sums, rounding) + (
            (problem.stride, problem.dilation, problem.padding)
            if len(self._parts) > 1
            else (problem.kernel,)
        )

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        packed = self._scratch.cut("packed", workspace)
        self._fill(packed, inputs[1])
        return self.run_packed((inputs[0], packed, *inputs[2:]), outputs, workspace)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the output, given what :meth:`pack` returned in the weight's place."""
        source, packed, *rest = inputs
        target = outputs[0]
        bias = np.ascontiguousarray(rest[0], self._sums) if rest else None
        bands = self._scratch.cut("bands", workspace) if self.bands else None
        if self._gaps:
            target[...] = 0
        found = [
            self._convolve(part, source, packed[part.weights], target[part.places], bias, bands)
            for part in self._parts
        ]
        if self._rounding == "float16" and not np.isfinite(packed).all():
            return None
        return False if all(part is False for part in found) else None

    def _convolve(
        self, part: _Part, source: Any, packed: Any, target: Any, bias: Any, bands: Any
    ) -> bool | None:
        assert core is not None
        overflowed: bool | None = core.grouped(
            part.geometry,
            source,
            packed,
            target,
            bias,
            self._problem.weight.shape[1],
            CODES[self._problem.activation],
            LEAKY_SLOPE,
            self._problem.dtype,
            self._threads,
            self._rounding,
            self._streams,
            self._ahead,
            bands,
        )
        return overflowed

    def pack(self, weight: Any) -> Any:
        """Return the weight in the order in which the core reads it."""
        packed = np.empty(self._size, self._sums)
        self._fill(packed, weight)
        packed.setflags(write=False)
        return packed

    def _fill(self, packed: Any, weight: Any) -> None:
        assert core is not None
        turned = self._problem.operation != "conv_forward"
        weight = weight.astype(self._sums, copy=False)
        for part in self._parts:
            core.grouped_pack(weight[part.taps], packed[part.weights], self._sums, turned)
        if self._rounding:
            fill_rounded(packed, packed, self._rounding, 1)
