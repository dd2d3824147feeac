"""Tensor maps as hopper_twins.h reads them, in place of the driver's."""

from __future__ import annotations

import numpy as np
from fastconv_cuda.tensor_maps import MAP_BYTES, why_not

DESCRIBED = np.dtype(
    [
        ("address", "u8"),
        ("strides", "u8", 4),
        ("extents", "u4", 5),
        ("box", "u4", 5),
        ("lower", "i2", 3),
        ("upper", "i2", 3),
        ("steps", "u1", 5),
        ("rank", "u1"),
        ("size", "u1"),
        ("im2col", "u1"),
        ("swizzle", "u2"),
        ("tf32", "u2"),
    ]
)


def encoded(wanted, address):
    """Return the bytes that stand for a tensor map; AssertionError where the driver refuses."""
    reason = why_not(wanted) or ("a misaligned address" if address % 16 else "")
    assert not reason, reason
    described = np.zeros(1, DESCRIBED)
    d = described[0]
    d["address"], d["rank"], d["size"] = address, len(wanted.extents), wanted.size
    d["swizzle"], d["tf32"] = wanted.row_bytes, wanted.dtype == "tf32"
    pixels = wanted.pixels
    fields = {"strides": wanted.strides, "extents": wanted.extents, "box": wanted.box}
    if pixels is not None:
        d["im2col"] = True
        fields |= {"lower": pixels.lower, "upper": pixels.upper, "steps": (1, *pixels.steps, 1)}
    for name, values in fields.items():
        d[name][: len(values)] = values
    return described.tobytes().ljust(MAP_BYTES, b"\0")
