"""Every public operation and pass once, on a layer of a middling size. Append only.

The suite's layers show how fast the important ones are; this shows when any of them gets slower.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import fastconv
from fastconv.precision import PRECISIONS

Call = Callable[[], Any]
IMAGE = {1: (8, 32, 1024), 2: (8, 32, 28, 28), 3: (2, 32, 8, 14, 14)}
LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


def _random(shape: tuple[int, ...], dtype: str) -> Any:
    known = __import__("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype
    return np.random.default_rng(0).standard_normal(shape).astype(known)


def _convolution(axes: int, dtype: str, **options: Any) -> dict[str, Call]:
    """Return a convolution's calls by pass: 32 channels to 32, kernel 3."""
    x = _random(IMAGE[axes], dtype)
    if "layout" in options:
        x = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    w, bias = _random((32, 32, *(3,) * axes), dtype), _random((32,), dtype)
    forward = partial(getattr(fastconv, f"conv{axes}d"), padding=1, **options)
    backward = partial(getattr(fastconv, f"conv{axes}d_backward"), padding=1, **options)
    grad = forward(x, w)
    return {
        "forward": partial(forward, x, w, bias),
        "forward relu": partial(forward, x, w, bias, activation="relu"),
        "forward prepared": partial(forward, x, fastconv.prepare(w, like=x), bias),
        "input_grad": partial(backward, grad, x, w, wrt=("x",)),
        "weight_grad": partial(backward, grad, x, w, wrt=("weight",)),
        "bias_grad": partial(backward, grad, x, w, wrt=("bias",)),
    }


def _transposed(axes: int, dtype: str) -> dict[str, Call]:
    x = _random(IMAGE[axes], dtype)
    w = _random((32, 32, *(4,) * axes), dtype)
    forward = partial(getattr(fastconv, f"conv_transpose{axes}d"), stride=2, padding=1)
    backward = partial(getattr(fastconv, f"conv_transpose{axes}d_backward"), stride=2, padding=1)
    grad = forward(x, w)
    return {
        "forward": partial(forward, x, w),
        "input_grad": partial(backward, grad, x, w, wrt=("x",)),
        "weight_grad": partial(backward, grad, x, w, wrt=("weight",)),
        "bias_grad": partial(backward, grad, x, w, wrt=("bias",)),
    }


def _pools(axes: int, dtype: str) -> dict[str, Call]:
    x = _random(IMAGE[axes], dtype)
    found: dict[str, Call] = {}
    for name, arguments in {
        "max_pool": (2,),
        "avg_pool": (2,),
        "lp_pool": (2.0, 2),
        "adaptive_avg_pool": (3,),
        "adaptive_max_pool": (3,),
    }.items():
        forward = getattr(fastconv, f"{name}{axes}d")
        backward = getattr(fastconv, f"{name}{axes}d_backward")
        found[name] = partial(forward, x, *arguments)
        if "max" not in name:
            found[f"{name} backward"] = partial(backward, forward(x, *arguments), x, *arguments)
            continue
        y, indices = forward(x, *arguments, return_indices=True)
        found[f"{name} with indices"] = partial(forward, x, *arguments, return_indices=True)
        rest = arguments if name == "max_pool" else ()
        found[f"{name} backward"] = partial(backward, y, x, indices, *rest)
    unpool = getattr(fastconv, f"max_unpool{axes}d")
    y, indices = getattr(fastconv, f"max_pool{axes}d")(x, 2, return_indices=True)
    found["max_unpool"] = partial(unpool, y, indices, 2)
    backward = getattr(fastconv, f"max_unpool{axes}d_backward")
    found["max_unpool backward"] = partial(backward, x, y, indices, 2)
    return found


def _columns(dtype: str) -> dict[str, Call]:
    x = _random(IMAGE[2], dtype)
    columns = fastconv.im2col(x, 3, padding=1)
    return {
        "im2col": partial(fastconv.im2col, x, 3, padding=1),
        "col2im": partial(fastconv.col2im, columns, IMAGE[2][2:], 3, padding=1),
    }


def _linear(dtype: str) -> dict[str, Call]:
    x, w = _random((64, 1024), dtype), _random((512, 1024), dtype)
    grad, bias = _random((64, 512), dtype), _random((512,), dtype)
    backward = partial(fastconv.linear_backward, grad, x, w)
    return {
        "forward": partial(fastconv.linear, x, w, bias),
        "input_grad": partial(backward, wrt=("x",)),
        "weight_grad": partial(backward, wrt=("weight",)),
        "bias_grad": partial(backward, wrt=("bias",)),
    }


