"""float32 operands of a lower precision, rounded as they are read: the same bits as beforehand."""

from itertools import product

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")
pytest.importorskip("ml_dtypes")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from narrow_support import HALVES, operand, result_of  # noqa: E402

import fastconv  # noqa: E402
from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.precision import rounded  # noqa: E402
from fastconv.problem import ConvProblem, GemmProblem, Operand  # noqa: E402
from fastconv.testing.measure import check_values  # noqa: E402
from fastconv.testing.oracle import solve  # noqa: E402

PRECISIONS = ("tf32", "bfloat16", "float16")
OPERATIONS = ("conv_forward", "conv_input_grad", "conv_weight_grad")


def problem_of(operation, arrays, **parameters):
    """Return a problem, its inputs, and an array for its result."""
    results = {"conv_forward": "y", "conv_input_grad": "x", "conv_weight_grad": "weight"}
    result = results[operation]
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    problem = ConvProblem(
        function="test",
        operation=operation,
        device="cpu",
        **{name: operand(array) for name, array in arrays.items()},
        **window | parameters,
    )
    order = ("y", "weight") if result == "x" else [n for n in ("x", "weight", "y") if n != result]
    return problem, [arrays[name] for name in order], np.empty_like(arrays[result])


def drawn(seed, channels, outputs, extents, *, groups=1, last=False):
    """Return x, weight and y, of magnitudes from denormal in float16 to beyond its largest."""
    rng = np.random.default_rng(seed)
    shapes = {
        "x": (2, channels, *extents),
        "weight": (outputs, channels // groups, 3, 3),
        "y": (2, outputs, *extents),
    }
    arrays = {}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape) * 2.0 ** rng.integers(-26, 3, shape)
        arrays[name] = values.astype(np.float32)
        if last and name != "weight":
            arrays[name] = np.ascontiguousarray(np.moveaxis(arrays[name], 1, -1))
            arrays[name] = np.moveaxis(arrays[name], -1, 1)
    return arrays


def same_as_rounded_before(algorithm, operation, precision, arrays, **parameters):
    """Compare an algorithm with itself on operands that were rounded beforehand."""
    problem, inputs, target = problem_of(operation, arrays, **parameters)
    decision, found = result_of(algorithm, problem, inputs, target, precision)
    assert decision.precision == precision
    before = {name: rounded(array, precision) for name, array in arrays.items()}
    plain, inputs, target = problem_of(operation, before, **parameters)
    _, expected = result_of(algorithm, plain, inputs, target, "float32")
    np.testing.assert_array_equal(found, expected)
    return decision


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**31), channels=st.integers(1, 21), outputs=st.integers(1, 21),
    extents=st.tuples(st.integers(3, 22), st.integers(3, 22)),
)  # fmt: skip
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_winograds_tiles(level, operation, precision, seed, channels, outputs, extents):
    arrays = drawn(seed, channels, outputs, extents)
    decision = same_as_rounded_before("winograd", operation, precision, arrays)
    assert decision.error_bound >= 2 * fastconv.precision.FORMATS[precision].unit_roundoff


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**31), channels=st.integers(1, 19), last=st.booleans(),
    extents=st.tuples(st.integers(3, 40), st.integers(3, 40)), two=st.booleans(),
)  # fmt: skip
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_depthwise_lines(narrow_level, operation, precision, seed, channels, last, extents, two):
    arrays = drawn(seed, channels, channels, extents, groups=channels, last=last)
    parameters = {"groups": channels}
    if two:
        parameters["stride"] = (2, 2)
        arrays["y"] = arrays["y"][:, :, : (extents[0] + 1) // 2, : (extents[1] + 1) // 2].copy()
    same_as_rounded_before("depthwise", operation, precision, arrays, **parameters)


def same_as_16_bit_arrays(algorithm, operation, precision, arrays, found, **parameters):
    """Compare results with those of arrays that hold 16 bits, and are summed in float32."""
    result = {"conv_forward": "y", "conv_input_grad": "x", "conv_weight_grad": "weight"}[operation]
    halves = {
        name: array if name == result else rounded(array, precision).astype(HALVES[precision])
        for name, array in arrays.items()
    }
    problem, inputs, _ = problem_of(operation, halves, **parameters)
    _, expected = result_of(algorithm, problem, inputs, np.empty_like(arrays[result]))
    np.testing.assert_array_equal(found, expected)


def within_what_float32_loses(algorithm, operation, arrays, found, **parameters):
    """Compare results with exact ones of operands rounded to tf32, beforehand."""
    before = {name: rounded(array, "tf32") for name, array in arrays.items()}
    problem, inputs, _ = problem_of(operation, before, **parameters)
    (decision,) = (d for d in BACKEND.decide(problem, Policy()) if d.algorithm == algorithm)
    (expected,) = solve(problem, inputs)
    check_values(found, expected, decision, algorithm)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31), channels=st.integers(1, 37), outputs=st.integers(1, 37),
    extents=st.tuples(st.integers(3, 20), st.integers(3, 20)), last=st.booleans(),
    taps=st.sampled_from([1, 3]), stride=st.integers(1, 3), groups=st.integers(1, 2),
)  # fmt: skip
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_products_items(
    narrow_level, operation, precision, seed, channels, outputs, extents, last, taps, stride, groups
):
    arrays = drawn(seed, channels * groups, outputs * groups, extents, groups=groups, last=last)
    pads, ends = taps // 2, [(n - 1) // stride + 1 for n in extents]
    arrays["weight"] = arrays["weight"][:, :, :taps, :taps].copy()
    arrays["y"] = arrays["y"][:, :, : ends[0], : ends[1]].copy(order="K")
    parameters = {"stride": (stride,) * 2, "padding": ((pads, pads),) * 2, "groups": groups}
    one_tap = taps == stride == 1 and not last and operation != "conv_weight_grad"
    for algorithm in ("implicit_gemm", "pointwise") if one_tap else ("implicit_gemm",):
        problem, inputs, target = problem_of(operation, arrays, **parameters)
        decision, found = result_of(algorithm, problem, inputs, target, precision)
        assert decision.precision == precision
        if precision in HALVES:
            same_as_16_bit_arrays(algorithm, operation, precision, arrays, found, **parameters)
        else:
            within_what_float32_loses(algorithm, operation, arrays, found, **parameters)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_follows_the_last_line_of_a_unit_counts_for_nothing(narrow_level, precision):
    """Units of 8 lines out of 15, in scratch memory that other units have left nothing in."""
    arrays = drawn(0, 48, 72, (15, 15), groups=2, last=True)
    problem, inputs, target = problem_of("conv_forward", arrays, groups=2)
    _, found = result_of("implicit_gemm", problem, inputs, target, precision)
    if precision in HALVES:
        arguments = "implicit_gemm", "conv_forward", precision, arrays
        same_as_16_bit_arrays(*arguments, found, groups=2)
    assert np.isfinite(found).all()


