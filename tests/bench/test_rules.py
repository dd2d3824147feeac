"""Whose time is divided by whose."""

from __future__ import annotations

import math

import pytest

from asv_bench.rules import Goal, Measurement, Roofline, compare, geomean, goal_of


def measured(which="forward", **seconds):
    names = {
        "own": "fastconv",
        "prepared": "fastconv, prepared",
        "torch": "PyTorch",
        "last": "PyTorch, channels last",
        "onnx": "ONNX Runtime",
    }
    return Measurement("layer", which, {names[k]: v for k, v in seconds.items()}, 200, 40, 3)


def test_the_faster_of_pytorchs_layouts_meets_plain_weights():
    duel = compare(measured(own=2.0, prepared=1.0, torch=5.0, last=3.0))
    assert (duel.own, duel.rival, duel.ratio) == ("fastconv", "PyTorch, channels last", 1.5)


def test_onnx_runtime_meets_prepared_weights_and_the_worse_duel_counts():
    duel = compare(measured(own=2.0, prepared=1.0, torch=5.0, onnx=1.2))
    assert (duel.own, duel.rival, duel.ratio) == ("fastconv, prepared", "ONNX Runtime", 1.2)
    duel = compare(measured(own=2.0, prepared=1.0, torch=2.2, onnx=1.2))
    assert (duel.rival, duel.ratio) == ("PyTorch", 1.1)


def test_without_weights_onnx_runtime_meets_the_plain_call():
    duel = compare(measured(own=2.0, torch=9.0, onnx=1.0))
    assert (duel.own, duel.rival, duel.ratio) == ("fastconv", "ONNX Runtime", 0.5)


def test_nobody_contends():
    assert compare(measured(own=2.0, prepared=1.0)) is None


def test_geometric_mean():
    assert geomean([0.5, 2.0]) == 1.0
    assert geomean([1.0, 4.0, 2.0]) == pytest.approx(2.0)
    assert math.isnan(geomean([]))


@pytest.mark.parametrize(
    ("asked", "goal"),
    [
        (("forward", "float32", None), Goal(1.7, 1.4, 1.0, 0.9)),
        (("input_grad", "float32", None), Goal(2.2, 1.6, 1.0, 0.9)),
        (("both_grads", "float32", None), Goal(2.2, 1.6, 1.0, 0.9)),
        (("forward", "float64", None), Goal(1.3, 1.0)),
        (("weight_grad", "float32", "avx2"), Goal(1.3, 1.0)),
    ],
)
def test_goals(asked, goal):
    assert goal_of(*asked) == goal


def test_a_share_of_the_roofline_is_of_whichever_limit_is_lower():
    m = measured(own=1.0)
    assert Roofline(flops=1000.0, bandwidth=1e9).share(m, 0.4) == pytest.approx(0.5)
    assert Roofline(flops=1e9, bandwidth=100.0).share(m, 0.5) == pytest.approx(0.8)
    assert Roofline(flops=None, bandwidth=100.0).share(m, 0.5) is None
