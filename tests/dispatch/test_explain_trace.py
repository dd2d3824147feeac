"""explain() tells and runs nothing; trace() tells what ran."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

import fastconv
from fastconv.dispatch.measure import twin


def test_it_lists_candidates_and_the_one_chosen(arguments):
    explanation = fastconv.explain(fastconv.conv2d, *arguments, padding=1)
    assert explanation.function == "conv2d"
    (considered,) = explanation.problems
    assert considered.problem.operation == "conv_forward"
    assert considered.problem.padding == ((1, 1), (1, 1))
    assert considered.chosen in considered.candidates
    assert considered.chosen.can
    assert {c.backend for c in considered.candidates} == {"cpu"}
    can = [c.algorithm for c in considered.candidates if c.can]
    assert can[-1] == "reference"
    text = str(explanation)
    assert f"-> cpu/{considered.chosen.algorithm}: float64" in text
    assert "error bound" in text


def test_refusals_have_reasons_and_nothing_is_chosen(arguments):
    explanation = fastconv.explain(fastconv.conv2d, *arguments, workspace_limit=1)
    (considered,) = explanation.problems
    assert considered.chosen is None
    assert all(not c.can and c.reason for c in considered.candidates)
    assert ": no, " in str(explanation)


def test_it_runs_nothing(arguments, fake):
    for _ in range(2):
        explanation = fastconv.explain(fastconv.conv2d, *arguments, backend="fake")
    assert explanation.problems[0].chosen.algorithm == "fakery"
    assert (fake.plans, fake.runs) == (0, 0)
    fastconv.conv2d(*arguments, backend="fake")
    fastconv.explain(fastconv.conv2d, *arguments, backend="fake")
    assert (fake.plans, fake.runs) == (1, 1)


def test_it_needs_no_memory_for_what_it_does_not_compute():
    x = np.broadcast_to(np.float32(1), (64, 256, 4096, 4096))
    w = np.broadcast_to(np.float32(1), (256, 256, 3, 3))
    (considered,) = fastconv.explain(fastconv.conv2d, x, w, padding=1).problems
    assert considered.problem.y.shape == (64, 256, 4096, 4096)


def test_out_is_left_alone(arguments):
    out = np.full((2, 4, 6, 7), 5.0)
    fastconv.explain(fastconv.conv2d, *arguments, out=out)
    assert (out == 5).all()


def test_measuring_times_every_candidate_that_can(arguments):
    explanation = fastconv.explain(fastconv.conv2d, *arguments, measure=True, tolerance=1e-10)
    (considered,) = explanation.problems
    assert [m is not None for m in considered.measured] == [d.can for d in considered.candidates]
    assert all(seconds > 0 for seconds in considered.measured if seconds is not None)
    assert str(explanation).count("ms measured") == sum(d.can for d in considered.candidates)
    assert "measured" not in str(fastconv.explain(fastconv.conv2d, *arguments))


def test_measuring_leaves_out_alone_and_goes_on_with_true_results(arguments):
    x, w = arguments
    out = np.full((2, 4, 6, 7), 5.0)[:, ::-1]
    seen = []

    def net():
        seen.append(fastconv.conv2d(x, w, out=out))
        return fastconv.max_pool2d(seen[0], 2)

    explanation = fastconv.explain(net, measure=True)
    assert len(explanation.problems) == 2
    assert (out == 5).all()
    assert seen[0].strides == out.strides
    np.testing.assert_array_equal(seen[0], fastconv.conv2d(x, w))


def test_what_would_take_too_long_is_not_measured(arguments, fake, monkeypatch):
    long = replace(fake.decision, seconds=11.0)
    monkeypatch.setattr(fake, "decision", long, raising=False)
    (considered,) = fastconv.explain(
        fastconv.conv2d, *arguments, backend="fake", measure=True
    ).problems
    assert considered.measured == (None,)
    assert fake.runs == 0


def test_measuring_keeps_no_plan(arguments, fake):
    fastconv.explain(fastconv.conv2d, *arguments, backend="fake", measure=True)
    plans = fake.plans
    fastconv.conv2d(*arguments, backend="fake")
    assert fake.plans == plans + 1


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 4))[::-1, :, ::2],
        np.zeros((2, 3), np.float32).T,
        np.zeros((0, 3)),
        np.zeros(()),
    ],
)
def test_a_twin_has_the_same_strides_and_memory_of_its_own(array):
    other = twin(array)
    assert (other.shape, other.strides, other.dtype) == (array.shape, array.strides, array.dtype)
    assert not np.shares_memory(other, array)
    other[...] = 1
    assert not array.any()


def test_a_function_of_several_problems_shows_them_all(arguments):
    x, w = arguments
    explanation = fastconv.explain(fastconv.conv2d_backward, np.ones((2, 4, 6, 7)), x, w)
    operations = [considered.problem.operation for considered in explanation.problems]
    assert operations == ["conv_input_grad", "conv_weight_grad", "bias_grad"]


def test_a_users_own_function_is_explained(arguments):
    def net(x, w):
        return fastconv.conv2d(fastconv.conv2d(x, w, activation="relu"), np.ones((1, 4, 2, 2)))

    explanation = fastconv.explain(net, *arguments)
    assert [p.problem.x.shape for p in explanation.problems] == [(2, 3, 8, 9), (2, 4, 6, 7)]


def test_arguments_are_checked_as_in_the_call(arguments):
    with pytest.raises(ValueError, match="conv2d: stride: got 0"):
        fastconv.explain(fastconv.conv2d, *arguments, stride=0)
    assert fastconv.conv2d(*arguments).shape == (2, 4, 6, 7)


def test_no_error_leaves_explaining_on(arguments):
    with pytest.raises(ZeroDivisionError):
        fastconv.explain(lambda: 1 // 0)
    assert fastconv.conv2d(*arguments).std() > 0


def test_trace_lists_what_ran(arguments, fake):
    x, w = arguments
    with fastconv.trace() as ran:
        fastconv.conv2d(x, w, threads=1)
        fastconv.conv2d(x, w, backend="fake")
        fastconv.conv2d_backward(np.ones((2, 4, 6, 7)), x, w)
    assert [r.operation for r in ran] == [
        "conv_forward",
        "conv_forward",
        "conv_input_grad",
        "conv_weight_grad",
        "bias_grad",
    ]
    assert [r.function for r in ran[:2]] == ["conv2d"] * 2
    assert [r.backend for r in ran[:2]] == ["cpu", "fake"]
    assert (ran[0].threads, ran[0].precision, ran[0].device) == (1, "float64", "cpu")
    assert all(r.seconds >= 0 and r.workspace_bytes >= 0 for r in ran)


@pytest.mark.parametrize("algorithm", ["im2col_blas", "reference"])
def test_trace_counts_the_workspace_that_was_decided_on(arguments, algorithm):
    with fastconv.trace() as ran:
        fastconv.conv2d(*arguments, algorithm=algorithm)
    (considered,) = fastconv.explain(fastconv.conv2d, *arguments, algorithm=algorithm).problems
    assert ran[0].workspace_bytes == considered.chosen.workspace_bytes > 0


def test_an_outer_trace_sees_the_inner_one(arguments):
    with fastconv.trace() as outer:
        fastconv.conv2d(*arguments)
        with fastconv.trace() as inner:
            fastconv.conv2d(*arguments)
        assert len(inner) == 1
    assert len(outer) == 2
    fastconv.conv2d(*arguments)
    assert len(outer) == 2


def test_a_trace_is_its_threads_own(arguments):
    with fastconv.trace() as ran:
        thread = threading.Thread(target=fastconv.conv2d, args=arguments)
        thread.start()
        thread.join()
    assert ran == []


def test_backends_and_devices(fake):
    entries = {entry.name: entry for entry in fastconv.backends()}
    assert entries["cpu"].status == entries["fake"].status == "ready"
    assert fastconv.backends()[0].name == "cpu"
    assert fastconv.devices()[0] == "cpu"
    assert len(fastconv.devices()) == len(set(fastconv.devices()))
