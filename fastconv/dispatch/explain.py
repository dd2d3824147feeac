"""explain(): who would solve a call, and why not the others. backends() and devices()."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastconv.backend import Backend, Decision
from fastconv.dispatch.call import EXPLAINING
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
        Every candidate of every allowed backend, in the order of preference.
    chosen : Decision or None
        The one that would run.
    """

    problem: Problem
    candidates: tuple[Decision, ...]
    chosen: Decision | None


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
            lines += [
                _line(decision, decision is considered.chosen) for decision in considered.candidates
            ]
        return "\n".join(lines)


def _line(decision: Decision, chosen: bool) -> str:
    name = f"{decision.backend}/{decision.algorithm}" if decision.algorithm else decision.backend
    mark = "->" if chosen else "  "
    if not decision.can:
        return f" {mark} {name}: no, {decision.reason}"
    return (
        f" {mark} {name}: {decision.precision}, {decision.threads} thread"
        f"{'s' if decision.threads != 1 else ''}, {decision.seconds * 1e3:.3g} ms predicted, "
        f"{decision.workspace_bytes / 2**20:.2g} MiB of workspace, error bound "
        f"{decision.error_bound:.2g}; {decision.reason}"
    )


def explain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Explanation:
    """Say who would solve a call, at what predicted cost, and why not the others.

    Nothing is computed. Arguments are checked as in the call itself.

    Parameters
    ----------
    function : callable
        A function of fastconv, or one of yours that calls some.
    *args, **kwargs
        Its arguments.

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
    considered: list[tuple[Problem, list[Decision], Decision | None]] = []
    token = EXPLAINING.set(considered)
    try:
        function(*args, **kwargs)
    finally:
        EXPLAINING.reset(token)
    return Explanation(
        getattr(function, "__name__", repr(function)),
        tuple(Considered(p, tuple(found), chosen) for p, found, chosen in considered),
    )


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
