"""Plan of a weight gradient by Winograd's algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastconv.cpu import narrow
from fastconv.cpu.cuts import even_width
from fastconv.cpu.geometry import geometry_of
from fastconv.cpu.isa import core
from fastconv.cpu.pixels import adjoin
from fastconv.cpu.plans import HostPlan, Scratch
from fastconv.problem import ConvProblem

# Transformed inputs and gradients of a chunk of tiles stay in the last cache, those of all threads
# that have chunks of their own.
CHUNK_BYTES = 8 * 2**20
OWN_CHUNK_BYTES = 3 * 2**20
LEAST_TILES = 64
# Splits are for threads that keep to themselves: what one core writes and another one reads goes a
# long way. So many at most, whatever the threads, with so many bytes of sums.
MOST_SPLITS = 8
SPLIT_BYTES = 3 * 2**20
# Output channels and tiles of the product across a unit, whose products stay in the cache.
RANGE = 32
TILES_ACROSS = 1


@dataclass(frozen=True, slots=True)
class GradShape:
    """Extents of the products: `points` of them, (channels, tiles) times (tiles, depth).

    `live` is the part of them that is not left out.
    """

    groups: int
    channels: int
    depth: int
    points: int
    tiles: int
    width: int
    unit: int
    step: int
    splits: int
    live: float = 1.0
    strided: bool = False
    pixels: bool = False
    halves: bool = False

    @property
    def units(self) -> int:
        """Pieces that threads can share out: of a chunk's work, or splits."""
        pieces = self.groups * -(-self.channels // self.unit) * -(-self.depth // self.step)
        return max(pieces, self.splits)


def choose_grad_shape(problem: ConvProblem, alpha: tuple[int, int], forward: Any) -> GradShape:
    """Return the chunks and units of a problem; they follow from its shape and the vectors'.

    `forward` is the core's object of the forward pass.
    """
    assert core is not None
    channels, tiles = problem.weight.shape[0] // problem.groups, forward.tiles
    points, lanes = alpha[0] * alpha[1], core.lanes("float32")
    tap_blocks = forward.depth // problem.weight.shape[1]
    inner, pixels = problem.weight.shape[1], adjoin(problem)
    if pixels:  # a block of taps has whole vectors
        inner = -(-inner // lanes) * lanes
    depth = inner * tap_blocks
    rows, columns = core.gemm_tile("float32")
    sums = problem.groups * depth * channels * (9 if alpha[0] > 1 else 3)
    most_splits = min(MOST_SPLITS, tiles // LEAST_TILES, SPLIT_BYTES // (4 * sums))
    splits = 1 << max(most_splits, 1).bit_length() - 1
    most = OWN_CHUNK_BYTES if splits > 1 else CHUNK_BYTES
    most = max(most // (4 * points * problem.groups * (depth + channels)), LEAST_TILES)
    width = even_width(-(-tiles // splits), most // lanes * lanes, lanes)
    splits = min(splits, -(-tiles // width))
    unit = even_width(channels, RANGE // rows * rows, rows)
    step = even_width(-(-depth // lanes) * lanes, TILES_ACROSS * columns, lanes)
    live = forward.products / (points * tap_blocks)
    return GradShape(
        problem.groups,
        channels,
        depth,
        points,
        tiles,
        width,
        unit,
        step,
        splits,
        live,
        max(problem.stride) > 1,
        pixels,
        narrow.operands_dtype(problem) in narrow.HALVES,
    )


def grads_of(
    problem: ConvProblem, alpha: tuple[int, int], shape: GradShape, rounding: str = ""
) -> Any:
    """Return the compiled core's object; `rounding` is as in kernels_of."""
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
        shape.splits,
        shape.pixels,
        narrow.operands_dtype(problem),
        narrow.target_bytes(problem),
        rounding,
    )


class WinogradGradPlan(HostPlan):
    """One call of the core: all threads share a panel, or each has its own."""

    def __init__(self, kernels: Any, threads: int, panels: int) -> None:
        self._kernels = kernels
        self._threads = threads
        self.thread_bytes = kernels.thread_bytes
        self._scratch = Scratch()
        self._scratch.add("inputs", (kernels.input_bytes * panels,), "uint8")
        self._scratch.add("grads", (kernels.grad_bytes * panels,), "uint8")
        self._scratch.add("sums", (kernels.sum_bytes,), "uint8")
        self._scratch.add("threads", (kernels.thread_bytes * threads,), "uint8")
        self.workspace_bytes = self._scratch.bytes

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill the weight; see :class:`fastconv.backend.Plan`."""
        cut = self._scratch.cut
        overflowed: bool | None = self._kernels.run(
            inputs[0],
            inputs[1],
            outputs[0],
            cut("inputs", workspace),
            cut("grads", workspace),
            cut("sums", workspace),
            cut("threads", workspace),
            self._threads,
        )
        return overflowed
