"""Training in 16 bits with parameters in 32."""

from __future__ import annotations

import sys

import handwriting as mnist
import numpy as np
import pytest

from fastconv import layers as L

HALF = ["float16", "bfloat16"]


def _dtype(name):
    if name == "bfloat16":
        pytest.importorskip("ml_dtypes")
    return name


def _net():
    return L.Sequential(
        L.Conv2d(1, 4, 3, bias=False, seed=0),
        L.BatchNorm2d(4),
        L.ReLU(),
        L.MaxPool2d(2),
        L.ConvTranspose2d(4, 2, 2, seed=1),
        L.Flatten(),
        L.Linear(32, 3, seed=2),
    )


@pytest.mark.parametrize("name", HALF)
def test_activations_are_narrow_parameters_and_their_gradients_are_not(name):
    net = _net().compute_in(_dtype(name))
    x = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    seen = []
    for layer in net:
        x = layer(x)
        seen.append(x.dtype.name)
    assert seen == [name] * len(seen)
    grad = net.backward(np.ones((5, 3), np.float32))
    assert grad.dtype.name == name
    assert {p.dtype.name for p in net.parameters().values()} == {"float32"}
    assert {g.dtype.name for g in net.gradients().values()} == {"float32"}
    assert {b.dtype.name for b in net.buffers().values()} == {"float32", "int64"}


@pytest.mark.parametrize("name", HALF)
def test_results_and_gradients_are_near_those_of_float32(name):
    x = np.random.default_rng(0).normal(size=(16, 1, 8, 8)).astype(np.float32)
    half, single = _net().compute_in(_dtype(name)), _net()
    grad = np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)
    off = 0.004 if name == "float16" else 0.03
    np.testing.assert_allclose(half(x).astype(np.float32), single(x), atol=off * 3)
    half.backward(grad), single.backward(grad)
    for key, expected in single.gradients().items():
        most = abs(expected).max()
        np.testing.assert_allclose(
            half.gradients()[key], expected, atol=4 * off * most, err_msg=key
        )


def test_none_undoes_it():
    net = _net().compute_in("float16").compute_in(None)
    assert net(np.zeros((2, 1, 8, 8), np.float32)).dtype == np.float32


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match=r"Sequential\.compute_in: dtype: got 'float64', expected"):
        _net().compute_in("float64")
    with pytest.raises(TypeError, match="compute_in: dtype: got 'half-ish'"):
        _net().compute_in("half-ish")


def test_bfloat16_without_ml_dtypes_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    for make in (lambda: _net().compute_in("bfloat16"), lambda: L.Linear(1, 1, dtype="bfloat16")):
        with pytest.raises(
            ModuleNotFoundError, match=r"dtype: got 'bfloat16'.*pip install ml_dtypes"
        ):
            make()


def test_a_scale_keeps_gradients_that_float16_would_lose():
    net = L.Linear(4, 2, bias=False, seed=0).compute_in("float16")
    loss = L.SoftmaxCrossEntropy()
    x, target = np.full((1, 4), 1e-4, np.float32), np.array([[1e-4, 0.0]])
    loss(net(x), target)
    net.backward(loss.backward())
    assert not net.gradients()["weight"].any()
    loss(net(x), target)
    net.backward(loss.backward(2.0**15))
    kept = net.gradients()["weight"] / 2.0**15
    np.testing.assert_allclose(kept[:, 0], [-0.5e-8, 0.5e-8], rtol=0.02)


def test_a_step_with_an_infinite_gradient_is_left_out_and_the_scale_halved():
    net = L.Linear(2, 2, seed=0).compute_in("float16")
    optimizer, scaler = L.SGD(net, 0.1), L.LossScaler(2.0**15, interval=2)
    before = net.state_dict()
    x = np.full((1, 2), 8.0, np.float32)

    def step(grad):
        net(x)
        net.backward(np.full((1, 2), grad * scaler.scale, np.float32))
        return scaler.step(optimizer)

    assert not step(1.0)  # 8 * 2^15 is beyond float16
    assert scaler.scale == 2.0**14
    for name, value in before.items():
        np.testing.assert_array_equal(net.parameters()[name], value)
    assert step(0.1)
    np.testing.assert_allclose(before["bias"] - net.bias, 0.01, rtol=1e-3)
    assert optimizer.steps == 1
    assert step(0.1)
    assert scaler.scale == 2.0**15  # two good steps
    for _ in range(100):
        net.gradients()["bias"][...] = np.nan
        assert not scaler.step(optimizer)
    assert scaler.scale == 2.0**-14
    scaler.load_state_dict({"scale": 2.0**15, "good_steps": 0})
    again = L.LossScaler()
    again.load_state_dict(scaler.state_dict())
    assert again.state_dict() == {"scale": 2.0**15, "good_steps": 0}


@pytest.mark.parametrize(
    "bad", [{"scale": 0.0}, {"growth": 1.0}, {"backoff": 1.0}, {"interval": -1}, {"scale": np.inf}]
)
def test_a_scaler_s_numbers_are_checked(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"LossScaler: {name}: got"):
        L.LossScaler(**bad)
    with pytest.raises(ValueError, match=r"LossScaler\.load_state_dict: keys"):
        L.LossScaler().load_state_dict({"scale": 1.0})


@pytest.mark.parametrize("name", HALF)
def test_a_net_learns_digits_in_16_bits(name):
    images, labels, test_images, test_labels = mnist.digits()
    net = mnist.network().compute_in(_dtype(name))
    mnist.train(net, images[:2000], labels[:2000], epochs=1, batch=32, lr=0.004)
    assert mnist.accuracy(net, test_images[:400], test_labels[:400]) > 0.85
    assert net.parameters()["0.weight"].dtype == np.float32


@pytest.mark.slow
def test_16_bits_read_digits_as_well_as_32_do():
    images, labels, test_images, test_labels = mnist.digits()
    pytest.importorskip("ml_dtypes")
    found = {}
    for name in (None, "bfloat16", "float16"):
        net = mnist.network().compute_in(name)
        mnist.train(net, images, labels, epochs=4)
        found[name] = mnist.accuracy(net, test_images, test_labels)
    assert found[None] > 0.97
    assert found["bfloat16"] >= found[None] - 0.003
    assert found["float16"] >= found[None] - 0.003


@np.errstate(invalid="ignore")  # signalling NaNs are among them
@pytest.mark.parametrize("name", HALF)
def test_relu_of_16_bits_is_that_of_their_numbers(name):
    _dtype(name)
    x = np.arange(2**16, dtype=np.uint16).view(np.dtype(name))
    numbers = x[~np.isnan(x.astype(np.float32))]
    for array in (x, numbers, x[::-3], x.reshape(4, -1).T, x[:0]):
        y = L.ReLU().eval()(array)
        assert y.dtype == array.dtype
        expected = np.maximum(array.astype(np.float32), 0)
        np.testing.assert_array_equal(y.astype(np.float32), expected)
