"""PyTorch: contiguous and channels-last tensors, plain weights, no graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from asv_bench.cases import Case, Operands, Pass
from asv_bench.libraries import Calls
from asv_bench.names import TORCH
from asv_bench.options import Configuration
from asv_bench.timing import Call

_CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
_aten = torch.ops.aten


class PyTorch:
    """The functions that a module's forward and backward come to."""

    name = "PyTorch"
    version = torch.__version__

    def calls(self, case: Case, operands: Operands) -> Calls:
        """Return the calls of a layer by pass and contender."""
        found: dict[Pass, dict[str, Call]] = {}
        for name, layout in zip(TORCH, (None, _CHANNELS_LAST.get(case.axes)), strict=True):
            if name != TORCH[0] and layout is None:
                continue
            x, weight, grad = (
                _tensor(array, layout) for array in (operands.x, operands.weight, operands.grad)
            )
            for which, call in _BY_KIND[case.kind](case, x, weight, grad).items():
                found.setdefault(which, {})[name] = call
        return found


def _tensor(array: Any, layout: torch.memory_format | None) -> Any:
    if array is None:
        return None
    return torch.from_numpy(array).contiguous(memory_format=layout or torch.contiguous_format)


def _convolution(case: Case, x: Any, weight: Any, grad: Any) -> dict[Pass, Call]:
    transposed, axes = case.kind == "transposed", case.axes
    window = ([case.stride] * axes, [case.padding] * axes, [case.dilation] * axes)
    rest = (None, *window, transposed, [0] * axes, case.groups)
    backward = partial(_aten.convolution_backward, grad, x, weight, *rest)
    return {
        "forward": partial(torch.convolution, x, weight, *rest),
        "input_grad": partial(backward, [True, False, False]),
        "weight_grad": partial(backward, [False, True, False]),
        "both_grads": partial(backward, [True, True, False]),
    }


def _max_pool(case: Case, x: Any, weight: Any, grad: Any) -> dict[Pass, Call]:
    window = (list(case.kernel), [case.stride] * 2, [case.padding] * 2, [1, 1], False)
    _, indices = _aten.max_pool2d_with_indices(x, *window)
    return {
        "forward": partial(torch.max_pool2d, x, *window),
        "input_grad": partial(_aten.max_pool2d_with_indices_backward, grad, x, *window, indices),
    }


def _average_pool(case: Case, x: Any, weight: Any, grad: Any) -> dict[Pass, Call]:
    window = (list(case.kernel), [case.stride] * 2, [case.padding] * 2, False, True, None)
    return {
        "forward": partial(_aten.avg_pool2d, x, *window),
        "input_grad": partial(_aten.avg_pool2d_backward, grad, x, *window),
    }


def _global_average(case: Case, x: Any, weight: Any, grad: Any) -> dict[Pass, Call]:
    count = case.x[2] * case.x[3]
    return {
        "forward": partial(torch.nn.functional.adaptive_avg_pool2d, x, 1),
        # A pool to one pixel is a mean to autograd, and this is a mean's gradient.
        "input_grad": lambda: grad.expand(x.shape) / count,
    }


_BY_KIND = {
    "convolution": _convolution,
    "transposed": _convolution,
    "max pool": _max_pool,
    "average pool": _average_pool,
    "global average": _global_average,
}


@contextmanager
def opened(configuration: Configuration) -> Iterator[PyTorch]:
    """Give PyTorch with so many threads, in inference mode."""
    torch.set_num_threads(configuration.threads)
    with torch.inference_mode():
        yield PyTorch()
