"""Products of floats in int8: operands in steps of their scales, sums in int32, scaled back."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.precision import INTEGERS, integer_sum_limit
from fastconv.problem import ConvProblem, GemmProblem, Ints, Operand, Problem
from fastconv_cuda.arithmetic import TENSOR_CAPABILITY, Kind, Product
from fastconv_cuda.candidate import alignments, itemsize, refused, rounding_asked
from fastconv_cuda.copied_gemm import CopiedPlan, copied_shape, copy_for
from fastconv_cuda.copies import apart, copy_unit, images_within, parts_of
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import typed
from fastconv_cuda.params import INTEGER_CONV, REACH, conv_params, five
from fastconv_cuda.plan import THREADS, Launch, Packed, Place, Scratch, Shifted, over_elements
from fastconv_cuda.rates import LAUNCH_SECONDS, seconds
from fastconv_cuda.shapes import Shape, product_seconds, shape_of, tile_of, why_too_large
from fastconv_cuda.tiles import INTEGER_TILES, integer_unit

_INT8 = Kind("integer", "int8", "int8", "int8")
_SHARE = 0.4
_LARGEST = INTEGERS["int8"].largest
_MOST_CHANNELS = 65_535  # rows of a grid
_EACH_THREAD = 16  # values, at least


class Layout:
    """Where everything lies in the workspace: what belongs to the weight first."""

    def __init__(self, shape: Shape, parts: int) -> None:
        channels = shape.geometry.groups * shape.geometry.k
        self.scales = apart(shape.packed)
        self.weight_parts = self.scales + apart(4 * channels)
        self.packed = self.weight_parts + apart(4 * channels)
        self.scale = self.packed
        self.parts = self.scale + apart(4)
        self.copy = self.parts + apart(4 * parts)


class QuantizedGemm:
    """Forward passes of real numbers, by tensor cores."""

    name = "implicit_gemm_int8"
    operations = ("conv_forward", "linear_forward")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept what is asked for in int8."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        reason = _why_not(problem, policy, card)
        if reason:
            return refused(self.name, reason)
        shape = shape_of(problem, "int8")
        copy = copy_for(shape, problem, _INT8)
        reason = copy.why_not or why_too_large(shape.rows, shape.columns, shape.products)
        if reason:
            return refused(self.name, reason)
        layout = Layout(shape, _parts(problem.x, card))
        batch = shape.geometry.batch
        images = images_within(batch, copy.image_bytes, policy.workspace_limit - layout.copy)
        copied = copy.of(images).bytes
        tile = tile_of(copied_shape(shape, copy, images), card, INTEGER_TILES)
        moved = 2 * shape.packed + copied
        predicted = product_seconds(problem, _INT8, shape, tile, _SHARE, card, moved)
        read = problem.x.size * itemsize(problem.dtype)
        predicted += copy.seconds(card) + seconds(card, 0, "float32", 1.0, read)
        predicted += 2 * len(parts_of(batch, images)) * LAUNCH_SECONDS
        return Decision(
            True,
            f"tiles of {tile.rows} x {tile.columns}, operands in steps of int8",
            self.name,
            "int8",
            float("inf"),
            predicted,
            layout.copy + copied,
            device=card.device,
            detail=images,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem | GemmProblem)
        assert isinstance(decision.detail, int)
        return _plan(problem, decision.detail, device)


def _why_not(problem: Product, policy: Policy, card: Card) -> str:
    if rounding_asked(problem, policy) != "int8":
        return 'it rounds operands to int8, which takes precision="int8"'
    if card.capability < TENSOR_CAPABILITY:
        have, need = (".".join(map(str, c)) for c in (card.capability, TENSOR_CAPABILITY))
        return (
            f"its tensor core instructions need capability {need}, not {have}: "
            'precision="float16" runs there, and so does conv2d_integer'
        )
    most = integer_sum_limit(_LARGEST, _LARGEST)
    if problem.reduction > most:
        return f"int32 may not hold sums of {problem.reduction} products: {most} do"
    if problem.weight.shape[0] > _MOST_CHANNELS:
        return f"{problem.weight.shape[0]} channels are more scales than a grid holds"
    return ""


def _parts(x: Operand, card: Card) -> int:
    """Return how many blocks look for x's largest magnitude."""
    wanted = -(-x.size // (THREADS * _EACH_THREAD))
    return max(min(wanted, 4 * card.processors), 1)


def _reach(
    operand: Operand, whole: bool, parts: int, source: int, found: Place, scales: Place
) -> list[Launch]:
    """Return the launches that find the scale of an array, or of each of its first axis' rows."""
    shape, strides = five(operand.shape, 1), five(operand.strides, 0)
    rows, row_step = (1, 0) if whole else (shape[0], strides[0])
    if not whole:
        shape, strides = (1, *shape[1:]), (0, *strides[1:])
    params: Any = np.zeros(1, REACH)
    p = params[0]
    p["count"], p["parts"] = prod(shape), parts
    if _is_dense(shape, strides, itemsize(operand.dtype)):
        # Any order will do.
        p["extent"] = (1, 1, 1, 1, max(prod(shape), 1))
        p["stride"] = (row_step, 0, 0, 0, 0, itemsize(operand.dtype))
    else:
        p["extent"], p["stride"] = [max(n, 1) for n in shape], (row_step, *strides)
    unit, shared = typed("reach.cu", operand.dtype), 4 * THREADS
    block = (THREADS, 1, 1)
    return [
        Launch(unit, "reach", (parts, rows, 1), block, (source, found), (params,), shared),
        Launch(unit, "settle", (rows, 1, 1), block, (found, scales), (params,), shared),
    ]


def _is_dense(shape: Ints, strides: Ints, size: int) -> bool:
    step = size
    for stride, extent in sorted((s, n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if stride != step:
            return False
        step *= extent
    return True


def _plan(problem: Product, images: int, device: Device) -> CopiedPlan:
    shape = shape_of(problem, "int8")
    images = max(min(images, shape.geometry.batch), 1)
    copy, parts = copy_for(shape, problem, _INT8), _parts(problem.x, device.card)
    layout = Layout(shape, parts)
    scales, scale = Packed(layout.scales), Scratch(layout.scale)
    pack = [
        *_reach(problem.weight, False, 1, 1, Packed(layout.weight_parts), scales),
        over_elements(
            copy_unit("pack_weight.cu", problem.dtype, "int8"),
            "pack_weight",
            shape.packed,
            (1, scales, Packed()),
            shape.params(),
        ),
    ]
    tile = tile_of(copied_shape(shape, copy, images), device.card, INTEGER_TILES)
    unit = integer_unit(tile, "int8", "int8", problem.dtype, True)
    bias = problem.bias is not None
    numbers = _integer_params(problem, shape)
    launches = _reach(problem.x, True, parts, 0, Scratch(layout.parts), scale)
    for first, count in parts_of(shape.geometry.batch, images):
        part = copied_shape(shape, copy, count)
        launches.append(copy.of(count).launch(0, first, Scratch(layout.copy), scale))
        out = Shifted(3 if bias else 2, first * problem.y.strides[0])
        grid = (-(-part.rows // tile.rows), -(-part.columns // tile.columns), part.products)
        zeros, added = (None, None, None), 2 if bias else None
        launches.append(
            Launch(
                unit,
                "integer_gemm",
                grid,
                (tile.threads("integer"), 1, 1),
                (Scratch(layout.copy), Packed(), *zeros, added, scales, scale, out),
                (part.params(), numbers),
                tile.stages * tile.stage_bytes,
            )
        )
    key = ("int8", problem.dtype, problem.weight.shape, shape.geometry.groups)
    size = layout.copy + copy.of(images).bytes
    return CopiedPlan(device, pack, launches, alignments(problem), size, layout.packed, key)


def _integer_params(problem: Product, shape: Shape) -> Any:
    params: Any = np.zeros(1, INTEGER_CONV)
    p = params[0]
    p["conv"] = conv_params(shape.geometry)[0]
    p["multiplier"], p["has_bias"] = 4, problem.bias is not None
    p["bias"] = shape.geometry.bias
    return params


QUANTIZED_GEMM = QuantizedGemm()
