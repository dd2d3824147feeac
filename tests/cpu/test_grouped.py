"""Groups of few channels that lie side by side: what the kernels compute, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

import fastconv  # noqa: E402
from fastconv.precision import FORMATS, rounded  # noqa: E402

LAYOUTS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@st.composite
def layers(draw):
    """Draw (channels of a group, groups, spatial shape, kernel, and the rest of a call)."""
    ndim = draw(st.integers(1, 3))
    each = st.integers(1, 3)
    kernel = draw(st.tuples(*[st.integers(1, 4)] * ndim))
    dilation = draw(st.tuples(*[each] * ndim))
    least = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    longest = {1: 60, 2: 24, 3: 9}[ndim]
    return draw(
        st.tuples(
            st.sampled_from([2, 4, 8]),
            st.integers(1, 11),
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


@settings(max_examples=60, deadline=None)
@given(
    layer=layers(), seed=st.integers(0, 2**31), threads=st.integers(1, 3), odd=st.booleans(),
    relu=st.booleans(),
)  # fmt: skip
@every_dtype
def test_forward_against_float64(level, dtype, layer, seed, threads, odd, relu):
    group, groups, space, kernel, place = layer
    rng = np.random.default_rng(seed)
    x, weight, bias = arrays(rng, dtype, group, groups, space, kernel)
    convolve = getattr(fastconv, f"conv{len(space)}d")
    call = {**place, "groups": groups, "layout": LAYOUTS[len(space)]}
    wide = [a.astype(float) for a in (x, weight, bias)]
    exact = convolve(*wide, algorithm="reference", **call)
    sizes = convolve(*map(np.abs, wide), algorithm="reference", **call)
    if odd:  # every second pixel of a larger image, backwards
        room = np.zeros((2, *(2 * n for n in space), x.shape[-1]), dtype)
        view = room[:, *(slice(None, None, -2),) * len(space)]
        view[...] = x
        x, weight = view, np.asfortranarray(weight)
    result = convolve(
        x, weight, bias, activation="relu" if relu else None, algorithm="grouped",
        threads=threads, **call,
    )  # fmt: skip
    check(result, np.maximum(exact, 0) if relu else exact, sizes, dtype, weight[0].size)


@settings(max_examples=60, deadline=None)
@given(layer=layers(), seed=st.integers(0, 2**31), threads=st.integers(1, 3))
@every_dtype
def test_input_gradient_against_float64(level, dtype, layer, seed, threads):
    group, groups, space, kernel, place = layer
    rng = np.random.default_rng(seed)
    x, weight, _ = arrays(rng, dtype, group, groups, space, kernel)
    ndim, layout = len(space), LAYOUTS[len(space)]
    call = {**place, "stride": 1, "groups": groups, "layout": layout}
    reach = [(taps - 1) * step for taps, step in zip(kernel, place["dilation"], strict=True)]
    call["padding"] = tuple(
        (min(before, far), min(after, far))
        for (before, after), far in zip(place["padding"], reach, strict=True)
    )
    y = getattr(fastconv, f"conv{ndim}d")(x, weight, **call)
    grad = rng.standard_normal(y.shape).astype(dtype)
    backward = getattr(fastconv, f"conv{ndim}d_input_grad")
    exact, sizes = (
        backward(x.shape, f(weight.astype(float)), f(grad.astype(float)), algorithm="reference",
                 **call)
        for f in (np.array, np.abs)
    )  # fmt: skip
    result = backward(x.shape, weight, grad, algorithm="grouped", threads=threads, **call)
    check(result, exact, sizes, dtype, weight[0].size)


def bits(array):
    """Return what tells all numbers apart; of NaN, that it is one."""
    wide = array.astype(np.float32)
    return np.where(np.isnan(wide), np.float32(np.nan), wide).view(np.uint32)


def half(name):
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else name)


@settings(max_examples=40, deadline=None)
@given(layer=layers(), seed=st.integers(0, 2**31), silu=st.booleans())
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_as_float32_rounded_once(level, dtype, layer, seed, silu):
    group, groups, space, kernel, place = layer
    operands = arrays(np.random.default_rng(seed), half(dtype), group, groups, space, kernel)
    convolve = getattr(fastconv, f"conv{len(space)}d")
    call = {**place, "groups": groups, "layout": LAYOUTS[len(space)], "algorithm": "grouped"}
    call["activation"] = "silu" if silu else None
    wide = convolve(*(a.astype(np.float32) for a in operands), **call)
    np.testing.assert_array_equal(bits(convolve(*operands, **call)), bits(wide.astype(half(dtype))))


@settings(max_examples=40, deadline=None)
@given(layer=layers(), seed=st.integers(0, 2**31), special=st.booleans())
@pytest.mark.parametrize("precision", ["tf32", "float16", "bfloat16"])
def test_rounding_on_the_way_is_rounding_beforehand(level, precision, layer, seed, special):
    group, groups, space, kernel, place = layer
    rng = np.random.default_rng(seed)
    x, weight, bias = arrays(rng, "float32", group, groups, space, kernel)
    if special:
        x.flat[:: max(1, x.size // 5)] = rng.choice([np.inf, -np.inf, np.nan, 1e-41, 3e38], 1)
    convolve = getattr(fastconv, f"conv{len(space)}d")
    call = {**place, "groups": groups, "layout": LAYOUTS[len(space)], "algorithm": "grouped"}
    with np.errstate(all="ignore"):
        before = (rounded(x, precision), rounded(weight, precision), bias)
        result = convolve(x, weight, bias, precision=precision, **call)
    np.testing.assert_array_equal(bits(result), bits(convolve(*before, **call)))


@every_dtype
def test_a_weight_is_packed_ahead(level, dtype):
    rng = np.random.default_rng(1)
    x, weight, bias = arrays(rng, dtype, 4, 5, (9, 8), (3, 3))
    call = {"groups": 5, "padding": 1, "layout": "NHWC", "algorithm": "grouped"}
    prepared = fastconv.prepare(weight, x, **call)
    np.testing.assert_array_equal(
        fastconv.conv2d(x, prepared, bias, **call), fastconv.conv2d(x, weight, bias, **call)
    )


def test_threads_change_no_bit(level):
    x, weight, bias = arrays(np.random.default_rng(2), "float32", 8, 9, (19, 33), (3, 3))
    results = [
        fastconv.conv2d(
            x, weight, bias, padding=1, groups=9, layout="NHWC", algorithm="grouped", threads=t
        )
        for t in (1, 2, 3)
    ]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_not_a_number_stays_in_its_group_and_windows(level):
    x, weight, _ = arrays(np.random.default_rng(3), "float32", 4, 6, (9, 9), (3, 3))
    x[0, 4, 4, 9] = np.nan
    y = fastconv.conv2d(x, weight, padding=1, groups=6, layout="NHWC", algorithm="grouped")
    expected = np.zeros(y.shape, bool)
    expected[0, 3:6, 3:6, 8:12] = True
    np.testing.assert_array_equal(np.isnan(y), expected)


def test_it_is_taken_where_others_leave_lanes_empty():
    x, weight, _ = arrays(np.random.default_rng(4), "float32", 4, 32, (56, 56), (3, 3))
    call = {"padding": 1, "groups": 32, "layout": "NHWC"}
    chosen = fastconv.explain(fastconv.conv2d, x, weight, **call).problems[0].chosen
    assert chosen.algorithm == "grouped"


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("side by side", {"layout": "NCHW"}),
        ("as many in as out", {"groups": 1}),
        ("stride 1", {"function": fastconv.conv2d_input_grad, "stride": 2}),
    ],
)
def test_what_it_leaves_to_others(reason, change):
    rng = np.random.default_rng(5)
    call = {"groups": 2, "layout": "NHWC", "algorithm": "grouped", **change}
    function = call.pop("function", fastconv.conv2d)
    x = rng.standard_normal((1, 8, 8, 8)).astype("float32")
    weight = rng.standard_normal((8, 8 // call["groups"], 3, 3)).astype("float32")
    if call["groups"] == 1:
        weight = weight[:4]
    operands = (x, weight)
    if function is fastconv.conv2d_input_grad:
        operands = ((1, 8, 8, 8), weight, np.zeros((1, 3, 3, 8), "float32"))
    with pytest.raises(Exception, match=reason):
        function(*operands, **call)


def _kernel(**change):
    geometry = core.Geometry((5, 5), (3, 3), (1, 1), (1, 1), (1, 1), (5, 5))
    memory = np.zeros((2, 5, 5, 8), np.float32)
    given = {
        "x": memory.transpose(0, 3, 1, 2),
        "packed": np.zeros((1, 9, 4, 16), np.float32),
        "y": np.zeros((2, 5, 5, 8), np.float32).transpose(0, 3, 1, 2),
        "bias": None,
        "group": 4,
        "activation": 0,
        "parameter": 0.0,
        "dtype": "float32",
        "threads": 1,
    } | change
    core.grouped(geometry, *given.values())


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("group: expected 2, 4 or 8", {"group": 3}),
        ("group: expected 2, 4 or 8", {"group": 16}),
        ("packed: .* are not 1 pieces", {"packed": np.zeros((1, 9, 4, 15), np.float32)}),
        ("bias: expected 8", {"bias": np.zeros(7, np.float32)}),
        ("side by side", {"x": np.zeros((2, 8, 5, 5), np.float32)}),
        ("y: ", {"y": np.zeros((2, 5, 4, 8), np.float32).transpose(0, 3, 1, 2)}),
        ("activation: expected 0 to", {"activation": 99}),
        ("x: ", {"dtype": "float64"}),
    ],
)
def test_the_core_refuses_before_it_writes(message, change):
    _kernel()
    with pytest.raises(ValueError, match=message):
        _kernel(**change)
