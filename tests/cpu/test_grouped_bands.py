"""Rows of x that are widened, or rounded, once for a band of outputs: whatever fits the scratch."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from grouped_support import LAYOUTS, arrays, bits, half, layers  # noqa: E402

import fastconv  # noqa: E402
from fastconv.precision import rounded  # noqa: E402

ITEMS = [
    ("float16", ""),
    ("bfloat16", ""),
    *(("float32", to) for to in ("tf32", "bfloat16", "float16")),
]
GUARD = 0x7F
# The weight's bytes of 24 channels, in pieces of 16, and 5 x 5 taps.
PACKED = 4 * 32 * 5 * 5


class _Layer:
    """One channel per group: operands, and what the core is called with."""

    def __init__(self, layer, dtype, rounding, seed):
        _, channels, space, kernel, place = layer
        rng = np.random.default_rng(seed)
        x, weight, self.bias = arrays(rng, "float32", 1, channels, space, kernel)
        self.dtype, self.rounding = dtype, rounding
        self.x = x.astype(half(dtype))
        self.call = {**place, "groups": channels, "layout": LAYOUTS[len(space)]}
        weight = rounded(weight, rounding or dtype).astype(np.float32)
        before = tuple(first for first, _ in place["padding"])
        wide = rounded(self.x.astype(np.float32), rounding) if rounding else self.x.astype("f")
        convolve = getattr(fastconv, f"conv{len(space)}d")
        exact = convolve(wide, weight, self.bias, algorithm="grouped", threads=1, **self.call)
        self.exact = exact.astype(half(dtype))
        self.geometry = core.Geometry(
            space, kernel, place["stride"], before, place["dilation"], exact.shape[1:-1]
        )
        self.packed = np.zeros(-(-channels // 16) * 16 * prod(kernel), np.float32)
        core.grouped_pack(weight, self.packed, "float32")
        self.row = space[-1] * -(-channels // 16) * 64

    def run(self, threads, scratch):
        y = np.zeros(self.exact.shape, self.exact.dtype)
        x, y = np.moveaxis(self.x, -1, 1), np.moveaxis(y, -1, 1)
        core.grouped(
            self.geometry, x, self.packed, y, self.bias, 1, 0, 0.0, self.dtype, threads,
            self.rounding, False, True, scratch,
        )  # fmt: skip
        return np.moveaxis(y, 1, -1)


@settings(max_examples=60, deadline=None)
@given(
    layer=layers(), seed=st.integers(0, 2**31), threads=st.integers(1, 3), rows=st.integers(0, 20),
    odd=st.sampled_from([0, 4, 60]),
)  # fmt: skip
@pytest.mark.parametrize(("dtype", "rounding"), ITEMS)
def test_no_height_of_a_band_changes_a_bit(level, dtype, rounding, layer, seed, threads, rows, odd):
    made = _Layer(layer, dtype, rounding, seed)
    size = threads * rows * made.row + odd
    memory = np.full(size + 64, GUARD, np.uint8)
    result = made.run(threads, memory[:size])
    np.testing.assert_array_equal(bits(result), bits(made.exact))
    assert (memory[size:] == GUARD).all()
    *deep, down = (1, *layer[3][:-1])
    spanned = (down - 1) * (1, *layer[4]["dilation"])[-2] + 1
    unused = (memory[:size] == GUARD).all()
    assert unused or (
        prod(deep) == 1 and rows >= spanned and not core.grouped_slides(made.geometry)
    )


@pytest.mark.parametrize("item", [np.inf, np.nan, 1e-41, 3.4e38])
@pytest.mark.parametrize("rounding", ["tf32", "bfloat16", "float16"])
def test_a_row_that_a_quick_way_gets_wrong(level, rounding, item):
    place = {"stride": (1, 1), "padding": ((2, 2),) * 2, "dilation": (1, 1)}
    made = _Layer((1, 21, (19, 7), (5, 5), place), "float32", rounding, 3)
    made.x[0, 9, 3, 20] = item
    with np.errstate(all="ignore"):
        scratch = np.zeros(2 * 8 * made.row, np.uint8)
        result = made.run(2, scratch)
        wide = made.run(2, None)
    assert scratch.any()
    np.testing.assert_array_equal(bits(result), bits(wide))
    assert (bits(result)[1] == bits(made.exact)[1]).all()


@pytest.mark.parametrize(("share", "fits"), [(1, True), (10**9, False)])
def test_rows_too_long_for_the_cache_are_widened_by_tiles(level, share, fits, monkeypatch):
    monkeypatch.setattr("fastconv.cpu.grouped.plan._BAND_SHARE", share)
    # A width of its own: plans of a shape are kept.
    x, weight, bias = arrays(np.random.default_rng(4), "float16", 1, 24, (17, 15 + fits), (5, 5))
    call = {"groups": 24, "padding": 2, "layout": "NHWC", "algorithm": "grouped"}
    assert (_workspace(x, weight, call) > PACKED) == fits
    _check_like_float32(x, weight, bias, call)


def test_a_workspace_without_room_for_bands(level):
    x, weight, bias = arrays(np.random.default_rng(5), "float16", 1, 24, (18, 11), (5, 5))
    call = {"groups": 24, "padding": 2, "layout": "NHWC", "algorithm": "grouped"}
    assert _workspace(x, weight, call) > PACKED
    with fastconv.use(workspace_limit=PACKED):
        assert _workspace(x, weight, call) == PACKED
        _check_like_float32(x, weight, bias, call)


def _workspace(x, weight, call):
    return fastconv.explain(fastconv.conv2d, x, weight, **call).problems[0].chosen.workspace_bytes


def _check_like_float32(x, weight, bias, call):
    wide = fastconv.conv2d(*(a.astype(np.float32) for a in (x, weight, bias)), **call)
    np.testing.assert_array_equal(fastconv.conv2d(x, weight, bias, **call), wide.astype(np.float16))
