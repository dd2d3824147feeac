"""Images more than 2^31 bytes apart: offsets have 64 bits where they must."""

from __future__ import annotations

import mmap
import sys
from dataclasses import replace

import numpy as np
import pytest
from fastconv_cuda.backend import CudaBackend
from problems import conv_problem, small_values
from simt.device import simulated

from fastconv.backend import Policy
from fastconv.testing import solve

pytestmark = [
    pytest.mark.simulated,
    pytest.mark.skipif(sys.platform != "linux", reason="memory that nobody touches is Linux's"),
]
APART = 2**31 + 4096
NO_RESERVE = 0x4000  # MAP_NORESERVE of x86-64 and aarch64, which Python names from 3.13 on


def far(operand):
    """Return an array whose two images are far apart, and its operand; only they take memory."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
    image = int(np.prod(operand.shape[1:])) * np.dtype(operand.dtype).itemsize
    memory = mmap.mmap(-1, APART + image, flags=flags)
    strides = (APART, *operand.strides[1:])
    array = np.ndarray(operand.shape, operand.dtype, memory, 0, strides)
    return array, replace(operand, strides=strides)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("groups", [1, 16])
@pytest.mark.parametrize("pass_", ["conv_forward", "conv_input_grad", "conv_weight_grad"])
def test_every_algorithm_reaches_both_images(pass_, groups, dtype, last):
    backend = CudaBackend(simulated)
    weight = (16, 16 // groups, 3, 3)
    near = conv_problem(
        pass_, (2, 16, 6, 7), weight, padding=1, groups=groups, dtype=dtype, last=last
    )
    x, x_operand = far(near.x)
    y, y_operand = far(near.y)
    problem = replace(near, x=x_operand, y=y_operand)
    rng = np.random.default_rng(1)
    w = np.zeros(weight, dtype)
    arrays = {"x": x, "weight": w, "y": y}
    names = {
        "conv_forward": ("x", "weight", "y"),
        "conv_input_grad": ("y", "weight", "x"),
        "conv_weight_grad": ("x", "y", "weight"),
    }[pass_]
    values = [small_values(operand, rng) for operand in problem.inputs]
    for name, value in zip(names, values, strict=False):
        arrays[name][...] = value
    exact = solve(near, values)[0].values.astype(dtype)
    ran = set()
    for decision in backend.decide(problem, Policy()):
        if decision.can:
            plan = backend.plan(problem, decision)
            workspace = np.full(plan.workspace_bytes, 0xFF, np.uint8)
            output = arrays[names[2]]
            output[...] = np.nan
            plan.run([arrays[name] for name in names[:2]], [output], workspace)
            np.testing.assert_array_equal(output, exact, err_msg=decision.algorithm)
            ran.add(decision.algorithm)
    assert len(ran) >= 2
