"""The catalogue: whole, repeatable, and as its names say."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fastconv.problem import OPERATIONS
from fastconv.testing import all_cases, case_named
from fastconv.testing.layouts import GUARD_BYTES, LAYOUTS, buffer_for, view_of
from fastconv.testing.values import KINDS, make


def test_every_operation_has_cases():
    quick = {case.operation for case in all_cases() if not case.slow}
    assert quick == set(OPERATIONS)


def test_every_layout_and_kind_of_values_is_used():
    quick = [case for case in all_cases() if not case.slow]
    assert {spec.layout for case in quick for spec in case.specs.values()} == set(LAYOUTS)
    assert {case.values for case in quick} == set(KINDS)


def test_names_tell_operation_and_dtype():
    for case in all_cases():
        assert case.name.startswith(case.operation + "-")
        assert case.name.endswith(tuple(spec.dtype for spec in case.specs.values()))


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError, match="conv_sideways"):
        case_named("conv_sideways")


def test_values_repeat_and_differ_by_seed():
    case = case_named("conv_forward-padded-float32")
    problem = case.problem()
    first, again = case.input_values(problem), case.input_values(problem)
    other = case.input_values(problem, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4), (2, 3, 7), (0, 3, 2, 2)])
def test_layouts_are_views_of_distinct_elements_between_guards(layout, shape):
    buffer = buffer_for(shape, "float32", layout, 0)
    raw = buffer.view(np.uint8)
    view = view_of(buffer, shape, "float32", layout)
    assert view.shape == shape
    if LAYOUTS[layout].repeat:
        assert view.strides[0] == 0 or shape[0] < 2
        return
    assert np.shares_memory(view, raw) or view.size == 0
    view[...] = np.arange(1, view.size + 1).reshape(shape)
    assert sorted(view.ravel().tolist()) == list(range(1, view.size + 1))
    assert not raw[:GUARD_BYTES].any()
    assert not raw[-(GUARD_BYTES - 1) :].any()


def test_the_strides_are_those_of_the_arrays():
    for case in all_cases():
        if case.slow:
            continue
        problem = case.problem()
        for operand in problem.inputs + problem.outputs:
            _, spec = case.spec(problem, operand)
            buffer = buffer_for(spec.shape, spec.dtype, spec.layout, 0)
            view = view_of(buffer, spec.shape, spec.dtype, spec.layout)
            assert (view.shape, view.strides, view.dtype.name) == (
                operand.shape,
                operand.strides,
                operand.dtype,
            )


def test_special_values_are_there():
    rng = np.random.default_rng(0)
    values = make(rng, (4, 100), "float32", "special", first=True)
    assert np.isnan(values).any()
    assert np.isposinf(values).any()
    assert np.isneginf(values).any()
    assert np.isfinite(make(rng, (4, 100), "float32", "special", first=False)).all()
    tiny = np.abs(make(rng, (100,), "float32", "denormal", first=True))
    assert ((tiny > 0) & (tiny < np.finfo(np.float32).smallest_normal)).any()


def test_cases_and_oracle_need_no_pytest():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import fastconv.testing as kit\n"
        "case = kit.case_named('conv_forward-pixel-float32'); problem = case.problem()\n"
        "print(kit.solve(problem, case.input_values(problem))[0].values.shape)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "(1, 1, 1, 1)"
