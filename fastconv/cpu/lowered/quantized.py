"""Run a float product in int8: a scale for x, one for each output channel of the weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from fastconv.backend import Plan
from fastconv.cpu.conversion import as_line
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE, finish
from fastconv.cpu.isa import core
from fastconv.cpu.lowered.problem import copy_of
from fastconv.cpu.narrow import HALVES
from fastconv.cpu.plans import HostPlan, Scratch, padded
from fastconv.cpu.reference.activations import activate, activation_bytes
from fastconv.errors import bad_argument
from fastconv.precision import FORMATS, INTEGERS
from fastconv.problem import ConvProblem, GemmProblem, Operand

LARGEST = INTEGERS["int8"].largest
_ENDS = -LARGEST, LARGEST
_ZERO = np.zeros(1, np.int8)
_KNOWN = ("float32", *HALVES)
# Elements of a block that stays in the cache from step to step.
_BLOCK = 1 << 14
_SMALLEST = np.float32(FORMATS["float32"].smallest_subnormal)


def as_convolution(problem: ConvProblem | GemmProblem) -> ConvProblem:
    """Return a problem as a convolution: a linear layer's rows are positions of one image."""
    if isinstance(problem, ConvProblem):
        return problem
    weight = problem.weight
    return ConvProblem(
        function=problem.function,
        operation="conv_forward",
        device=problem.device,
        x=_turned(problem.x),
        weight=Operand((*weight.shape, 1), (*weight.strides, 0), weight.dtype),
        y=_turned(problem.y),
        bias=problem.bias,
        stride=(1,),
        padding=((0, 0),),
        dilation=(1,),
        groups=1,
        activation=problem.activation,
    )


def _turned(operand: Operand) -> Operand:
    (rows, columns), (down, right) = operand.shape, operand.strides
    return Operand((1, columns, rows), (0, right, down), operand.dtype)


