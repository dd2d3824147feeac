"""The oracle against formulas written out, and against itself through adjoints."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fastconv.problem import ConvProblem, Operand, PoolProblem, Window
from fastconv.testing import all_cases, case_named, solve
from fastconv.testing.oracle.activations import activate


def case_and_inputs(name):
    problem = case_named(name).problem()
    return problem, case_named(name).input_values(problem)


def loops(problem, x, weight):
    """Convolution as its definition reads."""
    y = np.zeros(problem.y.shape, np.result_type(x, weight, np.float64))
    inner, outer = weight.shape[1], weight.shape[0] // problem.groups
    for n, o, *position in np.ndindex(y.shape):
        first = o // outer * inner
        for c, *tap in np.ndindex(weight.shape[1:]):
            at = [
                p * s + k * d - before
                for p, s, k, d, (before, _) in zip(
                    position,
                    problem.stride,
                    tap,
                    problem.dilation,
                    problem.padding,
                    strict=True,
                )
            ]
            if all(0 <= i < extent for i, extent in zip(at, x.shape[2:], strict=True)):
                y[(n, o, *position)] += x[(n, first + c, *at)] * weight[(o, c, *tap)]
    return y


GEOMETRIES = (
    "padded-float64",
    "grouped-strided-float64",
    "grouped-strided-complex128",
    "dilated-strided-float32",
    "asymmetric-float32",
    "padding-past-kernel-float32",
    "depthwise-multiplier-float32",
    "1d-strided-float32",
    "3d-strided-float32",
)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_forward_is_the_definition(name):
    problem, (x, weight) = case_and_inputs(f"conv_forward-{name}")
    (expected,) = solve(problem, (x, weight))
    wide = [a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) for a in (x, weight)]
    np.testing.assert_allclose(expected.values, loops(problem, *wide), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        expected.magnitudes, loops(problem, *map(np.abs, wide)), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_gradients_are_adjoint_to_the_forward_pass(name):
    problem, (x, weight) = case_and_inputs(f"conv_forward-{name}")
    y = np.random.default_rng(1).standard_normal(problem.y.shape)

    def solved(operation, *inputs):
        fields = {
            field: getattr(problem, field)
            for field in (
                "function",
                "device",
                "x",
                "weight",
                "y",
                "stride",
                "padding",
                "dilation",
                "groups",
            )
        }
        return solve(ConvProblem(operation=operation, **fields), inputs)[0].values

    paired = (solved("conv_forward", x, weight) * y).sum()
    through_x = (solved("conv_input_grad", y, weight) * x).sum()
    through_weight = (solved("conv_weight_grad", x, y) * weight).sum()
    np.testing.assert_allclose(through_x, paired, rtol=1e-10)
    np.testing.assert_allclose(through_weight, paired, rtol=1e-10)


def test_gradients_conjugate_what_they_should():
    for operation, other in (("conv_input_grad", "weight"), ("conv_weight_grad", "x")):
        problem, inputs = case_and_inputs(f"{operation}-grouped-strided-conjugate-complex128")
        plain, plain_inputs = case_and_inputs(f"{operation}-grouped-strided-complex128")
        assert problem.conjugate
        assert not plain.conjugate
        position = 1 if other == "weight" else 0
        conjugated = [a.conj() if i == position else a for i, a in enumerate(inputs)]
        assert len(plain_inputs) == len(inputs)
        np.testing.assert_array_equal(
            solve(problem, inputs)[0].values, solve(plain, conjugated)[0].values
        )


def test_columns_and_their_adjoint():
    problem, (x,) = case_and_inputs("im2col-dilated-float32")
    (columns,) = solve(problem, (x,))
    back, _ = case_and_inputs("col2im-dilated-float32")
    other = np.random.default_rng(2).standard_normal(columns.values.shape)
    (image,) = solve(back, (other,))
    np.testing.assert_allclose((columns.values * other).sum(), (x * image.values).sum(), rtol=1e-5)


def pool(operation, x_shape, windows, **more):
    def operand(shape, dtype="float64"):
        return Operand(shape, (0,) * len(shape), dtype)

    y = (*x_shape[:2], *(w.count for w in windows))
    return PoolProblem(
        function="test",
        operation=operation,
        device="cpu",
        x=operand(x_shape),
        y=operand(y),
        windows=tuple(windows),
        **more,
    )


def test_maximum_takes_the_first_of_equals_and_the_last_nan():
    windows = [Window(length=6, count=3, kernel=2, stride=2)]
    operand = Operand((1, 1, 3), (24, 24, 8), "int64")
    problem = pool("max_pool", (1, 1, 6), windows, indices=operand)
    x = np.array([[[3.0, 3.0, np.nan, np.nan, -np.inf, -np.inf]]])
    values, indices = solve(problem, (x,))
    np.testing.assert_array_equal(values.values, [[[3.0, np.nan, -np.inf]]])
    np.testing.assert_array_equal(indices.values, [[[0, 3, 4]]])


def test_averages_share_out_their_divisor():
    # Windows of 3 with stride 2 over [pad] 1 2 3 4 [pad]; the last one goes past the padding.
    def averages(**options):
        divisor = options.pop("divisor", None)
        window = Window(length=4, count=3, kernel=3, stride=2, padding=(1, 1), **options)
        problem = pool("avg_pool", (1, 1, 4), [window], divisor=divisor)
        return solve(problem, (np.array([[[1.0, 2.0, 3.0, 4.0]]]),))[0].values.tolist()

    assert averages() == [[[1.5, 3.0, 4.0]]]
    assert averages(count_padding=True) == [[[1.0, 3.0, 2.0]]]
    assert averages(divisor=2) == [[[1.5, 4.5, 2.0]]]


def test_adaptive_windows_overlap_as_needed():
    problem = pool("avg_pool", (1, 1, 5), [Window(length=5, count=3, adaptive=True)])
    (expected,) = solve(problem, (np.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]]),))
    assert expected.values.tolist() == [[[1.5, 3.0, 4.5]]]


@pytest.mark.parametrize("operation", ["avg_pool", "lp_pool"])
def test_pool_gradients_are_finite_differences(operation):
    windows = [
        Window(length=5, count=3, kernel=3, stride=2, padding=(1, 1)),
        Window(length=4, count=2, kernel=2, stride=2),
    ]
    x = np.random.default_rng(3).uniform(0.5, 2, (1, 2, 5, 4))
    norm = {"norm_type": 3.0, "kernel_volume": 6} if operation == "lp_pool" else {}
    problem = pool(operation, x.shape, windows, **norm)
    grad = np.random.default_rng(4).standard_normal(problem.y.shape)
    backward = pool(f"{operation}_backward", x.shape, windows, **norm)
    inputs = (grad, x) if operation == "lp_pool" else (grad,)
    (gradient,) = solve(backward, inputs)
    step = 1e-6
    for at in product(*map(range, x.shape)):
        moved = [x.copy(), x.copy()]
        moved[0][at] += step
        moved[1][at] -= step
        up, down = (solve(problem, (m,))[0].values for m in moved)
        slope = ((up - down) * grad).sum() / (2 * step)
        assert slope == pytest.approx(gradient.values[at], abs=1e-7)


def test_activations_at_known_points():
    values = np.array([-8.0, -1.0, 0.0, 1.0, 8.0])
    assert activate("relu", values).tolist() == [0, 0, 0, 1, 8]
    assert activate("relu6", values).tolist() == [0, 0, 0, 1, 6]
    assert activate("leaky_relu", values).tolist() == [-0.08, -0.01, 0, 1, 8]
    for name, at_minus_one, at_one in (
        ("sigmoid", 0.268941421369995, 0.731058578630005),
        ("silu", -0.268941421369995, 0.731058578630005),
        ("gelu", -0.158655253931457, 0.841344746068543),
    ):
        np.testing.assert_allclose(activate(name, values)[[1, 3]], [at_minus_one, at_one])


def test_the_error_measure_covers_all_terms():
    for case in all_cases():
        if case.slow or case.operation.startswith(("max", "lp")):
            continue
        problem = case.problem()
        for expected in solve(problem, case.input_values(problem)):
            if expected.magnitudes is None or case.values == "special" or expected.activated:
                continue
            assert (np.abs(expected.values) <= expected.magnitudes * (1 + 1e-9)).all(), case.name
