"""Plan of the weight gradient of groups of few channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fastconv.cpu.conversion import convert
from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.grouped.plan import packed_size
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, Scratch, itemsize
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem

# Enough shares for a few threads, each worth the clearing and adding of its sums.
_SPLITS = 16
_SPLIT_FLOPS = 2_000_000


def sum_bytes(problem: ConvProblem) -> int:
    """Return what the sums of one split take."""
    return packed_size(problem, problem.kernel) * itemsize(sum_dtype(problem.dtype))


def split_count(problem: ConvProblem, limit: int) -> int:
    """Return into how many sums the outputs' rows are split; whatever the threads."""
    rows = problem.y.shape[0] * prod(problem.y.shape[2:-1])
    most = min(_SPLITS, rows, problem.flops // _SPLIT_FLOPS, limit // 2 // sum_bytes(problem))
    return max(1, most)


class GroupedGradPlan(HostPlan):
    """Lets the core sum over rows of outputs, and add its splits up.

    Parameters
    ----------
    problem : ConvProblem
        A weight gradient; as many channels in as out.
    threads, splits : int
        On how many threads; the sums, over parts of the rows.
    rounding : str
        What float32 operands are rounded to; "" for nothing.
    """

    def __init__(self, problem: ConvProblem, threads: int, splits: int, rounding: str = "") -> None:
        self._problem, self._rounding = problem, rounding
        self._threads, self._splits = threads, splits
        self._geometry = geometry_of(problem)
        self._scratch = Scratch()
        self._scratch.add("sums", (splits * sum_bytes(problem),), "uint8")
        sums = sum_dtype(problem.dtype)
        if sums != problem.dtype:
            self._scratch.add("weight", problem.weight.shape, sums)
        self.workspace_bytes = self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the weight's gradient; see :class:`fastconv.backend.Plan`."""
        assert core is not None
        rounds = "weight" in self._scratch
        weight = self._scratch.cut("weight", workspace) if rounds else outputs[0]
        overflowed: bool | None = core.grouped_grad(
            self._geometry,
            *inputs,
            weight,
            self._scratch.cut("sums", workspace),
            self._splits,
            self._problem.dtype,
            self._threads,
            self._rounding,
        )
        return convert(outputs[0], weight, 1) if rounds else overflowed
