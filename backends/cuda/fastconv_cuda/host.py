"""NumPy arrays to a GPU and back, for those who ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Decision, Info, Plan, Policy
from fastconv.problem import Operand, Problem
from fastconv_cuda.backend import BACKEND, INFO, CudaBackend
from fastconv_cuda.candidate import itemsize
from fastconv_cuda.device import Device
from fastconv_cuda.finding import Found
from fastconv_cuda.pieces import HostPlan, PiecesPlan, cut_for

HOST_INFO = replace(INFO, name="cuda_host", namespace="numpy", array_types=("numpy.ndarray",))


class HostBackend(CudaBackend):
    """Host arrays on an NVIDIA GPU: copied there, worked on, copied back.

    Parameters
    ----------
    finder : callable, optional
        As for :class:`CudaBackend`.
    info : Info, optional
        Another description.
    """

    def __init__(
        self, finder: Callable[[], Found] = lambda: BACKEND.found, info: Info = HOST_INFO
    ) -> None:
        super().__init__(finder, info)

    def decide(self, problem: Problem, policy: Policy) -> Sequence[Decision]:
        """Return what the GPU would do with contiguous copies, transfers included."""
        if policy.device is None:
            reason = 'arrays are never moved unasked: say device="cuda" or device="auto"'
            return [Decision(False, reason, "")]
        if problem.operation not in self.info.operations:
            return [Decision(False, f"it has no operation {problem.operation}", "")]
        found = super().decide(copied(problem), policy)
        device = self.device_for(problem)
        moving = 0.0 if device is None else transfers(problem, device)
        cut = cut_for(copied(problem))
        return [_with_transfers(d, moving, 1 if cut is None else cut.count) for d in found]

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make a decision ready to run."""
        there, device = copied(problem), self.devices[decision.device]
        cut = cut_for(there)
        if cut is None:
            return MovingPlan(problem, super().plan(there, decision), device)
        best = super().plan
        return PiecesPlan(there, cut, lambda piece: best(piece, decision), device)


def _with_transfers(decision: Decision, moving: float, pieces: int) -> Decision:
    """Return a decision with the transfers' time: of many pieces only one isn't overlapped."""
    if not decision.can:
        return decision
    alone = decision.seconds
    total = alone + moving if pieces == 1 else max(alone, moving) + min(alone, moving) / pieces
    return replace(
        decision,
        seconds=total,
        reason=f"{decision.reason}; transfers take {moving:.2g} of {total:.2g} s"
        + ("" if pieces == 1 else f", in {pieces} pieces that overlap with the work"),
    )


def transfers(problem: Problem, device: Device) -> float:
    """Return the seconds that copies there and back take."""
    given, taken = (
        sum(operand.size * itemsize(operand.dtype) for operand in operands)
        for operands in (problem.inputs, problem.outputs)
    )
    return device.bus().seconds(given, taken, len(problem.inputs) + len(problem.outputs))


def copied(problem: Problem) -> Problem:
    """Return a problem whose operands are contiguous, as their copies on the device are."""
    changes = {
        name: _contiguous(value)
        for name in problem.__dataclass_fields__
        if isinstance(value := getattr(problem, name), Operand)
    }
    return replace(problem, **changes)  # type: ignore[arg-type]


def _contiguous(operand: Operand) -> Operand:
    strides = []
    step = itemsize(operand.dtype)
    for extent in reversed(operand.shape):
        strides.append(step)
        step *= max(extent, 1)
    return replace(operand, strides=tuple(reversed(strides)))


class MovingPlan(HostPlan):
    """A plan of the device's between copies there and back.

    The device's copies come from the device's pool as the plan runs; the host allocates nothing.
    """

    def __init__(self, problem: Problem, there: Plan, device: Device) -> None:
        self._problem, self._there, self._device = problem, there, device

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill `outputs` from `inputs`, and wait for them."""
        device, empty = self._device, self._there.empty
        copies = [empty(o.shape, o.dtype) for o in self._problem.inputs]
        results = [empty(o.shape, o.dtype) for o in self._problem.outputs]
        needed = self._there.workspace_bytes
        scratch = empty((needed,), "uint8") if needed else None
        for array, copy in zip(inputs, copies, strict=True):
            device.upload(np.ascontiguousarray(array), copy, stream)
        self._there.run(copies, results, scratch, stream)
        for result, array in zip(results, outputs, strict=True):
            if array.flags.c_contiguous:
                device.download(result, array, stream)
            else:
                part = np.empty(array.shape, array.dtype)
                device.download(result, part, stream)
                array[...] = part


HOST_BACKEND = HostBackend()
