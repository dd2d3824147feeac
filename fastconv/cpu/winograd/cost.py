"""How long Winograd's algorithm will take: products, transforms, and memory."""

from __future__ import annotations

from fastconv.cpu.isa import active, core
from fastconv.cpu.winograd.shape import Shape
from fastconv.cpu.winograd.weight_grad import GradShape
from fastconv.machine import peak_flops

# Measured share of the peak of our products.
_PRODUCT_SHARE = 0.9
# Measured, in the time of one vector's multiply-add: gathering and transforming a vector of tiles
# of one input channel, the way back for one output channel, and one kernel of nine taps. Per point
# of the transform, as they are bound by loads and stores.
_INPUT = 28.0
_STRIDED_INPUT = 40.0
_OUTPUT = 22.0
_PHASE_OUTPUT = 26.0
_KERNEL = 2.0
# Beginning and ending a tile of sums, in rows of the reduction.
_TILE = 4.0
# The same where lanes are channels.
_PIXEL_INPUT = 18.0
_PIXEL_OUTPUT = 16.0
_PIXEL_GRAD = 16.0
# The same for transforming and transposing a vector of tiles for the weight gradient, for
# transforming a vector of sums back, and for writing one kernel.
_GRAD = 40.0
_STRIDED_GRAD = 52.0
_SUMS = 8.0
_TAPS = 1.0
_CALL = 2e-6
# What gathering and putting down 16-bit items takes of that, with the transforms between.
_HALVES = 0.75


def _moved(shape: Shape | GradShape) -> float:
    return _HALVES if shape.halves else 1.0


def _duration(vector_operations: float) -> float:
    assert core is not None
    lanes: int = core.lanes("float32")
    return vector_operations * 2 * lanes / peak_flops(active(), "float32", 1)


def seconds(shape: Shape) -> float:
    """Return the predicted duration on one thread."""
    assert core is not None
    lanes, (rows, _) = core.lanes("float32"), core.gemm_tile("float32")
    if shape.pixels:
        return _duration(_over_pixels(shape, lanes)) + _CALL
    vectors = -(-shape.tiles // lanes)
    filled = -(-shape.channels // rows) * rows
    sums = shape.inner * shape.products + shape.points * shape.phases * _TILE
    products = vectors * filled * sums / _PRODUCT_SHARE
    each_input = _STRIDED_INPUT if shape.strided else _INPUT
    each_output = shape.phases * (_OUTPUT if shape.phases == 1 else _PHASE_OUTPUT)
    transforms = vectors * (shape.depth * each_input + shape.channels * each_output)
    transforms *= _moved(shape)
    kernels = shape.phases * shape.depth * filled * _KERNEL
    work = shape.groups * (products + shape.points * (transforms + kernels))
    return _duration(work) + _CALL


def _over_pixels(shape: Shape, lanes: int) -> float:
    """Return the multiply-adds of vectors of channels that all steps are worth."""
    # Each block of taps has vectors of its own.
    inner = shape.depth // shape.inner * -(-shape.inner // lanes)
    outer = -(-shape.channels // lanes)
    products = shape.tiles * shape.inner * shape.products * outer / _PRODUCT_SHARE
    transforms = shape.tiles * (inner * _PIXEL_INPUT + outer * _PIXEL_OUTPUT) * _moved(shape)
    kernels = shape.depth * outer * lanes * _KERNEL
    return shape.groups * (products + shape.points * (transforms + kernels))


def grad_seconds(shape: GradShape) -> float:
    """Return the predicted duration of a weight gradient on one thread."""
    assert core is not None
    lanes, (rows, _) = core.lanes("float32"), core.gemm_tile("float32")
    vectors = -(-shape.tiles // lanes)
    filled = -(-shape.channels // rows) * rows
    across = -(-shape.depth // lanes)
    chunks = -(-shape.tiles // shape.width)
    products = vectors * lanes * across * filled * shape.live / _PRODUCT_SHARE
    each = _PIXEL_GRAD if shape.pixels else _STRIDED_GRAD if shape.strided else _GRAD
    transforms = vectors * (shape.depth + shape.channels) * each * _moved(shape)
    sums = across * shape.channels * (chunks * _SUMS + lanes * _TAPS)
    work = shape.groups * shape.points * (products + transforms + sums)
    calls = 1 + 2 * chunks
    return _duration(work) + _CALL * calls
