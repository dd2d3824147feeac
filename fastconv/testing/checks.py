"""The kit's checks on one case: every decision is planned, run, and held to its word."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastconv.backend import Backend, Decision, Plan, Policy
from fastconv.precision import PRECISIONS
from fastconv.problem import ConvProblem, Problem
from fastconv.testing.arena import POISON, Arena, check_empty
from fastconv.testing.asking import ask, check_probe
from fastconv.testing.cases import Case, case_named
from fastconv.testing.lowered import allowance, is_reached
from fastconv.testing.measure import (
    ConformanceError,
    check_bound,
    check_precision,
    check_values,
    same_bits,
)
from fastconv.testing.oracle import Expected, solve
from fastconv.testing.packing import check_packing

THREADS = 3
# What Python and NumPy take for themselves while a plan runs.
_OWN_BYTES = 256 * 1024
_DEFAULT = Policy()
_REPEATABLE = Policy(deterministic=True)
_ALONE = Policy(threads=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Attributes
    ----------
    case : str
        Its name.
    ran : tuple of str
        The algorithms that ran, all of them rightly.
    reasons : tuple of str
        Why the others didn't.
    """

    case: str
    ran: tuple[str, ...]
    reasons: tuple[str, ...]


@contextmanager
def _naming(case: Case, decision: Decision | None = None) -> Iterator[None]:
    """Put the case's and the algorithm's names before the message of a failure."""
    where = case.name if decision is None else f"{case.name}, algorithm {decision.algorithm!r}"
    try:
        yield
    except ConformanceError as error:
        raise ConformanceError(f"{where}: {error}") from None
    except Exception as error:
        error.add_note(f"in conformance case {where}")
        raise


def device_for(backend: Backend) -> str:
    """Return the device that a backend is tested on: the first that it finds."""
    devices = check_probe(backend)
    if not devices:
        raise ConformanceError(f"it finds no device here: {backend.probe().reason}")
    return devices[0]


def check_case(backend: Backend, case: Case) -> Outcome:
    """Run a case through every decision that a backend takes for it.

    Parameters
    ----------
    backend : Backend
        Any object with the contract's four members.
    case : Case
        One of :func:`fastconv.testing.all_cases`.

    Returns
    -------
    Outcome
        What ran, and the reasons of what declined.

    Raises
    ------
    ConformanceError
        If a decision or its plan breaks the contract.

    Examples
    --------
    >>> import fastconv
    >>> from fastconv.testing import case_named
    >>> cpu = fastconv.backends()[0].backend
    >>> "reference float32" in check_case(cpu, case_named("conv_forward-dilated-float32")).ran
    True
    """
    problem = case.problem(device_for(backend))
    values = case.input_values(problem)
    arena = Arena(backend, case, problem, values)
    with _naming(case):
        repeatable = _asked(backend, problem, _REPEATABLE)
        # What deterministic=True refuses still has to be right, if not bit for bit.
        others = _asked(backend, problem, _DEFAULT)
        _asked(backend, problem, _ALONE)
    expected = solve(problem, values) if any(d.can for d in repeatable + others) else ()
    known = {_label(d) for d in repeatable if d.can}
    for decision in repeatable:
        if decision.can:
            with _naming(case, decision):
                _check_decision(arena, decision, expected, repeats=True)
    for decision in others:
        if decision.can and _label(decision) not in known:
            known.add(_label(decision))
            with _naming(case, decision):
                _check_decision(arena, decision, expected, repeats=False)
    with _naming(case):
        _check_limits(arena, others, expected)
    return Outcome(
        case.name,
        tuple(dict.fromkeys(_label(d) for d in repeatable + others if d.can)),
        tuple(dict.fromkeys(d.reason for d in others if not d.can)),
    )


def _label(decision: Decision) -> str:
    return f"{decision.algorithm} {decision.precision}"


def _asked(backend: Backend, problem: Problem, policy: Policy) -> list[Decision]:
    found = ask(backend, problem, policy)
    if problem.operation not in backend.info.operations and any(d.can for d in found):
        raise ConformanceError(f"it takes {problem.operation}, which info.operations doesn't name")
    return found


def _planned(arena: Arena, decision: Decision) -> Plan:
    plan = arena.backend.plan(arena.problem, decision)
    if plan.workspace_bytes > decision.workspace_bytes:
        raise ConformanceError(
            f"its plan asks for {plan.workspace_bytes} bytes of workspace, its decision said "
            f"{decision.workspace_bytes}"
        )
    return plan


def _check_decision(
    arena: Arena, decision: Decision, expected: tuple[Expected, ...], *, repeats: bool
) -> None:
    plan = _planned(arena, decision)
    check_empty(arena.backend, plan)
    outputs = [str(operand.dtype) for operand in arena.problem.outputs]
    for right, dtype in zip(expected, outputs, strict=True):
        check_bound(decision, right, dtype)
    first = arena.run(plan)
    _check_results(first, expected, decision)
    second = arena.run(plan, POISON[1], read_only=True)
    _check_results(second, expected, decision)
    packed = check_packing(arena, plan, first if repeats else None)
    if packed is not None:
        _check_results(packed, expected, decision)
    if repeats:
        if not all(same_bits(a, b) for a, b in zip(first, second, strict=True)):
            raise ConformanceError("a second run gives other bits")
        _check_threads(arena, plan)


