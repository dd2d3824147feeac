"""Arrays as the dispatcher sees them: whose they are, and whether they share memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from fastconv.backend import Backend
from fastconv.errors import UnsupportedError, bad_argument
from fastconv.registry import REGISTRY

# Kinds that hold numbers; ml_dtypes' bfloat16 has kind "V" and is known by its name.
_NUMERIC = frozenset("biufc")
# What serves a type of arrays, as of a generation of the registry, and whether it is another
# library's: asked many times in a call.
_SERVERS: dict[type, tuple[int, list[Backend], bool]] = {}
_UNKNOWN: tuple[int, list[Backend], bool] = (-1, [], False)


def type_name(array: object) -> str:
    """Return the qualified name of an array's type as backends write it."""
    kind = type(array)
    module = "numpy" if kind is np.ndarray else kind.__module__
    return f"{module}.{kind.__qualname__}"


def takes(backend: Backend, array: object) -> bool:
    """Whether a backend takes arrays of this type."""
    names = {type_name(array)}
    for kind in type(array).__mro__:
        names.add(f"{kind.__module__}.{kind.__qualname__}")
        # cupy.ndarray lives in cupy._core.core: its public name counts too.
        names.add(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
    return not names.isdisjoint(backend.info.array_types)


def servers(array: object) -> list[Backend]:
    """Load every plugin; return the backends that take arrays of this type."""
    generation, found, _ = _SERVERS.get(type(array), _UNKNOWN)
    if generation != REGISTRY.generation:
        found = [
            entry.backend
            for entry in REGISTRY.all()
            if entry.backend is not None and takes(entry.backend, array)
        ]
        foreign = bool(found) and not isinstance(array, np.ndarray | np.generic)
        _SERVERS[type(array)] = (REGISTRY.generation, found, foreign)
    return found


def is_foreign(array: object) -> bool:
    """Whether an object is an array of another library than NumPy that lives on a device."""
    # Asked of the type first: of an array it is a dictionary, made at each look.
    name = "__cuda_array_interface__"
    return (
        hasattr(type(array), name)
        or hasattr(array, name)
        or (hasattr(array, "shape") and hasattr(array, "dtype") and bool(_foreign_servers(array)))
    )


def _foreign_servers(array: object) -> list[Backend]:
    return [] if isinstance(array, np.ndarray | np.generic) else servers(array)


def take(function: str, argument: str, value: object) -> Any:
    """Return `value` as an array that a backend may serve; lists become NumPy arrays.

    Raises
    ------
    TypeError
        For a masked array, or what isn't an array of numbers.
    UnsupportedError
        For a device array that no installed backend serves.
    """
    if type(value) is np.ndarray:
        array = value
    elif _SERVERS.get(type(value), _UNKNOWN)[::2] == (REGISTRY.generation, True):
        return value
    elif isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            bad_argument(
                function,
                argument,
                got="a masked array",
                expected="a plain array",
                hint="Fill the masked elements first: x.filled(0)",
            )
        )
    elif isinstance(value, np.ndarray):
        array = value.view(np.ndarray)
    elif is_foreign(value):
        if not _foreign_servers(value):
            raise UnsupportedError(
                bad_argument(
                    function,
                    argument,
                    got=f"a {type_name(value)}",
                    expected="an array of a type that an installed backend serves",
                    hint=_served() + ". For CuPy arrays: pip install fastconv-cuda",
                )
            )
        return value
    else:
        array = _from_sequence(function, argument, value)
    if array.dtype.kind not in _NUMERIC and array.dtype.name != "bfloat16":
        raise TypeError(
            bad_argument(
                function, argument, got=f"dtype {array.dtype}", expected="an array of numbers"
            )
        )
    return array


def _from_sequence(function: str, argument: str, value: object) -> Any:
    if value is None or isinstance(value, str | bytes | dict | set):
        raise TypeError(
            bad_argument(function, argument, got=repr(value)[:60], expected="an array of numbers")
        )
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            bad_argument(
                function,
                argument,
                got=f"{type(value).__name__} that NumPy can't convert ({error})",
                expected="an array of numbers",
            )
        ) from error


def _served() -> str:
    names = sorted(
        {name for entry in REGISTRY.all() if entry.info for name in entry.info.array_types}
    )
    return "Served here: " + ", ".join(names)


def namespace(array: object) -> ModuleType:
    """Return the module of an array's library: numpy, cupy, ...

    Raises
    ------
    UnsupportedError
        If no backend serves arrays of this type.

    Examples
    --------
    >>> import numpy as np
    >>> namespace(np.zeros(3)).__name__
    'numpy'
    """
    if isinstance(array, np.ndarray | np.generic):
        return np
    for backend in servers(array):
        name = backend.info.namespace
        __import__(name)
        return sys.modules[name]
    raise UnsupportedError(
        bad_argument("namespace", "array", got=f"a {type_name(array)}", expected=_served())
    )


def device_of(array: Any) -> str:
    """Return the device that an array lives on, as the policy names it."""
    if isinstance(array, np.ndarray):
        return "cpu"
    device = getattr(array, "device", None)
    number = getattr(device, "id", None)
    if isinstance(number, int):
        kinds = [kind for backend in servers(array) for kind in backend.info.device_kinds]
        return f"{kinds[0] if kinds else 'device'}:{number}"
    return "cpu" if device is None else str(device)


def _extent(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    return sorted((abs(s), n) for n, s in zip(shape, strides, strict=True) if n > 1)


def overlaps_itself(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> bool:
    """Whether two elements of an array share memory (a broadcast view, for instance).

    Exact up to 2**22 elements; beyond, interleaved strides count as overlapping.
    """
    if 0 in shape:
        return False
    reach = itemsize
    clear = True
    for stride, count in _extent(shape, strides):
        clear = clear and stride >= reach
        reach += stride * (count - 1)
    if clear:
        return False
    count = int(np.prod(shape, dtype=np.int64))
    if count > 2**22 or any(s == 0 for s, _ in _extent(shape, strides)):
        return True
    offsets = np.zeros((), np.int64)
    for n, stride in zip(shape, strides, strict=True):
        offsets = offsets[..., None] + np.arange(n, dtype=np.int64) * stride
    starts = np.sort(offsets, axis=None)
    return bool((np.diff(starts) < itemsize).any())


def may_overlap(a: Any, b: Any) -> bool:
    """Whether two arrays may share memory; True where that can't be told."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return bool(np.may_share_memory(a, b))
    shares = getattr(
        sys.modules.get(type(a).__module__.partition(".")[0]), "may_share_memory", None
    )
    return bool(shares(a, b)) if shares is not None else True


def may_overlap_any(out: Any, arrays: Sequence[Any]) -> bool:
    """Whether an array may share memory with any of the others."""
    owns = type(out) is np.ndarray and out.flags.owndata
    for array in arrays:
        # Two arrays that own their memory own different memory. Quicker than asking NumPy.
        if owns and type(array) is np.ndarray and array.flags.owndata and array is not out:
            continue
        if may_overlap(out, array):
            return True
    return False
