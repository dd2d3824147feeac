"""The policy in force: call beats ``use()`` beats ``FASTCONV_*`` variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from functools import cache
from operator import index
from typing import Any, TypedDict

from fastconv.backend import Policy
from fastconv.errors import bad_argument
from fastconv.precision import PRECISIONS


class PolicyOptions(TypedDict, total=False):
    """The policy keywords that every function takes; see :func:`fastconv.use`."""

    device: str | None
    backend: str | None
    algorithm: str | None
    precision: str | None
    tolerance: float | None
    threads: int | None
    workspace_limit: int | None
    deterministic: bool | None


_NAMES = tuple(field.name for field in fields(Policy))
_FALSE = frozenset({"", "0", "false", "no", "off"})
_TRUE = frozenset({"1", "true", "yes", "on"})


def _name(function: str, argument: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(
            bad_argument(function, argument, got=repr(value), expected="a name (str) or None")
        )
    if not value:
        raise ValueError(bad_argument(function, argument, got="''", expected="a name"))
    return value


def _precision(function: str, argument: str, value: object) -> str:
    name = _name(function, argument, value)
    if name not in PRECISIONS:
        raise ValueError(
            bad_argument(
                function, argument, got=repr(value), expected="one of " + ", ".join(PRECISIONS)
            )
        )
    return name


def _positive_int(function: str, argument: str, value: object) -> int:
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(bad_argument(function, argument, got=repr(value), expected="an int"))
    if number < 1:
        raise ValueError(bad_argument(function, argument, got=number, expected="1 or more"))
    return number


def _tolerance(function: str, argument: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(
            bad_argument(function, argument, got=repr(value), expected="a number")
        ) from None
    if not 0 <= number < float("inf"):
        raise ValueError(
            bad_argument(function, argument, got=number, expected="a finite number, 0 or more")
        )
    return number


def _flag(function: str, argument: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError(bad_argument(function, argument, got=repr(value), expected="True or False"))


_CHECKS: dict[str, Callable[[str, str, object], object]] = {
    "device": _name,
    "backend": _name,
    "algorithm": _name,
    "precision": _precision,
    "tolerance": _tolerance,
    "threads": _positive_int,
    "workspace_limit": _positive_int,
    "deterministic": _flag,
}


def settle(function: str, base: Policy, options: Mapping[str, object]) -> Policy:
    """Return `base` with the options that aren't None, each of them checked.

    Raises
    ------
    TypeError
        For a keyword that no policy has, or a value of the wrong type.
    ValueError
        For a value out of range.
    """
    changes: dict[str, Any] = {}
    for name, value in options.items():
        check = _CHECKS.get(name)
        if check is None:
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}. The policy keywords "
                "are " + ", ".join(_NAMES)
            )
        if value is not None:
            changes[name] = check(function, name, value)
    return replace(base, **changes) if changes else base


def _from_text(name: str, text: str) -> object:
    variable = f"FASTCONV_{name.upper()}"
    if name in ("threads", "workspace_limit", "tolerance"):
        try:
            return float(text) if name == "tolerance" else int(text)
        except ValueError:
            raise ValueError(
                bad_argument("fastconv", variable, got=repr(text), expected="a number")
            ) from None
    if name == "deterministic":
        lowered = text.strip().lower()
        if lowered not in _TRUE | _FALSE:
            raise ValueError(bad_argument("fastconv", variable, got=repr(text), expected="0 or 1"))
        return lowered in _TRUE
    return text


@cache
def environment() -> Policy:
    """Read the FASTCONV_* variables, once in a process.

    FASTCONV_NUM_THREADS is another name for FASTCONV_THREADS.
    """
    texts = {name: os.environ.get(f"FASTCONV_{name.upper()}") for name in _NAMES}
    if not texts["threads"]:
        texts["threads"] = os.environ.get("FASTCONV_NUM_THREADS")
    options = {name: _from_text(name, text) for name, text in texts.items() if text}
    return settle("fastconv", Policy(), options)


class InForce:
    """A policy in force. Equal ones are one object: a key that hashes in no time."""

    __slots__ = ("policy",)

    def __init__(self, policy: Policy) -> None:
        self.policy = policy


_MOST_KNOWN = 1024
_KNOWN: dict[Policy, InForce] = {}
IN_FORCE: ContextVar[InForce | None] = ContextVar("fastconv_policy", default=None)


def _in_force(policy: Policy) -> InForce:
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()  # costs new plans, no more
    return _KNOWN.setdefault(policy, InForce(policy))


@cache
def from_environment() -> InForce:
    """Return what is in force where no block is: the FASTCONV_* variables' policy."""
    return _in_force(environment())


def current() -> Policy:
    """Return the policy in force outside any call's own keywords."""
    return (IN_FORCE.get() or from_environment()).policy


@contextmanager
def under(policy: Policy) -> Iterator[None]:
    """Run a block under exactly this policy, whatever the block outside asks for."""
    token = IN_FORCE.set(_in_force(policy))
    try:
        yield
    finally:
        IN_FORCE.reset(token)


@contextmanager
def use(
    *,
    device: str | None = None,
    backend: str | None = None,
    algorithm: str | None = None,
    precision: str | None = None,
    tolerance: float | None = None,
    threads: int | None = None,
    workspace_limit: int | None = None,
    deterministic: bool | None = None,
) -> Iterator[Policy]:
    """Set the policy for the calls inside a ``with`` block.

    Each name is also a keyword of every function, which beats the block, and a variable
    ``FASTCONV_<NAME>``, which the block beats. Blocks nest; None leaves a name as it is. The
    policy follows context variables: a new thread starts from the defaults (run it in
    ``contextvars.copy_context()`` to hand the policy on).

    Parameters
    ----------
    device : str, optional
        "cpu", "cuda", "cuda:1", or "auto". By default work stays where the arrays live.
    backend : str, optional
        The only backend to use; where it refuses, the call raises.
    algorithm : str, optional
        The only algorithm to use, for instance "reference".
    precision : str, optional
        How operands are rounded and summed; the result's dtype stays. One of "float64",
        "float32", "float32_strict", "tf32", "float16", "bfloat16", "int8"; or "auto", the
        fastest whose error bound is within `tolerance`. By default, the arrays' own.
    tolerance : float, optional
        Largest acceptable error bound; see :class:`fastconv.backend.Decision`.
    threads : int, optional
        At most so many threads. By default, the cores that this process may use.
    workspace_limit : int, optional
        Bytes of scratch memory that a call may take, outputs excepted. Default 64 MiB.
    deterministic : bool, optional
        Only algorithms whose results repeat bit for bit.

    Yields
    ------
    Policy
        The policy in force inside the block.

    Raises
    ------
    TypeError, ValueError
        For a value of the wrong type, or out of range.

    Examples
    --------
    >>> import fastconv
    >>> with fastconv.use(threads=1, workspace_limit=2**20):
    ...     fastconv.conv1d([[1.0, 2.0, 3.0]], [[[1.0, -1.0]]])
    array([[-1., -1.]])
    """
    options = {
        "device": device,
        "backend": backend,
        "algorithm": algorithm,
        "precision": precision,
        "tolerance": tolerance,
        "threads": threads,
        "workspace_limit": workspace_limit,
        "deterministic": deterministic,
    }
    policy = settle("use", current(), options)
    with under(policy):
        yield policy
