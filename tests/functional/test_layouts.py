"""Arrays as they come: any strides, byte order and address; out= of any kind; inputs untouched."""

import numpy as np
import pytest
from conv_support import (
    BFLOAT16,
    FLOATS,
    INTEGERS,
    LAYOUTS,
    may_be_slow,
    odd_memory,
    odd_out,
    to_layout,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)


def _operations(rng, dtype, channels_last):
    """Return {name: (function, array arguments, other keywords)} of small calls."""
    x = values(rng, (2, 4, 7, 6), dtype)
    weight, y = values(rng, (6, 2, 3, 2), dtype), values(rng, (2, 6, 4, 4), dtype)
    small = values(rng, (2, 6, 3, 3), dtype)
    features, matrix = values(rng, (2, 3, 5), dtype), values(rng, (4, 5), dtype)
    layout = {"layout": LAYOUTS[2][channels_last]}
    x, y, small = (to_layout(array, channels_last) for array in (x, y, small))
    rest = {"stride": 2, "padding": ((1, 1), (2, 0)), "groups": 2} | layout
    columns = values(rng, (2, 12, 20), dtype)
    return {
        "conv2d": (fastconv.conv2d, (x, weight, values(rng, (6,), dtype)), rest),
        "conv_transpose2d": (
            fastconv.conv_transpose2d, (small, weight, values(rng, (4,), dtype)), rest,
        ),
        "conv2d_input_grad": (
            lambda w, g, **kw: fastconv.conv2d_input_grad(x.shape, w, g, **kw), (weight, y), rest,
        ),
        "conv2d_weight_grad": (
            lambda x, g, **kw: fastconv.conv2d_weight_grad(x, (6, 2, 3, 2), g, **kw), (x, y), rest,
        ),
        "conv2d_backward": (
            lambda g, x, w, **kw: fastconv.conv2d_backward(g, x, w, **kw), (y, x, weight), rest,
        ),
        "linear": (fastconv.linear, (features, matrix, values(rng, (4,), dtype)), {}),
        "linear_backward": (
            fastconv.linear_backward, (values(rng, (2, 3, 4), dtype), features, matrix), {},
        ),
        "im2col": (
            fastconv.im2col, (x,), {"kernel_size": (3, 2), "padding": 1, "dilation": 2} | layout,
        ),
        "col2im": (
            fastconv.col2im, (columns,), {"output_size": (7, 5), "kernel_size": (3, 2)} | layout,
        ),
    }  # fmt: skip


NAMES = tuple(_operations(np.random.default_rng(0), "float32", False))
BACKWARD = tuple(name for name in NAMES if name.endswith("backward"))
OTHERS = tuple(name for name in NAMES if name not in BACKWARD)


def _results(found):
    return found if isinstance(found, tuple) else (found,)


def _plain(array):
    """Return a contiguous copy in native byte order."""
    dtype = array.dtype if array.dtype in BFLOAT16 else array.dtype.newbyteorder("=")
    return np.array(array, dtype, order="C")


def _close(got, expected):
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if expected.dtype.kind not in "fcV":
        np.testing.assert_array_equal(got, expected)
        return
    kind = complex if expected.dtype.kind == "c" else float
    unit = {2: 2.0**-7, 4: 2.0**-18, 8: 2.0**-18, 16: 2.0**-45}[expected.dtype.itemsize]
    np.testing.assert_allclose(got.astype(kind), expected.astype(kind), unit, 16 * unit)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(seeds, st.sampled_from(FLOATS + INTEGERS))
def test_memory_does_not_matter_and_stays_as_it_was(name, channels_last, seed, dtype):
    rng = np.random.default_rng(seed)
    function, arrays, rest = _operations(rng, dtype, channels_last)[name]
    odd = tuple(odd_memory(rng, array) for array in arrays)
    plain = tuple(_plain(array) for array in odd)
    expected = _results(function(*plain, **rest))
    before = [array.tobytes() for array in odd]
    found = _results(function(*odd, **rest))
    assert [array.tobytes() for array in odd] == before
    for got, value in zip(found, expected, strict=True):
        _close(got, value)
        assert got.flags.c_contiguous
        assert got.flags.writeable


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=25)
@given(seeds, st.sampled_from(FLOATS))
def test_out_in_any_memory_gets_the_result(name, channels_last, seed, dtype):
    rng = np.random.default_rng(seed)
    function, arrays, rest = _operations(rng, dtype, channels_last)[name]
    expected = function(*arrays, **rest)
    out = odd_out(rng, expected.shape, expected.dtype)
    memory = out
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    beside = memory.copy()
    assert function(*arrays, **rest, out=out) is out
    _close(out, expected)
    # Nothing beside the result was written: put the old bytes back where it lies.
    out[...] = np.frombuffer(b"\xff" * out.itemsize, out.dtype)[0]
    np.testing.assert_array_equal(memory, beside)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "complex128", "float16"])
@pytest.mark.parametrize("name", OTHERS)
def test_out_may_overlap_the_inputs(name, dtype, channels_last):
    rng = np.random.default_rng(0)
    function, arrays, rest = _operations(rng, dtype, channels_last)[name]
    expected = function(*arrays, **rest)
    for position, victim in enumerate(arrays):
        for shift in (0, 1, 5):
            memory = np.zeros(max(victim.size, expected.size) + 8, dtype)
            inside = memory[: victim.size].reshape(victim.shape)
            inside[...] = victim
            out = memory[shift : shift + expected.size].reshape(expected.shape)
            operands = (*arrays[:position], inside, *arrays[position + 1 :])
            function(*operands, **rest, out=out)
            _close(out, expected)


def test_out_may_be_the_input_itself():
    x = np.random.default_rng(0).random((2, 3, 5, 5))
    weight = np.random.default_rng(1).random((3, 3, 3, 3))
    expected = fastconv.conv2d(x, weight, padding=1)
    assert fastconv.conv2d(x, weight, padding=1, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_a_result_in_channels_last_is_contiguous_there():
    y = fastconv.conv2d(np.ones((2, 5, 6, 3)), np.ones((4, 3, 2, 2)), layout="NHWC")
    assert y.shape == (2, 4, 5, 4)
    assert y.flags.c_contiguous


@pytest.mark.parametrize(("ndim", "names"), [(1, ("NLC", "NWC")), (1, ("NCL", "NCW"))])
def test_layouts_have_more_than_one_name(ndim, names):
    x, weight = np.random.default_rng(0).random((2, 4, 4)), np.ones((3, 4, 2))
    first, second = (fastconv.conv1d(x, weight, layout=name) for name in names)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["linear", "linear_backward"])
def test_a_layer_on_a_strided_batch_of_batches(name):
    # More than two axes that don't merge into one: a copy, not a wrong result.
    x = np.random.default_rng(0).random((3, 4, 5)).transpose(1, 0, 2)
    weight = np.random.default_rng(1).random((2, 5))
    if name == "linear":
        out = np.full((4, 3, 4), np.nan)[..., ::2]
        fastconv.linear(x, weight, out=out)
        np.testing.assert_allclose(out, x @ weight.T)
    else:
        grad = np.random.default_rng(2).random((3, 4, 2)).transpose(1, 0, 2)
        dx, dw, db = fastconv.linear_backward(grad, x, weight)
        np.testing.assert_allclose(dx, grad @ weight)
        np.testing.assert_allclose(dw, np.einsum("abo,abi->oi", grad, x))
        np.testing.assert_allclose(db, grad.sum((0, 1)))
