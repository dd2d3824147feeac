"""Values for test arrays: random, and chosen against careless arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from fastconv.precision import COMPLEX, FLOATING, real_format
from fastconv.problem import Ints
from fastconv.testing.layouts import dtype_of

# Decimal exponents that products and sums of the catalogue's sizes survive without overflow.
_HUGE = {"float16": 1.0, "bfloat16": 14.0, "float32": 14.0, "float64": 140.0}


def _normal(rng: np.random.Generator, size: int, dtype: str) -> Any:
    return rng.standard_normal(size)


def _cancelling(rng: np.random.Generator, size: int, dtype: str) -> Any:
    """Neighbours nearly cancel: the result is far smaller than the terms."""
    large = 8.0 if dtype in ("float16", "bfloat16") else 4096.0
    signs = np.where(np.arange(size) % 2, -1.0, 1.0)
    return signs * large + rng.standard_normal(size)


def _denormal(rng: np.random.Generator, size: int, dtype: str) -> Any:
    return rng.standard_normal(size) * real_format(dtype).smallest_normal / 4


def _huge_range(rng: np.random.Generator, size: int, dtype: str) -> Any:
    reach = _HUGE[COMPLEX.get(dtype, dtype)]
    return rng.standard_normal(size) * 10.0 ** rng.uniform(-reach, reach, size)


def _special(rng: np.random.Generator, size: int, dtype: str) -> Any:
    """A few NaN and infinities of both signs among normal numbers."""
    values = rng.standard_normal(size)
    for special in (np.nan, np.inf, -np.inf):
        values[rng.integers(0, max(size, 1), 1 + size // 60) if size else []] = special
    return values


def _ties(rng: np.random.Generator, size: int, dtype: str) -> Any:
    return rng.integers(-2, 3, size).astype(np.float64)


def _positive(rng: np.random.Generator, size: int, dtype: str) -> Any:
    return rng.uniform(0.25, 2.0, size)


def _lowest(rng: np.random.Generator, size: int, dtype: str) -> Any:
    """Mostly -inf: a window may hold nothing else."""
    return np.where(rng.random(size) < 0.9, -np.inf, rng.standard_normal(size))


KINDS: dict[str, Callable[[np.random.Generator, int, str], Any]] = {
    "normal": _normal,
    "cancelling": _cancelling,
    "denormal": _denormal,
    "huge range": _huge_range,
    "special": _special,
    "ties": _ties,
    "positive": _positive,
    "lowest": _lowest,
}
# These kinds are for the first input alone: the others stay ordinary numbers, so that
# neither 0 * inf in the padding nor an underflowing product blurs what is right.
_FIRST_ONLY = frozenset({"denormal", "special", "lowest"})


def make(rng: np.random.Generator, shape: Ints, dtype: str, kind: str, *, first: bool) -> Any:
    """Return a host array of random values of a kind of :data:`KINDS`."""
    size = prod(shape)
    target = dtype_of(dtype)
    if dtype not in FLOATING:
        info = (0, 1) if target.kind == "b" else (np.iinfo(target).min, np.iinfo(target).max)
        low, high = (-3, 3) if kind == "ties" and target.kind == "i" else info
        return (
            rng.integers(low, high, size, target if target.kind != "b" else np.int64, endpoint=True)
            .astype(target)
            .reshape(shape)
        )
    draw = KINDS["normal" if kind in _FIRST_ONLY and not first else kind]
    values = draw(rng, size, dtype)
    if dtype in COMPLEX:
        values = values + 1j * draw(rng, size, dtype)
    return values.astype(target).reshape(shape)
