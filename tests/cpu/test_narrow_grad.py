"""Weight gradients of float16 and bfloat16 by our own kernels, at every level."""

from dataclasses import replace

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from narrow_support import HALVES, every_half, operand, result_of  # noqa: E402

from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.cpu.weight_grad.form import Extents  # noqa: E402
from fastconv.cpu.weight_grad.pieces import Pieces, axis_of_mates  # noqa: E402
from fastconv.problem import ConvProblem  # noqa: E402
from fastconv.testing.measure import check_values  # noqa: E402
from fastconv.testing.oracle import solve  # noqa: E402


def drawn_shapes(rng):
    """Return the shapes of x, weight and y with a convolution's parameters, axes of 1 included."""
    axes = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 2, 5]))
    outer, inner = int(rng.integers(1, 40 if groups < 3 else 7)), int(rng.integers(1, 9))
    out = [int(n) for n in rng.integers(1, 30 if axes == 1 else 9, axes)]
    kernel = [1] * axes if rng.random() < 0.3 else [int(n) for n in rng.integers(1, 4, axes)]
    stride = [int(n) for n in rng.integers(1, 4 if rng.random() < 0.5 else 2, axes)]
    dilation = [int(n) for n in rng.integers(1, 3, axes)]
    low = [0 if rng.random() < 0.3 else int(n) for n in rng.integers(0, 3, axes)]
    high = [int(n) for n in rng.integers(0, 2, axes)]
    extents = []
    for i in range(axes):
        reach = (out[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1
        low[i] = min(low[i], reach - 1)
        extents.append(max(1, reach - low[i] - high[i]))
        high[i] = reach - low[i] - extents[i]
    images = int(rng.integers(1, 6))
    return (images, groups * inner, *extents), (groups * outer, inner, *kernel), (
        images, groups * outer, *out,
    ), {
        "stride": tuple(stride), "dilation": tuple(dilation), "groups": groups,
        "padding": tuple(zip(low, high, strict=True)),
    }  # fmt: skip


def posed(rng, lay_out, dtype, target_dtype):
    """Return a problem of drawn shapes, its inputs, and an array for the gradient."""
    x_shape, w_shape, y_shape, parameters = drawn_shapes(rng)
    x, y = (lay_out(rng.standard_normal(s).astype(dtype)) for s in (x_shape, y_shape))
    target = np.zeros(w_shape, target_dtype)
    if rng.random() < 0.3:
        target = np.moveaxis(np.zeros((*w_shape[1:], w_shape[0]), target_dtype), -1, 0)
    problem = ConvProblem(
        function="test", operation="conv_weight_grad", device="cpu", x=operand(x), y=operand(y),
        weight=operand(target), **parameters,
    )  # fmt: skip
    return problem, (x, y), target


def channels_last(values):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 1, -1)), -1, 1)


def layout(rng, layouts):
    """Return what lays an array out: contiguous, channels last, or in an odd way."""
    return [np.asarray, channels_last, lambda a: layouts.strided(rng, a)][rng.integers(3)]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**31))
@every_half
def test_halves_are_within_their_bound(narrow_level, layouts, dtype, seed):
    rng = np.random.default_rng(seed)
    wide = rng.random() < 0.3  # sums as they are: what float32 arrays in bfloat16 need
    problem, inputs, target = posed(
        rng, layout(rng, layouts), HALVES[dtype], np.dtype("float32") if wide else HALVES[dtype]
    )
    decision, result = result_of("implicit_gemm", problem, inputs, target)
    assert decision.flushes == (dtype == "bfloat16" and narrow_level == "avx512_bf16")
    (expected,) = solve(problem, inputs)
    check_values(result, expected, decision, decision.algorithm)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
@every_half
def test_float32_arrays_in_16_bits_are_within_their_bound(narrow_level, layouts, dtype, seed):
    rng = np.random.default_rng(seed)
    single = np.dtype("float32")
    problem, inputs, target = posed(rng, layout(rng, layouts), single, single)
    decision, result = result_of("implicit_gemm", problem, inputs, target, dtype)
    assert decision.precision == dtype
    (expected,) = solve(problem, inputs)
    check_values(result, expected, decision, decision.algorithm)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**31))
