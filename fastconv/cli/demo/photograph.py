"""Convolve a photograph, by the textbook's ways and by fastconv, and compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastconv
from fastconv.cli.demo.textbook import conv2d_im2col, conv2d_loops
from fastconv.cli.demo.timing import median_times

Array = NDArray[Any]
FILTERS = ("blurred", "edges across", "edges down", "sharpened")


def load_photograph() -> Array:
    """The picture of a temple that comes with scikit-learn: (1, 3, 427, 640) float32 in 0..1."""
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image("china.jpg")
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def filter_bank() -> Array:
    """Weights (12, 3, 5, 5): each of ``FILTERS`` for red, green and blue, every one from all three.

    The filters are a binomial blur, its slope (Sobel's) along each axis, and unsharp masking. The
    edges see brightness, so their three outputs are equal.
    """
    binomial = np.array([1, 4, 6, 4, 1]) / 16
    slope = np.array([-1, -2, 0, 2, 1]) / 8
    blur, delta = np.outer(binomial, binomial), np.zeros((5, 5))
    delta[2, 2] = 1
    sharpen = 2.5 * delta - 1.5 * blur
    brightness = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    bank = np.zeros((4, 3, 3, 5, 5))
    for colour in range(3):
        bank[0, colour, colour] = blur
        bank[3, colour, colour] = sharpen
        for i, kernel in ((1, np.outer(binomial, slope)), (2, np.outer(slope, binomial))):
            bank[i, colour] = brightness[:, None, None] * kernel * 4
    return bank.reshape(12, 3, 5, 5).astype(np.float32)


@dataclass(frozen=True)
class Comparison:
    """One task: median seconds by name, largest difference from ``exact`` by name."""

    task: str
    times: dict[str, float]
    differences: dict[str, float]


def apply_filters(photograph: Array) -> Array:
    """The filtered pictures by fastconv, (4, H - 4, W - 4, 3); edges are shown on grey.

    Without padding: zeros around the picture would show as a frame.
    """
    y = fastconv.conv2d(photograph, filter_bank())
    pictures = y.reshape(4, 3, *y.shape[2:]).transpose(0, 2, 3, 1).copy()
    pictures[1:3] = 0.5 + pictures[1:3] / 2
    clipped: Array = pictures.clip(0, 1)
    return clipped


def compare_crop(photograph: Array, repeats: int, height: int = 40, width: int = 60) -> Comparison:
    """All contestants on a crop from the picture's middle that the loops manage."""
    top, left = (photograph.shape[2] - height) // 2, (photograph.shape[3] - width) // 2
    crop = np.ascontiguousarray(photograph[:, :, top : top + height, left : left + width])
    weight = filter_bank()
    contestants = {"Python loops": lambda: conv2d_loops(crop, weight, 2)}
    contestants |= _array_contestants(crop, weight)
    return _compare(f"a crop of {width} x {height} pixels", crop, weight, contestants, repeats)


def compare_photograph(photograph: Array, repeats: int) -> Comparison:
    """All contestants but the loops on the whole picture."""
    height, width = photograph.shape[2:]
    weight = filter_bank()
    contestants = _array_contestants(photograph, weight)
    task = f"the photograph, {width} x {height} pixels"
    return _compare(task, photograph, weight, contestants, repeats)


def _array_contestants(x: Array, weight: Array) -> dict[str, Callable[[], Array]]:
    return {
        "NumPy im2col": lambda: conv2d_im2col(x, weight, 2),
        "fastconv reference": lambda: fastconv.conv2d(
            x, weight, padding="same", algorithm="reference"
        ),
        "fastconv": lambda: fastconv.conv2d(x, weight, padding="same"),
    }


def _compare(
    task: str, x: Array, weight: Array, contestants: dict[str, Callable[[], Array]], repeats: int
) -> Comparison:
    times, results = median_times(contestants, repeats)
    exact = conv2d_im2col(x.astype(np.float64), weight.astype(np.float64), 2)
    differences = {name: float(np.abs(y - exact).max()) for name, y in results.items()}
    return Comparison(task, times, differences)
