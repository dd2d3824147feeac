"""Pools and their gradients, tap by tap, one image after the other.

A window's tap k is the k-th of its elements along each axis. For each tap, the windows that
have it and the elements that it is form two grids of equal size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import inf, prod
from typing import Any

import numpy as np

from fastconv.cpu.pooling_indices import check_indices
from fastconv.problem import PoolProblem

Grid = tuple[Any, ...]
_ALL = slice(None)
_BUFFERS = 2**14


def _taps(problem: PoolProblem) -> Iterator[tuple[Grid, Grid]]:
    """Yield for each tap the windows that have it, and the elements, as indices of an image."""
    tables = [(*window.table(), window.step) for window in problem.windows]
    most = [int(taps.max(initial=0)) for _, taps, _, _ in tables]
    for tap in product(*map(range, most)):
        windows, elements = [], []
        for k, (begin, taps, _, step) in zip(tap, tables, strict=True):
            having = np.flatnonzero(taps > k)
            windows.append(having)
            elements.append(begin[having] + k * step)
        yield (_ALL, *np.ix_(*windows)), (_ALL, *np.ix_(*elements))


def _shares(problem: PoolProblem) -> Any:
    """Return each window's divisor: the product of its axes' shares, at least 1."""
    sizes = [window.table()[2] for window in problem.windows]
    return np.maximum(prod(np.ix_(*sizes), start=np.int64(1)), 1)


def _hit(problem: PoolProblem) -> Any:
    """Return whether each window has any element."""
    return prod(np.ix_(*(window.table()[1] for window in problem.windows)), start=1) > 0


def _lowest(dtype: Any) -> Any:
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -inf


def _maxima(problem: PoolProblem, x: Any) -> tuple[Any, Any]:
    """Return one image's maxima and where they are: the first, but of several NaN the last."""
    shape = (len(x), *(window.count for window in problem.windows))
    best, places = np.full(shape, _lowest(x.dtype), x.dtype), np.zeros(shape, np.int64)
    for number, (windows, elements) in enumerate(_taps(problem)):
        v = x[elements]
        wins = (v > best[windows]) | (v != v) | (number == 0)
        place = np.ravel_multi_index(np.broadcast_arrays(*elements[1:]), x.shape[1:])
        best[windows] = np.where(wins, v, best[windows])
        places[windows] = np.where(wins, place, places[windows])
    return best, places


