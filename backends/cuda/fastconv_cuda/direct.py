"""Direct kernels: a thread for each element of the result. They take every case."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.precision import FLOATING
from fastconv.problem import (
    BiasProblem,
    ColumnsProblem,
    ConvProblem,
    GemmProblem,
    IntegerConvProblem,
    PoolProblem,
    Problem,
)
from fastconv_cuda.candidate import (
    INTEGERS_ALONE,
    alignments,
    itemsize,
    own_precision,
    refused,
    rounded_bound,
    rounding_asked,
    total_bytes,
    why_not_in,
)
from fastconv_cuda.device import Card, Device
from fastconv_cuda.geometry import columns_geometry, conv_geometry, geometry_of
from fastconv_cuda.params import (
    INTEGER_CONV,
    bias_params,
    columns_params,
    conv_params,
    pool_params,
)
from fastconv_cuda.plan import THREADS, Launch, LaunchPlan, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.units import Unit

# What is left of the peak without tiles: each operand is fetched anew for each product.
_SHARE = 0.03


def typed(file: str, dtype: str, rounding: str = "") -> Unit:
    """Return a unit for elements of a dtype, rounded to a format where they are multiplied."""
    words = (("FC_ELEMENT", "uint8" if dtype == "bool" else dtype),)
    return Unit(file, (*words, ("FC_ROUNDED", rounding)) if rounding else words)


def copying(file: str, dtype: str) -> Unit:
    """Return a unit that only moves elements of a dtype's size."""
    size = itemsize(dtype)
    name = "bytes16" if size == 16 else f"uint{8 * size}"
    return Unit(file, (("FC_ELEMENT", name), ("FC_COPIES_ONLY", "")))


def conv_launch(problem: ConvProblem | GemmProblem, rounding: str = "") -> Launch:
    """Return the launch of a convolution or a linear layer, forward or a gradient."""
    g = geometry_of(problem)
    pass_ = problem.operation.partition("_")[2]
    unit = typed("direct_conv.cu", problem.dtype, rounding)
    params = conv_params(g)
    if pass_ == "weight_grad":
        count = g.groups * g.k * g.c * g.taps
        return over_elements(unit, "conv_weight_grad", count, (0, 1, 2), params)
    count = g.batch * g.groups * (g.k * g.outputs if pass_ == "forward" else g.c * g.positions)
    arrays = (0, 1, 2, 3) if len(problem.inputs) == 3 else (0, 1, None, 2)
    return over_elements(unit, f"conv_{pass_}", count, arrays, params)


def _integer_launch(problem: IntegerConvProblem) -> Launch:
    definitions = (
        ("FC_X", problem.x.dtype),
        ("FC_W", problem.weight.dtype),
        ("FC_Y", problem.y.dtype),
    )
    params, g = integer_params(problem), conv_geometry(problem)
    count = g.batch * g.groups * g.k * g.outputs
    unit = Unit("integer_conv.cu", definitions)
    return over_elements(unit, "integer_conv", count, integer_arrays(problem), params)


def integer_arrays(problem: IntegerConvProblem) -> tuple[int | None, ...]:
    """Return the places of x, weight, zero points, bias, multiplier, y_zero_point and y."""
    operands = (problem.w_zero_point, problem.bias, problem.multiplier, problem.y_zero_point)
    places = iter(range(3, len(problem.inputs)))
    rest = [None if operand is None else next(places) for operand in operands]
    return (0, 1, 2, *rest, len(problem.inputs))


def integer_params(problem: IntegerConvProblem) -> Any:
    """Return an IntegerConv of one element; a number that serves all channels has stride 0."""
    params = np.zeros(1, INTEGER_CONV)
    p = params[0]
    p["conv"] = conv_params(conv_geometry(problem))[0]
    p["has_bias"] = problem.bias is not None
    for name, operand in (
        ("w_zero", problem.w_zero_point),
        ("multiplier", problem.multiplier),
        ("bias", problem.bias),
    ):
        if operand is not None:
            p[name] = operand.strides[0] if operand.shape[0] > 1 else 0
    return params


