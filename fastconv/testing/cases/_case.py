"""What a case is: a problem in the making, and the values for its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from fastconv.problem import Ints, Operand, Problem
from fastconv.testing.layouts import operand
from fastconv.testing.values import make


@dataclass(frozen=True, slots=True)
class Spec:
    """One array of a case: its shape, its dtype, its layout in memory."""

    shape: Ints
    dtype: str
    layout: str = "contiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A named problem with a recipe for its inputs.

    Attributes
    ----------
    name : str
        Operation, what is special, dtype: ``conv_forward-dilated-float32``.
    kind : type
        The class of the problem.
    operation : str
        One of :data:`fastconv.problem.OPERATIONS`.
    specs : mapping
        The problem's arrays by field name.
    parameters : mapping
        The problem's other fields.
    values : str
        A kind of :data:`fastconv.testing.values.KINDS`.
    slow : bool
        Whether the case is left to long runs.
    """

    name: str
    kind: type[Problem]
    operation: str
    specs: Mapping[str, Spec]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    values: str = "normal"
    slow: bool = False

    def problem(self, device: str = "cpu") -> Problem:
        """Return the problem, with its arrays on a device."""
        operands: dict[str, Operand] = {
            name: operand(spec.shape, spec.dtype, spec.layout) for name, spec in self.specs.items()
        }
        return self.kind(
            function="conformance",
            operation=self.operation,
            device=device,
            **operands,
            **self.parameters,
        )

    def spec(self, problem: Problem, wanted: Operand) -> tuple[str, Spec]:
        """Return the field name and the spec of one of `problem`'s operands."""
        name = next(name for name in self.specs if getattr(problem, name) is wanted)
        return name, self.specs[name]

    def input_values(self, problem: Problem, seed: int = 0) -> list[Any]:
        """Return the inputs' values as host arrays, the same ones every time for a seed."""
        rng = np.random.default_rng([seed, crc32(self.name.encode())])
        arrays = []
        for position, each in enumerate(problem.inputs):
            name, spec = self.spec(problem, each)
            if name == "indices":
                values = _indices(rng, self, spec.shape)
            elif name == "multiplier":
                values = rng.uniform(1e-4, 4e-3, spec.shape).astype(spec.dtype)
            else:
                values = make(rng, spec.shape, spec.dtype, self.values, first=position == 0)
            if spec.layout == "broadcast":
                values[...] = values[:1]
            arrays.append(values)
        return arrays


def _indices(rng: np.random.Generator, case: Case, shape: Ints) -> Any:
    """Return valid indices into planes of x; all different in a plane for max_unpool."""
    plane = int(np.prod(case.specs["x"].shape[2:]))
    taken = int(np.prod(shape[2:]))
    replace = case.operation != "max_unpool"
    rows = [rng.choice(plane, taken, replace=replace) for _ in range(int(np.prod(shape[:2])))]
    return np.array(rows, np.int64).reshape(shape)
