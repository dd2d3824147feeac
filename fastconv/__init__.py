"""Convolution, pooling and linear layers, forward and every gradient, as functions on arrays.

The public names are loaded when they are first used: importing the package costs little, and
imports no plugin.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastconv._version import __version__

if TYPE_CHECKING:
    from fastconv.dispatch import (
        backends,
        devices,
        explain,
        register_backend,
        release_memory,
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
        "register_backend",
        "release_memory",
        "trace",
        "unregister_backend",
        "use",
        *_functions,
    ]

_HOMES = {
    "fastconv.errors": (
        "BackendWarning",
        "PerformanceWarning",
        "UnsupportedError",
        "WorkspaceLimitError",
    ),
    "fastconv.dispatch": (
        "backends",
        "devices",
        "explain",
        "register_backend",
        "release_memory",
        "trace",
        "unregister_backend",
        "use",
    ),
}
_PACKAGES = (
    "compat",
    "functional",
    "layers",
    "machine",
    "precision",
    "quantization",
    "testing",
)


def _names() -> list[str]:
    functions: list[str] = import_module("fastconv.functional").__all__
    return ["__version__", *(name for names in _HOMES.values() for name in names), *functions]


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return _names()
    if name in _PACKAGES:
        return import_module(f"fastconv.{name}")
    home = next((home for home, names in _HOMES.items() if name in names), "fastconv.functional")
    if name.startswith("_") or name not in getattr(import_module(home), "__all__", (name,)):
        raise AttributeError(f"module 'fastconv' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_names(), *_PACKAGES})
