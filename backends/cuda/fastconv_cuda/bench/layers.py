"""Convolutions of well-known networks, at a batch that a GPU is used for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from fastconv.problem import ConvProblem, Operand
from fastconv_cuda.candidate import itemsize

PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")


@dataclass(frozen=True, slots=True)
class Layer:
    """(N, C, spatial...), output channels, kernel, and how it moves."""

    x: tuple[int, ...]
    channels: int
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def weight(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return (self.channels, self.x[1] // self.groups, *self.kernel)

    @property
    def y(self) -> tuple[int, ...]:
        """Shape of the output."""
        spatial = (
            (n + 2 * self.padding - (k - 1) * self.dilation - 1) // self.stride + 1
            for n, k in zip(self.x[2:], self.kernel, strict=True)
        )
        return (self.x[0], self.channels, *spatial)

    @property
    def flops(self) -> int:
        """Multiplications and additions of one pass."""
        return 2 * prod(self.y) * prod(self.weight[1:])


LAYERS = {
    "alexnet-5x5": Layer((32, 64, 27, 27), 192, (5, 5), 1, 2),
    "vgg-64": Layer((32, 64, 224, 224), 64, (3, 3), 1, 1),
    "vgg-512": Layer((32, 512, 14, 14), 512, (3, 3), 1, 1),
    "resnet-first": Layer((32, 3, 224, 224), 64, (7, 7), 2, 3),
    "resnet-1x1-64": Layer((32, 64, 56, 56), 64, (1, 1)),
    "resnet-3x3-64": Layer((32, 64, 56, 56), 64, (3, 3), 1, 1),
    "resnet-1x1-256": Layer((32, 64, 56, 56), 256, (1, 1)),
    "resnet-3x3-s2": Layer((32, 128, 56, 56), 128, (3, 3), 2, 1),
    "resnet-3x3-128": Layer((32, 128, 28, 28), 128, (3, 3), 1, 1),
    "resnet-1x1-s2": Layer((32, 512, 28, 28), 1024, (1, 1), 2),
    "resnet-3x3-256": Layer((32, 256, 14, 14), 256, (3, 3), 1, 1),
    "resnet-3x3-512": Layer((32, 512, 7, 7), 512, (3, 3), 1, 1),
    "resnet-1x1-2048": Layer((32, 512, 7, 7), 2048, (1, 1)),
    "mobilenet-depthwise": Layer((32, 32, 112, 112), 32, (3, 3), 1, 1, 1, 32),
    "mobilenet-depthwise-s2": Layer((32, 144, 56, 56), 144, (3, 3), 2, 1, 1, 144),
    "mobilenet-1x1": Layer((32, 384, 14, 14), 64, (1, 1)),
    "convnext-depthwise": Layer((32, 96, 56, 56), 96, (7, 7), 1, 3, 1, 96),
    "resnext-grouped": Layer((32, 128, 56, 56), 128, (3, 3), 1, 1, 1, 32),
    "deeplab-dilated": Layer((8, 256, 33, 33), 256, (3, 3), 1, 2, 2),
    "audio-k9": Layer((16, 64, 16000), 64, (9,)),
    "video-3x3x3": Layer((4, 32, 16, 56, 56), 32, (3, 3, 3), 1, 1),
}


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


def smaller(layer: Layer, batch: int) -> Layer:
    """Return a layer of another batch."""
    return replace(layer, x=(batch, *layer.x[1:]))
