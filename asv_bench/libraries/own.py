"""fastconv: plain weights, and prepared ones forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

import fastconv
from asv_bench.cases import Case, Operands
from asv_bench.libraries import Calls
from asv_bench.names import OWN, PREPARED
from asv_bench.options import Configuration


class Fastconv:
    """Arrays channels first, or channels last where a configuration says so."""

    name = "fastconv"
    version = fastconv.__version__

    def __init__(self, channels_last: bool) -> None:
        self._channels_last = channels_last

    def calls(self, case: Case, operands: Operands) -> Calls:
        """Return the calls of a layer by pass and contender."""
        x, grad = self._arranged(operands.x), self._arranged(operands.grad)
        layout = {"layout": _layout(case.axes)} if self._channels_last else {}
        if case.kind == "max pool":
            return _max_pool(case, x, grad, layout)
        if case.kind == "average pool":
            return _average_pool(case, x, grad, layout)
        if case.kind == "global average":
            return _global_average(x, grad, layout)
        options = case.window | layout
        functions = _transposed if case.kind == "transposed" else _convolution
        return functions(case, x, operands.weight, grad, options)

    def _arranged(self, array: Any) -> Any:
        return np.ascontiguousarray(np.moveaxis(array, 1, -1)) if self._channels_last else array


def _layout(axes: int) -> str:
    return "N" + "DHW"[3 - axes :] + "C" if axes > 1 else "NWC"


def _forward(function: Any, x: Any, weight: Any, options: dict[str, Any]) -> dict[str, Any]:
    prepared = fastconv.prepare(weight, like=x)
    return {
        OWN: partial(function, x, weight, **options),
        PREPARED: partial(function, x, prepared, **options),
    }


def _convolution(case: Case, x: Any, weight: Any, grad: Any, options: dict[str, Any]) -> Calls:
    name = f"conv{case.axes}d"
    input_grad = getattr(fastconv, f"{name}_input_grad")
    weight_grad = getattr(fastconv, f"{name}_weight_grad")
    backward = getattr(fastconv, f"{name}_backward")
    both = partial(backward, grad, x, weight, wrt=("x", "weight"), **options)
    return {
        "forward": _forward(getattr(fastconv, name), x, weight, options),
        "input_grad": {OWN: partial(input_grad, x.shape, weight, grad, **options)},
        "weight_grad": {OWN: partial(weight_grad, x, weight.shape, grad, **options)},
        "both_grads": {OWN: both},
    }


def _transposed(case: Case, x: Any, weight: Any, grad: Any, options: dict[str, Any]) -> Calls:
    name = f"conv_transpose{case.axes}d"
    backward = partial(getattr(fastconv, f"{name}_backward"), grad, x, weight, **options)
    return {
        "forward": _forward(getattr(fastconv, name), x, weight, options),
        "input_grad": {OWN: partial(backward, wrt=("x",))},
        "weight_grad": {OWN: partial(backward, wrt=("weight",))},
        "both_grads": {OWN: partial(backward, wrt=("x", "weight"))},
    }


def _window(case: Case) -> dict[str, Any]:
    return {"kernel_size": case.kernel, "stride": case.stride, "padding": case.padding}


def _max_pool(case: Case, x: Any, grad: Any, layout: dict[str, str]) -> Calls:
    options = _window(case) | layout
    _, indices = fastconv.max_pool2d(x, return_indices=True, **options)
    return {
        "forward": {OWN: partial(fastconv.max_pool2d, x, **options)},
        "input_grad": {OWN: partial(fastconv.max_pool2d_backward, grad, x, indices, **options)},
    }


def _average_pool(case: Case, x: Any, grad: Any, layout: dict[str, str]) -> Calls:
    options = _window(case) | layout
    return {
        "forward": {OWN: partial(fastconv.avg_pool2d, x, **options)},
        "input_grad": {OWN: partial(fastconv.avg_pool2d_backward, grad, x, **options)},
    }


def _global_average(x: Any, grad: Any, layout: dict[str, Any]) -> Calls:
    backward = fastconv.adaptive_avg_pool2d_backward
    return {
        "forward": {OWN: partial(fastconv.adaptive_avg_pool2d, x, 1, **layout)},
        "input_grad": {OWN: partial(backward, grad, x, 1, **layout)},
    }


@contextmanager
def opened(configuration: Configuration) -> Iterator[Fastconv]:
    """Give fastconv; its threads and instruction set come from the environment."""
    yield Fastconv(configuration.channels_last)
