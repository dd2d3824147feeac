"""PyTorch's own samples and bad inputs for the convolution family, forward and backward.

Where fastconv departs from PyTorch, and only there, the samples are listed below with the reason.
"""

import inspect
import warnings

import numpy as np
import pytest

import fastconv
from fastconv.cpu.isa import core

torch = pytest.importorskip("torch", reason="PyTorch isn't installed: nothing to compare with")

pytestmark = [pytest.mark.filterwarnings("ignore:Using padding='same' with even:UserWarning")]
if core is None:  # everything is the reference's then, which says that it is slow
    pytestmark.append(pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning"))

CONVOLUTIONS = [f"{stem}{ndim}d" for stem in ("conv", "conv_transpose") for ndim in (1, 2, 3)]
DTYPES = ("float32", "float64", "complex64", "complex128")
EPSILON = {"float32": 1e-5, "complex64": 1e-5, "float64": 1e-12, "complex128": 1e-12}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Torch's threads wait for each other by spinning, which small arrays don't repay."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _op(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    (found,) = [op for op in op_db if op.name == f"nn.functional.{name}"]
    return found


def _samples(name, dtype, *, requires_grad=False):
    op = _op(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = list(op.sample_inputs("cpu", getattr(torch, dtype), requires_grad))
    assert len(samples) > 5
    return op.op, samples


def _array(value):
    if isinstance(value, torch.Tensor):
        return value.detach().resolve_conj().numpy()
    return value


def _call(function, sample):
    keywords = {name: _array(value) for name, value in sample.kwargs.items()}
    return function(_array(sample.input), *map(_array, sample.args), **keywords)


def _assert_close(got, expected, dtype):
    expected = _array(expected)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(got, expected, EPSILON[dtype], EPSILON[dtype] * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*CONVOLUTIONS, "linear"])
def test_forward(name, dtype):
    op, samples = _samples(name, dtype)
    for sample in samples:
        expected = op(sample.input, *sample.args, **sample.kwargs)
        _assert_close(_call(getattr(fastconv, name), sample), expected, dtype)


def _backward(name, grad, x, weight, args, kwargs):
    """Call our backward with a sample's parameters; the bias is not among them."""
    if name == "linear":
        return fastconv.linear_backward(grad, x, weight)
    signature = inspect.signature(getattr(fastconv, name))
    bound = signature.bind(x, weight, *args, **kwargs).arguments
    rest = {key: value for key, value in bound.items() if key not in ("x", "weight", "bias")}
    return getattr(fastconv, f"{name}_backward")(grad, x, weight, **rest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*CONVOLUTIONS, "linear"])
def test_gradients(name, dtype):
    op, samples = _samples(name, dtype, requires_grad=True)
    for sample in samples:
        y = op(sample.input, *sample.args, **sample.kwargs)
        grad = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(0))
        weight, *rest = sample.args
        bias = rest[0] if rest else sample.kwargs.get("bias")
        leaves = {"x": sample.input, "weight": weight, "bias": bias}
        leaves = {key: leaf for key, leaf in leaves.items() if leaf is not None}
        expected = torch.autograd.grad(y, list(leaves.values()), grad, allow_unused=True)
        kwargs = {key: _array(value) for key, value in sample.kwargs.items()}
        found = _backward(
            name, _array(grad), _array(sample.input), _array(weight), map(_array, rest), kwargs
        )
        for key, value in zip(leaves, expected, strict=True):
            if value is not None:
                _assert_close(getattr(found, key), value, dtype)


def _columns_call(function, first, *middle, kernel_size, dilation=1, padding=0, stride=1):
    """PyTorch's order is (kernel_size, dilation, padding, stride); ours is conv2d's."""
    return function(first, *middle, kernel_size, stride, padding, dilation)


@pytest.mark.parametrize("dtype", DTYPES)
def test_unfold_and_fold(dtype):
    op, samples = _samples("unfold", dtype)
    names = ("kernel_size", "dilation", "padding", "stride")
    for sample in samples:
        rest = dict(zip(names, sample.args, strict=False)) | sample.kwargs
        expected = op(sample.input, **rest)
        x = _array(sample.input)
        columns = _columns_call(fastconv.im2col, x, **rest)
        np.testing.assert_array_equal(columns, _array(expected))
        folded = torch.nn.functional.fold(expected, x.shape[-2:], **rest)
        image = _columns_call(fastconv.col2im, columns, x.shape[-2:], **rest)
        _assert_close(image, folded, dtype)


def test_a_lone_int_on_three_axes_is_an_image_in_both():
    x = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    for kernel in (2, (3, 2)):
        expected = torch.nn.functional.unfold(x, kernel)
        np.testing.assert_array_equal(fastconv.im2col(x.numpy(), kernel), expected.numpy())


# What PyTorch refuses and fastconv takes, as its design says: (message of PyTorch's, reason).
DEPARTURES = (
    ("should be the same", "integers give float64, and a bias is cast to the result"),
    ("is not supported for strided convolutions", '"same" is SAME_UPPER at every stride'),
)


def _departs(bad):
    """Whether an input is one of DEPARTURES; for dtypes, only while no imaginary part is lost."""
    tensors = [bad.sample_input.input, *bad.sample_input.args]
    mixed = any(isinstance(t, torch.Tensor) and t.is_complex() for t in tensors)
    return not mixed and any(message in bad.error_regex for message, _ in DEPARTURES)


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv3d"])
def test_bad_inputs_are_refused(name):
    refused = taken = 0
    for bad in _op(name).error_inputs("cpu"):
        if _departs(bad):
            assert np.isfinite(_call(getattr(fastconv, name), bad.sample_input)).all()
            taken += 1
            continue
        with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
            _call(getattr(fastconv, name), bad.sample_input)
        refused += 1
    assert refused >= 8
    assert taken >= 1


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_infinities_in_x_go_where_pytorchs_go(ndim):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 2, 7, 6, 5)[: ndim + 2])
    x.flat[[3, 11]] = np.inf, -np.inf
    weight = rng.standard_normal((3, 2, 3, 3, 3)[: ndim + 2])
    function = getattr(torch.nn.functional, f"conv{ndim}d")
    expected = function(torch.tensor(x), torch.tensor(weight), padding=1).numpy()
    got = getattr(fastconv, f"conv{ndim}d")(x, weight, padding=1)
    np.testing.assert_allclose(got, expected, 1e-10, 1e-10)
