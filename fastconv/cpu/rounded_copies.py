"""Copy arrays into float32 ones, rounded to a format with fewer bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.cpu.conversion import as_line, convert, lie_alike
from fastconv.cpu.isa import core
from fastconv.precision import FORMATS

_FLOAT32_FRACTION = FORMATS["float32"].fraction_bits


def fill_rounded(copy: Any, array: Any, precision: str, threads: int) -> None:
    """Fill a float32 array, all in one piece, with the nearest numbers of a format.

    Ties go to even; what is too large becomes infinite.
    """
    line = as_line(copy)
    if core is None:
        convert(copy, array, threads)
        _round(line, precision)
    elif array.dtype == np.float32 and array.dtype.isnative and lie_alike(copy, array):
        core.round_floats(as_line(array), line, precision, threads)
    else:
        convert(copy, array, threads)
        core.round_floats(line, line, precision, threads)


def _round(values: Any, precision: str) -> None:
    if precision == "float16":
        with np.errstate(all="ignore"):
            values[:] = values.astype(np.float16)
        return
    count = _FLOAT32_FRACTION - FORMATS[precision].fraction_bits
    nan = np.isnan(values)
    bits = values.view(np.uint32)
    half = bits >> np.uint32(count)
    half &= np.uint32(1)
    half += np.uint32((1 << (count - 1)) - 1)
    # The carry may reach the exponent, and infinity.
    bits += half
    bits &= np.uint32(0xFFFFFFFF << count & 0xFFFFFFFF)
    values[nan] = np.nan