def _bias_launch(problem: BiasProblem) -> Launch:
    unit = typed("bias_grad.cu", problem.dtype)
    grid, block = (problem.y.shape[1], 1, 1), (THREADS, 1, 1)
    params = (bias_params(problem),)
    return Launch(unit, "bias_grad", grid, block, (0, 1), params, 16 * THREADS)


def _columns_launch(problem: ColumnsProblem) -> Launch:
    g = columns_geometry(problem)
    params = columns_params(problem, g)
    if problem.operation == "im2col":
        unit, count = copying("im2col.cu", problem.dtype), problem.columns.size
    else:
        unit, count = typed("col2im.cu", problem.dtype), problem.x.size
    return over_elements(unit, problem.operation, count, (0, 1), params)


_POOL_FILES = {
    "max_pool": "max_pool.cu",
    "max_pool_backward": "sum_pools.cu",
    "max_unpool": "unpool.cu",
    "max_unpool_backward": "unpool.cu",
    "avg_pool": "sum_pools.cu",
    "avg_pool_backward": "sum_pools.cu",
    "lp_pool": "lp_pool.cu",
    "lp_pool_backward": "lp_pool.cu",
}


def _pool_launch(problem: PoolProblem) -> Launch:
    operation = problem.operation
    make = copying if "unpool" in operation else typed
    arrays: tuple[int | None, ...] = tuple(range(len(problem.inputs) + len(problem.outputs)))
    if operation == "max_pool" and problem.indices is None:
        arrays = (0, 1, None)
    return over_elements(
        make(_POOL_FILES[operation], problem.dtype),
        operation,
        problem.outputs[0].size,
        arrays,
        pool_params(problem),
    )


_LAUNCHES: dict[type[Problem], Callable[[Any], Launch]] = {
    ConvProblem: conv_launch,
    GemmProblem: conv_launch,
    IntegerConvProblem: _integer_launch,
    BiasProblem: _bias_launch,
    ColumnsProblem: _columns_launch,
    PoolProblem: _pool_launch,
}


def work(problem: Problem) -> float:
    """Return a problem's operations, or an estimate where it names none."""
    flops = getattr(problem, "flops", None)
    if flops is not None:
        return float(flops)
    if isinstance(problem, PoolProblem):
        if problem.operation in ("max_pool_backward", "max_unpool"):
            # Each element of a plane looks at each index of it.
            return float(problem.x.size) * prod(problem.y.shape[2:])
        taps = prod(window.most_taps for window in problem.windows)
        return float(problem.y.size * max(taps, 1))
    return float(sum(o.size for o in (*problem.inputs, *problem.outputs)))


class Direct:
    """Any problem, element by element."""

    name = "direct"
    operations = tuple(name for kind in _LAUNCHES for name in kind.OPERATIONS)

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept everything in its own precision."""
        rounding = rounding_asked(problem, policy)
        precision = rounding or own_precision(problem)
        if rounding == "int8":
            return refused(self.name, INTEGERS_ALONE)
        reason = why_not_in(problem, policy, precision)
        if reason:
            return refused(self.name, reason)
        if type(problem) not in _LAUNCHES:
            return refused(self.name, f"it has no kernel for a {type(problem).__name__}")
        sums = own_precision(problem)
        name = sums if sums in FLOATING else "float32"
        return Decision(
            True,
            "a thread for each element of the result"
            + (f", operands rounded to {rounding}" if rounding else ""),
            self.name,
            precision,
            rounded_bound(problem, rounding),
            seconds(card, work(problem), name, _SHARE, total_bytes(problem)),
            device=card.device,
            detail=rounding,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        return direct_plan(problem, device, str(decision.detail or ""))


def direct_plan(problem: Problem, device: Device, rounding: str = "") -> LaunchPlan:
    """Return the plan that takes everything."""
    if rounding:
        assert isinstance(problem, ConvProblem | GemmProblem)
        launch = conv_launch(problem, rounding)
    else:
        launch = _LAUNCHES[type(problem)](problem)
    return LaunchPlan(device, (launch,), alignments(problem))
