"""The number of threads of NumPy's BLAS, which only threadpoolctl can change."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

from fastconv.machine import usable_cores

NEEDS_LIMITER = (
    "BLAS follows its own number of threads, so that threads= needs threadpoolctl: "
    "pip install threadpoolctl"
)


def must_limit_blas(threads: int | None) -> bool:
    """Whether a policy's number of threads is another than BLAS takes by itself."""
    return threads is not None and threads != usable_cores()


@cache
def can_limit_blas() -> bool:
    """Whether threadpoolctl is there."""
    return find_spec("threadpoolctl") is not None


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    # Looking at every loaded library takes milliseconds: once is enough, NumPy is loaded.
    return ThreadpoolController().select(user_api="blas")


def blas_threads(count: int | None) -> AbstractContextManager[Any]:
    """Hold BLAS to so many threads inside a ``with`` block; None leaves it alone."""
    if count is None or not can_limit_blas():
        return nullcontext()
    limited: AbstractContextManager[Any] = _controller().limit(limits=count)
    return limited
