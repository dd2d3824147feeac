"""The phases of an input gradient."""

from math import prod

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastconv.cpu.implicit_gemm.phases import (  # noqa: E402
    leaves_gaps,
    phase_count,
    phases_of,
)
from fastconv.dispatch.request import contiguous  # noqa: E402
from fastconv.problem import ConvProblem, Operand  # noqa: E402


def _problem(extents, kernel, stride, pads, dilation):
    spatial = tuple(
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, (a, b), d in zip(extents, kernel, stride, pads, dilation, strict=True)
    )
    shapes = {"x": (2, 3, *extents), "weight": (4, 3, *kernel), "y": (2, 4, *spatial)}
    return ConvProblem(
        function="conv",
        operation="conv_input_grad",
        device="cpu",
        **{name: Operand(s, contiguous(s, 4), "float32") for name, s in shapes.items()},
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=1,
    )


@st.composite
def problems(draw):
    ndim = draw(st.integers(1, 3))
    axes = [
        (
            draw(st.integers(1, 4)),
            draw(st.integers(1, 7)),
            (draw(st.integers(0, 3)), draw(st.integers(0, 3))),
            draw(st.integers(1, 4)),
        )
        for _ in range(ndim)
    ]
    kernel, stride, pads, dilation = zip(*axes, strict=True)
    extents = tuple(
        max(1, (k - 1) * d + 1 - a - b) + draw(st.integers(0, 6)) for k, _, (a, b), d in axes
    )
    return _problem(extents, kernel, stride, pads, dilation)


@settings(max_examples=300)
@given(problems())
def test_phases_share_out_the_taps_and_the_inputs(problem):
    phases = phases_of(problem)
    assert len(phases) <= phase_count(problem)
    inputs = np.zeros(problem.x.shape[2:], int)
    taps = np.zeros(problem.kernel, int)
    for phase in phases:
        assert inputs[phase.places].size > 0
        assert taps[phase.taps].size > 0
        inputs[phase.places] += 1
        taps[phase.taps] += 1
    assert inputs.max(initial=0) <= 1
    assert taps.max() <= 1
    assert leaves_gaps(problem) == bool((inputs == 0).any())
    # A tap in no phase reaches no input, wherever its window lies.
    for tap in np.argwhere(taps == 0):
        for place in np.ndindex(problem.y.shape[2:]):
            at = [
                p * s + t * d - a
                for p, s, t, d, (a, _) in zip(
                    place, problem.stride, tap, problem.dilation, problem.padding, strict=True
                )
            ]
            assert any(not 0 <= i < n for i, n in zip(at, problem.x.shape[2:], strict=True))


def test_huge_strides_have_no_more_phases_than_the_kernel_has_taps():
    problem = _problem((10**6, 10**6), (2, 3), (10**6, 10**5), ((0, 0),) * 2, (1, 1))
    assert phase_count(problem) == prod(problem.kernel)
    assert len(phases_of(problem)) == 6
