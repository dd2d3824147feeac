"""Empty arrays, sizes past 2**31, kernels past the input; NaN and infinities."""

import warnings

import numpy as np
import pytest
from conv_support import (
    ALGORITHMS,
    BFLOAT16,
    convolutions,
    every_algorithm,
    may_be_slow,
    needs_core,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv

pytestmark = may_be_slow
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("batch", "channels", "outputs"), [(0, 4, 6), (2, 0, 6), (2, 4, 0), (0, 0, 0)]
)
def test_empty_batches_and_channels(batch, channels, outputs, groups):
    x, weight = np.ones((batch, channels, 5, 4)), np.ones((outputs, channels // groups, 3, 3))
    bias = np.arange(float(outputs))
    y = fastconv.conv2d(x, weight, bias, padding=1, groups=groups)
    assert y.shape == (batch, outputs, 5, 4)
    if channels == 0:
        np.testing.assert_array_equal(y, np.broadcast_to(bias[:, None, None], y.shape))
    dx, dw, db = fastconv.conv2d_backward(np.ones_like(y), x, weight, padding=1, groups=groups)
    np.testing.assert_array_equal(dw, np.zeros_like(weight) if batch == 0 else dw)
    assert (dx.shape, dw.shape) == (x.shape, weight.shape)
    np.testing.assert_array_equal(db, np.full(outputs, batch * 20.0))
    if outputs == 0:
        np.testing.assert_array_equal(dx, np.zeros_like(x))


@pytest.mark.parametrize(("batch", "channels", "outputs"), [(0, 4, 6), (2, 0, 6), (2, 4, 0)])
def test_empty_transposed_convolutions(batch, channels, outputs):
    x, weight = np.ones((batch, channels, 5, 4)), np.ones((channels, outputs, 3, 3))
    y = fastconv.conv_transpose2d(x, weight, np.full(outputs, 2.0), stride=2)
    assert y.shape == (batch, outputs, 11, 9)
    if channels == 0:
        assert (y == 2).all()
    found = fastconv.conv_transpose2d_backward(np.ones_like(y), x, weight, stride=2)
    assert [g.shape for g in found] == [x.shape, weight.shape, (outputs,)]


@pytest.mark.parametrize(("rows", "features", "outputs"), [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_empty_linear_layers(rows, features, outputs):
    x, weight = np.ones((rows, features)), np.ones((outputs, features))
    y = fastconv.linear(x, weight, np.full(outputs, 2.0))
    np.testing.assert_array_equal(y, np.full((rows, outputs), features + 2.0))
    dx, dw, db = fastconv.linear_backward(np.ones_like(y), x, weight)
    np.testing.assert_array_equal(dx, np.full(x.shape, float(outputs)))
    np.testing.assert_array_equal(dw, np.full(weight.shape, float(rows)))
    np.testing.assert_array_equal(db, np.full(outputs, float(rows)))


def test_empty_columns():
    assert fastconv.im2col(np.ones((0, 2, 4, 4), "int8"), 3).shape == (0, 18, 4)
    assert fastconv.col2im(np.ones((0, 18, 4), "int8"), (4, 4), 3).shape == (0, 2, 4, 4)


def test_an_output_may_have_one_element_or_none_of_the_kernel_inside():
    weight = np.arange(9.0).reshape(1, 1, 3, 3)
    y = fastconv.conv2d([[[2.0]]], weight[:, :, :1, :1] + 3)
    np.testing.assert_array_equal(y, [[[6]]])
    for algorithm in ALGORITHMS:
        y = fastconv.conv2d([[[2.0]]], weight, padding=4, algorithm=algorithm)
        assert y.shape == (1, 7, 7)
        np.testing.assert_array_equal(y[0, 2:5, 2:5], 2 * weight[0, 0, ::-1, ::-1])
        assert np.count_nonzero(y) == 8


def test_a_kernel_past_the_padded_input_is_refused():
    with pytest.raises(ValueError, match=r"conv2d: x: got extent 4 on spatial axis 1, 6 with padd"):
        fastconv.conv2d(np.ones((1, 1, 9, 4)), np.ones((1, 1, 3, 4)), padding=1, dilation=2)
    assert fastconv.conv2d(np.ones((1, 1, 9, 4)), np.ones((1, 1, 3, 4))).shape == (1, 1, 7, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: fastconv.conv2d(x, w, padding=2**40),
        lambda x, w: fastconv.conv2d(x, w, padding=2**48),
        lambda x, w: fastconv.conv_transpose2d(x, w, stride=2**40),
        lambda x, w: fastconv.conv2d_weight_grad(x, (2**40, 1, 3, 3), np.ones((1, 2**20, 3, 3))),
        lambda x, w: fastconv.im2col(x, 2, padding=2**40),
        lambda x, w: fastconv.im2col(np.broadcast_to(np.int8(1), (1, 1, 2**20, 2**20)), 2**10),
        lambda x, w: fastconv.col2im(np.ones((1, 1, 2**20)), (2**40, 2**48), 1, 2**40),
    ],
)
def test_results_that_no_memory_holds_are_refused(call):
    with pytest.raises((MemoryError, ValueError), match=r"^(conv|im2col|col2im)\w*: "):
        call(np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3)))


@pytest.mark.parametrize("parameter", ["stride", "padding", "dilation"])
def test_numbers_past_any_array_are_refused(parameter):
    for number in (2**48 + 1, 2**63, 2**70):
        with pytest.raises(
            ValueError, match=f"conv1d: {parameter}: got {number}, expected at most"
        ):
            fastconv.conv1d(np.ones((1, 1, 5)), np.ones((1, 1, 1)), **{parameter: number})


def test_a_stride_past_the_input_gives_one_output():
    for stride in (5, 2**20, 2**48):
        y = fastconv.conv1d([[1.0, 2.0, 3.0]], [[[1.0, 1.0]]], stride=stride)
        np.testing.assert_array_equal(y, [[3]])
        dx = fastconv.conv1d_input_grad((1, 3), [[[1.0, 1.0]]], [[5.0]], stride=stride)
        np.testing.assert_array_equal(dx, [[5, 5, 0]])


@needs_core
def test_inputs_may_span_more_elements_than_an_int32_counts():
    # One byte, seen 2**33 times: nothing but the addresses is large.
    x = np.broadcast_to(np.float32(2), (1, 1, 2**17, 2**16))
    y = fastconv.conv2d(x, np.ones((1, 1, 2, 2), "float32"), stride=(2**13, 2**14))
    np.testing.assert_array_equal(y, np.full((1, 1, 16, 4), 8))
    columns = fastconv.im2col(x, (2**17, 1), (1, 2**15))
    assert columns.shape == (1, 2**17, 2)
    assert (columns == 2).all()


@needs_core
@pytest.mark.slow
def test_columns_may_have_more_elements_than_an_int32_counts():
    x = np.broadcast_to(np.arange(47, dtype="int8")[:, None], (1, 1, 47, 2**23))
    columns = fastconv.im2col(x, (7, 1))
    assert columns.shape == (1, 7, 41 * 2**23)
    assert columns.size > 2**31 - 1
    assert columns[0, 6, -1] == 46
    assert (columns[0, 2, :: 2**23] == np.arange(2, 43)).all()


SPECIALS = np.array([np.nan, np.inf, -np.inf])


def _sprinkled(rng, shape, dtype):
    array = values(rng, shape, dtype)
    places = rng.integers(0, array.size, 1 + array.size // 20)
    array.flat[places] = rng.choice(SPECIALS, len(places)).astype(dtype)
    return array


def _assert_same_kinds(got, exact):
    for kind in (np.isnan, np.isposinf, np.isneginf):
        np.testing.assert_array_equal(kind(got.astype("float64")), kind(exact))


@every_algorithm
@settings(max_examples=80)
@given(convolutions(), st.sampled_from(("float32", "float64", "float16")), seeds)
def test_nan_and_infinities_go_where_the_formula_says(algorithm, conv, dtype, seed):
    """Padding, and what pads blocks to whole tiles, must not meet an infinity."""
    if algorithm == "implicit_gemm" and dtype == "float16":
        dtype = "float32"
    rng = np.random.default_rng(seed)
    x, weight = _sprinkled(rng, conv.x_shape, dtype), values(rng, conv.weight_shape, dtype)
    # A weight of 0 would make NaN out of an infinity, rightly, in every algorithm.
    weight[weight == 0] = 1
    y = conv.function()(x, weight, None, *conv.parameters, algorithm=algorithm)
    with np.errstate(invalid="ignore"):
        _assert_same_kinds(y, _forward_by_taps(conv, x.astype(float), weight.astype(float)))
    grad = _sprinkled(rng, conv.y_shape, dtype)
    dx = conv.function("_input_grad")(
        conv.x_shape, weight, grad, *conv.parameters, algorithm=algorithm
    )
    with np.errstate(invalid="ignore"):
        _assert_same_kinds(dx, _adjoint_by_taps(conv, grad.astype(float), weight.astype(float)))


def _taps(conv):
    """Yield each tap with the box of the padded input that its products are over."""
    for tap in np.ndindex(conv.weight_shape[2:]):
        axes = zip(tap, conv.stride, conv.dilation, conv.y_shape[2:], strict=True)
        yield tap, tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, s, d, n in axes)


def _grouped(conv, weight, tap):
    """Return the (O, C) matrix of a tap, and where its groups lie."""
    whole = np.zeros((conv.weight_shape[0], conv.x_shape[1]), bool)
    outer, inner = conv.weight_shape[0] // conv.groups, conv.weight_shape[1]
    for o in range(conv.weight_shape[0]):
        whole[o, o // outer * inner : (o // outer + 1) * inner] = True
    matrix = np.zeros(whole.shape)
    matrix[whole] = weight[(slice(None), slice(None), *tap)].ravel()
    return matrix, whole


def _forward_by_taps(conv, x, weight):
    # Weights are finite, so that the zeros around x add nothing.
    padded = np.pad(x, ((0, 0), (0, 0), *conv.pads))
    y = np.zeros(conv.y_shape)
    for tap, box in _taps(conv):
        matrix, whole = _grouped(conv, weight, tap)
        for o, c in np.argwhere(whole):
            y[:, o] += matrix[o, c] * padded[(slice(None), c, *box)]
    return y


def _adjoint_by_taps(conv, grad, weight):
    extents = [n + a + b for n, (a, b) in zip(conv.x_shape[2:], conv.pads, strict=True)]
    padded = np.zeros((*conv.x_shape[:2], *extents))
    for tap, box in _taps(conv):
        matrix, whole = _grouped(conv, weight, tap)
        for o, c in np.argwhere(whole):
            padded[(slice(None), c, *box)] += matrix[o, c] * grad[:, o]
    inner = zip(conv.pads, conv.x_shape[2:], strict=True)
    return padded[(slice(None), slice(None), *(slice(a, a + n) for (a, _), n in inner))]


@every_algorithm
def test_infinite_weights_show_wherever_the_kernel_is_inside(algorithm):
    # On the border a padding's zero meets the weight: PyTorch's NaN, or nothing, may come out.
    weight = np.ones((2, 1, 3, 3), "float32")
    weight[0, 0, 0, 0], weight[1, 0, 2, 2] = np.inf, np.nan
    y = fastconv.conv2d(np.ones((1, 1, 8, 8), "float32"), weight, padding=1, algorithm=algorithm)
    assert np.isposinf(y[0, 0, 1:, 1:]).all()
    assert np.isnan(y[0, 1, :-1, :-1]).all()


@every_algorithm
def test_a_bias_gradient_and_a_weight_gradient_keep_infinities(algorithm):
    grad = np.ones((1, 2, 4, 4), "float32")
    grad[0, 0, 1, 1] = -np.inf
    found = fastconv.conv2d_weight_grad(
        np.ones((1, 1, 6, 6), "float32"), (2, 1, 3, 3), grad, algorithm=algorithm
    )
    assert np.isneginf(found[0]).all()
    assert (found[1] == 16).all()
    bias = fastconv.conv2d_backward(
        grad, np.ones((1, 1, 6, 6), "float32"), np.ones((2, 1, 3, 3), "float32"), wrt="bias"
    ).bias
    np.testing.assert_array_equal(bias, [-np.inf, 16])


@pytest.mark.parametrize("dtype", [np.dtype("float16"), *BFLOAT16])
def test_what_overflows_on_rounding_is_infinite_and_float16_warns(dtype):
    largest = np.array(60000 if dtype == "float16" else 3e38).astype(dtype)
    x, weight = np.full((1, 1, 4), largest), np.ones((1, 1, 2), dtype)
    columns = np.full((1, 2, 3), largest)
    calls = [
        lambda: [fastconv.conv1d(x, weight)],
        lambda: fastconv.conv1d_backward(x[..., :3], x, weight, wrt="weight")[1:2],
        lambda: fastconv.conv1d_backward(x[..., :3], x, weight, wrt="bias")[2:],
        lambda: [fastconv.conv1d_backward(x[..., :3], x, weight, wrt="x").x[..., 1:3]],
        lambda: [fastconv.linear(x, np.ones((2, 4), dtype))],
        lambda: [fastconv.col2im(columns, (4,), (2,))[0, 0, 1:3]],
    ]
    for run in calls:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            (result,) = run()
        assert np.isposinf(result.astype(float)).all()
        assert len(seen) == (dtype == "float16")
        assert all("float16's largest number" in str(each.message) for each in seen)
        assert all(each.filename == __file__ for each in seen)
        with np.errstate(over="ignore"):
            run()  # warnings are errors here


def test_float16_does_not_warn_of_infinities_that_were_given():
    x = np.ones((1, 1, 4), np.float16)
    x[..., 1] = np.inf
    assert np.isposinf(fastconv.conv1d(x, np.ones((1, 1, 2), np.float16))).any()
    x[..., 1] = np.nan
    assert np.isnan(fastconv.conv1d(x, np.ones((1, 1, 2), np.float16))).any()


def test_a_result_beyond_the_machine_s_memory_is_refused_at_once():
    with pytest.raises(MemoryError, match="adaptive_avg_pool1d: no memory for a result of shape"):
        fastconv.adaptive_avg_pool1d(np.ones((1, 1, 10)), 2**40)
