"""The matrix product that a convolution, forward or its input gradient, is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

import numpy as np

from fastconv.problem import IntegerConvProblem
from fastconv_cuda.arithmetic import Kind, Product
from fastconv_cuda.candidate import total_bytes
from fastconv_cuda.device import Card
from fastconv_cuda.geometry import Geometry, conv_geometry, geometry_of
from fastconv_cuda.params import GATHER, conv_params
from fastconv_cuda.rates import seconds
from fastconv_cuda.tiles import Tile, chunk, tile_for

MOST_BLOCKS = 65_535  # along a grid's second and third axis
MOST_ROWS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Shape:
    """The product that a pass is: for each group and phase rows x columns x (taps, channels)."""

    geometry: Geometry
    input_grad: bool
    padded: int
    phases: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Channels that are summed over."""
        return self.geometry.k if self.input_grad else self.geometry.c

    @property
    def columns(self) -> int:
        """Channels of the result."""
        return self.geometry.c if self.input_grad else self.geometry.k

    @property
    def rows(self) -> int:
        """Pixels of the largest phase of all images."""
        if not self.input_grad:
            return self.geometry.batch * self.geometry.outputs
        extents = (
            -(-axis.extent // phases)
            for axis, phases in zip(self.geometry.axes, self.phases, strict=True)
        )
        return self.geometry.batch * prod(extents)

    @property
    def products(self) -> int:
        """Products of that size."""
        return self.geometry.groups * prod(self.phases)

    @property
    def packed(self) -> int:
        """Elements of the packed weight."""
        return self.geometry.groups * self.columns * self.geometry.taps * self.padded

    @property
    def strides(self) -> tuple[int, ...]:
        """The gathered operand's strides."""
        return self.geometry.y if self.input_grad else self.geometry.x

    def params(self) -> Any:
        """Return a Gather of one element."""
        params = np.zeros(1, GATHER)
        p = params[0]
        p["conv"] = conv_params(self.geometry)[0]
        p["input_grad"], p["padded"] = self.input_grad, self.padded
        p["phases"] = self.phases
        p["tap_step"] = [a.stride // gcd(a.stride, a.dilation) for a in self.geometry.axes]
        return params

    def is_vector(self, size: int) -> bool:
        """Whether each pixel's channels are whole 16-byte chunks, if the array starts at one."""
        g = self.geometry
        if self.input_grad:
            extents = (g.batch, *(axis.out for axis in g.axes))
        else:
            extents = (g.batch, *(axis.extent for axis in g.axes))
        others = (self.strides[0], *self.strides[2:])
        return (
            self.channels == self.padded
            and (self.strides[1] == size or g.groups * self.channels == 1)
            and all(s % 16 == 0 for s, n in zip(others, extents, strict=True) if n > 1)
        )


def shape_of(problem: Product | IntegerConvProblem, factor: str | None = None) -> Shape:
    """Return the product that a forward pass or an input gradient is, of factors of a dtype."""
    if isinstance(problem, IntegerConvProblem):
        geometry = conv_geometry(problem)
    else:
        geometry = geometry_of(problem)
    input_grad = problem.operation.endswith("input_grad")
    channels = geometry.k if input_grad else geometry.c
    whole = chunk(factor or problem.x.dtype)
    return Shape(
        geometry,
        input_grad,
        -(-channels // whole) * whole,
        tuple(axis.stride for axis in geometry.axes) if input_grad else (1, 1, 1),
    )


def product_seconds(
    problem: Product, kind: Kind, shape: Shape, tile: Tile, share: float, card: Card, moved: float
) -> float:
    """Predict a product's time: zeros beside the channels are multiplied, and whole tiles."""
    flops = problem.flops * shape.padded / max(shape.channels, 1)
    waste = _whole(shape.rows, tile.rows) * _whole(shape.columns, tile.columns)
    return seconds(card, flops * waste, kind.rate, share, total_bytes(problem) + moved)


def tile_of(shape: Shape, card: Card, tiles: Sequence[Tile]) -> Tile:
    """Return the tile for a product on a card."""
    return tile_for(card, shape.rows, shape.columns, shape.products, tiles)


def _whole(extent: int, tile: int) -> float:
    return -(-extent // tile) * tile / max(extent, 1)


def why_too_large(rows: int, columns: int, products: int) -> str:
    """Return why a grid can't hold a product; empty where it can."""
    if rows > MOST_ROWS:
        return f"{rows} pixels are more than its 32-bit counters hold"
    if products > MOST_BLOCKS or columns > 64 * MOST_BLOCKS:
        return f"{products} products of {columns} columns are more than a grid holds"
    return ""
