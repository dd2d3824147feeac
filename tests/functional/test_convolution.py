"""Convolution forward against SciPy: every algorithm, dtype, geometry, layout and thread count."""

import conv_oracle
import numpy as np
import pytest
from conv_support import (
    ALGORITHMS,
    FLOATS,
    INTEGERS,
    LAYOUTS,
    REALS,
    assert_within,
    bound_of,
    convolutions,
    every_algorithm,
    from_layout,
    may_be_slow,
    needs_core,
    odd_memory,
    to_layout,
    values,
    wide,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

import fastconv

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)


def check_forward(conv, dtype, seed, *, algorithm=None, channels_last=False, bias=True, **policy):
    """Convolve arrays in odd memory; hold the result to SciPy's within the published bound."""
    rng = np.random.default_rng(seed)
    x = odd_memory(rng, to_layout(values(rng, conv.x_shape, dtype), channels_last))
    weight = odd_memory(rng, values(rng, conv.weight_shape, dtype))
    b = odd_memory(rng, values(rng, conv.weight_shape[:1], dtype)) if bias else None
    layout = LAYOUTS[conv.ndim][channels_last]
    call = (conv.function(), x, weight, b, *conv.parameters)
    options = {"layout": layout, "algorithm": algorithm, **policy}
    with fastconv.trace() as ran:
        y = call[0](*call[1:], **options)
    assert algorithm in (None, ran[0].algorithm)
    assert y.dtype == (np.float64 if np.dtype(dtype).kind in "biu" else dtype)
    assert y.flags.c_contiguous
    assert y.flags.writeable
    x, weight = wide(from_layout(x, channels_last)), wide(weight)
    exact = conv_oracle.forward(conv, x, weight)
    magnitudes = conv_oracle.forward(conv, np.abs(x), np.abs(weight))
    if b is not None:
        column = wide(b).reshape(-1, *(1,) * conv.ndim)
        exact, magnitudes = exact + column, magnitudes + np.abs(column)
    assert_within(from_layout(y, channels_last), exact, magnitudes, bound_of(*call, **options), 1)


@every_algorithm
@settings(max_examples=120)
@given(convolutions(), st.sampled_from(FLOATS), seeds, st.booleans(), st.booleans())
def test_every_algorithm_agrees_with_scipy(algorithm, conv, dtype, seed, channels_last, bias):
    if algorithm == "implicit_gemm" and dtype not in (np.float32, np.float64):
        dtype = np.dtype(np.float32)
    check_forward(conv, dtype, seed, algorithm=algorithm, channels_last=channels_last, bias=bias)


@settings(max_examples=120)
@given(convolutions(), st.sampled_from(FLOATS + INTEGERS), seeds, st.integers(1, 3))
def test_whatever_is_chosen_agrees_with_scipy(conv, dtype, seed, threads):
    check_forward(conv, dtype, seed, threads=threads)


@settings(max_examples=20)
@given(convolutions(), st.sampled_from(FLOATS), seeds)
def test_sums_in_float64_are_more_accurate(conv, dtype, seed):
    check_forward(conv, dtype, seed, precision="float64")


def test_every_level_agrees_with_scipy(level):
    @settings(max_examples=60)
    @given(convolutions(), st.sampled_from(REALS), seeds, st.sampled_from(ALGORITHMS[:2]))
    def check(conv, dtype, seed, algorithm):
        if dtype not in (np.float32, np.float64):
            algorithm = "im2col_blas"
        check_forward(conv, dtype, seed, algorithm=algorithm)

    check()


@needs_core
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "stride", "padding"),
    [
        ((3, 8, 8, 16), (2, 8, 3, 3), 3, 2),
        ((3, 5, 13, 3), (4, 5, 2, 2), 2, 2),
        ((2, 4, 16, 12), (8, 4, 4, 4), 3, 0),
    ],
)
def test_memory_that_is_short_for_many_threads_does_not_change_a_bit(
    dtype, x_shape, weight_shape, stride, padding
):
    rng = np.random.default_rng(0)
    x, weight = values(rng, x_shape, dtype), values(rng, weight_shape, dtype)
    compared = 0
    for limit in range(2**13, 2**16, 1500):
        results = []
        for threads in (1, 2, 3, 64):
            policy = {"algorithm": "implicit_gemm", "workspace_limit": limit, "threads": threads}
            try:
                y = fastconv.conv2d(x, weight, stride=stride, padding=padding, **policy)
            except fastconv.WorkspaceLimitError:
                continue
            results.append(y.tobytes())
        compared += len(results) > 1
        assert len(set(results)) <= 1
    assert compared > 10


