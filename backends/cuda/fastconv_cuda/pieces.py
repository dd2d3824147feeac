"""Large batches of host arrays in pieces: one is copied while another is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastconv.backend import Plan
from fastconv.problem import Operand, Problem
from fastconv_cuda.candidate import itemsize
from fastconv_cuda.device import Device

# Smaller ones are gone before a second stream is of use.
PIECE_BYTES = 8 * 2**20
_STREAMS = 2
# Operands that have a batch, of the operations whose images know nothing of each other.
_BATCHED = {
    "conv_forward": ("x", "y"),
    "conv_input_grad": ("x", "y"),
    "linear_forward": ("x", "y"),
    "linear_input_grad": ("x", "y"),
    "max_pool": ("x", "y", "indices"),
    "avg_pool": ("x", "y"),
    "avg_pool_backward": ("x", "y"),
    "max_pool_backward": ("x", "y", "indices"),
}


@dataclass(frozen=True, slots=True)
class Cut:
    """A batch cut into `count` pieces of `images`, the last one of `rest`."""

    images: int
    count: int
    rest: int


def cut_for(problem: Problem) -> Cut | None:
    """Return how a problem's batch is cut; None where one piece is best."""
    names = _BATCHED.get(problem.operation)
    if names is None:
        return None
    operands = [o for o in (getattr(problem, name) for name in names) if o is not None]
    batch = operands[0].shape[0]
    size = sum(o.size * itemsize(o.dtype) for o in operands)
    wanted = min(size // PIECE_BYTES, batch)
    if wanted < 3:
        return None
    images = -(-batch // wanted)
    count = -(-batch // images)
    return Cut(images, count, batch - (count - 1) * images)


def piece_of(problem: Problem, images: int) -> Problem:
    """Return a contiguous problem of fewer images."""
    changes: dict[str, Operand] = {}
    for name in _BATCHED[problem.operation]:
        operand = getattr(problem, name)
        if operand is not None:
            # Strides of a contiguous array say nothing of how many images there are.
            changes[name] = replace(operand, shape=(images, *operand.shape[1:]))
    return replace(problem, **changes)  # type: ignore[arg-type]


class HostPlan(Plan):
    """What plans of host arrays share: their memory on the device is their own business."""

    workspace_bytes = 0

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new C-contiguous array on the host; bfloat16 is ml_dtypes'."""
        if dtype == "bfloat16":
            import ml_dtypes

            return np.empty(shape, ml_dtypes.bfloat16)
        return np.empty(shape, dtype)


class _Lane:
    """A stream with memory of its own, on both sides; one piece at a time."""

    def __init__(self, device: Device, problem: Problem, plan: Plan, shared: dict[int, Any]):
        self.device, self.stream = device, device.stream()
        self._shared = shared
        self._given = [self._pair(i, o) for i, o in enumerate(problem.inputs)]
        self._taken = [self._pair(None, o) for o in problem.outputs]
        size = plan.workspace_bytes
        self._scratch = device.empty((size,), "uint8") if size else None
        self._waiting: Callable[[], None] | None = None

    def _pair(self, place: int | None, operand: Operand) -> tuple[Any, Any]:
        if place in self._shared:
            return None, self._shared[place]
        shape, dtype = operand.shape, operand.dtype
        return self.device.pinned(shape, dtype), self.device.empty(shape, dtype)

    def start(self, plan: Plan, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Begin a piece, after the one before on this lane."""
        self.finish()
        given = []
        for place, (array, (host, there)) in enumerate(zip(inputs, self._given, strict=True)):
            if place not in self._shared:
                host, there = host[: len(array)], there[: len(array)]
                host[...] = array
                self.device.upload(host, there, self.stream)
            given.append(there)
        pairs = [
            (host[: len(array)], there[: len(array)], array)
            for array, (host, there) in zip(outputs, self._taken, strict=True)
        ]
        plan.run(given, [there for _, there, _ in pairs], self._scratch, self.stream)
        for host, there, _ in pairs:
            self.device.download(there, host, self.stream, wait=False)

        def put() -> None:
            for host, _, array in pairs:
                array[...] = host

        self._waiting = put

    def finish(self) -> None:
        """Wait for the piece under way, and hand its results over."""
        if self._waiting is not None:
            self.device.wait(self.stream)
            self._waiting()
            self._waiting = None


class PiecesPlan(HostPlan):
    """A plan over pieces of the batch, on streams that take turns.

    Parameters
    ----------
    problem : Problem
        With contiguous operands.
    cut : Cut
        Its pieces.
    plan : callable
        Returns the device's plan of a problem, by the algorithm that was decided on.
    device : Device
        Where it runs.
    """

    def __init__(
        self, problem: Problem, cut: Cut, plan: Callable[[Problem], Plan], device: Device
    ) -> None:
        self._cut, self._device = cut, device
        self._piece = piece_of(problem, cut.images)
        self._plan = plan(self._piece)
        self._last = self._plan
        if cut.rest != cut.images:
            self._last = plan(piece_of(problem, cut.rest))
        batched = [getattr(self._piece, name) for name in _BATCHED[problem.operation]]
        self._whole = [
            place
            for place, operand in enumerate(self._piece.inputs)
            if not any(operand is other for other in batched)
        ]

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill `outputs` from `inputs`, and wait for them."""
        device, cut = self._device, self._cut
        shared = {}
        for place in self._whole:
            operand = self._piece.inputs[place]
            shared[place] = device.empty(operand.shape, operand.dtype)
            device.upload(np.ascontiguousarray(inputs[place]), shared[place])
        # What was copied on the current stream is there before others read it.
        device.wait(None)
        roomy = max((self._plan, self._last), key=lambda plan: plan.workspace_bytes)
        lanes = [_Lane(device, self._piece, roomy, shared) for _ in range(_STREAMS)]
        for number in range(cut.count):
            first = number * cut.images
            images = cut.rest if number == cut.count - 1 else cut.images
            part = slice(first, first + images)
            given = [a if i in shared else a[part] for i, a in enumerate(inputs)]
            plan = self._last if number == cut.count - 1 else self._plan
            lanes[number % _STREAMS].start(plan, given, [a[part] for a in outputs])
        for lane in lanes:
            lane.finish()
