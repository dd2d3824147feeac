"""The readable reference: right without the compiled core, and it says that it is slow."""

import numpy as np
import pytest
from scipy.signal import correlate
from scipy.special import erf

import fastconv
from fastconv.cpu import isa
from fastconv.cpu.reference.activations import activate, activation_bytes
from fastconv.cpu.reference.taps import taps
from fastconv.dispatch.cache import PLANS
from fastconv.problem import ConvProblem, Operand

USERS = ("columns", "dense", "dense_gemm", "epilogue", "geometry", "im2col_blas.candidate",
         "implicit_gemm.candidate", "pooling")  # fmt: skip


@pytest.fixture
def no_core(monkeypatch):
    """Take the compiled core away, as where it was not built."""
    for name in USERS:
        monkeypatch.setattr(f"fastconv.cpu.{name}.core", None, raising=False)
        monkeypatch.setattr(f"fastconv.cpu.{name}.why_no_core", "taken away", raising=False)
    monkeypatch.setattr(isa, "core", None)
    PLANS.clear()
    yield
    PLANS.clear()


def test_everything_works_without_the_core_and_says_that_it_is_slow(no_core):
    rng = np.random.default_rng(0)
    x, weight = rng.random((2, 4, 6, 5)), rng.random((6, 2, 3, 3))
    with pytest.warns(fastconv.PerformanceWarning, match="conv2d: the readable NumPy reference"):
        y = fastconv.conv2d(x, weight, padding=1, groups=2)
    np.testing.assert_allclose(y[1, 4, 2, 3], (x[1, 2:, 1:4, 2:5] * weight[4]).sum())
    with pytest.warns(fastconv.PerformanceWarning, match="conv2d_backward"):
        found = fastconv.conv2d_backward(y, x, weight, padding=1, groups=2)
    np.testing.assert_allclose(np.vdot(found.x, x), np.vdot(y, y))
    np.testing.assert_allclose(np.vdot(found.weight, weight), np.vdot(y, y))
    with pytest.warns(fastconv.PerformanceWarning, match="im2col"):
        columns = fastconv.im2col(x, 3)
    with pytest.warns(fastconv.PerformanceWarning, match="col2im"):
        assert fastconv.col2im(columns, (6, 5), 3).shape == x.shape
    with pytest.warns(fastconv.PerformanceWarning, match="linear"):
        np.testing.assert_allclose(fastconv.linear(x, weight[0, 0, :, :1] * x[0, 0, :3]),
                                   x @ (weight[0, 0, :, :1] * x[0, 0, :3]).T)  # fmt: skip


def test_asked_for_by_name_it_does_not_complain():
    y = fastconv.conv1d([[1.0, 2.0, 4.0]], [[[1.0, 1.0]]], algorithm="reference")
    np.testing.assert_array_equal(y, [[3, 6]])


@pytest.mark.parametrize("shape", [(40,), (9, 8), (5, 4, 6)])
def test_it_is_scipys_correlation(shape):
    rng = np.random.default_rng(0)
    kernel = rng.random([3 - (n == 4) for n in shape])
    x = rng.random(shape)
    function = getattr(fastconv, f"conv{len(shape)}d")
    y = function(x[None], kernel[None, None], algorithm="reference")
    np.testing.assert_allclose(y[0], correlate(x, kernel, "valid"), 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        (None, lambda v: v),
        ("relu", lambda v: np.maximum(v, 0)),
        ("relu6", lambda v: np.minimum(np.maximum(v, 0), 6)),
        ("leaky_relu", lambda v: np.where(v > 0, v, v / 100)),
        ("sigmoid", lambda v: 0.5 * (1 + np.tanh(v / 2))),
        ("tanh", np.tanh),
        ("silu", lambda v: v * 0.5 * (1 + np.tanh(v / 2))),
        ("gelu", lambda v: v * 0.5 * (1 + erf(v / np.sqrt(2)))),
    ],
)
def test_activations(name, formula, dtype):
    x = np.concatenate([np.linspace(-30, 30, 1001), [0.0, 1e-30, 6, 500, -500]]).astype(dtype)
    got = activate(name, x)
    assert got.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(got, formula(x.astype(float)), 16 * eps, 16 * eps)
    assert np.isnan(activate(name, np.array([np.nan], dtype))).all()
    assert (activation_bytes(name, 4) == 0) == (name is None)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="unknown activation 'elu'"):
        activate("elu", np.ones(3))


def test_taps_yield_every_product_inside_once():
    shapes = {"x": (1, 1, 7, 5), "weight": (1, 1, 3, 2), "y": (1, 1, 5, 3)}
    problem = ConvProblem(
        function="conv2d", operation="conv_forward", device="cpu",
        **{name: Operand(shape, (0,) * 4, "float64") for name, shape in shapes.items()},
        stride=(2, 3), padding=((3, 3), (2, 1)), dilation=(2, 1), groups=1,
    )  # fmt: skip
    found = set()
    for tap, outputs, inputs in taps(problem, (7, 5), (5, 3)):
        grids = [
            np.stack(np.meshgrid(*(np.arange(99)[box] for box in boxes), indexing="ij"), -1)
            for boxes in (outputs, inputs)
        ]
        assert grids[0].shape == grids[1].shape
        for place, at in zip(*(grid.reshape(-1, 2).tolist() for grid in grids), strict=True):
            assert (tap, *place) not in found
            found.add((tap, *place))
            assert at == [2 * place[0] + 2 * tap[0] - 3, 3 * place[1] + tap[1] - 2]
    expected = {
        ((i, j), a, b)
        for i, j, a, b in np.ndindex(3, 2, 5, 3)
        if 0 <= 2 * a + 2 * i - 3 < 7 and 0 <= 3 * b + j - 2 < 5
    }
    assert found == expected
