"""The matrix kernels: every tile, arithmetic and way of loading, on integers, hence exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from breaking import broken_kernels
from fastconv_cuda.arithmetic import FMA, MMA
from fastconv_cuda.implicit_gemm import ImplicitGemm, gemm_plan, shape_of
from fastconv_cuda.integer_gemm import plain_plan
from fastconv_cuda.tiles import INTEGER_TILES, TILES, Tile, tile_for
from fastconv_cuda.weight_gemm import WeightGemm
from problems import (
    SHARED_ROWS,
    array_of,
    conv_problem,
    integer_values,
    linear_problem,
    operand,
    run,
)
from simt.device import CARD, SimulatedDevice, SimulationError

from fastconv.backend import Policy
from fastconv.problem import IntegerConvProblem
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

MATHS = {
    "fma": ("float32", FMA, None),
    "double": ("float64", FMA, None),
    "float16": ("float16", MMA, None),
    "bfloat16": ("bfloat16", MMA, None),
    "tf32": ("float32", MMA, "tf32"),
}
ROWS = SHARED_ROWS | {
    "grouped-1d": {
        "x": (3, 32, 21), "w": (48, 16, 4), "groups": 2, "padding": ((1, 2),), "stride": 2
    },
    "ragged-3d": {
        "x": (1, 8, 4, 5, 6), "w": (12, 8, 2, 3, 2), "padding": (1, 0, 1), "stride": (1, 2, 1)
    },
    "odd-channels": {"x": (1, 5, 11, 9), "w": (7, 5, 3, 3), "padding": 1},
    "stride-past-kernel": {"x": (1, 8, 11, 12), "w": (8, 8, 2, 2), "stride": (4, 5)},
}  # fmt: skip
PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")


def plan_of(problem, math, precision, device, limit=1 << 26):
    make = WeightGemm if problem.operation.endswith("weight_grad") else ImplicitGemm
    candidate = make(math)
    policy = Policy(precision=precision, workspace_limit=limit)
    decision = candidate.decide(problem, policy, device.card)
    assert decision.can, decision.reason
    return candidate.plan(problem, decision, device)


def check(problem, math, precision, device, rng, limit=1 << 26):
    plan = plan_of(problem, math, precision, device, limit)
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
    for module in ("shapes", "weight_split"):
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


GATHER, WEIGHT, LAST = "gather_product.cuh", "weight_gemm.cu", "weight_gemm_last.cu"
INTEGER = "integer_gemm.cu"
BARRIER = "block_barrier();"
BREAKS = [
    *((GATHER, BARRIER, "", occurrence) for occurrence in range(4)),
    (GATHER, "await_copies<STAGES - 2>", "await_copies<STAGES - 1>", 0),
    (GATHER, "loader.fetch(free)", "loader.fetch(memory)", 0),
    (WEIGHT, BARRIER, "", 0),
    (LAST, BARRIER, "", 0),
    (LAST, "await_copies<STAGES - 2>", "await_copies<STAGES - 1>", 0),
    (INTEGER, BARRIER, "", 0),
    (INTEGER, "+ all * from * less", "", 0),
    ("tile.cuh", "(chunk ^ turn) & 7", "chunk & 7", 0),
    ("tile.cuh", "row >> 1", "row", 0),
]
HARMLESS = {"tile.cuh"}
TILE = Tile(64, 64, 4, 1.0)


def small_problem(file, last):
    # Of 9 tiles, the last lies where the result's first slab goes; of 18, where x's sums go.
    if file == INTEGER:
        return integer_problem((2, 128, 9, 10), (72, 128, 3, 3), last)
    pass_ = "conv_weight_grad" if file.startswith(("weight", "tile")) else "conv_forward"
    dtype, channels = {LAST: ("float16", 32), WEIGHT: ("float64", 16)}.get(file, ("float32", 16))
    shapes = (2, channels, 9, 10), (72, channels, 3, 3)
    return conv_problem(pass_, *shapes, padding=1, last=last, dtype=dtype)


def check_small(problem, device):
    rng = np.random.default_rng(7)
    if isinstance(problem, IntegerConvProblem):
        check_integers(problem, device, rng)
    else:
        # Where there is no room for copies float64 is summed element by element.
        limit = 90_000 if problem.dtype == "float64" else 1 << 26
        check(problem, MMA if problem.dtype == "float16" else FMA, None, device, rng, limit)


@pytest.fixture
def _one_tile(monkeypatch):
    for module in ("shapes", "weight_split"):
        monkeypatch.setattr(f"fastconv_cuda.{module}.tile_for", lambda *args, **kwargs: TILE)


@pytest.mark.usefixtures("_one_tile")
@pytest.mark.parametrize("broken", BREAKS, ids=[f"{b[0]}-{b[1]}-{b[3]}" for b in BREAKS])
def test_what_is_missing_is_caught(broken, tmp_path):
    # Where chunks lie is nobody's business but the banks', as long as all agree.
    agreed = broken[0] in HARMLESS
    device = SimulatedDevice(kernels=broken_kernels(tmp_path, *broken))
    caught = []
    for last in (False, True):
        try:
            check_small(small_problem(broken[0], last), device)
        except (AssertionError, SimulationError):
            caught.append(last)
    assert bool(caught) is not agreed


def integer_problem(x, w, last, kinds=("uint8", "int8"), result="int32"):
    """Return an integer convolution's problem, padding 1."""
    plain = conv_problem("conv_forward", x, w, padding=1)
    kind, weight = kinds
    more = {}
    if result != "int32":
        more = {"multiplier": operand((w[0],), "float32"), "y_zero_point": operand((1,), kind)}
    return IntegerConvProblem(
        function="test",
        operation="conv_integer" if result == "int32" else "conv_requantized",
        device="cuda:0",
        x=operand(x, kind, last),
        weight=operand(w, weight),
        x_zero_point=operand((1,), kind),
        w_zero_point=operand((w[0],), weight),
        y=operand(plain.y.shape, result, last),
        bias=operand((w[0],), "int32"),
        stride=plain.stride,
        padding=plain.padding,
        dilation=plain.dilation,
        groups=plain.groups,
        **more,
    )


