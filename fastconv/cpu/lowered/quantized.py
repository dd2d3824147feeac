"""Run a float product in int8: a scale for x, one for each output channel of the weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastconv.backend import Plan
from fastconv.cpu.conversion import as_line
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE, finish
from fastconv.cpu.isa import core
from fastconv.cpu.lowered.problem import copy_of
from fastconv.cpu.lowered.scales import (
    is_known,
    quantize_channels,
    quantize_into,
    reach,
    scale_of,
)
from fastconv.cpu.plans import HostPlan, Scratch, padded
from fastconv.cpu.reference.activations import activate, activation_bytes
from fastconv.problem import ConvProblem, GemmProblem, Operand

_ZERO = np.zeros(1, np.int8)


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
        taken = as_line(out) if single and is_known(out) else None
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


def _activated(name: str | None, values: Any, threads: int) -> Any:
    if core is None or name is None:
        return activate(name, values)
    finish(values.reshape(1, len(values), -1), None, name, threads)
    return values


def packed_bytes(problem: ConvProblem) -> int:
    """Return the bytes of a weight's integers and its scales."""
    return padded(problem.weight.size) + 4 * problem.weight.shape[0]


def _lie_alike(a: Any, b: Any) -> bool:
    """Whether arrays of one shape have their items in the same order and distance."""
    strides = zip(a.shape, a.strides, b.strides, strict=True)
    return all(one == other for extent, one, other in strides if extent > 1)
