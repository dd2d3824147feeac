"""Layers run on any array type that a backend serves, and mix none."""

from __future__ import annotations

import operator
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

import fastconv
from fastconv import layers as L
from fastconv.backend import API_VERSION, Info, Probe
from fastconv.problem import OPERATIONS
from fastconv.registry import REGISTRY


def unwrap(value):
    if isinstance(value, Array):
        return value.data
    if isinstance(value, np.ndarray):
        raise TypeError("a NumPy array among other_arrays.Array")
    return value


def wrap(value):
    return Array(value) if isinstance(value, np.ndarray | np.generic) else value


class Array:
    """An array that NumPy can't take for its own: every mixture raises."""

    __module__ = "other_arrays"
    __array_ufunc__ = None

    def __init__(self, data):
        self.data = np.asarray(data)

    def __array__(self, *_args, **_kwargs):
        raise TypeError("implicit conversion to NumPy")

    def __getattr__(self, name):
        value = getattr(self.data, name)
        if not callable(value):
            return wrap(value)
        return lambda *args, **kwargs: wrap(value(*map(unwrap, args), **kwargs))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, place):
        return Array(self.data[place])

    def __setitem__(self, place, value):
        self.data[place] = unwrap(value)

    def __int__(self):
        return int(self.data)

    def __float__(self):
        return float(self.data)

    def get(self):
        return self.data.copy()


def binary(function, swapped=False):
    def method(self, other):
        pair = (unwrap(other), self.data) if swapped else (self.data, unwrap(other))
        return wrap(function(*pair))

    return method


def in_place(function):
    def method(self, other):
        self.data = function(self.data, unwrap(other))
        return self

    return method


def unary(function):
    return lambda self: wrap(function(self.data))


for name in ("add", "sub", "mul", "truediv", "or_", "and_"):
    plain = name.rstrip("_")
    setattr(Array, f"__{plain}__", binary(getattr(operator, name)))
    setattr(Array, f"__r{plain}__", binary(getattr(operator, name), swapped=True))
    setattr(Array, f"__i{plain}__", in_place(getattr(operator, f"i{plain}")))
for name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Array, f"__{name}__", binary(getattr(operator, name)))
for name in ("neg", "invert"):
    setattr(Array, f"__{name}__", unary(getattr(operator, name)))


def unwrapping(function):
    return lambda *args: wrap(function(*map(unwrap, args)))


def library():
    module = types.ModuleType("other_arrays")
    module.Array = Array
    module.asarray = lambda value: value if isinstance(value, Array) else Array(np.array(value))
    module.result_type = np.result_type
    names = ("abs", "arange", "exp", "log", "maximum", "minimum", "ones", "ones_like", "sqrt")
    for function in (*names, "tanh", "where", "zeros"):
        setattr(module, function, unwrapping(getattr(np, function)))
    return module


class OtherPlan:
    def __init__(self, plan):
        self.plan = plan
        self.workspace_bytes = plan.workspace_bytes

    def empty(self, shape, dtype):
        return Array(self.plan.empty(shape, dtype))

    def run(self, inputs, outputs, workspace, stream=None):
        scratch = None if workspace is None else workspace.data
        self.plan.run([a.data for a in inputs], [a.data for a in outputs], scratch, stream)


class OtherBackend:
    """Serves `Array` by the built-in backend's plans."""

    info = Info(
        name="other",
        api_version=API_VERSION,
        namespace="other_arrays",
        array_types=("other_arrays.Array",),
        device_kinds=("cpu",),
        operations=OPERATIONS,
    )

    def __init__(self):
        self.cpu = REGISTRY.get("cpu").backend

    def probe(self):
        return Probe(("cpu",))

    def decide(self, problem, policy):
        return self.cpu.decide(problem, policy)

    def plan(self, problem, decision):
        return OtherPlan(self.cpu.plan(problem, replace(decision, backend="cpu")))


@pytest.fixture
def other(monkeypatch):
    module = library()
    monkeypatch.setitem(sys.modules, "other_arrays", module)
    fastconv.register_backend(OtherBackend())
    yield module
    fastconv.unregister_backend("other")


