"""The suite's convolutions at a batch that a GPU is used for."""

from __future__ import annotations

from fastconv.problem import ConvProblem, Operand
from fastconv.testing.networks import LAYERS as SUITE
from fastconv.testing.networks import Layer
from fastconv_cuda.candidate import itemsize

PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")
_BATCH = 32
# Large images, and those that are about one of them.
_BATCHES = {
    "resnet-n1-3x3": 1,
    "resnet-n1-1x1": 1,
    "deeplab-dilated": 8,
    "unet-256": 8,
    "mnist-first": 512,
    "mnist-second": 512,
    "audio-k9": 16,
    "video-3x3x3": 4,
}
LAYERS = {name: layer.of(_BATCHES.get(name, _BATCH)) for name, layer in SUITE.items()}


def operand(shape: tuple[int, ...], dtype: str, last: bool) -> Operand:
    """Return an operand, contiguous or with its channels last."""
    order = [0, *range(2, len(shape)), 1] if last else list(range(len(shape)))
    strides = [0] * len(shape)
    step = itemsize(dtype)
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return Operand(shape, tuple(strides), dtype)


def problem(layer: Layer, pass_: str, dtype: str, device: str, *, last: bool) -> ConvProblem:
    """Return a layer's problem: images in either layout, the weight contiguous."""
    axes = len(layer.kernel)
    return ConvProblem(
        function="bench",
        operation=pass_,
        device=device,
        x=operand(layer.x, dtype, last),
        weight=operand(layer.weight, dtype, False),
        y=operand(layer.y, dtype, last),
        stride=(layer.stride,) * axes,
        padding=((layer.padding,) * 2,) * axes,
        dilation=(layer.dilation,) * axes,
        groups=layer.groups,
    )
