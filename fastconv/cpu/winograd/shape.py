"""How a convolution is cut into tiles, blocks of tiles and ranges of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastconv.cpu import narrow
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE
from fastconv.cpu.isa import core
from fastconv.cpu.pixels import adjoin, block_channels
from fastconv.problem import ConvProblem, Ints

# What a block's transformed inputs should take of the second-level cache.
BLOCK_BYTES = 512 * 2**10
# Output channels multiplied at a time, so that their products stay in the cache; with kernels
# transformed on the way, so many that these fit the cache, too.
GROUP = 32
GROUP_BYTES = 1280 * 2**10
# Tiles of a block where lanes are channels; fewer blocks than MANY share out evenly to two threads.
TILES = 48
MANY_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """Extents of the products: `points` of them, (channels, depth) times (depth, tiles).

    With `phases` of the outputs there are so many times the channels; `products` are what a tile's
    pair of channels takes in all, as phases and strides leave some out; `strided` inputs
    take longer to gather. A block has `width` tiles,
    and is multiplied with `step` output channels at a time. Either all kernels are transformed
    beforehand and a unit of work is a block, or all inputs are (`shared`) and a unit is a step:
    whichever takes less memory, as it is read for every unit. Unless `pixels` is 0, lanes are
    channels, and tiles have so many output channels. Items that are read may be `halves`.
    """

    groups: int
    inner: int
    channels: int
    phases: int
    depth: int
    points: int
    products: int
    tiles: int
    width: int
    blocks: int
    step: int
    shared: bool
    strided: bool = False
    pixels: int = 0
    halves: bool = False

    @property
    def units(self) -> int:
        """Pieces of work to share among threads."""
        return self.groups * (-(-self.channels // self.step) if self.shared else self.blocks)


def alpha_of(kernel: Ints, alpha: int) -> tuple[int, int]:
    """Return how lines, and items of a line, are cut."""
    return (alpha, alpha) if len(kernel) > 1 and kernel[-2] > 1 else (1, 6)


def extents(problem: ConvProblem) -> tuple[int, int]:
    """Return the input and output channels of a group, of the convolution that is computed."""
    outputs, inputs = problem.weight.shape[0] // problem.groups, problem.weight.shape[1]
    return (outputs, inputs) if problem.operation == "conv_input_grad" else (inputs, outputs)


def pixels_of(problem: ConvProblem) -> int:
    """Return the output channels of a block of kernels where lanes are channels, else 0."""
    if not adjoin(problem):
        return 0
    return block_channels(extents(problem)[1], "float32", GROUP)


def kernels_of(problem: ConvProblem, alpha: tuple[int, int], rounding: str = "") -> Any:
    """Return the compiled core's object; for a weight gradient, that of the forward pass.

    Float32 operands are rounded to the precision `rounding`, unless it is empty.
    """
    assert core is not None
    adjoint = problem.operation == "conv_input_grad"
    inner, channels = extents(problem)
    source, target = (problem.y, problem.x) if adjoint else (problem.x, problem.y)
    before = tuple(
        (k - 1) * d - b if adjoint else b
        for k, d, (b, _) in zip(problem.kernel, problem.dilation, problem.padding, strict=True)
    )
    ones = (1,) * len(problem.kernel)
    stride, up = (ones, problem.stride) if adjoint else (problem.stride, ones)
    geometry = core.Geometry(
        source.shape[2:], problem.kernel, stride, before, problem.dilation, target.shape[2:]
    )
    return core.Winograd(
        geometry,
        source.shape[0],
        problem.groups,
        inner,
        channels,
        alpha,
        adjoint,
        CODES[problem.activation],
        LEAKY_SLOPE,
        pixels_of(problem),
        up,
        narrow.operands_dtype(problem),
        narrow.target_bytes(problem),
        rounding,
    )


def choose_shape(problem: ConvProblem, alpha: tuple[int, int], kernels: Any) -> Shape:
    """Return the blocks of a problem; they follow from its shape and the vectors' alone."""
    assert core is not None
    inner, channels = extents(problem)
    points, depth, tiles = alpha[0] * alpha[1], kernels.depth, kernels.tiles
    phases, pixels = kernels.phases, pixels_of(problem)
    shared = tiles <= channels * phases
    if pixels:
        width, step = _cut_pixels(channels, tiles, pixels)
    else:
        width, step = _cut_tiles(channels * phases, points * depth, tiles, shared)
        rows, _ = core.gemm_tile("float32")
        step = max(step // phases // rows, 1) * rows
    blocks = -(-tiles // width)
    return Shape(
        problem.groups,
        inner,
        channels,
        phases,
        depth,
        points,
        kernels.products,
        tiles,
        width,
        blocks,
        step,
        shared,
        phases == 1 and max(problem.stride) > 1,
        pixels,
        narrow.operands_dtype(problem) in narrow.HALVES,
    )


def _cut_tiles(channels: int, items: int, tiles: int, shared: bool) -> tuple[int, int]:
    """Return the width of a block, and its step: `items` are a tile's transformed inputs."""
    assert core is not None
    rows, columns = core.gemm_tile("float32")
    lanes = core.lanes("float32")
    filled = -(-channels // rows) * rows
    widest = max(1, BLOCK_BYTES // (4 * items * columns)) * columns
    if 4 * items * columns > 4 * BLOCK_BYTES:
        widest -= lanes  # the cache is left by far anyway; narrower blocks share out more evenly
    blocks = -(-tiles // widest)
    vectors = -(-tiles // lanes)
    width = -(-vectors // blocks) * lanes
    step = min(GROUP // rows * rows, filled)
    if shared:
        step = max(rows, min(step, GROUP_BYTES // (4 * items) // rows * rows))
    return width, step


def _cut_pixels(channels: int, tiles: int, pixels: int) -> tuple[int, int]:
    blocks = -(-tiles // TILES)
    if 1 < blocks < MANY_BLOCKS:
        blocks += blocks % 2
    width = -(-tiles // blocks)
    step = max(1, min(GROUP // pixels, -(-channels // pixels))) * pixels
    return width, step
