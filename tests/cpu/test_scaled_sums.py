"""precision="int8" on float32 arrays: exact sums of integers, scaled as they are stored."""

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")
pytest.importorskip("ml_dtypes")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from narrow_support import operand, result_of  # noqa: E402

from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.backend import BACKEND  # noqa: E402
from fastconv.cpu.lowered.scales import LARGEST  # noqa: E402
from fastconv.problem import ConvProblem  # noqa: E402
from fastconv.testing.oracle import solve  # noqa: E402


def steps_of(array, axes):
    """Return an array's whole numbers, and the scales along its first axis or for all of it."""
    most = abs(array).max(axes, keepdims=True)
    scale = np.maximum(most / np.float32(LARGEST), np.float32(2.0**-149))
    return np.rint(array / scale).astype(np.float32), scale


def channels_last(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31), inner=st.integers(1, 20), outer=st.integers(1, 40),
    groups=st.sampled_from([1, 1, 2, 5]), taps=st.sampled_from([1, 2, 3, 5]),
    stride=st.integers(1, 2), extents=st.tuples(st.integers(5, 24), st.integers(5, 24)),
    depthwise=st.booleans(), with_bias=st.booleans(), last=st.booleans(),
    activation=st.sampled_from([None, "relu", "silu"]),
)  # fmt: skip
def test_sums_are_exact_and_scaled_once(
    narrow_level, seed, inner, outer, groups, taps, stride, extents, depthwise, with_bias, last,
    activation,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    if depthwise:
        groups, inner, outer = inner, 1, 1 + outer % 2
    out = [(n - 1) // stride + 1 for n in extents]
    pads = ((taps // 2, (taps - 1) // 2),) * 2
    lay = channels_last if last else np.ascontiguousarray
    x = lay(rng.standard_normal((3, groups * inner, *extents)).astype("f4"))
    weight = rng.standard_normal((groups * outer, inner, taps, taps)).astype("f4")
    bias = rng.standard_normal(len(weight)).astype("f4") if with_bias else None
    target = lay(np.zeros((3, groups * outer, *out), "f4"))
    given_ = (x, weight) if bias is None else (x, weight, bias)
    problem = ConvProblem(
        function="test", operation="conv_forward", device="cpu", x=operand(x),
        weight=operand(weight), y=operand(target), bias=None if bias is None else operand(bias),
        stride=(stride, stride), padding=pads, dilation=(1, 1), groups=groups,
        activation=activation,
    )  # fmt: skip
    whole, x_scale = steps_of(x, None)
    steps, scales = steps_of(weight, (1, 2, 3))
    factors = np.float64(np.float32(scales.ravel() * x_scale.ravel()))
    plain = ConvProblem(
        function="test", operation="conv_forward", device="cpu", x=operand(whole),
        weight=operand(steps), y=operand(target), stride=(stride, stride), padding=pads,
        dilation=(1, 1), groups=groups,
    )  # fmt: skip
    (sums,) = solve(plain, (whole, steps))
    expected = sums.values * factors.reshape(-1, 1, 1)
    reach = abs(expected)
    if bias is not None:
        expected, reach = expected + bias.reshape(-1, 1, 1), reach + abs(bias.reshape(-1, 1, 1))
    if activation == "relu":
        expected = np.maximum(expected, 0)
    elif activation == "silu":
        expected = expected / (1 + np.exp(-expected))
    for decision in BACKEND.decide(problem, Policy(precision="int8")):
        if decision.can and decision.algorithm != "reference":
            _, found = result_of(decision.algorithm, problem, given_, target, "int8")
            assert (abs(found - expected) <= 2.0**-21 * reach + 1e-30).all(), decision.algorithm


def test_steps_are_of_few_taps_forward():
    geometry = core.Geometry((4, 4), (3, 3), (1, 1), (1, 1), (1, 1), (4, 4))
    x, weight, y = (np.ones(shape, "f4") for shape in ((1, 2, 4, 4), (2, 1, 3, 3), (1, 2, 4, 4)))
    table, each = core.depthwise_bytes(geometry, "conv_forward", 1, "float32", False, 4096)
    spaces = np.empty(table, "u1"), np.empty(each, "u1")
    rest = ("float32", False, 0, 0.0, 4096, *spaces, 1, None, "")
    factors = np.ones(2, "f4")

    def run(bias, factors):
        steps = (1.0, factors, None)
        core.depthwise(geometry, "conv_forward", x, weight, y, bias, *rest, steps)

    run(None, factors)
    assert y[0, 0, 1, 1] == 9
    with pytest.raises(ValueError, match="steps: expected 2 factors"):
        run(None, factors[:1])
    with pytest.raises(ValueError, match="steps: expected a few taps of float32, forward"):
        run(factors, factors)


def test_only_sums_of_bytes_are_scaled():
    geometry = core.Geometry((4, 4), (1, 1), (1, 1), (0, 0), (1, 1), (4, 4))
    shapes = ((1, 2, 4, 4), (2, 2, 1, 1), (1, 2, 4, 4))
    product = (geometry, (0, 0), (1, 1), (0, 0), (1, 1), 1, 4, 4, 1, 1, False, False)
    options = {"dtype": "int8", "groups": 1, "transposed": False, "tile_rows": 2}
    core.Convolution(*shapes, [product], target_size=4, scales=True, **options)
    with pytest.raises(ValueError, match="scales: expected False"):
        core.Convolution(*shapes, [product], target_size=1, scales=True, **options)
