"""What kernels get by value: NumPy's word for the structures of kernels/params.cuh."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.problem import BiasProblem, ColumnsProblem, Ints, PoolProblem, Window
from fastconv_cuda.geometry import Geometry

AXIS = np.dtype([(name, "i8") for name in ("in", "out", "taps", "stride", "dilation", "before")])
CONV = np.dtype(
    [("axis", AXIS, 3)]
    + [(name, "i8") for name in ("batch", "groups", "c", "k")]
    + [(name, "i8", 5) for name in ("x", "w", "y")]
    + [(name, "i8") for name in ("bias", "activation", "conjugate")]
)
COLUMNS = np.dtype(
    [("axis", AXIS, 3), ("batch", "i8"), ("c", "i8"), ("x", "i8", 5), ("columns", "i8", 3)]
)
WINDOW = np.dtype(
    [
        (name, "i8")
        for name in (
            "length", "count", "kernel", "stride", "before", "after", "dilation", "adaptive",
            "count_padding",
        )
    ]
)  # fmt: skip
POOL = np.dtype(
    [("window", WINDOW, 3), ("batch", "i8"), ("channels", "i8")]
    + [(name, "i8", 5) for name in ("x", "y", "indices", "grad")]
    + [("has_indices", "i8"), ("has_divisor", "i8")]
    + [(name, "f8") for name in ("divisor", "norm", "volume")]
)
BIAS_SUM = np.dtype(
    [("batch", "i8"), ("channels", "i8"), ("extent", "i8", 3), ("y", "i8", 5), ("bias", "i8")]
)
INTEGER_CONV = np.dtype(
    [("conv", CONV)] + [(name, "i8") for name in ("w_zero", "multiplier", "has_bias", "bias")]
)
GATHER = np.dtype(
    [
        ("conv", CONV),
        ("input_grad", "i8"),
        ("padded", "i8"),
        ("phases", "i8", 3),
        ("tap_step", "i8", 3),
    ]
)
BOXES = np.dtype(
    [("gather", GATHER)] + [(name, "i8") for name in ("axes", "row_tiles", "column_tiles", "wide")]
)
WEIGHT_SUM = np.dtype([("conv", CONV), ("splits", "i8"), ("part", "i8")])
WEIGHT_SUM = np.dtype([("conv", CONV)] + [(name, "i8") for name in ("splits", "part", "c", "k")])
IMAGE_COPY = np.dtype(
    [(name, "i8") for name in ("batch", "groups", "channels", "padded", "last")]
    + [("extent", "i8", 3), ("from", "i8", 5)]
)
REACH = np.dtype([("count", "i8"), ("parts", "i8"), ("extent", "i8", 5), ("stride", "i8", 6)])
WEIGHT_BOXES = np.dtype(
    [("sum", WEIGHT_SUM)]
    + [(name, "i8") for name in ("axes", "row_tiles", "column_tiles", "chunks")]
)
FINISH = np.dtype(
    [(name, "i8") for name in ("batch", "channels", "positions", "bias", "activation")]
)
STRUCTURES = {
    "Axis": AXIS,
    "Conv": CONV,
    "Columns": COLUMNS,
    "Window": WINDOW,
    "Pool": POOL,
    "BiasSum": BIAS_SUM,
    "IntegerConv": INTEGER_CONV,
    "Gather": GATHER,
    "Boxes": BOXES,
    "WeightSum": WEIGHT_SUM,
    "ImageCopy": IMAGE_COPY,
    "Reach": REACH,
    "WeightBoxes": WEIGHT_BOXES,
    "Finish": FINISH,
}
ACTIVATIONS = (None, "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "silu", "gelu")


def five(values: Ints, fill: int) -> Ints:
    """Return (n, c, three spatial entries), those that are missing filled in, in front."""
    return (*values[:2], *(fill,) * (5 - len(values)), *values[2:])


def _set_axes(to: Any, geometry: Geometry) -> None:
    for place, axis in zip(to, geometry.axes, strict=True):
        for name in AXIS.names or ():
            place[name] = getattr(axis, "extent" if name == "in" else name)


def conv_params(geometry: Geometry) -> Any:
    """Return a Conv of one element."""
    params = np.zeros(1, CONV)
    p = params[0]
    _set_axes(p["axis"], geometry)
    for name in ("batch", "groups", "c", "k", "conjugate"):
        p[name] = getattr(geometry, name)
    for name in ("x", "w", "y"):
        p[name] = getattr(geometry, name)
    p["bias"] = geometry.bias
    p["activation"] = ACTIVATIONS.index(geometry.activation)
    return params


def columns_params(problem: ColumnsProblem, geometry: Geometry) -> Any:
    """Return a Columns of one element."""
    params = np.zeros(1, COLUMNS)
    p = params[0]
    _set_axes(p["axis"], geometry)
    p["batch"], p["c"] = problem.x.shape[:2]
    p["x"], p["columns"] = five(problem.x.strides, 0), problem.columns.strides
    return params


_WHOLE = Window(length=1, count=1, kernel=1)


def pool_params(problem: PoolProblem) -> Any:
    """Return a Pool of one element; windows that only the indices tell are counted alone."""
    params = np.zeros(1, POOL)
    p = params[0]
    windows = problem.windows or tuple(
        Window(length=length, count=count, kernel=1)
        for length, count in zip(problem.x.shape[2:], problem.y.shape[2:], strict=True)
    )
    for place, window in zip(p["window"], (_WHOLE,) * (3 - len(windows)) + windows, strict=True):
        for name in ("length", "count", "kernel", "stride", "dilation"):
            place[name] = getattr(window, name)
        place["adaptive"], place["count_padding"] = window.adaptive, window.count_padding
        place["before"], place["after"] = window.padding
    p["batch"], p["channels"] = problem.x.shape[:2]
    for name in ("x", "y", "indices", "x_grad"):
        operand = getattr(problem, name)
        if operand is not None:
            p["grad" if name == "x_grad" else name] = five(operand.strides, 0)
    p["has_indices"] = problem.indices is not None
    p["has_divisor"] = problem.divisor is not None
    p["divisor"] = problem.divisor or 0
    p["norm"], p["volume"] = problem.norm_type, problem.kernel_volume
    return params


def bias_params(problem: BiasProblem) -> Any:
    """Return a BiasSum of one element."""
    params = np.zeros(1, BIAS_SUM)
    p = params[0]
    shape = five(problem.y.shape, 1)
    p["batch"], p["channels"], p["extent"] = shape[0], shape[1], shape[2:]
    p["y"], p["bias"] = five(problem.y.strides, 0), problem.bias.strides[0]
    return params
