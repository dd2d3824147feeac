"""The kit catches faults: backends that are wrong in one way each fail it."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from fastconv.backend import Decision
from fastconv.testing import (
    ConformanceError,
    all_cases,
    case_named,
    check_case,
    check_memory,
    check_precisions,
    check_unknown_operation,
)
from fastconv.testing.asking import check_info, check_probe


class WrapperPlan:
    """The template's plan, with a fault put around its `run`."""

    def __init__(self, plan, fault):
        self._plan, self._fault = plan, fault
        self.problem = plan.problem
        self.workspace_bytes = plan.workspace_bytes
        self.empty = plan.empty

    def run(self, inputs, outputs, workspace, stream=None):
        self._fault(self._plan, inputs, outputs, workspace)


@pytest.fixture
def with_run(template):
    """Return a function that makes a backend whose plans run a faulty function."""

    def make(fault):
        class Faulty(template.Backend):
            def plan(self, problem, decision):
                return WrapperPlan(template.Plan(problem, decision.workspace_bytes), fault)

        return Faulty()

    return make


@pytest.fixture
def with_problem(template):
    """Return a function that makes a backend which solves a slightly different problem."""

    def make(change):
        class Faulty(template.Backend):
            def plan(self, problem, decision):
                return template.Plan(change(problem), decision.workspace_bytes)

        return Faulty()

    return make


@pytest.fixture
def with_decision(template):
    """Return a function that makes a backend whose decisions are changed."""

    def make(change):
        class Faulty(template.Backend):
            def decide(self, problem, policy):
                return change(super().decide(problem, policy), policy)

        return Faulty()

    return make


def check(backend, name="padded-float32"):
    return check_case(backend, case_named(f"conv_forward-{name}"))


def test_the_template_itself_passes(template):
    assert check(template.BACKEND).ran == ("einsum float32",)


def shifted(problem):
    return replace(problem, padding=tuple((b + 1, a - 1) for b, a in problem.padding))


def undilated(problem):
    # A 3x3 kernel moved so that its centre stays in place.
    pads = zip(problem.padding, problem.dilation, strict=True)
    moved = tuple((b - (d - 1), a - (d - 1)) for (b, a), d in pads)
    return replace(problem, dilation=(1, 1), padding=moved)


@pytest.mark.parametrize(
    ("change", "case"),
    [
        (shifted, "padded-float32"),
        (undilated, "dilated-float32"),
        (lambda p: replace(p, stride=p.stride[::-1]), "strided-float32"),
        (lambda p: replace(p, conjugate=False), "grouped-strided-conjugate-complex64"),
    ],
    ids=["padding-off-by-one", "dilation-ignored", "strides-swapped", "conjugate-ignored"],
)
def test_a_wrong_geometry(with_problem, change, case):
    with pytest.raises((ConformanceError, ValueError), match=f"conv_forward-{case}|einsum|operand"):
        check(with_problem(change), case)


def test_lower_precision_sums(with_run):
    def fault(plan, inputs, outputs, workspace):
        coarse = [array.astype(np.float16).astype(array.dtype) for array in inputs]
        plan.run(coarse, outputs, workspace)

    with pytest.raises(ConformanceError, match="times what the published error_bound"):
        check(with_run(fault), "long-sum-float32")


def write_past(array):
    beyond = as_strided(array, (array.shape[0] + 1, *array.shape[1:]), array.strides)
    beyond[-1] = 0


def test_writes_outside_an_output(with_run):
    def fault(plan, inputs, outputs, workspace):
        plan.run(inputs, outputs, workspace)
        write_past(outputs[0][:, 0, 0, 0])

    with pytest.raises(ConformanceError, match="outside an output"):
        check(with_run(fault))


def test_writes_between_the_elements_of_a_strided_output(with_run):
    def fault(plan, inputs, outputs, workspace):
        plan.run(inputs, outputs, workspace)
        y = outputs[0]
        as_strided(y, (2,), (y.itemsize,))[1] = 0

    with pytest.raises(ConformanceError, match="outside an output"):
        check(with_run(fault), "padded-sliced-output-float32")


def test_writes_outside_the_workspace(with_run):
    def fault(plan, inputs, outputs, workspace):
        plan.run(inputs, outputs, workspace)
        write_past(workspace)

    with pytest.raises(ConformanceError, match="outside its workspace"):
        check(with_run(fault))


