"""PyTorch's own samples and bad inputs for pools, and grids of edge cases, against PyTorch."""

import itertools
import warnings

import numpy as np
import pytest

import fastconv
from fastconv.cpu.isa import core

REASON = "PyTorch isn't installed: its semantics can't be compared"
torch = pytest.importorskip("torch", reason=REASON)
F = torch.nn.functional

if core is None:  # everything is the reference's then, which says that it is slow
    pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")

STEMS = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "max_unpool")
NAMES = [f"{stem}{ndim}d" for stem in STEMS for ndim in (1, 2, 3)]
TOLERANCES = {"float32": (1e-5, 1e-6), "float64": (1e-12, 1e-14)}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Torch's threads wait for each other by spinning, which small arrays don't repay."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _op_infos(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return [op for op in op_db if op.name == f"nn.functional.{name}"]


def _array(value):
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value


def _ours(function, sample):
    keywords = {name: _array(value) for name, value in sample.kwargs.items()}
    return function(_array(sample.input), *map(_array, sample.args), **keywords)


def _tuple(results):
    return results if isinstance(results, tuple) else (results,)


def _compare(results, expected, rtol=1e-12, atol=1e-14, message=""):
    for result, wanted in zip(_tuple(results), _tuple(expected), strict=True):
        wanted = _array(wanted)
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(result, wanted, rtol=rtol, atol=atol, err_msg=message)


