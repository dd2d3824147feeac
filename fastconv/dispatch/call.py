"""The way of a call: look the plan up, or pose the problem, decide and plan; then run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Backend, Decision, Policy
from fastconv.dispatch.arrays import device_of, overlaps_itself, take, type_name
from fastconv.dispatch.cache import PLANS, full_key, quick_key
from fastconv.dispatch.choose import consider, naming, refuse
from fastconv.dispatch.overflow import levels_to_user
from fastconv.dispatch.policy import current, settle
from fastconv.dispatch.prepared import PreparedWeight, plain
from fastconv.dispatch.ready import Ready
from fastconv.dispatch.request import Call, Function, Output, Request, check_out, itemsize
from fastconv.dispatch.workspace import NoWorkspaceError
from fastconv.errors import (
    PerformanceWarning,
    UnsupportedError,
    WorkspaceLimitError,
    bad_argument,
)
from fastconv.machine import describe
from fastconv.registry import REGISTRY

# Results up to so many bytes are not held against the machine's memory.
SURE_TO_FIT = 2**30
# The only array arguments that may be missing.
OPTIONAL = frozenset({"bias", "w_zero_point"})
_NO_OPTIONS: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Consideration:
    """A call that was looked at: its arrays, its problem, the candidates and the choice.

    `asked` is the caller's policy; `policy` is that less what conversions take, and kept to the
    backend of a prepared weight.
    """

    key: tuple[Hashable, ...]
    function: Function
    operands: Sequence[Any]
    out: Any
    request: Request
    asked: Policy
    policy: Policy
    found: Sequence[tuple[Backend, Decision]]
    decision: Decision | None

    def ready(self, decision: Decision | None) -> Ready:
        """Plan a decision; raise what `refuse` says where there is none."""
        if decision is None:
            raise refuse(self.request.problem, self.policy, [d for _, d in self.found])
        backend = next(b for b, d in self.found if d is decision)
        with naming(decision.backend, "plan"):
            plan = backend.plan(self.request.problem, decision)
        prepared = next(
            (
                index
                for index, argument in enumerate(self.function.arguments)
                if argument == "weight" and type(self.operands[index]) is PreparedWeight
            ),
            None,
        )
        return Ready(self.request, decision, plan, self.policy, prepared)

    def keep(self, ready: Ready) -> None:
        """Let later calls find what was made ready for this one."""
        # Considering may have loaded backends.
        PLANS.put((*self.key[:-1], REGISTRY.generation), ready)

    def stand_ins(self) -> tuple[Any, ...]:
        """Return arrays of the results' shapes and dtypes, without their memory."""
        return tuple(map(_stand_in, self.request.outputs))


# Where set, calls run nothing but are handed to it; it returns what stands for their results.
LOOKING: ContextVar[Callable[[Consideration], tuple[Any, ...]] | None] = ContextVar(
    "fastconv_looking", default=None
)


@contextmanager
def looking(look: Callable[[Consideration], tuple[Any, ...]]) -> Iterator[None]:
    """Hand every call inside a ``with`` block to a function instead of running it."""
    token = LOOKING.set(look)
    try:
        yield
    finally:
        LOOKING.reset(token)


