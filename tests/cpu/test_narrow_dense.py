"""Linear layers on float16 and bfloat16 by our own product, at every level."""

from dataclasses import replace

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from narrow_support import HALVES, every_half, operand, result_of  # noqa: E402

from fastconv.precision import rounded as to_precision  # noqa: E402
from fastconv.problem import GemmProblem  # noqa: E402
from fastconv.testing.measure import check_values  # noqa: E402
from fastconv.testing.oracle import solve  # noqa: E402

# Around a vector, a tile and a block: few rows, whose reduction is in lanes, and many.
extents = st.integers(1, 20) | st.integers(40, 110)
depths = st.integers(1, 70) | st.sampled_from([255, 256, 257, 511, 513, 1027])
operations = st.sampled_from(GemmProblem.OPERATIONS)


def drawn(rng, layouts, shape, dtype):
    """Return numbers along either axis, or in an odd layout."""
    values = rng.standard_normal(shape).astype(dtype)
    kind = rng.integers(3)
    if kind == 2:
        return layouts.strided(rng, values)
    return values if kind == 0 else np.asfortranarray(values)


def posed(rng, layouts, operation, rows, columns, depth, dtype, target_dtype, with_bias):
    """Return a problem whose result is (rows, columns), its inputs and an array for its result."""
    shapes = {
        "linear_forward": ((rows, depth), (columns, depth)),
        "linear_input_grad": ((rows, depth), (depth, columns)),
        "linear_weight_grad": ((depth, columns), (depth, rows)),
    }[operation]
    inputs = [drawn(rng, layouts, shape, dtype) for shape in shapes]
    whole = np.zeros((rows, columns + int(rng.integers(0, 3))), target_dtype)
    target = whole[:, :columns]
    names = {
        "linear_forward": ("x", "weight", "y"),
        "linear_input_grad": ("y", "weight", "x"),
        "linear_weight_grad": ("x", "y", "weight"),
    }[operation]
    fields = dict(zip(names, map(operand, (*inputs, target)), strict=True))
    if with_bias and operation == "linear_forward":
        inputs.append(rng.standard_normal(columns).astype(target_dtype))
        fields |= {"bias": operand(inputs[-1]), "activation": "leaky_relu"}
    problem = GemmProblem(function="test", operation=operation, device="cpu", **fields)
    return problem, tuple(inputs), whole, target


@settings(max_examples=80, deadline=None)
@given(extents, extents, depths, operations, st.booleans(), st.integers(0, 2**31))
@every_half
def test_halves_are_within_their_bound(
    narrow_level, layouts, dtype, rows, columns, depth, operation, with_bias, seed
):
    rng = np.random.default_rng(seed)
    wide = rng.random() < 0.3  # sums as they are: what float32 arrays in bfloat16 need
    target_dtype = np.dtype("float32") if wide else HALVES[dtype]
    problem, inputs, whole, target = posed(
        rng, layouts, operation, rows, columns, depth, HALVES[dtype], target_dtype, with_bias
    )
    decision, result = result_of("gemm", problem, inputs, target)
    assert decision.flushes == (dtype == "bfloat16" and narrow_level == "avx512_bf16")
    (expected,) = solve(problem, inputs)
    check_values(result, expected, decision, decision.algorithm)
    assert (whole[:, columns:] == 0).all(), "items beside the result were written"


@settings(max_examples=60, deadline=None)
@given(extents, extents, depths, operations, st.booleans(), st.integers(0, 2**31))
@every_half
def test_float32_arrays_in_16_bits_are_within_their_bound(
    narrow_level, layouts, dtype, rows, columns, depth, operation, with_bias, seed
):
    rng = np.random.default_rng(seed)
    single = np.dtype("float32")
    problem, inputs, whole, target = posed(
        rng, layouts, operation, rows, columns, depth, single, single, with_bias
    )
    decision, result = result_of("gemm", problem, inputs, target, dtype)
    assert decision.precision == dtype
    assert decision.flushes == (dtype == "bfloat16" and narrow_level == "avx512_bf16")
    (expected,) = solve(problem, inputs)
    check_values(result, expected, decision, decision.algorithm)
    assert (whole[:, columns:] == 0).all(), "items beside the result were written"
    # Rounded on the way or before makes no difference but for the order of sums, each within
    # a rounding of float32 for each product.
    halves = [v.astype(HALVES[dtype]) for v in inputs[:2]]
    names = [
        n for i in problem.inputs[:2] for n in ("x", "y", "weight") if getattr(problem, n) is i
    ]
    rounded = replace(problem, **dict(zip(names, map(operand, halves), strict=True)))
    _, same = result_of("gemm", rounded, (*halves, *inputs[2:]), np.empty_like(target))
    allowed = max(2.0**-18, depth * 2.0**-23) * expected.magnitudes
    assert (np.abs(result - same) <= allowed).all()


