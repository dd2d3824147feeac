"""Plan of a weight gradient by Winograd's algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.isa import core
from fastconv.cpu.pixels import adjoin
from fastconv.cpu.plans import HostPlan, Scratch
from fastconv.cpu.winograd.shape import tap_blocks
from fastconv.problem import ConvProblem

# Transformed inputs and gradients of a chunk of tiles stay in the last cache that cores share.
CHUNK_BYTES = 8 * 2**20
LEAST_TILES = 64
# Output channels and tiles of the product across a unit, whose products stay in the cache.
RANGE = 32
TILES_ACROSS = 1


@dataclass(frozen=True, slots=True)
class GradShape:
    """Extents of the products: `points` of them, (channels, tiles) times (tiles, depth)."""

    groups: int
    channels: int
    depth: int
    points: int
    tiles: int
    width: int
    unit: int
    step: int
    pixels: bool = False

    @property
    def units(self) -> int:
        """Pieces of a chunk's work."""
        return self.groups * -(-self.channels // self.unit) * -(-self.depth // self.step)


def _even(extent: int, most: int, step: int) -> int:
    """Return the length of equal pieces of an extent, whole steps, at most `most`."""
    pieces = -(-extent // max(most, step))
    length = -(-extent // pieces)
    return -(-length // step) * step


def choose_grad_shape(problem: ConvProblem, alpha: tuple[int, int], tiles: int) -> GradShape:
    """Return the chunks and units of a problem; they follow from its shape and the vectors'."""
    assert core is not None
    channels = problem.weight.shape[0] // problem.groups
    points, lanes = alpha[0] * alpha[1], core.lanes("float32")
    inner, pixels = problem.weight.shape[1], adjoin(problem)
    if pixels:  # a block of taps has whole vectors
        inner = -(-inner // lanes) * lanes
    depth = inner * tap_blocks(problem.kernel, alpha)
    rows, columns = core.gemm_tile("float32")
    most = CHUNK_BYTES // (4 * points * problem.groups * (depth + channels))
    width = _even(tiles, max(most // lanes * lanes, LEAST_TILES), lanes)
    unit = _even(channels, RANGE // rows * rows, rows)
    step = _even(-(-depth // lanes) * lanes, TILES_ACROSS * columns, lanes)
    return GradShape(problem.groups, channels, depth, points, tiles, width, unit, step, pixels)


def grads_of(problem: ConvProblem, alpha: tuple[int, int], shape: GradShape) -> Any:
    """Return the compiled core's object."""
    assert core is not None
    return core.WinogradGrad(
        geometry_of(problem),
        problem.y.shape[0],
        problem.groups,
        problem.weight.shape[1],
        shape.channels,
        alpha,
        shape.width,
        shape.unit,
        shape.step,
        shape.pixels,
    )


class WinogradGradPlan(HostPlan):
    """One call of the core."""

    def __init__(self, kernels: Any, threads: int) -> None:
        self._kernels = kernels
        self._threads = threads
        self.thread_bytes = kernels.thread_bytes
        self._scratch = Scratch()
        self._scratch.add("inputs", (kernels.input_bytes,), "uint8")
        self._scratch.add("grads", (kernels.grad_bytes,), "uint8")
        self._scratch.add("sums", (kernels.sum_bytes,), "uint8")
        self._scratch.add("threads", (kernels.thread_bytes * threads,), "uint8")
        self.workspace_bytes = self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the weight; see :class:`fastconv.backend.Plan`."""
        cut = self._scratch.cut
        self._kernels.run(
            inputs[0],
            inputs[1],
            outputs[0],
            cut("inputs", workspace),
            cut("grads", workspace),
            cut("sums", workspace),
            cut("threads", workspace),
            self._threads,
        )
