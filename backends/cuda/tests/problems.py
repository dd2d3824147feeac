"""Problems of any shape, with values that sums of any order get exactly right."""

from __future__ import annotations

import numpy as np

from fastconv.problem import ConvProblem, GemmProblem, Operand
from fastconv.testing import solve

# Layers that every matrix kernel must get right, whatever else it is asked.
SHARED_ROWS = {
    "ragged": {"x": (2, 24, 9, 8), "w": (72, 24, 3, 3), "padding": 1},
    "strided-dilated": {
        "x": (1, 16, 15, 12), "w": (8, 16, 3, 3), "padding": (2, 1), "stride": (2, 3),
        "dilation": (3, 2),
    },
    "3d": {"x": (1, 8, 4, 5, 6), "w": (16, 8, 2, 3, 2), "padding": (1, 0, 1), "stride": (1, 2, 1)},
    "one-pixel": {"x": (1, 8, 1, 1), "w": (8, 8, 1, 1)},
}  # fmt: skip


def operand(shape, dtype, last=False):
    """Return an operand, contiguous or with its channels last."""
    memory = (shape[0], *shape[2:], shape[1]) if last else shape
    size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    strides = [size]
    for extent in memory[:0:-1]:
        strides.insert(0, strides[0] * extent)
    if last:
        strides = [strides[0], strides[-1], *strides[1:-1]]
    return Operand(tuple(shape), tuple(strides), dtype)


def conv_problem(
    operation, x, w, *, stride=1, padding=0, dilation=1, groups=1, dtype="float32", last=False,
    **more,
):  # fmt: skip
    """Return a convolution's problem on the simulated device."""
    axes = len(x) - 2

    def each(value):
        return value if isinstance(value, tuple) else (value,) * axes

    stride, dilation = each(stride), each(dilation)
    pads = tuple(p if isinstance(p, tuple) else (p, p) for p in each(padding))
    spatial = [
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, d, (a, b) in zip(x[2:], w[2:], stride, dilation, pads, strict=True)
    ]
    return ConvProblem(
        function="test",
        operation=operation,
        device="cuda:0",
        x=operand(x, dtype, last),
        weight=operand(w, dtype),
        y=operand((x[0], w[0], *spatial), dtype, last),
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        **more,
    )


def linear_problem(operation, rows, inner, outer, dtype="float32"):
    """Return a linear layer's problem."""
    return GemmProblem(
        function="test",
        operation=operation,
        device="cuda:0",
        x=operand((rows, inner), dtype),
        weight=operand((outer, inner), dtype),
        y=operand((rows, outer), dtype),
    )


def array_of(device, wanted, values=None):
    """Return an array of an operand's layout; without values full of NaN."""
    order = sorted(range(len(wanted.shape)), key=lambda axis: -wanted.strides[axis])
    memory = device.empty(tuple(wanted.shape[axis] for axis in order), wanted.dtype)
    array = memory.transpose([order.index(axis) for axis in range(len(order))])
    array[...] = np.nan if values is None else values
    return array


def small_values(wanted, rng, reach=3):
    """Return small integers."""
    return rng.integers(-reach, reach + 1, wanted.shape).astype(np.float64)


def run(plan, device, problem, rng):
    """Return a plan's result, and the exact one rounded to its type, as float64."""
    values = [small_values(o, rng) for o in problem.inputs]
    inputs = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
    (output,) = (array_of(device, o) for o in problem.outputs)
    size = plan.workspace_bytes
    workspace = np.full(size, 0xFF, np.uint8) if size else None
    plan.run(inputs, [output], workspace)
    exact = solve(problem, values)[0].values
    return output.astype(np.float64), exact.astype(output.dtype).astype(np.float64)


def integer_values(wanted, rng):
    """Return values of any size for an operand of an integer convolution."""
    if wanted.dtype == "float32":
        return rng.random(wanted.shape, np.float32) / 4096
    ends = np.iinfo(wanted.dtype)
    low, high = (ends.min, ends.max) if wanted.dtype != "int32" else (-9999, 9999)
    return rng.integers(low, high, wanted.shape, wanted.dtype, endpoint=True)