def check_integers(problem, device, rng):
    plan = plain_plan(problem, device)
    (y,) = problem.outputs
    for _ in range(2):
        values = [integer_values(o, rng) for o in problem.inputs]
        inputs = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
        output = array_of(device, y, 77)
        plan.run(inputs, [output], np.full(plan.workspace_bytes, 0xFF, np.uint8))
        np.testing.assert_array_equal(output, solve(problem, values)[0].values)


@pytest.mark.parametrize("tile", INTEGER_TILES, ids=["128x128", "64x64"])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("result", ["int32", "own"])
@pytest.mark.parametrize("kinds", [("uint8", "int8"), ("int8", "uint8")])
def test_integers_of_any_zero_point_are_exact(kinds, result, last, tile, device, monkeypatch):
    monkeypatch.setattr("fastconv_cuda.shapes.tile_for", lambda *args, **kwargs: tile)
    result = kinds[0] if result == "own" else result
    for channels in (16, 5):
        shapes = (2, channels, 7, 9), (70, channels, 3, 3)
        problem = integer_problem(*shapes, last, kinds, result)
        check_integers(problem, device, np.random.default_rng(8))


def test_the_weight_gradient_of_channels_last_takes_whole_chunks(device):
    for last in (False, True):
        problem = conv_problem("conv_weight_grad", **ROWS["ragged"], dtype="float16", last=last)
        check(problem, MMA, None, device, np.random.default_rng(9))
    kernels = {kernel for _, kernel in device.launches}
    assert kernels == {"weight_gemm", "weight_gemm_last", "reduce_weight"}


def test_tiles_fill_the_card_before_they_grow():
    small = tile_for(CARD, 64, 64, 1)
    assert (small.rows, small.columns) == (64, 64)
    large = tile_for(CARD, 128 * 64, 128 * 8, 1)
    assert (large.rows, large.columns) == (128, 128)


def test_stages_fit_what_every_card_grants():
    for tile in TILES:
        assert tile.stages * tile.stage_bytes <= 48 * 1024
        assert 32 * (tile.columns + 1) * 8 + tile.rows * 12 <= tile.stages * tile.stage_bytes
