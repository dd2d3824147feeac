"""The plan cache: what hits, what must not, and that it is bounded."""

from __future__ import annotations

import numpy as np
import pytest

import fastconv
from fastconv.dispatch.cache import PLANS, PlanCache, full_key, quick_key
from fastconv.dispatch.request import Function


def plans(fake, function, *args, **kwargs):
    """Return how many plans a call makes."""
    before = fake.plans
    function(*args, backend="fake", **kwargs)
    return fake.plans - before


def test_a_call_seen_before_asks_nobody(arguments, fake):
    assert plans(fake, fastconv.conv2d, *arguments) == 1
    asked = len(fake.asked)
    assert plans(fake, fastconv.conv2d, *arguments) == 0
    assert plans(fake, fastconv.conv2d, *(a + 1 for a in arguments)) == 0
    assert len(fake.asked) == asked
    assert fake.runs == 3


def test_out_of_the_same_kind_hits(arguments, fake):
    out = np.empty((2, 4, 6, 7))
    assert plans(fake, fastconv.conv2d, *arguments, out=out) == 1
    assert plans(fake, fastconv.conv2d, *arguments, out=np.empty_like(out)) == 0
    assert plans(fake, fastconv.conv2d, *arguments) == 1
    assert plans(fake, fastconv.conv2d, *arguments, out=np.empty((2, 4, 7, 6)).swapaxes(2, 3)) == 1
    with pytest.raises(ValueError, match="out: got shape"):
        fastconv.conv2d(*arguments, out=np.empty((2, 4, 6, 8)), backend="fake")


def test_everything_that_matters_is_in_the_key(arguments, fake):
    x, w = arguments
    assert plans(fake, fastconv.conv2d, x, w) == 1
    variants = [
        ((x[:1], w), {}),
        ((x.astype(np.float32), w), {}),
        ((x.astype(">f8"), w), {}),
        ((np.asfortranarray(x), w), {}),
        ((x, w), {"padding": 1}),
        ((x, w), {"padding": (0, 1)}),
        ((x, w), {"padding": (1, 0)}),
        ((x, w), {"activation": "relu"}),
        ((x, w, np.ones(4)), {}),
        ((x, w), {"precision": "float64"}),
        ((x, w), {"deterministic": True}),
        ((x, w), {"threads": 1}),
        ((x, w), {"workspace_limit": 2**20}),
        ((x, w), {"tolerance": 0.5}),
    ]
    for args, kwargs in variants:
        assert plans(fake, fastconv.conv2d, *args, **kwargs) == 1, kwargs
        assert plans(fake, fastconv.conv2d, *args, **kwargs) == 0, kwargs


@pytest.mark.parametrize("good", [1, np.int8(1), (1, 1), [1, 1], np.array([1, 1])])
@pytest.mark.parametrize(
    "bad", [1.0, True, np.True_, np.float32(1.0), (1.0, 1), (True, 1), np.array([1.0, 1.0])]
)
def test_numbers_that_are_equal_are_not_taken_for_each_other(arguments, good, bad):
    for name in ("stride", "dilation", "padding"):
        expected = fastconv.conv2d(*arguments, **{name: 1})
        for _ in range(2):
            np.testing.assert_array_equal(fastconv.conv2d(*arguments, **{name: good}), expected)
            with pytest.raises(TypeError, match=f"conv2d: {name}"):
                fastconv.conv2d(*arguments, **{name: bad})


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (np.int8(1), np.True_),
        (np.int64(1), np.float64(5e-324)),
        (np.array([1, 1]), np.array([5e-324, 5e-324])),
    ],
)
def test_numbers_of_equal_bytes_are_not_taken_for_each_other(arguments, good, bad):
    fastconv.conv2d(*arguments, stride=good)
    with pytest.raises(TypeError, match="conv2d: stride"):
        fastconv.conv2d(*arguments, stride=bad)


def test_pairs_of_equal_bytes_are_not_taken_for_a_flat_sequence(arguments):
    fastconv.conv2d(*arguments, padding=np.array([[1, 1], [1, 1]]))
    with pytest.raises(ValueError, match="conv2d: padding"):
        fastconv.conv2d(*arguments, padding=np.array([1, 1, 1, 1]))


