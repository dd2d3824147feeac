"""Winograd's algorithm against a float64 oracle: operations, levels, layouts, thread counts."""

import ctypes
import mmap
from dataclasses import replace

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import fastconv  # noqa: E402
from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.cpu.winograd import Winograd  # noqa: E402
from fastconv.dispatch.request import contiguous  # noqa: E402
from fastconv.problem import ConvProblem, Operand  # noqa: E402
from fastconv.testing.oracle import solve  # noqa: E402

OPERATIONS = ("conv_forward", "conv_input_grad", "conv_weight_grad")
CANDIDATES = {"winograd": Winograd(6), "winograd_2x2": Winograd(4)}
# Random data stay far within the published bounds; what these let pass is no mistake in a formula.
MEASURED = {"winograd": 2.0**-19, "winograd_2x2": 2.0**-20}
every_candidate = pytest.mark.parametrize("name", list(CANDIDATES))
UNITS = {"float32": 0.0, "float16": 2.0**-11, "bfloat16": 2.0**-8}
every_half = pytest.mark.parametrize("dtype", ["float16", "bfloat16"])


def problem_of(operation, x, channels, kernel, *, groups=1, dtype="float32", **rest):
    """Return a convolution; `x` and `channels` count all groups."""
    ndim = len(kernel)
    padding = rest.pop("padding", ((0, 0),) * ndim)
    dilation, stride = rest.pop("dilation", (1,) * ndim), rest.pop("stride", (1,) * ndim)
    out = tuple(
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, (a, b), d, s in zip(x[2:], kernel, padding, dilation, stride, strict=True)
    )
    shapes = {
        "x": x,
        "weight": (channels, x[1] // groups, *kernel),
        "y": (x[0], channels, *out),
    }
    if rest.pop("bias", False) and operation != "conv_weight_grad":
        shapes["bias"] = (x[1] if operation == "conv_input_grad" else channels,)
    size = np.dtype(dtype).itemsize
    operands = {name: Operand(s, contiguous(s, size), dtype) for name, s in shapes.items()}
    return ConvProblem(
        function="conv",
        operation=operation,
        device="cpu",
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        **operands,
        **rest,
    )


@st.composite
def problems(draw, operations=OPERATIONS):
    ndim = draw(st.integers(1, 3))
    operation = draw(st.sampled_from(operations))
    kernel = [draw(st.integers(1, 5)) for _ in range(ndim - 1)] + [draw(st.integers(2, 7))]
    dilation = stride = (1,) * ndim
    if draw(st.booleans()):
        dilation = tuple(draw(st.integers(1, 3)) for _ in range(ndim))
    else:
        most = 2 if operation == "conv_input_grad" else 4
        stride = tuple(draw(st.integers(1, most)) for _ in range(ndim))
        if ndim == 3 and operation == "conv_input_grad":
            stride = (1, *stride[1:])
    padding = tuple((draw(st.integers(0, 4)), draw(st.integers(0, 4))) for _ in range(ndim))
    most = (5, 12, 40)[3 - ndim :] if ndim > 1 else (90,)
    extents = [
        max(1, (k - 1) * d + 1 - a - b) + draw(st.integers(0, most[axis]))
        for axis, (k, d, (a, b)) in enumerate(zip(kernel, dilation, padding, strict=True))
    ]
    groups, per_group = draw(st.integers(1, 2)), draw(st.integers(1, 18))
    return problem_of(
        operation,
        (draw(st.integers(1, 3)), groups * per_group, *extents),
        groups * draw(st.integers(1, 18)),
        tuple(kernel),
        padding=padding,
        dilation=dilation,
        stride=stride,
        groups=groups,
        bias=draw(st.booleans()),
        activation=draw(st.sampled_from([None, "relu", "gelu"]))
        if operation != "conv_weight_grad"
        else None,
    )


def values_of(problem, rng, dtype="float32"):
    return [rng.standard_normal(o.shape).astype(dtype) for o in problem.inputs]


def with_dtype(problem, operands):
    """Return the problem that arrays of any dtype and strides pose, given by name."""
    posed = {k: Operand(v.shape, v.strides, str(v.dtype)) for k, v in operands.items()}
    return replace(problem, **posed)


def run(name, problem, inputs, output, threads=1):
    """Plan and run a problem; return its decision."""
    policy = Policy(algorithm=name, threads=threads, workspace_limit=2**29)
    candidate = CANDIDATES[name]
    decision = candidate.decide(problem, policy)
    assert decision.can, decision.reason
    plan = candidate.plan(problem, decision)
    assert plan.workspace_bytes == decision.workspace_bytes <= policy.workspace_limit
    workspace = np.full(plan.workspace_bytes, 0xFF, np.uint8)
    plan.run(inputs, [output], workspace)
    return decision


def check(problem, inputs, output, bound):
    """Hold an output to a bound times each channel's largest sum of magnitudes."""
    (expected,) = solve(problem, inputs)
    axes = tuple(a for a in range(output.ndim) if a != expected.channel_axis)
    errors = np.abs(output - expected.values).max(axis=axes)
    scale = expected.magnitudes.max(axis=axes)
    allowed = bound * scale
    if expected.activated:
        allowed = 1.13 * allowed + 2.0**-22 * np.maximum(scale, 1)
    # Errors follow a tile's largest items, also where its window sees few of them or padding alone,
    # whose exact sums are 0, and those of transformed tiles nearly so.
    slack = bound * max(np.abs(i).max(initial=0) for i in inputs) ** 2
    slack *= np.where(scale == 0, 1.0, 0.05)
    assert (errors <= allowed + slack + 1e-37).all(), (errors, allowed)


def supported(name, problem):
    return not CANDIDATES[name].decide(problem, Policy(algorithm=name)).reason.startswith("it")


@every_candidate
@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_any_layout_against_the_oracle(level, layouts, name, problem, seed, threads):
    rng = np.random.default_rng(seed)
    values = values_of(problem, rng)
    arrays = [layouts.strided(rng, v) for v in values[:2]] + values[2:]
    target = layouts.Target(rng, problem.outputs[0].shape, "float32", fill=np.nan)
    operands = dict(zip(_names(problem), arrays, strict=True)) | {
        _output_name(problem): target.array
    }
    problem = with_dtype(problem, operands)
    if not supported(name, problem):
        return
    run(name, problem, arrays, target.array, threads)
    check(problem, [np.ascontiguousarray(a) for a in arrays], target.result(), MEASURED[name])


@every_candidate
@every_half
@settings(max_examples=40, deadline=None)
@given(
    problems(),
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.sampled_from(["channels first", "channels last", "any"]),
)
def test_16_bits_are_widened_and_rounded_once(
    level, layouts, name, dtype, problem, seed, threads, order
):
    pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(seed)
    arrays = values_of(problem, rng, dtype)
    shape = problem.outputs[0].shape
    target = layouts.Target(rng, shape, dtype, fill=np.nan)
    plain, output = order != "any", target.array
    if order == "any":
        arrays = [layouts.strided(rng, v) for v in arrays[:2]] + arrays[2:]
    elif order == "channels first":
        output = np.empty(shape, dtype)
    else:
        problem, arrays = channels_last(problem, arrays)
        output = like(problem.outputs[0], dtype)
    operands = dict(zip(_names(problem), arrays, strict=True)) | {_output_name(problem): output}
    halves = with_dtype(problem, operands)
    if not supported(name, halves):
        return
    run(name, halves, arrays, output, threads)
    result = output if plain else target.result()
    wide = [np.ascontiguousarray(a).astype("float32") for a in arrays]
    check(problem, wide, result.astype("float32"), MEASURED[name] + UNITS[dtype])
    if plain:
        expected = like(problem.outputs[0], "float32")
        wide = [a.astype("float32", order="K") for a in arrays]
        run(name, problem, wide, expected, threads)
        np.testing.assert_array_equal(result, expected.astype(dtype))


def _names(problem):
    return [n for n in ("x", "y", "weight", "bias") for i in problem.inputs
            if getattr(problem, n) is i]  # fmt: skip


def _output_name(problem):
    return next(n for n in ("x", "y", "weight") if getattr(problem, n) is problem.outputs[0])


LARGE = {
    "wide lines": ((1, 6, 9, 150), 70, (3, 3), 1, {}),
    "many tiles": ((2, 40, 30, 30), 24, (3, 3), 1, {}),
    "many channels": ((3, 70, 7, 7), 90, (3, 3), 1, {}),
    "five taps": ((2, 20, 17, 18), 50, (5, 5), 2, {}),
    "dilated": ((1, 33, 21, 19), 40, (3, 3), 2, {"dilation": (2, 2)}),
    "one line": ((2, 20, 700), 40, (9,), 4, {}),
    "volume": ((1, 12, 5, 14, 14), 40, (3, 3, 3), 1, {}),
    "one row of taps": ((2, 20, 20, 20), 40, (1, 3), 1, {}),
    "two taps": ((2, 20, 20, 20), 40, (2, 2), 0, {}),
    "strided": ((2, 20, 31, 72), 40, (3, 3), 1, {"stride": (2, 2)}),
    "strided, four taps": ((3, 36, 16, 130), 20, (4, 4), 1, {"stride": (2, 2)}),
    "first layer": ((2, 3, 61, 67), 70, (11, 11), 2, {"stride": (4, 4)}),
    "one strided line": ((2, 20, 700), 40, (5,), 2, {"stride": (2,)}),
    "strided volume": ((1, 12, 7, 14, 14), 40, (3, 3, 3), 1, {"stride": (2, 1, 2)}),
}


def channels_last(problem, values):
    """Return the problem and its inputs with the channels of x and y side by side."""
    moved = [
        np.moveaxis(np.ascontiguousarray(np.moveaxis(v, 1, -1)), -1, 1) if n in "xy" else v
        for n, v in zip(_names(problem), values, strict=True)
    ]
    names = dict(zip(_names(problem), moved, strict=True))
    shape = problem.outputs[0].shape
    if _output_name(problem) in "xy":
        shape = (shape[0], *shape[2:], shape[1])
        names[_output_name(problem)] = np.moveaxis(np.empty(shape, "float32"), -1, 1)
    operands = {n: Operand(v.shape, _strides(v), "float32") for n, v in names.items()}
    return replace(problem, **operands), moved


def _strides(array):
    """Return what an array's strides would be in float32."""
    return tuple(s * 4 // array.itemsize for s in array.strides)


def like(operand, dtype):
    """Return an array of a dtype with its axes in an operand's order."""
    order = np.argsort([-s for s in operand.strides], kind="stable")
    memory = np.full([operand.shape[axis] for axis in order], np.nan, dtype)
    return memory.transpose(np.argsort(order))


@every_candidate
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", list(LARGE))
def test_blocks_and_ranges_give_the_same_bits_at_any_number_of_threads(
    level, name, operation, case, last
):
    x, channels, kernel, pad, rest = LARGE[case]
    padding = ((pad, pad),) * len(kernel)
    problem = problem_of(operation, x, channels, kernel, padding=padding, **rest)
    inputs = values_of(problem, np.random.default_rng(0))
    if last:
        problem, inputs = channels_last(problem, inputs)
    if not supported(name, problem):
        pytest.skip("declined")
    results = []
    for threads in (1, 2, 3):
        output = problem.outputs[0]
        results.append(np.full(output.shape, np.nan, "float32"))
        if output.strides != results[-1].strides:
            results[-1] = np.moveaxis(np.ascontiguousarray(np.moveaxis(results[-1], 1, -1)), -1, 1)
        run(name, problem, inputs, results[-1], threads)
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()
    check(problem, inputs, results[0], MEASURED[name])


@every_half
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("case", list(LARGE))
def test_layers_in_16_bits_are_those_of_float32_rounded(level, dtype, operation, case, last):
    pytest.importorskip("ml_dtypes")
    x, channels, kernel, pad, rest = LARGE[case]
    padding = ((pad, pad),) * len(kernel)
    wide = problem_of(operation, x, channels, kernel, padding=padding, **rest)
    inputs = values_of(wide, np.random.default_rng(5), dtype)
    if last:
        wide, inputs = channels_last(wide, inputs)
    expected = like(wide.outputs[0], "float32")
    operands = dict(zip(_names(wide), inputs, strict=True))
    problem = with_dtype(wide, operands | {_output_name(wide): like(wide.outputs[0], dtype)})
    if not supported("winograd", problem):
        pytest.skip("declined")
    run("winograd", wide, [v.astype("float32", order="K") for v in inputs], expected)
    for threads in (1, 3):
        output = like(problem.outputs[0], dtype)
        run("winograd", problem, inputs, output, threads)
        np.testing.assert_array_equal(output, expected.astype(dtype))


@every_half
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_float32_arrays_in_16_bits_are_rounded_first(level, dtype, operation, last):
    pytest.importorskip("ml_dtypes")
    problem = problem_of(operation, (2, 20, 23, 26), 24, (3, 3), padding=((1, 1),) * 2, bias=True)
    inputs = values_of(problem, np.random.default_rng(6))
    if last:
        problem, inputs = channels_last(problem, inputs)
    found = BACKEND.decide(problem, Policy(precision=dtype, threads=2))
    (decision,) = [d for d in found if d.algorithm == "winograd"]
    assert decision.can, decision.reason
    assert decision.precision == dtype
    plan = BACKEND.plan(problem, decision)
    output = like(problem.outputs[0], "float32")
    plan.run(inputs, [output], np.full(plan.workspace_bytes, 255, np.uint8))
    rounded = [v.astype(dtype).astype("float32", order="K") for v in inputs[:2]] + inputs[2:]
    expected = like(problem.outputs[0], "float32")
    run("winograd", problem, rounded, expected)
    np.testing.assert_array_equal(output, expected)
    (exact,) = solve(problem, inputs)
    axes = tuple(a for a in range(output.ndim) if a != exact.channel_axis)
    errors = np.abs(output - exact.values).max(axis=axes)
    assert (errors <= decision.error_bound * exact.magnitudes.max(axis=axes)).all()


def test_a_gradient_too_large_for_float16_is_noted():
    problem = problem_of("conv_weight_grad", (2, 8, 20, 20), 8, (3, 3), dtype="float16")
    for size, noted in ((1.0, False), (100.0, True)):
        inputs = [np.full(o.shape, size, "float16") for o in problem.inputs]
        output = np.empty(problem.weight.shape, "float16")
        decision = CANDIDATES["winograd"].decide(problem, Policy(threads=1))
        plan = CANDIDATES["winograd"].plan(problem, decision)
        overflowed = plan.run(inputs, [output], np.empty(plan.workspace_bytes, np.uint8))
        assert np.isinf(output).any() == noted
        assert overflowed is None or not (overflowed or noted)


@every_candidate
@pytest.mark.parametrize("threads", [1, 2])
def test_packed_weights_give_the_same_bits(level, name, threads):
    for operation in OPERATIONS[:2]:
        for x, channels, stride in (((2, 9, 30, 31), 20, 1), ((1, 20, 9, 9), 40, 1),
                                    ((2, 9, 30, 31), 20, 2), ((1, 20, 9, 9), 40, 2)):  # fmt: skip
            problem = problem_of(
                operation, x, channels, (3, 3), padding=((1, 1), (1, 1)), stride=(stride, stride)
            )
            inputs = values_of(problem, np.random.default_rng(1))
            decision = CANDIDATES[name].decide(problem, Policy(algorithm=name, threads=threads))
            plan = CANDIDATES[name].plan(problem, decision)
            outputs = [np.full(problem.outputs[0].shape, np.nan, "float32") for _ in range(2)]
            plan.run(inputs, outputs[:1], np.empty(plan.workspace_bytes, np.uint8))
            packed = plan.pack(inputs[1])
            assert not packed.flags.writeable
            others = [inputs[0], packed]
            plan.run_packed(others, outputs[1:], np.empty(plan.workspace_bytes, np.uint8))
            assert outputs[0].tobytes() == outputs[1].tobytes()


PROT_NONE = 0


class Fenced:
    """Arrays that end where memory that can't be read begins, or begin where it ends."""

    def __init__(self):
        self.page = mmap.PAGESIZE
        self.maps = []

    def __call__(self, values, at_end):
        pages = -(-values.nbytes // self.page)
        memory = mmap.mmap(-1, (pages + 2) * self.page)
        whole = np.frombuffer(memory, np.uint8)
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for place in (0, pages + 1):
            address = ctypes.c_void_p(whole.ctypes.data + place * self.page)
            assert protect(address, ctypes.c_size_t(self.page), PROT_NONE) == 0
        start = (pages + 1) * self.page - values.nbytes if at_end else self.page
        array = whole[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
        array[...] = values
        self.maps.append(memory)
        return array


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mprotect"), reason="needs mprotect")
@every_candidate
@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("extents", [(1, 1), (3, 5), (14, 14), (6, 70)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_nothing_beyond_an_array_is_read_or_written(level, name, at_end, extents, stride, dtype):
    fence = Fenced()
    geometry = {"padding": ((1, 1), (1, 1)), "stride": (stride,) * 2}
    for operation in OPERATIONS:
        problem = problem_of(operation, (1, 2, *extents), 3, (3, 3), dtype=dtype, **geometry)
        if not supported(name, problem):
            continue
        values = values_of(problem, np.random.default_rng(2), dtype)
        inputs = [fence(v, at_end) for v in values]
        output = fence(np.full(problem.outputs[0].shape, np.nan, dtype), at_end)
        run(name, problem, inputs, output)
        wide = problem_of(operation, (1, 2, *extents), 3, (3, 3), **geometry)
        values = [v.astype("float32") for v in values]
        check(wide, values, output.astype("float32"), MEASURED[name] + UNITS[dtype])


def test_two_outputs_by_two_are_more_accurate():
    problem = problem_of("conv_forward", (1, 64, 24, 24), 16, (3, 3))
    inputs = values_of(problem, np.random.default_rng(3))
    (expected,) = solve(problem, inputs)
    errors = {}
    for name in CANDIDATES:
        output = np.empty(problem.y.shape, "float32")
        decision = run(name, problem, inputs, output)
        errors[name] = np.abs(output - expected.values).max() / expected.magnitudes.max()
        assert errors[name] < decision.error_bound / 8
    assert errors["winograd_2x2"] < errors["winograd"]


WIDE = {"x": (4, 64, 28, 28), "channels": 64, "kernel": (3, 3), "padding": ((1, 1), (1, 1))}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_is_taken_where_it_gains_and_allowed(operation):
    problem = problem_of(operation, **WIDE)
    for precision in (None, "auto", "float32"):
        assert Winograd(6).decide(problem, Policy(precision=precision)).can
    for precision in ("float32_strict", "float64"):
        assert "excludes" in Winograd(6).decide(problem, Policy(precision=precision)).reason


def test_strides_leave_products_out():
    for kernel, products in (((3, 3), 81), ((4, 4), 100), ((5, 5), 121), ((2, 2), 64)):
        for operation in OPERATIONS:
            problem = problem_of(operation, (1, 2, 32, 32), 3, kernel, stride=(2, 2))
            found = BACKEND.decide(problem, Policy())
            (decision,) = [d for d in found if d.algorithm == "winograd"]
            outputs = 64 if operation == "conv_input_grad" else 16
            if operation != "conv_weight_grad":
                assert f"{products} products for {outputs} outputs" in decision.reason


def test_a_small_gain_is_not_worth_its_rounding():
    problem = problem_of("conv_forward", **WIDE)
    first, *others = BACKEND.decide(problem, Policy())
    assert first.algorithm == "winograd"
    direct = min(d.seconds for d in others if not d.algorithm.startswith("winograd"))
    assert first.seconds * Winograd(6).least_gain(problem, "float32") <= direct
    tiny = problem_of("conv_forward", (1, 1, 9, 9), 1, (3, 3))
    assert not BACKEND.decide(tiny, Policy())[0].algorithm.startswith("winograd")


def test_it_says_why_not():
    def reason(problem, **policy):
        decision = Winograd(6).decide(problem, Policy(**policy))
        assert not decision.can
        return decision.reason

    wide = problem_of("conv_forward", **WIDE)
    strided = replace(wide, stride=(2, 2), dilation=(1, 2))
    assert "no dilation where there is a stride" in reason(strided)
    assert "strides up to 4, not (5, 1)" in reason(replace(wide, stride=(5, 1)))
    backward = problem_of("conv_input_grad", **WIDE)
    assert "strides up to 2, along two axes" in reason(replace(backward, stride=(3, 3)))
    assert "one tap" in reason(problem_of("conv_forward", (1, 8, 9, 9), 8, (3, 1)))
    limited = Winograd(6).decide(wide, Policy(workspace_limit=2**16))
    assert limited.over_limit
    assert "over the limit of 65536" in limited.reason
    double = replace(wide, **{n: replace(getattr(wide, n), dtype="float64") for n in "xy"})
    assert "float32 and 16 bits, not float64" in reason(double)


def test_precision_and_tolerance_decide_whether_it_is_taken():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, 64, 28, 28)).astype("float32")
    weight = rng.standard_normal((64, 64, 3, 3)).astype("float32")
    with fastconv.trace() as ran:
        fastconv.conv2d(x, weight, padding=1)
        fastconv.conv2d(x, weight, padding=1, tolerance=2.0**-17)
        fastconv.conv2d(x, weight, padding=1, precision="float32_strict")
    assert [r.algorithm for r in ran[:2]] == ["winograd", "winograd_2x2"]
    assert not ran[2].algorithm.startswith("winograd")
