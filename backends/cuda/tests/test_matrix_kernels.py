"""The matrix kernels: every tile, arithmetic and way of loading, on integers, hence exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fastconv_cuda.arithmetic import FMA, MMA
from fastconv_cuda.implicit_gemm import ImplicitGemm, gemm_plan, shape_of
from fastconv_cuda.tiles import TILES, Tile, tile_for
from fastconv_cuda.weight_gemm import WeightGemm
from problems import conv_problem, linear_problem, run
from simt.device import CARD, SimulatedDevice, SimulationError

from fastconv.backend import Policy

pytestmark = pytest.mark.simulated

MATHS = {
    "fma": ("float32", FMA, None),
    "double": ("float64", FMA, None),
    "float16": ("float16", MMA, None),
    "bfloat16": ("bfloat16", MMA, None),
    "tf32": ("float32", MMA, "tf32"),
}
ROWS = {
    "ragged": {"x": (2, 24, 9, 8), "w": (72, 24, 3, 3), "padding": 1},
    "strided-dilated": {
        "x": (1, 16, 15, 12), "w": (8, 16, 3, 3), "padding": (2, 1), "stride": (2, 3),
        "dilation": (3, 2),
    },
    "grouped-1d": {
        "x": (3, 32, 21), "w": (48, 16, 4), "groups": 2, "padding": ((1, 2),), "stride": 2
    },
    "3d": {"x": (1, 8, 4, 5, 6), "w": (12, 8, 2, 3, 2), "padding": (1, 0, 1), "stride": (1, 2, 1)},
    "odd-channels": {"x": (1, 5, 11, 9), "w": (7, 5, 3, 3), "padding": 1},
    "stride-past-kernel": {"x": (1, 8, 11, 12), "w": (8, 8, 2, 2), "stride": (4, 5)},
    "one-pixel": {"x": (1, 8, 1, 1), "w": (8, 8, 1, 1)},
}  # fmt: skip
PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")


def plan_of(problem, math, precision, device):
    make = WeightGemm if problem.operation.endswith("weight_grad") else ImplicitGemm
    candidate = make(math)
    decision = candidate.decide(problem, Policy(precision=precision), device.card)
    assert decision.can, decision.reason
    return candidate.plan(problem, decision, device)


def check(problem, math, precision, device, rng):
    plan = plan_of(problem, math, precision, device)
    for _ in range(2):  # in both orders of threads
        got, exact = run(plan, device, problem, rng)
        np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("pass_", PASSES)
@pytest.mark.parametrize("name", MATHS)
def test_small_integers_are_exact(name, pass_, row, last, device):
    dtype, math, precision = MATHS[name]
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    problem = conv_problem(pass_, **ROWS[row], dtype=dtype, last=last)
    check(problem, math, precision, device, np.random.default_rng(1))


@pytest.mark.parametrize("tile", TILES, ids=[f"{t.rows}x{t.columns}" for t in TILES])
@pytest.mark.parametrize("name", ["fma", "float16", "tf32"])
def test_every_tile_is_exact(name, tile, device, monkeypatch):
    dtype, math, precision = MATHS[name]
    for module in ("implicit_gemm", "weight_gemm"):
        monkeypatch.setattr(f"fastconv_cuda.{module}.tile_for", lambda *args, **kwargs: tile)
    for pass_ in PASSES:
        problem = conv_problem(pass_, (2, 24, 9, 10), (136, 24, 3, 3), padding=1, dtype=dtype)
        check(problem, math, precision, device, np.random.default_rng(2))


@pytest.mark.parametrize("pass_", ["forward", "input_grad", "weight_grad"])
@pytest.mark.parametrize("name", ["fma", "float16"])
def test_linear_layers_are_exact(name, pass_, device):
    dtype, math, precision = MATHS[name]
    problem = linear_problem(f"linear_{pass_}", 37, 70, 19, dtype)
    check(problem, math, precision, device, np.random.default_rng(3))


@pytest.mark.parametrize("name", ["fma", "float16"])
def test_pixels_in_many_parts_are_added_up(name):
    dtype, math, precision = MATHS[name]
    device = SimulatedDevice(replace(CARD, processors=40))
    problem = conv_problem("conv_weight_grad", (3, 8, 30, 31), (8, 8, 3, 3), padding=1, dtype=dtype)
    plan = plan_of(problem, math, precision, device)
    assert plan.workspace_bytes >= 4 * 4 * 8 * 8 * 9
    check(problem, math, precision, device, np.random.default_rng(4))


def test_channels_last_are_loaded_in_whole_chunks_and_others_one_by_one(device):
    for last in (True, False):
        problem = conv_problem("conv_forward", **ROWS["ragged"], dtype="float16", last=last)
        assert shape_of(problem).is_vector(2) is last
        run(gemm_plan(problem, "float16", device), device, problem, np.random.default_rng(5))
    vector = [("FC_VECTOR", "") in unit.definitions for unit, name in device.launches[1::2]]
    assert vector == [True, False]


def test_an_array_that_misses_its_alignment_is_read_another_way(device):
    problem = conv_problem("conv_forward", **ROWS["ragged"], dtype="float16", last=True)
    plan = gemm_plan(problem, "float16", device)
    rng = np.random.default_rng(6)
    x = rng.integers(-3, 4, (2, 9, 8, 24)).astype(np.float16)
    w = rng.integers(-3, 4, (72, 24, 3, 3)).astype(np.float16)
    block = np.zeros(x.nbytes + 64, np.uint8)
    results = []
    for offset in (0, 2, 1):
        start = -block.ctypes.data % 16 + offset
        place = block[start : start + x.nbytes].view(np.float16).reshape(x.shape)
        place[...] = x
        y = np.full((2, 9, 8, 72), np.nan, np.float16)
        workspace = np.empty(plan.workspace_bytes, np.uint8)
        plan.run([place.transpose(0, 3, 1, 2), w], [y.transpose(0, 3, 1, 2)], workspace)
        results.append(y)
    names = [dict(unit.definitions).keys() for unit, kernel in device.launches[1::2]]
    assert ["FC_VECTOR" in n for n in names] == [True, False, False]
    assert ["FC_UNALIGNED" in n for n in names] == [False, False, True]
    assert all(y.tobytes() == results[0].tobytes() for y in results)


class Broken(SimulatedDevice):
    """A device whose sources lack something."""

    def __init__(self, file, old, new, occurrence):
        super().__init__()
        self.file, self.old, self.new, self.occurrence = file, old, new, occurrence

    def source(self, unit):
        text = unit.source
        if unit.file != self.file:
            return text
        parts = text.split(self.old)
        assert len(parts) > self.occurrence + 1, "there is nothing left to break"
        before, after = parts[: self.occurrence + 1], parts[self.occurrence + 1 :]
        return self.old.join(before) + self.new + self.old.join(after)


BREAKS = [
    ("implicit_gemm.cu", "block_barrier();", "", 0),
    ("implicit_gemm.cu", "block_barrier();", "", 1),
    ("implicit_gemm.cu", "block_barrier();", "", 2),
    ("implicit_gemm.cu", "block_barrier();", "", 3),
    ("implicit_gemm.cu", "await_copies<STAGES - 2>", "await_copies<STAGES - 1>", 0),
    ("implicit_gemm.cu", "if (next < tiles) loader.fetch(free)", "loader.fetch(stage0)", 0),
    ("weight_gemm.cu", "block_barrier();", "", 0),
]
TILE = Tile(64, 64, 4, 1.0)


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{f}-{o}-{n}" for f, o, _, n in BREAKS])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_what_is_missing_is_caught(broken, last, monkeypatch):
    file, old, new, occurrence = broken
    new = new.replace("stage0", "memory")
    for module in ("implicit_gemm", "weight_gemm"):
        monkeypatch.setattr(f"fastconv_cuda.{module}.tile_for", lambda *args, **kwargs: TILE)
    pass_ = "conv_weight_grad" if file.startswith("weight") else "conv_forward"
    # Nine tiles: the last lies where the result's first slab goes.
    problem = conv_problem(pass_, (2, 16, 9, 10), (72, 16, 3, 3), padding=1, last=last)
    device = Broken(file, old, new, occurrence)
    with pytest.raises((AssertionError, SimulationError)):
        check(problem, FMA, None, device, np.random.default_rng(7))


def test_tiles_fill_the_card_before_they_grow():
    small = tile_for(CARD, 64, 64, 1)
    assert (small.rows, small.columns) == (64, 64)
    large = tile_for(CARD, 128 * 64, 128 * 8, 1)
    assert (large.rows, large.columns) == (128, 128)


def test_stages_fit_what_every_card_grants():
    for tile in TILES:
        assert tile.stages * tile.stage_bytes <= 48 * 1024
        assert 32 * (tile.columns + 1) * 8 + tile.rows * 12 <= tile.stages * tile.stage_bytes
