"""Convolutions of float16, bfloat16 and bytes by our own products, at every level."""

from dataclasses import replace

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.cpu.conversion import convert  # noqa: E402
from fastconv.problem import ConvProblem, IntegerConvProblem, Operand  # noqa: E402
from fastconv.testing.measure import check_values  # noqa: E402
from fastconv.testing.oracle import solve  # noqa: E402

HALVES = {"float16": np.dtype("float16"), "bfloat16": np.dtype(bfloat16)}
PRODUCTS = ("implicit_gemm", "pointwise")
OURS = (*PRODUCTS, "depthwise")
every_half = pytest.mark.parametrize("dtype", list(HALVES))


def operand(array):
    return Operand(array.shape, array.strides, array.dtype.name)


@st.composite
def shapes(draw):
    """Draw shapes of x and of a weight with a convolution's parameters, large sums among them."""
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    inner, outer = draw(st.integers(1, 21)), draw(st.integers(1, 35))
    if draw(st.integers(0, 3)) == 0:  # depthwise
        groups, inner, outer = draw(st.integers(1, 20)), 1, draw(st.integers(1, 2))
    kernel = draw(st.sampled_from(((1, 1), (1, 1), (3, 3), (2, 3), (5, 1))))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in kernel)
    stride = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 3))))
    if kernel == (1, 1) and draw(st.booleans()):
        padding, stride = ((0, 0), (0, 0)), (1, 1)
    spatial = tuple(draw(st.integers(max(1, k), 19)) for k in kernel)
    x = (draw(st.integers(1, 3)), groups * inner, *spatial)
    y = tuple(
        (n + a + b - k) // s + 1
        for n, (a, b), k, s in zip(spatial, padding, kernel, stride, strict=True)
    )
    return x, (groups * outer, inner, *kernel), (x[0], groups * outer, *y), {
        "stride": stride, "padding": padding, "dilation": (1, 1), "groups": groups,
    }  # fmt: skip


def results(problem, inputs, y, threads=(1, 3)):
    """Yield each of our algorithms' decision and its result, the same for every thread count."""
    for decision in BACKEND.decide(problem, Policy(threads=threads[0])):
        if not decision.can or decision.algorithm not in OURS:
            continue
        found = []
        for count in threads:
            plan = BACKEND.plan(problem, replace(decision, threads=count))
            workspace = np.full(plan.workspace_bytes, 255, np.uint8)
            plan.run(inputs, (y,), workspace)
            found.append(y.copy())
        assert all(same.tobytes() == found[0].tobytes() for same in found)
        yield decision, found[0]


@settings(max_examples=60, deadline=None)
@given(drawn=shapes(), seed=st.integers(0, 2**31), backward=st.booleans())
@every_half
def test_halves_are_within_their_bound(narrow_level, layouts, dtype, drawn, seed, backward):
    rng = np.random.default_rng(seed)
    *three, parameters = drawn
    x, weight, y = (
        layouts.strided(rng, rng.standard_normal(shape).astype(HALVES[dtype])) for shape in three
    )
    bias = rng.standard_normal((three[0] if backward else three[2])[1]).astype(HALVES[dtype])
    target = np.empty(three[0] if backward else three[2], HALVES[dtype])
    given_, taken = (y, "x") if backward else (x, "y")
    problem = ConvProblem(
        function="test", operation="conv_input_grad" if backward else "conv_forward",
        device="cpu", weight=operand(weight), bias=operand(bias), activation="relu",
        **{("y" if backward else "x"): operand(given_), taken: operand(target)}, **parameters,
    )  # fmt: skip
    (expected,) = solve(problem, (given_, weight, bias))
    ran = 0
    for decision, result in results(problem, (given_, weight, bias), target):
        check_values(result, expected, decision, decision.algorithm)
        ran += 1
    assert ran


@settings(max_examples=60, deadline=None)
@given(
    drawn=shapes(), seed=st.integers(0, 2**31), scaled=st.booleans(), zeros=st.booleans(),
    signs=st.tuples(st.sampled_from(("int8", "uint8")), st.sampled_from(("int8", "uint8"))),
)  # fmt: skip
def test_integers_are_exact(narrow_level, layouts, drawn, seed, scaled, zeros, signs):
    rng = np.random.default_rng(seed)
    *three, parameters = drawn

    def integers(shape, dtype):
        ends = np.iinfo(dtype)
        return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)

    x, weight = (layouts.strided(rng, integers(*p)) for p in zip(three, signs, strict=False))
    channels = (three[1][0],)
    inputs = {"x": x, "weight": weight, "x_zero_point": integers((1,), signs[0])}
    if zeros:
        inputs["w_zero_point"] = integers(channels, signs[1])
    inputs["bias"] = rng.integers(-(2**20), 2**20, channels).astype(np.int32)
    y = layouts.Target(rng, three[2], "uint8" if scaled else "int32")
    if scaled:
        inputs["multiplier"] = rng.uniform(1e-5, 1e-2, channels).astype(np.float32)
        inputs["y_zero_point"] = integers((1,), "uint8")
    problem = IntegerConvProblem(
        function="test", operation="conv_requantized" if scaled else "conv_integer", device="cpu",
        y=operand(y.array), **{k: operand(v) for k, v in inputs.items()}, **parameters,
    )  # fmt: skip
    (expected,) = solve(problem, tuple(inputs.values()))
    ran = 0
    for decision, result in results(problem, tuple(inputs.values()), y.array):
        np.testing.assert_array_equal(result, expected.values)
        assert decision.error_bound == 0
        ran += 1
    assert ran
    y.result()


