"""Pools on arrays of every layout and dtype, and into every out=."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

ALGORITHMS = ["reference"] if core is None else ["compiled", "reference"]
if core is None:  # everything is the reference's then, which says that it is slow
    pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


def odd_strides(values, seed):
    """Return the same values in another order of axes, reversed, with gaps or unaligned."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(values.ndim)
    gaps = rng.integers(1, 3, values.ndim)
    flips = tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], values.ndim))
    extents = [values.shape[axis] * gaps[axis] for axis in order]
    shift = int(rng.integers(0, 2))
    memory = np.zeros(int(np.prod(extents)) * values.itemsize + 8, np.uint8)
    flat = memory[shift : shift + int(np.prod(extents)) * values.itemsize].view(values.dtype)
    view = flat.reshape(extents).transpose(np.argsort(order))
    view = view[tuple(slice(None, None, int(gap)) for gap in gaps)][flips]
    view[...] = values
    return view


def every_pool(x, **options):
    """Yield the results of all forward functions and gradients on x, (N, C, 1 to 3 axes)."""
    ndim = x.ndim - 2
    last = options.get("layout", "").endswith("C")

    def call(name, *args, **kwargs):
        return getattr(fastconv, name.format(f"pool{ndim}d"))(*args, **options, **kwargs)

    largest, indices = call("max_{}", x, 2, 1, 1, return_indices=True)
    yield from (largest, indices)
    yield call("max_{}_backward", largest, x, indices, 2, 1, 1)
    average = call("avg_{}", x, 3, 2, 1, True, False)
    yield average
    yield call("avg_{}_backward", average, x, 3, 2, 1, True, False)
    norms = call("lp_{}", x, 2, 2, 1)
    yield norms
    yield call("lp_{}_backward", norms, x, 2, 2, 1)
    yield call("adaptive_avg_{}", x, 2)
    most, places = call("adaptive_max_{}", x, 3, return_indices=True)
    yield from (most, places)
    yield call("adaptive_max_{}_backward", most, x, places)
    size = x.shape[1:-1] if last else x.shape[2:]
    name = f"max_unpool{ndim}d"
    unpooled = getattr(fastconv, name)(largest, indices, 2, 1, 1, size, **options)
    yield unpooled
    yield getattr(fastconv, f"{name}_backward")(
        unpooled, largest, indices, 2, 1, 1, size, **options
    )


@every_algorithm
@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(1, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_strides_and_layout(algorithm, data, ndim, last, seed):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 6), *[st.integers(3, 6)] * ndim))
    x = np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float64)
    given_x = np.moveaxis(x, 1, -1) if last else x
    given_x = odd_strides(given_x, seed)
    given_x.flags.writeable = False
    expected = list(every_pool(x, algorithm="reference"))
    results = list(every_pool(given_x, layout=LAYOUTS[ndim][last], algorithm=algorithm))
    for result, wanted in zip(results, expected, strict=True):
        assert result.flags.c_contiguous
        assert result.flags.writeable
        result = np.moveaxis(result, -1, 1) if last else result
        np.testing.assert_allclose(result, wanted, rtol=1e-13, atol=1e-13)


@every_algorithm
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_zero_strides_and_byte_order(algorithm, ndim):
    x = np.random.default_rng(0).standard_normal((2, 1, *(4, 5, 3)[:ndim]))
    wide = np.broadcast_to(x, (2, 3, *x.shape[2:]))
    expected = list(every_pool(np.ascontiguousarray(wide), algorithm=algorithm))
    for same in (wide, wide.astype(wide.dtype.newbyteorder())):
        for result, wanted in zip(every_pool(same, algorithm=algorithm), expected, strict=True):
            assert result.dtype.isnative
            np.testing.assert_array_equal(result, wanted)


def test_lists_are_taken_as_arrays():
    assert fastconv.max_pool1d([[1, 3, 2, 4]], 2).tolist() == [[3, 4]]
    assert fastconv.avg_pool1d([[1, 3, 2, 4]], 2).tolist() == [[2.0, 3.0]]
    y, indices = fastconv.max_pool1d([[1.0, 3.0, 2.0]], 2, return_indices=True)
    back = fastconv.max_pool1d_backward(y.tolist(), [[1.0, 3.0, 2.0]], indices.tolist(), 2)
    assert back.tolist() == [[0, 3, 0]]


