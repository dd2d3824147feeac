"""A weight's own zero points: sums over windows, in every kind of product, at every level."""

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

import fastconv  # noqa: E402
from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.problem import IntegerConvProblem, Operand  # noqa: E402

# x, output channels, kernel, stride, padding, dilation, groups: long reductions in several blocks,
# lines in pairs, items that lack channels, lines of which a tile has part.
CASES = [
    ((2, 128, 14, 14), 64, 3, 1, 1, 1, 1),
    ((1, 130, 9, 5), 40, 3, 1, 1, 1, 1),
    ((1, 512, 7, 7), 48, 3, 1, 1, 1, 1),
    ((2, 66, 15, 17), 33, 3, 2, 1, 1, 1),
    ((2, 64, 13, 13), 70, 1, 2, 0, 1, 1),
    ((1, 3, 40, 41), 16, 5, 1, 2, 1, 1),
    ((1, 21, 30, 50), 7, 3, 1, 2, 2, 1),
    ((2, 16, 20, 20), 24, 3, 1, 1, 1, 2),
    ((2, 50, 13, 13), 40, 1, 1, 0, 1, 1),
    ((3, 4100, 5, 7), 9, 1, 1, 0, 1, 1),
]


def _posed(case, layout, w_sign, rng):
    shape, outer, kernel, stride, padding, dilation, groups = case
    x = rng.integers(0, 256, shape, np.uint8)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    ends = np.iinfo(w_sign)
    weight = rng.integers(ends.min, ends.max + 1, (outer, shape[1] // groups, kernel, kernel))
    inputs = {
        "x": x,
        "weight": weight.astype(w_sign),
        "x_zero_point": rng.integers(0, 256, 1).astype(np.uint8),
        "w_zero_point": rng.integers(ends.min, ends.max + 1, outer).astype(w_sign),
    }
    parameters = {
        "stride": (stride,) * 2, "padding": ((padding,) * 2,) * 2, "dilation": (dilation,) * 2,
        "groups": groups,
    }  # fmt: skip
    exact = fastconv.conv2d(
        x.astype(float) - inputs["x_zero_point"],
        weight - inputs["w_zero_point"].astype(float)[:, None, None, None],
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    return inputs, parameters, exact.astype(np.int64)


def _plans(inputs, parameters, y, limit=2**28):
    operands = {k: Operand(v.shape, v.strides, v.dtype.name) for k, v in inputs.items()}
    problem = IntegerConvProblem(
        function="test", device="cpu", **operands, **parameters,
        operation="conv_requantized" if "multiplier" in inputs else "conv_integer",
        y=Operand(y.shape, y.strides, y.dtype.name),
    )  # fmt: skip
    for threads in (1, 3):
        for decision in BACKEND.decide(problem, Policy(threads=threads, workspace_limit=limit)):
            if decision.can and decision.algorithm != "reference":
                yield BACKEND.plan(problem, decision)


def _run(plan, inputs, y):
    y[...] = 99
    plan.run(tuple(inputs.values()), (y,), np.full(plan.workspace_bytes, 255, np.uint8))
    return y


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("w_sign", ["int8", "uint8"])
def test_sums_less_windows_are_exact(narrow_level, case, layout, w_sign):
    rng = np.random.default_rng(0)
    inputs, parameters, exact = _posed(case, layout, w_sign, rng)
    y, ran = np.empty(exact.shape, np.int32), 0
    for plan in _plans(inputs, parameters, y):
        np.testing.assert_array_equal(_run(plan, inputs, y), exact)
        ran += 1
    assert ran >= 2
    inputs["multiplier"] = rng.uniform(1e-5, 1e-3, len(inputs["weight"])).astype(np.float32)
    inputs["y_zero_point"] = np.full(1, 7, np.int8)
    whole = np.rint(exact.astype(np.float32) * inputs["multiplier"][:, None, None]) + 7
    y = np.empty(exact.shape, np.int8)
    for plan in _plans(inputs, parameters, y):
        np.testing.assert_array_equal(_run(plan, inputs, y), np.clip(whole, -128, 127))


def test_the_cases_are_products_of_every_kind():
    kinds = set()
    for case in CASES:
        inputs, parameters, exact = _posed(case, "NCHW", "int8", np.random.default_rng(0))
        y = np.empty(exact.shape, np.int32)
        for plan in _plans(inputs, parameters, y):
            product = getattr(plan, "product", None)
            kinds.add((type(product).__name__, getattr(product, "kind", None)))
    assert {
        ("PointwisePlan", None), ("ProductPlan", (True, False)), ("ProductPlan", (False, False)),
    } <= kinds  # fmt: skip


@pytest.mark.parametrize("zeros", ["none", "own"])
def test_short_memory_takes_threads_one_by_one(zeros):
    inputs, parameters, exact = _posed(CASES[0], "NCHW", "int8", np.random.default_rng(0))
    if zeros == "none":
        del inputs["w_zero_point"]
    y = np.empty(exact.shape, np.int32)
    operands = {k: Operand(v.shape, v.strides, v.dtype.name) for k, v in inputs.items()}
    problem = IntegerConvProblem(
        function="test", device="cpu", operation="conv_integer", **operands, **parameters,
        y=Operand(y.shape, y.strides, y.dtype.name),
    )  # fmt: skip

    def decision(limit):
        found = BACKEND.decide(problem, Policy(threads=5, workspace_limit=limit))
        return next(d for d in found if d.algorithm == "implicit_gemm")

    most, least = decision(2**28), BACKEND.decide(problem, Policy(threads=1))
    one = next(d for d in least if d.algorithm == "implicit_gemm").workspace_bytes
    each = (most.workspace_bytes - one) // 4
    assert [decision(one + n * each).threads for n in range(5)] == [1, 2, 3, 4, 5]
    assert decision(one + 2 * each - 1).threads == 2
    refused = decision(one - 1)
    assert not refused.can
    assert refused.over_limit