@pytest.mark.parametrize("precision", ["tf32", "float16", "bfloat16"])
@pytest.mark.parametrize("rows", [8, 9, 13, 16, 17])
def test_wide_lines_of_few_rows_have_room(narrow_level, precision, rows):
    """Rounded ones may be packed, which takes more scratch memory than reading lines."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype("f4") for shape in ((rows, 270), (270, 3900)))
    c = np.empty((rows, 3900), "f4")
    size = core.product_scratch(precision)
    space = np.full(size + 4096, 0x5A, np.uint8)
    core.product(a[None], b[None], c[None], None, precision, 0, 0.0, space[:size], 1, 0, True)
    left, right = (to_precision(v, precision).astype("f8") for v in (a, b))
    assert (abs(c - left @ right) <= 2.0**-15 * (abs(left) @ abs(right)) + 2.0**-110).all()
    assert (space[size:] == 0x5A).all()


def filled(array, values):
    """Return an array of the same strides that holds values."""
    reach = sum((n - 1) * abs(s) for n, s in zip(array.shape, array.strides, strict=True))
    memory = np.zeros(reach + 4 * array.size + 64, np.uint8)
    first = sum((n - 1) * max(-s, 0) for n, s in zip(array.shape, array.strides, strict=True))
    found = np.ndarray(array.shape, array.dtype, memory, first, array.strides)
    found[...] = values
    return found


@settings(max_examples=40, deadline=None)
@given(extents, extents, depths, operations, st.booleans(), st.integers(0, 2**31))
def test_tf32_is_rounded_on_the_way(
    narrow_level, layouts, rows, columns, depth, operation, with_bias, seed
):
    rng = np.random.default_rng(seed)
    single = np.dtype("float32")
    problem, inputs, _, target = posed(
        rng, layouts, operation, rows, columns, depth, single, single, with_bias
    )
    decision, result = result_of("gemm", problem, inputs, target, "tf32")
    assert decision.precision == "tf32"
    (expected,) = solve(problem, inputs)
    check_values(result, expected, decision, decision.algorithm)
    before = [filled(array, to_precision(array, "tf32")) for array in inputs[:2]]
    _, same = result_of("gemm", problem, (*before, *inputs[2:]), target.copy(), "tf32")
    np.testing.assert_array_equal(result, same)


@every_half
@pytest.mark.parametrize("rows", [1, 3, 12, 40])
def test_operands_are_rounded_to_nearest_ties_to_even(narrow_level, dtype, rows):
    unit = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    values = np.float32([1 + unit / 2, 1 + 3 * unit / 2, 1 + unit * 0.6, -1 - unit / 2, np.inf])
    b = np.tile(values, (1, 13))
    space = np.empty(core.product_scratch(dtype), np.uint8)
    for left in (np.ones((rows, 1), "f4"), np.ones((1, rows), "f4").T):
        c = np.empty((rows, b.shape[1]), "f4")
        core.product(left[None], b[None], c[None], None, dtype, 0, 0.0, space, 1, 0, True)
        expected = np.float32([1, 1 + 2 * unit, 1 + unit, -1, np.inf])
        np.testing.assert_array_equal(c, np.tile(expected, (rows, 13)))
    with pytest.raises(ValueError, match="rounds: expected True of tf32"):
        core.product(left[None], b[None], c[None], None, "tf32", 0, 0.0, space, 1)
    with pytest.raises(ValueError, match="rounds: expected float16 or bfloat16"):
        core.product(left[None], b[None], c[None], None, "float32", 0, 0.0, space, 1, 0, True)


@every_half
@pytest.mark.parametrize("shape", [(1, 301, 7), (1, 301, 140), (5, 41, 33), (30, 41, 50)])
def test_values_that_are_no_numbers_stay_where_they_are(narrow_level, dtype, shape):
    """Padding of tiles and items must not multiply with what is beyond."""
    rows, depth, columns = shape
    a, b = np.ones((rows, depth), HALVES[dtype]), np.ones((depth, columns), HALVES[dtype])
    a[0, depth - 1], b[depth - 1, columns - 1] = np.nan, np.inf
    for left in (a, np.asfortranarray(a)):
        for right in (b, np.asfortranarray(b)):
            c = np.empty((rows, columns), "f4")
            space = np.full(core.product_scratch(dtype), 255, np.uint8)
            core.product(left[None], right[None], c[None], None, dtype, 0, 0.0, space, 1, 4)
            expected = np.full((rows, columns), depth, "f4")
            expected[:, -1], expected[0] = np.inf, np.nan
            np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("shape", [(1, 5, 3), (3, 40, 17), (40, 5, 33)])
def test_denormals_of_float16_count(narrow_level, shape):
    rows, depth, columns = shape
    a, b = np.full((rows, depth), 2.0**-24, "f2"), np.full((depth, columns), 3, "f2")
    c, space = np.empty((rows, columns), "f2"), np.empty(core.product_scratch("float16"), np.uint8)
    for right in (b, np.asfortranarray(b)):
        core.product(a[None], right[None], c[None], None, "float16", 0, 0.0, space, 1)
        assert (c == np.float16(3 * depth * 2.0**-24)).all()


@every_half
def test_results_are_rounded_to_nearest_ties_to_even(narrow_level, dtype):
    unit = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    a = np.array([[1, unit / 2], [1, 3 * unit / 4], [1 + unit, unit / 2]], HALVES[dtype])
    b, c = np.ones((2, 40), a.dtype), np.empty((3, 40), a.dtype)
    space = np.empty(core.product_scratch(dtype), np.uint8)
    for right in (b, np.asfortranarray(b)):
        core.product(a[None], right[None], c[None], None, dtype, 0, 0.0, space, 1)
        assert (c.astype(float) == [[1.0], [1.0 + unit], [1.0 + 2 * unit]]).all()


def test_integers_and_other_sizes_of_the_result_are_refused():
    a, b, c = (np.ones(s, "f2") for s in ((1, 4, 5), (1, 5, 6), (1, 4, 6)))
    space = np.empty(core.product_scratch("float16"), np.uint8)

    def call(c=c, dtype="float16", target_size=0):
        core.product(a, b, c, None, dtype, 0, 0.0, space, 1, target_size)

    call()
    for wrong in (
        {"dtype": "int8"},
        {"dtype": "float32"},
        {"target_size": 4},
        {"target_size": 8, "c": c.astype("f8")},
        {"c": c.astype("f4")},
    ):
        with pytest.raises(ValueError, match=r"."):
            call(**wrong)
