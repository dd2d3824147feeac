"""Kernels that round to float16 know by the processor's flag whether a result was too large."""

import warnings

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

import fastconv  # noqa: E402
from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.implicit_gemm import ImplicitGemm  # noqa: E402
from fastconv.cpu.pointwise import Pointwise  # noqa: E402
from fastconv.cpu.winograd import Winograd  # noqa: E402
from fastconv.dispatch.request import contiguous  # noqa: E402
from fastconv.problem import ConvProblem, Operand  # noqa: E402

CANDIDATES = {
    "implicit_gemm": (ImplicitGemm(), 3),
    "winograd": (Winograd(6), 3),
    "winograd_2x2": (Winograd(4), 3),
    "pointwise": (Pointwise(), 1),
}
ROUNDED_BY_INTEGERS = ("baseline",)


def returned(candidate, x, weight, threads):
    """Run a convolution; return its result, and what its plan returned."""
    same = weight.shape[-1] // 2
    y = np.empty((x.shape[0], weight.shape[0], *x.shape[2:]), np.float16)
    arrays = {"x": x, "weight": weight, "y": y}
    problem = ConvProblem(
        function="conv",
        operation="conv_forward",
        device="cpu",
        **{k: Operand(v.shape, contiguous(v.shape, 2), "float16") for k, v in arrays.items()},
        stride=(1, 1),
        padding=((same, same),) * 2,
        dilation=(1, 1),
        groups=1,
    )
    decision = candidate.decide(problem, Policy(threads=threads))
    assert decision.can, decision.reason
    plan = candidate.plan(problem, decision)
    workspace = np.full(plan.workspace_bytes, 0, np.uint8)
    return y, plan.run([x, weight], [y], workspace)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", list(CANDIDATES))
def test_one_result_too_large_is_noted_wherever_it_is(level, name, threads):
    candidate, extent = CANDIDATES[name]
    rng = np.random.default_rng(1)
    shape = (3, 9, 29, 33)
    x = rng.standard_normal(shape).astype(np.float16)
    weight = rng.standard_normal((10, 9, extent, extent)).astype(np.float16)
    y, overflowed = returned(candidate, x, weight, threads)
    assert np.isfinite(y).all()
    assert overflowed is (None if level in ROUNDED_BY_INTEGERS else False)
    for _ in range(5):
        large = x.copy()
        large[tuple(rng.integers(0, shape))] = 65504
        y, overflowed = returned(candidate, large, weight, threads)
        assert np.isinf(y).any()
        assert overflowed is None


@pytest.mark.parametrize("name", list(CANDIDATES))
def test_an_infinity_that_was_given_is_no_overflow(level, name):
    candidate, extent = CANDIDATES[name]
    x = np.ones((1, 2, 9, 9), np.float16)
    x[0, 1, 4, 4] = np.inf
    y, overflowed = returned(candidate, x, np.ones((3, 2, extent, extent), np.float16), 1)
    assert not np.isfinite(y).all()
    assert overflowed is (None if level in ROUNDED_BY_INTEGERS else False)


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_callers_are_warned_once_a_call(threads, prepared):
    x = np.ones((2, 4, 40, 40), np.float16)
    weight = np.ones((8, 4, 3, 3), np.float16)
    given = fastconv.prepare(weight, x, padding=1) if prepared else weight
    for place in [None, (0, 0, 0, 0), (1, 3, 39, 39)]:
        if place is not None:
            x[place] = 65504
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            fastconv.conv2d(x, given, padding=1, threads=threads)
        assert len(seen) == (place is not None)
        x[...] = 1
