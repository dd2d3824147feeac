"""Many blocks along each axis of the grid, sums longer than pipelines, ragged ends.

Grids are looked at, so that none of this is true by accident of today's tiles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fastconv_cuda.arithmetic import FMA, MMA
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.finding import Found
from fastconv_cuda.geometry import geometry_of
from fastconv_cuda.implicit_gemm import gemm_plan
from fastconv_cuda.tiles import ROW_BYTES, TILES
from fastconv_cuda.weight_gemm import WeightGemm
from fastconv_cuda.weight_split import split_for
from problems import array_of, conv_problem, operand, run
from simt.device import CARD, SimulatedDevice
from test_copies import forced
from test_matrix_kernels import check_integers, integer_problem, plan_of
from test_memory_kernels import pool_problem

from fastconv.backend import Decision, Policy
from fastconv.problem import BiasProblem, ColumnsProblem
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

SMALL = TILES[-1]


class Recording(SimulatedDevice):
    """A device that remembers the largest grid of each kernel."""

    def __init__(self):
        super().__init__(CARD)
        self.grids = {}

    def launch(self, unit, kernel, grid, *rest):
        before = self.grids.get(kernel, (0, 0, 0))
        self.grids[kernel] = tuple(map(max, zip(grid, before, strict=True)))
        super().launch(unit, kernel, grid, *rest)


@pytest.fixture
def device(monkeypatch):
    """Return a device whose products are cut into the smallest tiles."""
    for module in ("shapes", "weight_split"):
        monkeypatch.setattr(f"fastconv_cuda.{module}.tile_for", lambda *args, **kwargs: SMALL)
    return Recording()


def several(grid, axes):
    """Whether a grid has at least three blocks along each of its first axes."""
    return min(grid[:axes]) >= 3


def is_longer_than_the_pipeline(length, dtype):
    """Whether a sum has more tiles than are under way at once, twice over."""
    size = 2 if dtype == "float16" else np.dtype(dtype).itemsize
    return length * size > 2 * SMALL.stages * ROW_BYTES


def check(plan, device, problem):
    for _ in range(2):
        got, exact = run(plan, device, problem, np.random.default_rng(1))
        np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize("way", ["as it is", "last", "copied"])
@pytest.mark.parametrize(
    ("dtype", "math", "precision"),
    [("float32", FMA, None), ("float16", MMA, None), ("float32", MMA, "tf32")],
    ids=["fma", "float16", "tf32"],
)
@pytest.mark.parametrize("pass_", ["conv_forward", "conv_input_grad"])
def test_products(pass_, dtype, math, precision, way, device):
    shapes = (3, 136, 9, 6), (136, 136, 1, 3)
    problem = conv_problem(
        pass_, *shapes, padding=((0, 0), (1, 1)), dtype=dtype, last=way == "last"
    )
    if way == "copied":
        plan = forced(problem, math, precision, 3, device)
    else:
        word = "tf32" if precision else "fma" if math is FMA else dtype
        plan = gemm_plan(problem, word, device)
    check(plan, device, problem)
    assert several(device.grids["implicit_gemm"], 2)
    assert is_longer_than_the_pipeline(136 * 3, dtype)
    assert ("copy_last" in device.grids) is (way == "copied")


@pytest.mark.parametrize("way", ["plain", "last", "copied"])
@pytest.mark.parametrize(
    ("dtype", "math", "precision"),
    [("float32", FMA, None), ("float16", MMA, None), ("float32", MMA, "tf32")],
    ids=["fma", "float16", "tf32"],
)
def test_weight_gradients(dtype, math, precision, way, device):
    device.card = replace(CARD, processors=40)
    shapes = (3, 72, 29, 10), (136, 72, 1, 2)
    problem = conv_problem("conv_weight_grad", *shapes, dtype=dtype, last=way == "last")
    if way == "copied":
        plan = forced(problem, math, precision, 2, device)
    elif way == "plain":
        kind, _ = math.choose(problem, Policy(precision=precision), device.card)
        split = split_for(geometry_of(problem), dtype, kind.math, device.card, 10**6)
        plan = WeightGemm(math).plan(
            problem, Decision(True, "", "", detail=(kind, split, None)), device
        )
    else:
        plan = plan_of(problem, math, precision, device)
    check(plan, device, problem)
    kernel = "weight_gemm" if way == "plain" else "weight_gemm_last"
    assert several(device.grids[kernel], 2 if way == "copied" else 3), device.grids
    assert is_longer_than_the_pipeline(29 * 9 * (2 if way == "copied" else 1), dtype)


def test_integers(device):
    problem = integer_problem((3, 136, 9, 6), (136, 136, 3, 3), True)
    check_integers(problem, device, np.random.default_rng(2))
    assert several(device.grids["integer_gemm"], 2)
    assert is_longer_than_the_pipeline(136 * 9, "int8")


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("pass_", ["conv_forward", "conv_input_grad", "conv_weight_grad"])
def test_depthwise(pass_, last):
    device = Recording()
    device.card = replace(CARD, processors=800)
    problem = conv_problem(
        pass_,
        (4, 136, 40, 38),
        (136, 1, 3, 3),
        padding=1,
        groups=136,
        last=last,
        stride=1 if pass_ == "conv_weight_grad" else 2,
    )
    backend = CudaBackend(lambda: Found({"cuda:0": device}))
    decisions = backend.decide(problem, Policy(algorithm="depthwise"))
    (decision,) = (d for d in decisions if d.algorithm == "depthwise")
    check(backend.plan(problem, decision), device, problem)
    (name,) = (name for name in device.grids if name.startswith("depthwise"))
    grid = device.grids[name]
    if pass_ == "conv_weight_grad":
        assert grid[0] >= 3
        assert grid[1] >= 2
    else:
        assert several(grid, 2 if last else 1)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("operation", "algorithm"),
    [("max_pool", "pool_2d"), ("avg_pool", "pool_2d"), ("max_unpool", "scatter_planes"),
     ("max_pool_backward", "scatter_planes")],
)  # fmt: skip
def test_pools(operation, algorithm, last):
    device = Recording()
    length = 68 if algorithm == "scatter_planes" else 33
    problem = pool_problem(
        operation, last=last, channels=12, indices=algorithm == "scatter_planes", length=length
    )
    backend = CudaBackend(lambda: Found({"cuda:0": device}))
    decisions = backend.decide(problem, Policy())
    (decision,) = (d for d in decisions if d.algorithm == algorithm)
    plan = backend.plan(problem, decision)
    rng = np.random.default_rng(3)
    values = [rng.integers(-3, 4, o.shape) for o in problem.inputs]
    if algorithm == "scatter_planes":
        plane = int(np.prod(problem.x.shape[2:]))
        places = np.stack([rng.permutation(plane)[: values[0][0, 0].size] for _ in range(24)])
        values[1] = places.reshape(values[1].shape)
    for _ in range(2):
        inputs = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
        outputs = [array_of(device, o, 99) for o in problem.outputs]
        plan.run(inputs, outputs, None)
        right = solve(problem, [np.asarray(i) for i in inputs])[0].values
        np.testing.assert_array_equal(outputs[0], right.astype(outputs[0].dtype))
    assert several(device.grids[algorithm], 2 if algorithm == "scatter_planes" else 1)


def test_sums_over_many_pixels():
    device = Recording()
    problem = BiasProblem(
        function="test",
        operation="bias_grad",
        device="cuda:0",
        y=operand((5, 7, 23, 19), "float32"),
        bias=operand((7,), "float32"),
    )
    backend = CudaBackend(lambda: Found({"cuda:0": device}))
    check(backend.plan(problem, backend.decide(problem, Policy())[0]), device, problem)
    assert several(device.grids["bias_grad"], 1)


@pytest.mark.parametrize("operation", ["im2col", "col2im"])
def test_columns(operation):
    device = Recording()
    problem = ColumnsProblem(
        function="test",
        operation=operation,
        device="cuda:0",
        x=operand((3, 9, 14, 13), "float32"),
        columns=operand((3, 81, 7 * 7), "float32"),
        spatial_out=(7, 7),
        kernel=(3, 3),
        stride=(2, 2),
        padding=((1, 1), (1, 1)),
        dilation=(1, 1),
    )
    backend = CudaBackend(lambda: Found({"cuda:0": device}))
    check(backend.plan(problem, backend.decide(problem, Policy())[0]), device, problem)
    assert several(device.grids[operation], 1)
