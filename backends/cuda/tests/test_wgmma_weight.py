"""The weight gradient by Hopper's instructions: every tile and way, on integers, hence exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from breaking import broken_kernels
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.geometry import geometry_of
from fastconv_cuda.weight_boxes import WEIGHT_TILES, cut_for
from fastconv_cuda.wgmma_weight import WGMMA_WEIGHT
from problems import SHARED_ROWS, array_of, conv_problem, linear_problem, run, small_values
from simt.device import CARD, SimulatedDevice, SimulationError, simulated

from fastconv.backend import Policy
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

PASS = "conv_weight_grad"
ROWS = SHARED_ROWS | {
    "grouped-1d": {
        "x": (3, 48, 21), "w": (32, 24, 4), "groups": 2, "padding": ((1, 2),), "stride": 2
    },
    "many-rows": {"x": (1, 64, 5, 9), "w": (136, 64, 1, 1)},
}  # fmt: skip
BUSY = replace(CARD, processors=6)


def plan_of(problem, device, precision=None):
    decision = WGMMA_WEIGHT.decide(problem, Policy(precision=precision), device.card)
    assert decision.can, decision.reason
    return WGMMA_WEIGHT.plan(problem, decision, device)


def check(problem, device, precision=None):
    plan = plan_of(problem, device, precision)
    for _ in range(2):  # in both orders of threads and of landing copies
        got, exact = run(plan, device, problem, np.random.default_rng(1))
        np.testing.assert_array_equal(got, exact)
        assert device.launches[-2][1] == "wgmma_weight"


def problem_of(row, dtype="float16"):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    return conv_problem(PASS, **ROWS[row], dtype=dtype, last=True)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_integers_are_exact(dtype, row, device):
    check(problem_of(row, dtype), device)


@pytest.mark.parametrize("row_bytes", [128, 64, 32])
@pytest.mark.parametrize("tile", WEIGHT_TILES, ids=[f"{t.rows}x{t.columns}" for t in WEIGHT_TILES])
def test_every_tile_and_swizzle_is_exact(tile, row_bytes, device, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.weight_boxes.WEIGHT_TILES", (tile,))
    rows = [(0, row_bytes)]
    monkeypatch.setattr("fastconv_cuda.weight_boxes.row_bytes_of", lambda channels, size: rows)
    for x in ((1, 72, 6, 7), (2, 24, 6, 7)):
        w = (40, x[1], 2, 3)
        check(conv_problem(PASS, x, w, padding=1, dtype="float16", last=True), device)


def test_a_linear_layer_is_exact(device):
    check(linear_problem("linear_weight_grad", 337, 72, 24, "float16"), device)


def test_pixels_in_many_parts_are_added_up():
    device = SimulatedDevice(BUSY)
    problem = conv_problem(PASS, (3, 8, 30, 31), (8, 8, 1, 1), dtype="float16", last=True)
    plan = plan_of(problem, device)
    assert plan.workspace_bytes >= 4 * 4 * 8 * 8
    check(problem, device)


def test_parts_are_whole_boxes_within_the_workspace(device):
    problem = conv_problem(PASS, (3, 8, 30, 31), (8, 8, 3, 3), dtype="float16", last=True)
    for limit in (0, 4 * 576, 1 << 20):
        decision = WGMMA_WEIGHT.decide(problem, Policy(workspace_limit=limit), BUSY)
        cut = decision.detail.cut
        assert cut.part % 64 == 0
        assert cut.splits * cut.part >= 3 * 28 * 29 > (cut.splits - 1) * cut.part
        assert cut.bytes <= max(limit, 4 * 576)
    assert cut.splits > 1


def test_a_groups_values_stay_its_own(device):
    problem = conv_problem(
        PASS, (2, 24, 6, 7), (24, 12, 3, 3), padding=1, groups=2, dtype="float16", last=True
    )
    rng = np.random.default_rng(3)
    values = [small_values(o, rng) for o in problem.inputs]
    exact = solve(problem, values)[0].values
    for value in values:
        value[:, 12:] = np.nan
    arrays = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
    plan = plan_of(problem, device)
    output = array_of(device, problem.weight)
    plan.run(arrays, [output], np.full(plan.workspace_bytes, 0xFF, np.uint8))
    np.testing.assert_array_equal(output[:12], exact[:12].astype(np.float16))
    assert np.isnan(output[12:]).all()


def test_arrays_that_miss_their_alignment_go_another_way(device):
    problem = problem_of("ragged")
    plan = plan_of(problem, device)
    rng = np.random.default_rng(6)
    values = [small_values(o, rng) for o in problem.inputs]
    exact = solve(problem, values)[0].values
    for offset in (0, 2):
        arrays = []
        for wanted, value in zip(problem.inputs, values, strict=True):
            block = np.zeros(2 * wanted.size + 64, np.uint8)
            start = -block.ctypes.data % 16 + offset
            last = (wanted.shape[0], *wanted.shape[2:], wanted.shape[1])
            place = block[start : start + 2 * wanted.size].view(np.float16).reshape(last)
            arrays.append(place.transpose(0, 3, 1, 2))
            arrays[-1][...] = value
        output = array_of(device, problem.weight)
        plan.run(arrays, [output], np.full(plan.workspace_bytes, 0xFF, np.uint8))
        np.testing.assert_array_equal(output, exact.astype(np.float16))
    kernels = [kernel for _, kernel in device.launches]
    assert kernels[0] == "wgmma_weight"
    assert "wgmma_weight" not in kernels[1:]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (
            conv_problem(PASS, (1, 8, 9, 300), (8, 8, 3, 260), dtype="float16"),
            "channels don't lie side by side (channels-last arrays have it so); of copies: x:",
        ),
        (conv_problem(PASS, (0, 16, 9, 8), (8, 16, 3, 3), dtype="float16", last=True), "nothing"),
        (conv_problem(PASS, (2, 16, 9, 8), (8, 16, 3, 3), last=True), "tf32"),
    ],
)
def test_what_boxes_cannot_bring_is_declined(problem, reason):
    decision = WGMMA_WEIGHT.decide(problem, Policy(), CARD)
    assert not decision.can
    assert reason in decision.reason
    others = CudaBackend(simulated).decide(problem, Policy())
    assert any(d.can and d.algorithm != "implicit_gemm_wgmma" for d in others)


COPIED = {
    "channels-first": {"x": (5, 24, 9, 8), "w": (72, 24, 3, 3), "padding": 1},
    "odd-channels": {"x": (3, 5, 9, 8), "w": (7, 5, 3, 3), "stride": 2, "last": True},
    "odd-results": {"x": (3, 16, 9, 8), "w": (9, 16, 3, 3), "last": True},
    "grouped": {"x": (2, 30, 9, 8), "w": (30, 15, 3, 3), "padding": 1, "groups": 2},
    "depthwise": {"x": (2, 8, 9, 8), "w": (8, 1, 3, 3), "groups": 8, "last": True},
    "1d": {"x": (2, 12, 30), "w": (20, 12, 5), "padding": 2},
}


@pytest.mark.parametrize("images", [5, 2])
@pytest.mark.parametrize("row", COPIED)
@pytest.mark.parametrize("precision", [None, "bfloat16"])
def test_copies_with_their_channels_last_are_exact(precision, row, images, device, monkeypatch):
    """float32 arrays are rounded on the way; others are copied where boxes can't take them."""
    monkeypatch.setattr("fastconv_cuda.weight_parts.images_within", lambda *args: images)
    dtype = "float16" if precision is None else "float32"
    check(conv_problem(PASS, **COPIED[row], dtype=dtype), device, precision)
    parts = -(-COPIED[row]["x"][0] // images)
    count = 1 if (row, precision) == ("odd-results", None) else 2
    kernels = [kernel for _, kernel in device.launches]
    assert kernels == [*[*["copy_last"] * count, "wgmma_weight"] * parts, "reduce_weight"] * 2


def test_tf32_is_not_turned_around():
    problem = conv_problem(PASS, (2, 16, 9, 8), (8, 16, 3, 3), last=True)
    decision = WGMMA_WEIGHT.decide(problem, Policy(precision="tf32"), CARD)
    assert "16-bit operands" in decision.reason


def test_narrow_layers_take_narrow_boxes():
    for channels, across in ((16, 16), (32, 32), (64, 64), (256, 64)):
        x, w = (2, channels, 9, 8), (64, channels, 3, 3)
        geometry = geometry_of(conv_problem(PASS, x, w, dtype="float16", last=True))
        assert cut_for(geometry, "float16", CARD, 1 << 20).across == across


KERNEL = "wgmma_weight.cu"
BREAKS = [
    ("group_ring.cuh", "await_products<1>();", "", 0),
    ("group_ring.cuh", "barrier_wait(ring.full + turn.stage, turn.parity);", "", 0),
    (KERNEL, "(Matrix)(apart >> 4) << 16", "(Matrix)(apart >> 5) << 16", 0),
    (KERNEL, "(Matrix)(8 * row_bytes >> 4) << 32", "(Matrix)(16 * row_bytes >> 4) << 32", 0),
    (KERNEL, "row_bytes == 128 ? 1", "row_bytes == 128 ? 2", 0),
    (KERNEL, "pixel * 128 >> 4", "pixel * 64 >> 4", 0),
    (KERNEL, "threadIdx.x / GROUP * 64", "0", 0),
    (KERNEL, "threadIdx.x / GROUP * WIDTH", "0", 0),
    (KERNEL, "walk.advance(DEPTH, conv.axis);", "", 0),
    (KERNEL, "i < ROWS / A_ACROSS", "i < 1", 0),
    (KERNEL, "find_sources(work, p, sources);", "", 0),
]


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{b[1]}-{b[2]}" for b in BREAKS])
def test_what_is_missing_is_caught(broken, tmp_path, monkeypatch):
    narrow = "WIDTH" in broken[1]
    tiles = WEIGHT_TILES[4:5] if narrow else WEIGHT_TILES[1:2]
    monkeypatch.setattr("fastconv_cuda.weight_boxes.WEIGHT_TILES", tiles)
    # More boxes of pixels than a ring has stages, and two boxes of channels in a tile.
    problem = conv_problem(PASS, (4, 64, 13, 12), (72, 64, 1, 2), dtype="float16", last=True)
    lone = replace(CARD, processors=1)
    check(problem, SimulatedDevice(lone))
    with pytest.raises((AssertionError, SimulationError)):
        check(problem, SimulatedDevice(lone, broken_kernels(tmp_path, *broken)))