@every_algorithm
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("last", [False, True])
def test_unbatched(algorithm, ndim, last):
    shape = (5, 6, 4)[:ndim]
    x = np.random.default_rng(1).standard_normal((1, *shape, 3) if last else (1, 3, *shape))
    options = {"layout": LAYOUTS[ndim][last], "algorithm": algorithm}
    for stem, args in (("max", (2,)), ("avg", (2,)), ("lp", (2, 2)), ("adaptive_max", (3,))):
        function = getattr(fastconv, f"{stem}_pool{ndim}d")
        np.testing.assert_array_equal(
            function(x[0], *args, **options), function(x, *args, **options)[0]
        )
    max_pool, backward, unpool = (
        getattr(fastconv, name.format(ndim))
        for name in ("max_pool{}d", "max_pool{}d_backward", "max_unpool{}d")
    )
    y, indices = max_pool(x, 2, return_indices=True, **options)
    np.testing.assert_array_equal(
        backward(y[0], x[0], indices[0], 2, **options), backward(y, x, indices, 2, **options)[0]
    )
    np.testing.assert_array_equal(
        unpool(y[0], indices[0], 2, **options), unpool(y, indices, 2, **options)[0]
    )


@every_algorithm
def test_empty_batch(algorithm):
    x = np.zeros((0, 3, 4, 5), np.float32)
    for result in every_pool(x, algorithm=algorithm):
        assert result.shape[0] == 0


