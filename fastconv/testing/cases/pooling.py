"""Cases of pools and their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from fastconv.problem import Ints, PoolProblem, Window
from fastconv.testing.cases._case import Case, Spec
from fastconv.testing.cases.convolution import FLOATS

REALS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")


@dataclass(frozen=True, slots=True)
class Pool:
    """Windows over the spatial axes of (N, C, ...)."""

    label: str
    x: Ints
    windows: tuple[Window, ...]

    @property
    def y(self) -> Ints:
        """Shape of the pooled array."""
        return (*self.x[:2], *(window.count for window in self.windows))

    @property
    def volume(self) -> int:
        """Number of taps of a whole window."""
        return prod(window.kernel for window in self.windows)


def _fixed(
    label: str,
    x: Ints,
    kernel: Ints,
    stride: Ints = (),
    padding: tuple[tuple[int, int], ...] = (),
    dilation: Ints = (),
    *,
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Pool:
    windows = []
    for axis, (length, extent) in enumerate(zip(x[2:], kernel, strict=True)):
        step = stride[axis] if stride else extent
        before, after = padding[axis] if padding else (0, 0)
        spread = dilation[axis] if dilation else 1
        room = length + before + after - (extent - 1) * spread - 1
        count = (-(-room // step) if ceil_mode else room // step) + 1
        # A last window that would start in the padding behind the input is dropped.
        if ceil_mode and (count - 1) * step >= length + before:
            count -= 1
        windows.append(
            Window(
                length=length,
                count=count,
                kernel=extent,
                stride=step,
                padding=(before, after),
                dilation=spread,
                count_padding=count_padding,
            )
        )
    return Pool(label, x, tuple(windows))


def _adaptive(label: str, x: Ints, counts: Ints) -> Pool:
    pairs = zip(x[2:], counts, strict=True)
    windows = tuple(Window(length=length, count=count, adaptive=True) for length, count in pairs)
    return Pool(label, x, windows)


_ONE = ((1, 1), (1, 1))
PLAIN = _fixed("plain", (2, 3, 6, 8), (2, 2))
OVERLAP = _fixed("overlapping-padded", (2, 3, 7, 9), (3, 3), (2, 2), _ONE)
CEIL = _fixed("ceil-mode", (2, 2, 8, 7), (3, 2), (3, 2), ((1, 1), (1, 0)), ceil_mode=True)
POOLS = (
    PLAIN,
    OVERLAP,
    CEIL,
    _fixed("pixel", (1, 1, 1, 1), (1, 1)),
    _fixed("whole-image", (2, 3, 5, 4), (5, 4)),
    _fixed("dilated", (1, 2, 11, 9), (3, 2), (2, 1), _ONE, (2, 3)),
    _fixed("asymmetric", (1, 2, 6, 7), (3, 3), (2, 2), ((0, 2), (1, 0))),
    _fixed("gaps", (1, 2, 9, 10), (2, 2), (3, 4)),
    _fixed("empty-batch", (0, 3, 4, 4), (2, 2)),
    _fixed("1d", (2, 3, 17), (3,), (2,), ((1, 1),)),
    _fixed("3d", (1, 2, 5, 6, 4), (2, 3, 2), (2, 2, 1), ((1, 0), (1, 1), (0, 1))),
)
ADAPTIVE = (
    _adaptive("adaptive", (2, 3, 7, 10), (3, 4)),
    _adaptive("adaptive-larger", (1, 2, 3, 4), (5, 7)),
    _adaptive("adaptive-1d", (2, 3, 11), (4,)),
    _adaptive("adaptive-3d", (1, 2, 4, 5, 3), (2, 3, 1)),
)
COUNTING = (
    _fixed("counted-padding", (2, 3, 7, 9), (3, 3), (2, 2), _ONE, count_padding=True),
    _fixed(
        "counted-padding-ceil",
        (2, 2, 8, 7),
        (3, 2),
        (3, 2),
        ((1, 1), (1, 0)),
        ceil_mode=True,
        count_padding=True,
    ),
)
LARGE = _fixed("large", (4, 16, 56, 56), (3, 3), (2, 2), _ONE)


def _case(
    operation: str,
    pool: Pool,
    dtype: str,
    label: str = "",
    *,
    indices: bool = False,
    gradient: bool = False,
    layout: str = "contiguous",
    values: str = "normal",
    slow: bool = False,
    **parameters: Any,
) -> Case:
    specs = {"x": Spec(pool.x, dtype, layout), "y": Spec(pool.y, dtype, layout)}
    if indices:
        specs["indices"] = Spec(pool.y, "int64")
    if gradient:
        specs["x_grad"] = Spec(pool.x, dtype, layout)
    if not (indices and operation != "max_pool"):
        parameters["windows"] = pool.windows
    words = [operation, pool.label, label, dtype]
    return Case(
        name="-".join(word.replace(" ", "-") for word in words if word),
        kind=PoolProblem,
        operation=operation,
        specs=specs,
        parameters=parameters,
        values=values,
        slow=slow,
    )


def _max_cases() -> Iterator[Case]:
    def case(*args: Any, **kwargs: Any) -> Case:
        return _case("max_pool", *args, **kwargs)

    for pool in POOLS + ADAPTIVE:
        yield case(pool, "float32", "indices", indices=True)
    for dtype in REALS[1:] + INTEGERS:
        yield case(OVERLAP, dtype, indices=True)
        yield case(LARGE, dtype, indices=True, slow=True)
    for dtype in ("float32", "float16", "int32"):
        yield case(OVERLAP, dtype, "values-only")
        yield case(OVERLAP, dtype, "ties", indices=True, values="ties")
    for dtype in REALS:
        yield case(OVERLAP, dtype, "special", indices=True, values="special")
        yield case(OVERLAP, dtype, "lowest", indices=True, values="lowest")
    for layout in ("channels_last", "reversed", "sliced", "unaligned"):
        yield case(OVERLAP, "float32", layout, indices=True, layout=layout)
    yield case(LARGE, "float32", indices=True, slow=True)


def _indexed_cases(operation: str) -> Iterator[Case]:
    def case(*args: Any, **kwargs: Any) -> Case:
        return _case(operation, *args, indices=True, **kwargs)

    # Unpooling writes each element once: it needs as many elements as there are windows.
    adaptive = () if operation == "max_unpool" else ADAPTIVE
    for pool in POOLS + adaptive:
        yield case(pool, "float32")
    dtypes = REALS[1:] + INTEGERS
    for dtype in REALS[1:] if operation == "max_pool_backward" else dtypes:
        yield case(OVERLAP, dtype)
        yield case(LARGE, dtype, slow=True)
    for layout in ("channels_last", "reversed", "sliced"):
        yield case(OVERLAP, "float32", layout, layout=layout)
    yield case(OVERLAP, "float32", "special", values="special")
    yield case(LARGE, "float32", slow=True)


def _average_cases(operation: str) -> Iterator[Case]:
    def case(*args: Any, **kwargs: Any) -> Case:
        return _case(operation, *args, **kwargs)

    for pool in POOLS + ADAPTIVE + COUNTING:
        yield case(pool, "float32")
    yield case(OVERLAP, "float32", "divisor", divisor=5)
    yield case(CEIL, "float32", "negative-divisor", divisor=-3)
    for dtype in FLOATS[1:]:
        yield case(OVERLAP, dtype)
        yield case(LARGE, dtype, slow=True)
    for values in ("cancelling", "denormal", "huge range", "special"):
        for dtype in ("float32", "float16"):
            yield case(OVERLAP, dtype, values, values=values)
    for layout in ("channels_last", "reversed", "sliced", "unaligned"):
        yield case(OVERLAP, "float32", layout, layout=layout)
    yield case(LARGE, "float32", slow=True)


def _norm_cases(operation: str) -> Iterator[Case]:
    gradient = operation == "lp_pool_backward"

    def case(pool: Pool, dtype: str, norm: float, label: str = "", **kwargs: Any) -> Case:
        return _case(
            operation,
            pool,
            dtype,
            f"norm{norm:g}{label}",
            gradient=gradient,
            norm_type=norm,
            kernel_volume=pool.volume,
            **kwargs,
        )

    unpadded = [pool for pool in POOLS if not any(sum(w.padding) for w in pool.windows)]
    for pool in unpadded:
        yield case(pool, "float32", 2.0)
    ceil = _fixed("ceil-mode", (2, 2, 8, 7), (3, 2), (3, 2), ceil_mode=True)
    for norm in (1.0, 2.0, 3.0, 2.5):
        for pool in (ceil, PLAIN):
            yield case(pool, "float32", norm, "-positive", values="positive")
    for dtype in REALS[1:]:
        yield case(PLAIN, dtype, 2.0, "-typed")
        yield case(LARGE, dtype, 2.0, slow=True)
    for layout in ("channels_last", "reversed", "sliced"):
        yield case(PLAIN, "float32", 2.0, f"-{layout}", layout=layout)


def cases() -> Iterator[Case]:
    """Yield every case of this file."""
    yield from _max_cases()
    for operation in ("max_pool_backward", "max_unpool", "max_unpool_backward"):
        yield from _indexed_cases(operation)
    for operation in ("avg_pool", "avg_pool_backward"):
        yield from _average_cases(operation)
    for operation in ("lp_pool", "lp_pool_backward"):
        yield from _norm_cases(operation)
