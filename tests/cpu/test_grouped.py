"""Groups of few channels that lie side by side: what the kernels compute, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from grouped_support import (  # noqa: E402
    LAYOUTS,
    arrays,
    bits,
    check,
    every_dtype,
    half,
    layers,
)

import fastconv  # noqa: E402
from fastconv.precision import rounded  # noqa: E402


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
    call = {**place, "groups": groups, "layout": layout}
    y = getattr(fastconv, f"conv{ndim}d")(x, weight, algorithm="reference", **call)
    grad = rng.standard_normal(y.shape).astype(dtype)
    backward = getattr(fastconv, f"conv{ndim}d_input_grad")
    exact, sizes = (
        backward(x.shape, f(weight.astype(float)), f(grad.astype(float)), algorithm="reference",
                 **call)
        for f in (np.array, np.abs)
    )  # fmt: skip
    result = backward(x.shape, weight, grad, algorithm="grouped", threads=threads, **call)
    check(result, exact, sizes, dtype, weight[0].size)


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


@pytest.mark.parametrize(("group", "groups"), [(1, 72), (2, 36), (8, 9)])
def test_threads_change_no_bit(level, group, groups):
    x, weight, bias = arrays(np.random.default_rng(2), "float32", group, groups, (49, 33), (3, 3))
    call = {"padding": 1, "groups": groups, "layout": "NHWC", "algorithm": "grouped"}
    results = [fastconv.conv2d(x, weight, bias, threads=t, **call) for t in (1, 2, 3)]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("group", [1, 4])
def test_not_a_number_stays_in_its_group_and_windows(level, group):
    x, weight, _ = arrays(np.random.default_rng(3), "float32", group, 24 // group, (9, 9), (3, 3))
    call = {"padding": 1, "groups": 24 // group, "layout": "NHWC", "algorithm": "grouped"}
    x[0, 4, 4, 9] = np.nan
    y = fastconv.conv2d(x, weight, **call)
    first = 9 // group * group
    expected = np.zeros(y.shape, bool)
    expected[0, 3:6, 3:6, first : first + group] = True
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
    with pytest.raises(Exception, match=reason):
        function(*operands, **call)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_channel_alone_is_taken_where_pixels_are_many(stride):
    x, weight, _ = arrays(np.random.default_rng(6), "float32", 1, 144, (56, 56), (3, 3))
    call = {"padding": 1, "stride": stride, "groups": 144, "layout": "NHWC"}
    chosen = fastconv.explain(fastconv.conv2d, x, weight, **call).problems[0].chosen
    assert chosen.algorithm == "grouped"


@pytest.mark.parametrize("threads", [1, 2])
def test_results_beyond_the_caches(level, threads, monkeypatch):
    for place in ("grouped.plan", "implicit_gemm.blocking"):
        monkeypatch.setattr(f"fastconv.cpu.{place}.stream_bytes", lambda: 0)
    for group, channels in ((1, 48), (1, 40), (4, 32)):
        x, weight, bias = arrays(
            np.random.default_rng(7), "float32", group, channels // group, (13, 22), (3, 3)
        )
        call = {"padding": 1, "groups": channels // group, "layout": "NHWC"}
        exact = fastconv.conv2d(x, weight, bias, algorithm="reference", **call)
        result = fastconv.conv2d(x, weight, bias, algorithm="grouped", threads=threads, **call)
        np.testing.assert_allclose(result, exact, rtol=1e-4, atol=1e-4)


def test_kernels_are_no_wider_than_a_table():
    x, weight, _ = arrays(np.random.default_rng(8), "float32", 1, 4, (200,), (129,))
    with pytest.raises(Exception, match="up to 128 taps"):
        fastconv.conv1d(x, weight, groups=4, layout="NWC", algorithm="grouped")


@pytest.mark.parametrize(
    ("message", "weight", "packed"),
    [
        ("expected 192 bytes", np.zeros((4, 1, 3), np.float32), np.zeros(47, np.float32)),
        ("are not groups of 3", np.zeros((4, 3, 3), np.float32), np.zeros(144, np.float32)),
        ("expected items of 4", np.zeros((4, 1, 3)), np.zeros(48, np.float32)),
    ],
)
def test_packing_refuses_before_it_writes(message, weight, packed):
    with pytest.raises(ValueError, match=message):
        core.grouped_pack(weight, packed, "float32")


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
        ("group: expected 1, 2, 4 or 8", {"group": 3}),
        ("group: expected 1, 2, 4 or 8", {"group": 16}),
        ("packed: .* are not 1 pieces", {"packed": np.zeros((1, 9, 4, 15), np.float32)}),
        ("bias: expected 8", {"bias": np.zeros(7, np.float32)}),
        ("x: .* side by side", {"x": np.zeros((2, 8, 5, 5), np.float32)}),
        ("y: ", {"y": np.zeros((2, 5, 4, 8), np.float32).transpose(0, 3, 1, 2)}),
        ("activation: expected 0 to", {"activation": 99}),
        ("x: ", {"dtype": "float64"}),
    ],
)
def test_the_core_refuses_before_it_writes(message, change):
    _kernel()
    with pytest.raises(ValueError, match=message):
        _kernel(**change)
