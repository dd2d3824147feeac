"""Implicit GEMM by Hopper's instructions: every tile and way, on integers, hence exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from breaking import broken_kernels
from fastconv_cuda.boxes import View, forward_view, grad_view
from fastconv_cuda.geometry import Axis
from fastconv_cuda.wgmma import TILES
from fastconv_cuda.wgmma_gemm import WGMMA_GEMM
from problems import (
    SHARED_ROWS,
    array_of,
    conv_problem,
    linear_problem,
    operand,
    run,
    small_values,
)
from simt.device import CARD, SimulatedDevice, SimulationError

from fastconv.backend import Policy
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

ROWS = SHARED_ROWS | {
    "grouped-1d": {
        "x": (3, 32, 21), "w": (32, 16, 4), "groups": 2, "padding": ((1, 2),), "stride": 2
    },
    "many-taps": {"x": (2, 64, 13, 11), "w": (40, 64, 5, 3), "padding": (2, 1)},
    "stride-past-kernel": {"x": (1, 8, 11, 12), "w": (8, 8, 2, 2), "stride": (2, 3)},
    "image-below-kernel": {"x": (2, 8, 2, 3), "w": (8, 8, 3, 3), "padding": (2, 1)},
    "flat-image": {"x": (9, 16, 1, 8), "w": (24, 16, 1, 3), "padding": (0, 1)},
}  # fmt: skip
PASSES = ("conv_forward", "conv_input_grad")
LONE = replace(CARD, processors=1)
DTYPES = {"bfloat16": None, "float16": None, "float32": "tf32"}


def problem_of(pass_, row, dtype="float16", **more):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    return conv_problem(pass_, **ROWS[row], dtype=dtype, last=True, **more)


def plan_of(problem, device, precision=None):
    policy = Policy(precision=precision or DTYPES[problem.dtype])
    decision = WGMMA_GEMM.decide(problem, policy, device.card)
    assert decision.can, decision.reason
    return WGMMA_GEMM.plan(problem, decision, device)


def check(problem, device, precision=None):
    plan = plan_of(problem, device, precision)
    for _ in range(2):  # in both orders of threads and of landing copies
        got, exact = run(plan, device, problem, np.random.default_rng(1))
        np.testing.assert_array_equal(got, exact)
        assert device.launches[-1][1] == "wgmma_gemm"


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("pass_", PASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_small_integers_are_exact(dtype, pass_, row, device):
    check(problem_of(pass_, row, dtype), device)


@pytest.mark.parametrize("row_bytes", [128, 64, 32])
@pytest.mark.parametrize("tile", TILES, ids=[str(tile.columns) for tile in TILES])
def test_every_tile_and_swizzle_is_exact(tile, row_bytes, device, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.wgmma.tile_for", lambda *args, **kwargs: tile)
    monkeypatch.setattr("fastconv_cuda.boxes._depth", lambda shape, size: row_bytes // size)
    for channels in (64, 40):
        for columns in (264, 24):
            x, w = (2, channels, 9, 10), (columns, channels, 3, 3)
            check(conv_problem("conv_forward", x, w, padding=1, dtype="float16", last=True), device)


COPIED = {
    "channels-first": {"x": (5, 24, 9, 8), "w": (71, 24, 3, 3), "padding": 1},
    "odd-channels": {"x": (3, 5, 9, 8), "w": (7, 5, 3, 3), "stride": 2, "last": True},
    "grouped": {"x": (2, 30, 9, 8), "w": (30, 15, 3, 3), "padding": 1, "groups": 2},
    "1d": {"x": (2, 12, 30), "w": (20, 12, 5), "padding": 2},
}


@pytest.mark.parametrize("images", [5, 2])
@pytest.mark.parametrize("row", COPIED)
@pytest.mark.parametrize("pass_", PASSES)
@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("float16", None),
        ("float32", "tf32"),
        ("float32", "bfloat16"),
        ("float64", "tf32"),
        ("float64", "float16"),
    ],
)
def test_copies_with_their_channels_last_are_exact(
    dtype, precision, pass_, row, images, device, monkeypatch
):
    monkeypatch.setattr("fastconv_cuda.wgmma_gemm.images_within", lambda *args: images)
    problem = conv_problem(pass_, **COPIED[row], dtype=dtype)
    if pass_ == "conv_forward":
        bias = operand((problem.y.shape[1],), dtype)
        problem = replace(problem, bias=bias, activation="relu")
    check(problem, device, precision=precision)
    parts = -(-problem.x.shape[0] // images)
    kernels = [kernel for _, kernel in device.launches]
    assert kernels == ["pack_weight", *["copy_last", "wgmma_gemm"] * parts] * 2


def test_a_copys_prepared_weight_is_packed_once(device):
    problem = conv_problem("conv_forward", **COPIED["channels-first"], dtype="float16")
    plan = plan_of(problem, device)
    rng = np.random.default_rng(7)
    values = [small_values(o, rng) for o in problem.inputs]
    x, w = (array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True))
    packed = plan.pack(w)
    for _ in range(2):
        y = array_of(device, problem.y)
        plan.run_packed([x, packed], [y], np.full(plan.workspace_bytes, 0xFF, np.uint8))
        np.testing.assert_array_equal(y, solve(problem, values)[0].values.astype(np.float16))
    assert [kernel for _, kernel in device.launches].count("pack_weight") == 1


@pytest.mark.parametrize("pass_", ["linear_forward", "linear_input_grad"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_linear_layers_are_exact(dtype, pass_, device):
    check(linear_problem(pass_, 300, 72, 24, dtype), device)


@pytest.mark.parametrize("columns", [72, 60])
def test_bias_and_activation_follow(columns, device):
    x, w = (2, 16, 7, 9), (columns, 16, 3, 3)
    more = {"bias": operand((columns,), "float16"), "activation": "relu"}
    for last in (True, False):
        plain = conv_problem("conv_forward", x, w, padding=1, dtype="float16", last=True, **more)
        y = conv_problem("conv_forward", x, w, padding=1, dtype="float16", last=last).y
        check(replace(plain, y=y), device)


def test_a_groups_values_stay_its_own(device):
    x, w = (2, 64, 6, 7), (48, 32, 3, 3)
    problem = conv_problem("conv_forward", x, w, padding=1, groups=2, dtype="float16", last=True)
    rng = np.random.default_rng(3)
    values = [small_values(o, rng) for o in problem.inputs]
    exact = solve(problem, values)[0].values
    values[0][:, :32] = np.nan
    values[1][:24] = np.inf
    arrays = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
    plan = plan_of(problem, device)
    output = array_of(device, problem.y)
    plan.run(arrays, [output], np.full(plan.workspace_bytes, 0xFF, np.uint8))
    np.testing.assert_array_equal(output[:, 24:], exact[:, 24:].astype(np.float16))
    assert np.isnan(output[:, :24]).all()


def test_infinities_of_one_tap_stay_out_of_the_next(device):
    """Of 24 channels a box has 32: the rest is nothing, and not the next tap's."""
    problem = conv_problem("conv_forward", (1, 24, 5, 5), (8, 24, 3, 3), dtype="float16", last=True)
    values = [np.ones(problem.x.shape), np.ones(problem.weight.shape)]
    values[0][:, :, 2, 2] = 0  # which only the middle tap of the middle window reads
    values[1][:, :, 1, 2] = np.inf
    values[0][:, :, :, 3:] = 0
    with np.errstate(invalid="ignore"):
        exact = solve(problem, values)[0].values
    arrays = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
    plan = plan_of(problem, device)
    output = array_of(device, problem.y)
    plan.run(arrays, [output], np.full(plan.workspace_bytes, 0xFF, np.uint8))
    np.testing.assert_array_equal(output, exact.astype(np.float16))


