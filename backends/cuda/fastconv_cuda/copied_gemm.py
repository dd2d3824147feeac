"""Convolution as a product on a copy of the image, made for it, some images at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from fastconv_cuda.arithmetic import Kind, Product
from fastconv_cuda.candidate import alignments, itemsize
from fastconv_cuda.copies import ImageCopy, apart, copy_of, copy_unit, parts_of
from fastconv_cuda.device import Device
from fastconv_cuda.plan import (
    Launch,
    LaunchPlan,
    Packed,
    PackingAhead,
    Place,
    Scratch,
    Shifted,
    over_elements,
)
from fastconv_cuda.shapes import Shape, shape_of, tile_of
from fastconv_cuda.tiles import gemm_unit, tiles_of


def copy_for(shape: Shape, problem: Product, kind: Kind) -> ImageCopy:
    """Return the copy of what is gathered."""
    name = "y" if shape.input_grad else "x"
    return copy_of(shape.geometry, name, problem.dtype, kind)


def copied_shape(shape: Shape, copy: ImageCopy, images: int) -> Shape:
    """Return the product of so many images that gathers from their copy."""
    name = "y" if shape.input_grad else "x"
    changes: dict[str, Any] = {name: copy.steps}
    geometry = replace(shape.geometry, batch=images, **changes)
    return replace(shape, geometry=geometry, padded=copy.padded)


# Makes a launch of: the product of some images, where their copy is, and where the result goes.
Multiply = Callable[[Shape, Place, Place], Launch]


def gather_launch(problem: Product, kind: Kind, first: Shape, device: Device) -> Multiply:
    """Return what makes the launches of implicit_gemm, all of the first part's tile."""
    tile = tile_of(first, device.card, tiles_of(kind.factor))
    unit = gemm_unit(tile, kind.factor, kind.math, True, problem.dtype)
    bias = 2 if len(problem.inputs) == 3 else None

    def launch(part: Shape, copy: Place, out: Place) -> Launch:
        return Launch(
            unit,
            "implicit_gemm",
            (-(-part.rows // tile.rows), -(-part.columns // tile.columns), part.products),
            (tile.threads(kind.math), 1, 1),
            (copy, Packed(), bias, out),
            (part.params(),),
            tile.stages * tile.stage_bytes,
        )

    return launch


def copied_plan(
    problem: Product,
    kind: Kind,
    images: int,
    device: Device,
    multiplying: Callable[[Product, Kind, Shape, Device], Multiply] = gather_launch,
) -> CopiedPlan:
    """Return a plan: pack the weight; copy some images, multiply; and so on."""
    shape, size = shape_of(problem, kind.factor), itemsize(kind.factor)
    images = max(min(images, shape.geometry.batch), 1)
    copy = copy_for(shape, problem, kind)
    packed = apart(shape.packed * size)
    pack = over_elements(
        copy_unit("pack_weight.cu", problem.dtype, kind.factor, kind.copy_rounding),
        "pack_weight",
        shape.packed,
        (1, Packed()),
        shape.params(),
    )
    multiply = multiplying(problem, kind, copied_shape(shape, copy, images), device)
    step = problem.outputs[0].strides[0]
    launches = []
    for first, count in parts_of(shape.geometry.batch, images):
        launches.append(copy.of(count).launch(0, first, Scratch(packed)))
        out = Shifted(len(problem.inputs), first * step)
        launches.append(multiply(copied_shape(shape, copy, count), Scratch(packed), out))
    layout = (problem.dtype, kind.factor, kind.copy_rounding, shape.input_grad)
    key = (*layout, problem.weight.shape, shape.geometry.groups)
    size = packed + copy.of(images).bytes
    return CopiedPlan(device, (pack,), launches, alignments(problem), size, packed, key)


class CopiedPlan(PackingAhead):
    """Packs the weight into the front of the workspace, and goes on with launches that use it.

    Parameters
    ----------
    device, item_bytes, workspace_bytes, pack_key
        As in :class:`PackedPlan`.
    pack : sequence of Launch
        Packs the second input; its place, and that of whoever reads it, is ``Packed()``.
    launches : sequence of Launch
        What follows.
    packed_bytes : int
        What the packed weight takes.
    """

    def __init__(
        self,
        device: Device,
        pack: Sequence[Launch],
        launches: Sequence[Launch],
        item_bytes: Sequence[int],
        workspace_bytes: int,
        packed_bytes: int,
        pack_key: Hashable,
    ) -> None:
        front = [launch.with_packed(Scratch(0)) for launch in (*pack, *launches)]
        super().__init__(device, front, item_bytes, workspace_bytes)
        self.pack_key = pack_key
        self._packed_bytes = packed_bytes
        self._pack = LaunchPlan(device, front[: len(pack)], (1, item_bytes[1]), packed_bytes)
        apart_from_it = [launch.with_packed(1) for launch in launches]
        self._multiply = LaunchPlan(
            device, apart_from_it, (item_bytes[0], 1, *item_bytes[2:]), workspace_bytes
        )

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run`; the second input is what `pack` returned."""
        self._multiply.run(inputs, outputs, workspace, stream)
