"""What the CPU backend's plans share: host arrays, and workspace cut into scratch arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from fastconv.cpu import memory
from fastconv.problem import Ints, Operand

_ALIGNMENT = 64
# What float32 operands have before a precision's name, which kernels round them to as they read
# them, in the place of a dtype.
ROUNDED_AS = "as_"


@lru_cache(256)
def itemsize(dtype: str) -> int:
    """Return the bytes of one element, without needing ml_dtypes for bfloat16."""
    if dtype.startswith(ROUNDED_AS):
        return 4
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


class Scratch:
    """Scratch arrays that a plan will cut out of its workspace, by name.

    Each starts on a cache line of the workspace.
    """

    def __init__(self) -> None:
        self._places: dict[str, tuple[int, Ints, Any]] = {}
        self.bytes = 0

    def add(self, name: str, shape: Ints, dtype: str) -> None:
        """Reserve an array."""
        # bfloat16 has a dtype once ml_dtypes is loaded, which planning doesn't need.
        self._places[name] = (self.bytes, shape, dtype if dtype == "bfloat16" else np.dtype(dtype))
        self.bytes += padded(prod(shape) * itemsize(dtype))

    def offset(self, name: str) -> int:
        """Return where the array starts, in bytes, for kernels that take the whole workspace."""
        return self._places[name][0]

    def cut(self, name: str, workspace: Any) -> Any:
        """Return the array out of a workspace of `bytes` bytes."""
        start, shape, dtype = self._places[name]
        return np.ndarray(shape, dtype, workspace, start)

    def like(self, name: str) -> tuple[Ints, Any]:
        """Return the shape and dtype of an array."""
        return self._places[name][1:]

    def __contains__(self, name: str) -> bool:
        return name in self._places


def padded(size: int) -> int:
    """Round a number of bytes up to whole cache lines."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def both_known(first: bool | None, second: bool | None) -> bool | None:
    """Return False if neither of two steps is known to have overflowed, else None."""
    return False if first is False and second is False else None


class HostPlan:
    """A plan on NumPy arrays."""

    workspace_bytes = 0

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new C-contiguous array; a large one on memory that an earlier one left."""
        size = prod(shape) * itemsize(dtype)
        if size < memory.least_bytes:
            return np.empty(shape, dtype)
        return memory.empty(shape, dtype, size)

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill `outputs` from `inputs`; see :class:`fastconv.backend.Plan`."""
        raise NotImplementedError


def merged_stride(shape: Sequence[int], strides: Sequence[int]) -> int | None:
    """Return the stride of all axes seen as one, or None where they can't be."""
    merged = 0
    reach = 1
    for extent, stride in zip(reversed(shape), reversed(strides), strict=True):
        if extent == 1:
            continue
        if reach == 1:
            merged = stride
        elif stride != merged * reach:
            return None
        reach *= extent
    return merged


def is_blas_matrix(rows: tuple[int, int], columns: tuple[int, int], size: int) -> bool:
    """Whether BLAS takes a matrix of (extent, stride in bytes) axes as it is.

    NumPy falls back to a loop without BLAS where neither axis is contiguous.
    """
    for (n_outer, outer), (n_inner, inner) in ((rows, columns), (columns, rows)):
        fits = inner == size or n_inner == 1
        steps = outer % size == 0 and outer >= n_inner * size
        if fits and (steps or n_outer == 1):
            return True
    return False


def spatial_matrix(operand: Operand) -> bool:
    """Whether (channels, all of space) of an (N, C, ...) operand is a matrix for BLAS."""
    stride = merged_stride(operand.shape[2:], operand.strides[2:])
    if stride is None:
        return False
    size = itemsize(operand.dtype)
    columns = (prod(operand.shape[2:]), stride)
    return is_blas_matrix((operand.shape[1], operand.strides[1]), columns, size)


def is_contiguous(operand: Operand) -> bool:
    """Whether an operand is C-contiguous."""
    expected = itemsize(operand.dtype)
    for extent, stride in zip(reversed(operand.shape), reversed(operand.strides), strict=True):
        if extent != 1 and stride != expected:
            return False
        expected *= extent
    return True