def test_an_array_that_misses_its_alignment_goes_another_way(device):
    problem = problem_of("conv_forward", "ragged")
    plan = plan_of(problem, device)
    rng = np.random.default_rng(6)
    x = rng.integers(-3, 4, (2, 9, 8, 24)).astype(np.float16)
    w = rng.integers(-3, 4, (72, 24, 3, 3)).astype(np.float16)
    block = np.zeros(x.nbytes + 64, np.uint8)
    results = []
    for offset in (0, 2):
        start = -block.ctypes.data % 16 + offset
        place = block[start : start + x.nbytes].view(np.float16).reshape(x.shape)
        place[...] = x
        y = np.full((2, 9, 8, 72), np.nan, np.float16)
        workspace = np.empty(plan.workspace_bytes, np.uint8)
        plan.run([place.transpose(0, 3, 1, 2), w], [y.transpose(0, 3, 1, 2)], workspace)
        results.append(y)
    assert [kernel for _, kernel in device.launches[1::2]] == ["wgmma_gemm", "implicit_gemm"]
    np.testing.assert_array_equal(*results)


def test_a_prepared_weight_is_packed_once(device):
    problem = problem_of("conv_forward", "ragged")
    plan = plan_of(problem, device)
    rng = np.random.default_rng(7)
    values = [small_values(o, rng) for o in problem.inputs]
    x, w = (array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True))
    packed = plan.pack(w)
    for _ in range(2):
        y = array_of(device, problem.y)
        plan.run_packed([x, packed], [y], None)
        np.testing.assert_array_equal(y, solve(problem, values)[0].values.astype(np.float16))
    assert [kernel for _, kernel in device.launches] == ["pack_weight", *["wgmma_gemm"] * 2]