def no_arrays(operation, batch, *, taps, stride, groups, last):
    """Return a problem of 64 channels that no array was made for."""
    extent = (56 - 1) // stride + 1
    shapes = {"x": (batch, 64, 56, 56), "y": (batch, 64, extent, extent)}
    operands = {"weight": operand(np.empty((64, 64 // groups, taps, taps), np.float32))}
    for name, (n, c, h, w) in shapes.items():
        strides = (c * h * w, 1, w * c, c) if last else (c * h * w, h * w, w, 1)
        operands[name] = Operand((n, c, h, w), tuple(4 * step for step in strides), "float32")
    pads = (taps // 2, taps // 2)
    return ConvProblem(
        function="test", operation=operation, device="cpu", stride=(stride,) * 2,
        padding=(pads, pads), dilation=(1, 1), groups=groups, **operands,
    )  # fmt: skip


@pytest.mark.parametrize("precision", [*PRECISIONS, "float32", "float32_strict", "int8"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_batches_of_any_size_keep_within_the_workspaces_limit(narrow_level, operation, precision):
    policy = Policy(precision=precision, threads=2)
    layers = [(1, 1, 1), (1, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 8), (3, 1, 64)]
    for (taps, stride, groups), last in product(layers, (False, True)):
        problem = no_arrays(operation, 512, taps=taps, stride=stride, groups=groups, last=last)
        found = {d.algorithm: d for d in BACKEND.decide(problem, policy) if d.can}
        assert {"implicit_gemm", "depthwise"} & set(found)
        for decision in found.values():
            assert decision.workspace_bytes <= policy.workspace_limit
            plan = BACKEND.plan(problem, decision)
            assert plan.workspace_bytes <= decision.workspace_bytes


@pytest.mark.parametrize("precision", [*PRECISIONS, "int8"])
@pytest.mark.parametrize("operation", ["forward", "input_grad", "weight_grad"])
def test_linear_layers_of_any_size_keep_within_the_workspaces_limit(
    narrow_level, operation, precision
):
    single = [Operand(shape, (4 * shape[1], 4), "float32")
              for shape in ((2**15, 512), (256, 512), (2**15, 256))]  # fmt: skip
    problem = GemmProblem(
        function="test", operation=f"linear_{operation}", device="cpu",
        **dict(zip(("x", "weight", "y"), single, strict=True)),
    )  # fmt: skip
    policy = Policy(precision=precision, threads=2)
    found = [d for d in BACKEND.decide(problem, policy) if d.can]
    assert "gemm" in {decision.algorithm for decision in found}
    for decision in found:
        assert decision.workspace_bytes <= policy.workspace_limit
        plan = BACKEND.plan(problem, decision)
        assert plan.workspace_bytes <= decision.workspace_bytes


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_lines_of_unusual_numbers(narrow_level, operation, precision, stride):
    """What rounds two vectors at once takes denormals for zeros, so that all is done again."""
    rng = np.random.default_rng(stride)
    for extent, special in [(33, ()), (97, (np.nan, np.inf)), (33, (3.4e38, -3e38))]:
        arrays = drawn(extent, 6, 6, (extent, extent), groups=6)
        arrays["y"] = arrays["y"][:, :, ::stride, ::stride].copy()
        for name in ("x", "y"):
            if special:
                places = rng.integers(0, arrays[name].size, 12)
                arrays[name].reshape(-1)[places] = np.resize(np.float32(special), 12)
            elif name == "x" or operation == "conv_input_grad":
                arrays[name] *= np.float32(1e-38)
        window = {"groups": 6, "stride": (stride, stride)}
        with np.errstate(all="ignore"):
            same_as_rounded_before("depthwise", operation, precision, arrays, **window)


@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_lies_in_scratch_memory_is_not_noted(narrow_level, operation, kernel):
    """Each band decides by its own numbers what is done again: NaN keep their bits."""
    rng = np.random.default_rng(kernel)
    arrays = drawn(0, 5, 5, (21, 19), groups=5)
    arrays["weight"] = rng.standard_normal((5, 1, kernel, kernel)).astype(np.float32)
    for name, special in [("x", np.nan), ("y", np.inf)]:
        arrays[name].reshape(-1)[rng.integers(0, arrays[name].size, 4)] = special
    padding = ((kernel // 2, kernel // 2),) * 2
    problem, inputs, target = problem_of(operation, arrays, groups=5, padding=padding)
    decisions = BACKEND.decide(problem, Policy(precision="tf32"))
    (decision,) = (d for d in decisions if d.algorithm == "depthwise")
    plan = BACKEND.plan(problem, decision)
    found = set()
    for scratch in (0, 1, 255):
        with np.errstate(all="ignore"):
            plan.run(inputs, (target,), np.full(plan.workspace_bytes, scratch, np.uint8))
        found.add(target.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_copies_are_rounded_where_nothing_else_rounds(precision):
    """BLAS takes columns as they are."""
    arrays = drawn(0, 5, 6, (9, 8))
    problem, inputs, target = problem_of("conv_forward", arrays)
    decision, found = result_of("im2col_blas", problem, inputs, target, precision)
    assert "rounded" in decision.reason
    before = {name: rounded(array, precision) for name, array in arrays.items()}
    plain, inputs, target = problem_of("conv_forward", before)
    _, expected = result_of("im2col_blas", plain, inputs, target, "float32")
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64, 3, 3), (64, 1, 3, 3), (96, 64, 1, 1)])
@pytest.mark.parametrize("which", ["x", "weight"])
def test_operands_that_float16_is_too_narrow_for_are_told(shape, which):
    rng = np.random.default_rng(0)
    groups = 64 // shape[1]
    x = rng.standard_normal((1, 64, 14, 14)).astype(np.float32)
    weight = rng.standard_normal(shape).astype(np.float32)
    keywords = {"padding": shape[-1] // 2, "groups": groups, "precision": "float16"}
    fastconv.conv2d(x, weight, **keywords)
    {"x": x, "weight": weight}[which][0, 0] = 7e4
    with pytest.warns(RuntimeWarning, match="beyond 65504"):
        fastconv.conv2d(x, weight, **keywords)
    prepared = fastconv.prepare(weight, like=x)
    with pytest.warns(RuntimeWarning, match="beyond 65504"):
        fastconv.conv2d(x, prepared, **keywords)


def test_16_bits_are_not_rounded_again():
    geometry = core.Geometry((4, 4), (3, 3), (1, 1), (1, 1), (1, 1), (4, 4))
    rest = (geometry, 1, 1, 2, 3, (6, 6), False, 0, 0.0)
    with pytest.raises(ValueError, match="rounding: got 'tf32' of float16"):
        core.Winograd(*rest, dtype="float16", rounding="tf32")


def test_every_algorithm_keeps_a_lower_precisions_bound():
    arrays = drawn(1, 8, 8, (12, 12))
    problem, _, _ = problem_of("conv_forward", arrays)
    for precision in PRECISIONS:
        unit = fastconv.precision.FORMATS[precision].unit_roundoff
        for decision in BACKEND.decide(problem, Policy(precision=precision)):
            if decision.can:
                assert decision.precision == precision, decision.algorithm
                assert 2 * unit <= decision.error_bound <= 3 * unit, decision.algorithm
