"""Run a plan on arrays whose every byte is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Backend, Plan
from fastconv.problem import Problem
from fastconv.testing.cases import Case, Spec
from fastconv.testing.layouts import GUARD_BYTES, LAYOUTS, buffer_for, to_host, view_of
from fastconv.testing.measure import ConformanceError

# 0xFF makes NaN, or -1; 0x7B makes large finite numbers: garbage of two kinds.
POISON = (0xFF, 0x7B)


@dataclass(slots=True)
class Guarded:
    """An array in a buffer with guards, and the bytes that the buffer had before."""

    spec: Spec
    buffer: Any
    before: Any
    array: Any

    def after(self) -> Any:
        """Return the buffer as it is now, on the host, and free to be changed."""
        return np.array(to_host(self.buffer))


@dataclass(slots=True)
class Arena:
    """A backend's arrays for one case: fresh ones for every run."""

    backend: Backend
    case: Case
    problem: Problem
    values: Sequence[Any] = field(default_factory=list)

    @property
    def library(self) -> Any:
        """The module of the backend's arrays."""
        return import_module(self.backend.info.namespace)

    def run(self, plan: Plan, poison: int = POISON[0], *, read_only: bool = False) -> list[Any]:
        """Run a plan once; return its outputs as host arrays.

        Raises
        ------
        ConformanceError
            If it wrote to an input, or outside its outputs and its workspace.
        """
        problem = self.problem
        inputs = [
            self._input(*self.case.spec(problem, operand), values)
            for operand, values in zip(problem.inputs, self.values, strict=True)
        ]
        outputs = [
            self._output(*self.case.spec(problem, operand), poison) for operand in problem.outputs
        ]
        if read_only and self.library is np:
            for guarded in inputs:
                guarded.array.setflags(write=False)
        workspace, block = self._workspace(plan, poison)
        # Infinities and overflow are among the cases; whether they warn is NumPy's affair.
        with np.errstate(all="ignore"):
            plan.run([g.array for g in inputs], [g.array for g in outputs], workspace)
        results = [self._result(guarded, poison) for guarded in outputs]
        for guarded in inputs:
            if not np.array_equal(guarded.after().view(np.uint8), guarded.before):
                raise ConformanceError("it writes to an input, or beside one")
        if block is not None:
            whole = to_host(block)
            if (whole[:GUARD_BYTES] != poison).any() or (whole[-GUARD_BYTES:] != poison).any():
                raise ConformanceError(
                    f"it writes outside its workspace of {plan.workspace_bytes} bytes"
                )
        return results

    def _input(self, name: str, spec: Spec, values: Any) -> Guarded:
        buffer = buffer_for(spec.shape, spec.dtype, spec.layout, POISON[0])
        if LAYOUTS[spec.layout].repeat:
            values = values[:1]
            view_of(buffer, values.shape, spec.dtype, "contiguous")[...] = values
        else:
            view_of(buffer, spec.shape, spec.dtype, spec.layout)[...] = values
        return self._guarded(spec, buffer)

    def _output(self, name: str, spec: Spec, poison: int) -> Guarded:
        return self._guarded(spec, buffer_for(spec.shape, spec.dtype, spec.layout, poison))

    def _guarded(self, spec: Spec, buffer: Any) -> Guarded:
        before = buffer.view(np.uint8).copy()
        ours = self.library.asarray(buffer)
        return Guarded(spec, ours, before, view_of(ours, spec.shape, spec.dtype, spec.layout))

    def _workspace(self, plan: Plan, poison: int) -> tuple[Any, Any]:
        if plan.workspace_bytes == 0:
            return None, None
        block = plan.empty((plan.workspace_bytes + 2 * GUARD_BYTES,), "uint8")
        block[...] = poison
        return block[GUARD_BYTES:-GUARD_BYTES], block

    def _result(self, guarded: Guarded, poison: int) -> Any:
        spec, after = guarded.spec, guarded.after()
        inside = view_of(after, spec.shape, spec.dtype, spec.layout)
        result = inside.copy()
        untouched = buffer_for(spec.shape, spec.dtype, spec.layout, poison)
        inside[...] = view_of(untouched, spec.shape, spec.dtype, spec.layout)
        if not np.array_equal(after.view(np.uint8), guarded.before):
            raise ConformanceError("it writes outside an output")
        return result


def check_empty(backend: Backend, plan: Plan) -> None:
    """Hold ``plan.empty`` to its word: shape, dtype, C-contiguous, one of the array types."""
    for shape, dtype in (((2, 3), "float32"), ((0,), "uint8"), ((5,), "uint8")):
        array = plan.empty(shape, dtype)
        names = {f"{k.__module__.partition('.')[0]}.{k.__qualname__}" for k in type(array).__mro__}
        if not names.intersection(backend.info.array_types):
            raise ConformanceError(
                f"empty() gives a {type(array).__name__}, expected one of "
                f"{', '.join(backend.info.array_types)}"
            )
        itemsize = np.dtype(dtype).itemsize
        strides = tuple(itemsize * prod(shape[axis + 1 :]) for axis in range(len(shape)))
        if (tuple(array.shape), array.dtype) != (shape, np.dtype(dtype)):
            raise ConformanceError(f"empty({shape}, {dtype!r}) gives {array.shape}, {array.dtype}")
        if array.size and tuple(array.strides) != strides:
            raise ConformanceError(f"empty({shape}, {dtype!r}) isn't C-contiguous")
