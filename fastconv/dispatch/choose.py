"""Choose who solves a problem, or say why nobody can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from fastconv.backend import Backend, Decision, Policy
from fastconv.dispatch.arrays import servers, takes, type_name
from fastconv.dispatch.ladder import beyond_tolerance, within_tolerance
from fastconv.errors import UnsupportedError, WorkspaceLimitError, bad_argument
from fastconv.problem import Problem
from fastconv.registry import BUILT_IN, REGISTRY


def allowed(function: str, policy: Policy, array: Any) -> list[Backend]:
    """Return the backends that the policy lets solve a problem on such arrays."""
    if policy.backend is not None:
        return [_named(function, policy.backend)]
    on_host = isinstance(array, np.ndarray)
    if on_host and policy.device in (None, "cpu"):
        return [_named(function, BUILT_IN)]
    offering = [b for b in servers(array) if _offers(b, policy.device)]
    if not offering:
        raise UnsupportedError(
            bad_argument(
                function,
                "device",
                got=repr(policy.device),
                expected=f"a device that takes {type_name(array)} here",
                hint="Backends: " + "; ".join(_states()),
            )
        )
    return offering


def _offers(backend: Backend, device: str | None) -> bool:
    """Whether a backend is usable here on a device, or on one of a kind ("cuda")."""
    entry = REGISTRY.get(backend.info.name)
    if entry is None or entry.status != "ready":
        return False
    names = {name for found in entry.devices for name in (found, found.partition(":")[0])}
    return device in (None, "auto") or device in names


def _states() -> list[str]:
    return [
        f"{entry.name} ({', '.join(entry.devices) or entry.reason or entry.status})"
        for entry in REGISTRY.all()
    ]


def _named(function: str, name: str) -> Backend:
    entry = REGISTRY.get(name)
    if entry is None:
        raise ValueError(
            bad_argument(
                function,
                "backend",
                got=repr(name),
                expected="the name of an installed backend",
                hint="Installed: " + "; ".join(_states()),
            )
        )
    if entry.backend is None or entry.status != "ready":
        raise UnsupportedError(f"{function}: backend {name!r} is {entry.status}: {entry.reason}")
    return entry.backend


def decisions(backend: Backend, problem: Problem, policy: Policy, array: Any) -> list[Decision]:
    """Return a backend's decisions, held to the policy's algorithm and tolerance."""
    info = backend.info
    if problem.operation not in info.operations:
        return [_refusal(info.name, f"it has no operation {problem.operation}")]
    if not takes(backend, array):
        return [
            _refusal(
                info.name,
                f"it takes {', '.join(info.array_types)}, not {type_name(array)}",
            )
        ]
    with naming(info.name, "decide"):
        found = [replace(d, backend=info.name) for d in backend.decide(problem, policy)]
    return [_held_to(decision, policy) for decision in found]


@contextmanager
def naming(backend: str, member: str) -> Iterator[None]:
    """Add to an exception which backend's member it was raised by."""
    try:
        yield
    except Exception as error:
        error.add_note(f"raised by {member}() of fastconv's backend {backend!r}")
        raise


def _refusal(backend: str, reason: str) -> Decision:
    return Decision(False, reason, "", backend=backend)


def _held_to(decision: Decision, policy: Policy) -> Decision:
    if not decision.can:
        return decision
    if policy.algorithm not in (None, decision.algorithm):
        return replace(decision, can=False, reason=f"algorithm={policy.algorithm!r} was asked for")
    if policy.tolerance is not None and not decision.error_bound <= policy.tolerance:
        return replace(
            decision,
            can=False,
            reason=f"its error bound {decision.error_bound:.2g} in {decision.precision} exceeds "
            f"tolerance={policy.tolerance:.2g}",
        )
    if decision.workspace_bytes > policy.workspace_limit:
        return replace(
            decision,
            can=False,
            over_limit=True,
            reason=f"it needs {decision.workspace_bytes} bytes of workspace, over the limit of "
            f"{policy.workspace_limit}",
        )
    return decision


def consider(
    problem: Problem, policy: Policy, array: Any, strict: bool
) -> tuple[list[tuple[Backend, Decision]], Decision | None]:
    """Return every candidate of every allowed backend, and the one to take, if any.

    Unless `strict`, the policy's algorithm is left aside where it is one of other operations.
    """
    backends = allowed(problem.function, policy, array)
    if _is_of_other_operations(problem, policy, backends, strict):
        policy = replace(policy, algorithm=None)
    if policy.precision == "auto" and policy.tolerance is not None:
        return within_tolerance(
            backends, policy, lambda b, asked: decisions(b, problem, asked, array)
        )
    found = [(b, d) for b in backends for d in decisions(b, problem, policy, array)]
    # A backend's own order holds: it may weigh more than seconds.
    best: dict[str, Decision] = {}
    for _, decision in found:
        if decision.can:
            best.setdefault(decision.backend, decision)
    if policy.device == "auto":
        return found, min(best.values(), key=lambda decision: decision.seconds, default=None)
    return found, next(iter(best.values()), None)


def _is_of_other_operations(
    problem: Problem, policy: Policy, backends: Sequence[Backend], strict: bool
) -> bool:
    name = policy.algorithm
    # A bias's gradient is part of a larger call, whose algorithm it never has.
    if name is None or (strict and problem.operation != "bias_grad"):
        return False
    operations = [o for b in backends for o in b.info.algorithms.get(name, ())]
    return bool(operations) and problem.operation not in operations


def refuse(problem: Problem, policy: Policy, found: Sequence[Decision]) -> Exception:
    """Compose the error for a problem that no candidate may solve."""
    function = problem.function
    listing = "".join(
        f"\n  {d.backend}{'/' + d.algorithm if d.algorithm else ''}: {d.reason}" for d in found
    )
    names = sorted({d.algorithm for d in found if d.algorithm})
    if policy.algorithm is not None and names and policy.algorithm not in names:
        return ValueError(
            bad_argument(
                function,
                "algorithm",
                got=repr(policy.algorithm),
                expected="one of " + ", ".join(names),
            )
        )
    if any(d.over_limit for d in found):
        return WorkspaceLimitError(
            f"{function}: workspace_limit={policy.workspace_limit} bytes is too small for this "
            f"problem. Raise it with workspace_limit= or fastconv.use().{listing}"
        )
    return beyond_tolerance(problem, policy, found, listing) or UnsupportedError(
        f"{function}: nothing allowed can do this:{listing}"
    )
