"""Pools at the speed of memory: windows known to the compiler, planes in shared memory."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import PoolProblem, Problem, Window
from fastconv_cuda.candidate import (
    alignments,
    error_bound,
    itemsize,
    own_precision,
    refused,
    total_bytes,
    why_not_in,
)
from fastconv_cuda.depthwise import TYPES, unit_for
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import copying, typed
from fastconv_cuda.geometry import Axis
from fastconv_cuda.params import pool_params
from fastconv_cuda.plan import Launch, LaunchPlan, over_elements
from fastconv_cuda.rates import LAUNCH_SECONDS, seconds

_MOST_TAPS = 64
_PLANE = 2048  # elements that a block of scatter_planes has
_GROUP = 256
_MOST_PLANES = 65_535


def _decision(name: str, reason: str, problem: Problem, card: Card, predicted: float) -> Decision:
    return Decision(
        True,
        reason,
        name,
        own_precision(problem),
        error_bound(problem),
        predicted,
        device=card.device,
    )


class Pool2d:
    """Max and average pools of fixed windows over one or two axes."""

    name = "pool_2d"
    operations = ("max_pool", "avg_pool")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept windows that are worth unrolling."""
        assert isinstance(problem, PoolProblem)
        reason = _why_no_windows(problem) or why_not_in(problem, policy, own_precision(problem))
        if reason:
            return refused(self.name, reason)
        predicted = seconds(card, 0, "float32", 1.0, total_bytes(problem))
        return _decision(self.name, "a window for each thread", problem, card, predicted)

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, PoolProblem)
        size, channels = itemsize(problem.dtype), problem.x.shape[1]
        arrays = (0, 1, 2) if len(problem.outputs) == 2 else (0, 1, None)
        windows = (*(Window(length=1, count=1, kernel=1),) * (2 - len(problem.windows)),
                   *problem.windows)  # fmt: skip
        axes = tuple(Axis(taps=w.kernel, stride=w.stride, dilation=w.dilation) for w in windows)
        last = abs(problem.x.strides[1]) <= size
        params = pool_params(problem)

        def plan(lanes: int, otherwise: LaunchPlan | None) -> LaunchPlan:
            unit = unit_for(
                "pool_2d.cu",
                "uint8" if problem.dtype == "bool" else problem.dtype,
                (Axis(), *axes),
                ("FC_LANES", lanes),
                *((("FC_LAST", ""),) if last else ()),
                *((("FC_MAXIMUM", ""),) if problem.operation == "max_pool" else ()),
            )
            count = problem.y.size // lanes
            aligned = alignments(problem)
            if lanes > 1:
                aligned[0] = 16
            launch = over_elements(unit, "pool_2d", count, arrays, params)
            return LaunchPlan(device, (launch,), aligned, 0, otherwise)

        plain, lanes = plan(1, None), 16 // size
        others = zip(
            (problem.x.strides[0], *problem.x.strides[2:]),
            (problem.x.shape[0], *problem.x.shape[2:]),
            strict=True,
        )
        whole = all(stride % 16 == 0 for stride, extent in others if extent > 1)
        if problem.x.strides[1] == size and lanes > 1 and channels % lanes == 0 and whole:
            return plan(lanes, plain)
        return plain


def _why_no_windows(problem: PoolProblem) -> str:
    if problem.operation == "avg_pool" and problem.dtype not in TYPES:
        return f"it averages real numbers, not {problem.dtype}"
    if len(problem.windows) > 2:
        return "it has one or two spatial axes, not three"
    if any(window.adaptive for window in problem.windows):
        return "it takes windows of one size, not adaptive ones"
    taps = 1
    for window in problem.windows:
        taps *= window.kernel
    if taps > _MOST_TAPS:
        return f"windows of {taps} elements are too many to unroll"
    if max(problem.x.size, problem.y.size) >= 2**31:
        return "it counts a plane's elements in 32 bits"
    return ""


class ScatterPlanes:
    """A max pool's gradient and unpooling, planes in shared memory."""

    name = "scatter_planes"
    operations = ("max_pool_backward", "max_unpool")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept as many planes as a grid holds."""
        assert isinstance(problem, PoolProblem)
        planes = problem.x.shape[0] * problem.x.shape[1]
        reason = why_not_in(problem, policy, own_precision(problem))
        if planes > _MOST_PLANES:
            reason = f"{planes} planes are more than a grid holds along an axis"
        if reason:
            return refused(self.name, reason)
        windows = problem.y.size // max(planes, 1)
        blocks = planes * _blocks(problem)
        # Each warp of a block looks at each index: about two cycles.
        waves = -(-blocks // (4 * card.processors))
        looking = waves * windows * 16 / card.clock
        moved = total_bytes(problem) / (0.8 * card.bandwidth)
        predicted = LAUNCH_SECONDS + max(looking, moved)
        return _decision(self.name, "planes in shared memory", problem, card, predicted)

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, PoolProblem)
        adds = problem.operation == "max_pool_backward"
        make = typed if adds else copying
        size = max(itemsize(problem.dtype), 4 if adds else 1)
        launch = Launch(
            make("scatter_planes.cu", problem.dtype),
            "scatter_planes",
            (_blocks(problem), problem.x.shape[0] * problem.x.shape[1], 1),
            (_GROUP, 1, 1),
            (0, 1, 2),
            (pool_params(problem),),
            (_PLANE + _GROUP) * size + 4 * _GROUP,
        )
        return LaunchPlan(device, (launch,), alignments(problem))


def _blocks(problem: PoolProblem) -> int:
    elements = 1
    for extent in problem.x.shape[2:]:
        elements *= extent
    return -(-elements // _PLANE)


POOLS = (Pool2d(), ScatterPlanes())
