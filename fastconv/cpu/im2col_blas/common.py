"""What the three passes share: geometry, spans, weights as matrices, panels of columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision
from fastconv.cpu.blas import blas_threads
from fastconv.cpu.blocking import Blocks, Sizes
from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.isa import core
from fastconv.cpu.plans import HostPlan, Scratch, is_contiguous
from fastconv.problem import ConvProblem

Span = tuple[int, int]


def spans(total: int, step: int) -> Iterator[Span]:
    """Cut range(total) into (start, stop) of at most `step`."""
    for start in range(0, total, step):
        yield start, min(start + step, total)


@dataclass(frozen=True, slots=True)
class Detail:
    """What a decision found out: dtype of the sums, blocks, and BLAS's threads if limited."""

    dtype: str
    blocks: Blocks
    blas_threads: int | None


class ConvPlan(HostPlan):
    """A convolution's plan: its sizes, blocks and scratch arrays."""

    def __init__(self, problem: ConvProblem, decision: Decision) -> None:
        assert isinstance(decision.detail, Detail)
        dtype, blocks = decision.detail.dtype, decision.detail.blocks
        self.problem = problem
        self.dtype = dtype
        self.threads = decision.threads
        self.blas_threads = decision.detail.blas_threads
        self.sizes = Sizes.of(problem)
        self.blocks = blocks
        self.narrow = dtype != problem.dtype
        self.conjugate = problem.conjugate and dtype.startswith("complex")
        self.geometry = geometry_of(problem)
        self.scratch = Scratch()

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self.scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill `outputs` from `inputs`; see :class:`fastconv.backend.Plan`."""
        with np.errstate(all="ignore"), blas_threads(self.blas_threads):
            self.compute(inputs, outputs, workspace)

    def compute(self, inputs: Sequence[Any], outputs: Sequence[Any], workspace: Any) -> None:
        """Do the work of `run`."""
        raise NotImplementedError

    def cut(self, name: str, shape: tuple[int, ...], workspace: Any) -> Any:
        """Return the beginning of a scratch array, in a shape of this step's."""
        return self.scratch.cut(name, workspace)[: prod(shape)].reshape(shape)

    def gather(
        self,
        geometry: Any,
        array: Any,
        panel: Any,
        raw: Any,
        start: tuple[int, int, int],
    ) -> None:
        """Copy columns, from (image, row, position) on, into an (images, rows, positions) panel.

        `raw` is the panel in the operands' own dtype where that differs, else None.
        """
        assert core is not None
        core.im2col(geometry, array, panel if raw is None else raw, *start, self.threads)
        if raw is not None:
            np.copyto(panel, raw)


def copies_weight(problem: ConvProblem, dtype: str) -> bool:
    """Whether a weight must be converted, conjugated or made contiguous to be a matrix."""
    conjugated = problem.conjugate and dtype.startswith("complex")
    return dtype != problem.dtype or conjugated or not is_contiguous(problem.weight)


def weight_matrices(plan: ConvPlan, weight: Any, span: Span, workspace: Any) -> Any:
    """Return the weight of some output channels as (groups, channels, rows) matrices."""
    sizes = plan.sizes
    start, stop = span
    grouped = weight.reshape(sizes.groups, sizes.channels, *weight.shape[1:])[:, start:stop]
    if "weight" not in plan.scratch:
        return grouped.reshape(sizes.groups, stop - start, sizes.rows)
    copy = plan.scratch.cut("weight", workspace)[: sizes.groups * (stop - start) * sizes.rows]
    target = copy.reshape(grouped.shape)
    np.copyto(target, grouped)
    if plan.conjugate:
        np.conjugate(target, out=target)
    return copy.reshape(sizes.groups, stop - start, sizes.rows)
