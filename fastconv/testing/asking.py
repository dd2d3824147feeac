"""Ask a backend for decisions, and hold each to the contract's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastconv.backend import API_VERSION, Backend, Decision, Info, Policy, Probe
from fastconv.problem import OPERATIONS, Problem
from fastconv.testing.measure import ConformanceError


def check_info(backend: Backend) -> None:
    """Raise ConformanceError unless ``info`` is whole and sane."""
    info = backend.info
    if not isinstance(info, Info):
        raise ConformanceError(f"info is a {type(info).__name__}, expected fastconv.backend.Info")
    if info.api_version != API_VERSION:
        raise ConformanceError(f"info.api_version is {info.api_version}, expected {API_VERSION}")
    for name in ("name", "namespace"):
        if not isinstance(getattr(info, name), str) or not getattr(info, name):
            raise ConformanceError(f"info.{name} is {getattr(info, name)!r}, expected a name")
    for name in ("array_types", "device_kinds", "operations"):
        value = getattr(info, name)
        if not isinstance(value, tuple) or not value or not all(isinstance(v, str) for v in value):
            raise ConformanceError(f"info.{name} is {value!r}, expected a tuple of names")
    unknown = sorted(set(info.operations) - set(OPERATIONS))
    if unknown:
        raise ConformanceError(
            f"info.operations has {', '.join(unknown)}, expected names from "
            "fastconv.problem.OPERATIONS"
        )
    if any("." not in name for name in info.array_types):
        raise ConformanceError("info.array_types must be qualified names, such as numpy.ndarray")
    if backend.info != info:
        raise ConformanceError("info is another one at each look; it must be static")


def check_probe(backend: Backend) -> tuple[str, ...]:
    """Return the devices that ``probe`` finds; raise ConformanceError if it breaks its form."""
    probe = backend.probe()
    if not isinstance(probe, Probe):
        raise ConformanceError(f"probe() gives a {type(probe).__name__}, expected Probe")
    if not probe.devices and not probe.reason:
        raise ConformanceError("probe() finds no device and gives no reason")
    kinds = {device.partition(":")[0] for device in probe.devices}
    foreign = sorted(kinds - set(backend.info.device_kinds))
    if foreign:
        raise ConformanceError(
            f"probe() finds {', '.join(foreign)}, which info.device_kinds doesn't name"
        )
    return tuple(probe.devices)


def ask(backend: Backend, problem: Problem, policy: Policy) -> list[Decision]:
    """Return a backend's decisions on a problem, checked for form."""
    found = _asked(backend, problem, policy)
    for decision in found:
        _check_form(decision, policy)
    takeable = [decision.can for decision in found]
    if takeable != sorted(takeable, reverse=True):
        raise ConformanceError("decide() puts a refusal before a decision that can be taken")
    if [replace(d, detail=None) for d in _asked(backend, problem, policy)] != [
        replace(d, detail=None) for d in found
    ]:
        raise ConformanceError("decide() answers differently when asked again")
    return found


def _asked(backend: Backend, problem: Problem, policy: Policy) -> list[Decision]:
    found = backend.decide(problem, policy)
    if not isinstance(found, Sequence) or not all(isinstance(d, Decision) for d in found):
        raise ConformanceError(f"decide() gives {found!r}, expected a sequence of Decisions")
    if not found:
        raise ConformanceError("decide() gives no Decision: a refusal with a reason is one")
    return list(found)


def _check_form(decision: Decision, policy: Policy) -> None:
    if not isinstance(decision.reason, str) or (not decision.can and not decision.reason.strip()):
        raise ConformanceError(f"algorithm {decision.algorithm!r} refuses without a reason")
    if not decision.can:
        return
    _require(decision, "algorithm", bool(decision.algorithm), "a name")
    _require(decision, "precision", bool(decision.precision), "a number format's name")
    _require(decision, "seconds", decision.seconds >= 0, "0 or more")
    _require(decision, "threads", decision.threads >= 1, "1 or more")
    _require(decision, "workspace_bytes", decision.workspace_bytes >= 0, "0 or more")
    _require(
        decision,
        "workspace_bytes",
        decision.workspace_bytes <= policy.workspace_limit,
        f"a refusal with over_limit=True past workspace_limit={policy.workspace_limit}",
    )
    if policy.threads is not None:
        most = policy.threads
        _require(decision, "threads", decision.threads <= most, f"{most} or less")


def _require(decision: Decision, name: str, holds: Any, expected: str) -> None:
    if not holds:
        raise ConformanceError(
            f"algorithm {decision.algorithm!r}: {name} is {getattr(decision, name)!r}, "
            f"expected {expected}"
        )
