"""prepare(): an immutable copy, for one backend."""

from __future__ import annotations

import gc
import threading
import weakref

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


class PackingPlan:
    """Packs a weight into its sum, fills results with it, and counts."""

    workspace_bytes = 0

    def __init__(self, backend):
        self._backend = backend

    def empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def run(self, inputs, outputs, workspace, stream=None):
        raise AssertionError("run is for plain weights")

    def pack(self, weight):
        self._backend.packed.append(weight)
        return np.array([weight.sum()])

    def run_packed(self, inputs, outputs, workspace, stream=None):
        assert not inputs[1].flags.writeable
        outputs[0][...] = inputs[1][0]


class KeyedPlan(PackingPlan):
    pack_key = "one for all"


@pytest.fixture
def packing(fake):
    """Return the registered backend "fake" with plans that pack, and the class to change."""
    fake.packed = []
    fake.plan_type = PackingPlan
    fake.plan = lambda problem, decision: fake.plan_type(fake)
    return fake


def test_a_plan_packs_once_at_the_first_call_of_each_kind(arguments, packing):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x, backend="fake")
    assert packing.packed == []
    for count in (1, 1):
        assert fastconv.conv2d(x, prepared).max() == pytest.approx(w.sum())
        assert len(packing.packed) == count
    fastconv.conv2d(x, prepared, padding=1)
    fastconv.conv2d(x, prepared, threads=1)
    fastconv.conv2d(x[:1], prepared)
    assert len(packing.packed) == 4
    fastconv.conv2d(x, prepared)
    assert len(packing.packed) == 4
    assert prepared.packed_bytes == 4 * 8


def test_plans_of_one_key_share_what_is_packed(arguments, packing):
    x, w = arguments
    packing.plan_type = KeyedPlan
    prepared = fastconv.prepare(w, like=x, backend="fake")
    for options in ({}, {"padding": 1}, {"threads": 1}):
        fastconv.conv2d(x, prepared, **options)
    assert len(packing.packed) == 1


def test_given_the_call_s_keywords_it_packs_ahead(arguments, packing):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x, backend="fake", padding=1, threads=1)
    assert (len(packing.packed), packing.runs) == (1, 0)
    fastconv.conv2d(x, prepared, padding=1, threads=1)
    assert len(packing.packed) == 1
    fastconv.prepare(w, like=x, backend="fake", function="conv2d")
    assert len(packing.packed) == 2


def test_it_packs_what_the_plan_would_get(arguments, packing):
    x, w = arguments
    prepared = fastconv.prepare(w.astype(np.float32), like=x, backend="fake")
    fastconv.conv2d(x, prepared)
    assert packing.packed[0].dtype == np.float64
    assert not np.shares_memory(packing.packed[0], w)


def test_later_changes_reach_no_packed_form(arguments, packing):
    x, w = arguments
    before = w.sum()
    prepared = fastconv.prepare(w, like=x, backend="fake", padding=1)
    w *= 2
    for padding in (0, 1):
        y = fastconv.conv2d(x, prepared, padding=padding)
        assert y.max() == pytest.approx(before)


def test_packed_forms_are_bounded_and_go_with_the_weight(arguments, packing):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x, backend="fake")
    for padding in range(12):
        fastconv.conv2d(x, prepared, padding=padding)
    assert prepared.packed_bytes == 8 * 8
    fastconv.conv2d(x, prepared, padding=11)
    assert len(packing.packed) == 12
    fastconv.conv2d(x, prepared, padding=0)
    assert len(packing.packed) == 13
    form = weakref.ref(next(iter(prepared._forms.values()))[0])
    del prepared
    gc.collect()
    assert form() is None


def test_threads_at_once_pack_once(arguments, packing):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x, backend="fake")
    fastconv.conv2d(x, prepared.array.copy(), backend="cpu")
    packing.plan_type = KeyedPlan
    gate = threading.Barrier(8)

    def call():
        gate.wait()
        fastconv.conv2d(x, prepared)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(packing.packed) == 1


def test_out_and_trace_work_with_packed_weights(arguments, packing):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x, backend="fake")
    out = np.zeros((2, 4, 6, 7))
    with fastconv.trace() as ran:
        assert fastconv.conv2d(x, prepared, out=out) is out
    assert out.min() == pytest.approx(w.sum())
    assert ran[0].backend == "fake"


def test_a_plain_weight_is_not_packed(arguments, packing):
    with pytest.raises(AssertionError, match="run is for plain weights"):
        fastconv.conv2d(*arguments, backend="fake")
    assert packing.packed == []


@pytest.mark.parametrize(
    ("shape", "like", "options"),
    [
        ((5, 3), (4, 3), {"function": "linear"}),
        ((5, 3), (4, 3), {"activation": "relu"}),
        ((5, 3, 2), (1, 3, 8), {"stride": 2}),
        ((5, 3, 2, 2, 2), (1, 3, 4, 4, 4), {"padding": "same"}),
        ((5, 3, 2, 2), (1, 5, 4, 4), {"function": "conv_transpose2d"}),
        ((5, 3, 2, 2), (1, 4, 4, 3), {"layout": "NHWC"}),
        ((6, 1, 2, 2), (1, 6, 4, 4), {"groups": 6, "dtype": np.float32}),
    ],
)
def test_every_function_of_a_weight(shape, like, options):
    rng = np.random.default_rng(0)
    dtype = options.pop("dtype", np.float64)
    x, w = rng.standard_normal(like).astype(dtype), rng.standard_normal(shape).astype(dtype)
    prepared = fastconv.prepare(w, like=x, **options)
    name = {2: "linear", 3: "conv1d", 4: "conv2d", 5: "conv3d"}[w.ndim]
    function = getattr(fastconv, options.pop("function", name))
    np.testing.assert_array_equal(function(x, prepared, **options), function(x, w, **options))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"function": "conv9d"}, ValueError, "prepare: function: got 'conv9d', expected one of "),
        ({"function": "conv3d"}, ValueError, "conv3d: "),
        ({"padding": -1}, ValueError, "conv2d: padding"),
        ({"kernel_size": 3}, TypeError, "kernel_size"),
        ({"groups": 2}, ValueError, "conv2d: "),
        ({"algorithm": "fourier"}, ValueError, "conv2d: algorithm: got 'fourier'"),
    ],
)
def test_a_call_that_would_fail_fails_here(arguments, options, error, message):
    x, w = arguments
    with pytest.raises(error, match=message):
        fastconv.prepare(w, like=x, **options)
