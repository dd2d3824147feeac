"""The weight gradient by Hopper's own instructions: products of boxes of pixels, turned around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ConvProblem, GemmProblem, Problem
from fastconv_cuda.arithmetic import MMA, WGMMA, Kind, Product
from fastconv_cuda.boxes import axes_of, flattened
from fastconv_cuda.candidate import alignments, refused, total_bytes
from fastconv_cuda.copies import ImageCopy
from fastconv_cuda.device import Card, Device
from fastconv_cuda.geometry import Geometry, geometry_of
from fastconv_cuda.params import WEIGHT_BOXES
from fastconv_cuda.plan import Launch, LaunchPlan, Place, Scratch, TensorMaps
from fastconv_cuda.rates import seconds
from fastconv_cuda.tensor_maps import SIZES
from fastconv_cuda.weight_boxes import (
    TYPES,
    Y_ACROSS,
    Cut,
    blocks_of,
    cut_for,
    maps_of,
    shared_of,
    unit_for,
)
from fastconv_cuda.weight_gemm import WeightGemm, reduce_launch, sum_params
from fastconv_cuda.weight_parts import Parts, parts_for
from fastconv_cuda.weight_split import copies_for, last_geometry
from fastconv_cuda.wgmma import THREADS

_OTHER = WeightGemm(MMA)


@dataclass(frozen=True, slots=True)
class Way:
    """How a weight gradient is computed.

    Attributes
    ----------
    kind : Kind
        In what.
    geometry, whole : Geometry
        Of the arrays, and as copies have it.
    parts, cut : Parts, Cut
        Images of a product, and its tiles.
    other : Decision
        Of what takes over where an array starts elsewhere than at 16 bytes.
    """

    kind: Kind
    geometry: Geometry
    whole: Geometry
    parts: Parts
    cut: Cut
    other: Decision

    @property
    def bytes(self) -> int:
        """The workspace."""
        own = self.parts.copied_bytes + self.parts.count * self.cut.bytes
        return max(own, self.other.workspace_bytes)


class WgmmaWeight:
    """The weight gradient of 16-bit operands, of arrays or of copies with their channels last."""

    name = "implicit_gemm_wgmma"
    operations = ("conv_weight_grad", "linear_weight_grad")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept 16-bit floats that boxes can be made of, and that others take where they must."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        kind, reason = WGMMA.choose(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        if kind.factor not in TYPES:
            return refused(self.name, "its instructions turn 16-bit operands around alone")
        other = _OTHER.decide(problem, policy, card)
        if not other.can:
            return refused(self.name, other.reason)
        geometry = flattened(geometry_of(problem))
        copies, reason = _copies(problem, geometry, kind)
        if reason:
            return refused(self.name, reason)
        whole = last_geometry(geometry, kind, copies) if copies else geometry
        parts = parts_for(geometry, copies, policy.workspace_limit)
        room = parts.room(policy.workspace_limit)
        cut = cut_for(replace(whole, batch=parts.images), kind.factor, card, room)
        return self._decision(problem, Way(kind, geometry, whole, parts, cut, other), card)

    def _decision(self, problem: Product, way: Way, card: Card) -> Decision:
        cut, parts, g = way.cut, way.parts, way.geometry
        elements = cut.row_tiles * cut.tile.rows * cut.column_tiles * cut.tile.columns
        waste = elements / (g.k * g.c * g.taps)
        moved = total_bytes(problem) + 2 * parts.count * cut.bytes
        moved += sum(copy.bytes for copy in parts.copies.values())
        share = WGMMA.share * cut.tile.rate
        predicted = seconds(card, problem.flops * waste, way.kind.rate, share, moved)
        how = f"tiles of {cut.tile.rows} x {cut.tile.columns}, pixels in {cut.splits} parts"
        if parts.copies:
            how += f", of copies of {' and '.join(parts.copies)} with their channels last"
        return Decision(
            True,
            how,
            self.name,
            way.kind.precision,
            way.kind.bound(problem),
            predicted + parts.seconds(card),
            way.bytes,
            device=card.device,
            detail=way,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run; arrays that start elsewhere than at 16 bytes go another way."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        way = decision.detail
        assert isinstance(way, Way)
        otherwise = _OTHER.plan(problem, way.other, device)
        assert isinstance(otherwise, LaunchPlan)
        kind, parts, cut = way.kind, way.parts, way.cut

        def multiply(count: int, x: Place, y: Place, sums: Scratch) -> Launch:
            return _launch(way, replace(way.whole, batch=count), (x, y, sums), device.card)

        launches = parts.launches(way.geometry, cut.bytes, multiply)
        params = sum_params(way.whole, way.geometry, cut.splits * parts.count, cut.part)
        launches.append(reduce_launch(problem, kind, Scratch(parts.copied_bytes), params))
        aligned = alignments(problem)
        for place, name in enumerate(("x", "y")):
            if name not in parts.copies:
                aligned[place] = 16
        return LaunchPlan(device, launches, aligned, way.bytes, otherwise)


def _copies(
    problem: Product, geometry: Geometry, kind: Kind
) -> tuple[Mapping[str, ImageCopy], str]:
    """Return which operands are copied before boxes can be made of them, and why none help."""
    reason = ""
    if not kind.by_copy(problem):
        maps, reason = maps_of(geometry, kind.factor, Y_ACROSS)
        if maps is not None:
            return {}, ""
    copies = copies_for(problem, geometry, kind)
    if not copies:
        return {}, reason
    for copy in copies.values():
        if copy.why_not:
            return {}, copy.why_not
    maps, why = maps_of(last_geometry(geometry, kind, copies), kind.factor, Y_ACROSS)
    if maps is not None:
        return copies, ""
    return {}, f"{reason}; of copies: {why}" if reason else why


def _launch(
    way: Way, geometry: Geometry, places: tuple[Place, Place, Scratch], card: Card
) -> Launch:
    """Return the launch of a product of some images: x and y there, into sums here."""
    cut, factor, (x, y, sums) = way.cut, way.kind.factor, places
    maps, reason = maps_of(geometry, factor, cut.across)
    assert maps is not None, reason
    tile = cut.tile
    tiles = cut.row_tiles * cut.column_tiles * geometry.groups * cut.splits
    return Launch(
        unit_for(factor, tile, cut.across * SIZES[factor]),
        "wgmma_weight",
        (min(tiles, card.processors * blocks_of(tile)), 1, 1),
        (THREADS, 1, 1),
        (sums,),
        (_params(geometry, cut),),
        shared_of(tile),
        TensorMaps([(x, maps[0]), (y, maps[1])]),
    )


def _params(geometry: Geometry, cut: Cut) -> Any:
    params = np.zeros(1, WEIGHT_BOXES)
    p = params[0]
    p["sum"] = sum_params(geometry, geometry, cut.splits, cut.part)[0]
    p["axes"], p["chunks"] = axes_of(geometry), cut.chunks
    p["row_tiles"], p["column_tiles"] = cut.row_tiles, cut.column_tiles
    return params


WGMMA_WEIGHT = WgmmaWeight()
