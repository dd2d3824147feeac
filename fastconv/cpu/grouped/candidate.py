"""Decide for convolutions whose groups have few channels, side by side in memory."""

from __future__ import annotations

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu.candidate import (
    error_bound,
    over_limit,
    precision_name,
    refused,
    rounding_first,
    threads_for,
)
from fastconv.cpu.grouped.plan import GroupedPlan, source_of
from fastconv.cpu.grouped.weight_grad import GroupedGradPlan, split_count
from fastconv.cpu.implicit_gemm.blocking import beyond_caches, moved_bytes, second_level_bytes
from fastconv.cpu.implicit_gemm.phases import phase_count
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.cpu.narrow import HALVES, sums_of, why_mixed, why_not
from fastconv.cpu.plans import itemsize
from fastconv.machine import peak_flops
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem, Operand, Problem

# What the core has loops for.
_GROUPS = (1, 2, 4, 8)
_ROWS = {(2, 1), (3, 1), (3, 2), (5, 1), (5, 2), (7, 1)}
_GRAD_ROWS = {(3, 1), (3, 2)}
# Measured: the share of the peak, by channels of a group, and that of weight gradients; bytes
# that pass through, in weight gradients also from beyond the caches; and what packing takes for
# each weight, and a phase of an input gradient.
_PEAK_SHARE = {1: 0.7, 2: 0.33, 4: 0.7, 8: 0.55}
_GRAD_SHARE = {1: 0.45, 2: 0.5, 4: 0.65, 8: 0.55}
_BYTES_PER_SECOND = {1: 60e9, 2: 80e9, 4: 80e9, 8: 80e9}
_GRAD_BYTES_PER_SECOND = {False: 45e9, True: 10e9}
_PACKED_SECONDS = 0.5e-9
_PHASE_SECONDS = 4e-6
# What becomes of the share where taps share no loads, or more than three do: of groups of one, and
# in weight gradients; or where an input gradient of groups of one has phases. Places of a tile
# along a row; and what a vector takes to be widened, or rounded, for each tile or for a band.
_APART_SHARE = 0.65
_WIDE_SHARE = 1.35
_GRAD_APART_SHARE = 0.45
_PHASES_SHARE = {True: 0.45, False: 0.15}
_PLACES = 8
_COPIED_SECONDS = {True: 0.6e-9, False: 0.75e-9}
_BAND_SECONDS = {True: 0.45e-9, False: 0.9e-9}
# Of kernels that slide: the share of the peak, by whether a vector fills a cache line; bytes that
# pass through, and what is added from so many second-level caches on; and what a vector takes to be
# rounded, or widened.
_SLIDE_SHARE = {True: 0.95, False: 0.7}
_SLIDE_BYTES_PER_SECOND = 100e9
_FAR_BYTES_PER_SECOND = 50e9
_FAR_FROM = 8
_SLIDE_SECONDS = {"float32": 0.4e-9, "float16": 0.0, "bfloat16": 0.2e-9}
# Pixels so many bytes apart crowd into a few sets of the first-level cache, where vectors shorter
# than its lines look for them again.
_LINE_BYTES = 64
_CROWDED_APART = 2048
_CROWDED_BYTES_PER_SECOND = {True: 25e9, False: 15e9}


