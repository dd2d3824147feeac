"""What every function's problem-posing shares: dtypes, layouts, batches, operands."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastconv.dispatch.request import Call, Output, Request, View, contiguous, itemsize
from fastconv.errors import bad_argument
from fastconv.precision import FLOATING
from fastconv.problem import Ints, Operand, Problem


def promoted(function: str, **arrays: Any) -> np.dtype[Any]:
    """Return the dtype of the arrays' products: NumPy's promotion; integers give float64.

    Raises
    ------
    TypeError
        For pairs that NumPy can't promote, and for dtypes that fastconv can't compute in.
    """
    named = {name: array.dtype for name, array in arrays.items() if array is not None}
    listing = ", ".join(f"{name} {dtype}" for name, dtype in named.items())
    try:
        dtype = np.result_type(*named.values())
    except TypeError:
        raise TypeError(
            f"{function}: got {listing}: NumPy has no common dtype for these. Cast one of them, "
            f"for instance {next(iter(named))}.astype('float32')"
        ) from None
    if dtype.kind in "biu":
        return np.dtype(np.float64)
    if dtype.name not in FLOATING:
        raise TypeError(
            f"{function}: got {listing}, which promotes to {dtype}, expected one of "
            + ", ".join(sorted(FLOATING))
            + ". Cast the arguments"
        )
    return dtype if dtype.isnative else dtype.newbyteorder("=")


_MOST_ELEMENTS = 2**60


class Layout:
    """The axis order of (N, C, spatial...) arrays in one call, and whether N is there."""

    def __init__(self, ndim: int, channels_last: bool, unbatched: bool) -> None:
        self.unbatched = unbatched
        self._axes = (0, ndim + 1, *range(1, ndim + 1)) if channels_last else None

    def view(self, dtype: Any = None) -> View:
        """Return the view that brings a caller's array to logical order."""
        return View(dtype=dtype, expand=self.unbatched, axes=self._axes)

    def logical(self, shape: Sequence[int]) -> Ints:
        """Return the logical shape of a caller's array."""
        full = (1, *shape) if self.unbatched else tuple(shape)
        return full if self._axes is None else tuple(full[axis] for axis in self._axes)

    def outer(self, logical: Sequence[int]) -> Ints:
        """Return the caller's shape for a logical one."""
        full = tuple(logical)
        if self._axes is not None:
            full = (full[0], *full[2:], full[1])
        return full[1:] if self.unbatched else full

    def output(self, logical: Sequence[int], dtype: str) -> Output:
        """Return a result of that logical shape."""
        return Output(self.outer(logical), dtype, self.view())


def layout_of(function: str, argument: str, array: Any, ndim: int, channels_last: bool) -> Layout:
    """Return the layout of a call from its main array; refuse a wrong number of axes."""
    if array.ndim not in (ndim + 1, ndim + 2):
        order = "(N, " + ("spatial..., C" if channels_last else "C, spatial...") + ")"
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=f"{array.ndim} axes, shape {tuple(array.shape)}",
                expected=f"{ndim + 2} axes {order} or {ndim + 1} without N",
            )
        )
    return Layout(ndim, channels_last, array.ndim == ndim + 1)


class Draft:
    """Gathers a problem's inputs as operands, and counts what converting them takes."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._inputs: list[tuple[int, View]] = []
        self._conversion_bytes = 0

    def input(self, position: int, dtype: np.dtype[Any], view: View | None = None) -> Operand:
        """Add the call's array at `position`, converted to `dtype` where it differs."""
        array = self._call.arrays[position]
        view = view or View()
        # A reshape copies what isn't contiguous: better a copy that is known and counted.
        scattered = view.shape is not None and not _is_contiguous(array)
        if array.dtype != dtype or scattered:
            view = View(dtype, view.shape, view.expand, view.axes)
            self._conversion_bytes += array.size * dtype.itemsize
        self._inputs.append((position, view))
        strides = getattr(array, "strides", None)
        return view.operand(
            tuple(array.shape), None if strides is None else tuple(strides), dtype.name
        )

    def request(self, problem: Problem, *outputs: Output) -> Request:
        """Return the finished request; MemoryError for a result that no memory could hold."""
        for output in outputs:
            if prod(max(extent, 1) for extent in output.shape) > _MOST_ELEMENTS:
                raise MemoryError(
                    f"{problem.function}: no memory for a result of shape {output.shape}"
                )
        return Request(problem, tuple(self._inputs), outputs, self._conversion_bytes)


def _is_contiguous(array: Any) -> bool:
    flags = getattr(array, "flags", None)
    return flags is None or bool(flags.c_contiguous)


def bias_input(
    function: str,
    draft: Draft,
    position: int,
    bias: Any,
    dtype: np.dtype[Any],
    view: View | None = None,
) -> Operand | None:
    """Add a bias to a draft, cast to the result's dtype; None where there is none."""
    if bias is None:
        return None
    if bias.dtype.kind == "c" and dtype.kind != "c":
        raise TypeError(
            bad_argument(
                function,
                "bias",
                got=f"dtype {bias.dtype}",
                expected=f"a real one: the result is {dtype}, and a cast would lose the "
                "imaginary part",
            )
        )
    return draft.input(position, dtype, view)


def fresh(output: Output) -> Operand:
    """Return the operand of a new C-contiguous result."""
    strides = contiguous(output.shape, itemsize(output.dtype))
    return output.view.operand(output.shape, strides, output.dtype)


def check_shape(
    function: str, argument: str, array: Any, expected: Sequence[int], why: str
) -> None:
    """Refuse an array of another shape than the one that follows from the rest."""
    if tuple(array.shape) != tuple(expected):
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=f"shape {tuple(array.shape)}",
                expected=f"shape {tuple(expected)}, {why}",
            )
        )


def kept(array: Any) -> np.dtype[Any]:
    """Return an array's own dtype in native byte order, for functions that keep any dtype."""
    dtype: np.dtype[Any] = array.dtype
    return dtype if dtype.isnative else dtype.newbyteorder("=")
