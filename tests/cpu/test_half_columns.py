"""col2im of float16 and bfloat16: float32's sums, rounded once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrow_support import HALVES, every_half

import fastconv
from fastconv.cpu.isa import core
from fastconv.dispatch.cache import PLANS

pytestmark = pytest.mark.skipif(core is None, reason="the compiled core isn't built")


@pytest.fixture(autouse=True)
def _plans_of_this_level(level):
    """Plans are kept, and what they need of memory is another level's."""
    PLANS.clear()


@every_half
@settings(max_examples=60, deadline=None)
@given(
    extents=st.one_of(
        st.tuples(st.integers(1, 6000)),
        st.tuples(st.integers(1, 30), st.integers(1, 90)),
        st.tuples(*[st.integers(1, 9)] * 3),
    ),
    batch=st.tuples(st.integers(1, 3), st.integers(1, 4)), kernel=st.integers(1, 4),
    stride=st.integers(1, 3), dilation=st.integers(1, 2), last=st.booleans(), odd=st.booleans(),
    seed=st.integers(0, 2**31), threads=st.integers(1, 3),
)  # fmt: skip
def test_as_float32_rounded(
    level, layouts, dtype, extents, batch, kernel, stride, dilation, last, odd, seed, threads
):
    rng = np.random.default_rng(seed)
    reach = (kernel - 1) * dilation + 1
    padding = int(rng.integers(0, reach))
    extents = tuple(max(extent, reach - 2 * padding) for extent in extents)
    layout = ("NCW", "NCHW", "NCDHW") if not last else ("NWC", "NHWC", "NDHWC")
    options = {
        "kernel_size": (kernel,) * len(extents), "stride": stride, "padding": padding,
        "dilation": dilation, "layout": layout[len(extents) - 1],
    }  # fmt: skip
    shape = (batch[0], *extents, batch[1]) if last else (*batch, *extents)
    columns = fastconv.im2col(np.zeros(shape, np.float32), **options)
    columns = rng.standard_normal(columns.shape).astype(HALVES[dtype])
    wide = columns.astype(np.float32)
    if odd:
        columns = layouts.strided(rng, columns)
        wide = np.ascontiguousarray(columns.astype(np.float32))
    options |= {"algorithm": "compiled", "threads": threads}
    image = fastconv.col2im(columns, extents, **options)
    expected = fastconv.col2im(wide, extents, **options).astype(HALVES[dtype])
    np.testing.assert_array_equal(image.view(np.uint16), expected.view(np.uint16))


@every_half
def test_sums_are_rounded_once(level, dtype):
    """Of a large number and many ones, rounding at each step would lose the ones."""
    large = 2.0 ** (12 if dtype == "float16" else 9)
    columns = np.ones((1, 64, 1), HALVES[dtype])
    columns[0, 0] = large
    image = fastconv.col2im(columns.reshape(1, 64, 1), (1, 64), (1, 64))
    assert image[0, 0, 0, 0] == large
    columns = np.ones((1, 8, 8), HALVES[dtype])  # windows of 8 along 15 items
    columns[0, 0, 7] = large
    image = fastconv.col2im(columns, (1, 15), (1, 8))
    assert float(image[0, 0, 0, 7]) == float(np.asarray(large + 7).astype(HALVES[dtype]))
