"""The way of a call: look the plan up, or pose the problem, decide and plan; then run."""

from __future__ import annotations

import marshal
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from fastconv.backend import Decision, Policy
from fastconv.dispatch.arrays import device_of, overlaps_itself, take, type_name
from fastconv.dispatch.choose import consider, naming, refuse
from fastconv.dispatch.policy import current, settle
from fastconv.dispatch.prepared import PreparedWeight
from fastconv.dispatch.ready import Ready
from fastconv.dispatch.request import Call, Function, Output, Request, check_out, itemsize
from fastconv.errors import PerformanceWarning, WorkspaceLimitError, bad_argument
from fastconv.machine import describe
from fastconv.problem import Problem
from fastconv.registry import REGISTRY

CACHE_SIZE = 4096


class PlanCache:
    """A bounded cache of calls made ready, least recently used out first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ready: OrderedDict[object, Ready] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object) -> Ready | None:
        """Return what is kept for a key, or None."""
        ready = self._ready.get(key)
        if ready is not None:
            with self._lock:
                if key in self._ready:
                    self._ready.move_to_end(key)
        return ready

    def put(self, key: object, ready: Ready) -> None:
        """Keep a call made ready."""
        with self._lock:
            self._ready[key] = ready
            while len(self._ready) > self._size:
                self._ready.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._ready.clear()

    def __len__(self) -> int:
        return len(self._ready)


PLANS = PlanCache(CACHE_SIZE)


def _signature(array: Any) -> object:
    if array is None:
        return None
    if type(array) is np.ndarray:
        return array.shape, array.strides, array.dtype, array.flags.writeable
    strides = getattr(array, "strides", None)
    return type(array), tuple(array.shape), strides, array.dtype, device_of(array)


_PLAIN = frozenset({int, bool, float, str, type(None)})


def _is_plain(value: object) -> bool:
    kind = type(value)
    return kind in _PLAIN or (kind in (tuple, list) and all(map(_is_plain, value)))  # type: ignore[call-overload]


def _fingerprint(parameters: tuple[Any, ...]) -> object:
    # marshal tells 1 from 1.0 and True, as equality does not; version 2 has no references,
    # so that equal values give equal bytes. Of NumPy's numbers and arrays it keeps the bytes
    # alone, neither dtype nor shape; it marks such with an "s".
    try:
        dumped = marshal.dumps(parameters, 2)
    except ValueError:
        dumped = b"s"
    if b"s" not in dumped or all(map(_is_plain, parameters)):
        return dumped
    return repr([(type(p), getattr(p, "dtype", None), p) for p in parameters])


# While explain() looks, calls put (problem, candidates, the one taken) here and run nothing.
Consideration = tuple[Problem, list[Decision], Decision | None]
EXPLAINING: ContextVar[list[Consideration] | None] = ContextVar("fastconv_explaining", default=None)
# Results up to so many bytes are not held against the machine's memory.
SURE_TO_FIT = 2**30
# The only array arguments that may be missing.
OPTIONAL = frozenset({"bias"})
_NO_OPTIONS: Mapping[str, object] = {}


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
    if isinstance(out, np.ndarray) and type(out) not in (np.ndarray, np.ma.MaskedArray):
        # A subclass, a memmap for instance, is filled through its plain view.
        _, *rest = call(function, operands, parameters, out.view(np.ndarray), options)
        return (out, *rest)
    policy = settle(function.name, current(), options) if options else current()
    if any(type(operand) is PreparedWeight for operand in operands):
        operands, policy = _unwrap(function, operands, policy)
    arrays = [
        operand
        if type(operand) is np.ndarray or (operand is None and argument in OPTIONAL)
        else take(function.name, argument, operand)
        for argument, operand in zip(function.arguments, operands, strict=True)
    ]
    # A call's own algorithm= must be followed; that of a block or a layer holds for the
    # operations that have such an algorithm.
    strict = options.get("algorithm") is not None
    key = (
        id(function),
        strict,
        tuple(map(_signature, arrays)),
        _fingerprint(parameters),
        _signature(out) if hasattr(out, "shape") else type(out),
        policy,
        REGISTRY.generation,
    )
    ready = PLANS.get(key)
    explanation = EXPLAINING.get()
    if ready is None or explanation is not None:
        request, policy = pose(function, arrays, parameters, out, policy)
        array = arrays[request.inputs[0][0]]
        found, decision = consider(request.problem, policy, array, strict)
        if explanation is not None:
            explanation.append((request.problem, [d for _, d in found], decision))
            return tuple(_stand_in(output) for output in request.outputs)
        if decision is None:
            raise refuse(request.problem, policy, [d for _, d in found])
        ready = _make_ready(request, policy, found, decision)
        PLANS.put((*key[:-1], REGISTRY.generation), ready)
    return ready.run(arrays, out)


def _stand_in(output: Output) -> Any:
    # Right in shape and dtype for the checks of what follows, without its memory.
    dtype = __import__("ml_dtypes").bfloat16 if output.dtype == "bfloat16" else output.dtype
    return np.broadcast_to(np.zeros((), dtype), output.shape)


def _levels_to_user() -> int:
    """Return the stacklevel, for the caller, of the first frame outside fastconv."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("fastconv."):
        frame = frame.f_back
        level += 1
    return level


def _make_ready(
    request: Request, policy: Policy, found: Sequence[tuple[Any, Decision]], decision: Decision
) -> Ready:
    backend = next(b for b, d in found if d is decision)
    if decision.slow and policy.algorithm is None and policy.backend is None:
        warnings.warn(
            f"{request.problem.function}: {decision.slow}",
            PerformanceWarning,
            stacklevel=_levels_to_user(),
        )
    with naming(decision.backend, "plan"):
        plan = backend.plan(request.problem, decision)
    return Ready(request, decision, plan, policy)


def _unwrap(
    function: Function, operands: Sequence[Any], policy: Policy
) -> tuple[list[Any], Policy]:
    plain = []
    for argument, operand in zip(function.arguments, operands, strict=True):
        if type(operand) is not PreparedWeight:
            plain.append(operand)
            continue
        if policy.backend not in (None, operand.backend):
            raise ValueError(
                bad_argument(
                    function.name,
                    argument,
                    got=f"a weight prepared for backend {operand.backend!r}",
                    expected=f"one for backend {policy.backend!r}, or a plain array",
                    hint="Prepare it again inside that policy",
                )
            )
        policy = replace(policy, backend=operand.backend)
        plain.append(operand.array)
    return plain, policy


def _check_memory(request: Request) -> None:
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
    elif isinstance(first, np.ndarray) and EXPLAINING.get() is None:
        _check_memory(request)
    left = policy.workspace_limit - request.conversion_bytes
    if left < 0:
        raise WorkspaceLimitError(
            f"{function.name}: converting the arguments to a common native dtype takes "
            f"{request.conversion_bytes} bytes, over workspace_limit={policy.workspace_limit}. "
            "Convert them first, or raise workspace_limit="
        )
    return request, replace(policy, workspace_limit=max(left, 1))