class QuantizedPlan(HostPlan):
    """Quantises x and the weight, sums in int32 by another plan, and scales the sums.

    Parameters
    ----------
    problem : ConvProblem or GemmProblem
        What is asked for.
    rows : int
        Images of a part.
    threads : int
        For the activation.
    inner : callable
        Makes the plan for the sums of so many images.
    """

    def __init__(
        self,
        problem: ConvProblem | GemmProblem,
        rows: int,
        threads: int,
        inner: Callable[[int], Plan],
    ) -> None:
        self._threads = threads
        self._turns = isinstance(problem, GemmProblem)
        self._problem = conv = as_convolution(problem)
        self._rows = rows
        self._images = conv.y.shape[0]
        self._whole = inner(rows)
        left = self._images % rows
        self._rest = inner(left) if left else self._whole
        self._scratch = scratch = Scratch()
        self._weight = copy_of(conv.weight)
        scratch.add("weight", (packed_bytes(conv),), "uint8")
        scratch.add("x", (copy_of(conv.x, rows).size,), "int8")
        scratch.add("sums", (copy_of(conv.y, rows).size,), "int32")
        scratch.add("inner", (self.inner_bytes,), "uint8")
        self.pack_key = ("quantized", self._turns, self._weight.axes)

    @property
    def workspace_bytes(self) -> int:  # type: ignore[override]
        """Bytes of scratch memory that `run` needs."""
        return self._scratch.bytes

    @property
    def inner_bytes(self) -> int:
        """Bytes of it that the plan on the copies gets."""
        return max(self._whole.workspace_bytes, self._rest.workspace_bytes)

    @property
    def finish_bytes(self) -> int:
        """Bytes that scaling an image takes beside the workspace."""
        conv = self._problem
        if conv.activation is None and conv.y.dtype == "float32":
            return 0
        items = conv.y.size // max(self._images, 1)
        return items * (4 + (activation_bytes(conv.activation, 4) if core is None else 0))

    def pack(self, weight: Any) -> Any:
        """Return the weight's integers and scales as bytes."""
        return self._pack(weight, np.empty(packed_bytes(self._problem), np.uint8))

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        packed = self._pack(inputs[1], self._scratch.cut("weight", workspace))
        self.run_packed((inputs[0], packed, *inputs[2:]), outputs, workspace)

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Do as `run` with what `pack` returned."""
        x, packed, *bias = inputs
        out = outputs[0]
        if self._turns:
            x, out = x.T[None], out.T[None]
        weight, scales = self._unpacked(packed)
        scale = scale_of(self._problem.function, "x", reach(x, self._threads))
        factors = (scales * scale).reshape(-1, *(1,) * (out.ndim - 2))
        added = bias[0].reshape(factors.shape) if bias else None
        for start in range(0, self._images, self._rows):
            part = x[start : start + self._rows]
            plan = self._whole if len(part) == self._rows else self._rest
            sums = self._sums(part, scale, weight, plan, workspace)
            self._finish(sums, factors, added, out[start : start + self._rows])

    def _pack(self, weight: Any, target: Any) -> Any:
        conv = self._problem
        if self._turns:
            weight = weight[..., None]
        integers, scales = self._unpacked(target)
        quantize_channels(conv.function, weight, integers, scales, self._threads)
        return target

    def _unpacked(self, packed: Any) -> tuple[Any, Any]:
        """Return the weight's integers and its scales, out of the bytes that hold both."""
        size = self._weight.size
        integers = self._weight.of(packed[:size].view(np.int8))
        return integers, packed[padded(size) :].view(np.float32)

    def _sums(self, x: Any, scale: Any, weight: Any, plan: Plan, workspace: Any) -> Any:
        conv, images = self._problem, len(x)
        quantized = copy_of(conv.x, images).of(self._scratch.cut("x", workspace))
        quantize_into(quantized, x, scale, self._threads)
        sums = copy_of(conv.y, images).of(self._scratch.cut("sums", workspace))
        size = plan.workspace_bytes
        scratch = self._scratch.cut("inner", workspace)[:size] if size else None
        plan.run((quantized, weight, _ZERO), [sums], scratch)
        return sums

    def _finish(self, sums: Any, factors: Any, bias: Any, out: Any) -> None:
        activation = self._problem.activation
        given, single = as_line(sums), out.dtype == np.float32
        taken = as_line(out) if single and _is_known(out) else None
        if taken is not None and _lie_alike(sums, out):
            assert core is not None
            added = np.zeros_like(factors) if bias is None else bias.astype(np.float32)
            # In one piece, whatever the order of axes, what lies inside a channel is a line.
            inner = sums.strides[1] // sums.itemsize if sums.shape[1] > 1 else sums.size
            scaling = factors.ravel(), added.ravel(), taken, inner
            core.rescale(given, *scaling, CODES[activation], LEAKY_SLOPE, self._threads)
            return
        for image, target in zip(sums, out, strict=True):
            plain = target.dtype == np.float32 and activation is None
            scaled = target if plain else np.empty(image.shape, np.float32)
            with np.errstate(all="ignore"):
                np.multiply(image, factors, scaled, dtype=np.float32, casting="same_kind")
                if bias is not None:
                    np.add(scaled, bias, out=scaled, casting="same_kind")
                if scaled is not target:
                    target[...] = _activated(activation, scaled, self._threads)


def scale_of(function: str, argument: str, most: Any) -> Any:
    """Return the scales for largest magnitudes; ValueError where they aren't finite."""
    with np.errstate(over="ignore"):
        most = np.asarray(most).astype(np.float32)
    if not np.isfinite(most).all():
        refuse_infinite(function, argument)
    return np.maximum(most / np.float32(LARGEST), _SMALLEST)


def refuse_infinite(function: str, argument: str) -> NoReturn:
    """Raise ValueError for an argument that has no scale."""
    raise ValueError(
        bad_argument(
            function,
            argument,
            got="NaN, or values that are infinite in float32",
            expected='finite ones with precision="int8"',
        )
    )


