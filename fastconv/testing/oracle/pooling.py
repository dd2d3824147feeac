"""Pools, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from fastconv.problem import Ints, PoolProblem, Window
from fastconv.testing.oracle._expected import Expected, size_of, wide


def _axis_windows(window: Window) -> list[tuple[list[int], int]]:
    """Return each window's elements inside the input, and its share of the divisor."""
    found = []
    for o in range(window.count):
        if window.adaptive:
            start = (o * window.length) // window.count
            stop = -(-((o + 1) * window.length) // window.count)
            taps = list(range(start, stop))
            found.append((taps, len(taps)))
            continue
        reads = [
            o * window.stride - window.padding[0] + k * window.dilation
            for k in range(window.kernel)
        ]
        inside = [i for i in reads if 0 <= i < window.length]
        padded = [i for i in reads if i < window.length + window.padding[1]]
        found.append((inside, len(padded) if window.count_padding else len(inside)))
    return found


def _walk(problem: PoolProblem) -> Iterator[tuple[Ints, list[Ints], int]]:
    """Yield each window's position, its elements in row-major order, and its divisor."""
    axes = [_axis_windows(window) for window in problem.windows]
    for position in product(*(range(len(axis)) for axis in axes)):
        chosen = [axis[o] for axis, o in zip(axes, position, strict=True)]
        yield position, list(product(*(taps for taps, _ in chosen))), prod(s for _, s in chosen)


def _most_taps(problem: PoolProblem) -> int:
    return max((len(elements) for _, elements, _ in _walk(problem)), default=1)


def _everywhere(place: Ints) -> Any:
    """Index a place in all images and channels."""
    return (slice(None), slice(None), *place)


def _flat(shape: Ints, element: Ints) -> int:
    return int(np.ravel_multi_index(element, shape))


def _max_pool(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    (x,) = inputs
    values = np.zeros(problem.y.shape, x.dtype)
    indices = np.zeros(problem.y.shape, np.int64)
    for n, c in np.ndindex(x.shape[:2]):
        for position, elements, _ in _walk(problem):
            best = elements[0]
            for element in elements[1:]:
                v = x[(n, c, *element)]
                # The first maximum wins; of several NaN, the last.
                if v > x[(n, c, *best)] or v != v:
                    best = element
            values[(n, c, *position)] = x[(n, c, *best)]
            indices[(n, c, *position)] = _flat(x.shape[2:], best)
    expected = (Expected(values, None), Expected(indices, None))
    return expected[: len(problem.outputs)]


def _planes(array: Any) -> Any:
    return array.reshape(prod(array.shape[:2]), prod(array.shape[2:]))


def _max_pool_backward(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    y, indices = _planes(inputs[0]), _planes(inputs[1])
    sums = np.zeros((len(y), prod(problem.x.shape[2:])), wide(y).dtype)
    magnitudes = np.zeros(sums.shape)
    for plane in range(len(y)):
        with np.errstate(invalid="ignore"):
            np.add.at(sums[plane], indices[plane], wide(y[plane]))
        np.add.at(magnitudes[plane], indices[plane], size_of(y[plane]))
    shape = problem.x.shape
    # Who decides before seeing the indices must expect all of a plane in one element.
    return (Expected(sums.reshape(shape), magnitudes.reshape(shape), max(y.shape[1], 1)),)


def _max_unpool(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    y, indices = _planes(inputs[0]), _planes(inputs[1])
    x = np.zeros((len(y), prod(problem.x.shape[2:])), y.dtype)
    np.put_along_axis(x, indices, y, axis=1)
    return (Expected(x.reshape(problem.x.shape), None),)


def _max_unpool_backward(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    x, indices = _planes(inputs[0]), _planes(inputs[1])
    y = np.take_along_axis(x, indices, axis=1)
    return (Expected(y.reshape(problem.y.shape), None),)


def _window_sums(problem: PoolProblem, x: Any) -> Any:
    """Return sums over windows, each divided by its divisor."""
    y = np.zeros(problem.y.shape, x.dtype)
    for position, elements, share in _walk(problem):
        at = _everywhere(position)
        for element in elements:
            y[at] += x[_everywhere(element)]
        y[at] /= problem.divisor or max(share, 1)
    return y


def _avg_pool(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    with np.errstate(invalid="ignore"):
        values = _window_sums(problem, wide(inputs[0]))
    magnitudes = np.abs(_window_sums(problem, size_of(inputs[0])))
    return (Expected(values, magnitudes, _most_taps(problem)),)


def _avg_pool_backward(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    (y,) = inputs
    values = np.zeros(problem.x.shape, wide(y).dtype)
    magnitudes = np.zeros(problem.x.shape)
    counts = np.zeros(problem.x.shape[2:], np.int64)
    for position, elements, share in _walk(problem):
        at = _everywhere(position)
        divisor = problem.divisor or max(share, 1)
        for element in elements:
            where = _everywhere(element)
            with np.errstate(invalid="ignore"):
                values[where] += wide(y[at]) / divisor
            magnitudes[where] += size_of(y[at]) / abs(divisor)
            counts[element] += 1
    return (Expected(values, magnitudes, int(counts.max(initial=1))),)


def _norms(problem: PoolProblem, x: Any) -> tuple[Any, Any]:
    """Return the norm of each window, and the factor by which its sum was scaled."""
    norms = np.zeros(problem.y.shape)
    factors = np.zeros(problem.y.shape)
    for position, elements, share in _walk(problem):
        at = _everywhere(position)
        factors[at] = problem.kernel_volume / max(share, 1)
        for element in elements:
            norms[at] += x[_everywhere(element)] ** problem.norm_type
    return (norms * factors) ** (1 / problem.norm_type), factors


def _lp_pool(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    values, _ = _norms(problem, wide(inputs[0]))
    magnitudes, _ = _norms(problem, size_of(inputs[0]))
    return (_norm_result(problem, values, magnitudes),)


def _norm_result(problem: PoolProblem, values: Any, magnitudes: Any) -> Expected:
    cancels = problem.norm_type % 2 != 0
    return Expected(values, magnitudes, _most_taps(problem), ill_conditioned=cancels)


def _lp_pool_backward(problem: PoolProblem, inputs: Sequence[Any]) -> tuple[Expected, ...]:
    grad, x = wide(inputs[0]), wide(inputs[1])
    norms, factors = _norms(problem, x)
    values = np.zeros(x.shape)
    magnitudes = np.zeros(x.shape)
    p = problem.norm_type
    for position, elements, _ in _walk(problem):
        at = _everywhere(position)
        for element in elements:
            where = _everywhere(element)
            # A window of norm 0 has no slope of its own: its gradient counts as 0.
            ratio = np.where(norms[at] == 0, 0, x[where] / np.where(norms[at] == 0, 1, norms[at]))
            term = grad[at] * factors[at] * ratio ** (p - 1)
            values[where] += term
            magnitudes[where] += np.abs(term)
    return (_norm_result(problem, values, magnitudes),)


SOLVERS: dict[str, Any] = {
    "max_pool": _max_pool,
    "max_pool_backward": _max_pool_backward,
    "max_unpool": _max_unpool,
    "max_unpool_backward": _max_unpool_backward,
    "avg_pool": _avg_pool,
    "avg_pool_backward": _avg_pool_backward,
    "lp_pool": _lp_pool,
    "lp_pool_backward": _lp_pool_backward,
}
