"""Cases of convolution and its adjoints, and of the bias's gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from fastconv.problem import BiasProblem, ConvProblem, Ints, Pairs
from fastconv.testing.cases._case import Case, Spec

FLOATS = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128")
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "silu", "gelu")


@dataclass(frozen=True, slots=True)
class Row:
    """A geometry: x (N, C, ...), weight (O, C / groups, ...) and the spatial parameters."""

    label: str
    x: Ints
    weight: Ints
    stride: Ints = ()
    padding: Pairs = ()
    dilation: Ints = ()
    groups: int = 1

    def parameters(self) -> dict[str, Any]:
        """Return the problem's parameters, defaults filled in."""
        ndim = len(self.x) - 2
        return {
            "stride": self.stride or (1,) * ndim,
            "padding": self.padding or ((0, 0),) * ndim,
            "dilation": self.dilation or (1,) * ndim,
            "groups": self.groups,
        }

    def y(self) -> Ints:
        """Return the shape of the output."""
        parameters = self.parameters()
        spatial = (
            (extent + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
            for extent, kernel, stride, pads, dilation in zip(
                self.x[2:],
                self.weight[2:],
                parameters["stride"],
                parameters["padding"],
                parameters["dilation"],
                strict=True,
            )
        )
        return (self.x[0], self.weight[0], *spatial)


_ONE = ((1, 1), (1, 1))
PADDED = Row("padded", (2, 3, 7, 9), (5, 3, 3, 3), padding=_ONE)
GROUPED = Row("grouped-strided", (2, 4, 9, 8), (6, 2, 3, 3), (2, 2), _ONE, groups=2)
SERIES = Row("1d", (2, 3, 17), (4, 3, 5), padding=((2, 2),))
PLAIN = Row("plain", (2, 3, 6, 7), (4, 3, 3, 2))

ROWS = (
    PADDED,
    GROUPED,
    SERIES,
    PLAIN,
    Row("pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    Row("pointwise", (2, 5, 4, 6), (7, 5, 1, 1)),
    Row("pointwise-strided", (1, 4, 7, 5), (3, 4, 1, 1), stride=(2, 3)),
    Row("pointwise-grouped", (2, 6, 5, 5), (4, 3, 1, 1), groups=2),
    Row("whole-image", (2, 3, 5, 4), (4, 3, 5, 4)),
    Row("tails", (1, 17, 13, 11), (19, 17, 3, 3), padding=_ONE),
    Row("strided", (2, 4, 9, 10), (3, 4, 3, 3), stride=(2, 3)),
    Row("stride-skips-input", (1, 2, 11, 12), (3, 2, 2, 2), stride=(4, 5)),
    Row("dilated", (2, 2, 10, 12), (3, 2, 3, 3), dilation=(2, 3), padding=((2, 2), (3, 3))),
    Row("dilated-strided", (1, 3, 12, 11), (2, 3, 3, 2), (2, 3), _ONE, (3, 2)),
    Row("asymmetric", (1, 3, 6, 7), (4, 3, 3, 3), padding=((0, 2), (2, 1))),
    Row("padding-past-kernel", (1, 2, 4, 3), (3, 2, 2, 2), padding=((4, 4), (0, 5))),
    Row("depthwise", (2, 6, 8, 7), (6, 1, 3, 3), padding=_ONE, groups=6),
    Row("depthwise-multiplier", (1, 4, 7, 7), (8, 1, 3, 3), (2, 2), _ONE, groups=4),
    Row("row-kernel", (1, 3, 5, 12), (4, 3, 1, 7), padding=((0, 0), (3, 3))),
    Row("column-kernel", (1, 3, 12, 5), (4, 3, 7, 1), padding=((3, 3), (0, 0))),
    Row("even-kernel", (1, 3, 7, 8), (2, 3, 2, 4), padding=((1, 0), (2, 1))),
    Row("one-channel", (3, 1, 9, 9), (1, 1, 3, 3), padding=_ONE),
    Row("long-sum", (1, 64, 8, 8), (8, 64, 3, 3), padding=_ONE),
    Row("empty-batch", (0, 3, 5, 5), (4, 3, 3, 3)),
    Row("1d-strided", (3, 2, 23), (4, 2, 4), (3,), ((1, 2),), (2,)),
    Row("1d-depthwise", (2, 5, 19), (5, 1, 3), (1,), ((2, 0),), groups=5),
    Row("3d", (1, 2, 5, 6, 4), (3, 2, 3, 3, 3), padding=((1, 1), (1, 1), (1, 1))),
    Row(
        "3d-strided",
        (2, 4, 6, 5, 7),
        (2, 2, 2, 3, 2),
        (2, 1, 3),
        ((0, 1), (1, 1), (2, 0)),
        (1, 2, 1),
        2,
    ),
)
LARGE_ROWS = (
    Row("resnet", (2, 64, 28, 28), (64, 64, 3, 3), padding=_ONE),
    Row("resnet-strided", (1, 64, 56, 56), (128, 64, 3, 3), (2, 2), _ONE),
    Row("bottleneck", (2, 256, 14, 14), (64, 256, 1, 1)),
    Row("stem", (1, 3, 112, 112), (32, 3, 7, 7), (2, 2), ((3, 3), (3, 3))),
    Row("mobile", (1, 96, 28, 28), (96, 1, 5, 5), padding=((2, 2), (2, 2)), groups=96),
    Row("audio", (2, 40, 500), (64, 40, 11), (2,), ((5, 5),)),
    Row("volume", (1, 8, 16, 20, 20), (16, 8, 3, 3, 3), padding=((1, 1), (1, 1), (1, 1))),
    Row("large-kernel", (1, 2, 96, 96), (3, 2, 41, 41)),
)


def _case(
    operation: str,
    row: Row,
    dtype: str,
    label: str = "",
    *,
    layouts: dict[str, str] | None = None,
    values: str = "normal",
    bias: bool = False,
    slow: bool = False,
    **parameters: Any,
) -> Case:
    shapes = {"x": row.x, "weight": row.weight, "y": row.y()}
    if bias:
        channels = row.weight[0]
        if operation == "conv_input_grad":
            channels = row.weight[1] * row.groups
        shapes["bias"] = (channels,)
    places = layouts or {}
    words = [operation, row.label, label, dtype]
    return Case(
        name="-".join(word.replace(" ", "-") for word in words if word),
        kind=ConvProblem,
        operation=operation,
        specs={
            name: Spec(shape, dtype, places.get(name, "contiguous"))
            for name, shape in shapes.items()
        },
        parameters=row.parameters() | parameters,
        values=values,
        slow=slow,
    )


def _special_row(operation: str) -> Row:
    # A padding's zero times an infinite weight or gradient may be NaN or be left out.
    return PLAIN if operation == "conv_weight_grad" else PADDED


def _layout_cases(operation: str) -> Iterator[Case]:
    written = {"conv_forward": "y", "conv_input_grad": "x", "conv_weight_grad": "weight"}[operation]
    for layout in ("channels_last", "fortran", "reversed", "sliced", "unaligned", "broadcast"):
        read_only = layout == "broadcast"
        everything = {name: layout for name in ("x", "weight", "y") if name != written}
        yield _case(operation, PADDED, "float32", f"{layout}-inputs", layouts=everything)
        if not read_only:
            yield _case(operation, PADDED, "float32", f"{layout}-output", layouts={written: layout})
    images = {"x": "channels_last", "y": "channels_last"}
    for row in (GROUPED, SERIES, replace(PLAIN, label="pointwise", weight=(4, 3, 1, 1))):
        yield _case(operation, row, "float32", "channels_last", layouts=images)
    for dtype in ("float16", "bfloat16", "complex64"):
        yield _case(operation, GROUPED, dtype, "channels_last", layouts=images)


def _cases(operation: str) -> Iterator[Case]:
    for row in ROWS:
        yield _case(operation, row, "float32")
    for dtype in FLOATS[1:]:
        for row in (PADDED, GROUPED, SERIES):
            yield _case(operation, row, dtype)
    yield from _layout_cases(operation)
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        for values in ("cancelling", "denormal", "huge range", "special"):
            row = _special_row(operation) if values == "special" else PADDED
            yield _case(operation, row, dtype, values, values=values)
    for dtype in ("complex64", "complex128"):
        yield _case(operation, GROUPED, dtype, "conjugate", conjugate=True)
    if operation != "conv_weight_grad":
        for dtype in ("float32", "float16", "complex64"):
            yield _case(operation, GROUPED, dtype, "bias", bias=True)
        for name in ACTIVATIONS:
            yield _case(operation, PADDED, "float32", name, bias=name != "relu", activation=name)
        yield _case(operation, GROUPED, "float16", "gelu", bias=True, activation="gelu")
    for row in LARGE_ROWS:
        for dtype in ("float32", "float64", "float16", "complex64"):
            yield _case(operation, row, dtype, slow=True)
    for row in ROWS:
        for dtype in FLOATS[1:]:
            if row not in (PADDED, GROUPED, SERIES):
                yield _case(operation, row, dtype, slow=True)


def _bias_cases() -> Iterator[Case]:
    def case(
        shape: Ints,
        dtype: str,
        label: str,
        layout: str = "contiguous",
        values: str = "normal",
        *,
        slow: bool = False,
    ) -> Case:
        return Case(
            name=f"bias_grad-{label}-{dtype}",
            kind=BiasProblem,
            operation="bias_grad",
            specs={"y": Spec(shape, dtype, layout), "bias": Spec((shape[1],), dtype)},
            values=values,
            slow=slow,
        )

    for dtype in FLOATS:
        yield case((3, 5, 7, 6), dtype, "2d")
        yield case((4, 16, 64, 64), dtype, "large", slow=True)
    yield case((2, 3, 11), "float32", "1d")
    yield case((2, 3, 3, 4, 5), "float32", "3d")
    yield case((0, 3, 4, 4), "float32", "empty-batch")
    yield case((3, 5, 7, 6), "float32", "channels_last", "channels_last")
    yield case((3, 5, 7, 6), "float32", "reversed", "reversed")
    for values in ("cancelling", "special"):
        yield case((3, 5, 7, 6), "float32", values, values=values)


def cases() -> Iterator[Case]:
    """Yield every case of this file."""
    for operation in ConvProblem.OPERATIONS:
        yield from _cases(operation)
    yield from _bias_cases()
