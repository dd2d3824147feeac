"""Convolutions of well-known networks, for benchmarks of any backend.

Append to this list, never edit it: names are how a layer is followed through time.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple


class Layer(NamedTuple):
    """A convolution: (N, C, spatial...), output channels, kernel, and how it moves.

    Examples
    --------
    >>> LAYERS["alexnet-5x5"].weight, LAYERS["resnet-3x3-s2"].y
    ((192, 64, 5, 5), (8, 128, 28, 28))
    """

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

    def of(self, batch: int) -> Layer:
        """Return the layer with another batch."""
        return self._replace(x=(batch, *self.x[1:]))


LAYERS = {
    "alexnet-11x11-s4": Layer((8, 3, 224, 224), 64, (11, 11), 4, 2),
    "alexnet-5x5": Layer((8, 64, 27, 27), 192, (5, 5), 1, 2),
    "alexnet-3x3": Layer((8, 192, 13, 13), 384, (3, 3), 1, 1),
    "vgg-first": Layer((2, 3, 224, 224), 64, (3, 3), 1, 1),
    "vgg-64": Layer((2, 64, 224, 224), 64, (3, 3), 1, 1),
    "vgg-256": Layer((4, 256, 56, 56), 256, (3, 3), 1, 1),
    "vgg-512": Layer((8, 512, 14, 14), 512, (3, 3), 1, 1),
    "resnet-first": Layer((8, 3, 224, 224), 64, (7, 7), 2, 3),
    "resnet-1x1-64": Layer((8, 64, 56, 56), 64, (1, 1)),
    "resnet-3x3-64": Layer((8, 64, 56, 56), 64, (3, 3), 1, 1),
    "resnet-1x1-256": Layer((8, 64, 56, 56), 256, (1, 1)),
    "resnet-3x3-s2": Layer((8, 128, 56, 56), 128, (3, 3), 2, 1),
    "resnet-3x3-128": Layer((8, 128, 28, 28), 128, (3, 3), 1, 1),
    "resnet-1x1-s2": Layer((8, 512, 28, 28), 1024, (1, 1), 2),
    "resnet-3x3-256": Layer((8, 256, 14, 14), 256, (3, 3), 1, 1),
    "resnet-3x3-512": Layer((8, 512, 7, 7), 512, (3, 3), 1, 1),
    "resnet-1x1-2048": Layer((8, 512, 7, 7), 2048, (1, 1)),
    "resnet-n1-3x3": Layer((1, 128, 28, 28), 128, (3, 3), 1, 1),
    "resnet-n1-1x1": Layer((1, 1024, 14, 14), 256, (1, 1)),
    "mobilenet-depthwise": Layer((8, 32, 112, 112), 32, (3, 3), 1, 1, 1, 32),
    "mobilenet-depthwise-s2": Layer((8, 144, 56, 56), 144, (3, 3), 2, 1, 1, 144),
    "mobilenet-1x1": Layer((8, 384, 14, 14), 64, (1, 1)),
    "convnext-depthwise": Layer((4, 96, 56, 56), 96, (7, 7), 1, 3, 1, 96),
    "resnext-grouped": Layer((4, 128, 56, 56), 128, (3, 3), 1, 1, 1, 32),
    "deeplab-dilated": Layer((2, 256, 33, 33), 256, (3, 3), 1, 2, 2),
    "mnist-first": Layer((100, 1, 28, 28), 16, (3, 3), 1, 1),
    "mnist-second": Layer((100, 16, 14, 14), 32, (3, 3), 1, 1),
    "unet-256": Layer((1, 64, 256, 256), 64, (3, 3), 1, 1),
    "audio-k9": Layer((4, 64, 16000), 64, (9,)),
    "video-3x3x3": Layer((1, 32, 16, 56, 56), 32, (3, 3, 3), 1, 1),
}
