"""Convolution by sliding windows, its adjoints by the same windows and by taps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from fastconv.problem import BiasProblem, ConvProblem
from fastconv.testing.oracle._expected import Expected, reach_of, size_of, wide
from fastconv.testing.oracle.activations import activate


def windows(x: Any, problem: Any) -> Any:
    """Return (N, C, outputs..., taps...): what each output position sees of a padded x."""
    padded = np.pad(x, ((0, 0), (0, 0), *problem.padding))
    reach = [(k - 1) * d + 1 for k, d in zip(problem.kernel, problem.dilation, strict=True)]
    axes = tuple(range(2, x.ndim))
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
    steps = (slice(None), slice(None), *(slice(None, None, s) for s in problem.stride))
    spread = tuple(slice(None, None, d) for d in problem.dilation)
    return seen[steps + spread]


def grouped(array: Any, groups: int, axis: int) -> Any:
    shape = array.shape
    return array.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def _forward(problem: ConvProblem, x: Any, weight: Any) -> Any:
    seen = grouped(windows(x, problem), problem.groups, 1)
    kernels = grouped(weight, problem.groups, 0)
    ndim = x.ndim - 2
    outputs, taps = range(10, 10 + ndim), range(20, 20 + ndim)
    # Axes: 0 image, 1 group, 2 channel of x, 3 channel of y.
    y = np.einsum(seen, [0, 1, 2, *outputs, *taps], kernels, [1, 3, 2, *taps], [0, 1, 3, *outputs])
    return y.reshape(x.shape[0], weight.shape[0], *y.shape[3:])


def _weight_grad(problem: ConvProblem, x: Any, y: Any) -> Any:
    seen = grouped(windows(x, problem), problem.groups, 1)
    grads = grouped(y, problem.groups, 1)
    ndim = x.ndim - 2
    outputs, taps = range(10, 10 + ndim), range(20, 20 + ndim)
    axes = [0, 1, 2, *outputs, *taps]
    weight = np.einsum(seen, axes, grads, [0, 1, 3, *outputs], [1, 3, 2, *taps])
    return weight.reshape(problem.weight.shape)


def _input_grad(problem: ConvProblem, y: Any, weight: Any) -> Any:
    extents = problem.x.shape[2:]
    padded_extents = [n + a + b for n, (a, b) in zip(extents, problem.padding, strict=True)]
    groups, per_group = problem.groups, problem.weight.shape[1]
    padded = np.zeros((y.shape[0], groups, per_group, *padded_extents), np.result_type(y, weight))
    grads, kernels = grouped(y, groups, 1), grouped(weight, groups, 0)
    for tap in product(*map(range, problem.kernel)):
        box = tuple(
            slice(k * d, k * d + (count - 1) * s + 1, s)
            for k, d, s, count in zip(
                tap, problem.dilation, problem.stride, y.shape[2:], strict=True
            )
        )
        part = kernels[(slice(None), slice(None), slice(None), *tap)]
        padded[(slice(None),) * 3 + box] += np.einsum("ngo...,goc->ngc...", grads, part)
    inner = tuple(slice(a, a + n) for n, (a, _) in zip(extents, problem.padding, strict=True))
    return padded[(slice(None),) * 3 + inner].reshape(problem.x.shape)


_FORMULAS: dict[str, Any] = {
    "conv_forward": _forward,
    "conv_input_grad": _input_grad,
    "conv_weight_grad": _weight_grad,
}


def _solve(problem: ConvProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    first, second, *rest = (wide(array) for array in inputs)
    formula = _FORMULAS[problem.operation]
    by_weight = problem.operation != "conv_weight_grad"
    if problem.conjugate:
        first, second = (first, second.conj()) if by_weight else (first.conj(), second)
    with np.errstate(invalid="ignore"):
        values = formula(problem, first, second)
    sizes = size_of(inputs[0]), size_of(inputs[1])
    magnitudes = formula(problem, *sizes)
    reach = reach_of(partial(formula, problem), *sizes)
    if rest:
        column = (-1, *(1,) * (values.ndim - 2))
        values = values + rest[0].reshape(column)
        magnitudes = magnitudes + size_of(inputs[2]).reshape(column)
    return (
        Expected(
            activate(problem.activation, values),
            magnitudes,
            problem.reduction + len(rest),
            channel_axis=1 if by_weight else 0,
            activated=problem.activation is not None,
            reach=reach,
        ),
    )


def _bias_grad(problem: BiasProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    axes = (0, *range(2, inputs[0].ndim))
    with np.errstate(invalid="ignore"):
        values = wide(inputs[0]).sum(axis=axes)
    return (Expected(values, size_of(inputs[0]).sum(axis=axes), problem.reduction, channel_axis=0),)


SOLVERS: dict[str, Any] = dict.fromkeys(_FORMULAS, _solve) | {"bias_grad": _bias_grad}