@pytest.mark.parametrize("x_value", [0, 255])
@pytest.mark.parametrize("weight_value", [-128, 127])
def test_sums_at_the_ends_of_int32_are_exact(narrow_level, x_value, weight_value):
    """No step saturates: 16-bit sums of two products would."""
    channels = 2**31 // (255 * 128) - 1
    x = np.full((1, channels, 1, 3), x_value, np.uint8)
    weight = np.full((2, channels, 1, 1), weight_value, np.int8)
    zero, y = np.zeros(1, np.uint8), np.empty((1, 2, 1, 3), np.int32)
    problem = IntegerConvProblem(
        function="test", operation="conv_integer", device="cpu", x=operand(x),
        weight=operand(weight), x_zero_point=operand(zero), y=operand(y), stride=(1, 1),
        padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1,
    )  # fmt: skip
    found = list(results(problem, (x, weight, zero), y))
    assert len(found) == 2
    for _, result in found:
        assert (result == x_value * weight_value * channels).all()


@every_half
@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_where_it_belongs(narrow_level, dtype, special):
    x = np.ones((1, 5, 6, 7), HALVES[dtype])
    x[0, 4, 2, 3] = special
    weight = np.ones((3, 5, 3, 3), HALVES[dtype])
    y = np.empty((1, 3, 6, 7), HALVES[dtype])
    problem = ConvProblem(
        function="test", operation="conv_forward", device="cpu", x=operand(x),
        weight=operand(weight), y=operand(y), stride=(1, 1), padding=((1, 1), (1, 1)),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    reached = np.zeros(y.shape, bool)
    reached[:, :, 1:4, 2:5] = True
    for _, result in results(problem, (x, weight), y):
        wide = result.astype(np.float64)
        np.testing.assert_array_equal(wide[reached], special)
        assert np.isfinite(wide[~reached]).all()


@every_half
def test_numbers_are_rounded_to_nearest_ties_to_even(narrow_level, dtype):
    """Whatever is representable passes; what lies between goes to the even neighbour."""
    unit = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    x = np.array([1.0, 1.0, 3.0], HALVES[dtype]).reshape(1, 1, 1, 3)
    x = np.concatenate([x, np.full_like(x, unit / 2)], axis=1)
    x[0, 1, 0, 1] = 3 * unit / 4
    weight, y = np.ones((1, 2, 1, 1), x.dtype), np.empty((1, 1, 1, 3), x.dtype)
    problem = ConvProblem(
        function="test", operation="conv_forward", device="cpu", x=operand(x),
        weight=operand(weight), y=operand(y), stride=(1, 1), padding=((0, 0), (0, 0)),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    for _, result in results(problem, (x, weight), y):
        assert result.astype(float).ravel().tolist() == [1.0, 1.0 + unit, 3.0]


def test_denormals_of_float16_count(narrow_level):
    x = np.full((1, 4, 3, 5), 2.0**-24, np.float16)
    weight, y = np.full((2, 4, 1, 1), 3.0, np.float16), np.empty((1, 2, 3, 5), np.float16)
    problem = ConvProblem(
        function="test", operation="conv_forward", device="cpu", x=operand(x),
        weight=operand(weight), y=operand(y), stride=(1, 1), padding=((0, 0), (0, 0)),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    for decision, result in results(problem, (x, weight), y):
        assert not decision.flushes
        assert (result == np.float16(12 * 2.0**-24)).all()


def test_a_decision_says_whether_denormals_of_bfloat16_count(narrow_level):
    x = np.full((1, 4, 3, 5), 2.0**-130, bfloat16)
    weight, y = np.full((2, 4, 1, 1), 1.0, bfloat16), np.empty((1, 2, 3, 5), bfloat16)
    problem = ConvProblem(
        function="test", operation="conv_forward", device="cpu", x=operand(x),
        weight=operand(weight), y=operand(y), stride=(1, 1), padding=((0, 0), (0, 0)),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    for decision, result in results(problem, (x, weight), y):
        assert (result == bfloat16(0 if decision.flushes else 2.0**-128)).all()
        assert decision.flushes == (narrow_level == "avx512_bf16")


@every_half
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 2), (33, 1001)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_conversions_are_numpys(narrow_level, dtype, shape, order):
    rng = np.random.default_rng(0)
    wide = np.array(
        rng.standard_normal(shape) * 10.0 ** rng.integers(-9, 5, shape), "f4", order=order
    )
    wide.flat[0] = rng.choice([np.nan, np.inf, -np.inf, 1e-41, 3e38])
    with np.errstate(over="ignore"):
        narrow = wide.astype(HALVES[dtype])
    for threads in (1, 3):
        rounded, back = np.empty_like(narrow), np.empty_like(wide)
        convert(rounded, wide, threads)
        np.testing.assert_array_equal(rounded.astype("f8"), narrow.astype("f8"))
        convert(back, narrow, threads)
        np.testing.assert_array_equal(back, narrow.astype("f4"))


def test_a_conversion_to_another_order_is_right():
    wide = np.arange(12, dtype="f4").reshape(3, 4)
    narrow = np.empty((3, 4), "f2", order="F")
    convert(narrow, wide, 1)
    np.testing.assert_array_equal(narrow, wide)


@pytest.mark.parametrize(("source", "target"), [(3, 5), (4, 4), (6, 2)])
def test_a_conversion_of_other_sizes_is_refused(source, target):
    with pytest.raises(ValueError, match="convert"):
        core.convert(np.zeros(source, np.uint8), np.zeros(target, np.uint8), "float16", 1)


@every_half
@pytest.mark.parametrize(
    ("operation", "groups", "taken"),
    [
        ("conv_weight_grad", 1, ("winograd", "implicit_gemm")),
        ("conv_forward", 1, ("winograd", "implicit_gemm")),
        ("conv_input_grad", 1, ("winograd", "implicit_gemm")),
        ("conv_weight_grad", 32, ("depthwise",)),
        ("conv_forward", 32, ("depthwise",)),
        ("conv_input_grad", 32, ("depthwise",)),
    ],
)
def test_kernels_of_16_bits_make_no_copies(dtype, operation, groups, taken):
    channels = 32
    strides = (28 * 28 * 2 * channels, 28 * 28 * 2, 28 * 2, 2)
    image = Operand((2, channels, 28, 28), strides, dtype)
    inner = channels // groups
    weight = Operand((channels, inner, 3, 3), (18 * inner, 18, 6, 2), dtype)
    problem = ConvProblem(
        function="test", operation=operation, device="cpu", x=image, weight=weight,
        y=replace(image),
        stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=groups,
    )  # fmt: skip
    found = {d.algorithm: d for d in BACKEND.decide(problem, Policy(threads=1)) if d.can}
    assert set(taken) <= set(found)
    for name in taken:
        assert "rounded" not in found[name].reason
        assert found[name].precision == "float32"
    if groups > 1:
        assert all(found[name].workspace_bytes <= 2 * image.size for name in taken)


@settings(max_examples=30, deadline=None)
@given(drawn=shapes(), seed=st.integers(0, 2**31), backward=st.booleans())
@every_half
def test_float32_arrays_in_16_bits_are_within_their_bound(
    narrow_level, layouts, dtype, drawn, seed, backward
):
    rng = np.random.default_rng(seed)
    *three, parameters = drawn
    x, weight, y = (
        layouts.strided(rng, rng.standard_normal(shape).astype(np.float32)) for shape in three
    )
    bias = rng.standard_normal((three[0] if backward else three[2])[1]).astype(np.float32)
    target = np.empty(three[0] if backward else three[2], np.float32)
    given_, taken = (y, "x") if backward else (x, "y")
    problem = ConvProblem(
        function="test", operation="conv_input_grad" if backward else "conv_forward",
        device="cpu", weight=operand(weight), bias=operand(bias),
        **{("y" if backward else "x"): operand(given_), taken: operand(target)}, **parameters,
    )  # fmt: skip
    (expected,) = solve(problem, (given_, weight, bias))
    for decision in BACKEND.decide(problem, Policy(threads=1, precision=dtype)):
        if not decision.can or decision.algorithm not in PRODUCTS:
            continue
        assert decision.precision == dtype
        assert decision.flushes == (dtype == "bfloat16" and narrow_level == "avx512_bf16")
        plan = BACKEND.plan(problem, decision)
        workspace = np.full(plan.workspace_bytes, 255, np.uint8)
        plan.run((given_, weight, bias), (target,), workspace)
        check_values(target, expected, decision, decision.algorithm)
        first = target.copy()
        plan.run_packed((given_, plan.pack(weight), bias), (target,), workspace)
        np.testing.assert_array_equal(target, first)
