"""The CPU backend's four members, and what it quantises with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastconv._version import __version__
from fastconv.backend import API_VERSION, Decision, Info, Plan, Policy, Probe
from fastconv.cpu import lowered, quantizing
from fastconv.cpu.algorithms import REFERENCE, candidates, named, operations_by_algorithm
from fastconv.cpu.candidate import least_gain
from fastconv.cpu.isa import active, core, why_no_core
from fastconv.machine import usable_cores
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
        """Return every candidate's decision: the fastest of those that can first."""
        if problem.operation not in self.info.operations:
            return [Decision(False, f"it has no operation {problem.operation}", "")]
        if problem.device not in ("cpu", "auto"):
            return [Decision(False, f"it runs on cpu, not on {problem.device}", "")]
        found = [
            replace(lowered.decide(candidate, problem, policy), isa=_isa_of(candidate.name))
            for candidate in lowered.candidates(problem, policy, candidates)
        ]
        return _in_order(problem, policy, found)

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make a decision ready to run."""
        return lowered.plan(problem, replace(decision, device="cpu"), named)

    def quantize(
        self, x: Any, scales: Any, zeros: Any, axis: int | None, dtype: str, threads: int | None
    ) -> tuple[Any, bool] | None:
        """Return integers, and whether there was NaN; see :class:`fastconv.backend.Quantizing`."""
        return quantizing.quantize(x, scales, zeros, axis, dtype, threads or usable_cores())

    def dequantize(
        self, x: Any, scales: Any, zeros: Any, axis: int | None, dtype: str, threads: int | None
    ) -> Any | None:
        """Return numbers; see :class:`fastconv.backend.Quantizing`."""
        return quantizing.dequantize(x, scales, zeros, axis, dtype, threads or usable_cores())


# NumPy computes these, with instructions of its own choice.
_NUMPYS = frozenset({"blas", "im2col_blas", "numpy_sum", REFERENCE})


def _isa_of(algorithm: str) -> str:
    return "" if core is None or algorithm in _NUMPYS else active()


def _in_order(problem: Problem, policy: Policy, found: Sequence[Decision]) -> list[Decision]:
    """Return those that can by predicted seconds, then the reference, then refusals.

    The seconds that count are those of one thread: more threads must not choose another
    algorithm, whose sums would be rounded otherwise. The list's order breaks ties.
    """
    ranked = [d for d in found if d.can and d.algorithm != REFERENCE]
    if len(ranked) > 1:
        alone = replace(policy, threads=1)
        ranked.sort(key=lambda decision: _seconds_alone(problem, alone, decision))
    return ranked + sorted((d for d in found if d not in ranked), key=lambda d: not d.can)


def _seconds_alone(problem: Problem, alone: Policy, decision: Decision) -> float:
    """Return the seconds of one thread, times the gain that an algorithm must bring to be taken."""
    listed = lowered.candidates(problem, alone, candidates)
    candidate = next(each for each in listed if each.name == decision.algorithm)
    gain = least_gain(candidate, problem, decision.precision)
    if decision.threads == 1:
        return decision.seconds * gain
    again = lowered.decide(candidate, problem, alone)
    # BLAS may be unable to be held to one thread.
    seconds = again.seconds if again.can else decision.seconds * decision.threads
    return seconds * gain


BACKEND = CpuBackend()
