"""The compiled pools: blocks within the workspace limit, precision, threads, decisions."""

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastconv
from fastconv.cpu.isa import core

pytestmark = pytest.mark.skipif(core is None, reason="the compiled core isn't built")
LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def results(x, **options):
    """Yield what every pool that may widen gives for x, (N, C, 1 to 3 axes), with its name."""
    ndim = x.ndim - 2

    def call(name, *args, **keywords):
        return getattr(fastconv, name.format(f"pool{ndim}d"))(*args, **keywords, **options)

    largest, indices = call("max_{}", x, 3, 2, 1, 2, True, return_indices=True)
    yield from (("maxima", largest), ("indices", indices))
    yield "max gradient", call("max_{}_backward", largest, x, indices, 3, 2, 1, 2, True)
    average = call("avg_{}", x, 3, 2, 1)
    yield "average", average
    yield "avg gradient", call("avg_{}_backward", average, x, 3, 2, 1)
    shares = call("adaptive_avg_{}", x, 3)
    yield "adaptive average", shares
    yield "adaptive gradient", call("adaptive_avg_{}_backward", shares, x)
    for norm in (2, np.inf, -np.inf):
        norms = call("lp_{}", x, norm, 3, 1, dilation=2)
        yield f"norm {norm}", norms
        yield f"norm {norm} gradient", call("lp_{}_backward", norms, x, norm, 3, 1, dilation=2)


def assert_close(result, expected, name):
    """Two orders of a sum may differ by a rounding in its precision, and in the result's."""
    if name in ("maxima", "indices"):
        np.testing.assert_array_equal(result, expected)
        return
    spacing = float(np.finfo(result.dtype).eps)
    np.testing.assert_allclose(
        result.astype(float), expected.astype(float), rtol=8 * spacing, atol=8 * spacing,
        err_msg=name,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("last", [False, True])
@settings(max_examples=15, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(900, 6000), st.integers(0, 2**32 - 1))
def test_small_limits_change_nothing(dtype, last, data, ndim, limit, seed):
    """Cut to rows of a plane, or only to planes, the same comes out; the limit is kept.

    But for the order of sums, which depends on how many channels a block has.
    """
    extents = data.draw(st.tuples(*[st.integers(5, {1: 60, 2: 11, 3: 6}[ndim])] * ndim))
    shape = (2, data.draw(st.integers(1, 6)), *extents)
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    x = np.moveaxis(x, 1, -1) if last else x
    options = {"layout": LAYOUTS[ndim][last], "algorithm": "compiled"}
    expected = dict(results(x, **options))
    with fastconv.trace() as records, fastconv.use(workspace_limit=limit):
        found = []
        try:
            for name, result in results(x, **options):
                found.append(name)
                assert_close(result, expected[name], name)
        except fastconv.WorkspaceLimitError:
            # Three-dimensional rows are whole slices, which need not fit.
            assert ndim == 3 or len(found) > 3
    assert all(record.workspace_bytes <= limit for record in records)


def test_rows_are_cut():
    """A plane of 40 KB in float32 goes through 20 KB; a window of a third takes 14 KB."""
    x = np.random.default_rng(0).standard_normal((1, 2, 100, 100)).astype(np.float16)
    expected = dict(results(x))
    limit = 20_000
    with fastconv.trace() as records, fastconv.use(workspace_limit=limit, algorithm="compiled"):
        for name, result in results(x):
            assert_close(result, expected[name], name)
    assert {record.algorithm for record in records} == {"compiled"}
    assert all(2**12 < record.workspace_bytes <= limit for record in records)


def test_indices_may_point_anywhere_when_cut():
    """Gradients to other rows than those near the window, several to one element."""
    rng = np.random.default_rng(1)
    indices = rng.integers(0, 3600, (2, 2, 30, 30))
    grad = rng.integers(-8, 9, indices.shape).astype(np.float16)
    x = np.empty((2, 2, 60, 60))
    expected = fastconv.max_pool2d_backward(grad.astype(float), x, indices, 2)
    for limit in (900, 2**12, 2**14, 2**20):
        result = fastconv.max_pool2d_backward(
            grad, x, indices, 2, workspace_limit=limit, algorithm="compiled"
        )
        np.testing.assert_array_equal(result, expected)


def test_nothing_is_allocated_beyond_the_limit():
    x = np.random.default_rng(2).standard_normal((2, 4, 300, 300)).astype(np.float16)
    limit = 2**16
    for _, result in results(x[:, :, :20, :20], workspace_limit=limit):
        del result  # plans, caches and scratch memory of the size are there now
    options = {"workspace_limit": limit, "algorithm": "compiled"}
    grad = np.ones((2, 4, 150, 150), np.float16)
    for call in (
        lambda: fastconv.max_pool2d(x, 3, 2, 1, **options),
        lambda: fastconv.avg_pool2d(x, 3, 2, 1, **options),
        lambda: fastconv.lp_pool2d(x, 2, 3, 2, 1, **options),
        lambda: fastconv.avg_pool2d_backward(grad, x, 3, 2, 1, **options),
        lambda: fastconv.lp_pool2d_backward(grad, x, 2, 3, 2, 1, **options),
    ):
        call()  # posing and planning allocate, once
        tracemalloc.start()
        output = call()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= output.nbytes + limit + 2**17


def test_long_signals():
    """Cut into parts that are alike: neither tables nor results are longer than they must be."""
    rng = np.random.default_rng(6)
    length = 300_001
    x = rng.integers(-99, 100, (1, 1, length)).astype(np.float32)
    options = {"algorithm": "compiled"}
    tracemalloc.start()
    y, indices = fastconv.max_pool1d(x, 3, 2, 1, return_indices=True, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < y.nbytes + indices.nbytes + 2**24
    padded = np.pad(x[0, 0], 1, constant_values=-np.inf)
    windows = np.stack([padded[k : k + length : 2] for k in range(3)])
    np.testing.assert_array_equal(y[0, 0], windows.max(0))
    places = 2 * np.arange(len(windows[0])) - 1 + windows.argmax(0)
    np.testing.assert_array_equal(indices[0, 0], places)
    zeros = np.pad(x[0, 0], 1)
    average = fastconv.avg_pool1d(x, 3, 2, 1, **options)
    sums = zeros[:-2:2] + zeros[1:-1:2] + zeros[2::2]
    np.testing.assert_allclose(average[0, 0], sums / 3, rtol=1e-6)
    for stride in (1, 2, 7, 2**16):
        norms = fastconv.lp_pool1d(x, 2, 5, stride, 2, **options)
        grad = rng.standard_normal(norms.shape).astype(np.float32)
        share = fastconv.avg_pool1d_backward(grad, x, 5, stride, 2, **options)
        expected = np.zeros(length + 4)
        slopes = np.zeros(length + 4)
        wide = np.pad(x[0, 0].astype(float), 2)
        for k in range(5):
            reads = slice(k, k + length, stride)
            expected[reads] += grad[0, 0] / 5
            slopes[reads] += grad[0, 0] * wide[reads] / np.maximum(norms[0, 0], 1)
        np.testing.assert_allclose(share[0, 0], expected[2:-2], atol=1e-5)
        gradient = fastconv.lp_pool1d_backward(grad, x, 2, 5, stride, 2, **options)
        np.testing.assert_allclose(gradient[0, 0], slopes[2:-2], atol=1e-5)


def test_too_small_a_limit_is_refused():
    x = np.zeros((1, 1, 4, 1000), np.float16)
    with pytest.raises(fastconv.WorkspaceLimitError, match="max_pool2d: workspace_limit=2000"):
        fastconv.max_pool2d(x, 2, workspace_limit=2000)
    with pytest.raises(fastconv.WorkspaceLimitError, match="lp_pool2d_backward"):
        fastconv.lp_pool2d_backward(x, x, 2, 1, workspace_limit=2000)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "complex64"])
