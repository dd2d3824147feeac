"""8-bit integers by Hopper's instructions: any zero points, padding and groups, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from breaking import broken_kernels
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.integer_gemm import INTEGER_GEMM
from fastconv_cuda.wgmma import TILES
from fastconv_cuda.wgmma_integer import WGMMA_INTEGER
from problems import array_of, conv_problem, integer_values, operand
from simt.device import CARD, SimulatedDevice, SimulationError, simulated

from fastconv.backend import Policy
from fastconv.problem import IntegerConvProblem
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

ROWS = {
    "padded": {"x": (2, 48, 7, 9), "w": (72, 48, 3, 3), "padding": 1},
    "strided-dilated": {
        "x": (1, 16, 15, 12), "w": (24, 16, 3, 3), "padding": (2, 1), "stride": (2, 3),
        "dilation": (3, 2),
    },
    "grouped-1d": {
        "x": (3, 64, 21), "w": (64, 32, 4), "groups": 2, "padding": ((1, 2),), "stride": 2
    },
    "3d": {"x": (1, 16, 4, 5, 6), "w": (16, 16, 2, 3, 2), "padding": (1, 0, 1)},
    "mostly-padding": {"x": (2, 16, 2, 3), "w": (16, 16, 3, 3), "padding": (2, 1)},
    "pointwise": {"x": (2, 144, 9, 10), "w": (40, 144, 1, 1)},
}  # fmt: skip
LONE = replace(CARD, processors=1)


def problem_of(row, kinds=("uint8", "int8"), result="int32", *, zero=True, **more):
    """Return an integer convolution's problem, results of "own" type requantised."""
    plain = conv_problem("conv_forward", **(ROWS[row] | more))
    kind, weight = kinds
    channels = plain.weight.shape[0]
    more = {}
    if result == "own":
        more = {"multiplier": operand((channels,), "float32"), "y_zero_point": operand((1,), kind)}
    return IntegerConvProblem(
        function="test",
        operation="conv_integer" if result == "int32" else "conv_requantized",
        device="cuda:0",
        x=operand(plain.x.shape, kind, last=True),
        weight=operand(plain.weight.shape, weight),
        x_zero_point=operand((1,), kind),
        w_zero_point=operand((channels,), weight) if zero else None,
        y=operand(plain.y.shape, kind if result == "own" else "int32", last=True),
        bias=operand((channels,), "int32"),
        stride=plain.stride,
        padding=plain.padding,
        dilation=plain.dilation,
        groups=plain.groups,
        **more,
    )


MAKERS = {"wgmma_integer": WGMMA_INTEGER, "integer_gemm": INTEGER_GEMM}


def check(problem, device, kernel="wgmma_integer"):
    card = replace(device.card, bandwidth=1e15, clock=1e3)  # where copies cost nothing
    decision = MAKERS[kernel].decide(problem, Policy(), card)
    assert decision.can, decision.reason
    plan = MAKERS[kernel].plan(problem, decision, device)
    rng = np.random.default_rng(8)
    for _ in range(2):  # in both orders of threads and of landing copies
        values = [integer_values(o, rng) for o in problem.inputs]
        inputs = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
        output = array_of(device, problem.y, 77)
        plan.run(inputs, [output], np.full(plan.workspace_bytes, 0xFF, np.uint8))
        np.testing.assert_array_equal(output, solve(problem, values)[0].values)
        assert device.launches[-1][1] == kernel


@pytest.mark.parametrize("result", ["int32", "own"])
@pytest.mark.parametrize("row", ROWS)
def test_integers_of_any_zero_point_are_exact(row, result, device):
    check(problem_of(row, result=result), device)


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("x", ["int8", "uint8"])
@pytest.mark.parametrize("weight", ["int8", "uint8"])
def test_every_pair_of_types_is_exact(x, weight, zero, device):
    check(problem_of("padded", (x, weight), "own", zero=zero), device)


