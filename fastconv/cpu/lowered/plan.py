"""Run a product on rounded copies of its operands, so many images at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Plan
from fastconv.cpu.conversion import convert
from fastconv.cpu.lowered.problem import Product, copy_of, is_batched, names_of
from fastconv.cpu.narrow import ROUNDED
from fastconv.cpu.plans import HostPlan, Scratch
from fastconv.cpu.rounded_copies import fill_rounded


class LoweredPlan(HostPlan):
    """Rounds operands into copies, and has another plan do the rest.

    Parameters
    ----------
    problem : Product
        What is asked for.
    precision : str
        What operands are rounded to.
    dtype : str
        Of the copies.
    rows : int
        Images of a part; all of them where they don't count as a batch.
    inner : callable
        Makes the plan for a part of so many images.
    threads : int
        On how many 16-bit operands are widened.
    """

    def __init__(
        self,
        problem: Product,
        precision: str,
        dtype: str,
        rows: int,
        inner: Callable[[int], Plan],
        threads: int = 1,
    ) -> None:
        self._problem, self._precision, self._dtype = problem, precision, dtype
        self._threads = threads
        self._names = names_of(problem, problem.inputs)
        self._output = problem.outputs[0]
        self._batched = is_batched(problem)
        self._total = self._output.shape[0] if self._batched else 0
        self._rows = rows
        self._whole = inner(rows)
        left = self._total % rows if self._batched else 0
        self._rest = inner(left) if left else self._whole
        self._scratch = self._cut_scratch()
        self.pack_key = ("lowered", precision, dtype, copy_of(problem.weight).axes)

    def _cut_scratch(self) -> Scratch:
        scratch = Scratch()
        for name in self._names:
            copy = copy_of(getattr(self._problem, name), self._part(name))
            scratch.add(name, (copy.size,), self._dtype)
        if self._output.dtype != self._dtype:
            rows = self._rows if self._batched else None
            scratch.add("result", (copy_of(self._output, rows).size,), self._dtype)
        scratch.add("inner", (self.inner_bytes,), "uint8")
        return scratch

    def _part(self, name: str) -> int | None:
        return self._rows if self._batched and name in ("x", "y") else None

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._scratch.bytes

    @property
    def inner_bytes(self) -> int:
        """Bytes of it that the plan on the copies gets."""
        return max(self._whole.workspace_bytes, self._rest.workspace_bytes)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        operands = dict(zip(self._names, inputs, strict=True))
        if "weight" in operands:
            operands["weight"] = self._rounded("weight", operands["weight"], workspace)
        self._run(operands, outputs[0], workspace)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run` with what `pack` returned."""
        self._run(dict(zip(self._names, inputs, strict=True)), outputs[0], workspace)

    def pack(self, weight: Any) -> Any:
        """Return the weight rounded."""
        copy = copy_of(self._problem.weight)
        return self._fill(copy.of(np.empty(copy.size, self._dtype)), weight)

    def _run(self, operands: dict[str, Any], out: Any, workspace: Any) -> None:
        if "bias" in operands and operands["bias"].dtype != self._dtype:
            operands["bias"] = operands["bias"].astype(self._dtype)
        if not self._batched:
            self._product(operands, out, workspace, self._whole)
            return
        for start in range(0, self._total, self._rows):
            part = slice(start, start + self._rows)
            several = {n: a[part] if self._part(n) else a for n, a in operands.items()}
            whole = start + self._rows <= self._total
            self._product(several, out[part], workspace, self._whole if whole else self._rest)

    def _product(self, operands: dict[str, Any], out: Any, workspace: Any, plan: Plan) -> None:
        inputs = [
            self._rounded(name, operands[name], workspace) if name in ("x", "y") else operands[name]
            for name in self._names
        ]
        target = out
        if "result" in self._scratch:
            target = copy_of(self._output, len(out) if self._batched else None).of(
                self._scratch.cut("result", workspace)
            )
        size = plan.workspace_bytes
        scratch = self._scratch.cut("inner", workspace)[:size] if size else None
        plan.run(inputs, [target], scratch)
        if target is not out:
            convert(out, target, self._threads)

    def _rounded(self, name: str, array: Any, workspace: Any) -> Any:
        """Return an operand's rounded copy in the workspace."""
        operand = getattr(self._problem, name)
        copy = copy_of(operand, len(array) if self._part(name) else None)
        return self._fill(copy.of(self._scratch.cut(name, workspace)), array)

    def _fill(self, copy: Any, array: Any) -> Any:
        if self._precision in ROUNDED:
            fill_rounded(copy, array, self._precision, self._threads)
        else:
            convert(copy, array, self._threads)
        return copy


def copied_items(problem: Product, rows: int, dtype: str) -> int:
    """Return how many elements all the copies of a part of so many images have."""
    total = 0
    for name in names_of(problem, problem.inputs):
        operand = getattr(problem, name)
        shared = is_batched(problem) and name in ("x", "y")
        total += prod((rows, *operand.shape[1:])) if shared else operand.size
    out = problem.outputs[0]
    if out.dtype != dtype:
        total += prod((rows, *out.shape[1:])) if is_batched(problem) else out.size
    return total