def _check_results(results: list[Any], expected: tuple[Expected, ...], decision: Decision) -> None:
    for number, (result, right) in enumerate(zip(results, expected, strict=True)):
        if decision.finite_only and not np.isfinite(right.values).all():
            continue
        check_values(result, right, decision, f"output {number}")


def _check_threads(arena: Arena, plan: Plan) -> None:
    """Several threads run one plan at once, each on arrays and values of its own."""
    arenas = [
        replace(arena, values=arena.case.input_values(arena.problem, seed))
        for seed in range(THREADS)
    ]
    alone = [each.run(plan) for each in arenas]
    gate = threading.Barrier(THREADS)
    results: list[Any] = [None] * THREADS

    def work(number: int) -> None:
        gate.wait()
        try:
            results[number] = arenas[number].run(plan)
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, right in zip(results, alone, strict=True):
        if isinstance(result, BaseException):
            raise ConformanceError(f"{THREADS} threads running one plan: {result!r}") from result
        if not all(same_bits(a, b) for a, b in zip(result, right, strict=True)):
            raise ConformanceError(f"{THREADS} threads running one plan get other bits than one")


def _check_limits(arena: Arena, found: list[Decision], expected: tuple[Expected, ...]) -> None:
    """Under a tighter workspace_limit, decisions keep to it, and are right all the same."""
    needs = {_label(d): d.workspace_bytes for d in found if d.can}
    most = max(needs.values(), default=0)
    if most == 0:
        return
    for limit in (most, most // 2, 1):
        policy = Policy(workspace_limit=max(limit, 1))
        smaller = _asked(arena.backend, arena.problem, policy)
        if limit == most and not any(d.can for d in smaller):
            raise ConformanceError(
                f"it refuses workspace_limit={most}, which its own decision had asked for"
            )
        for decision in smaller:
            if decision.can and decision.workspace_bytes != needs.get(_label(decision)):
                _check_results(arena.run(_planned(arena, decision)), expected, decision)


def check_memory(backend: Backend, case: Case) -> None:
    """Hold every decision's ``workspace_bytes`` to what Python allocates while its plan runs.

    Sees what goes through Python's allocators, NumPy's arrays among it; not a kernel's own.
    """
    problem = case.problem(device_for(backend))
    arena = Arena(backend, case, problem, case.input_values(problem))
    for decision in _asked(backend, problem, _DEFAULT):
        if not decision.can:
            continue
        with _naming(case, decision):
            plan = _planned(arena, decision)
            allowed = decision.workspace_bytes - plan.workspace_bytes + _OWN_BYTES
            peak = _peak(plan, arena)
            if peak > allowed:
                raise ConformanceError(
                    f"it allocates {peak} bytes while it runs, beside a workspace of "
                    f"{plan.workspace_bytes}; its decision said {decision.workspace_bytes} in all"
                )


def _peak(plan: Plan, arena: Arena) -> int:
    library = arena.library
    inputs = [library.asarray(values) for values in arena.values]
    outputs = [plan.empty(operand.shape, operand.dtype) for operand in arena.problem.outputs]
    size = plan.workspace_bytes
    workspace = plan.empty((size,), "uint8") if size else None
    plan.run(inputs, outputs, workspace)  # caches fill and modules load in a first run
    tracemalloc.start()
    try:
        plan.run(inputs, outputs, workspace)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check_precisions(backend: Backend, case: Case) -> None:
    """Ask for each precision by name: what is taken keeps its bound, and is no less precise."""
    problem = case.problem(device_for(backend))
    arena = Arena(backend, case, problem, case.input_values(problem))
    expected = solve(problem, arena.values)
    for name in PRECISIONS:
        with _naming(case):
            found = _asked(backend, problem, Policy(precision=name))
        for decision in found:
            if decision.can:
                with _naming(case, decision):
                    check_precision(decision, name)
                    _check_lowered(arena, decision, expected)


def _check_lowered(arena: Arena, decision: Decision, expected: tuple[Expected, ...]) -> None:
    if not is_reached(decision, arena.values):
        return
    results = arena.run(_planned(arena, decision))
    for result, right in zip(results, expected, strict=True):
        if decision.finite_only and not np.isfinite(right.values).all():
            continue
        beside = allowance(arena.problem, arena.values, decision, right)
        # Integers have no bound in the common measure, but one of their own.
        held = replace(decision, error_bound=0.0) if decision.precision == "int8" else decision
        check_values(result, right, held, f"precision {decision.precision}", beside)


def check_unknown_operation(backend: Backend) -> None:
    """A problem of an operation from the future is declined, not stumbled over."""
    known = case_named("conv_forward-plain-float32").problem(device_for(backend))
    assert isinstance(known, ConvProblem)
    unknown = replace(known, operation="conv_of_the_future")
    if any(decision.can for decision in ask(backend, unknown, _DEFAULT)):
        raise ConformanceError("it takes an operation that doesn't exist")


def accepts(backend: Backend, case: Case) -> bool:
    """Whether any decision of a backend takes a case."""
    problem = case.problem(device_for(backend))
    return any(decision.can for decision in backend.decide(problem, _DEFAULT))
