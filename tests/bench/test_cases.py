"""The layers: shapes as fastconv itself derives them, and the work counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

import fastconv
from asv_bench.cases import PASSES, Case, all_cases, operands

CASES = {case.name: case for case in all_cases()}


def without_memory(shape):
    return np.broadcast_to(np.zeros((), "float32"), shape)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_output_shapes_are_fastconvs(case):
    x = without_memory(case.x)
    if case.kind == "max pool":
        window = (case.kernel, case.stride, case.padding)
        explained = fastconv.explain(fastconv.max_pool2d, x, *window)
    elif case.kind == "global average":
        explained = fastconv.explain(fastconv.adaptive_avg_pool2d, x, 1)
    else:
        transpose = "_transpose" if case.kind == "transposed" else ""
        function = getattr(fastconv, f"conv{transpose}{case.axes}d")
        explained = fastconv.explain(function, x, without_memory(case.weight), **case.window)
    problem = explained.problems[0].problem
    # A transposed convolution is posed as a gradient by the input, whose x is the result.
    result = problem.x if case.kind == "transposed" else problem.y
    assert result.shape == case.y


def test_work_of_a_convolution():
    case = Case("c", "convolution", (2, 4, 5, 5), (6, 2, 3, 3), (3, 3), padding=1, groups=2)
    outputs = 2 * 6 * 5 * 5
    assert case.flops("forward") == case.flops("weight_grad") == 2 * outputs * 2 * 9
    assert case.flops("both_grads") == 2 * case.flops("forward")
    assert case.bytes("input_grad", 4) == 4 * (2 * 4 * 25 + 6 * 2 * 9 + outputs)
    assert case.bytes("both_grads", 8) == 8 * (2 * 2 * 4 * 25 + 2 * 6 * 2 * 9 + outputs)


def test_work_of_a_transposed_convolution_is_its_adjoints():
    case = Case("t", "transposed", (1, 3, 4, 4), (3, 5, 4, 4), (4, 4), stride=2, padding=1)
    adjoint = Case("c", "convolution", (1, 5, 8, 8), (3, 5, 4, 4), (4, 4), stride=2, padding=1)
    assert case.y == adjoint.x
    assert adjoint.y == case.x
    assert case.flops("forward") == adjoint.flops("input_grad")


def test_work_of_a_pool():
    case = Case("p", "max pool", (1, 2, 4, 4), (), (2, 2), stride=2)
    assert case.passes == PASSES[:2]
    assert case.flops("forward") == 8 * 4
    assert case.bytes("forward", 4) == 4 * (32 + 8)
    assert case.bytes("input_grad", 4) == 4 * (32 + 8) + 8 * 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operands_have_the_cases_shapes_and_repeat(dtype):
    case = CASES["mnist-second"]
    first, again = operands(case, dtype), operands(case, dtype)
    assert first.x.dtype == first.weight.dtype == first.grad.dtype == dtype
    assert (first.x.shape, first.weight.shape, first.grad.shape) == (case.x, case.weight, case.y)
    assert np.array_equal(first.x, again.x)
