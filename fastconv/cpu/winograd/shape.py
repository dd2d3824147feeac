"""How a convolution is cut into tiles, blocks of tiles and ranges of channels."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

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

    A block has `width` tiles, and is multiplied with `step` output channels at a time. Either all
    kernels are transformed beforehand and a unit of work is a block, or all inputs are (`shared`)
    and a unit is a step: whichever takes less memory, as it is read for every unit. Unless `pixels`
    is 0, lanes are channels, and tiles have so many output channels.
    """

    groups: int
    channels: int
    depth: int
    points: int
    tiles: int
    width: int
    blocks: int
    step: int
    shared: bool
    pixels: int = 0

    @property
    def units(self) -> int:
        """Pieces of work to share among threads."""
        return self.groups * (-(-self.channels // self.step) if self.shared else self.blocks)


def alpha_of(kernel: Ints, alpha: int) -> tuple[int, int]:
    """Return how lines, and items of a line, are cut."""
    return (alpha, alpha) if len(kernel) > 1 and kernel[-2] > 1 else (1, 6)


def tap_blocks(kernel: Ints, alpha: tuple[int, int]) -> int:
    """Return how many blocks of taps a kernel falls into: 3 x 3, or 3 of one line."""
    lines = kernel[-2] if len(kernel) > 1 else 1
    along_lines = lines if alpha[0] == 1 else -(-lines // 3)
    return prod(kernel[:-2]) * along_lines * -(-kernel[-1] // 3)


def tile_count(problem: ConvProblem, alpha: tuple[int, int]) -> int:
    """Return the tiles of all images: every phase of a dilated axis is an image of its own."""
    target = problem.x if problem.operation == "conv_input_grad" else problem.y
    outputs = (1, *(a - 2 if a > 1 else 1 for a in alpha))[-len(problem.kernel) :]
    dilation = (1, *problem.dilation[1:]) if len(problem.kernel) == 3 else problem.dilation
    tiles = target.shape[0]
    for extent, d, m in zip(target.shape[2:], dilation, outputs, strict=True):
        longest = -(-extent // d)
        tiles *= d * -(-longest // m)
    return tiles


def extents(problem: ConvProblem) -> tuple[int, int]:
    """Return the input and output channels of a group, of the convolution that is computed."""
    outputs, inputs = problem.weight.shape[0] // problem.groups, problem.weight.shape[1]
    return (outputs, inputs) if problem.operation == "conv_input_grad" else (inputs, outputs)


def kernels_of(problem: ConvProblem, alpha: tuple[int, int], pixels: int) -> Any:
    """Return the compiled core's object for a forward pass or an input gradient."""
    assert core is not None
    adjoint = problem.operation == "conv_input_grad"
    inner, channels = extents(problem)
    source, target = (problem.y, problem.x) if adjoint else (problem.x, problem.y)
    before = tuple(
        (k - 1) * d - b if adjoint else b
        for k, d, (b, _) in zip(problem.kernel, problem.dilation, problem.padding, strict=True)
    )
    ones = (1,) * len(problem.kernel)
    geometry = core.Geometry(
        source.shape[2:], problem.kernel, ones, before, problem.dilation, target.shape[2:]
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
        pixels,
        problem.dtype,
    )


def choose_shape(problem: ConvProblem, alpha: tuple[int, int], tiles: int) -> Shape:
    """Return the blocks of a problem; they follow from its shape and the vectors' alone."""
    assert core is not None
    inner, channels = extents(problem)
    points, depth = alpha[0] * alpha[1], inner * tap_blocks(problem.kernel, alpha)
    if problem.dtype == "float32" and adjoin(problem):
        return _shape_over_pixels(problem.groups, channels, depth, points, tiles)
    rows, columns = core.gemm_tile("float32")
    lanes = core.lanes("float32")
    filled = -(-channels // rows) * rows
    widest = max(1, BLOCK_BYTES // (4 * points * depth * columns)) * columns
    if 4 * points * depth * columns > 4 * BLOCK_BYTES:
        widest -= lanes  # the cache is left by far anyway; narrower blocks share out more evenly
    blocks = -(-tiles // widest)
    vectors = -(-tiles // lanes)
    width = -(-vectors // blocks) * lanes
    shared = tiles <= channels
    step = min(GROUP // rows * rows, filled)
    if shared:
        step = max(rows, min(step, GROUP_BYTES // (4 * points * depth) // rows * rows))
    blocks = -(-tiles // width)
    return Shape(problem.groups, channels, depth, points, tiles, width, blocks, step, shared)


def _shape_over_pixels(groups: int, channels: int, depth: int, points: int, tiles: int) -> Shape:
    pixels = block_channels(channels, "float32", GROUP)
    blocks = -(-tiles // TILES)
    if 1 < blocks < MANY_BLOCKS:
        blocks += blocks % 2
    width = -(-tiles // blocks)
    step = max(1, min(GROUP // pixels, -(-channels // pixels))) * pixels
    blocks = -(-tiles // width)
    shared = tiles <= channels
    return Shape(groups, channels, depth, points, tiles, width, blocks, step, shared, pixels)
