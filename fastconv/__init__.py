"""Convolution, pooling and linear layers, forward and every gradient, as functions on arrays."""

from fastconv._version import __version__
from fastconv.dispatch import (
    backends,
    devices,
    explain,
    prepare,
    register_backend,
    trace,
    unregister_backend,
    use,
)
from fastconv.errors import (
    BackendWarning,
    PerformanceWarning,
    UnsupportedError,
    WorkspaceLimitError,
)
from fastconv.functional import *  # noqa: F403
from fastconv.functional import __all__ as _functions

__all__ = [
    "BackendWarning",
    "PerformanceWarning",
    "UnsupportedError",
    "WorkspaceLimitError",
    "__version__",
    "backends",
    "devices",
    "explain",
    "prepare",
    "register_backend",
    "trace",
    "unregister_backend",
    "use",
    *_functions,
]
