"""Cases of the convolution of integers of 8 bits."""

from __future__ import annotations

from collections.abc import Iterator

from fastconv.problem import IntegerConvProblem
from fastconv.testing.cases._case import Case, Spec
from fastconv.testing.cases.convolution import GROUPED, LARGE_ROWS, PADDED, ROWS, SERIES, Row

_SIGNS = tuple((x, weight) for x in ("uint8", "int8") for weight in ("int8", "uint8"))


def _case(
    operation: str,
    row: Row,
    signs: tuple[str, str],
    label: str = "",
    *,
    layout: str = "contiguous",
    bias: bool = False,
    per_channel: bool = False,
    symmetric: bool = False,
    slow: bool = False,
) -> Case:
    given, weight = signs
    channels = (row.weight[0],)
    some = channels if per_channel else (1,)
    result = "int32" if operation == "conv_integer" else given
    specs = {
        "x": Spec(row.x, given, layout),
        "weight": Spec(row.weight, weight),
        "x_zero_point": Spec((1,), given),
        "w_zero_point": Spec(some, weight),
        "y": Spec(row.y(), result, layout),
    }
    if symmetric:
        del specs["w_zero_point"]
    if bias:
        specs["bias"] = Spec(channels, "int32")
    if operation == "conv_requantized":
        specs["multiplier"] = Spec(some, "float32")
        specs["y_zero_point"] = Spec((1,), given)
    words = [operation, row.label, label, weight, given]
    return Case(
        name="-".join(word for word in words if word),
        kind=IntegerConvProblem,
        operation=operation,
        specs=specs,
        parameters=row.parameters(),
        slow=slow,
    )


def cases() -> Iterator[Case]:
    """Yield every case of this file."""
    for operation in IntegerConvProblem.OPERATIONS:
        for row in ROWS:
            yield _case(operation, row, _SIGNS[0], symmetric=True)
        for signs in _SIGNS[1:]:
            for row in (PADDED, GROUPED, SERIES):
                yield _case(operation, row, signs)
                yield _case(operation, row, signs, "symmetric", symmetric=True)
        for signs in _SIGNS:
            yield _case(operation, GROUPED, signs, "bias", bias=True, per_channel=True)
            yield _case(operation, PADDED, signs, "channels_last", layout="channels_last")
        for layout in ("reversed", "sliced"):
            yield _case(operation, PADDED, _SIGNS[0], layout, layout=layout)
        for row in LARGE_ROWS:
            yield _case(operation, row, _SIGNS[1], slow=True)
