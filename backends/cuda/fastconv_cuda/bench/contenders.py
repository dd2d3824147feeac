"""The same convolution by PyTorch, which asks cuDNN, and by this backend, on the same memory."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from fastconv.backend import Decision, Policy
from fastconv.testing.networks import Layer
from fastconv_cuda.backend import BACKEND
from fastconv_cuda.bench.layers import problem
from fastconv_cuda.bench.timing import copies_for

# The arrays' type, what the policy is asked for, and whose peak rate counts.
PRECISIONS = {
    "float32": ("float32", None),
    "tf32": ("float32", "tf32"),
    "float16": ("float16", None),
    "bfloat16": ("bfloat16", None),
    "float64": ("float64", None),
}
WORKSPACE = 1 << 30


def settle(torch: Any, precision: str) -> None:
    """Let cuDNN choose its algorithm by trying, and say explicitly what float32 means."""
    torch.backends.cudnn.benchmark = True
    kind = "tf32" if precision == "tf32" else "ieee"
    for part in (torch.backends.cudnn.conv, torch.backends.cuda.matmul):
        if hasattr(part, "fp32_precision"):
            part.fp32_precision = kind
    if not hasattr(torch.backends.cudnn.conv, "fp32_precision"):
        torch.backends.cudnn.allow_tf32 = kind == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"


def tensors(torch: Any, layer: Layer, precision: str, *, last: bool) -> list[tuple[Any, ...]]:
    """Return sets of random x, weight and y, enough to outgrow the cache."""
    dtype = getattr(torch, PRECISIONS[precision][0])
    size = dtype.itemsize
    each = size * (prod(layer.x) + prod(layer.weight) + prod(layer.y))
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    wanted = formats.get(len(layer.x)) if last else None

    def made(shape: tuple[int, ...], image: bool = True) -> Any:
        tensor = torch.randn(shape, device="cuda", dtype=torch.float32).to(dtype)
        if image and wanted is not None:
            return tensor.contiguous(memory_format=wanted)
        if image and last:  # PyTorch has no word for it along one axis
            return tensor.movedim(1, -1).contiguous().movedim(-1, 1)
        return tensor

    return [
        (made(layer.x), made(layer.weight, image=False), made(layer.y))
        for _ in range(copies_for(each))
    ]


def theirs(
    torch: Any, layer: Layer, pass_: str, sets: list[tuple[Any, ...]], *, last: bool
) -> Callable[[int], None]:
    """Return PyTorch's pass; weights in the images' layout, as it likes them."""
    axes = len(layer.kernel)
    pads, ones = [layer.padding] * axes, [layer.dilation] * axes
    strides, none = [layer.stride] * axes, [0] * axes
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    form = formats.get(len(layer.x)) if last else None
    weights = [w if form is None else w.contiguous(memory_format=form) for _, w, _ in sets]

    def forward(copy: int) -> None:
        x, _, _ = sets[copy]
        torch.ops.aten.convolution(
            x, weights[copy], None, strides, pads, ones, False, none, layer.groups
        )

    def backward(copy: int) -> None:
        x, _, y = sets[copy]
        wanted = [pass_ == "conv_input_grad", pass_ == "conv_weight_grad", False]
        torch.ops.aten.convolution_backward(
            y, x, weights[copy], None, strides, pads, ones, False, none, layer.groups, wanted
        )

    return forward if pass_ == "conv_forward" else backward


def chosen(decisions: Sequence[Decision], algorithm: str = "") -> Decision:
    """Return the first choice, or that of an algorithm.

    Raises
    ------
    RuntimeError
        With the reason, if it can't.
    """
    named = [d for d in decisions if not algorithm or d.algorithm == algorithm]
    if not named:
        raise RuntimeError(f"no algorithm {algorithm} for this")
    if not named[0].can:
        raise RuntimeError(named[0].reason)
    return named[0]


def ours(
    torch: Any,
    layer: Layer,
    pass_: str,
    precision: str,
    sets: list[tuple[Any, ...]],
    *,
    last: bool,
    algorithm: str = "",
) -> tuple[Decision, Callable[[int], None]]:
    """Return our decision and pass, on CuPy arrays that share the tensors' memory."""
    cupy = importlib.import_module("cupy")
    dtype, asked = PRECISIONS[precision]
    wanted = problem(layer, pass_, dtype, "cuda:0", last=last)
    policy = Policy(precision=asked, workspace_limit=WORKSPACE)
    decision = chosen(BACKEND.decide(wanted, policy), algorithm)
    plan = BACKEND.plan(wanted, decision)
    # Only addresses count: bfloat16 goes by another name, which takes no further package.
    arrays = [
        tuple(
            cupy.from_dlpack(tensor.view(torch.int16) if dtype == "bfloat16" else tensor)
            for tensor in each
        )
        for each in sets
    ]
    size = plan.workspace_bytes
    workspace = plan.empty((size,), "uint8") if size else None

    def work(copy: int) -> None:
        x, weight, y = arrays[copy]
        operands = {"conv_forward": ((x, weight), y), "conv_input_grad": ((y, weight), x)}
        inputs, output = operands.get(pass_, ((x, y), weight))
        # Recorded into PyTorch's graph: the stream that it records is the current one.
        with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
            plan.run(inputs, [output], workspace)

    return decision, work