@needs_core
@pytest.mark.parametrize("precision", ["float32", "float64"])
@settings(max_examples=60)
@given(convolutions(), seeds, st.integers(2**13, 2**18))
def test_threads_do_not_change_a_bit(precision, conv, seed, workspace_limit):
    rng = np.random.default_rng(seed)
    # Long enough that several threads get work.
    shape = (*conv.x_shape[:2], *(n + 60 // conv.ndim**3 for n in conv.x_shape[2:]))
    x, weight = values(rng, shape, precision), values(rng, conv.weight_shape, precision)

    def convolve(threads):
        try:
            with fastconv.trace() as ran:
                y = conv.function()(
                    x,
                    weight,
                    None,
                    *conv.parameters,
                    threads=threads,
                    workspace_limit=workspace_limit,
                    algorithm="implicit_gemm",
                )
        except fastconv.WorkspaceLimitError:
            return "over the limit"
        assert ran[0].workspace_bytes <= workspace_limit
        return y.tobytes()

    assert convolve(1) == convolve(2) == convolve(3) == convolve(64)


def test_threads_do_not_change_the_algorithm():
    rng = np.random.default_rng(0)
    x, weight = values(rng, (2, 8, 24, 24), "float32"), values(rng, (8, 8, 3, 3), "float32")
    for limit in np.geomspace(1024, 2**20, 60).astype(int):
        chosen = set()
        for threads in (1, 2, 7, 200):
            try:
                with fastconv.trace() as ran:
                    fastconv.conv2d(x, weight, threads=threads, workspace_limit=limit)
                chosen.add(ran[0].algorithm)
            except fastconv.WorkspaceLimitError:
                chosen.add("none")
        assert len(chosen) == 1, (limit, chosen)


@every_algorithm
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda v: np.maximum(v, 0)),
        ("relu6", lambda v: np.clip(v, 0, 6)),
        ("leaky_relu", lambda v: np.where(v > 0, v, 0.01 * v)),
        ("sigmoid", lambda v: 1 / (1 + np.exp(-v))),
        ("tanh", np.tanh),
        ("silu", lambda v: v / (1 + np.exp(-v))),
        ("gelu", lambda v: v * (1 + erf(v / np.sqrt(2))) / 2),
    ],
)
def test_activations_follow_their_formulas(algorithm, dtype, name, formula):
    rng = np.random.default_rng(3)
    x, weight = 3 * values(rng, (2, 4, 7, 6), dtype), values(rng, (6, 2, 3, 3), dtype)
    bias = values(rng, (6,), dtype)
    plain = fastconv.conv2d(wide(x), wide(weight), wide(bias), groups=2)
    got = fastconv.conv2d(x, weight, bias, groups=2, activation=name, algorithm=algorithm)
    tolerance = 200 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, formula(plain), rtol=tolerance, atol=tolerance)


def test_integers_give_exact_float64():
    rng = np.random.default_rng(0)
    x, weight = rng.integers(-99, 99, (2, 3, 8, 8)), rng.integers(-99, 99, (4, 3, 3, 3))
    y = fastconv.conv2d(x.astype("int16"), weight.astype("int32"))
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y[0, 1, 2, 3], (x[0, :, 2:5, 3:6] * weight[1]).sum())


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_without_a_batch_it_is_a_batch_of_one(ndim, channels_last):
    rng = np.random.default_rng(0)
    x, weight = values(rng, (1, 4, 6, 5, 4)[: ndim + 2], "float32"), rng.random((6, 2, 3, 2, 2))
    weight = weight[(..., *(0,) * (3 - ndim))].astype("float32")
    function = getattr(fastconv, f"conv{ndim}d")
    layout = LAYOUTS[ndim][channels_last]
    x = to_layout(x, channels_last)
    whole = function(x, weight, groups=2, padding=1, layout=layout)
    np.testing.assert_array_equal(
        function(x[0], weight, groups=2, padding=1, layout=layout), whole[0]
    )


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("extent", [5, 6, 7, 8])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_makes_the_output_a_stride_th_of_the_input(kernel, extent, stride):
    x, weight = np.ones((1, 1, extent)), np.arange(1.0, kernel + 1).reshape(1, 1, -1)
    upper = fastconv.conv1d(x, weight, stride=stride, padding="same")
    lower = fastconv.conv1d(x, weight, stride=stride, padding="same_lower")
    assert upper.shape == lower.shape == (1, 1, -(-extent // stride))
    # Mirrored, the odd zero is on the other side.
    mirrored = fastconv.conv1d(x, weight[..., ::-1], stride=stride, padding="same_lower")[..., ::-1]
    np.testing.assert_array_equal(upper, mirrored)


def test_lists_scalars_of_numpy_and_sequences_are_taken():
    x = [[[float(v) for v in range(8)]] * 3]
    weight = [[[1.0, -1.0]] * 3]
    expected = fastconv.conv1d(np.array(x), np.array(weight), stride=2, padding=1)
    for stride in (2, [2], (2,), np.int64(2), np.array(2), np.array([2])):
        for padding in (1, [1], (1,), ((1, 1),), [[1, 1]], np.int8(1), np.array([[1, 1]])):
            got = fastconv.conv1d(x, weight, stride=stride, padding=padding)
            np.testing.assert_array_equal(got, expected)


def test_a_bias_is_cast_to_the_result():
    x, weight = np.ones((1, 1, 3), "float32"), np.ones((1, 1, 1), "float32")
    for bias in (np.array([0.5]), np.array([2], "int8"), [True]):
        y = fastconv.conv1d(x, weight, bias)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, 1 + np.float32(bias[0]) * np.ones((1, 1, 3)))
