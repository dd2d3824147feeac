"""The book's dense and elementwise layers, and a network of all of them."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv.compat import dlfs


def test_affine_flattens_and_returns_to_the_inputs_shape():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(3, 2, 2, 2)), rng.normal(size=(8, 5)), rng.normal(size=5)
    layer = dlfs.Affine(w, b)
    flat, dout = x.reshape(3, 8), rng.normal(size=(3, 5))
    np.testing.assert_allclose(layer.forward(x), flat @ w + b)
    np.testing.assert_allclose(layer.backward(dout), (dout @ w.T).reshape(x.shape))
    np.testing.assert_allclose(layer.dW, flat.T @ dout)
    np.testing.assert_allclose(layer.db, dout.sum(0))
    assert layer.original_x_shape == x.shape


def test_relu_and_sigmoid():
    x = np.array([[-2.0, 0.0, 3.0]])
    relu, sigmoid = dlfs.Relu(), dlfs.Sigmoid()
    dout = np.ones((1, 3))
    assert relu.forward(x).tolist() == [[0, 0, 3]]
    assert relu.backward(dout).tolist() == [[0, 0, 1]]
    assert relu.mask.tolist() == [[True, True, False]]
    assert dout.tolist() == [[1, 1, 1]]
    expected = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(sigmoid.forward(x), expected)
    np.testing.assert_allclose(sigmoid.backward(dout), expected * (1 - expected))
    assert sigmoid.forward(np.array([-1e4])).tolist() == [0]


def test_dropout_scales_when_testing_and_follows_the_global_seed():
    layer, x = dlfs.Dropout(0.3), np.ones((4, 5))
    np.random.seed(3)
    out = layer.forward(x)
    np.random.seed(3)
    np.testing.assert_array_equal(out, np.random.rand(4, 5) > 0.3)
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * out)
    np.testing.assert_allclose(layer.forward(x, train_flg=False), 0.7)


@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 3, 2)])
def test_batch_normalization_keeps_statistics_per_element(shape, numerical_gradient):
    rng = np.random.default_rng(0)
    size = int(np.prod(shape[1:]))
    gamma, beta = rng.normal(size=(2, size))
    layer = dlfs.BatchNormalization(gamma, beta)
    mean, var = np.zeros(size), np.zeros(size)
    for _ in range(2):
        x = rng.normal(3, 2, size=shape)
        out = layer.forward(x)
        flat = x.reshape(6, -1)
        normal = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 10e-7)
        np.testing.assert_allclose(out, (gamma * normal + beta).reshape(shape))
        mean = 0.9 * mean + 0.1 * flat.mean(0)
        var = 0.9 * var + 0.1 * flat.var(0)
    assert layer.running_mean.shape == (size,)
    np.testing.assert_allclose(layer.running_mean, mean)
    np.testing.assert_allclose(layer.running_var, var)
    weights = rng.normal(size=shape)
    dx = layer.backward(weights)

    def loss():
        return float((layer.forward(x) * weights).sum())

    np.testing.assert_allclose(dx, numerical_gradient(loss, x), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(layer.dgamma, numerical_gradient(loss, gamma), rtol=1e-6)
    np.testing.assert_allclose(layer.dbeta, numerical_gradient(loss, beta), rtol=1e-6)


def test_batch_normalization_tests_with_given_statistics():
    layer = dlfs.BatchNormalization(1.0, 0.0, running_mean=np.ones(2), running_var=np.full(2, 4.0))
    out = layer.forward(np.array([[3.0, 1.0]]), train_flg=False)
    np.testing.assert_allclose(out, [[2 / np.sqrt(4 + 10e-7), 0]])


@pytest.mark.parametrize("one_hot", [False, True])
def test_softmax_with_loss(one_hot):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    t = np.eye(3)[labels] if one_hot else labels
    layer = dlfs.SoftmaxWithLoss()
    y = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    expected = -np.log(y[np.arange(5), labels] + 1e-7).mean()
    assert layer.forward(x, t) == pytest.approx(expected)
    assert layer.loss == pytest.approx(expected)
    np.testing.assert_allclose(layer.y, y)
    np.testing.assert_allclose(layer.backward(), (y - np.eye(3)[labels]) / 5)
    assert dlfs.cross_entropy_error(y[0], np.eye(3)[0]) == pytest.approx(-np.log(y[0, 0] + 1e-7))


def test_a_network_passes_the_books_gradient_check(numerical_gradient):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 1, 6, 6)), np.array([1, 2])
    params = {
        "W1": rng.normal(size=(2, 1, 3, 3)),
        "b1": rng.normal(size=2),
        # Small: the loss adds 1e-7 to each probability, and its gradient leaves that out.
        "W2": 0.1 * rng.normal(size=(8, 3)),
        "b2": rng.normal(size=3),
    }
    convolution = dlfs.Convolution(params["W1"], params["b1"])
    affine = dlfs.Affine(params["W2"], params["b2"])
    layers = [convolution, dlfs.Relu(), dlfs.Pooling(2, 2, 2), affine]
    last = dlfs.SoftmaxWithLoss()

    def loss():
        y = x
        for layer in layers:
            y = layer.forward(y)
        return last.forward(y, t)

    loss()
    dout = last.backward()
    for layer in reversed(layers):
        dout = layer.backward(dout)
        # The book's own Relu writes into the gradient that it is handed.
        assert dout.flags.writeable
        dout = dout.copy()
    for name, got in (
        ("W1", convolution.dW),
        ("b1", convolution.db),
        ("W2", affine.dW),
        ("b2", affine.db),
    ):
        expected = numerical_gradient(loss, params[name])
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-7, err_msg=name)
