"""How long Winograd's algorithm will take: products, transforms, and memory."""

from __future__ import annotations

from fastconv.cpu.isa import active, core
from fastconv.cpu.winograd.shape import Shape
from fastconv.machine import peak_flops
from fastconv.problem import ConvProblem

# Measured shares of the peak of our products, and of a good direct convolution.
_PRODUCT_SHARE = 0.9
_DIRECT_SHARE = 0.85
# Measured, in the time of one vector's multiply-add: gathering and transforming a vector of tiles
# of one input channel, the way back for one output channel, and one kernel of nine taps. Per point
# of the transform, as they are bound by loads and stores.
_INPUT = 28.0
_OUTPUT = 22.0
_KERNEL = 2.0
_CALL = 2e-6


def direct_seconds(problem: ConvProblem, threads: int) -> float:
    """Return how long a direct convolution would take at best."""
    return problem.flops / (peak_flops(active(), "float32", threads) * _DIRECT_SHARE)


def seconds(problem: ConvProblem, shape: Shape, threads: int) -> float:
    """Return the predicted duration."""
    assert core is not None
    lanes, (rows, _) = core.lanes("float32"), core.gemm_tile("float32")
    vectors = -(-shape.tiles // lanes)
    filled = -(-shape.channels // rows) * rows
    products = vectors * shape.depth * filled / _PRODUCT_SHARE
    again = -(-shape.channels // shape.unit)
    transforms = vectors * (shape.depth * again * _INPUT + shape.channels * _OUTPUT)
    uses = min(shape.blocks, 2)
    kernels = shape.depth * filled * _KERNEL * uses
    work = shape.groups * shape.points * (products + transforms + kernels)
    return work * 2 * lanes / peak_flops(active(), "float32", threads) + _CALL
