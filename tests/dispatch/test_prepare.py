"""prepare(): an immutable copy, for one backend."""

from __future__ import annotations

import numpy as np
import pytest

import fastconv


def test_it_stands_for_the_weight(arguments):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x)
    np.testing.assert_array_equal(fastconv.conv2d(x, prepared), fastconv.conv2d(x, w))
    assert (prepared.shape, prepared.dtype, prepared.backend) == (w.shape, w.dtype, "cpu")
    assert "shape=(4, 3, 3, 3)" in repr(prepared)


def test_later_changes_do_not_reach_it(arguments):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x)
    before = fastconv.conv2d(x, w)
    w *= 2
    np.testing.assert_array_equal(fastconv.conv2d(x, prepared), before)
    np.testing.assert_array_equal(fastconv.conv2d(x, w), fastconv.conv2d(x, prepared) * 2)


def test_it_is_immutable(arguments):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x)
    with pytest.raises(AttributeError, match="immutable"):
        prepared.array = w
    with pytest.raises(AttributeError, match="immutable"):
        prepared.backend = "fake"
    with pytest.raises(ValueError, match="read-only"):
        prepared.array[...] = 0


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda w: w[::-1, :, ::-1], lambda w: w.astype(">f8")]
)
def test_any_memory_layout_and_byte_order(arguments, change):
    x, w = arguments
    prepared = fastconv.prepare(change(w), like=x)
    assert prepared.dtype.isnative
    np.testing.assert_array_equal(fastconv.conv2d(x, prepared), fastconv.conv2d(x, change(w)))


def test_another_backend_refuses_it(arguments, fake):
    x, w = arguments
    ours, theirs = fastconv.prepare(w, like=x), fastconv.prepare(w, like=x, backend="fake")
    assert theirs.backend == "fake"
    with pytest.raises(ValueError, match="for backend 'cpu', expected one for backend 'fake'"):
        fastconv.conv2d(x, ours, backend="fake")
    with fastconv.use(backend="cpu"), pytest.raises(ValueError, match="for backend 'fake'"):
        fastconv.conv2d(x, theirs)
    assert fastconv.conv2d(x, theirs).max() == fake.value
    assert fastconv.conv2d(x, theirs, backend="fake").max() == fake.value


def test_its_backend_follows_the_policy(arguments, fake):
    x, w = arguments
    with fastconv.use(backend="fake"):
        assert fastconv.prepare(w, like=x).backend == "fake"
    with pytest.raises(ValueError, match="got 'nobody'"):
        fastconv.prepare(w, like=x, backend="nobody")


def test_it_does_not_escape_the_other_checks(arguments):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x)
    with pytest.raises(ValueError, match="conv2d: x: got 2 channels"):
        fastconv.conv2d(x[:, :2], prepared)
    with pytest.raises(ValueError, match="algorithm: got 'fourier'"):
        fastconv.conv2d(x, prepared, algorithm="fourier")


@pytest.mark.parametrize("weight", [None, "weight", np.array(["a"]), object()])
def test_what_is_no_weight_is_refused(arguments, weight):
    with pytest.raises(TypeError, match="prepare: weight"):
        fastconv.prepare(weight, like=arguments[0])