def _activated(name: str | None, values: Any, threads: int) -> Any:
    if core is None or name is None:
        return activate(name, values)
    finish(values.reshape(1, len(values), -1), None, name, threads)
    return values


def packed_bytes(problem: ConvProblem) -> int:
    """Return the bytes of a weight's integers and its scales."""
    return padded(problem.weight.size) + 4 * problem.weight.shape[0]


def _is_known(array: Any) -> bool:
    """Whether our own code takes an array: of native float32 or 16 bits, in one piece."""
    dtype = array.dtype
    if core is None or dtype.name not in _KNOWN or not dtype.isnative or not array.size:
        return False
    return as_line(array) is not None


def _has_lines(weight: Any) -> bool:
    """Whether each output channel's weights are a line, one behind the other."""
    return _is_known(weight) and int(np.argmax(weight.strides)) == 0


def _lie_alike(a: Any, b: Any) -> bool:
    """Whether arrays of one shape have their items in the same order and distance."""
    strides = zip(a.shape, a.strides, b.strides, strict=True)
    return all(one == other for extent, one, other in strides if extent > 1)


def reach(array: Any, threads: int) -> Any:
    """Return the largest magnitude of an array; NaN where it holds one."""
    if not _is_known(array):
        return _reach(array, None) if array.size else np.float32(0)
    assert core is not None
    most = np.empty(core.reach_parts(1, array.size), np.float32)
    core.reach(as_line(array), most, 1, threads, array.dtype.name)
    return most.max()


def reach_of_each(weight: Any, threads: int) -> Any:
    """Return the same of each output channel."""
    channels = weight.shape[0]
    if not _has_lines(weight):
        return _reach(weight, tuple(range(1, weight.ndim)))
    assert core is not None
    most = np.empty((channels, core.reach_parts(1, weight[0].size)), np.float32)
    core.reach(as_line(weight), most, channels, threads, weight.dtype.name)
    return most.max(1)


def quantize_channels(function: str, weight: Any, integers: Any, scales: Any, threads: int) -> None:
    """Fill a weight's integers, in its order in memory, and the scales of its output channels."""
    scales[...] = scale_of(function, "weight", reach_of_each(weight, threads))
    if _has_lines(weight):
        _quantize_lines(integers, weight, scales, threads)
        return
    for channel in range(weight.shape[0]):
        quantize_into(integers[channel], weight[channel], scales[channel], threads)


def _reach(array: Any, axes: Any) -> Any:
    return np.maximum(array.max(axes, initial=0), -array.min(axes, initial=0))


def quantize_into(target: Any, source: Any, scale: Any, threads: int) -> None:
    """Fill an int8 array with source / scale, rounded to the nearest, a block at a time.

    Both have the same shape, and target the order in memory that is source's.
    """
    if _is_known(source):
        _quantize_lines(target, source, np.full(1, scale, np.float32), threads)
        return
    order = sorted(range(target.ndim), key=lambda axis: -target.strides[axis])
    _quantize_blocks(target.transpose(order), source.transpose(order), scale)


def _quantize_lines(target: Any, source: Any, scales: Any, threads: int) -> None:
    assert core is not None
    zeros, inner = np.zeros(len(scales), np.int32), source.size // len(scales)
    given, taken = as_line(source), as_line(target)
    core.quantize(given, taken, scales, zeros, *_ENDS, inner, source.dtype.name, threads)


def _quantize_blocks(target: Any, source: Any, scale: Any) -> None:
    if source.size > _BLOCK and source.ndim > 1 and len(source) > 1:
        if source.flags.c_contiguous:
            target, source = target.reshape(-1), source.reshape(-1)
        step = max(1, _BLOCK * len(source) // source.size)
        for start in range(0, len(source), step):
            part = slice(start, start + step)
            _quantize_blocks(target[part], source[part], scale)
    elif source.size > _BLOCK and source.ndim > 1:
        _quantize_blocks(target[0], source[0], scale)
    else:
        steps = np.divide(source, scale, dtype=np.float32, casting="same_kind")
        target[...] = np.rint(steps, out=steps)
