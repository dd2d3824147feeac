"""Optimisers against PyTorch's update rules, written out."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv import layers as L


class Bowl(L.Layer):
    """One parameter, whose gradient is whatever backward is given."""

    parameter_names = ("p",)

    def __init__(self, p):
        super().__init__()
        self.p = p

    def backward(self, grad):
        self._gradients["p"] = grad
        return grad


def gradients(count=6, shape=(3, 2)):
    return np.random.default_rng(0).normal(size=(count, *shape))


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_rule(momentum, decay, nesterov):
    layer = Bowl(np.ones((3, 2)))
    optimizer = L.SGD(layer, 0.1, momentum, decay, nesterov)
    parameter, velocity = layer.p, 0.0
    expected = np.ones((3, 2))
    for g in gradients():
        layer.backward(g)
        optimizer.step()
        g = g + decay * expected
        velocity = momentum * velocity + g
        direction = g + momentum * velocity if nesterov else velocity
        expected = expected - 0.1 * direction
    np.testing.assert_allclose(layer.p, expected, rtol=1e-13)
    assert layer.p is parameter


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_rule(decay, decoupled):
    layer = Bowl(np.ones((3, 2)))
    optimizer = L.Adam(layer, 0.01, (0.8, 0.95), 1e-6, decay, decoupled_weight_decay=decoupled)
    parameter = layer.p
    expected, mean, square = np.ones((3, 2)), 0.0, 0.0
    for t, g in enumerate(gradients(), start=1):
        layer.backward(g)
        optimizer.step()
        if decoupled:
            expected = expected * (1 - 0.01 * decay)
        else:
            g = g + decay * expected
        mean = 0.8 * mean + 0.2 * g
        square = 0.95 * square + 0.05 * g * g
        unbiased_mean, unbiased_square = mean / (1 - 0.8**t), square / (1 - 0.95**t)
        expected = expected - 0.01 * unbiased_mean / (np.sqrt(unbiased_square) + 1e-6)
    np.testing.assert_allclose(layer.p, expected, rtol=1e-12)
    assert layer.p is parameter


def test_16_bit_parameters_have_32_bit_state():
    # eps and squares of small gradients are 0 in float16: 0 / 0 would be NaN.
    layer = Bowl(np.ones(3, np.float16))
    optimizer = L.Adam(layer, 0.01)
    layer.backward(np.full(3, 1e-4, np.float16))
    optimizer.step()
    np.testing.assert_allclose(layer.p, 0.99, rtol=1e-3)
    assert layer.p.dtype == np.float16


MAKERS = {
    "SGD": lambda layer: L.SGD(layer, 0.1),
    "SGD-momentum": lambda layer: L.SGD(layer, 0.1, 0.9),
    "Adam": lambda layer: L.Adam(layer, 0.1),
}


@pytest.mark.parametrize("name", MAKERS)
def test_state_resumes_a_run(name):
    steps = gradients()
    whole = Bowl(np.ones((3, 2)))
    optimizer = MAKERS[name](whole)
    for g in steps:
        whole.backward(g)
        optimizer.step()

    first = Bowl(np.ones((3, 2)))
    optimizer = MAKERS[name](first)
    for g in steps[:3]:
        first.backward(g)
        optimizer.step()
    state, parameters = optimizer.state_dict(), first.state_dict()
    first.backward(steps[0])
    optimizer.step()  # must not reach into the state taken before

    second = Bowl(np.zeros((3, 2)))
    second.load_state_dict(parameters)
    optimizer = MAKERS[name](second)
    optimizer.load_state_dict(state)
    for g in steps[3:]:
        second.backward(g)
        optimizer.step()
    np.testing.assert_array_equal(second.p, whole.p)


def test_state_that_does_not_fit_is_refused():
    layer = Bowl(np.ones((3, 2)))
    layer.backward(np.ones((3, 2)))
    adam = L.Adam(layer)
    adam.step()
    state = adam.state_dict()
    other = L.Adam(Bowl(np.ones(4)))
    with pytest.raises(ValueError, match=r"p: got shape \(3, 2\), expected \(4,\)"):
        other.load_state_dict(state)
    with pytest.raises(ValueError, match=r"got \['mean', 'square'\], expected \['momentum'\]"):
        L.SGD(layer, momentum=0.9).load_state_dict(state)
    with pytest.raises(ValueError, match="weight: the layer has no such parameter"):
        adam.load_state_dict({**state, "state": {"weight": state["state"]["p"]}})
    with pytest.raises(ValueError, match="keys"):
        adam.load_state_dict({})
    assert adam.steps == 1


@pytest.mark.parametrize("name", MAKERS)
def test_step_without_gradients_changes_nothing(name):
    net = L.Sequential(Bowl(np.ones(2)), Bowl(np.ones(2)))
    optimizer = MAKERS[name](net)
    net[0].backward(np.ones(2))
    with pytest.raises(RuntimeError, match=r"no gradient for 1\.p"):
        optimizer.step()
    net[1].backward(np.ones(3))
    with pytest.raises(ValueError, match=r"1.p: got a gradient or state of shape \(3,\)"):
        optimizer.step()
    assert net[0].p.tolist() == [1, 1]
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.SGD(Bowl(np.ones(1)), lr=-1), ValueError, "SGD: lr: got -1"),
        (lambda: L.SGD(Bowl(np.ones(1)), momentum=float("nan")), ValueError, "SGD: momentum"),
        (lambda: L.SGD(Bowl(np.ones(1)), nesterov=True), ValueError, "SGD: nesterov"),
        (lambda: L.SGD({"p": 1}), TypeError, "SGD: layer"),
        (lambda: L.Adam(Bowl(np.ones(1)), betas=(0.9, 1.0)), ValueError, "Adam: betas"),
        (lambda: L.Adam(Bowl(np.ones(1, complex))), TypeError, "Adam: p: got dtype complex128"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