def test_changes_an_input(with_run):
    def fault(plan, inputs, outputs, workspace):
        plan.run(inputs, outputs, workspace)
        if inputs[1].flags.writeable:
            inputs[1][0] *= 2

    with pytest.raises(ConformanceError, match="writes to an input"):
        check(with_run(fault))


def test_needs_writable_inputs(with_run):
    def fault(plan, inputs, outputs, workspace):
        if not all(array.flags.writeable for array in inputs):
            raise ValueError("buffer source array is read-only")
        plan.run(inputs, outputs, workspace)

    with pytest.raises(ValueError, match="read-only") as caught:
        check(with_run(fault))
    assert "conv_forward-padded-float32" in caught.value.__notes__[0]


def test_results_that_do_not_repeat(with_run):
    rng = np.random.default_rng()

    def fault(plan, inputs, outputs, workspace):
        plan.run(inputs, outputs, workspace)
        y = outputs[0]
        y[...] = np.nextafter(y, rng.choice([-np.inf, np.inf], y.shape), dtype=y.dtype)

    with pytest.raises(ConformanceError, match="other bits"):
        check(with_run(fault))


def test_a_plan_that_threads_cannot_share(with_run):
    shared = {}

    def fault(plan, inputs, outputs, workspace):
        shared["x"] = inputs[0]
        time.sleep(0.002)
        plan.run([shared["x"], *inputs[1:]], outputs, workspace)

    with pytest.raises(ConformanceError, match="threads running one plan"):
        check(with_run(fault))


def test_adds_to_what_the_output_held(with_run):
    def fault(plan, inputs, outputs, workspace):
        before = outputs[0].copy()
        plan.run(inputs, outputs, workspace)
        outputs[0][...] += before

    with pytest.raises(ConformanceError, match="expected"):
        check(with_run(fault))


def test_takes_the_workspace_for_zeros(template):
    class Plan(template.Plan):
        def run(self, inputs, outputs, workspace, stream=None):
            class Kept(np.ndarray):
                def fill(self, value):
                    pass

            ordinary = template.np.ndarray
            template.np.ndarray = Kept
            try:
                super().run(inputs, outputs, workspace)
            finally:
                template.np.ndarray = ordinary

    class Faulty(template.Backend):
        def plan(self, problem, decision):
            return Plan(problem, decision.workspace_bytes)

    with pytest.raises(ConformanceError, match="expected"):
        check(Faulty())


@pytest.mark.parametrize(("value", "number"), [(np.nan, 0.0), (np.inf, 3e38), (-np.inf, np.inf)])
def test_forgets_special_values(with_run, value, number):
    def fault(plan, inputs, outputs, workspace):
        plan.run(inputs, outputs, workspace)
        y = outputs[0]
        y[np.isnan(y) if np.isnan(value) else y == value] = number

    with pytest.raises(ConformanceError, match="such elements"):
        check(with_run(fault), "padded-special-float32")


def test_a_plan_that_asks_for_more_than_its_decision(with_decision):
    backend = with_decision(
        lambda found, policy: [replace(d, workspace_bytes=d.workspace_bytes // 2) for d in found]
    )
    plan = backend.plan
    backend.plan = lambda problem, decision: plan(
        problem, replace(decision, workspace_bytes=2 * decision.workspace_bytes)
    )
    with pytest.raises(ConformanceError, match="its decision said"):
        check(backend)


def test_a_decision_over_the_limit(with_decision):
    def greedy(found, policy):
        return [replace(d, can=True, workspace_bytes=2**30, algorithm="einsum") for d in found]

    with pytest.raises(ConformanceError, match="past workspace_limit"):
        check(with_decision(greedy))


def test_memory_that_was_not_declared(with_run):
    def fault(plan, inputs, outputs, workspace):
        hidden = np.ones(2**19)
        plan.run(inputs, outputs, workspace)
        del hidden

    with pytest.raises(ConformanceError, match="it allocates"):
        check_memory(with_run(fault), case_named("conv_forward-resnet-float32"))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("float16", "less than precision='float64' allows"),
        ("float64", "times what the published"),
        ("quite good", "expected one of bfloat16, float16"),
    ],
)
def test_a_precision_that_is_not_kept(template, said, message):
    """It takes precision="float64" on float32 arrays, and computes in float32 all the same."""

    class Faulty(template.Backend):
        def why_not(self, problem, policy):
            return "" if policy.precision == "float64" else "it has that one precision"

        def decide(self, problem, policy):
            bound = 1e-12 if said == "float64" else 1e-3
            found = super().decide(problem, policy)
            return [replace(d, precision=said, error_bound=bound) for d in found]

    with pytest.raises(ConformanceError, match=message):
        check_precisions(Faulty(), case_named("conv_forward-long-sum-float32"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"error_bound": float("inf")}, "error_bound is inf"),
        ({"error_bound": float("nan")}, "error_bound is nan"),
        ({"error_bound": 0.5}, "sums are at least float32"),
        ({"error_bound": 0.0}, "times what the published"),
        ({"seconds": -1.0}, "seconds"),
        ({"threads": 0}, "threads"),
        ({"precision": ""}, "precision"),
        ({"threads": 2}, "threads"),
        ({"can": False, "reason": " "}, "without a reason"),
    ],
)
def test_malformed_decisions(with_decision, changes, message):
    backend = with_decision(lambda found, policy: [replace(d, **changes) for d in found])
    with pytest.raises(ConformanceError, match=message):
        check(backend, "long-sum-float32")


