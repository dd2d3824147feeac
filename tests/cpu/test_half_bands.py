"""Maxima's gradients of 16-bit planes that lie side by side: float32's sums, rounded once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

core = pytest.importorskip("fastconv.cpu._core")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

HALVES = {"float16": np.dtype("float16"), "bfloat16": np.dtype(bfloat16)}
every_half = pytest.mark.parametrize("dtype", [*HALVES])
seeds = st.integers(0, 2**32 - 1)


def scatter(grad, indices, plane, dtype, threads=1):
    """Return 16-bit sums, with what is in memory before neither zeros nor written beside."""
    dx = np.full((*indices.shape[:2], plane), 7, HALVES[dtype])
    each = core.half_indexed_scratch(indices.shape[1], plane, math.prod(indices.shape[2:]))
    scratch = np.full(each * threads, 0x7B, np.uint8)
    core.scatter_add(grad, indices, dx, dtype, True, threads, scratch)
    return dx


def check(grad, indices, plane, dtype, threads=1):
    found = scatter(grad, indices, plane, dtype, threads)
    sums = np.empty(found.shape, np.float32)
    core.scatter_add(grad.astype(np.float32), indices, sums, "float32", True, 1)
    with np.errstate(all="ignore"):
        expected = sums.astype(HALVES[dtype])
    wide, known = found.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(wide), np.isnan(known))
    there = ~np.isnan(known)
    np.testing.assert_array_equal(wide[there].view(np.uint32), known[there].view(np.uint32))


def indices_of(rng, kind, shape, plane):
    """Return indices of windows that move on, in either direction, or of anything."""
    count = shape[2]
    if kind == "anything":
        return rng.integers(0, plane, shape)
    start = np.arange(count) * plane // count
    reach = max(1, min(plane, 3 * plane // max(1, count) + int(rng.integers(1, 700))))
    found = np.minimum(start + rng.integers(0, reach, shape), plane - 1)
    return found[..., ::-1].copy() if kind == "backwards" else found


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["windows", "backwards", "anything"]),
    channels=st.sampled_from([1, 2, 7, 40]),
    count=st.sampled_from([1, 3, 49, 511, 512, 513, 1100, 3136]),
    items=st.sampled_from([1, 2, 4, 9]),
    special=st.booleans(),
    threads=st.integers(1, 3),
    seed=seeds,
)
@every_half
def test_as_float32_rounded(level, dtype, kind, channels, count, items, special, threads, seed):
    rng = np.random.default_rng(seed)
    plane = max(1, count * items - int(rng.integers(0, 3)))
    indices = indices_of(rng, kind, (2, channels, count), plane)
    grad = (rng.standard_normal(indices.shape) * 3).astype(HALVES[dtype])
    if special:
        some = rng.integers(0, grad.size, 4)
        grad.reshape(-1)[some] = np.nan, np.inf, -np.inf, -0.0
    check(grad, indices, plane, dtype, threads)


@every_half
def test_infinities_of_both_signs_meet(level, dtype):
    """Their sum isn't a number, though no gradient is NaN."""
    indices = np.arange(4096).reshape(1, 1, -1).repeat(2, 1) // 2
    grad = np.ones(indices.shape, HALVES[dtype])
    grad[0, 1, 3000:3002] = np.inf, -np.inf
    check(grad, indices, 2048, dtype)
    assert np.isnan(scatter(grad, indices, 2048, dtype)[0, 1, 1500])


@every_half
def test_sums_overflow(level, dtype):
    largest = np.float32(65504 if dtype == "float16" else 3.3e38)
    indices = np.arange(2048).reshape(1, 1, -1) // 2
    grad = np.full(indices.shape, largest).astype(HALVES[dtype])
    grad[..., 1024:] *= -1
    check(grad, indices, 1024, dtype)


@every_half
@pytest.mark.parametrize("side", [131072, 131073])
def test_planes_with_many_gradients(level, dtype, side):
    rng = np.random.default_rng(side)
    indices = indices_of(rng, "windows", (1, 2, side), side // 2)
    check(rng.standard_normal(indices.shape).astype(HALVES[dtype]), indices, side // 2, dtype)


@every_half
@pytest.mark.parametrize("gap", ["grad", "indices"])
def test_planes_apart_in_memory(level, dtype, gap):
    """Small planes that don't follow each other are taken one by one."""
    rng = np.random.default_rng(5)
    indices = rng.integers(0, 40, (2, 30, 25))
    grad = rng.standard_normal(indices.shape).astype(HALVES[dtype])
    if gap == "grad":
        grad = np.concatenate([grad, grad + 1], 2)[..., :25]
    else:
        indices = np.concatenate([indices, indices + 99], 2)[..., :25]
    check(grad, indices, 40, dtype)


@every_half
@pytest.mark.parametrize("wrong", [-1, 30, 2**32, 2**32 + 3, 2**62, -(2**63)])
@pytest.mark.parametrize("meets", [False, True])
def test_an_index_outside_is_named(level, dtype, wrong, meets):
    """In the midst of planes that are taken together, whether some gradients meet or not."""
    indices = np.arange(25).reshape(1, 1, -1).repeat(30, 1)
    indices[0, :, 1] -= meets
    indices[0, 17, 24] = wrong
    with pytest.raises(ValueError, match="indices"):
        scatter(np.ones(indices.shape, HALVES[dtype]), indices, 30, dtype)


@every_half
def test_scratch_memory_may_begin_anywhere(level, dtype):
    rng = np.random.default_rng(6)
    indices = indices_of(rng, "anything", (1, 3, 900), 20000)
    grad = rng.standard_normal(indices.shape).astype(HALVES[dtype])
    expected = scatter(grad, indices, 20000, dtype)
    each = core.half_indexed_scratch(3, 20000, 900)
    memory = np.full(each + 64, 0xAA, np.uint8)
    for shift in (0, 4, 60):
        dx = np.full(expected.shape, 7, expected.dtype)
        core.scatter_add(grad, indices, dx, dtype, True, 1, memory[shift : shift + each])
        np.testing.assert_array_equal(dx.view(np.uint16), expected.view(np.uint16))
        assert (memory[:shift] == 0xAA).all()
        assert (memory[shift + each :] == 0xAA).all()
        memory[:] = 0xAA