def call(
    function: Function,
    operands: Sequence[Any],
    parameters: tuple[Any, ...],
    out: Any = None,
    options: Mapping[str, object] = _NO_OPTIONS,
) -> tuple[Any, ...]:
    """Solve one problem and return its results.

    Parameters
    ----------
    function : Function
        What was called.
    operands : sequence
        The array arguments; None where an optional one is missing.
    parameters : tuple
        The other arguments, raw.
    out : array, optional
        Where to put the first result.
    options : mapping
        Policy keywords of this call.
    """
    ready = PLANS.get(quick_key(function, operands, parameters, out, options))
    try:
        if ready is None or LOOKING.get() is not None:
            return _call_slowly(function, operands, parameters, out, options)
        return ready.run(operands, out)
    except NoWorkspaceError as error:
        if LOOKING.get() is not None:
            raise
        # What takes less is slower, and better than nothing.
        options = {**options, "workspace_limit": error.size // 2}
        try:
            return call(function, operands, parameters, out, options)
        except (UnsupportedError, WorkspaceLimitError):
            raise error from None


def _call_slowly(
    function: Function,
    operands: Sequence[Any],
    parameters: tuple[Any, ...],
    out: Any,
    options: Mapping[str, object],
) -> tuple[Any, ...]:
    if isinstance(out, np.ndarray) and type(out) not in (np.ndarray, np.ma.MaskedArray):
        # A subclass, a memmap for instance, is filled through its plain view.
        _, *rest = call(function, operands, parameters, out.view(np.ndarray), options)
        return (out, *rest)
    arrays = [
        operand
        if type(operand) is PreparedWeight or (operand is None and argument in OPTIONAL)
        else take(function.name, argument, operand)
        for argument, operand in zip(function.arguments, operands, strict=True)
    ]
    key = full_key(function, arrays, parameters, out, options)
    ready, look = PLANS.get(key), LOOKING.get()
    if ready is None or look is not None:
        considered = _consider(key, function, arrays, parameters, out, options)
        if look is not None:
            return look(considered)
        ready = considered.ready(considered.decision)
        _warn_if_slow(ready.decision, considered)
        considered.keep(ready)
    return ready.run(arrays, out)


def _consider(
    key: tuple[Hashable, ...],
    function: Function,
    operands: Sequence[Any],
    parameters: tuple[Any, ...],
    out: Any,
    options: Mapping[str, object],
) -> Consideration:
    policy = asked = settle(function.name, current(), options)
    for argument, operand in zip(function.arguments, operands, strict=True):
        if type(operand) is PreparedWeight:
            policy = _bound(function, argument, operand, policy)
    arrays = [plain(operand) for operand in operands]
    request, policy = pose(function, arrays, parameters, out, policy)
    # A call's own algorithm= must be followed; that of a block or a layer holds for the
    # operations that have such an algorithm.
    strict = options.get("algorithm") is not None
    array = arrays[request.inputs[0][0]]
    found, decision = consider(request.problem, policy, array, strict)
    return Consideration(key, function, operands, out, request, asked, policy, found, decision)


def _bound(function: Function, argument: str, weight: PreparedWeight, policy: Policy) -> Policy:
    """Return a policy that keeps to the backend that a weight was prepared for."""
    if policy.backend not in (None, weight.backend):
        raise ValueError(
            bad_argument(
                function.name,
                argument,
                got=f"a weight prepared for backend {weight.backend!r}",
                expected=f"one for backend {policy.backend!r}, or a plain array",
                hint="Prepare it again inside that policy",
            )
        )
    return replace(policy, backend=weight.backend)


def _warn_if_slow(decision: Decision, considered: Consideration) -> None:
    asked = considered.asked
    if decision.slow and asked.algorithm is None and asked.backend is None:
        warnings.warn(
            f"{considered.function.name}: {decision.slow}",
            PerformanceWarning,
            stacklevel=levels_to_user(),
        )


def _stand_in(output: Output) -> Any:
    # Right in shape and dtype for the checks of what follows, without its memory.
    dtype = __import__("ml_dtypes").bfloat16 if output.dtype == "bfloat16" else output.dtype
    return np.broadcast_to(np.zeros((), dtype), output.shape)


def check_memory(request: Request) -> None:
    """Refuse results that this machine can't hold, before anything of their size is planned.

    Some systems promise more memory than there is, and stop the process when it is used.
    """
    for output in request.outputs:
        size = prod(output.shape) * itemsize(output.dtype)
        total = describe().memory_total if size > SURE_TO_FIT else None
        if total is not None and size > total:
            raise MemoryError(
                f"{request.problem.function}: no memory for a result of shape {output.shape} and "
                f"dtype {output.dtype}: {size} bytes, of {total} that this machine has"
            )


def pose(
    function: Function,
    arrays: Sequence[Any],
    parameters: tuple[Any, ...],
    out: Any,
    policy: Policy,
) -> tuple[Request, Policy]:
    """Check a call's arguments; return its problem, and the policy less conversions."""
    given = [(n, a) for n, a in zip(function.arguments, arrays, strict=True) if a is not None]
    name, first = given[0]
    for other, array in given[1:]:
        if type(array) is not type(first):
            raise TypeError(
                f"{function.name}: {name} is a {type_name(first)} but {other} is a "
                f"{type_name(array)}: got mixed array types, expected one. Nothing is moved "
                "silently; convert one of them first"
            )
    for argument, array in given:
        take(function.name, argument, array)
    device = policy.device or device_of(first)
    request = function.build(Call(function.name, tuple(arrays), parameters, device))
    if out is not None:
        check_out(function.name, out, request.outputs[0])
        if type(out) is not type(first):
            raise TypeError(
                bad_argument(
                    function.name,
                    "out",
                    got=f"a {type_name(out)}",
                    expected=f"a {type_name(first)}, as {name} is",
                )
            )
        if overlaps_itself(out.shape, out.strides, out.dtype.itemsize):
            raise ValueError(
                bad_argument(
                    function.name,
                    "out",
                    got=f"an array that overlaps itself (strides {out.strides})",
                    expected="one whose elements are all distinct",
                )
            )
        request = request.into(out)
    elif isinstance(first, np.ndarray) and LOOKING.get() is None:
        check_memory(request)
    left = policy.workspace_limit - request.conversion_bytes
    if left < 0:
        raise WorkspaceLimitError(
            f"{function.name}: converting the arguments to a common native dtype takes "
            f"{request.conversion_bytes} bytes, over workspace_limit={policy.workspace_limit}. "
            "Convert them first, or raise workspace_limit="
        )
    return request, replace(policy, workspace_limit=max(left, 1))


def pack_ahead(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Plan a call and pack its prepared weight, but run nothing."""

    def look(call: Consideration) -> tuple[Any, ...]:
        ready = call.ready(call.decision)
        _warn_if_slow(ready.decision, call)
        ready.pack(call.operands)
        call.keep(ready)
        return call.stand_ins()

    with looking(look):
        function(*args, **kwargs)