@every_half
def test_any_pieces_give_the_gradient(narrow_level, layouts, dtype, seed):
    """Small blocks and boxes, splits, and mates along any axis, odd and even."""
    rng = np.random.default_rng(seed)
    problem, (x, y), _ = posed(rng, layout(rng, layouts), HALVES[dtype], np.dtype("float32"))
    axes = len(problem.kernel)
    ones = (1,) * (3 - axes)
    sizes = [x.shape[0], *ones, *y.shape[2:]]
    mates = None
    if core.item_channels(dtype) == 2 and rng.random() < 0.8:
        mates = int(rng.choice([axis for axis in range(4) if sizes[axis] > 1] or [-1]))
        mates = None if mates < 0 else mates
    half = [n // 2 if axis == mates else n for axis, n in enumerate(sizes)]
    cut = [int(rng.integers(1, n + 1)) for n in half]
    groups, inner = problem.groups, problem.weight.shape[1]
    channels, across = y.shape[1] // groups, bool(rng.random() < 0.3)
    boxes = int(np.prod([-(-n // c) for n, c in zip(half, cut, strict=True)]))
    pieces = Pieces(
        channels if across else int(rng.integers(1, channels + 1)),
        1 if across else int(rng.integers(1, inner + 1)),
        cut[0], tuple(cut[1:]), int(rng.integers(1, min(boxes, 4) + 1)), across, mates,
    )  # fmt: skip
    geometry = core.Geometry(
        x.shape[2:], problem.kernel, problem.stride, tuple(p[0] for p in problem.padding),
        problem.dilation, y.shape[2:],
    )  # fmt: skip
    once, each = core.weight_grad_bytes(
        geometry, (x.shape[0], x.shape[1], y.shape[1]), dtype, groups, pieces
    )
    target = np.full(problem.weight.shape, np.nan, "f4")
    scratch = np.full(once + each * 2, 0xFF, np.uint8)
    core.conv_weight_grad(geometry, x, y, target, dtype, groups, pieces, scratch, 2, 4)
    sums = replace(problem, weight=operand(target))
    (expected,) = solve(sums, (x, y))
    decision = next(d for d in BACKEND.decide(sums, Policy()) if d.algorithm == "implicit_gemm")
    check_values(target, expected, decision, "pieces")


@every_half
@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_reaches_its_channel_alone(narrow_level, dtype, images, value):
    """No product with a mate that isn't there, or with padding."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((images, c, 9, 7)).astype(HALVES[dtype]) for c in (5, 20))
    x[-1, 2, 8, 6] = value
    target = np.zeros((20, 5, 3, 3), HALVES[dtype])
    problem = ConvProblem(
        function="test", operation="conv_weight_grad", device="cpu", x=operand(x), y=operand(y),
        weight=operand(target), stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1,
    )  # fmt: skip
    _, result = result_of("implicit_gemm", problem, (x, y), target)
    wide = result.astype(float)
    # The last item of an image meets no tap that looks beyond it.
    assert np.isfinite(wide[:, 2, 0]).all()
    assert np.isfinite(wide[:, 2, :, 0]).all()
    assert not np.isfinite(wide[:, 2, 1:, 1:]).any()
    assert np.isfinite(np.delete(wide, 2, 1)).all()


def extents_of(images, out):
    return Extents(None, False, images, 1, 8, 8, (1, 1, 1), (1, 1, 1), (1, 1, 1), out)


@pytest.mark.parametrize(
    ("images", "out", "axis"),
    [
        (8, (1, 7, 7), 0),
        (1, (1, 14, 14), 2),
        (1, (1, 7, 8), 3),
        (7, (1, 9, 9), 2),
        (1, (1, 1, 1), None),
    ],
)
def test_mates_are_halves_of_the_axis_that_leaves_least_over(images, out, axis):
    assert axis_of_mates(extents_of(images, out)) == axis


def test_mates_are_refused_where_there_are_none(narrow_level):
    geometry = core.Geometry((9, 7), (3, 3), (1, 1), (1, 1), (1, 1), (9, 7))
    pieces = Pieces(20, 5, 1, (1, 4, 7), 1, False)
    for dtype, mates in (("float32", 0), ("float16", 2), ("bfloat16", 1), ("bfloat16", 4)):
        with pytest.raises(ValueError, match="mates: expected"):
            core.weight_grad_bytes(geometry, (3, 5, 20), dtype, 1, pieces._replace(mates=mates))
