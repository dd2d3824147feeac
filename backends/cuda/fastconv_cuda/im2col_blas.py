"""Columns of an image, by a kernel of ours, times the weight, by the vendor's library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastconv.backend import Decision, Plan, Policy
from fastconv.problem import ColumnsProblem, ConvProblem, Operand, Problem
from fastconv_cuda.candidate import (
    alignments,
    error_bound,
    itemsize,
    own_precision,
    refused,
    rounding_asked,
    total_bytes,
    why_not_in,
)
from fastconv_cuda.device import Card, Device
from fastconv_cuda.direct import copying, typed
from fastconv_cuda.geometry import columns_geometry
from fastconv_cuda.params import ACTIVATIONS, FINISH, columns_params
from fastconv_cuda.plan import DevicePlan, Launch, over_elements
from fastconv_cuda.rates import LAUNCH_SECONDS, seconds

_TYPES = ("float32", "float64")
_SHARE = 0.6


def _is_contiguous(operand: Operand) -> bool:
    step = itemsize(operand.dtype)
    for extent, stride in zip(reversed(operand.shape), reversed(operand.strides), strict=True):
        if extent > 1 and stride != step:
            return False
        step *= extent
    return True


class Im2colBlas:
    """Forward and input gradient, one image after the other."""

    name = "im2col_blas"
    operations = ("conv_forward", "conv_input_grad")

    def decide(self, problem: Problem, policy: Policy, card: Card) -> Decision:
        """Accept float32 and float64, with the columns of one image in the workspace."""
        assert isinstance(problem, ConvProblem)
        precision = own_precision(problem)
        reason = _why_not(problem) or why_not_in(problem, policy, precision)
        rounding = rounding_asked(problem, policy)
        if rounding:
            reason = f"cuBLAS gets operands as they are, and they are to be rounded to {rounding}"
        if reason:
            return refused(self.name, reason)
        columns = _columns(problem).columns.size
        size = columns * itemsize(problem.dtype)
        images = problem.x.shape[0]
        moved = total_bytes(problem) + 2 * images * size
        # Each image is two launches and more: small ones wait for their turn.
        waiting = images * 3 * LAUNCH_SECONDS
        return Decision(
            True,
            "columns image by image, and cuBLAS",
            self.name,
            precision,
            error_bound(problem),
            waiting + seconds(card, problem.flops, precision, _SHARE, moved),
            size,
            device=card.device,
        )

    def plan(self, problem: Problem, decision: Decision, device: Device) -> Plan:
        """Make it ready to run."""
        assert isinstance(problem, ConvProblem)
        return BlasPlan(problem, device)


def _why_not(problem: ConvProblem) -> str:
    if problem.dtype not in _TYPES:
        return f"cuBLAS sums {problem.dtype} as it likes: it is asked for float32 and float64 only"
    if 0 in (problem.x.size, problem.weight.size, problem.y.size):
        return "there is nothing to multiply"
    matrices = (("weight", problem.weight), ("y", problem.y))
    for name, operand in matrices:
        if not _is_contiguous(operand):
            return f"its matrices are views, and {name} isn't contiguous"
    if problem.operation == "conv_input_grad" and not _is_contiguous(problem.x):
        return "bias and activation follow in place, and x isn't contiguous"
    return ""


def _columns(problem: ConvProblem) -> ColumnsProblem:
    """Return the columns of one image."""
    positions = int(np.prod(problem.y.shape[2:]))
    rows = problem.x.shape[1] * int(np.prod(problem.kernel))
    size = itemsize(problem.dtype)
    shape = (1, rows, positions)
    strides = (rows * positions * size, positions * size, size)
    return ColumnsProblem(
        function=problem.function,
        operation="im2col" if problem.operation == "conv_forward" else "col2im",
        device=problem.device,
        x=Operand((1, *problem.x.shape[1:]), problem.x.strides, problem.dtype),
        columns=Operand(shape, strides, problem.dtype),
        spatial_out=problem.y.shape[2:],
        kernel=problem.kernel,
        stride=problem.stride,
        padding=problem.padding,
        dilation=problem.dilation,
    )


class BlasPlan(DevicePlan):
    """A launch and a product for each image."""

    def __init__(self, problem: ConvProblem, device: Device) -> None:
        super().__init__(device)
        columns = _columns(problem)
        self._problem, self._shape = problem, columns.columns.shape
        self._forward = problem.operation == "conv_forward"
        self.workspace_bytes = columns.columns.size * itemsize(problem.dtype)
        params = columns_params(columns, columns_geometry(columns))
        if self._forward:
            unit, count = copying("im2col.cu", problem.dtype), columns.columns.size
        else:
            unit, count = typed("col2im.cu", problem.dtype), columns.x.size
        self._move = over_elements(unit, columns.operation, count, (0, 1), params)
        self._finish = _finishing(problem)
        self._aligned = alignments(problem)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Fill the output; see :class:`fastconv.backend.Plan`."""
        problem, device = self._problem, self.device
        given, weight, *_ = inputs
        (result,) = outputs
        addresses = [device.pointer(array) for array in (*inputs, result)]
        aligned = not any(a % n for a, n in zip(addresses, self._aligned, strict=True))
        groups, (_, rows, positions) = problem.groups, self._shape
        kernels = weight.reshape(groups, -1, rows // groups)
        columns = workspace.view(result.dtype).reshape(groups, rows // groups, positions)
        for image in range(len(given)):
            if self._forward:
                self._launch(self._move, (given[image : image + 1], columns), aligned, stream)
                y = result[image].reshape(groups, -1, positions)
                device.matmul(kernels, columns, y, stream)
            else:
                y = given[image].reshape(groups, -1, positions)
                device.matmul(kernels.transpose(0, 2, 1), y, columns, stream)
                self._launch(self._move, (columns, result[image : image + 1]), aligned, stream)
        if self._finish is not None:
            arrays = (inputs[2], result) if problem.bias is not None else (result,)
            self._launch(self._finish, arrays, aligned, stream)

    def _launch(self, launch: Launch, arrays: Sequence[Any], aligned: bool, stream: Any) -> None:
        addresses = [self.device.pointer(array) for array in arrays]
        if not aligned:
            launch = launch.unaligned()
        launch.start(self.device, addresses, 0, stream)


def _finishing(problem: ConvProblem) -> Launch | None:
    if problem.bias is None and problem.activation is None:
        return None
    output = problem.outputs[0]
    params: Any = np.zeros(1, FINISH)
    p = params[0]
    p["batch"], p["channels"] = output.shape[:2]
    p["positions"] = int(np.prod(output.shape[2:]))
    p["bias"] = problem.bias.strides[0] if problem.bias is not None else 0
    p["activation"] = ACTIVATIONS.index(problem.activation)
    arrays: tuple[int | None, ...] = (0, 1) if problem.bias is not None else (None, 0)
    return over_elements(typed("finish.cu", problem.dtype), "finish", output.size, arrays, params)


IM2COL_BLAS = Im2colBlas()
