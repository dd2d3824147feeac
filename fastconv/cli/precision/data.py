"""MNIST's files, where the user has some."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastconv.cli.demo.training import Digits

NAMES = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
HELD_BACK = 1000


def load_mnist(folder: Path) -> Digits:
    """MNIST's 10,000 test images, the last 1,000 of them held back.

    Raises
    ------
    ValueError
        If the folder hasn't the two files, or they aren't what their names say.
    """
    images, labels = (_idx(folder / name) for name in NAMES)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(f"{folder}: got arrays {images.shape} and {labels.shape}, expected images")
    pixels = (images[:, None] / 255).astype(np.float32)
    classes = labels.astype(np.int64)
    return Digits(
        pixels[:-HELD_BACK], classes[:-HELD_BACK], pixels[-HELD_BACK:], classes[-HELD_BACK:]
    )


def _idx(path: Path) -> NDArray[Any]:
    """An array from a gzipped file in MNIST's format: axes and extents, then bytes."""
    if not path.is_file():
        raise ValueError(f"{path.parent}: got no {path.name}, expected MNIST's files {NAMES}")
    raw = gzip.decompress(path.read_bytes())
    axes = raw[3] if raw[:3] == b"\x00\x00\x08" else 0
    axes = axes if len(raw) >= 4 + 4 * axes else 0
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", axes, 4)) if axes else ()
    if not axes or len(raw) != 4 + 4 * axes + int(np.prod(shape)):
        raise ValueError(f"{path}: got other bytes, expected an array of bytes in MNIST's format")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)
