"""Copies with their channels last, and products on them: exact on integers, forced or chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from breaking import broken_kernels
from fastconv_cuda.arithmetic import FMA, MMA
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.copied_gemm import copied_plan
from fastconv_cuda.copies import ImageCopy
from fastconv_cuda.finding import Found
from fastconv_cuda.geometry import geometry_of
from fastconv_cuda.plan import Scratch
from fastconv_cuda.quantized_gemm import QUANTIZED_GEMM
from fastconv_cuda.weight_gemm import WeightGemm
from fastconv_cuda.weight_split import split_for
from problems import array_of, conv_problem, linear_problem, operand, run
from simt.device import CARD, SimulatedDevice, SimulationError, simulated

from fastconv.backend import Policy
from fastconv.precision import FORMATS
from fastconv.testing import solve

pytestmark = pytest.mark.simulated

FAST = replace(CARD, processors=132, bandwidth=3e12)
TYPES = ("float32", "float16", "float64", "int8")
PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")


def copied(device, given, to, groups, padding=0):
    """Copy an array, of which channels and pixels take several blocks, and return it as rows."""
    operand_, array = given
    batch, channels, *extents = operand_.shape
    copy = ImageCopy(
        batch, groups, channels // groups, (1, *extents),
        (*operand_.strides[:2], 0, *operand_.strides[2:]), operand_.dtype, to,
    )  # fmt: skip
    memory = device.empty((copy.bytes + padding,), "uint8")
    memory[...] = 0xFF
    addresses, scratch = [device.pointer(array)], device.pointer(memory)
    for first in range(batch):
        place = Scratch(first * copy.image_bytes)
        copy.of(1).launch(0, first, place).start(device, addresses, scratch, None)
    whole = memory[: copy.bytes].view(np.dtype(to))
    return whole.reshape(batch, *extents, groups, copy.padded)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize(("dtype", "to"), [(name, name) for name in TYPES] + [
    ("float32", "float16"), ("float64", "float32"), ("float16", "float64"),
])  # fmt: skip
@pytest.mark.parametrize("groups", [1, 3])
def test_a_copy_has_every_channel_and_zeros_behind(groups, dtype, to, last, device):
    wanted = operand((2, 141, 9, 15), dtype, last)
    values = np.random.default_rng(1).integers(-100, 100, wanted.shape)
    array = array_of(device, wanted, values)
    found = copied(device, (wanted, array), to, groups)
    right = values.reshape(2, groups, -1, 9, 15).transpose(0, 3, 4, 1, 2)
    real = 141 // groups
    np.testing.assert_array_equal(found[..., :real].astype(np.float64), right)
    assert found.shape[-1] % (16 // np.dtype(to).itemsize) == 0
    assert not found[..., real:].any()


def forced(problem, math, precision, images, device):
    """Return the plan on copies of so many images, whatever it costs."""
    kind, reason = math.choose(problem, Policy(precision=precision), device.card)
    assert not reason
    if not problem.operation.endswith("weight_grad"):
        return copied_plan(problem, kind, images, device)
    candidate = WeightGemm(math)
    decision = candidate._last(
        problem, geometry_of(problem), kind, Policy(precision=precision), device.card
    )
    kind, split, parts = decision.detail
    one = split_for(
        replace(geometry_of(problem), batch=images), kind.factor, kind.math, device.card, 1
    )
    split = replace(split, splits=1, part=one.part * one.splits, bytes=split.bytes // split.splits)
    parts = replace(parts, images=images)
    return candidate.plan(problem, replace(decision, detail=(kind, split, parts)), device)


CASES = {
    "float32": ("float32", FMA, None),
    "tf32": ("float32", MMA, "tf32"),
    "float16": ("float16", MMA, None),
    "to bfloat16": ("float32", MMA, "bfloat16"),
    "to float16": ("float64", MMA, "float16"),
    "float64 to float32": ("float64", FMA, "float32"),
    "float16 by fma": ("float16", FMA, None),
    "rounded by fma": ("float32", FMA, "bfloat16"),
    "in float64": ("float32", FMA, "float64"),
    "float16 in float64": ("float16", FMA, "float64"),
}
ROWS = {
    "ragged": {"x": (3, 20, 9, 8), "w": (70, 20, 3, 3), "padding": 1},
    "grouped": {"x": (2, 12, 11, 6), "w": (20, 3, 3, 2), "groups": 4, "stride": (2, 1)},
    "3d": {"x": (2, 5, 4, 5, 6), "w": (12, 5, 2, 3, 2), "padding": (1, 0, 1), "stride": (1, 2, 1)},
}


@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("pass_", PASSES)
@pytest.mark.parametrize("name", CASES)
def test_products_on_copies_are_exact(name, pass_, row, images, device):
    dtype, math, precision = CASES[name]
    last = images == 2
    problem = conv_problem(pass_, **ROWS[row], dtype=dtype, last=last)
    if pass_ == "conv_forward":
        bias = operand((problem.y.shape[1],), dtype)
        problem = replace(problem, bias=bias, activation="relu")
    plan = forced(problem, math, precision, min(images, problem.x.shape[0]), device)
    for _ in range(2):
        got, exact = run(plan, device, problem, np.random.default_rng(2))
        np.testing.assert_array_equal(got, exact)


def ways(problem, precision=None, card=FAST, **limits):
    """Return the decisions that can be taken, by name."""
    backend = CudaBackend(lambda: Found({"cuda:0": SimulatedDevice(card)}))
    found = backend.decide(problem, Policy(precision=precision, **limits))
    return {d.algorithm: d for d in found if d.can}


def test_large_images_are_copied_where_that_is_predicted_to_pay():
    large = conv_problem(
        "conv_forward", (32, 64, 56, 56), (256, 64, 3, 3), padding=1, dtype="float16"
    )
    mma = ways(large, workspace_limit=1 << 30)["implicit_gemm_mma"]
    assert "copy with its channels last" in mma.reason
    assert mma.workspace_bytes > 2 * large.x.size
    # A single tap isn't worth it where channels already lie side by side.
    last = replace(large, x=operand(large.x.shape, "float16", True))
    assert "copy" not in ways(last)["implicit_gemm_mma"].reason
    # Without room, element by element.
    assert "element by element" in ways(large, workspace_limit=400_000)["implicit_gemm_mma"].reason
    # With some, images in parts.
    some = ways(large, workspace_limit=4 << 20)["implicit_gemm_mma"]
    assert "copy" in some.reason
    assert some.workspace_bytes <= 4 << 20


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("pass_", PASSES)
@pytest.mark.parametrize("precision", ["float16", "bfloat16", "tf32", "float32", "int8"])
def test_what_is_asked_for_is_what_is_computed_in(precision, pass_, dtype):
    problem = conv_problem(pass_, (2, 16, 12, 12), (16, 16, 3, 3), padding=1, dtype=dtype)
    found = ways(problem, precision)
    assert found
    units = {name: FORMATS[name].unit_roundoff for name in FORMATS}
    for decision in found.values():
        if precision == "int8":
            assert (decision.precision == "int8") is (pass_ == "conv_forward")
        elif units[precision] > units[dtype]:
            assert decision.precision == precision, decision
        else:
            assert units[decision.precision] <= units[precision]


def test_what_cannot_be_rounded_says_why():
    problem = conv_problem("conv_forward", (2, 16, 12, 12), (16, 16, 3, 3), dtype="float32")
    backend = CudaBackend(lambda: Found({"cuda:0": SimulatedDevice(FAST)}))
    reasons = {d.algorithm: d.reason for d in backend.decide(problem, Policy(precision="bfloat16"))}
    assert "to be rounded to bfloat16" in reasons["im2col_blas"]
    found = {d.algorithm: d for d in backend.decide(problem, Policy(precision="int8"))}
    assert [name for name, d in found.items() if d.can] == ["implicit_gemm_int8"]
    assert "implicit_gemm_int8 alone" in found["direct"].reason
    old = CudaBackend(lambda: Found({"cuda:0": SimulatedDevice(replace(FAST, capability=(7, 5)))}))
    reasons = [d.reason for d in old.decide(problem, Policy(precision="int8"))]
    assert any('precision="float16" runs there' in reason for reason in reasons)


def check_quantized(problem, device, values, images):
    """Compare with the same steps in NumPy."""
    decision = QUANTIZED_GEMM.decide(problem, Policy(precision="int8"), device.card)
    assert decision.can, decision.reason
    plan = QUANTIZED_GEMM.plan(problem, replace(decision, detail=images), device)
    scales = [
        np.float32(np.abs(values[0]).max() / np.float32(127)),
        np.abs(values[1]).reshape(len(values[1]), -1).max(1).astype(np.float32) / np.float32(127),
    ]
    scales[1] = np.maximum(scales[1], np.finfo(np.float32).smallest_subnormal)
    w_scales = scales[1].reshape(-1, *(1,) * (values[1].ndim - 1))
    steps = [np.rint(values[0] / scales[0]), np.rint(values[1] / w_scales)]
    zeros = [np.zeros_like(v) for v in values[2:]]
    sums = solve(replace(problem, activation=None), [*steps, *zeros])[0].values
    factors = (scales[1] * scales[0]).reshape(-1, *(1,) * (sums.ndim - 2))
    right = sums.astype(np.float32) * factors
    if len(values) > 2:
        right += values[2].reshape(factors.shape)
    for _ in range(2):
        inputs = [array_of(device, o, v) for o, v in zip(problem.inputs, values, strict=True)]
        output = array_of(device, problem.y)
        workspace = np.full(plan.workspace_bytes, 0xFF, np.uint8)
        plan.run(inputs, [output], workspace)
        np.testing.assert_array_equal(output, right.astype(problem.dtype))


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("groups", [1, 2])
def test_int8_of_floats_is_what_numpy_gives(groups, last, images, device):
    rng = np.random.default_rng(3)
    shapes = (3, 20, 9, 8), (70, 20 // groups, 3, 3)
    problem = conv_problem(
        "conv_forward", *shapes, padding=1, groups=groups, last=last,
        bias=operand((70,), "float32"),
    )  # fmt: skip
    values = [rng.standard_normal(o.shape).astype(np.float32) for o in problem.inputs]
    values[1][3] = 0  # a channel without a scale
    check_quantized(problem, device, values, images)


def test_int8_of_a_view_and_of_a_linear_layer(device):
    rng = np.random.default_rng(4)
    problem = conv_problem("conv_forward", (2, 4, 6, 6), (8, 4, 3, 3))
    wide = operand((2, 4, 6, 16), "float32")
    problem = replace(problem, x=replace(problem.x, strides=wide.strides))
    values = [rng.standard_normal(o.shape).astype(np.float32) for o in problem.inputs]
    decision = QUANTIZED_GEMM.decide(problem, Policy(precision="int8"), device.card)
    plan = QUANTIZED_GEMM.plan(problem, decision, device)
    block = np.full((2, 4, 6, 16), 1e9, np.float32)
    block[..., :6] = values[0]
    y = device.empty(problem.y.shape, "float32")
    plan.run([block, values[1]], [y], np.full(plan.workspace_bytes, 0xFF, np.uint8))
    # What lies beside the view has no say in its scale.
    np.testing.assert_allclose(y, solve(problem, values)[0].values, atol=0.2)
    check_linear = linear_problem("linear_forward", 37, 70, 19)
    values = [rng.standard_normal(o.shape).astype(np.float32) for o in check_linear.inputs]
    check_quantized(check_linear, device, values, 37)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_what_has_no_scale_in_int8_gives_nan(where, bad, device):
    problem = conv_problem("conv_forward", (1, 16, 5, 5), (8, 16, 3, 3))
    values = [np.ones(o.shape, np.float32) for o in problem.inputs]
    values[where][0, 3] = bad
    decision = QUANTIZED_GEMM.decide(problem, Policy(precision="int8"), device.card)
    plan = QUANTIZED_GEMM.plan(problem, decision, device)
    y = device.empty(problem.y.shape, "float32")
    plan.run(values, [y], np.full(plan.workspace_bytes, 0xFF, np.uint8))
    assert np.isnan(y[:, 0]).all()
    assert np.isnan(y).all() or where == 1


def test_copies_have_no_more_pixels_than_are_counted():
    copy = ImageCopy(1, 1, 8, (1, 2**16, 2**15), (0,) * 5, "bfloat16", "bfloat16")
    assert "32 bits" in copy.why_not


def _forward(device):
    problem = conv_problem("conv_forward", (3, 20, 9, 8), (70, 20, 3, 3), padding=1)
    plan = forced(problem, FMA, None, 1, device)
    for _ in range(2):
        got, exact = run(plan, device, problem, np.random.default_rng(2))
        np.testing.assert_array_equal(got, exact)


def _int8(device):
    problem = conv_problem("conv_forward", (3, 20, 9, 8), (70, 20, 3, 3), padding=1)
    rng = np.random.default_rng(5)
    values = [rng.standard_normal(o.shape).astype(np.float32) for o in problem.inputs]
    check_quantized(problem, device, values, 3)


@pytest.mark.parametrize(
    ("file", "work"), [("copy_last.cu", _forward), ("reach.cu", _int8)], ids=["copy_last", "reach"]
)
def test_a_missing_barrier_is_caught(file, work, tmp_path):
    folder = broken_kernels(tmp_path, file, "block_barrier();", "", 0)
    with pytest.raises((AssertionError, SimulationError)):
        work(SimulatedDevice(kernels=folder))


def test_the_simulated_backend_prepares_weights_for_copies():
    device = simulated().devices["cuda:0"]
    problem = conv_problem("conv_forward", (3, 20, 9, 8), (70, 20, 3, 3), padding=1)
    plan = forced(problem, MMA, "bfloat16", 2, device)
    rng = np.random.default_rng(6)
    x, w = (rng.integers(-3, 4, o.shape).astype(np.float32) for o in problem.inputs)
    results = []
    packed = plan.pack(w)
    for given, work in ((w, plan.run), (packed, plan.run_packed)):
        y = np.full(problem.y.shape, np.nan, np.float32)
        work([x, given], [y], np.full(plan.workspace_bytes, 0xFF, np.uint8))
        results.append(y)
    assert packed.nbytes < plan.workspace_bytes
    assert results[0].tobytes() == results[1].tobytes()
