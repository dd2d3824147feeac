"""Moving and checking arrays for layers: explicit moves only."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

import numpy as np

from fastconv.dispatch.arrays import namespace
from fastconv.errors import bad_argument


def to_namespace(array: Any, target: ModuleType, like: Any = None) -> Any:
    """Return `array` as an array of the module `target`, on `like`'s device if it has one."""
    if target is np:
        # CuPy's arrays refuse np.asarray, so that no copy happens unseen; get() asks for one.
        return array.get() if hasattr(array, "get") else np.asarray(array)
    device = getattr(like, "device", None)
    place: AbstractContextManager[Any] = (
        device if isinstance(device, AbstractContextManager) else nullcontext()
    )
    with place:
        return target.asarray(array)


def require_same_library(function: str, argument: str, got: Any, expected: Any) -> None:
    """Raise TypeError unless two arrays come from one library."""
    if namespace(got) is not namespace(expected):
        raise TypeError(
            bad_argument(
                function,
                argument,
                got=f"an array of {namespace(got).__name__}",
                expected=f"one of {namespace(expected).__name__}",
                hint="Move the layer with layer.to(like=x), or the array by hand",
            )
        )


def require_real(function: str, argument: str, array: Any) -> None:
    """Raise TypeError for complex numbers, which have no order and no such layer."""
    if array.dtype.kind == "c":
        raise TypeError(
            bad_argument(
                function,
                argument,
                got=f"dtype {array.dtype}",
                expected="real numbers",
                hint="Apply the layer to x.real and x.imag",
            )
        )


def widened(xp: ModuleType, *arrays: Any) -> Any:
    """Return the common dtype of `arrays`, at least float32: what sums are kept in."""
    return xp.result_type(*(array.dtype for array in arrays), np.float32)
