"""The contract that every backend fulfils, the built-in one included.

A backend is an object with four members: ``info``, ``probe``, ``decide`` and ``plan``. It is
found through the entry-point group ``fastconv.backends`` or given to
:func:`fastconv.register_backend`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from fastconv.problem import Problem

API_VERSION = 1
DEFAULT_WORKSPACE_LIMIT = 64 * 2**20

# What fastconv.release_memory() calls: a backend that keeps freed memory for later adds how to let
# go of it.
KEEPERS: list[Callable[[], object]] = []


@dataclass(frozen=True, slots=True)
class Policy:
    """What the caller allows: the settled sum of keywords, ``use()`` and variables.

    A backend may read every field; ``device``, ``backend`` and ``algorithm`` are already
    held to by the dispatcher, which never takes a decision that breaks them.
    """

    device: str | None = None
    backend: str | None = None
    algorithm: str | None = None
    precision: str | None = None
    tolerance: float | None = None
    threads: int | None = None
    workspace_limit: int = DEFAULT_WORKSPACE_LIMIT
    deterministic: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """What a backend is, without touching its hardware or importing its array library.

    Attributes
    ----------
    name : str
        Unique; what ``backend=`` takes.
    api_version : int
        The `API_VERSION` that the backend was written for.
    namespace : str
        Module of the arrays that it takes, for instance "numpy".
    array_types : tuple of str
        Qualified names of those array types, for instance "numpy.ndarray".
    device_kinds : tuple of str
        For instance "cpu" or "cuda".
    operations : tuple of str
        Names from :data:`fastconv.problem.OPERATIONS`.
    version : str
        The backend's own version, for people to read.
    algorithms : mapping of str to tuple of str, optional
        The operations of each algorithm, so that ``use(algorithm=...)`` can leave others
        alone.
    """

    name: str
    api_version: int
    namespace: str
    array_types: tuple[str, ...]
    device_kinds: tuple[str, ...]
    operations: tuple[str, ...]
    version: str = ""
    algorithms: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a backend can work here: its devices, or the reason why it has none."""

    devices: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One way to solve a problem, or the reason why it can't be taken.

    Attributes
    ----------
    can : bool
        Whether :meth:`Backend.plan` accepts this decision.
    reason : str
        A sentence: why not, or why so.
    algorithm, precision : str
        What would run, and the number format of its products and sums.
    error_bound : float
        Largest error of an output channel over its largest sum of magnitudes.
    seconds : float
        Predicted duration, transfers included.
    workspace_bytes : int
        Scratch memory that the plan asks for.
    device : str
        Where it would run.
    threads : int
        How many threads would share the work.
    slow : str
        If not empty, a sentence for the PerformanceWarning that this choice earns.
    over_limit : bool
        True where only ``workspace_limit`` stands in the way.
    finite_only : bool
        True where an infinity or NaN may reach results beside its own, as in transformed tiles.
    flushes : bool
        True where operands, products and sums below the smallest normal number may count as 0.
    isa : str
        Instruction set of its kernels, for people to read; empty where none can be named.
    backend : str
        The backend's name; filled in by the dispatcher.
    detail : object
        The backend's own: whatever its `plan` wants to know of what `decide` found out.
    """

    can: bool
    reason: str
    algorithm: str
    precision: str = ""
    error_bound: float = float("inf")
    seconds: float = float("inf")
    workspace_bytes: int = 0
    device: str = "cpu"
    threads: int = 1
    slow: str = ""
    over_limit: bool = False
    finite_only: bool = False
    flushes: bool = False
    isa: str = ""
    backend: str = ""
    detail: object = field(default=None, compare=False, repr=False)


@runtime_checkable
class Plan(Protocol):
    """A problem made ready to run: immutable, and shared by threads."""

    @property
    def workspace_bytes(self) -> int:
        """Bytes of scratch memory that `run` needs."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new C-contiguous array of the plan's array type."""

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Fill `outputs` from `inputs`.

        The arrays are in the order of ``problem.inputs`` and ``problem.outputs``; the
        workspace is a uint8 array of `workspace_bytes`, or None if that is 0. Nothing is
        allocated beyond it. Outputs never overlap inputs, and hold arbitrary bits before.

        Returns
        -------
        bool or None
            False where it knows that no float16 result was rounded to infinity, which spares
            its callers a look at all of them. None, as ever where nothing is returned, says
            nothing.
        """


@runtime_checkable
class PackingPlan(Plan, Protocol):
    """A plan that can pack its problem's weight ahead, for many runs: both members are optional.

    A third one is optional too: ``pack_key``, a hashable that tells apart all that packed bytes
    depend on beside the weight, among plans of one algorithm. Plans with equal keys share what
    any of them packed; without one, each plan packs for itself.
    """

    def pack(self, weight: Any) -> Any:
        """Return a new array with all that `run_packed` needs of a weight operand."""

    def run_packed(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> bool | None:
        """Do as `run`, bit for bit; among the inputs, what `pack` returned is the weight.

        It is shared by threads, and never written to.
        """


@runtime_checkable
class Backend(Protocol):
    """What a plugin's entry point loads."""

    @property
    def info(self) -> Info:
        """Static description."""

    def probe(self) -> Probe:
        """Say which devices are usable here, or why none is. Called once, never raises."""

    def decide(self, problem: Problem, policy: Policy) -> Sequence[Decision]:
        """Return every candidate, the best first, those that can't be taken last."""

    def plan(self, problem: Problem, decision: Decision) -> Plan:
        """Make a decision that `decide` returned ready to run."""


@runtime_checkable
class Quantizing(Protocol):
    """What a backend may have besides: numbers to integers of 8 bits and back, on its arrays.

    Scales and zero points are host arrays: one, or one for each place along `axis`; threads as
    in a Policy. Results are new and lie in memory as x does. None is returned where it doesn't
    take such an x.
    """

    def quantize(
        self, x: Any, scales: Any, zeros: Any, axis: int | None, dtype: str, threads: int | None
    ) -> tuple[Any, bool] | None:
        """Return x / scale + zero point as integers, and whether a quotient was NaN.

        Quotients have the precision of x, float32 at the least, and scales are rounded to it;
        they are rounded, ties to even, and what is out of the dtype's range saturates.
        """

    def dequantize(
        self, x: Any, scales: Any, zeros: Any, axis: int | None, dtype: str, threads: int | None
    ) -> Any | None:
        """Return (x - zero point) scale, computed in float32, of int32 in float64."""
