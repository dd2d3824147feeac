"""Maximum pools of bytes by vectors: exactly what NumPy finds, indices included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core
from fastconv.dispatch.cache import PLANS

pytestmark = pytest.mark.skipif(core is None, reason="the compiled core isn't built")


@pytest.fixture(autouse=True)
def _plans_of_this_level(level):
    """Plans are kept, and what they need of memory is another level's."""
    PLANS.clear()


LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
every_byte = pytest.mark.parametrize("dtype", ["int8", "uint8"])


@st.composite
def windows(draw):
    """Draw (shape, kernel, stride, padding, dilation), some lines longer than kernels hold."""
    ndim = draw(st.integers(1, 3))
    longest = draw(st.sampled_from(({1: 2600, 2: 150, 3: 12}[ndim], {1: 90, 2: 12, 3: 5}[ndim])))
    kernel = draw(st.tuples(*[st.integers(1, (9, 6, 4)[ndim - 1])] * ndim))
    stride = draw(st.tuples(*[st.integers(1, 9 if ndim == 1 else 4)] * ndim))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * ndim))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    extents = tuple(
        draw(st.integers((k - 1) * d + 1, (k - 1) * d + longest))
        for k, d in zip(kernel, dilation, strict=True)
    )
    batch = draw(st.integers(1, 3)), draw(st.integers(1, 70 if ndim == 1 else 9))
    return (*batch, *extents), kernel, stride, padding, dilation


def values(rng, shape, dtype, kind):
    """Return bytes of a kind: all of them, few (which are often alike), or the least alone."""
    ends = np.iinfo(dtype)
    if kind == "least":
        return np.full(shape, ends.min, dtype)
    high = ends.min + 4 if kind == "few" else ends.max + 1
    return rng.integers(ends.min, high, shape).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(
    drawn=windows(), kind=st.sampled_from(["all", "few", "least"]), last=st.booleans(),
    odd=st.booleans(), ceil=st.booleans(), seed=st.integers(0, 2**31), threads=st.integers(1, 3),
)  # fmt: skip
@every_byte
def test_as_the_reference(level, layouts, dtype, drawn, kind, last, odd, ceil, seed, threads):
    rng = np.random.default_rng(seed)
    shape, kernel, stride, padding, dilation = drawn
    ndim = len(shape) - 2
    x = values(rng, shape, dtype, kind)
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if last else x
    x = layouts.strided(rng, x) if odd else x
    pool = getattr(fastconv, f"max_pool{ndim}d")
    window = kernel, stride, padding, dilation, ceil
    options = {"layout": LAYOUTS[ndim][last]}
    expected, places = pool(
        x, *window, return_indices=True, algorithm="reference", backend="cpu", **options
    )
    options |= {"algorithm": "compiled", "threads": threads}
    y, indices = pool(x, *window, return_indices=True, **options)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, places)
    np.testing.assert_array_equal(pool(x, *window, **options), expected)


@every_byte
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_common_windows_on_lines_of_any_length(level, dtype, last, kernel, stride, padding):
    """Vectors that begin or end anywhere, up to the last byte of an array."""
    rng = np.random.default_rng(0)
    for extent in (*range(2, 40), 63, 64, 65, 127, 128, 129, 200):
        x = values(rng, (1, 2, 4, extent), dtype, "all")
        if last:
            x = np.ascontiguousarray(x.transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1)
        if x.shape[2] + 2 * padding < kernel or extent + 2 * padding < kernel:
            continue
        out = fastconv.max_pool2d(x, kernel, stride, padding)
        wide = fastconv.max_pool2d(x.astype(np.int64), kernel, stride, padding)
        np.testing.assert_array_equal(out, wide)


@every_byte
def test_only_the_output_is_written(level, dtype):
    """Vectors end with a line: its neighbours in the same array stay as they were."""
    rng = np.random.default_rng(1)
    for extent in range(2, 80):
        x = values(rng, (1, 1, 6, extent), dtype, "all")
        for kernel, stride, padding in ((2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 1)):
            expected = fastconv.max_pool2d(x, kernel, stride, padding)
            rows, items = expected.shape[2:]
            held = np.full((rows, items + 2), 77, dtype)
            out = held[None, None, :, 1:-1]
            fastconv.max_pool2d(x, kernel, stride, padding, out=out)
            np.testing.assert_array_equal(out, expected)
            assert (held[:, [0, -1]] == 77).all()
