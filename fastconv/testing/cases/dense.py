"""Cases of linear layers and of column rearrangement."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from fastconv.problem import ColumnsProblem, GemmProblem
from fastconv.testing.cases._case import Case, Spec
from fastconv.testing.cases.convolution import ACTIVATIONS, FLOATS, Row


def _linear(
    operation: str,
    label: str,
    sizes: tuple[int, int, int],
    dtype: str,
    *,
    layout: str = "contiguous",
    bias: bool = False,
    values: str = "normal",
    slow: bool = False,
    **parameters: Any,
) -> Case:
    rows, inner, outer = sizes
    specs = {
        "x": Spec((rows, inner), dtype, layout),
        "weight": Spec((outer, inner), dtype, layout),
        "y": Spec((rows, outer), dtype, layout),
    }
    if bias:
        specs["bias"] = Spec((outer,), dtype)
    return Case(
        name=f"{operation}-{label.replace(' ', '-')}-{dtype}",
        kind=GemmProblem,
        operation=operation,
        specs=specs,
        parameters=parameters,
        values=values,
        slow=slow,
    )


def _linear_cases(operation: str) -> Iterator[Case]:
    for dtype in FLOATS:
        yield _linear(operation, "plain", (5, 7, 3), dtype)
        yield _linear(operation, "large", (64, 512, 100), dtype, slow=True)
    for label, sizes in {
        "one": (1, 1, 1),
        "one-row": (1, 37, 19),
        "tails": (17, 33, 31),
        "empty-batch": (0, 4, 3),
    }.items():
        yield _linear(operation, label, sizes, "float32")
    for layout in ("fortran", "sliced", "unaligned"):
        yield _linear(operation, layout, (5, 7, 3), "float32", layout=layout)
    for values in ("cancelling", "denormal", "huge range", "special"):
        for dtype in ("float32", "float16"):
            yield _linear(operation, values, (6, 9, 4), dtype, values=values)
    if operation == "linear_forward":
        for dtype in ("float32", "float16", "complex64"):
            yield _linear(operation, "bias", (5, 7, 3), dtype, bias=True)
        for name in ACTIVATIONS:
            yield _linear(operation, name, (5, 7, 3), "float32", bias=True, activation=name)
    else:
        yield _linear(operation, "conjugate", (5, 7, 3), "complex64", conjugate=True)


_COLUMN_ROWS = (
    Row("plain", (2, 3, 6, 7), (1, 3, 3, 2)),
    Row("pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    Row("strided", (2, 2, 9, 10), (1, 2, 3, 3), (2, 3), ((1, 1), (1, 1))),
    Row("asymmetric", (1, 3, 6, 7), (1, 3, 3, 3), padding=((0, 2), (2, 1))),
    Row("dilated", (1, 2, 10, 9), (1, 2, 3, 2), (1, 2), ((2, 2), (0, 1)), (2, 3)),
    Row("1d", (2, 3, 17), (1, 3, 5), (2,), ((2, 1),)),
    Row("3d", (1, 2, 5, 4, 6), (1, 2, 2, 3, 2), (1, 2, 1), ((0, 0), (1, 1), (1, 0))),
    Row("empty-batch", (0, 3, 5, 5), (1, 3, 3, 3)),
)
_LARGE = Row("large", (2, 16, 40, 40), (1, 16, 5, 5), padding=((2, 2), (2, 2)))


def _columns(
    operation: str,
    row: Row,
    dtype: str,
    label: str = "",
    *,
    layout: str = "contiguous",
    values: str = "normal",
    slow: bool = False,
) -> Case:
    spatial, kernel = row.y()[2:], row.weight[2:]
    parameters = row.parameters()
    del parameters["groups"]
    columns = (row.x[0], row.x[1] * prod(kernel), prod(spatial))
    return Case(
        name="-".join(word for word in (operation, row.label, label, dtype) if word),
        kind=ColumnsProblem,
        operation=operation,
        specs={"x": Spec(row.x, dtype, layout), "columns": Spec(columns, dtype)},
        parameters={"spatial_out": spatial, "kernel": kernel, **parameters},
        values=values,
        slow=slow,
    )


def _column_cases(operation: str) -> Iterator[Case]:
    for row in _COLUMN_ROWS:
        yield _columns(operation, row, "float32")
    strided = _COLUMN_ROWS[2]
    for dtype in (*FLOATS[1:], "int8", "uint8", "int16", "int32", "int64", "uint64"):
        yield _columns(operation, strided, dtype)
        yield _columns(operation, _LARGE, dtype, slow=True)
    if operation == "im2col":
        yield _columns(operation, strided, "bool")
    for layout in ("channels_last", "reversed", "sliced", "unaligned"):
        yield _columns(operation, strided, "float32", layout, layout=layout)
    yield _columns(operation, strided, "float32", "special", values="special")


def cases() -> Iterator[Case]:
    """Yield every case of this file."""
    for operation in GemmProblem.OPERATIONS:
        yield from _linear_cases(operation)
    for operation in ColumnsProblem.OPERATIONS:
        yield from _column_cases(operation)
