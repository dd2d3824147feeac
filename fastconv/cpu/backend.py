"""The CPU backend's four members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastconv._version import __version__
from fastconv.backend import API_VERSION, Decision, Info, Plan, Policy, Probe
from fastconv.cpu.algorithms import candidates, named, operations_by_algorithm
from fastconv.cpu.isa import why_no_core
from fastconv.problem import OPERATIONS, Problem


class CpuBackend:
    """NumPy arrays, on this machine's cores."""

    info = Info(
        name="cpu",
        api_version=API_VERSION,
        namespace="numpy",
        array_types=("numpy.ndarray",),
        device_kinds=("cpu",),
        operations=OPERATIONS,
        algorithms=operations_by_algorithm(),
        version=__version__,
    )

    def probe(self) -> Probe:
        """Return the one device, with a note where the compiled core is missing."""
        return Probe(("cpu",), why_no_core)

    def decide(self, problem: Problem, policy: Policy) -> Sequence[Decision]:
        """Return every candidate's decision: those that can first, in their order."""
        if problem.operation not in self.info.operations:
            return [Decision(False, f"it has no operation {problem.operation}", "")]
        if problem.device not in ("cpu", "auto"):
            return [Decision(False, f"it runs on cpu, not on {problem.device}", "")]
        found = [candidate.decide(problem, policy) for candidate in candidates(problem)]
        return sorted(found, key=lambda decision: not decision.can)

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make a decision ready to run."""
        return named(problem, decision.algorithm).plan(problem, replace(decision, device="cpu"))


BACKEND = CpuBackend()