def max_pool(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """y[window] = max over taps of x[element]."""
    (x,), (y, *rest) = inputs, outputs
    for n in range(len(x)):
        y[n], places = _maxima(problem, x[n])
        for indices in rest:
            indices[n] = places


def max_pool_backward(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """x[indices[window]] += y[window]."""
    (y, indices), (x,) = inputs, outputs
    check_indices(problem, indices)
    for n in range(len(x)):
        channels, listed = _listed(indices[n])
        sums = np.zeros((len(x[n]), prod(x.shape[2:])), dtype)
        np.add.at(sums, (channels, listed), y[n].reshape(listed.shape).astype(dtype))
        x[n] = _rounded(sums, x.dtype).reshape(x.shape[1:])


def max_unpool(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """x[indices[window]] = y[window], 0 elsewhere."""
    (y, indices), (x,) = inputs, outputs
    check_indices(problem, indices)
    for n in range(len(x)):
        _, listed = _listed(indices[n])
        flat = np.zeros((len(x[n]), prod(x.shape[2:])), x.dtype)
        np.put_along_axis(flat, listed, y[n].reshape(listed.shape), axis=1)
        x[n] = flat.reshape(x.shape[1:])


def max_unpool_backward(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """y[window] = x[indices[window]]."""
    (x, indices), (y,) = inputs, outputs
    check_indices(problem, indices)
    for n in range(len(x)):
        _, listed = _listed(indices[n])
        flat = x[n].reshape(len(x[n]), -1)
        y[n] = np.take_along_axis(flat, listed, axis=1).reshape(y.shape[1:])


def _listed(indices: Any) -> tuple[Any, Any]:
    """Return channel numbers and the indices of one image as a (channels, windows) matrix."""
    return np.arange(len(indices))[:, None], indices.reshape(len(indices), -1)


def _rounded(sums: Any, dtype: Any) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        return sums.astype(dtype)


def _divisors(problem: PoolProblem) -> Any:
    return _shares(problem) if problem.divisor is None else problem.divisor


def avg_pool(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """y[window] = sum over taps of x[element] / divisor."""
    (x,), (y,) = inputs, outputs
    for n in range(len(x)):
        sums = np.zeros(y.shape[1:], dtype)
        with np.errstate(invalid="ignore"):
            for windows, elements in _taps(problem):
                sums[windows] += x[n][elements].astype(dtype)
        y[n] = _rounded(sums / _divisors(problem), y.dtype)


def avg_pool_backward(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """x[element] += y[window] / divisor, over windows and taps."""
    (y,), (x,) = inputs, outputs
    for n in range(len(x)):
        shares = (y[n].astype(dtype) / _divisors(problem)).astype(dtype)
        sums = np.zeros(x.shape[1:], dtype)
        with np.errstate(invalid="ignore"):
            for windows, elements in _taps(problem):
                # Windows cut by the edge may have one element in common as the same tap.
                np.add.at(sums, elements, shares[windows])
        x[n] = _rounded(sums, x.dtype)


def _norms(problem: PoolProblem, x: Any, dtype: str) -> Any:
    """Return the norms of one image's windows, 0 for those without elements."""
    p = problem.norm_type
    if abs(p) == inf:
        magnitudes = np.copysign(np.abs(x), p)
        return np.abs(_maxima(problem, magnitudes)[0])
    sums = np.zeros((len(x), *(window.count for window in problem.windows)), dtype)
    with np.errstate(all="ignore"):
        for windows, elements in _taps(problem):
            sums[windows] += x[elements].astype(dtype) ** p
        scaled = sums * (problem.kernel_volume / _shares(problem))
        return np.where(_hit(problem), scaled ** (1 / p), 0)


def lp_pool(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """y[window] = (sum over taps of x[element] ** p) ** (1 / p)."""
    (x,), (y,) = inputs, outputs
    for n in range(len(x)):
        y[n] = _rounded(_norms(problem, x[n], dtype), y.dtype)


def lp_pool_backward(
    problem: PoolProblem, inputs: Sequence[Any], outputs: Sequence[Any], dtype: str
) -> None:
    """x_grad[element] += y[window] * (x[element] / norm[window]) ** (p - 1), scaled."""
    (y, x), (x_grad,) = inputs, outputs
    scale = problem.kernel_volume / _shares(problem)
    for n in range(len(x)):
        sums = np.zeros(x.shape[1:], dtype)
        if abs(problem.norm_type) == inf:
            _, listed = _listed(_maxima(problem, np.copysign(np.abs(x[n]), problem.norm_type))[1])
            channels = np.arange(len(sums))[:, None]
            flat = sums.reshape(len(sums), -1)
            np.add.at(flat, (channels, listed), y[n].reshape(listed.shape).astype(dtype))
            sums *= np.sign(x[n].astype(dtype))
        else:
            _add_slopes(problem, sums, x[n], (y[n] * scale).astype(dtype))
        x_grad[n] = _rounded(sums, x_grad.dtype)


def _add_slopes(problem: PoolProblem, sums: Any, x: Any, grad: Any) -> None:
    norms = _norms(problem, x, sums.dtype.name)
    with np.errstate(all="ignore"):
        for windows, elements in _taps(problem):
            norm = norms[windows]
            slopes = (x[elements].astype(sums.dtype) / norm) ** (problem.norm_type - 1)
            np.add.at(sums, elements, np.where(norm == 0, 0, grad[windows] * slopes))


def workspace_bytes(problem: PoolProblem, itemsize: int) -> int:
    """Return what the sums of one image take, and the temporary arrays of one tap."""
    wide, channels = max(itemsize, 8), problem.x.shape[1]
    # Results so far and a tap's own, with places and masks; the tables; NumPy's buffers.
    windows = channels * prod(problem.y.shape[2:]) + sum(w.count for w in problem.windows)
    size = 9 * windows * wide + _BUFFERS
    images = 2 if problem.operation.endswith("_backward") or "unpool" in problem.operation else 0
    if abs(problem.norm_type) == inf:
        images += 2  # the magnitudes, and for a gradient the signs
    return size + images * channels * prod(problem.x.shape[2:]) * wide


def steps(problem: PoolProblem) -> int:
    """Return the number of array operations."""
    return problem.x.shape[0] * prod(window.most_taps for window in problem.windows)