def test_a_refusal_before_an_acceptance(with_decision):
    backend = with_decision(lambda found, policy: [Decision(False, "it is shy", "shy"), *found])
    with pytest.raises(ConformanceError, match="refusal before"):
        check(backend)


def test_decisions_that_change_when_asked_again(with_decision):
    ticks = iter(range(100))
    backend = with_decision(
        lambda found, policy: [replace(d, seconds=float(next(ticks))) for d in found]
    )
    with pytest.raises(ConformanceError, match="asked again"):
        check(backend)


def test_no_decision_at_all(with_decision):
    with pytest.raises(ConformanceError, match="no Decision"):
        check(with_decision(lambda found, policy: []))


def test_an_operation_that_info_does_not_name(template):
    class Faulty(template.Backend):
        info = replace(template.Backend.info, operations=("max_pool",))

        def why_not(self, problem, policy):
            return ""

    with pytest.raises(ConformanceError, match=r"info\.operations"):
        check(Faulty())


def test_an_unknown_operation_taken_or_stumbled_over(template):
    class Taker(template.Backend):
        def why_not(self, problem, policy):
            return ""

    class Stumbler(template.Backend):
        def why_not(self, problem, policy):
            return {"conv_forward": ""}[problem.operation]

    check_unknown_operation(template.BACKEND)
    with pytest.raises(ConformanceError, match="doesn't exist"):
        check_unknown_operation(Taker())
    with pytest.raises(KeyError):
        check_unknown_operation(Stumbler())


@pytest.mark.parametrize(
    "changes",
    [
        {"api_version": 0},
        {"name": ""},
        {"array_types": ("ndarray",)},
        {"array_types": "numpy.ndarray"},
        {"operations": ("conv_sideways",)},
        {"operations": ()},
        {"device_kinds": ["cpu"]},
    ],
)
def test_malformed_info(template, changes):
    class Faulty(template.Backend):
        info = replace(template.Backend.info, **changes)

    with pytest.raises(ConformanceError, match="info"):
        check_info(Faulty())


def test_malformed_probes(template):
    def backend(result):
        faulty = template.Backend()
        faulty.probe = lambda: result
        return faulty

    probe = type(template.BACKEND.probe())
    for result in (None, probe(), probe(("cuda:0",))):
        with pytest.raises(ConformanceError, match="probe"):
            check_probe(backend(result))


def test_an_empty_of_the_wrong_kind(template):
    class Plan(template.Plan):
        def __init__(self, problem, needed):
            super().__init__(problem, needed)
            self.empty = lambda shape, dtype: np.empty(shape, dtype, order="F")

    class Faulty(template.Backend):
        def plan(self, problem, decision):
            return Plan(problem, decision.workspace_bytes)

    with pytest.raises(ConformanceError, match="C-contiguous"):
        check(Faulty())


def test_every_case_of_the_template_matters(template):
    """A backend that returns zeros is found out by each case that has anything to compute."""

    class Plan(template.Plan):
        def run(self, inputs, outputs, workspace, stream=None):
            outputs[0][...] = 0

    class Faulty(template.Backend):
        def plan(self, problem, decision):
            return Plan(problem, decision.workspace_bytes)

    for case in all_cases():
        if case.slow or case.operation != "conv_forward" or "empty" in case.name:
            continue
        if "denormal" in case.name:  # within the floor of the error measure
            continue
        if check_case(template.BACKEND, case).ran:
            with pytest.raises(ConformanceError):
                check_case(Faulty(), case)
