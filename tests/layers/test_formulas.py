"""Layers against PyTorch's formulas, written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastconv import layers as L


def rng(seed=0):
    return np.random.default_rng(seed)


def test_convolution_is_a_cross_correlation_plus_bias():
    layer = L.Conv2d(2, 3, (2, 3), stride=(1, 2), dtype="float64", seed=0)
    x = rng().normal(size=(2, 2, 4, 7))
    y = layer(x)
    assert y.shape == (2, 3, 3, 3)
    for place in np.ndindex(y.shape):
        n, o, i, j = place
        window = x[n, :, i : i + 2, 2 * j : 2 * j + 3]
        assert y[place] == pytest.approx((window * layer.weight[o]).sum() + layer.bias[o])


def test_linear_is_an_affine_map():
    layer = L.Linear(4, 3, dtype="float64", seed=0)
    x = rng().normal(size=(5, 4))
    np.testing.assert_allclose(layer(x), x @ layer.weight.T + layer.bias, rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (L.Conv2d(6, 400, (3, 5), groups=2, seed=0), 3 * 15),
        (L.ConvTranspose2d(6, 400, 3, groups=2, seed=0), 200 * 9),
        (L.Linear(50, 4000, seed=0), 50),
    ],
)
def test_initial_parameters_are_uniform_within_the_root_of_fan_in(layer, fan_in):
    bound = 1 / math.sqrt(fan_in)
    for parameter in layer.parameters().values():
        assert parameter.dtype == np.float32
        assert np.abs(parameter).max() <= bound
        assert np.abs(parameter).max() > 0.97 * bound
        # The variance of a uniform distribution of width 2 * bound.
        assert parameter.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_seed_and_generator_repeat_the_parameters():
    first, second = L.Conv1d(2, 3, 3, seed=5), L.Conv1d(2, 3, 3, rng=rng(5))
    np.testing.assert_array_equal(first.weight, second.weight)
    np.testing.assert_array_equal(first.bias, second.bias)
    assert (L.Conv1d(2, 3, 3, seed=6).weight != first.weight).any()


ERF = np.vectorize(math.erf)
ACTIVATIONS = {
    "ReLU": (L.ReLU(), lambda x: np.where(x > 0, x, 0)),
    "ReLU6": (L.ReLU6(), lambda x: np.clip(x, 0, 6)),
    "LeakyReLU": (L.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    "Sigmoid": (L.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "Tanh": (L.Tanh(), np.tanh),
    "SiLU": (L.SiLU(), lambda x: x / (1 + np.exp(-x))),
    "GELU": (L.GELU(), lambda x: 0.5 * x * (1 + ERF(x / math.sqrt(2)))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_activation_formula_and_dtype(name, dtype):
    layer, formula = ACTIVATIONS[name]
    x = np.linspace(-9, 9, 37).astype(dtype)
    y = layer(x)
    assert y.dtype == dtype
    assert layer.backward(np.ones_like(y)).dtype == dtype
    np.testing.assert_allclose(
        y, formula(x.astype("float64")), rtol=30 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_nan_and_take_extremes_without_warning(name):
    layer, _ = ACTIVATIONS[name]
    y = layer(np.array([np.nan, 1e4, -1e4]))
    assert np.isnan(y[0])
    assert np.isfinite(y[1:]).all()
    assert np.isfinite(layer.backward(np.ones(3))[1:]).all()


@pytest.mark.parametrize("layer", [L.ReLU(), L.ReLU6()])
def test_stopped_gradients_are_zero_even_if_infinite(layer):
    layer(np.array([-1.0, 1.0]))
    np.testing.assert_array_equal(layer.backward(np.array([np.inf, 2.0])), [0, 2])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_refuse_complex_numbers(name):
    with pytest.raises(TypeError, match=f"{name}: x: got dtype complex128"):
        ACTIVATIONS[name][0](np.zeros(2, complex))


def test_activations_take_lists_and_empty_arrays():
    assert L.ReLU()([-1.0, 2.0]).tolist() == [0.0, 2.0]
    assert L.GELU()(np.zeros((0, 3))).shape == (0, 3)


def test_dropout_zeroes_and_scales():
    layer = L.Dropout(0.25, seed=0)
    x = rng().normal(size=(100, 100)) + 10
    y = layer(x)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / 0.75)
    assert kept.mean() == pytest.approx(0.75, abs=0.02)
    np.testing.assert_array_equal(layer.backward(x), y)


def test_dropout_repeats_with_its_seed_and_changes_between_calls():
    x = np.ones((8, 8), np.float32)
    first, second = L.Dropout(seed=4), L.Dropout(rng=rng(4))
    one = first(x)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, second(x))
    assert (first(x) != one).any()


def test_dropout_extremes():
    x = np.array([np.inf, 1.0])
    assert L.Dropout(1.0)(x).tolist() == [0, 0]
    assert L.Dropout(0.0)(x).tolist() == [np.inf, 1]
    with pytest.raises(ValueError, match=r"Dropout: p: got 1\.5"):
        L.Dropout(1.5)
    with pytest.raises(ValueError, match="Dropout: p: got nan"):
        L.Dropout(float("nan"))


def test_cross_entropy_formula():
    logits, labels = rng().normal(size=(6, 4)), np.array([0, 1, 2, 3, 3, 0])
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(softmax[np.arange(6), labels]).mean()
    loss = L.SoftmaxCrossEntropy()
    value = loss(logits, labels)
    assert type(value) is float
    assert value == pytest.approx(expected)
    np.testing.assert_allclose(loss.backward(), (softmax - np.eye(4)[labels]) / 6)
    assert loss(logits, np.eye(4, dtype=int)[labels]) == pytest.approx(expected)
    assert loss(logits.tolist(), labels.tolist()) == pytest.approx(expected)


def test_cross_entropy_does_not_overflow():
    loss = L.SoftmaxCrossEntropy()
    assert loss(np.array([[1e4, -1e4, -np.inf]]), np.array([1])) == 2e4
    assert np.isfinite(loss.backward()).all()


def test_cross_entropy_of_16_bit_logits_sums_in_32():
    loss = L.SoftmaxCrossEntropy()
    value = loss(np.zeros((4096, 8), np.float16), np.zeros(4096, int))
    assert value == pytest.approx(math.log(8), rel=1e-6)
    assert loss.backward().dtype == np.float16


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 3], ValueError, "class numbers from 0 to 3, expected 0 to 2"),
        ([-1, 0], ValueError, "class numbers from -1 to 0"),
        ([0, 1, 2], ValueError, r"got shape \(3,\)"),
        ([0.0, 1.0], TypeError, "integer class numbers"),
    ],
)
def test_cross_entropy_refuses_bad_targets(target, error, message):
    with pytest.raises(error, match=message):
        L.SoftmaxCrossEntropy()(np.zeros((2, 3)), np.array(target))


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3, 4)])
def test_cross_entropy_refuses_bad_logits(shape):
    with pytest.raises(ValueError, match="SoftmaxCrossEntropy: logits"):
        L.SoftmaxCrossEntropy()(np.zeros(shape), np.zeros(shape[:1], int))


def test_flatten_refuses_axes_that_are_not_there():
    with pytest.raises(ValueError, match="Flatten: x: got shape"):
        L.Flatten(2)(np.zeros((3, 4)))
