"""explain(): who would solve a call, and why not the others. backends() and devices()."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from fastconv.backend import Backend, Decision
from fastconv.dispatch.arrays import takes
from fastconv.dispatch.call import Consideration, check_memory, looking
from fastconv.dispatch.choose import consider
from fastconv.dispatch.ladder import next_cheaper
from fastconv.dispatch.measure import seconds_of, twin
from fastconv.dispatch.prepared import plain
from fastconv.problem import Problem
from fastconv.registry import REGISTRY, Entry


@dataclass(frozen=True, slots=True)
class Considered:
    """One problem of a call, with its candidates.

    Attributes
    ----------
    problem : Problem
        What was to be solved.
    candidates : tuple of Decision
        Every candidate of every allowed backend, in the order of preference; with
        ``device="auto"`` followed by the backends that can't be used here.
    chosen : Decision or None
        The one that would run.
    measured : tuple of float or None
        Each candidate's measured seconds; None where it can't, or where nothing was measured.
    cheaper : Decision or None
        What the next cheaper precision would have come to; None if there is none.
    """

    problem: Problem
    candidates: tuple[Decision, ...]
    chosen: Decision | None
    measured: tuple[float | None, ...] = ()
    cheaper: Decision | None = None

    @property
    def precision(self) -> str:
        """Say which precision is taken, its bound, and what the next cheaper one would cost."""
        taken, cheaper = self.chosen, self.cheaper
        if taken is None:
            return ""
        said = f"precision {taken.precision}, error bound {taken.error_bound:.2g}"
        if cheaper is None:
            return f"{said}; nothing cheaper is to be had"
        share = cheaper.seconds / taken.seconds if taken.seconds else float("inf")
        allows = (
            f"allows {cheaper.error_bound:.2g}"
            if isfinite(cheaper.error_bound)
            else "has no bound that holds for all values"
        )
        which = f"the next cheaper, {cheaper.precision}, {allows}, in {share:.2g} of the time"
        if share >= 1:
            times = f"in {share:.2g} times the time"
            which = f"fewer bits gain nothing: {cheaper.precision} {allows}, {times}"
        return f"{said}; {which}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a call comes to; ``print`` it, or look into `problems`."""

    function: str
    problems: tuple[Considered, ...]

    def __str__(self) -> str:
        lines = []
        for considered in self.problems:
            problem = considered.problem
            lines.append(f"{self.function}: {problem.operation} on {problem.device}")
            measured = considered.measured or (None,) * len(considered.candidates)
            lines += [
                _line(decision, decision is considered.chosen, seconds)
                for decision, seconds in zip(considered.candidates, measured, strict=True)
            ]
            if considered.chosen is not None:
                lines.append(f"    {considered.precision}")
        return "\n".join(lines)


def _line(decision: Decision, chosen: bool, measured: float | None) -> str:
    name = f"{decision.backend}/{decision.algorithm}" if decision.algorithm else decision.backend
    mark = "->" if chosen else "  "
    if not decision.can:
        return f" {mark} {name}: no, {decision.reason}"
    return (
        f" {mark} {name}: {decision.precision}{', ' if decision.isa else ''}{decision.isa}, "
        f"{decision.threads} thread{'s' if decision.threads != 1 else ''}, "
        f"{decision.seconds * 1e3:.3g} ms predicted, "
        f"{'' if measured is None else f'{measured * 1e3:.3g} ms measured, '}"
        f"{decision.workspace_bytes / 2**20:.2g} MiB of workspace, error bound "
        f"{decision.error_bound:.2g}; {decision.reason}"
    )


def explain(
    function: Callable[..., Any], *args: Any, measure: bool = False, **kwargs: Any
) -> Explanation:
    """Say who would solve a call, at what predicted cost, and why not the others.

    Nothing is computed, unless `measure`. Arguments are checked as in the call itself.

    Parameters
    ----------
    function : callable
        A function of fastconv, or one of yours that calls some.
    *args, **kwargs
        Its arguments.
    measure : bool, optional
        Also time every candidate that can, on these arrays: the median of a few runs. Results
        go to new arrays; ``out=`` is left alone. A candidate that is predicted to take more
        than 10 s isn't run.

    Returns
    -------
    Explanation
        Its problems and their candidates; ``str`` gives a readable listing.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x, w = np.ones((1, 3, 8, 8), "f4"), np.ones((4, 3, 3, 3), "f4")
    >>> explanation = fastconv.explain(fastconv.conv2d, x, w, padding=1)
    >>> explanation.problems[0].chosen.backend
    'cpu'
    """
    problems: list[Considered] = []

    def look(call: Consideration) -> tuple[Any, ...]:
        candidates = tuple(decision for _, decision in call.found)
        measured: tuple[float | None, ...] = ()
        results = call.stand_ins()
        if measure and call.decision is not None:
            check_memory(call.request)
            measured = tuple(seconds_of(call, decision) for decision in candidates)
            if measured[candidates.index(call.decision)] is not None:
                # What follows in the caller's function is measured on true values.
                out = None if call.out is None else twin(call.out)
                results = call.ready(call.decision).run(call.operands, out)
        absent = _absent(call)
        problems.append(
            Considered(
                call.request.problem,
                candidates + absent,
                call.decision,
                measured and measured + (None,) * len(absent),
                _cheaper(call),
            )
        )
        return results

    with looking(look):
        function(*args, **kwargs)
    return Explanation(getattr(function, "__name__", repr(function)), tuple(problems))


def _absent(call: Consideration) -> tuple[Decision, ...]:
    """Return why others that take such arrays weren't asked, where any device would do."""
    if call.asked.device != "auto" or call.asked.backend is not None:
        return ()
    operand = plain(call.operands[call.request.inputs[0][0]])
    return tuple(
        Decision(False, f"{entry.status}: {entry.reason}", "", backend=entry.name)
        for entry in REGISTRY.all()
        if entry.status != "ready" and (entry.backend is None or takes(entry.backend, operand))
    )


def _cheaper(call: Consideration) -> Decision | None:
    """Return what the next cheaper precision would have come to."""
    if call.decision is None:
        return None
    operand = plain(call.operands[call.request.inputs[0][0]])

    def ask(precision: str) -> Decision | None:
        policy = replace(call.policy, precision=precision, tolerance=None, algorithm=None)
        return consider(call.request.problem, policy, operand, False)[1]

    return next_cheaper(call.decision, ask)


def backends() -> list[Entry]:
    """List every backend that is installed or registered, usable or not, with its reason.

    Loads all plugins.

    Examples
    --------
    >>> import fastconv
    >>> entry = fastconv.backends()[0]
    >>> entry.name, entry.status
    ('cpu', 'ready')
    """
    return REGISTRY.all()


def devices() -> list[str]:
    """List the devices that usable backends offer, the CPU first.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.devices()[0]
    'cpu'
    """
    names = [name for entry in REGISTRY.all() for name in entry.devices]
    return list(dict.fromkeys(names))


def register_backend(backend: Backend, *, replace_existing: bool = False) -> None:
    """Add a backend for this process, as an entry point would.

    Parameters
    ----------
    backend : Backend
        An object with the four members of :class:`fastconv.backend.Backend`.
    replace_existing : bool, optional
        Take the place of a backend of the same name; never of "cpu".

    Raises
    ------
    TypeError
        If it breaks the contract.
    ValueError
        If its name is taken.
    """
    REGISTRY.register(backend, replace_existing=replace_existing)


def unregister_backend(name: str) -> None:
    """Remove a backend that :func:`register_backend` added; ValueError for any other."""
    REGISTRY.unregister(name)
