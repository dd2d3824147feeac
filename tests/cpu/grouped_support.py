"""Layers whose groups have few channels, side by side, for the tests of their kernels."""

import numpy as np
import pytest
from hypothesis import strategies as st

from fastconv.precision import FORMATS

LAYOUTS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def layers():
    """Draw (channels of a group, groups, spatial shape, kernel, and the rest of a call)."""
    return st.one_of(_layers(), sliding())


@st.composite
def sliding(draw):
    """Draw layers of the kind that a tile may slide along."""
    stride = draw(st.integers(1, 2))
    each = st.integers(0, 3)
    place = {
        "stride": (stride, stride),
        "padding": draw(st.tuples(*[st.tuples(each, each)] * 2)),
        "dilation": (1, 1),
    }
    space = draw(st.tuples(st.integers(3, 12), st.integers(3, 70)))
    return 1, draw(st.integers(1, 70)), space, (3, 3), place


@st.composite
def _layers(draw):
    ndim = draw(st.integers(1, 3))
    each = st.integers(1, 3)
    kernel = draw(st.tuples(*[st.integers(1, 7 if ndim < 3 else 4)] * ndim))
    dilation = draw(st.one_of(st.just((1,) * ndim), st.tuples(*[each] * ndim)))
    least = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    longest = {1: 60, 2: 24, 3: 9}[ndim]
    return draw(
        st.tuples(
            st.sampled_from([1, 1, 2, 4, 8]),
            st.integers(1, 40),
            st.tuples(*[st.integers(n, n + longest) for n in least]),
            st.just(kernel),
            st.fixed_dictionaries(
                {
                    "stride": st.tuples(*[each] * ndim),
                    "padding": st.tuples(*[st.tuples(each, each)] * ndim),
                    "dilation": st.just(dilation),
                }
            ),
        )
    )


def arrays(rng, dtype, group, groups, space, kernel):
    channels = group * groups
    x = rng.standard_normal((2, *space, channels)).astype(dtype)
    weight = rng.standard_normal((channels, group, *kernel)).astype(dtype)
    return x, weight, rng.standard_normal(channels).astype(dtype)


def check(result, exact, sizes, dtype, terms):
    """Within the classical bound of a sum of products, term by term."""
    bound = (terms + 2) * FORMATS[dtype].unit_roundoff * sizes + 1e-300
    assert (np.abs(result.astype(float) - exact) <= bound).all()


def bits(array):
    """Return what tells all numbers apart; of NaN, that it is one."""
    wide = array.astype(np.float32)
    return np.where(np.isnan(wide), np.float32(np.nan), wide).view(np.uint32)


def half(name):
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else name)
