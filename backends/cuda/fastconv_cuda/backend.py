"""The backend's four members, for CuPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fastconv.backend import API_VERSION, Decision, Info, Plan, Policy, Probe
from fastconv.problem import OPERATIONS, Problem
from fastconv_cuda.algorithms import candidates, named, operations_by_algorithm
from fastconv_cuda.device import Device
from fastconv_cuda.finding import Found, find

__version__ = "0.1.0"

INFO = Info(
    name="cuda",
    api_version=API_VERSION,
    namespace="cupy",
    array_types=("cupy.ndarray",),
    device_kinds=("cuda",),
    operations=OPERATIONS,
    version=__version__,
    algorithms=operations_by_algorithm(),
)


class CudaBackend:
    """Arrays on an NVIDIA GPU.

    Parameters
    ----------
    finder : callable, optional
        Returns the devices that there are, or the reason why there is none; looked up once.
    info : Info, optional
        Another description, for another array library.
    """

    def __init__(self, finder: Callable[[], Found] = find, info: Info = INFO) -> None:
        self.info = info
        self._finder = finder
        self._found: Found | None = None

    @property
    def found(self) -> Found:
        """What there is, found at the first look."""
        if self._found is None:
            self._found = self._finder()
        return self._found

    @property
    def devices(self) -> Mapping[str, Device]:
        """The devices by name."""
        return self.found.devices

    def probe(self) -> Probe:
        """Return the GPUs that can be used, or one reason why there is none."""
        return Probe(tuple(self.devices), self.found.reason)

    def decide(self, problem: Problem, policy: Policy) -> Sequence[Decision]:
        """Return every candidate's decision: the fastest of those that can first."""
        if problem.operation not in self.info.operations:
            return [Decision(False, f"it has no operation {problem.operation}", "")]
        device = self.device_for(problem)
        if device is None:
            there = ", ".join(self.devices) or self.found.reason
            reason = f"it runs on {there}, and the arrays' device is {problem.device}"
            return [Decision(False, reason, "")]
        found = [c.decide(problem, policy, device.card) for c in candidates(problem.operation)]
        held = [_within(decision, policy) for decision in found]
        return sorted(held, key=lambda d: (not d.can, d.seconds))

    def device_for(self, problem: Problem) -> Device | None:
        """Return the device that a problem names; the first where it names only the kind."""
        if problem.device in ("cuda", "auto"):
            return next(iter(self.devices.values()), None)
        return self.devices.get(problem.device)

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make a decision ready to run."""
        device = self.devices[decision.device]
        return named(problem, decision.algorithm).plan(problem, decision, device)


def _within(decision: Decision, policy: Policy) -> Decision:
    if not decision.can or decision.workspace_bytes <= policy.workspace_limit:
        return decision
    return replace(
        decision,
        can=False,
        over_limit=True,
        reason=f"it needs {decision.workspace_bytes} bytes of workspace, over the limit of "
        f"{policy.workspace_limit}",
    )


BACKEND = CudaBackend()
