"""What tests of float16 and bfloat16 share."""

from dataclasses import replace

import numpy as np
import pytest

from fastconv.backend import Policy
from fastconv.cpu.backend import BACKEND
from fastconv.problem import Operand

bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

HALVES = {"float16": np.dtype("float16"), "bfloat16": np.dtype(bfloat16)}
every_half = pytest.mark.parametrize("dtype", list(HALVES))


def operand(array):
    return Operand(array.shape, array.strides, array.dtype.name)


def result_of(algorithm, problem, inputs, target, precision=None):
    """Return an algorithm's decision and its result, the same for every thread count."""
    decisions = BACKEND.decide(problem, Policy(precision=precision))
    (decision,) = (d for d in decisions if d.algorithm == algorithm)
    assert decision.can, decision.reason
    found = []
    for threads in (1, 3):
        plan = BACKEND.plan(problem, replace(decision, threads=threads))
        target[...] = 0
        plan.run(inputs, (target,), np.full(plan.workspace_bytes, 255, np.uint8))
        found.append(target.copy())
    assert found[0].tobytes() == found[1].tobytes()
    return decision, found[0]
