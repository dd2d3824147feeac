"""Depthwise convolution, pools and sums: what is bound by memory, on integers, hence exactly."""

from __future__ import annotations

import numpy as np
import pytest
from breaking import broken_kernels
from fastconv_cuda.depthwise import DEPTHWISE
from fastconv_cuda.direct import direct_plan
from fastconv_cuda.pooling import Pool2d, ScatterPlanes
from problems import array_of, conv_problem, operand, run
from simt.device import SimulatedDevice, SimulationError

from fastconv.backend import Policy
from fastconv.problem import BiasProblem, PoolProblem, Window
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")
ROWS = {
    "3x3": {"x": (2, 16, 9, 11), "w": (16, 1, 3, 3), "padding": 1},
    "strided": {"x": (2, 16, 11, 13), "w": (16, 1, 5, 5), "padding": 2, "stride": (1, 2)},
    "strides-apart": {
        "x": (1, 8, 13, 17),
        "w": (8, 1, 3, 4),
        "padding": ((1, 2), (2, 0)),
        "stride": (2, 3),
        "dilation": (1, 2),
    },
    "past-the-kernel": {"x": (1, 8, 9, 14), "w": (8, 1, 2, 2), "stride": (3, 4)},
    "many-chunks": {"x": (1, 144, 5, 9), "w": (144, 1, 3, 3), "padding": 1},
    "dilated": {"x": (1, 8, 14, 13), "w": (8, 1, 3, 3), "padding": (2, 3), "dilation": (2, 3)},
    "asymmetric": {"x": (1, 8, 7, 9), "w": (8, 1, 2, 4), "padding": ((1, 0), (2, 1))},
    "multiplier": {"x": (1, 4, 9, 8), "w": (12, 1, 3, 3), "padding": 1},
    "1d": {"x": (2, 8, 21), "w": (8, 1, 5), "padding": 2},
}


def depthwise(pass_, row, dtype, last):
    given = ROWS[row]
    return conv_problem(pass_, **given, groups=given["x"][1], dtype=dtype, last=last)


def check(problem, candidate, device):
    decision = candidate.decide(problem, Policy(), device.card)
    assert decision.can, decision.reason
    plan = candidate.plan(problem, decision, device)
    for _ in range(2):
        got, exact = run(plan, device, problem, np.random.default_rng(5))
        np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("pass_", PASSES)
def test_depthwise_is_exact(pass_, row, dtype, last, device):
    problem = depthwise(pass_, row, dtype, last)
    check(problem, DEPTHWISE, device)


def test_channels_last_are_read_sixteen_bytes_at_a_time(device):
    for last in (False, True):
        check(depthwise("conv_forward", "3x3", "float16", last), DEPTHWISE, device)
    lanes = [dict(unit.definitions)["FC_LANES"] for unit, _ in device.launches]
    assert lanes == ["1", "1", "8", "8"]


def pool_problem(operation, dtype="float32", last=False, channels=8, indices=False, length=9):
    """Return an overlapping 3 x 2 pool with stride 2 and padding 1."""
    windows = tuple(
        Window(
            length=n, count=(n + 2 - k) // 2 + 1, kernel=k, stride=2, padding=(1, 1),
            count_padding=True,
        )
        for n, k in ((length, 3), (length + 1, 2))
    )  # fmt: skip
    x = (2, channels, length, length + 1)
    y = (2, channels, *(window.count for window in windows))
    return PoolProblem(
        function="test",
        operation=operation,
        device="cuda:0",
        x=operand(x, dtype, last),
        y=operand(y, dtype, last),
        indices=operand(y, "int64", last) if indices else None,
        windows=windows,
    )


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_max_pools_and_their_indices_are_exact(dtype, last, device):
    channels = 16 if dtype == "int8" else 8
    problem = pool_problem("max_pool", dtype, last, channels, indices=True)
    plan = Pool2d().plan(problem, None, device)
    values = np.random.default_rng(6).integers(-3, 4, problem.x.shape)
    expected, places = solve(problem, [values.astype(dtype)])
    for _ in range(2):
        x = array_of(device, problem.x, values)
        y, indices = array_of(device, problem.y, 99), array_of(device, problem.indices, -7)
        plan.run([x], [y, indices], None)
        np.testing.assert_array_equal(y, expected.values)
        np.testing.assert_array_equal(indices, places.values)
    assert ("FC_LAST", "") in device.launches[-1][0].definitions or not last


def scatter(device, length=50):
    problem = pool_problem("max_pool_backward", indices=True, channels=3, length=length)
    plan = ScatterPlanes().plan(problem, None, device)
    rng = np.random.default_rng(7)
    plane = problem.x.shape[2] * problem.x.shape[3]
    y = rng.integers(-4, 5, problem.y.shape).astype(np.float32)
    indices = rng.integers(0, plane, problem.y.shape)
    for _ in range(2):
        x = array_of(device, problem.x)
        plan.run([y, indices], [x], None)
        np.testing.assert_array_equal(x, solve(problem, [y, indices])[0].values)


def test_planes_larger_than_a_block_are_taken_apart(device):
    scatter(device)


def bias_sum(device):
    problem = BiasProblem(
        function="test",
        operation="bias_grad",
        device="cuda:0",
        y=operand((3, 5, 17, 19), "float32"),
        bias=operand((5,), "float32"),
    )
    got, exact = run(direct_plan(problem, device), device, problem, np.random.default_rng(8))
    np.testing.assert_array_equal(got, exact)
    got, exact = run(direct_plan(problem, device), device, problem, np.random.default_rng(8))
    np.testing.assert_array_equal(got, exact)


def depthwise_weight(device):
    check(depthwise("conv_weight_grad", "3x3", "float32", True), DEPTHWISE, device)


@pytest.mark.parametrize(
    ("file", "occurrence", "work"),
    [
        ("depthwise_weight.cu", 0, depthwise_weight),
        ("depthwise_weight.cu", 1, depthwise_weight),
        ("scatter_planes.cu", 0, scatter),
        ("scatter_planes.cu", 1, scatter),
        ("bias_grad.cu", 0, bias_sum),
    ],
)
def test_a_missing_barrier_is_caught(file, occurrence, work, tmp_path):
    folder = broken_kernels(tmp_path, file, "block_barrier();", "", occurrence)
    with pytest.raises((AssertionError, SimulationError)):
        work(SimulatedDevice(kernels=folder))
