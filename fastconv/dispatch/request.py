"""What a function hands to the dispatcher: a problem, and views of the caller's arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any

import numpy as np

from fastconv.errors import bad_argument
from fastconv.problem import Ints, Operand, Problem


def contiguous(shape: Sequence[int], itemsize: int) -> Ints:
    """Return the strides of a C-contiguous array."""
    strides = []
    step = itemsize
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


def itemsize(dtype: str) -> int:
    """Return the bytes of one element, without needing ml_dtypes for bfloat16."""
    return 2 if dtype == "bfloat16" else int(np.dtype(dtype).itemsize)


@dataclass(frozen=True, slots=True)
class View:
    """How a caller's array becomes an operand: cast, reshape, add a batch axis, reorder.

    `dtype` is the dtype to convert to, or None; `shape` a shape that a C-contiguous array is
    given; `axes` the caller's axis for each operand's axis.
    """

    dtype: Any = None
    shape: Ints | None = None
    expand: bool = False
    axes: Ints | None = None

    def __call__(self, array: Any) -> Any:
        """Apply this view to an array."""
        if self.dtype is not None:
            array = array.astype(self.dtype, order="C")
        if self.shape is not None:
            array = array.reshape(self.shape)
        if self.expand:
            array = array[None]
        return array if self.axes is None else array.transpose(self.axes)

    def step(self) -> Callable[[Any], Any] | None:
        """Return the quickest function that does the same; None where nothing is to be done."""
        # Not by ==, which takes NumPy's float64 for None.
        if self.dtype is not None or self.shape is not None or self.expand:
            return self
        return None if self.axes is None else methodcaller("transpose", self.axes)

    def operand(self, shape: Ints, strides: Ints | None, dtype: str) -> Operand:
        """Return the operand that an array of that shape becomes; no strides: contiguous."""
        if strides is None or self.dtype is not None or self.shape is not None:
            shape = self.shape or shape
            strides = contiguous(shape, itemsize(dtype))
        if self.expand:
            shape, strides = (1, *shape), (0, *strides)
        if self.axes is not None:
            shape = tuple(shape[axis] for axis in self.axes)
            strides = tuple(strides[axis] for axis in self.axes)
        return Operand(shape, strides, dtype)


@dataclass(frozen=True, slots=True)
class Output:
    """One result: the shape and dtype that the caller sees, and the operand's view of it."""

    shape: Ints
    dtype: str
    view: View = View()


@dataclass(frozen=True, slots=True)
class Request:
    """A problem, with the views that turn a call's arrays into its inputs and outputs.

    `inputs` pairs an index into the call's arrays with a view, in ``problem.inputs`` order.
    """

    problem: Problem
    inputs: tuple[tuple[int, View], ...]
    outputs: tuple[Output, ...]
    conversion_bytes: int = 0

    def into(self, out: Any) -> Request:
        """Return this request with its first result put into `out`, already checked."""
        spec = self.outputs[0]
        operand = spec.view.operand(tuple(out.shape), tuple(out.strides), spec.dtype)
        return replace(self, problem=self.problem.with_output(operand))


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was not seen before, as a function's `build` gets it.

    `arrays` holds an array or None for each of the function's array arguments; `device` is
    where the policy wants the work done.
    """

    function: str
    arrays: tuple[Any, ...]
    parameters: tuple[Any, ...]
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A public function: its name, its array arguments' names, and how to pose its problem.

    One is equal to itself alone, which makes it a quick key.
    """

    name: str
    arguments: tuple[str, ...]
    build: Callable[[Call], Request]


def check_out(function: str, out: Any, output: Output) -> None:
    """Refuse an ``out=`` of another shape or dtype than the result, or one not writable.

    Raises
    ------
    TypeError, ValueError
        For a wrong dtype or type; for a wrong shape or a read-only array.
    """
    if not hasattr(out, "shape") or not hasattr(out, "dtype"):
        raise TypeError(bad_argument(function, "out", got=type(out).__name__, expected="an array"))
    if tuple(out.shape) != output.shape:
        raise ValueError(
            bad_argument(
                function,
                "out",
                got=f"shape {tuple(out.shape)}",
                expected=f"shape {output.shape}",
            )
        )
    if out.dtype != output.dtype or not out.dtype.isnative:
        raise TypeError(
            bad_argument(
                function,
                "out",
                got=f"dtype {out.dtype.str if not out.dtype.isnative else out.dtype}",
                expected=f"dtype {np.dtype(output.dtype)} in native byte order",
                hint="out= takes exactly the result's dtype; leave it away and cast the result",
            )
        )
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError(
            bad_argument(function, "out", got="a read-only array", expected="a writable one")
        )