@pytest.mark.parametrize("row_bytes", [128, 64, 32])
@pytest.mark.parametrize("tile", TILES, ids=[str(tile.columns) for tile in TILES])
def test_every_tile_and_swizzle_is_exact(tile, row_bytes, device, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.wgmma.tile_for", lambda *args, **kwargs: tile)
    monkeypatch.setattr("fastconv_cuda.boxes._depth", lambda shape, size: row_bytes)
    check(problem_of("padded", x=(2, 80, 7, 9), w=(264, 80, 3, 3)), device)


def test_results_of_any_layout_are_written(device):
    problem = problem_of("padded", result="own")
    check(replace(problem, y=operand(problem.y.shape, "uint8")), device)


def test_on_hopper_it_is_the_first_choice_where_boxes_fit():
    backend = CudaBackend(simulated)
    problem = problem_of("padded", x=(2, 128, 16, 16), w=(256, 128, 3, 3))
    assert backend.decide(problem, Policy())[0].algorithm == "implicit_gemm_wgmma"
    plain = replace(problem, x=operand(problem.x.shape, "uint8"))
    first, second, *_ = backend.decide(plain, Policy())
    assert first.algorithm == "implicit_gemm_wgmma"
    assert second.algorithm == "implicit_gemm_mma"
    assert all("of a copy" in decision.reason for decision in (first, second))
    # Without room for it, one by one.
    (only, *_) = backend.decide(plain, Policy(workspace_limit=310_000))
    assert (only.algorithm, "one by one" in only.reason) == ("implicit_gemm_mma", True)
    old = WGMMA_INTEGER.decide(problem, Policy(), replace(CARD, capability=(8, 9)))
    assert "capability 9.0 alone" in old.reason


COPIED = {
    "channels-first": {"x": (5, 24, 7, 9), "w": (71, 24, 3, 3), "padding": 1},
    "odd-channels": {"x": (3, 5, 9, 8), "w": (7, 5, 3, 3), "stride": 2, "padding": 2},
    "grouped": {"x": (2, 64, 5, 6), "w": (70, 32, 3, 3), "padding": 1, "groups": 2},
}


@pytest.mark.parametrize("images", [5, 2])
@pytest.mark.parametrize("kernel", ["wgmma_integer", "integer_gemm"])
@pytest.mark.parametrize("row", COPIED)
@pytest.mark.parametrize("kinds", [("uint8", "int8"), ("int8", "uint8")])
def test_copies_with_their_channels_last_are_exact(kinds, row, kernel, images, device, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.copied_integers.images_within", lambda *args: images)
    problem = problem_of("padded", kinds, "own", **COPIED[row])
    shape = problem.x.shape
    problem = replace(problem, x=operand(shape, kinds[0], last=row == "odd-channels"))
    check(problem, device, kernel)
    parts = -(-shape[0] // images)
    kernels = [kernel for _, kernel in device.launches]
    assert kernels == ["pack_weight", "sum_weight", *["copy_last", kernel] * parts] * 2


BREAKS = [
    ("wgmma_integer.cu", "row_sums.clear();", "", 0),
    ("wgmma_integer.cu", "at[i] = 1", "", 0),
    ("wgmma_integer.cu", "zero && !w.whole", "false", 0),
    ("wgmma_integer.cu", "- less * (uint32)w.sum", "", 0),
    ("wgmma_integer.cu", "inside += (uint32)of_taps[tap], count++", "count++", 0),
    ("group_ring.cuh", "await_products<1>();", "", 0),
]


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{b[0]}-{b[1]}" for b in BREAKS])
def test_what_is_missing_is_caught(broken, tmp_path, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.wgmma.tile_for", lambda *args, **kwargs: TILES[1])
    problem = problem_of("padded", x=(3, 256, 7, 9), w=(72, 256, 3, 3))
    check(problem, SimulatedDevice(LONE))
    with pytest.raises((AssertionError, SimulationError)):
        check(problem, SimulatedDevice(LONE, broken_kernels(tmp_path, *broken)))
