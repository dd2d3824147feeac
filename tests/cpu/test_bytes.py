"""Linear layers of bytes, and of float32 in int8, by the core's own product, at every level."""

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import fastconv  # noqa: E402
from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.cpu.reference.activations import activate  # noqa: E402
from fastconv.dispatch.cache import PLANS  # noqa: E402
from fastconv.functional.quantized import integer_conv  # noqa: E402
from fastconv.problem import IntegerConvProblem, Operand  # noqa: E402

# Around a tile, a panel, an item and a vector of items; beyond a block of panels at every level.
rows = st.integers(1, 20) | st.sampled_from([63, 129, 300])
columns = st.integers(1, 40) | st.integers(90, 110)
depths = st.integers(1, 70) | st.sampled_from([255, 256, 1027, 17000])
signs = st.sampled_from(["int8", "uint8"])


def _bytes(rng, shape, dtype):
    ends = np.iinfo(dtype)
    return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)


def _laid_out(rng, layouts, values):
    kind = rng.integers(4)
    if kind == 3:
        return layouts.strided(rng, values)
    return np.asfortranarray(values) if kind == 2 else values


def _operand(array):
    return Operand(array.shape, array.strides, array.dtype.name)


def _solved(inputs, target, packed):
    """Return what the product gives on any number of threads, for arrays by their field."""
    operands = {name: _operand(array) for name, array in inputs.items()}
    problem = IntegerConvProblem(
        function="test",
        operation="conv_requantized" if "multiplier" in inputs else "conv_integer",
        device="cpu", **operands, y=_operand(target), stride=(1,), padding=((0, 0),),
        dilation=(1,), groups=1,
    )  # fmt: skip
    found = []
    for threads in (1, 2, 3):
        decisions = BACKEND.decide(problem, Policy(threads=threads))
        (decision,) = (d for d in decisions if d.algorithm == "gemm")
        assert decision.can, decision.reason
        plan = BACKEND.plan(problem, decision)
        arrays = list(inputs.values())
        if packed:
            arrays[1] = plan.pack(arrays[1])
        run = plan.run_packed if packed else plan.run
        target[...] = 77
        run(arrays, (target,), np.full(plan.workspace_bytes, 255, np.uint8))
        found.append(target.copy())
    assert all((each == found[0]).all() for each in found[1:])
    return found[0][0].T


def _wide(values):
    return values.astype(np.int64)


def _zeros_of(rng, count, dtype, kind):
    if kind == "none":
        return None
    if kind == "middle":
        return np.full(1, 128 if dtype == "uint8" else 0, dtype)
    return _bytes(rng, 1 if kind == "one" else count, dtype)


