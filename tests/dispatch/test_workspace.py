"""workspace_limit is hard."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import fastconv

MIB = 2**20


def peak_bytes(function, *args, **kwargs):
    """Return the most memory that Python and NumPy hold during a call, and its result."""
    tracemalloc.start()
    try:
        result = function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def photograph():
    """Return a 4-channel image and a kernel whose columns would take 38 GB."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 4, 512, 512), dtype=np.float32)
    return x, rng.standard_normal((1, 4, 127, 127), dtype=np.float32)


def test_a_huge_kernel_stays_within_the_default_limit(photograph):
    x, w = photograph
    (whole,) = fastconv.explain(fastconv.conv2d, x, w).problems
    assert 0 < whole.chosen.workspace_bytes <= 64 * MIB
    with fastconv.trace() as ran:
        peak, y = peak_bytes(fastconv.conv2d, x, w, stride=16)
    assert w[0].nbytes * y[0, 0].size > 128 * MIB  # the columns, whole
    assert ran[0].workspace_bytes <= 64 * MIB
    assert peak <= 64 * MIB + y.nbytes + MIB
    at = x[0, :, 48 : 48 + 127, 32 : 32 + 127].astype(np.float64)
    assert y[0, 0, 3, 2] == pytest.approx((at * w[0]).sum(), abs=0.05)


@pytest.mark.slow
def test_a_huge_kernel_at_every_position(photograph):
    x, w = photograph
    peak, y = peak_bytes(fastconv.conv2d, x, w)
    assert y.shape == (1, 1, 386, 386)
    assert peak <= 64 * MIB + y.nbytes + MIB


@pytest.mark.parametrize("limit", [64 * 1024, 256 * 1024, MIB])
def test_smaller_limits_give_the_same_answer(limit):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 16, 40, 40), dtype=np.float32)
    w = rng.standard_normal((24, 16, 5, 5), dtype=np.float32)
    grad = rng.standard_normal((2, 24, 36, 36), dtype=np.float32)
    calls = [
        (fastconv.conv2d, (x, w)),
        (fastconv.conv2d_input_grad, (x.shape, w, grad)),
        (fastconv.conv2d_weight_grad, (x, w.shape, grad)),
    ]
    for function, args in calls:
        free = function(*args)
        function(*args, workspace_limit=limit)  # what Python keeps, it keeps from here on
        with fastconv.trace() as ran:
            peak, tight = peak_bytes(function, *args, workspace_limit=limit)
        assert ran[0].workspace_bytes <= limit
        assert peak <= limit + tight.nbytes + 128 * 1024
        np.testing.assert_allclose(tight, free, rtol=1e-3, atol=1e-3)


def test_what_does_not_fit_is_refused_with_the_way_out(arguments):
    with pytest.raises(fastconv.WorkspaceLimitError, match=r"limit=1 .*Raise it") as caught:
        fastconv.conv2d(*arguments, workspace_limit=1)
    assert isinstance(caught.value, MemoryError)
    assert "cpu/im2col_blas" in str(caught.value)


def test_conversions_count(arguments):
    x, w = arguments
    swapped = x.astype(">f8")
    with pytest.raises(fastconv.WorkspaceLimitError, match="converting the arguments"):
        fastconv.conv2d(swapped, w, workspace_limit=swapped.nbytes - 1)
    with fastconv.trace() as ran:
        fastconv.conv2d(swapped, w)
    assert ran[0].workspace_bytes >= swapped.nbytes


def test_overlap_copies_count():
    x = np.ones((1, 1, 64, 64))
    w = np.ones((1, 1, 1, 1))
    with pytest.raises(fastconv.WorkspaceLimitError, match="overlaps an input"):
        fastconv.conv2d(x, w, out=x, workspace_limit=x.nbytes - 1)
    fastconv.conv2d(x, w, out=np.empty_like(x), workspace_limit=x.nbytes - 1)
    assert (x == 1).all()


def test_a_decision_over_the_limit_is_never_taken(arguments, fake):
    from dataclasses import replace

    fake.decision = replace(fake.decision, workspace_bytes=2**30)
    with pytest.raises(fastconv.WorkspaceLimitError, match="it needs 1073741824 bytes"):
        fastconv.conv2d(*arguments, backend="fake")
    fastconv.conv2d(*arguments, backend="fake", workspace_limit=2**30)