@pytest.mark.parametrize(
    ("dtype", "algorithm"),
    [
        ("float32", None),
        ("float64", None),
        pytest.param("float64", "reference", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_opinfo_samples(name, dtype, algorithm):
    compared = 0
    for op in _op_infos(name):
        for sample in op.sample_inputs("cpu", getattr(torch, dtype)):
            expected = op.op(sample.input, *sample.args, **sample.kwargs)
            with fastconv.use(algorithm=algorithm):
                ours = _ours(getattr(fastconv, name), sample)
            _compare(ours, expected, *TOLERANCES[dtype])
            compared += 1
    assert compared > 0


@pytest.mark.parametrize("name", NAMES)
def test_opinfo_bad_inputs(name):
    refused = 0
    for op in _op_infos(name):
        for bad in op.error_inputs("cpu") if op.error_inputs_func else ():
            with pytest.raises((ValueError, TypeError), match=f"^{name}"):
                _ours(getattr(fastconv, name), bad.sample_input)
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_lp_module_samples(ndim, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db
    (info,) = [each for each in module_db if each.name == f"nn.LPPool{ndim}d"]
    samples = info.module_inputs_func(
        info, device="cpu", dtype=getattr(torch, dtype), requires_grad=False, training=True
    )
    assert len(samples) > 0
    for sample in samples:
        module = info.module_cls(*sample.constructor_input.args, **sample.constructor_input.kwargs)
        x = sample.forward_input.args[0]
        ours = getattr(fastconv, f"lp_pool{ndim}d")(
            _array(x), module.norm_type, module.kernel_size, module.stride, 0, module.ceil_mode
        )
        # Torch's powers of float32 overflow and cancel earlier than ours, summed in double.
        _compare(ours, module(x), rtol=1e-4 if dtype == "float32" else 1e-10)


def _values(rng, shape):
    """Return small integers, so that ties are common, with NaN and infinities between."""
    x = rng.integers(-3, 4, shape).astype(np.float64)
    odd = rng.random(shape)
    x[odd < 0.05] = np.nan
    x[odd > 0.97] = np.inf
    x[(odd > 0.90) & (odd < 0.95)] = -np.inf
    return x


def _either(function, *args, **kwargs):
    """Return the result, or None where it is refused."""
    try:
        return function(*args, **kwargs)
    except (ValueError, RuntimeError):
        return None


def test_max_pool1d_edges():
    rng = np.random.default_rng(0)
    grid = itertools.product(
        range(1, 7), range(1, 5), range(1, 4), range(4), (1, 2, 3), (False, True)
    )
    agreed = 0
    for length, *geometry in grid:
        x = _values(rng, (2, 2, length))
        expected = _either(F.max_pool1d, torch.from_numpy(x), *geometry)
        ours = _either(fastconv.max_pool1d, x, *geometry)
        kernel, _, padding, _, _ = geometry
        # Torch compares padding with the kernel; we, with what the dilated kernel covers.
        assert (ours is None) == (expected is None) or padding > kernel // 2, (length, geometry)
        if ours is None or expected is None:
            continue
        _compare(ours, expected, message=str((length, geometry)))
        pair = _either(fastconv.max_pool1d, x, *geometry, return_indices=True)
        if pair is None:  # a window without elements, to which torch gives an index past the end
            assert np.isneginf(ours).any()
            continue
        wanted = F.max_pool1d(torch.from_numpy(x), *geometry, return_indices=True)
        _compare(pair, wanted, message=str((length, geometry)))
        agreed += 1
    assert agreed > 500


def test_avg_pool1d_edges():
    rng = np.random.default_rng(1)
    grid = itertools.product(
        range(1, 7), range(1, 5), range(1, 5), range(3), (False, True), (False, True)
    )
    for length, *geometry in grid:
        x = rng.standard_normal((2, 2, length))
        expected = _either(F.avg_pool1d, torch.from_numpy(x), *geometry)
        ours = _either(fastconv.avg_pool1d, x, *geometry)
        assert (ours is None) == (expected is None), (length, geometry)
        if ours is not None:
            _compare(ours, expected, message=str((length, geometry)))


def _random_geometry(rng, ndim):
    return tuple(
        tuple(int(n) for n in rng.integers(low, high, ndim))
        for low, high in ((1, 4), (1, 4), (0, 2))
    )


def _gradient(function, x, *args, **kwargs):
    """Return torch's result, a gradient for it, and the gradient that follows for x."""
    leaf = torch.tensor(x, requires_grad=True)
    y = function(leaf, *args, **kwargs)
    grad = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(0))
    y.backward(grad)
    return y, grad.numpy(), leaf.grad.numpy()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_avg_pool_with_gradient(ndim, ceil_mode):
    rng = np.random.default_rng(2)
    compared = 0
    for _ in range(60):
        x = rng.standard_normal((2, 2, *rng.integers(3, 8, ndim)))
        counted, divisor = bool(rng.integers(2)), (None, 3, -2)[rng.integers(3)]
        geometry = (*_random_geometry(rng, ndim), ceil_mode, counted, divisor)
        ours = _either(getattr(fastconv, f"avg_pool{ndim}d"), x, *geometry)
        function = getattr(F, f"avg_pool{ndim}d")
        assert (ours is None) == (_either(function, torch.from_numpy(x), *geometry) is None)
        if ours is None:
            continue
        expected, grad, gradient = _gradient(function, x, *geometry)
        _compare(ours, expected)
        _compare(
            getattr(fastconv, f"avg_pool{ndim}d_backward")(grad, x, *geometry),
            torch.from_numpy(gradient),
        )
        compared += 1
    assert compared > 20


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_max_pool_with_gradient_and_unpooling(ndim):
    rng = np.random.default_rng(3)
    compared = 0
    for _ in range(60):
        x = rng.integers(-3, 4, (2, 2, *rng.integers(4, 9, ndim))).astype(float)
        dilation = int(rng.integers(1, 3))
        geometry = (*_random_geometry(rng, ndim), dilation, bool(rng.integers(2)))
        ours = _either(getattr(fastconv, f"max_pool{ndim}d"), x, *geometry, return_indices=True)
        if ours is None:
            continue
        function = getattr(F, f"max_pool{ndim}d")
        expected, grad, gradient = _gradient(function, x, *geometry)
        _compare(ours[0], expected)
        backward = getattr(fastconv, f"max_pool{ndim}d_backward")
        _compare(backward(grad, x, ours[1], *geometry), torch.from_numpy(gradient))
        compared += 1
        y, indices = map(torch.from_numpy, ours)
        shape = list(x.shape[2:])
        unpooled = _either(getattr(F, f"max_unpool{ndim}d"), y, indices, *geometry[:3], shape)
        if unpooled is None:
            continue
        unpool = getattr(fastconv, f"max_unpool{ndim}d")
        # Of two elements for one place torch keeps either: only their places must agree.
        result = unpool(*ours, *geometry[:3], shape)
        assert np.isin(result, np.append(ours[0], 0)).all()
        if all(len(np.unique(plane)) == plane.size for plane in indices.reshape(4, -1).numpy()):
            _compare(result, unpooled)
    assert compared > 20


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pools_with_gradient(ndim, kind):
    rng = np.random.default_rng(4)
    for _ in range(40):
        x = (
            _values(rng, (2, 2, *rng.integers(1, 8, ndim)))
            if kind == "max"
            else (rng.standard_normal((2, 2, *rng.integers(1, 8, ndim))))
        )
        size = tuple(int(n) for n in rng.integers(1, 10, ndim))
        name = f"adaptive_{kind}_pool{ndim}d"
        expected, grad, gradient = _gradient(getattr(F, name), x, size)
        backward = getattr(fastconv, f"{name}_backward")
        if kind == "avg":
            _compare(getattr(fastconv, name)(x, size), expected)
            _compare(backward(grad, x, size), torch.from_numpy(gradient))
            continue
        ours = getattr(fastconv, name)(x, size, return_indices=True)
        _compare(ours, getattr(F, name)(torch.from_numpy(x), size, return_indices=True))
        _compare(backward(grad, x, ours[1]), torch.from_numpy(gradient))


@pytest.mark.parametrize("norm", [1, 2, 3, 4, 1.5, 0.5, -1, -2, np.inf, -np.inf])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_lp_pool_with_gradient(ndim, norm):
    rng = np.random.default_rng(5)
    for positive, ceil_mode in itertools.product((False, True), repeat=2):
        x = rng.standard_normal((2, 3, *rng.integers(5, 9, ndim)))
        if positive or norm == 1.5 or norm == 0.5:
            x = np.abs(x)
        kernel, stride, _ = _random_geometry(rng, ndim)
        if ndim == 1:  # torch's 1-d function multiplies by the kernel as it is given
            kernel = kernel[0]
        geometry = (norm, kernel, stride)
        name = f"lp_pool{ndim}d"
        expected, grad, gradient = _gradient(getattr(F, name), x, norm, kernel, stride, ceil_mode)
        ours = getattr(fastconv, name)(x, *geometry, 0, ceil_mode)
        _compare(ours, expected, rtol=1e-10)
        backward = getattr(fastconv, f"{name}_backward")(grad, x, *geometry, 0, ceil_mode)
        # An odd power's sum of either sign has no real root: both give NaN there, and torch
        # for its gradient too.
        _compare(backward, torch.from_numpy(gradient), rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_pools(dtype):
    """Averages differ from torch's by one rounding at most; maxima not at all."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes isn't installed")
    kind = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    rng = np.random.default_rng(6)
    values = rng.standard_normal((2, 3, 9, 8)).astype(np.float32)
    x, tensor = values.astype(kind), torch.tensor(values).to(getattr(torch, dtype))
    y, indices = fastconv.max_pool2d(x, 3, 2, 1, return_indices=True)
    expected, places = F.max_pool2d(tensor, 3, 2, 1, return_indices=True)
    assert y.dtype == kind
    assert (y.astype(np.float32) == expected.float().numpy()).all()
    assert (indices == places.numpy()).all()
    average = fastconv.avg_pool2d(x, 3, 2, 1)
    wanted = F.avg_pool2d(tensor, 3, 2, 1).float().numpy()
    assert average.dtype == kind
    np.testing.assert_allclose(average.astype(np.float32), wanted, rtol=2.0**-7, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_integer_maxima(dtype):
    rng = np.random.default_rng(7)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (2, 2, 6, 7), dtype=dtype, endpoint=True)
    _compare(
        fastconv.max_pool2d(x, 3, 2, 1, return_indices=True),
        F.max_pool2d(torch.from_numpy(x), 3, 2, 1, return_indices=True),
    )