@settings(max_examples=150, deadline=None)
@given(
    rows, columns, depths, signs, signs, st.sampled_from(["none", "middle", "one", "each"]),
    st.booleans(), st.booleans(), st.sampled_from([None, "int8", "uint8"]),
    st.integers(0, 2**31),
)  # fmt: skip
def test_sums_are_exact(
    narrow_level, layouts, m, n, k, x_sign, w_sign, zeros, packed, with_bias, result, seed
):
    rng = np.random.default_rng(seed)
    m = min(m, max(1, 2**20 // k))
    x, w = _bytes(rng, (m, k), x_sign), _bytes(rng, (n, k), w_sign)
    x_zero, w_zero = _bytes(rng, 1, x_sign), _zeros_of(rng, n, w_sign, zeros)
    x, w = _laid_out(rng, layouts, x), _laid_out(rng, layouts, w)
    inputs = {"x": x.T[None], "weight": w[..., None], "x_zero_point": x_zero}
    if w_zero is not None:
        inputs["w_zero_point"] = w_zero
    less = 0 if w_zero is None else _wide(w_zero)[:, None]
    sums = (_wide(x) - _wide(x_zero)) @ (_wide(w) - less).T
    if with_bias:
        inputs["bias"] = rng.integers(-9999, 9999, n, "int32")
        sums += inputs["bias"]
    wide = np.zeros((1, m, n + int(rng.integers(3))), result or "int32")
    target = wide[..., :n].transpose(0, 2, 1)
    if result is not None:
        factors = rng.uniform(1e-6, 1e-2, n if seed % 2 else 1).astype(np.float32)
        y_zero = _bytes(rng, 1, result)
        inputs |= {"multiplier": factors, "y_zero_point": y_zero}
        whole = np.rint(sums.astype(np.float32) * factors) + np.float32(y_zero)
        sums = np.clip(whole, np.iinfo(result).min, np.iinfo(result).max)
    found = _solved(inputs, target, packed)
    np.testing.assert_array_equal(found, sums.astype(np.int32 if result is None else result))
    assert (wide[..., n:] == 0).all(), "columns beside the result were written"


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_positions_of_several_images_are_rows(narrow_level, axes):
    rng = np.random.default_rng(axes)
    x = _bytes(rng, (3, *(4, 5, 2)[:axes], 70), "int8")
    w = _bytes(rng, (51, 70), "int8")
    PLANS.clear()  # they are of another level
    layout, geometry = ("NWC", "NHWC", "NDHWC")[axes - 1], (1, 0, 1, 1)
    weight, policy = w.reshape(51, 70, *(1,) * axes), {"algorithm": "gemm"}
    y = integer_conv(axes, x, weight, (5, 0), geometry, layout, None, policy)
    np.testing.assert_array_equal(y, (_wide(x) - 5) @ _wide(w).T)


def test_a_workspace_takes_threads_before_it_is_refused():
    w = np.zeros((200, 64, 1), np.int8)
    problem = IntegerConvProblem(
        function="test", operation="conv_integer", device="cpu",
        x=_operand(np.zeros((1, 400, 64), np.uint8).transpose(0, 2, 1)), weight=_operand(w),
        x_zero_point=_operand(np.zeros(1, np.uint8)),
        y=_operand(np.zeros((1, 400, 200), np.int32).transpose(0, 2, 1)),
        stride=(1,), padding=((0, 0),), dilation=(1,), groups=1,
    )  # fmt: skip

    def decision(limit):
        found = BACKEND.decide(problem, Policy(threads=4, workspace_limit=limit))
        return next(d for d in found if d.algorithm == "gemm")

    all_four = decision(2**30).workspace_bytes
    one = all_four - 3 * core.ByteProduct(400, 200, 64, target_size=4).scratch_bytes
    assert decision(all_four).threads == 4
    assert decision(all_four - 1).threads == 3
    assert decision(one).threads == 1
    refused = decision(one - 1)
    assert not refused.can
    assert refused.over_limit
    assert "items" in refused.reason


@settings(max_examples=60, deadline=None)
@given(
    rows, columns, st.integers(1, 70) | st.sampled_from([511, 512, 513, 1100]), st.booleans(),
    st.booleans(), st.sampled_from([None, "relu", "gelu"]), st.integers(0, 2**31),
)  # fmt: skip
def test_float_layers_in_int8_are_products_of_rounded_operands(
    narrow_level, m, n, k, with_bias, fortran, activation, seed
):
    PLANS.clear()  # they are of another level
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((m, k)).astype("f4"), rng.standard_normal((n, k)).astype("f4")
    w *= 10.0 ** rng.integers(-30, 30, (n, 1)).astype("f4")
    w[rng.integers(n)] = 0
    bias = rng.standard_normal(n).astype("f4") if with_bias else None
    scale = np.abs(x).max() / np.float32(127)
    scales = np.maximum(np.abs(w).max(1) / np.float32(127), np.float32(1e-45))
    given_w = np.asfortranarray(w) if fortran else w
    prepared = fastconv.prepare(given_w, like=x)
    options = {"precision": "int8", "activation": activation, "algorithm": "gemm"}
    found = [
        fastconv.linear(x, weight, bias, threads=threads, **options)
        for weight in (given_w, prepared)
        for threads in (1, 3)
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    whole = np.rint(x / scale).astype(np.int64) @ np.rint(w / scales[:, None]).astype(np.int64).T
    with np.errstate(over="ignore"):
        exact = whole * (scales * scale).astype(float) + (0 if bias is None else bias)
        plain = activate(activation, exact)
    size = np.abs(whole) * (scales * scale).astype(float) + (0 if bias is None else np.abs(bias))
    assert (np.abs(found[0] - plain) <= 1e-6 * size + 1e-37).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["x", "weight"])
def test_what_is_not_finite_is_refused(value, place):
    x, w = np.ones((5, 70), "f4"), np.ones((60, 70), "f4")
    {"x": x, "weight": w}[place][4, 69] = value
    with pytest.raises(ValueError, match=f"linear: {place}: got NaN, or values that are infinite"):
        fastconv.linear(x, w, precision="int8", algorithm="gemm")


BAD = [
    (lambda: core.ByteProduct(0, 1, 1, target_size=1), "rows"),
    (lambda: core.ByteProduct(1, 1, 1, target_size=2), "target_size"),
    (lambda: core.ByteProduct(1, 1, 1, target_size=1, scales=True), "target_size"),
    (lambda: core.ByteProduct(1, 1, 1, target_size=4, activation=99), "activation"),
    (lambda: core.ByteProduct(1 << 40, 1, 1 << 40, target_size=4), "62 bits"),
    (lambda: _pack(weight=np.zeros((1, 4, 2), np.int8)), "weight: expected shape"),
    (lambda: _pack(packed=np.zeros(7, np.uint8)), "packed"),
    (lambda: _run(x=np.zeros((1, 2, 2), np.uint8)), "x: expected shape"),
    (lambda: _run(y=np.zeros((1, 3, 2), np.int32).transpose(0, 2, 1)), "columns side by side"),
    (lambda: _run(packed=np.zeros(7, np.uint8)), "packed"),
    (lambda: _run(workspace=np.zeros(7, np.uint8)), "workspace"),
    (lambda: _run(bias=np.zeros(2, np.int32)), "bias"),
    (lambda: _run(zeros=np.zeros(2, np.int32)), "w_zeros: expected 1 or 3"),
]


def _pack(weight=None, packed=None):
    product = core.ByteProduct(2, 3, 4, target_size=4)
    weight = np.zeros((1, 3, 4), np.int8) if weight is None else weight
    product.pack(weight, np.zeros(product.packed_bytes, "u1") if packed is None else packed, 1)


def _run(x=None, y=None, packed=None, workspace=None, bias=None, zeros=None):
    product = core.ByteProduct(2, 3, 4, target_size=4)
    product.run(
        np.zeros((1, 2, 4), np.uint8) if x is None else x,
        np.zeros(product.packed_bytes, np.uint8) if packed is None else packed,
        np.zeros((1, 2, 3), np.int32) if y is None else y,
        bias,
        np.zeros(1 << 20, np.uint8) if workspace is None else workspace,
        1,
        (0, zeros, None, 0, 0, 0),
    )


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
