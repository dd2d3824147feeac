"""Every layer's gradients against central differences in float64."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv import layers as L

F64 = {"dtype": "float64", "seed": 1}

CASES = {
    "Conv1d": (lambda: L.Conv1d(2, 3, 3, stride=2, padding=1, **F64), (2, 2, 7)),
    "Conv2d": (lambda: L.Conv2d(2, 4, (3, 2), padding="same", groups=2, **F64), (2, 2, 4, 5)),
    "Conv2d-no-bias": (lambda: L.Conv2d(1, 2, 2, dilation=2, bias=False, **F64), (1, 1, 4, 5)),
    "Conv2d-NHWC": (lambda: L.Conv2d(2, 3, 2, layout="NHWC", **F64), (2, 3, 4, 2)),
    "Conv2d-unbatched": (lambda: L.Conv2d(2, 3, 2, **F64), (2, 3, 4)),
    "Conv3d": (lambda: L.Conv3d(1, 2, 2, padding=((0, 1), (1, 0), (0, 0)), **F64), (1, 1, 2, 3, 3)),
    "ConvTranspose1d": (lambda: L.ConvTranspose1d(2, 3, 3, stride=2, **F64), (1, 2, 4)),
    "ConvTranspose2d": (
        lambda: L.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1, groups=2, **F64),
        (1, 4, 2, 3),
    ),
    "ConvTranspose3d": (lambda: L.ConvTranspose3d(1, 2, 2, bias=False, **F64), (1, 1, 2, 2, 2)),
    "Linear": (lambda: L.Linear(5, 3, **F64), (4, 5)),
    "Linear-3-axes": (lambda: L.Linear(3, 2, bias=False, **F64), (2, 4, 3)),
    "MaxPool1d": (lambda: L.MaxPool1d(2), (2, 3, 6)),
    "MaxPool2d": (lambda: L.MaxPool2d(3, 2, padding=1, ceil_mode=True), (2, 2, 6, 5)),
    "MaxPool3d": (lambda: L.MaxPool3d(2, 1, dilation=1), (1, 1, 3, 3, 3)),
    "AvgPool1d": (lambda: L.AvgPool1d(3, 2, 1), (2, 2, 6)),
    "AvgPool2d": (lambda: L.AvgPool2d(3, 2, 1, count_include_pad=False), (1, 2, 5, 6)),
    "AvgPool3d": (lambda: L.AvgPool3d(2, divisor_override=3), (1, 2, 4, 2, 2)),
    "LPPool1d": (lambda: L.LPPool1d(3, 2), (1, 2, 6)),
    "LPPool2d": (lambda: L.LPPool2d(2, 2, 1), (2, 1, 4, 4)),
    "LPPool3d": (lambda: L.LPPool3d(2, 2), (1, 1, 2, 4, 2)),
    "AdaptiveAvgPool1d": (lambda: L.AdaptiveAvgPool1d(3), (1, 2, 7)),
    "AdaptiveAvgPool2d": (lambda: L.AdaptiveAvgPool2d((2, 3)), (2, 1, 5, 7)),
    "AdaptiveAvgPool3d": (lambda: L.AdaptiveAvgPool3d(2), (1, 1, 3, 4, 2)),
    "AdaptiveMaxPool1d": (lambda: L.AdaptiveMaxPool1d(3), (1, 2, 7)),
    "AdaptiveMaxPool2d": (lambda: L.AdaptiveMaxPool2d((2, 3)), (2, 1, 5, 7)),
    "AdaptiveMaxPool3d": (lambda: L.AdaptiveMaxPool3d(2), (1, 1, 3, 4, 2)),
    "BatchNorm1d": (lambda: L.BatchNorm1d(3, dtype="float64"), (4, 3)),
    "BatchNorm1d-NLC": (lambda: L.BatchNorm1d(3, dtype="float64", layout="NLC"), (2, 4, 3)),
    "BatchNorm2d": (lambda: L.BatchNorm2d(2, dtype="float64"), (3, 2, 2, 3)),
    "BatchNorm3d": (
        lambda: L.BatchNorm3d(2, affine=False, track_running_stats=False),
        (2, 2, 2, 1, 2),
    ),
    "ReLU": (L.ReLU, (3, 5)),
    "ReLU6": (L.ReLU6, (3, 5)),
    "LeakyReLU": (lambda: L.LeakyReLU(0.2), (3, 5)),
    "Sigmoid": (L.Sigmoid, (3, 5)),
    "Tanh": (L.Tanh, (3, 5)),
    "SiLU": (L.SiLU, (3, 5)),
    "GELU": (L.GELU, (3, 5)),
    "Dropout": (lambda: L.Dropout(0.4), (4, 6)),
    "Flatten": (L.Flatten, (2, 3, 2)),
    "Flatten-inner": (lambda: L.Flatten(1, 2), (2, 3, 2, 2)),
    "Sequential": (
        lambda: L.Sequential(
            L.Conv2d(1, 2, 3, padding=1, **F64),
            L.BatchNorm2d(2, dtype="float64"),
            L.Tanh(),
            L.Sequential(L.AvgPool2d(2), L.Flatten()),
            L.Linear(8, 3, **F64),
        ),
        (2, 1, 4, 4),
    ),
}


def randomise(layer, rng):
    for parameter in layer.parameters().values():
        parameter[...] = rng.normal(size=parameter.shape)


def spread(rng, shape):
    """Values at least 0.1 apart and 0.05 from 0: no tie or kink within a difference's step."""
    size = int(np.prod(shape))
    return ((rng.permutation(size) - size // 2) * 0.1 + 0.05).reshape(shape)


@pytest.mark.parametrize("name", CASES)
def test_gradients_match_central_differences(name, differentiate):
    make, shape = CASES[name]
    rng = np.random.default_rng(7)
    layer = make()
    randomise(layer, rng)
    x = spread(rng, shape)
    if name.startswith("LPPool"):
        x = abs(x)  # the root of a negative sum is NaN, as in PyTorch
    weights = None

    def run():
        if isinstance(layer, L.Dropout):
            layer.rng = np.random.default_rng(3)
        return layer(x)

    def loss():
        return float((run() * weights).sum())

    weights = rng.normal(size=run().shape)
    run()
    by_x = layer.backward(weights)
    gradients = layer.gradients()

    assert by_x.shape == shape
    assert by_x.dtype == np.float64
    np.testing.assert_allclose(by_x, differentiate(loss, x), rtol=1e-5, atol=1e-7)
    assert list(gradients) == list(layer.parameters())
    for key, parameter in layer.parameters().items():
        assert gradients[key].shape == parameter.shape
        assert gradients[key].dtype == parameter.dtype
        expected = differentiate(loss, parameter)
        np.testing.assert_allclose(gradients[key], expected, rtol=1e-5, atol=1e-7, err_msg=key)


def test_every_layer_is_covered():
    exported = {
        name
        for name in L.__all__
        if isinstance(getattr(L, name), type) and issubclass(getattr(L, name), L.Layer)
    }
    assert exported - {"Layer"} == {name.partition("-")[0] for name in CASES}


def test_cross_entropy_gradient_matches_central_differences(differentiate):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 5)) * 3
    loss = L.SoftmaxCrossEntropy()
    for target in (np.array([0, 4, 2, 2]), np.eye(5)[[1, 1, 0, 3]], rng.random((4, 5))):
        loss(logits, target)
        gradient = loss.backward()
        expected = differentiate(lambda target=target: loss(logits, target), logits)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_complex_convolution_descends():
    # The gradient is conj-linear, as PyTorch's: a step against it lowers the loss.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 2, 4, 4)) + 1j * rng.normal(size=(2, 2, 4, 4))
    layer = L.Conv2d(2, 3, 3, dtype="complex128", seed=0)
    optimizer = L.SGD(layer, lr=1e-3)
    before = layer(x)
    layer.backward(before)
    optimizer.step()
    assert layer.weight.dtype == np.complex128
    assert np.abs(layer(x)).sum() < np.abs(before).sum()
