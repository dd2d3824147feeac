"""The CPU backend's own members: the order of its decisions."""

from __future__ import annotations

import numpy as np
import pytest

import fastconv
from fastconv.backend import Decision, Policy
from fastconv.cpu import backend as module
from fastconv.cpu.backend import BACKEND
from fastconv.cpu.isa import core
from fastconv.testing import all_cases, case_named

PROBLEM = case_named("conv_forward-padded-float32").problem("cpu")


class Listed:
    """A candidate that predicts what it is told, by number of threads."""

    def __init__(self, name, seconds, *, can=True):
        self.name, self._seconds, self._can = name, seconds, can

    def decide(self, problem, policy):
        threads = min(policy.threads or 4, max(self._seconds))
        if not self._can or threads not in self._seconds:
            return Decision(False, "it can't", self.name)
        return Decision(True, "", self.name, seconds=self._seconds[threads], threads=threads)


@pytest.fixture
def order(monkeypatch):
    """Return a function that gives the names of some candidates in the backend's order."""

    def make(*listed, **policy):
        monkeypatch.setattr(module, "candidates", lambda problem: listed)
        monkeypatch.setattr(
            module, "named", lambda problem, name: next(c for c in listed if c.name == name)
        )
        return [d.algorithm for d in BACKEND.decide(PROBLEM, Policy(**policy))]

    return make


def test_the_least_seconds_come_first_the_reference_then_and_refusals_last(order):
    names = order(
        Listed("no", {1: 0.1}, can=False),
        Listed("slow", {1: 3.0}),
        Listed("fast", {1: 2.0}),
        Listed("reference", {1: 1.0}),
        Listed("never", {1: 0.1}, can=False),
    )
    assert names == ["fast", "slow", "reference", "no", "never"]


def test_the_list_breaks_ties(order):
    listed = [Listed(name, {1: 1.0}) for name in "cab"]
    assert order(*listed) == ["c", "a", "b"]


def test_more_threads_choose_no_other_algorithm(order):
    scales = Listed("scales", {1: 2.0, 4: 0.5})
    alone = Listed("alone", {1: 1.0})
    for threads in (None, 1, 4):
        assert order(scales, alone, threads=threads)[0] == "alone"


def test_what_cannot_be_held_to_one_thread_is_taken_to_scale(order):
    assert order(Listed("blas", {4: 0.5}), Listed("ours", {1: 1.9, 4: 0.9})) == ["ours", "blas"]
    assert order(Listed("blas", {4: 0.5}), Listed("ours", {1: 2.1, 4: 0.1})) == ["blas", "ours"]


@pytest.mark.parametrize("operation", BACKEND.info.operations)
def test_the_same_algorithm_at_any_number_of_threads(operation):
    for case in all_cases():
        if case.name.startswith(f"{operation}-") and "bfloat16" not in case.name:
            problem = case.problem("cpu")
            chosen = {
                BACKEND.decide(problem, Policy(threads=threads))[0].algorithm
                for threads in (1, 2, 3, 16)
            }
            assert len(chosen) == 1, case.name


def test_the_instruction_set_is_named_where_it_is_ours():
    found = {d.algorithm: d.isa for d in BACKEND.decide(PROBLEM, Policy())}
    assert found["reference"] == found["im2col_blas"] == ""
    assert found["implicit_gemm"] == module.active() != "none"


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "padding"),
    [
        ((8, 1, 64, 64), (16, 1, 1, 1), 0),
        ((64, 256, 1, 1), (256, 256, 3, 3), 1),
        ((32, 512, 1, 1), (1000, 512, 1, 1), 0),
    ],
)
def test_blas_is_not_taken_where_its_operands_take_longer_than_its_products(
    x_shape, weight_shape, padding
):
    if core is None:
        pytest.skip("needs the compiled core")
    x, weight = np.zeros(x_shape, np.float32), np.zeros(weight_shape, np.float32)
    y = fastconv.conv2d(x, weight, padding=padding)
    for function, arguments in (
        (fastconv.conv2d, (x, weight)),
        (fastconv.conv2d_input_grad, (x_shape, weight, y)),
        (fastconv.conv2d_weight_grad, (x, weight_shape, y)),
    ):
        (considered,) = fastconv.explain(function, *arguments, padding=padding).problems
        assert considered.chosen.algorithm != "im2col_blas"
