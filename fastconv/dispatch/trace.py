"""trace(): what really ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """One problem that was solved.

    Attributes
    ----------
    function, operation : str
        The function called, and what it came to.
    backend, algorithm, precision, device : str
        What solved it.
    threads : int
        At most so many.
    workspace_bytes : int
        Scratch memory, conversions included.
    seconds : float
        Wall time of the kernel; for a device, of its launch.
    """

    function: str
    operation: str
    backend: str
    algorithm: str
    precision: str
    device: str
    threads: int
    workspace_bytes: int
    seconds: float


TRACE: ContextVar[list[Ran] | None] = ContextVar("fastconv_trace", default=None)


@contextmanager
def trace() -> Iterator[list[Ran]]:
    """Record every problem solved inside a ``with`` block.

    Yields
    ------
    list of Ran
        Grows by an entry for each problem, in order; an outer block sees it too.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> with fastconv.trace() as ran:
    ...     y = fastconv.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)))
    >>> ran[0].function, ran[0].backend, ran[0].precision
    ('conv2d', 'cpu', 'float64')
    """
    outer = TRACE.get()
    records: list[Ran] = []
    token = TRACE.set(records)
    try:
        yield records
    finally:
        TRACE.reset(token)
        if outer is not None:
            outer.extend(records)