def test_blocks_take_one_tile_after_another():
    device = SimulatedDevice(LONE)
    problem = conv_problem(
        "conv_forward", (3, 16, 20, 20), (300, 16, 1, 1), dtype="float16", last=True
    )
    check(problem, device)


def reads(view, row, tap):
    return row * view.step + view.first + tap * view.reach


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("taps", [1, 2, 5])
def test_bounding_boxes_hold_what_windows_read(taps, dilation, stride):
    out = (17 + 3 - (taps - 1) * dilation - 1) // stride + 1
    axis = Axis(17, out, taps, stride, dilation, 1)
    for view in (forward_view(axis), *(grad_view(axis, phase) for phase in range(stride))):
        if view.taps == 0:
            continue
        assert isinstance(view, View)
        first = min(reads(view, 0, tap) for tap in range(view.taps))
        last = min(reads(view, view.rows - 1, tap) for tap in range(view.taps))
        assert (view.lower, view.limit - 1 + view.upper) == (first, last)


RING, TILE, WORK = "group_ring.cuh", "group_tile.cuh", "group_work.cuh"
RESULTS = "group_results.cuh"
BREAKS = [
    (RING, "(-shared_address(memory) & 1023)", "0", 0),
    (RING, "block_barrier();", "", 0),
    (RING, "publish_barriers();", "", 0),
    (RING, "barrier_wait(free + turn.stage, turn.parity ^ 1);", "", 0),
    (RING, "barrier_wait(ring.full + turn.stage, turn.parity);", "", 0),
    (RING, "turn.parity ^ 1", "turn.parity", 0),
    (RING, "parity ^= 1;", "", 0),
    (RING, "barrier_expect(full + turn.stage, STAGE_BYTES)", "barrier_arrive(full)", 0),
    (RING, "turn.stage, STAGE_BYTES)", "turn.stage, A_BYTES)", 0),
    (RING, "if (threadIdx.x % 32 == 0) barrier_arrive", "barrier_arrive", 0),
    (RING, "MULTIPLYING / 32);", "1);", 0),
    (RING, "open_products();", "", 0),
    (RING, "close_products();", "", 0),
    (RING, "await_products<1>();", "", 0),
    (RING, "await_products<1>();", "await_products<2>();", 0),
    (RING, "await_products<0>();", "", 0),
    (RING, "await_products<0>();", "await_products<1>();", 0),
    (RING, "if (before >= 0) ring.release(before);", "", 0),
    (RING, "if (before >= 0) ring.release(before);", "", 1),
    (TILE, "ROW_BYTES == 128 ? 1", "ROW_BYTES == 128 ? 2", 0),
    (TILE, "(8 * ROW_BYTES >> 4)", "(16 * ROW_BYTES >> 4)", 0),
    (TILE, "a + k * (32 >> 4)", "a", 0),
    (TILE, "threadIdx.x / GROUP * (64 * ROW_BYTES)", "0", 0),
    *((RESULTS, "warp_barrier();", "", occurrence) for occurrence in range(3)),
    (WORK, "p.column_tiles) * COLUMNS;", "p.column_tiles) * 64;", 0),]  # fmt: skip
# Two tiles for one block, of more steps than a ring has stages.
SMALL = {"x": (3, 128, 9, 10), "w": (72, 128, 3, 3)}


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{b[0]}-{b[1]}-{b[2]}-{b[3]}" for b in BREAKS])
def test_what_is_missing_is_caught(broken, tmp_path, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.wgmma.tile_for", lambda *args, **kwargs: TILES[1])
    more = {"bias": operand((72,), "float16"), "activation": "relu"}
    if "COLUMNS" in broken[1]:
        more["w"] = (200, 128, 1, 1)
        more["bias"] = operand((200,), "float16")
    problem = conv_problem("conv_forward", **(SMALL | more), dtype="float16", last=True)
    check(problem, SimulatedDevice(LONE))
    with pytest.raises((AssertionError, SimulationError)):
        check(problem, SimulatedDevice(LONE, broken_kernels(tmp_path, *broken)))
