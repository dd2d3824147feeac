"""Precision by name, and by the error that is allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import fastconv
from fastconv.backend import Decision
from fastconv.dispatch.explain import Considered
from fastconv.layers import Conv2d, Linear
from fastconv.precision import classical_error_bound, rounded

# Which candidates there are depends on the machine; one may be slow, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")
LOWER = ("tf32", "float16", "bfloat16")


@pytest.fixture
def single():
    rng = np.random.default_rng(1)
    return (
        rng.standard_normal((3, 8, 10, 11)).astype("float32"),
        rng.standard_normal((6, 8, 3, 3)).astype("float32"),
        rng.standard_normal(6).astype("float32"),
    )


def _off(result, x, w, bias, **options):
    """Return the largest error of a channel over its largest sum of magnitudes."""
    x, w, bias = (np.asarray(a, np.float64) for a in (x, w, bias))
    exact = fastconv.conv2d(x, w, bias, **options)
    sizes = fastconv.conv2d(abs(x), abs(w), abs(bias), **options)
    return (abs(result - exact).max((0, 2, 3)) / sizes.max((0, 2, 3))).max()


@pytest.mark.parametrize("precision", LOWER)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operands_are_rounded_sums_are_float32_the_dtype_stays(single, precision, dtype):
    x, w, bias = (a.astype(dtype) for a in single)
    result = fastconv.conv2d(x, w, bias, padding=1, precision=precision)
    assert result.dtype == dtype
    least = _off(result, rounded(x, precision), rounded(w, precision), bias, padding=1)
    assert least <= classical_error_bound(73, "float32", "float32") + 2.0**-16
    # Not by chance: the operands as they are give other sums.
    assert _off(result, x, w, bias, padding=1) > 10 * least


def test_nothing_is_lowered_unasked(single):
    for dtype in ("float64", "float32"):
        (considered,) = fastconv.explain(
            fastconv.conv2d, *(a.astype(dtype) for a in single), precision="auto"
        ).problems
        assert {d.precision for d in considered.candidates if d.can} == {dtype}


@pytest.mark.parametrize("precision", [*LOWER, "int8"])
def test_call_block_layer_and_variable_mean_the_same(single, precision, python):
    x, w, bias = single
    expected = fastconv.conv2d(x, w, bias, precision=precision)
    with fastconv.use(precision=precision):
        np.testing.assert_array_equal(fastconv.conv2d(x, w, bias), expected)
    layer = Conv2d(8, 6, 3, precision=precision)
    layer.weight, layer.bias = w, bias
    np.testing.assert_array_equal(layer(x), expected)
    text = python(
        """
        import warnings, numpy as np, fastconv
        warnings.simplefilter("ignore", fastconv.PerformanceWarning)
        with fastconv.trace() as ran:
            fastconv.conv2d(np.ones((1, 1, 4, 4), "f4"), np.ones((1, 1, 3, 3), "f4"))
            fastconv.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), precision="float64")
        print(*(r.precision for r in ran))
        """,
        FASTCONV_PRECISION=precision,
    )
    assert text.split() == [precision, "float64"]


def test_a_layer_s_gradients_keep_to_its_precision(single):
    x, _, _ = single
    layer = Conv2d(8, 6, 3, seed=0, precision="bfloat16")
    with fastconv.trace() as ran:
        layer.backward(np.ones_like(layer(x)))
    assert [r.precision for r in ran[:3]] == ["bfloat16"] * 3
    assert ran[3].precision == "float32"  # the bias's sums, where nothing is multiplied
    dense = Linear(11, 4, seed=0, precision="tf32")
    with fastconv.trace() as ran:
        dense.backward(np.ones_like(dense(x)))
    assert [r.precision for r in ran[:3]] == ["tf32"] * 3


@pytest.mark.parametrize("precision", [*LOWER, "int8", "float32"])
def test_what_multiplies_no_real_numbers_stays_as_it_is(precision):
    x = np.random.default_rng(0).standard_normal((1, 2, 6, 6))
    z = x + 1j * x[..., ::-1]
    calls = [
        lambda **o: fastconv.max_pool2d(x, 2, **o),
        lambda **o: fastconv.avg_pool2d(x, 2, **o),
        lambda **o: fastconv.im2col(x, 2, **o),
        lambda **o: fastconv.conv2d(z, z[:, :, :3, :3], **o),
        lambda **o: fastconv.conv2d_backward(x[:, :1], x, x[:, :, :1, :1], wrt="bias", **o).bias,
    ]
    for run in calls:
        np.testing.assert_array_equal(run(precision=precision), run())


@pytest.mark.parametrize("precision", [*LOWER, "int8"])
def test_neither_threads_nor_memory_nor_layout_change_a_bit(single, precision):
    x, w, bias = single
    x = np.concatenate([x] * 5)
    options = {"padding": 1, "precision": precision, "algorithm": "reference"}
    expected = fastconv.conv2d(x, w, bias, **options)
    limit = 80_000
    with fastconv.trace() as ran:
        for changes in ({"threads": 1}, {"threads": 3}, {"workspace_limit": limit}):
            result = fastconv.conv2d(x, w, bias, **options | changes)
            np.testing.assert_array_equal(result, expected)
    assert ran[2].workspace_bytes <= limit < ran[0].workspace_bytes
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    result = fastconv.conv2d(last, w, bias, layout="NHWC", **options)
    np.testing.assert_allclose(np.moveaxis(result, -1, 1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", [*LOWER, "int8"])
def test_prepared_weights_give_the_same(single, precision):
    x, w, bias = single
    weight = fastconv.prepare(w, like=x, precision=precision)
    assert weight.packed_bytes > 0
    expected = fastconv.conv2d(x, w, bias, precision=precision)
    np.testing.assert_array_equal(fastconv.conv2d(x, weight, bias, precision=precision), expected)


# -- int8


def _by_hand(x, w):
    """Return the convolution of the integers that x and w become, scaled back."""
    scale = np.float32(abs(x).max()) / np.float32(127)
    scales = abs(w).max((1, 2, 3)).astype("float32") / np.float32(127)
    whole = np.rint(x / scale), np.rint(w / scales[:, None, None, None])
    sums = fastconv.conv2d(*(a.astype(np.float64) for a in whole))
    return sums * (scales * scale).astype(np.float64)[:, None, None]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_int8_has_a_scale_for_x_and_one_for_each_channel_of_the_weight(single, dtype, activation):
    x, w, bias = single
    x, w = rounded(x, "float16"), rounded(w, "float16")
    expected = _by_hand(x, w) + bias[:, None, None].astype(np.float64)
    expected = np.maximum(expected, 0) if activation else expected
    result = fastconv.conv2d(
        x.astype(dtype), w.astype(dtype), bias, precision="int8", activation=activation
    )
    assert result.dtype == dtype
    rtol = 1e-3 if dtype == "float16" else 1e-5
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=1e-4 if rtol < 1e-3 else 1e-2)


def test_int8_serves_linear_layers():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 5, 30)), rng.standard_normal((7, 30))
    with fastconv.trace() as ran:
        result = fastconv.linear(x, w, precision="int8")
    assert ran[0].precision == "int8"
    exact = fastconv.linear(x, w)
    assert 0 < abs(result - exact).max() < 0.03 * abs(exact).max()


def test_int8_of_zeros_is_zero_and_of_tiny_numbers_not():
    x, w = np.zeros((1, 2, 4, 4), "float32"), np.ones((3, 2, 3, 3), "float32")
    assert not fastconv.conv2d(x, w, precision="int8").any()
    assert not fastconv.conv2d(w[:1, :, :, :], np.zeros_like(w), precision="int8").any()
    x[...] = 1e-36
    result = fastconv.conv2d(x, w, precision="int8")
    np.testing.assert_allclose(result, np.full_like(result, 18e-36), rtol=0.02)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["x", "weight"])
def test_int8_refuses_what_is_not_finite(single, value, which):
    x, w, _ = single
    (x if which == "x" else w)[0, 0, 0, 0] = value
    with pytest.raises(
        ValueError, match=f"conv2d: {which}: got NaN, or values that are infinite.*int8"
    ):
        fastconv.conv2d(x, w, precision="int8")


def test_int8_sums_that_int32_might_not_hold_are_refused():
    x, w = np.ones((1, 140000), "float32"), np.ones((2, 140000), "float32")
    with pytest.raises(fastconv.UnsupportedError, match="int32 may not hold sums of 140000"):
        fastconv.linear(x, w, precision="int8")


# -- a tolerance


STEPS = {"float64": (8.0, 1e-15), "float32": (4.0, 1e-6), "float16": (2.0, 1e-3)}
STEPS |= {"bfloat16": (1.0, 8e-3), "int8": (0.5, float("inf"))}


@pytest.fixture
def ladder(fake, monkeypatch):
    """Return a backend that serves every precision but tf32, the lower the faster."""

    def decide(problem, policy):
        fake.asked.append((problem, policy))
        name = "float32" if policy.precision in (None, "auto") else policy.precision
        if name not in STEPS:
            return [Decision(False, f"it has no {name}", "fakery")]
        seconds, bound = STEPS[name]
        seconds /= policy.threads or 4
        return [replace(fake.decision, precision=name, seconds=seconds, error_bound=bound)]

    monkeypatch.setattr(fake, "decide", decide)
    return fake


@pytest.mark.parametrize(
    ("tolerance", "taken"),
    [(1e-2, "bfloat16"), (5e-3, "float16"), (1e-5, "float32"), (1e-9, "float64")],
)
def test_auto_takes_the_fastest_within_the_tolerance(arguments, ladder, tolerance, taken):
    options = {"backend": "fake", "precision": "auto", "tolerance": tolerance}
    with fastconv.trace() as ran:
        fastconv.conv2d(*arguments, **options)
        with fastconv.use(**options):
            fastconv.conv2d(*arguments)
    assert [r.precision for r in ran] == [taken] * 2


def test_auto_without_a_tolerance_lowers_nothing(arguments, ladder):
    fastconv.conv2d(*arguments, backend="fake", precision="auto")
    assert {policy.precision for _, policy in ladder.asked} == {"auto"}


def test_of_two_equally_fast_the_more_precise_is_taken(arguments, ladder, monkeypatch):
    monkeypatch.setitem(STEPS, "float32", (1.0, 1e-6))
    with fastconv.trace() as ran:
        fastconv.conv2d(*arguments, backend="fake", precision="auto", tolerance=1e-2)
    assert ran[0].precision == "float32"


def test_a_tolerance_that_nothing_meets_names_the_best_there_is(arguments, ladder):
    with pytest.raises(
        fastconv.UnsupportedError,
        match=r"conv2d: tolerance: got 1e-20, expected at least 1e-15, the best.*fakery in float64",
    ):
        fastconv.conv2d(*arguments, backend="fake", precision="auto", tolerance=1e-20)
    with pytest.raises(fastconv.UnsupportedError, match=r'at least 1e-06.*precision="auto"'):
        fastconv.conv2d(*arguments, backend="fake", tolerance=1e-9)


def test_auto_meets_its_tolerance_on_the_built_in_backend(single):
    x, w, bias = single
    for tolerance in (1e-2, 1e-4, 1e-7):
        result = fastconv.conv2d(x, w, bias, precision="auto", tolerance=tolerance)
        assert _off(result, x, w, bias) <= tolerance
    with pytest.raises(fastconv.UnsupportedError, match="best achievable here"):
        fastconv.conv2d(x, w, bias, precision="auto", tolerance=1e-12)


@pytest.mark.parametrize(
    ("precision", "cheaper"),
    [("float64", "float32"), ("float32", "float16"), ("float16", "int8"), ("int8", None)],
)
def test_explain_names_the_next_cheaper_precision(arguments, ladder, precision, cheaper):
    (considered,) = fastconv.explain(
        fastconv.conv2d, *arguments, backend="fake", precision=precision
    ).problems
    said = considered.precision
    bound = STEPS[precision][1]
    assert said.startswith(f"precision {precision}, error bound {bound:.2g}; ")
    if cheaper is None:
        assert considered.cheaper is None
        assert "nothing cheaper" in said
    else:
        assert considered.cheaper.precision == cheaper
        assert f"the next cheaper, {cheaper}, " in said
        assert ("no bound" if cheaper == "int8" else f"allows {STEPS[cheaper][1]:.2g}") in said


def test_explain_prints_it(single):
    text = str(fastconv.explain(fastconv.conv2d, *single))
    assert "precision float32, error bound" in text
    assert "the next cheaper, " in text or "fewer bits gain nothing: " in text


def test_fewer_bits_that_take_longer_are_not_called_cheaper():
    taken = Decision(True, "", "a", "float32", 1e-6, seconds=2.0)
    slower = Decision(True, "", "b", "float16", 1e-3, seconds=5.0)
    said = Considered(None, (taken,), taken, cheaper=slower).precision
    assert said == (
        "precision float32, error bound 1e-06; fewer bits gain nothing: float16 allows 0.001, "
        "in 2.5 times the time"
    )