class Grouped:
    """Vectors of channels, each channel of a group spread over the group."""

    name = "grouped"

    def decide(self, problem: Problem, policy: Policy) -> Decision:
        """Accept real convolutions of as many channels in as out, side by side."""
        if core is None:
            return refused(self.name, why_no_core)
        assert isinstance(problem, ConvProblem)
        rounding, dtype, reason = sums_of(problem, policy)
        reason = _why_not(problem) or reason or why_not(problem, dtype) or why_mixed(problem)
        if reason:
            return refused(self.name, reason)
        threads = threads_for(policy)
        plan: GroupedPlan | GroupedGradPlan
        if problem.operation == "conv_weight_grad":
            splits = split_count(problem, policy.workspace_limit)
            plan = GroupedGradPlan(problem, threads, splits, rounding)
            seconds = _grad_seconds(problem, dtype, rounding)
        else:
            plan = GroupedPlan(problem, threads, rounding, policy.workspace_limit)
            if plan.slides:
                seconds = _slide_seconds(problem, dtype, rounding)
            else:
                seconds = _seconds(problem, dtype, rounding, plan.bands)
        if plan.workspace_bytes > policy.workspace_limit:
            limit = policy.workspace_limit
            return over_limit(self.name, "its weight in pieces", plan.workspace_bytes, limit)
        found = Decision(
            True,
            f"{active()} kernels on vectors of channels",
            self.name,
            precision_name(dtype),
            error_bound(problem, dtype),
            seconds / threads,
            plan.workspace_bytes,
            threads=threads,
            detail=plan,
        )
        return rounding_first(found, rounding) if rounding else found

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Return what `decide` has made ready."""
        assert isinstance(decision.detail, GroupedPlan | GroupedGradPlan)
        return decision.detail


def _why_not(problem: ConvProblem) -> str:
    group = problem.weight.shape[1]
    if group not in _GROUPS or problem.x.shape[1] != problem.y.shape[1]:
        return "it takes groups of 1, 2, 4 or 8 channels, as many in as out"
    if any(operand.size == 0 for operand in (problem.x, problem.weight, problem.y)):
        return "an array is empty"
    if not all(a.strides[1] == itemsize(problem.dtype) for a in (problem.x, problem.y)):
        return "it takes channels that lie side by side"
    assert core is not None
    if problem.operation == "conv_weight_grad":
        fits = group * itemsize(sum_dtype(problem.dtype)) <= core.vector_bytes()
        return "" if fits else "its weight gradients are of groups that a vector holds"
    if group == 1 and problem.kernel[-1] > core.GROUPED_WIDEST:
        return f"it takes kernels of up to {core.GROUPED_WIDEST} taps in a row"
    return ""


def _seconds(problem: ConvProblem, dtype: str, rounding: str, bands: bool) -> float:
    lanes, group = 64 // itemsize(dtype), problem.weight.shape[1]
    # Lanes past the last channel compute for nothing.
    share = _PEAK_SHARE[group] * _filled(problem.x.shape[1], lanes)
    phases = 1 if problem.operation == "conv_forward" else phase_count(problem)
    moved = problem.x.size * itemsize(problem.x.dtype)
    moved += phases * problem.y.size * itemsize(problem.y.dtype)
    seconds = (phases - 1) * _PHASE_SECONDS + moved / _BYTES_PER_SECOND[group]
    seconds += problem.weight.size * _PACKED_SECONDS
    if group == 1:
        share *= _filled(_target(problem).shape[-1], _PLACES)
        if phases > 1:
            share *= _PHASES_SHARE[_fills_lines()]
        elif not _shares_loads(problem, _ROWS):
            share *= _APART_SHARE
        elif problem.kernel[-1] > 3:
            share *= _WIDE_SHARE
        seconds += _crowded_seconds(problem, itemsize(dtype if bands else problem.dtype))
        if bands:
            seconds += phases * source_of(problem).size / lanes * _BAND_SECONDS[not rounding]
        elif rounding or problem.dtype in HALVES:
            seconds += _copies(problem) / lanes * _COPIED_SECONDS[not rounding]
    return seconds + problem.flops / (share * peak_flops(active(), dtype, 1))


def _slide_seconds(problem: ConvProblem, dtype: str, rounding: str) -> float:
    assert core is not None
    moved, stride = moved_bytes(problem), problem.stride[-1]
    lanes = core.vector_bytes() // itemsize(dtype)
    share = _SLIDE_SHARE[_fills_lines()] * _filled(problem.x.shape[1], lanes)
    seconds = problem.flops / (share * peak_flops(active(), dtype, 1))
    seconds += moved / _SLIDE_BYTES_PER_SECOND + problem.weight.size * _PACKED_SECONDS
    if moved > _FAR_FROM * second_level_bytes():
        seconds += moved / _FAR_BYTES_PER_SECOND
    if rounding or problem.dtype in HALVES:
        # Two rows of outputs share what each of their columns loads.
        loads = problem.y.size / lanes * stride * (problem.kernel[-1] + stride) / 2
        seconds += loads * _SLIDE_SECONDS[problem.dtype]
    return seconds + _crowded_seconds(problem, itemsize(problem.dtype))


def _crowded_seconds(problem: ConvProblem, size: int) -> float:
    if problem.stride[-1] > 1 or problem.x.shape[1] * size % _CROWDED_APART:
        return 0.0
    return moved_bytes(problem) / _CROWDED_BYTES_PER_SECOND[_fills_lines()]


def _fills_lines() -> bool:
    assert core is not None
    size: int = core.vector_bytes()
    return size == _LINE_BYTES


def _grad_seconds(problem: ConvProblem, dtype: str, rounding: str) -> float:
    lanes, group = 64 // itemsize(dtype), problem.weight.shape[1]
    share = _GRAD_SHARE[group] * _filled(problem.x.shape[1], lanes)
    share *= _filled(problem.y.shape[-1], _PLACES)
    if not _shares_loads(problem, _GRAD_ROWS):
        share *= _GRAD_APART_SHARE
    rate = _GRAD_BYTES_PER_SECOND[beyond_caches(problem)]
    seconds = moved_bytes(problem) / rate + problem.weight.size * _PACKED_SECONDS
    if rounding or problem.dtype in HALVES:
        # Both rows of x and of y, for each row of the kernel.
        seconds += 3 * _copies(problem) / lanes * _COPIED_SECONDS[not rounding]
    return seconds + problem.flops / (share * peak_flops(active(), dtype, 1))


def _filled(count: int, size: int) -> float:
    return count / (-(-count // size) * size)


def _target(problem: ConvProblem) -> Operand:
    return problem.x if problem.operation == "conv_input_grad" else problem.y


def _shares_loads(problem: ConvProblem, rows: set[tuple[int, int]]) -> bool:
    """Whether the core has loops for the kernel's rows."""
    return problem.dilation[-1] == 1 and (problem.kernel[-1], problem.stride[-1]) in rows


def _copies(problem: ConvProblem) -> float:
    """Return how many items are copied: those of a row for each pair of rows that it serves."""
    rows, stride = problem.kernel[-2:-1] or (1,), problem.stride[-2:-1] or (1,)
    return _target(problem).size * (rows[0] + stride[0]) / 2 * problem.stride[-1]