@every_algorithm
@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "longdouble"])
@pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")
def test_maxima_keep_any_dtype(algorithm, dtype):
    if dtype == "longdouble" and algorithm == "compiled":
        algorithm = None  # the reference serves it
    rng = np.random.default_rng(2)
    kind = np.dtype(dtype)
    low, high = (0, 2) if kind.kind in "bf" else (np.iinfo(kind).min, np.iinfo(kind).max)
    x = rng.integers(low, high, (2, 3, 6, 7), dtype=np.int64 if kind.kind in "bf" else kind)
    x = x.astype(kind)
    y, indices = fastconv.max_pool2d(x, 3, 2, 1, return_indices=True, algorithm=algorithm)
    # Exact where int64's range is: float64 would round large numbers.
    wide = x.astype(object)
    padded = np.full((2, 3, 8, 9), None, object)
    padded[:, :, 1:7, 1:8] = wide
    for n, c, i, j in np.ndindex(y.shape):
        window = padded[n, c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(-1)
        assert y[n, c, i, j] == max(v for v in window if v is not None)
    assert y.dtype == kind
    flat = x.reshape(2, 3, -1)
    gathered = np.take_along_axis(flat, indices.reshape(2, 3, -1), 2).reshape(y.shape)
    np.testing.assert_array_equal(gathered, y)


@every_algorithm
@pytest.mark.parametrize("dtype", INTEGERS)
def test_gradients_of_integers_wrap(algorithm, dtype):
    grad = np.full((1, 1, 3), np.iinfo(dtype).max, dtype)
    indices = np.zeros((1, 1, 3), np.int32)
    result = fastconv.max_pool1d_backward(
        grad, np.zeros((1, 1, 4)), indices, 2, 1, algorithm=algorithm
    )
    with np.errstate(over="ignore"):
        expected = grad.sum(dtype=dtype)
    assert result.dtype == dtype
    assert result.tolist() == [[[int(expected), 0, 0, 0]]]


@every_algorithm
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_sums_of_integers_are_float64(algorithm, dtype):
    x = np.random.default_rng(3).integers(0, 2, (2, 3, 4, 5)).astype(dtype)
    for name, args in (
        ("avg_pool2d", (2,)),
        ("lp_pool2d", (2, 2)),
        ("adaptive_avg_pool2d", (3,)),
    ):
        function = getattr(fastconv, name)
        y = function(x, *args, algorithm=algorithm)
        assert y.dtype == np.float64
        np.testing.assert_array_equal(y, function(x.astype(float), *args, algorithm=algorithm))


@every_algorithm
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("last", [False, True])
def test_complex_averages(algorithm, dtype, last):
    rng = np.random.default_rng(4)
    x = (rng.standard_normal((2, 5, 6, 7)) + 1j * rng.standard_normal((2, 5, 6, 7))).astype(dtype)
    options = {"layout": "NHWC" if last else "NCHW", "algorithm": algorithm}
    y = fastconv.avg_pool2d(x, 3, 2, 1, **options)
    back = fastconv.avg_pool2d_backward(y, x, 3, 2, 1, **options)
    assert y.dtype == back.dtype == np.dtype(dtype)
    for part in ("real", "imag"):
        one = getattr(x, part)
        np.testing.assert_allclose(
            getattr(y, part), fastconv.avg_pool2d(one, 3, 2, 1, **options), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(
            getattr(back, part),
            fastconv.avg_pool2d_backward(getattr(y, part), one, 3, 2, 1, **options),
            rtol=1e-5,
            atol=1e-6,
        )


def narrow_dtype(name):
    if name == "float16":
        return np.dtype(np.float16)
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes, which has bfloat16, is missing")
    return np.dtype(ml_dtypes.bfloat16)


@every_algorithm
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("last", [False, True])
def test_16_bit_is_computed_in_float32_and_rounded_once(algorithm, name, last):
    dtype = narrow_dtype(name)
    x = np.random.default_rng(5).standard_normal((2, 6, 7, 8)).astype(dtype)
    options = {"layout": "NHWC" if last else "NCHW", "algorithm": algorithm}
    wide = list(every_pool(x.astype(np.float64), **options))
    spacing = 2.0 ** (-10 if name == "float16" else -7)
    for number, (result, exact) in enumerate(zip(every_pool(x, **options), wide, strict=True)):
        if result.dtype == np.int64:
            np.testing.assert_array_equal(result, exact)
            continue
        assert result.dtype == dtype
        # Half a spacing for the result, and where it follows from a rounded one, for that.
        np.testing.assert_allclose(
            result.astype(np.float64), exact, rtol=spacing * 1.01, atol=spacing / 2,
            err_msg=str(number),
        )  # fmt: skip
    average = fastconv.avg_pool2d(x, 3, 2, 1, **options).astype(np.float64)
    exact = fastconv.avg_pool2d(x.astype(np.float64), 3, 2, 1, **options)
    np.testing.assert_allclose(average, exact, rtol=spacing * 0.51, atol=1e-7)


@every_algorithm
def test_float16_overflows_to_infinity(algorithm):
    x = np.full((1, 1, 4), 6e4, np.float16)
    with pytest.warns(RuntimeWarning, match="lp_pool1d: a result is beyond 65504"):
        y = fastconv.lp_pool1d(x, 1, 2, algorithm=algorithm)
    assert y.tolist() == [[[np.inf, np.inf]]]
    with pytest.warns(RuntimeWarning, match="max_pool1d_backward: a result is beyond 65504"):
        y = fastconv.max_pool1d_backward(x, x, np.zeros((1, 1, 4), int), 1, algorithm=algorithm)
    assert y.tolist() == [[[np.inf, 0, 0, 0]]]


FORWARD = {
    "max_pool2d": (2, 1),
    "avg_pool2d": (2, 1),
    "lp_pool2d": (2, 2, 1),
    "adaptive_avg_pool2d": ((4, 5),),
    "adaptive_max_pool2d": ((4, 5),),
}


@every_algorithm
@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("last", [False, True])
def test_out(algorithm, name, last):
    layout = "NHWC" if last else "NCHW"
    x = np.random.default_rng(6).standard_normal((2, 5, 6, 5) if last else (2, 5, 5, 6))
    function, args = getattr(fastconv, name), FORWARD[name]
    expected = function(x, *args, layout=layout, algorithm=algorithm)
    out = odd_strides(np.zeros_like(expected), 3)
    result = function(x, *args, layout=layout, algorithm=algorithm, out=out)
    assert result is out
    np.testing.assert_array_equal(out, expected)
    shared = x.copy()
    inside = shared[:, : expected.shape[1], : expected.shape[2], : expected.shape[3]]
    result = function(shared, *args, layout=layout, algorithm=algorithm, out=inside)
    np.testing.assert_array_equal(result, expected)


@every_algorithm
def test_out_of_maxima_with_indices_and_of_unpooling(algorithm):
    x = np.random.default_rng(7).standard_normal((2, 3, 6, 8))
    expected = fastconv.max_pool2d(x, 2, return_indices=True, algorithm=algorithm)
    out = np.empty((2, 3, 3, 4))
    y, indices = fastconv.max_pool2d(x, 2, return_indices=True, out=out, algorithm=algorithm)
    assert y is out
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(indices, expected[1])
    target = np.full((2, 3, 6, 8), np.nan)
    target[:, :, :3, :4] = y
    shared = target[:, :, :3, :4]
    wanted = fastconv.max_unpool2d(y, indices, 2, algorithm=algorithm)
    result = fastconv.max_unpool2d(shared, indices, 2, out=target, algorithm=algorithm)
    assert result is target
    np.testing.assert_array_equal(target, wanted)
