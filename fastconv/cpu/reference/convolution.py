"""Convolution and its adjoints, tap by tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu.reference.activations import activate, activation_bytes
from fastconv.cpu.reference.taps import taps
from fastconv.problem import ConvProblem

Arrays = Sequence[Any]
ALL = slice(None)


def _planes(problem: ConvProblem) -> Iterator[tuple[int, slice, slice]]:
    """Yield each image and group: its number, its channels of x and its channels of y."""
    inner, outer = problem.weight.shape[1], problem.weight.shape[0] // problem.groups
    for n in range(problem.y.shape[0]):
        for g in range(problem.groups):
            yield n, slice(g * inner, (g + 1) * inner), slice(g * outer, (g + 1) * outer)


def _weight(problem: ConvProblem, weight: Any, dtype: str) -> Any:
    wide = weight.astype(dtype)
    return np.conjugate(wide, out=wide) if problem.conjugate else wide


def _finish(problem: ConvProblem, sums: Any, bias: Any) -> Any:
    if bias is not None:
        sums += bias.reshape(-1, *(1,) * (sums.ndim - 1))
    return activate(problem.activation, sums)


@np.errstate(all="ignore")
def forward(problem: ConvProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """y[n, o] = sum over c and taps of weight[o, c, tap] * x[n, c, shifted by the tap]."""
    x, weight, *rest = inputs
    y = outputs[0]
    bias = rest[0].astype(dtype) if rest else None
    wide = _weight(problem, weight, dtype)
    for n, c, o in _planes(problem):
        sums = np.zeros(y[n, o].shape, dtype)
        for tap, box, reads in taps(problem, problem.x.shape[2:], problem.y.shape[2:]):
            part = x[n, c][(ALL, *reads)].astype(dtype)
            sums[(ALL, *box)] += np.einsum("oc,c...->o...", wide[(o, ALL, *tap)], part)
        y[n, o] = _finish(problem, sums, None if bias is None else bias[o])


@np.errstate(all="ignore")
def input_grad(problem: ConvProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """x[n, c, shifted by the tap] += weight[o, c, tap] * y[n, o], over o and taps."""
    y, weight, *rest = inputs
    x = outputs[0]
    bias = rest[0].astype(dtype) if rest else None
    wide = _weight(problem, weight, dtype)
    for n, c, o in _planes(problem):
        sums = np.zeros(x[n, c].shape, dtype)
        for tap, box, writes in taps(problem, problem.x.shape[2:], problem.y.shape[2:]):
            part = y[n, o][(ALL, *box)].astype(dtype)
            sums[(ALL, *writes)] += np.einsum("oc,o...->c...", wide[(o, ALL, *tap)], part)
        x[n, c] = _finish(problem, sums, None if bias is None else bias[c])


@np.errstate(all="ignore")
def weight_grad(problem: ConvProblem, inputs: Arrays, outputs: Arrays, dtype: str) -> None:
    """weight[o, c, tap] = sum over n and positions of y[n, o] * x[n, c, shifted by the tap]."""
    x, y = inputs
    sums: Any = np.zeros(problem.weight.shape, dtype)
    for n, c, o in _planes(problem):
        for tap, box, reads in taps(problem, problem.x.shape[2:], problem.y.shape[2:]):
            shifted = x[n, c][(ALL, *reads)].astype(dtype, order="C")
            if problem.conjugate:
                np.conjugate(shifted, out=shifted)
            grads = y[n, o][(ALL, *box)].astype(dtype, order="C")
            positions = prod(grads.shape[1:])
            pairs = (grads.reshape(-1, positions), shifted.reshape(-1, positions))
            sums[(o, ALL, *tap)] += np.einsum("op,cp->oc", *pairs)
    outputs[0][...] = sums


def workspace_bytes(problem: ConvProblem, itemsize: int) -> int:
    """Return what the sums, one product and one converted operand of a group take."""
    images = max(problem.y.shape[0], 1) * problem.groups
    x, y = problem.x.size // images, problem.y.size // images
    weight = problem.weight.size
    per_item = activation_bytes(problem.activation, itemsize)
    if problem.operation == "conv_forward":
        return itemsize * (weight + 2 * y + problem.weight.shape[1] * y) + per_item * y
    if problem.operation == "conv_input_grad":
        return itemsize * (weight + 2 * x + y) + per_item * x
    return itemsize * (2 * weight + x + y)


def steps(problem: ConvProblem) -> int:
    """Return the number of array operations."""
    return problem.y.shape[0] * problem.groups * prod(problem.kernel)
