"""The one thing that is asked of the driver itself: to encode tensor maps."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastconv_cuda.tensor_maps import MAP_BYTES, TensorMap

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# Numbers of cuda.h. Plain integers of a size are copied bit for bit; tf32 is rounded on the way.
_TYPES = {"uint8": 0, "int8": 0, "float16": 1, "bfloat16": 1, "tf32": 11}
_SWIZZLES = {32: 1, 64: 2, 128: 3}
_NOT_INTERLEAVED = 0
_PROMOTED_TO_256 = 3
_FILLED_WITH_ZEROS = 0
_ALIGNMENT = 64


@cache
def library() -> Any:
    """Return the driver."""
    return ctypes.CDLL(_LIBRARY)


def _array(kind: Any, values: Sequence[int]) -> Any:
    return (kind * len(values))(*values)


def encode(wanted: TensorMap, address: int, driver: Any = None) -> bytes:
    """Return a tensor map of an array at an address.

    Raises
    ------
    RuntimeError
        If the driver refuses, with all that it was told.
    """
    driver = driver or library()
    room = ctypes.create_string_buffer(MAP_BYTES + _ALIGNMENT)
    start = -ctypes.addressof(room) % _ALIGNMENT
    rank = len(wanted.extents)
    before = (
        ctypes.c_void_p(ctypes.addressof(room) + start),
        ctypes.c_int(_TYPES[wanted.dtype]),
        ctypes.c_uint32(rank),
        ctypes.c_void_p(address),
        _array(ctypes.c_uint64, wanted.extents),
        _array(ctypes.c_uint64, wanted.strides),
    )
    after = tuple(
        ctypes.c_int(number)
        for number in (
            _NOT_INTERLEAVED,
            _SWIZZLES[wanted.row_bytes],
            _PROMOTED_TO_256,
            _FILLED_WITH_ZEROS,
        )
    )
    pixels = wanted.pixels
    if pixels is None:
        box = _array(ctypes.c_uint32, wanted.box)
        steps = _array(ctypes.c_uint32, (1,) * rank)
        status = driver.cuTensorMapEncodeTiled(*before, box, steps, *after)
    else:
        channels, count = wanted.box
        corners = (_array(ctypes.c_int, corner) for corner in (pixels.lower, pixels.upper))
        steps = _array(ctypes.c_uint32, (1, *pixels.steps, 1))
        status = driver.cuTensorMapEncodeIm2col(
            *before, *corners, ctypes.c_uint32(channels), ctypes.c_uint32(count), steps, *after
        )
    if status:
        raise RuntimeError(
            f"the driver refuses a tensor map (CUresult {status}): {wanted}. "
            'algorithm="implicit_gemm_mma" does without'
        )
    return room.raw[start : start + MAP_BYTES]