def _quantizing(dtype: str) -> dict[str, Call]:
    x = _random(IMAGE[2], dtype)
    steps, scales = fastconv.quantize(x, 0.03), np.linspace(0.01, 0.03, IMAGE[2][1])
    weight = fastconv.quantize(_random((32, 32, 3, 3), dtype), 0.03)
    pool = partial(fastconv.max_pool2d, steps)
    return {
        "conv2d_integer": partial(fastconv.conv2d_integer, steps, weight, 3, padding=1),
        "qconv2d": partial(fastconv.qconv2d, steps, 0.03, 0, weight, 0.03, 0, 0.5, 0, padding=1),
        "quantize": partial(fastconv.quantize, x, 0.03),
        "quantize channels": partial(fastconv.quantize, x, scales, axis=1),
        "dequantize": partial(fastconv.dequantize, steps, 0.03, dtype=dtype),
        "max_pool 2x2": partial(pool, 2),
        "max_pool 3x3 s2": partial(pool, 3, 2, 1),
    }


class _Timed:
    """Times `call`, which `setup` made, and ran once."""

    call: Call

    def time_call(self, *_: object) -> None:
        """A plain call, its output included."""
        self.call()


DTYPES = ("float32", "float64", "float16", "bfloat16")
GRADIENTS = ("input_grad", "weight_grad", "bias_grad")
FORWARD = ("forward", "forward relu", "forward prepared")
POOLS = (
    *("max_pool", "max_pool with indices", "max_pool backward"),
    *("avg_pool", "avg_pool backward", "lp_pool", "lp_pool backward"),
    *("adaptive_avg_pool", "adaptive_avg_pool backward"),
    *("adaptive_max_pool", "adaptive_max_pool with indices", "adaptive_max_pool backward"),
    *("max_unpool", "max_unpool backward"),
)


class Convolutions(_Timed):
    """In one, two and three dimensions."""

    params = ((1, 2, 3), (*FORWARD, *GRADIENTS), DTYPES)
    param_names = ("axes", "pass", "dtype")

    def setup(self, axes: int, which: str, dtype: str) -> None:
        """Make the arrays, and the plan."""
        self.call = _convolution(axes, dtype)[which]
        self.call()


class ChannelsLast(_Timed):
    """The same on arrays whose channels come last."""

    params = Convolutions.params
    param_names = Convolutions.param_names

    def setup(self, axes: int, which: str, dtype: str) -> None:
        """Make the arrays, and the plan."""
        self.call = _convolution(axes, dtype, layout=LAST[axes])[which]
        self.call()


class TransposedConvolutions(_Timed):
    """In one, two and three dimensions, doubling the extents."""

    params = ((1, 2, 3), ("forward", *GRADIENTS), DTYPES)
    param_names = ("axes", "pass", "dtype")

    def setup(self, axes: int, which: str, dtype: str) -> None:
        """Make the arrays, and the plan."""
        self.call = _transposed(axes, dtype)[which]
        self.call()


class Pools(_Timed):
    """In one, two and three dimensions."""

    params = ((1, 2, 3), POOLS, DTYPES)
    param_names = ("axes", "pool", "dtype")

    def setup(self, axes: int, pool: str, dtype: str) -> None:
        """Make the arrays, and the plan."""
        self.call = _pools(axes, dtype)[pool]
        self.call()


class Columns(_Timed):
    """A 3x3 kernel's columns."""

    params = (("im2col", "col2im"), DTYPES)
    param_names = ("function", "dtype")

    def setup(self, function: str, dtype: str) -> None:
        """Make the arrays, and the plan."""
        self.call = _columns(dtype)[function]
        self.call()


class Linear(_Timed):
    """64 rows, 1024 features to 512."""

    params = (("forward", *GRADIENTS), DTYPES)
    param_names = ("pass", "dtype")

    def setup(self, which: str, dtype: str) -> None:
        """Make the arrays, and the plan."""
        self.call = _linear(dtype)[which]
        self.call()


class Quantizing(_Timed):
    """An image's numbers to int8 and back, and convolutions of such integers."""

    params = (
        (
            *("quantize", "quantize channels", "dequantize", "conv2d_integer", "qconv2d"),
            *("max_pool 2x2", "max_pool 3x3 s2"),
        ),
        DTYPES,
    )
    param_names = ("function", "dtype")

    def setup(self, function: str, dtype: str) -> None:
        """Make the arrays."""
        self.call = _quantizing(dtype)[function]
        self.call()


class Precisions(_Timed):
    """Convolution of an image's float32 numbers in each precision."""

    params = (tuple(name for name in PRECISIONS if name != "auto"), ("float32",))
    param_names = ("precision", "dtype")

    def setup(self, precision: str, dtype: str) -> None:
        """Make the arrays."""
        x, w = _random(IMAGE[2], dtype), _random((32, 32, 3, 3), dtype)
        self.call = partial(fastconv.conv2d, x, w, padding=1, precision=precision)
        self.call()
