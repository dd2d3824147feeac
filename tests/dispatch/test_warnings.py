"""PerformanceWarning: once per problem, pointing at the caller; and errors from kernels."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import fastconv


@pytest.fixture
def slow(fake):
    """Return the fake backend, whose only candidate calls itself slow."""
    fake.decision = replace(fake.decision, slow="this crawls; explain() says why")
    return fake


def caught(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function(*args, **kwargs)
    return [w for w in found if w.category is fastconv.PerformanceWarning]


def test_it_comes_once_per_problem_and_points_at_the_caller(arguments, slow):
    x, w = arguments
    (warning,) = caught(fastconv.conv2d, x, w, device="auto")
    assert str(warning.message) == "conv2d: this crawls; explain() says why"
    assert warning.filename == __file__
    assert caught(fastconv.conv2d, x + 1, w, device="auto") == []
    assert len(caught(fastconv.conv2d, x[:1], w, device="auto")) == 1
    assert caught(fastconv.conv2d, x[1:], w, device="auto") == []


def test_who_asks_for_it_by_name_is_not_warned(arguments, slow):
    assert caught(fastconv.conv2d, *arguments, backend="fake") == []
    assert caught(fastconv.conv2d, *arguments, device="auto", algorithm="fakery") == []
    assert caught(fastconv.conv2d, *arguments, algorithm="reference") == []


def test_a_prepared_weight_is_no_choice_of_its_backend(arguments, slow):
    x, w = arguments
    prepared = fastconv.prepare(w, like=x, backend="fake")
    (warning,) = caught(fastconv.conv2d, x, prepared)
    assert warning.filename == __file__
    (warning,) = caught(fastconv.prepare, w, x, backend="fake", padding=1)
    assert warning.filename == __file__
    assert caught(fastconv.conv2d, x, prepared, padding=1) == []


def test_explaining_warns_of_nothing(arguments, slow):
    assert caught(fastconv.explain, fastconv.conv2d, *arguments, device="auto") == []


def test_ordinary_calls_do_not_warn(arguments):
    x, w = arguments
    assert caught(fastconv.conv2d, x, w) == []
    assert caught(fastconv.conv2d_backward, np.ones((2, 4, 6, 7)), x, w) == []


def test_an_error_in_a_kernel_is_raised_with_names_and_without_a_retry(arguments, fake):
    class Broken(Exception):
        pass

    class Plan:
        workspace_bytes = 0

        def empty(self, shape, dtype):
            return np.empty(shape, dtype)

        def run(self, inputs, outputs, workspace, stream=None):
            fake.runs += 1
            raise Broken("the kernel failed")

    fake.plan = lambda problem, decision: Plan()
    with fastconv.trace() as ran, pytest.raises(Broken, match="the kernel failed") as raised:
        fastconv.conv2d(*arguments, device="auto")
    (note,) = raised.value.__notes__
    assert "'fake'" in note
    assert "'fakery'" in note
    assert "conv2d" in note
    assert fake.runs == 1
    assert ran == []


@pytest.mark.parametrize("member", ["decide", "plan"])
def test_an_error_before_the_kernel_names_the_backend_too(arguments, fake, member):
    def fail(problem, other):
        raise OSError("out of order")

    setattr(fake, member, fail)
    with pytest.raises(OSError, match="out of order") as raised:
        fastconv.conv2d(*arguments, backend="fake")
    assert raised.value.__notes__ == [f"raised by {member}() of fastconv's backend 'fake'"]


def test_the_fastest_prediction_wins_under_auto(arguments, fake):
    fake.decision = replace(fake.decision, seconds=1e9)
    assert fastconv.conv2d(*arguments, device="auto").max() != fake.value
    fake.decision = replace(fake.decision, seconds=0.0)
    assert fastconv.conv2d(*arguments, device="auto", threads=1).max() == fake.value
    assert fastconv.conv2d(*arguments).max() != fake.value