def test_a_change_of_backends_makes_new_plans(arguments, fake):
    assert plans(fake, fastconv.conv2d, *arguments) == 1
    fastconv.register_backend(fake, replace_existing=True)
    assert plans(fake, fastconv.conv2d, *arguments) == 1


def test_errors_are_not_kept(arguments):
    for _ in range(2):
        with pytest.raises(ValueError, match="conv2d: x: got 2 channels"):
            fastconv.conv2d(arguments[0][:, :2], arguments[1])


def test_it_is_bounded_and_drops_the_least_recently_used():
    cache = PlanCache(3)
    for key in "abc":
        cache.put(key, key.upper())
    assert cache.get("a") == "A"
    cache.put("d", "D")
    assert len(cache) == 3
    assert cache.get("b") is None
    assert [cache.get(key) for key in "acd"] == ["A", "C", "D"]
    cache.clear()
    assert len(cache) == 0
    assert cache.get("a") is None


def test_the_cache_in_use_stays_bounded(arguments, fake, monkeypatch):
    monkeypatch.setattr(PLANS, "_size", 5)
    for width in range(3, 20):
        fastconv.conv2d(np.ones((1, 3, 3, width)), arguments[1], backend="fake")
    assert len(PLANS) == 5


def test_options_that_are_equal_are_not_taken_for_each_other(arguments):
    fastconv.conv2d(*arguments, threads=1)
    fastconv.conv2d(*arguments, deterministic=True)
    for bad in ({"threads": True}, {"threads": 1.0}, {"deterministic": 1}):
        with pytest.raises(TypeError, match="conv2d: "):
            fastconv.conv2d(*arguments, **bad)


def test_equal_blocks_share_a_plan(arguments, fake):
    counts = []
    for _ in range(2):
        with fastconv.use(tolerance=0.25):
            counts.append(plans(fake, fastconv.conv2d, *arguments))
    with fastconv.use(tolerance=0.26):
        counts.append(plans(fake, fastconv.conv2d, *arguments))
    assert counts == [1, 0, 1]


def test_policies_that_are_forgotten_cost_a_plan_and_nothing_else(arguments, fake, monkeypatch):
    monkeypatch.setattr("fastconv.dispatch.policy._MOST_KNOWN", 1)
    for tolerance in (0.25, 0.26, 0.25):
        with fastconv.use(tolerance=tolerance):
            assert fastconv.conv2d(*arguments, backend="fake").max() == fake.value
    assert [policy.tolerance for _, policy in fake.asked] == [0.25, 0.26, 0.25]


@pytest.mark.parametrize(
    "parameters", [(1, None, "same", ((1, 2), (3, 4))), (1.5, True, [1, [2]]), ("s", "NCHW")]
)
@pytest.mark.parametrize("options", [{}, {"threads": 2, "precision": None}])
def test_the_quick_key_is_the_full_one(arguments, parameters, options):
    function = Function("any", ("x", "weight", "bias"), None)
    prepared = fastconv.prepare(arguments[1], like=arguments[0])
    for weight in (arguments[1], prepared):
        for out in (None, arguments[0]):
            call = function, (arguments[0], weight, None), parameters, out, options
            assert quick_key(*call) == full_key(*call)


@pytest.mark.parametrize("value", [np.int64(1), np.array([1, 1]), [np.True_], np.str_("same")])
def test_numpy_s_values_have_no_quick_key_in_common_with_a_full_one(arguments, value):
    function = Function("any", ("x",), None)
    for call in (
        (function, arguments[:1], (value,), None, {}),
        (function, arguments[:1], (1,), None, {"tolerance": value}),
    ):
        assert quick_key(*call) != full_key(*call)


def test_what_is_no_plain_array_has_no_quick_key(arguments):
    function = Function("any", ("x",), None)
    for x in ([1.0], arguments[0].view(np.recarray)):
        assert quick_key(function, (x,), (), None, {}) is None
    assert quick_key(function, arguments[:1], (), [1.0], {}) is None


def test_a_large_cache_drops_an_eighth_at_once():
    cache = PlanCache(32)
    for key in range(32):
        cache.put(key, key)
    assert cache.get(0) == 0
    cache.put("new", "new")
    assert len(cache) == 29
    assert [key for key in range(6) if cache.get(key) is None] == [1, 2, 3, 4]
    assert cache.get("new") == "new"