def network():
    return L.Sequential(
        L.Conv2d(1, 4, 3, padding=1, seed=0),
        L.BatchNorm2d(4),
        L.ReLU(),
        L.MaxPool2d(2),
        L.ConvTranspose2d(4, 3, 2, seed=1),
        L.LeakyReLU(),
        L.AvgPool2d(2),
        L.SiLU(),
        L.Dropout(0.2, seed=2),
        L.GELU(),
        L.Flatten(),
        L.Linear(12, 6, seed=3),
        L.Sigmoid(),
        L.ReLU6(),
        L.Tanh(),
        L.Linear(6, 3, seed=4),
    )


def train(net, x, labels, make):
    loss, optimizer = L.SoftmaxCrossEntropy(), make(net)
    values = []
    for _ in range(3):
        values.append(loss(net(x), labels))
        by_x = net.backward(loss.backward())
        optimizer.step()
    return values, by_x


@pytest.mark.parametrize("make", [L.Adam, lambda net: L.SGD(net, 0.1, 0.9)])
def test_training_on_another_library_gives_numpys_numbers(other, make):
    x = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    x = x[:, :, :6, :6]
    labels = np.array([0, 1, 2, 1, 0])
    net, moved = network(), network().to(other)
    assert all(type(p) is Array for p in moved.parameters().values())
    expected, expected_by_x = train(net, x, labels, make)
    got, by_x = train(moved, Array(x), Array(labels), make)
    assert type(by_x) is Array
    assert got == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(by_x.get(), expected_by_x, rtol=1e-5, atol=1e-7)
    state = net.state_dict()
    for name, array in moved.state_dict().items():
        np.testing.assert_allclose(array.get(), state[name], rtol=1e-4, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(moved.eval()(Array(x)).get(), net.eval()(x), rtol=1e-4, atol=1e-5)


def test_files_cross_libraries(other, tmp_path):
    moved = network().to(like=Array(np.zeros(1)))
    moved.save(tmp_path / "net.npz")
    plain = network()
    plain[0].weight += 1
    plain.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(plain[0].weight, moved[0].weight.get())
    plain[0].weight += 1
    plain.save(tmp_path / "net.npz")
    moved.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(plain[0].weight, moved[0].weight.get())
    back = moved.to(np)
    assert type(back[0].weight) is np.ndarray


@pytest.mark.parametrize(
    "layer",
    [
        L.Conv2d(1, 1, 1),
        L.ConvTranspose2d(1, 1, 1),
        L.Linear(4, 2),
        L.BatchNorm2d(1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_nothing_moves_silently(other, layer):
    x = np.ones((2, 1, 4, 4), np.float32)
    with pytest.raises(TypeError, match="other_arrays"):
        layer(Array(x))
    y = layer(x)
    with pytest.raises(TypeError, match="other_arrays"):
        layer.backward(Array(y))
    with pytest.raises(TypeError, match="other_arrays"):
        layer.to(other)(x)


@pytest.mark.parametrize(
    "layer", [L.ReLU(), L.Tanh(), L.Dropout(), L.Flatten()], ids=lambda layer: type(layer).__name__
)
def test_gradients_of_another_library_are_refused(other, layer):
    y = layer(np.ones((2, 3)))
    with pytest.raises(TypeError, match="got an array of other_arrays, expected one of numpy"):
        layer.backward(Array(y))


def test_a_target_of_another_library_is_refused(other):
    with pytest.raises(TypeError, match="target: got an array of other_arrays"):
        L.SoftmaxCrossEntropy()(np.zeros((2, 3)), Array(np.array([0, 1])))


def test_moving_takes_one_place():
    layer = L.Linear(1, 1)
    with pytest.raises(TypeError, match="either a module"):
        layer.to()
    with pytest.raises(TypeError, match="either a module"):
        layer.to(np, like=np.zeros(1))
    with pytest.raises(TypeError, match="expected an array module"):
        layer.to("numpy")


def test_moving_drops_saved_context():
    layer = L.Linear(1, 1)
    y = layer(np.ones((1, 1), np.float32))
    layer.to(np)
    with pytest.raises(RuntimeError, match="was moved"):
        layer.backward(y)


def test_subclasses_of_ndarray_give_plain_arrays():
    x = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
    net = network()
    y = net(x.view(np.recarray))
    assert type(y) is np.ndarray
    assert type(net.backward(y)) is np.ndarray
