"""The weight gradient as a product over pixels, in parts that are added up in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, Problem
from fastconv_cuda.arithmetic import FMA, MMA, Kind, Math, Product
from fastconv_cuda.candidate import alignments, refused, total_bytes
from fastconv_cuda.copies import copy_unit
from fastconv_cuda.device import Card, Device
from fastconv_cuda.geometry import Geometry, geometry_of
from fastconv_cuda.params import WEIGHT_SUM, conv_params
from fastconv_cuda.plan import Launch, LaunchPlan, Place, Scratch, over_elements
from fastconv_cuda.rates import seconds
from fastconv_cuda.shapes import why_too_large
from fastconv_cuda.tiles import weight_last_unit, weight_unit
from fastconv_cuda.units import Unit
from fastconv_cuda.weight_parts import Parts, parts_for
from fastconv_cuda.weight_split import Split, copies_for, last_geometry, split_for

# Both operands gathered element by element, or 16 bytes of channels at a time.
_PLAIN_SHARE, _LAST_SHARE = 0.4, 0.9


class WeightGemm:
    """The weight gradient, by one way of multiplying tiles."""

    operations = ("conv_weight_grad", "linear_weight_grad")

    def __init__(self, math: Math) -> None:
        self.name = f"implicit_gemm_{math.name}"
        self._math = math

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what its arithmetic serves, with as many parts as the workspace holds."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = self._math.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        geometry = geometry_of(problem)
        reason = why_too_large(geometry.k, geometry.c * geometry.taps, geometry.groups)
        if reason:
            return refused(self.name, reason)
        ways = [self._last(problem, geometry, kind, policy, card)]
        if not kind.by_copy(problem) and copies_for(problem, geometry, kind):
            ways.append(self._plain(problem, geometry, kind, policy, card))
        can = [way for way in ways if way.can and way.workspace_bytes <= policy.workspace_limit]
        return min(can or ways, key=lambda way: (not way.can, way.seconds))

    def _plain(
        self, problem: Product, geometry: Geometry, kind: Kind, policy: Policy, card: Card
    ) -> Decision:
        split = split_for(geometry, problem.dtype, kind.math, card, policy.workspace_limit)
        share = self._math.share * _PLAIN_SHARE
        moved = total_bytes(problem) + 2 * split.bytes
        predicted = seconds(card, problem.flops, kind.rate, share, moved)
        how = "element by element"
        return self._decision(problem, kind, card, split, how, predicted, split.bytes)

    def _last(
        self, problem: Product, geometry: Geometry, kind: Kind, policy: Policy, card: Card
    ) -> Decision:
        copies = copies_for(problem, geometry, kind)
        for copy in copies.values():
            if copy.why_not:
                return refused(self.name, copy.why_not)
        whole = last_geometry(geometry, kind, copies)
        parts = parts_for(geometry, copies, policy.workspace_limit)
        room = parts.room(policy.workspace_limit)
        one = replace(whole, batch=parts.images)
        split = split_for(one, kind.factor, kind.math, card, room)
        size = parts.copied_bytes + parts.count * split.bytes
        flops = problem.flops * whole.c * whole.k / max(geometry.c * geometry.k, 1)
        moved = total_bytes(problem) + 2 * parts.count * split.bytes
        share = self._math.share * _LAST_SHARE
        predicted = seconds(card, flops, kind.rate, share, moved) + parts.seconds(card)
        how = "16 bytes at a time"
        if copies:
            how += f" of copies of {' and '.join(copies)} with their channels last"
        if kind.rounding and kind.by_copy(problem):
            how += f", rounded to {kind.rounding}"
        return self._decision(problem, kind, card, split, how, predicted, size, parts)

    def _decision(
        self,
        problem: Product,
        kind: Kind,
        card: Card,
        split: Split,
        how: str,
        predicted: float,
        size: int,
        parts: Parts | None = None,
    ) -> Decision:
        tile = split.tile
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, pixels in {split.splits} parts, {how}",
            self.name,
            kind.precision,
            kind.bound(problem),
            predicted,
            size,
            device=card.device,
            detail=(kind, split, parts),
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        assert isinstance(decision.detail, tuple)
        kind, split, parts = decision.detail
        if parts is None:
            return _plain_plan(problem, kind, split, device)
        otherwise = None
        if not kind.by_copy(problem):
            # An array that isn't where 16 bytes can be read is gathered: into as many sums.
            limit = decision.workspace_bytes
            plain = split_for(geometry_of(problem), problem.dtype, kind.math, device.card, limit)
            otherwise = _plain_plan(problem, kind, plain, device)
        return _last_plan(problem, kind, split, parts, device, otherwise)


def _plain_plan(problem: Product, kind: Kind, split: Split, device: Device) -> LaunchPlan:
    geometry = geometry_of(problem)
    unit = weight_unit(split.tile, problem.dtype, kind.math)
    params = sum_params(geometry, geometry, split.splits, split.part)
    add = _launch(unit, "weight_gemm", geometry, kind, split, 2, (0, 1, Scratch(0)), params)
    reduce = reduce_launch(problem, kind, Scratch(0), params)
    return LaunchPlan(device, (add, reduce), alignments(problem), split.bytes)


def _last_plan(
    problem: Product,
    kind: Kind,
    split: Split,
    parts: Parts,
    device: Device,
    otherwise: LaunchPlan | None,
) -> LaunchPlan:
    geometry = geometry_of(problem)
    whole = last_geometry(geometry, kind, parts.copies)
    unit = weight_last_unit(split.tile, kind.factor, kind.math)

    def multiply(count: int, x: Place, y: Place, sums: Scratch) -> Launch:
        params = sum_params(replace(whole, batch=count), geometry, split.splits, split.part)
        stages = split.tile.stages
        return _launch(unit, "weight_gemm_last", whole, kind, split, stages, (x, y, sums), params)

    launches = parts.launches(geometry, split.bytes, multiply)
    params = sum_params(whole, geometry, split.splits * parts.count, split.part)
    launches.append(reduce_launch(problem, kind, Scratch(parts.copied_bytes), params))
    aligned = alignments(problem)
    for place, name in enumerate(("x", "y")):
        if name not in parts.copies:
            aligned[place] = 16
    size = parts.copied_bytes + parts.count * split.bytes
    return LaunchPlan(device, launches, aligned, size, otherwise)


def _launch(
    unit: Unit,
    kernel: str,
    geometry: Geometry,
    kind: Kind,
    split: Split,
    stages: int,
    arrays: Sequence[Place],
    params: Any,
) -> Launch:
    rows, columns, tile = geometry.k, geometry.c * geometry.taps, split.tile
    grid = (-(-rows // tile.rows), -(-columns // tile.columns), split.splits * geometry.groups)
    block = (tile.threads(kind.math), 1, 1)
    return Launch(unit, kernel, grid, block, tuple(arrays), (params,), stages * tile.stage_bytes)


def reduce_launch(problem: Product, kind: Kind, sums: Scratch, params: Any) -> Launch:
    """Return the launch that adds up what parts of the pixels came to."""
    geometry = geometry_of(problem)
    count = geometry.groups * geometry.k * geometry.c * geometry.taps
    unit = copy_unit("reduce_weight.cu", problem.dtype, kind.factor)
    return over_elements(unit, "reduce_weight", count, (sums, 2), params)


def sum_params(geometry: Geometry, kept: Geometry, splits: int, part: int) -> Any:
    """Return a WeightSum of one element; channels beyond those of `kept` only fill chunks."""
    params = np.zeros(1, WEIGHT_SUM)
    p = params[0]
    p["conv"] = conv_params(geometry)[0]
    p["splits"], p["part"], p["c"], p["k"] = splits, part, kept.c, kept.k
    return params


WEIGHT_GEMMS = (WeightGemm(MMA), WeightGemm(FMA))