def test_nothing_widened_needs_no_workspace(dtype):
    x = np.ones((2, 3, 8, 8), dtype)
    with fastconv.trace() as records, fastconv.use(workspace_limit=1):
        if dtype != "complex64":
            y, indices = fastconv.max_pool2d(x, 2, return_indices=True)
            fastconv.max_pool2d_backward(y, x, indices, 2)
            fastconv.max_unpool2d(y, indices, 2)
        if dtype != "int8":
            y = fastconv.avg_pool2d(x, 2)
            fastconv.avg_pool2d_backward(y, x, 2)
    assert all(record.workspace_bytes == 0 for record in records)
    assert {record.algorithm for record in records} == {"compiled"}


def test_precision_of_float32_sums():
    """Sums in float64, rounded once, are the rounded exact result."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 3, 24, 24)).astype(np.float32)
    grad = rng.standard_normal((2, 3, 22, 22)).astype(np.float32)
    exact = fastconv.avg_pool2d_backward(grad.astype(float), x, 3, 1)
    result = fastconv.avg_pool2d_backward(grad, x, 3, 1, precision="float64")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, exact.astype(np.float32))
    assert (fastconv.avg_pool2d_backward(grad, x, 3, 1) != result).any()
    for name, value in results(x, precision="float64"):
        assert value.dtype == (np.int64 if name == "indices" else np.float32)
    # Pools multiply nothing: a lower precision leaves them as they are.
    np.testing.assert_array_equal(
        fastconv.avg_pool2d(x, 2, precision="float16"), fastconv.avg_pool2d(x, 2)
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("last", [False, True])
def test_threads_change_no_bit(dtype, last):
    x = np.random.default_rng(4).standard_normal((3, 8, 40, 41)).astype(dtype)
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if last else x
    options = {"layout": "NHWC" if last else "NCHW", "algorithm": "compiled"}
    expected = list(results(x, threads=1, **options))
    for threads in (2, 5):
        for (name, value), (_, one) in zip(
            results(x, threads=threads, **options), expected, strict=True
        ):
            np.testing.assert_array_equal(value.view(np.uint8), one.view(np.uint8), err_msg=name)


def test_one_plan_in_many_threads():
    x = np.random.default_rng(5).standard_normal((2, 6, 33, 31)).astype(np.float16)
    expected = dict(results(x))
    wrong = []

    def work():
        for name, value in results(x):
            if not np.array_equal(value, expected[name]):
                wrong.append(name)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def decisions(function, *args, **options):
    (considered,) = fastconv.explain(function, *args, **options).problems
    return {decision.algorithm: decision for decision in considered.candidates}


def test_decisions():
    x = np.zeros((1, 3, 8, 8), np.float32)
    found = decisions(fastconv.max_pool2d, x, 2)
    assert list(found) == ["compiled", "reference"]
    assert found["compiled"].can
    assert found["compiled"].error_bound == 0
    average = decisions(fastconv.avg_pool2d, x, 2)["compiled"]
    assert 0 < average.error_bound < 1e-5
    assert average.seconds < decisions(fastconv.avg_pool2d, x, 2)["reference"].seconds
    assert found["reference"].slow
    # Odd powers may cancel, after which nothing bounds the root's error.
    assert decisions(fastconv.lp_pool2d, x, 3, 2)["compiled"].error_bound == np.inf
    assert decisions(fastconv.lp_pool2d, x, 4, 2)["compiled"].error_bound < 1e-4
    longdouble = decisions(fastconv.max_pool2d, x.astype(np.longdouble), 2)
    assert "doesn't compare" in longdouble["compiled"].reason
    assert longdouble["reference"].can


def test_the_reference_warns_once():
    x = np.zeros((1, 1, 3, 7), np.longdouble)
    with pytest.warns(fastconv.PerformanceWarning, match="max_pool2d: the readable NumPy"):
        fastconv.max_pool2d(x, 2)
    fastconv.max_pool2d(x, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("plane", [(1, 2), (7, 7), (5, 13), (1, 64), (28, 28)])
def test_whole_planes(dtype, plane):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 700, *plane)).astype(dtype)
    y = fastconv.avg_pool2d(x, plane, threads=1)
    exact = x.mean((2, 3), keepdims=True, dtype="longdouble")
    atol = 8 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(y, exact.astype(float), rtol=0, atol=atol)
    np.testing.assert_array_equal(fastconv.avg_pool2d(x, plane, threads=3), y)
    # A plane alone is added up in the same order as one among many.
    np.testing.assert_array_equal(fastconv.avg_pool2d(x[1:2, 3:4], plane), y[1:2, 3:4])
    gradient = fastconv.avg_pool2d_backward(y, x, plane, threads=3)
    expected = np.broadcast_to(y / np.array(plane[0] * plane[1], dtype), x.shape)
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("plane", [(4, 4), (7, 7), (14, 15), (5, 33), (6, 70)])
def test_pairs(dtype, plane):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, (2, 9, *plane)).astype(dtype)
    x *= rng.choice([-1, 1], x.shape).astype(dtype)  # zeros of both signs
    high, wide = (n // 2 for n in plane)
    windows = x[:, :, : 2 * high, : 2 * wide].reshape(2, 9, high, 2, wide, 2)
    average = fastconv.avg_pool2d(x, 2, threads=3)
    np.testing.assert_allclose(average, windows.mean((3, 5)), rtol=0, atol=1e-6)
    first = np.moveaxis(windows, 3, 4).reshape(2, 9, high, wide, 4)
    place = first.argmax(-1)[..., None]
    largest = fastconv.max_pool2d(x, 2, threads=3)
    expected = np.take_along_axis(first, place, -1)[..., 0]
    np.testing.assert_array_equal(largest, expected)
    np.testing.assert_array_equal(np.signbit(largest), np.signbit(expected))
    x[0, 3, 1, 2], x[1, 4, 0, 0], x[1, 4, 0, 1] = np.nan, np.inf, -np.inf
    largest = fastconv.max_pool2d(x, 2)
    assert np.isnan(largest[0, 3, 0, 1])
    assert np.isnan(largest).sum() == 1
    assert largest[1, 4, 0, 0] == np.inf
