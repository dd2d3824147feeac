"""Parameters as users write them, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any, Literal

import numpy as np

from fastconv.errors import bad_argument
from fastconv.problem import Ints, Pairs

IntOrInts = int | Sequence[int]
Padding = int | str | Sequence[int] | Sequence[tuple[int, int]]
Activation = Literal["relu", "relu6", "leaky_relu", "sigmoid", "tanh", "silu", "gelu"]

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "silu", "gelu")
LAYOUTS = {1: ("NCW", "NWC", "NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


# No array reaches so far, and sums and products of a few such numbers fit 62 bits in the core.
LARGEST = 2**48


def whole(function: str, argument: str, value: object, minimum: int) -> int:
    """Return an int that is at least `minimum`, and one that an array's extent could be."""
    if isinstance(value, bool):
        raise TypeError(bad_argument(function, argument, got=repr(value), expected="an int"))
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            bad_argument(function, argument, got=repr(value), expected="an int")
        ) from None
    if number < minimum:
        raise ValueError(
            bad_argument(function, argument, got=number, expected=f"{minimum} or more")
        )
    if number > LARGEST:
        raise ValueError(bad_argument(function, argument, got=number, expected="at most 2**48"))
    return number


def flag(function: str, argument: str, value: object) -> bool:
    """Return a bool; nothing else is taken for one."""
    if isinstance(value, bool):
        return value
    raise TypeError(bad_argument(function, argument, got=repr(value), expected="True or False"))


def is_sequence(value: object) -> bool:
    """Whether a parameter is given as several values rather than one."""
    # A NumPy array without axes has a length in name only: it stands for a number.
    sized = hasattr(value, "__len__") and getattr(value, "ndim", 1) != 0
    return sized and not isinstance(value, str | bytes | dict | set)


def per_axis(function: str, argument: str, value: Any, ndim: int, minimum: int) -> Ints:
    """Return one int per spatial axis, from an int, one int in a sequence, or one per axis."""
    if not is_sequence(value):
        return (whole(function, argument, value, minimum),) * ndim
    numbers = tuple(whole(function, argument, each, minimum) for each in value)
    if len(numbers) == 1:
        return numbers * ndim
    if len(numbers) != ndim:
        raise ValueError(
            bad_argument(
                function,
                argument,
                got=repr(value),
                expected=f"an int, or {ndim} ints, one per spatial axis",
            )
        )
    return numbers


def same_padding(extent: int, kernel: int, stride: int, dilation: int, lower: bool) -> Any:
    """Return the pair that makes the output ceil(extent / stride), as ONNX's SAME_* do.

    An odd element goes behind the input, or in front of it if `lower`.
    """
    out = -(-extent // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - extent, 0)
    small = total // 2
    return (total - small, small) if lower else (small, total - small)


def pads_by_name(
    name: str, extents: Ints, kernel: Ints, stride: Ints, dilation: Ints
) -> Pairs | None:
    """Return the pairs that "valid", "same" or "same_lower" stand for; None for other names."""
    if name == "valid":
        return ((0, 0),) * len(extents)
    if name not in ("same", "same_lower"):
        return None
    return tuple(
        same_padding(*geometry, lower=name == "same_lower")
        for geometry in zip(extents, kernel, stride, dilation, strict=True)
    )


def pad_pairs(function: str, value: Any, ndim: int, *, names: bool = True) -> Pairs:
    """Return a (before, after) pair per axis from an int, one per axis, or pairs."""
    forms = f"an int, {ndim} ints, or {ndim} (before, after) pairs such as {_example(ndim)}"
    if names:
        forms += ', "valid", "same" or "same_lower"'
    if isinstance(value, str):
        raise ValueError(bad_argument(function, "padding", got=repr(value), expected=forms))
    if not is_sequence(value):
        number = whole(function, "padding", value, 0)
        return ((number, number),) * ndim
    if any(is_sequence(each) for each in value):
        if len(value) != ndim or not all(is_sequence(p) and len(p) == 2 for p in value):
            raise ValueError(bad_argument(function, "padding", got=repr(value), expected=forms))
        return tuple(
            (whole(function, "padding", before, 0), whole(function, "padding", after, 0))
            for before, after in value
        )
    if len(value) not in (1, ndim):
        hint = ""
        if len(value) == 2 * ndim:
            flat = [whole(function, "padding", each, 0) for each in value]
            pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
            hint = f"A flat sequence is ambiguous: write pairs, for instance {pairs}"
        raise ValueError(
            bad_argument(function, "padding", got=repr(value), expected=forms, hint=hint)
        )
    return tuple((n, n) for n in per_axis(function, "padding", value, ndim, 0))


def _example(ndim: int) -> str:
    return str(tuple((1, 2) for _ in range(ndim)))


def resolve_padding(
    function: str, value: Any, extents: Ints, kernel: Ints, stride: Ints, dilation: Ints
) -> Pairs:
    """Return pairs from any form of padding, names included."""
    if isinstance(value, str):
        pairs = pads_by_name(value, extents, kernel, stride, dilation)
        if pairs is not None:
            return pairs
    return pad_pairs(function, value, len(extents))


def is_channels_last(function: str, layout: object, ndim: int) -> bool:
    """Whether a layout name puts the channels last; ValueError for an unknown one."""
    names = LAYOUTS[ndim]
    if layout not in names:
        raise ValueError(
            bad_argument(
                function, "layout", got=repr(layout), expected="one of " + ", ".join(names)
            )
        )
    return str(layout).endswith("C")


def activation_name(function: str, value: object, dtype: str) -> str | None:
    """Return an activation's name, checked, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(
            bad_argument(function, "activation", got=repr(value), expected="a name (str) or None")
        )
    if value not in ACTIVATIONS:
        raise ValueError(
            bad_argument(
                function,
                "activation",
                got=repr(value),
                expected="None or one of " + ", ".join(ACTIVATIONS),
            )
        )
    if dtype.startswith("complex"):
        raise TypeError(
            bad_argument(
                function,
                "activation",
                got=f"{value!r} for a result of dtype {dtype}",
                expected="None: activations are defined on real numbers",
            )
        )
    return str(value)


def wanted(function: str, wrt: Iterable[str]) -> frozenset[str]:
    """Return the gradients that `wrt` names."""
    expected = 'names out of "x", "weight", "bias"'
    if not isinstance(wrt, Iterable):
        raise TypeError(bad_argument(function, "wrt", got=repr(wrt), expected=expected))
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        if name not in ("x", "weight", "bias"):
            raise ValueError(bad_argument(function, "wrt", got=repr(name), expected=expected))
    return frozenset(names)


def shape_of(array: Any) -> Ints:
    """Return an array's shape, or that which a nested list would have."""
    return tuple(array.shape) if hasattr(array, "shape") else np.shape(array)
