"""Hold plans that pack weights ahead to `run`: the same bits, from the packed array alone."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from fastconv.backend import PackingPlan, Plan
from fastconv.problem import Problem
from fastconv.testing.arena import Arena
from fastconv.testing.layouts import to_host
from fastconv.testing.measure import ConformanceError, same_bits


def check_packing(arena: Arena, plan: Plan, expected: Sequence[Any] | None) -> list[Any] | None:
    """Run a plan with a weight packed ahead, where it offers that; return its results.

    `expected` holds what `run` gave, to be met bit for bit; None where the plan needn't repeat.
    """
    place = _weight_of(arena.problem)
    offered = [getattr(plan, name, None) is not None for name in ("pack", "run_packed")]
    if any(offered) and not all(offered):
        raise ConformanceError("its plan has one of pack and run_packed without the other")
    if place is None or not isinstance(plan, PackingPlan):
        return None
    if not isinstance(getattr(plan, "pack_key", None), Hashable):
        raise ConformanceError("its plan's pack_key can't be hashed")
    results: list[Any] = []
    for read_only in (False, True):
        results = arena.run(_Packed(plan, place, arena.library, read_only))
        if expected is not None and not all(map(same_bits, results, expected)):
            raise ConformanceError("run_packed gives other bits than run")
    return results


def _weight_of(problem: Problem) -> int | None:
    weight = getattr(problem, "weight", None)
    places = [place for place, operand in enumerate(problem.inputs) if operand is weight]
    return places[0] if places else None


class _Packed:
    """A plan that packs the weight, spoils it, and goes on with what it packed."""

    def __init__(self, plan: PackingPlan, place: int, library: Any, read_only: bool) -> None:
        self._plan, self._place, self._library = plan, place, library
        self._read_only = read_only
        self.workspace_bytes = plan.workspace_bytes
        self.empty = plan.empty

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        weight = inputs[self._place]
        packed = self._plan.pack(weight)
        if self._read_only and self._library is np:
            packed.setflags(write=False)
        before, saved = to_host(packed).copy(), weight.copy()
        # A repeated one can't be spoilt.
        writable = getattr(getattr(weight, "flags", None), "writeable", True)
        if writable:
            weight[...] = 3
        given = [*inputs[: self._place], packed, *inputs[self._place + 1 :]]
        self._plan.run_packed(given, outputs, workspace)
        if writable:
            weight[...] = saved
        if to_host(packed).tobytes() != before.tobytes():
            raise ConformanceError("run_packed writes to the packed weight")
