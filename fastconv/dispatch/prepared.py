"""Weights made ready for repeated use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from fastconv.dispatch.arrays import take, type_name
from fastconv.dispatch.choose import allowed
from fastconv.dispatch.policy import current, settle
from fastconv.errors import bad_argument

# Forms that one weight keeps: as many kinds of calls as a weight is likely to serve in turn.
MOST_FORMS = 8


class PreparedWeight:
    """An immutable copy of a weight, made by :func:`fastconv.prepare` for one backend.

    Plans that can pack a weight ahead pack it once, at the first call of each kind, and find it
    here from then on. What is packed lives as long as the PreparedWeight.

    Attributes
    ----------
    backend : str
        The backend that it was prepared for; calls on another one refuse it.
    array : array
        The copy, C-contiguous and read-only.
    """

    __slots__ = ("_forms", "_lock", "array", "backend", "signature")

    array: Any
    backend: str
    signature: Hashable
    _forms: dict[Hashable, tuple[Any, Callable[[Any], Any]]]
    _lock: threading.Lock

    def __init__(self, array: Any, backend: str) -> None:
        values = {
            "array": array,
            "backend": backend,
            # What plans depend on.
            "signature": (PreparedWeight, backend, type(array), tuple(array.shape), array.dtype),
            "_forms": {},
            "_lock": threading.Lock(),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a PreparedWeight is immutable: can't set {name}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """Data type of the weight."""
        return self.array.dtype

    @property
    def packed_bytes(self) -> int:
        """Bytes of all packed forms that are kept beside `array`."""
        return sum(int(form.nbytes) for form, _ in list(self._forms.values()))

    def packed(self, key: Hashable, pack: Callable[[Any], Any]) -> Any:
        """Return what `pack` makes of the weight, made once for each key.

        `pack` is kept with it: a key may hold the identity of what `pack` refers to.
        """
        found = self._forms.get(key)
        if found is None:
            with self._lock:
                found = self._forms.get(key) or self._add(key, pack)
        return found[0]

    def _add(self, key: Hashable, pack: Callable[[Any], Any]) -> tuple[Any, Callable[[Any], Any]]:
        form = pack(self.array)
        if isinstance(form, np.ndarray):
            form.setflags(write=False)
        if len(self._forms) >= MOST_FORMS:
            del self._forms[next(iter(self._forms))]
        self._forms[key] = form, pack
        return self._forms[key]

    def __repr__(self) -> str:
        return f"PreparedWeight(shape={self.shape}, dtype={self.dtype}, backend={self.backend!r})"


def plain(operand: Any) -> Any:
    """Return an operand as an array."""
    return operand.array if type(operand) is PreparedWeight else operand


def copy_of(weight: Any, like: Any, backend: str | None, device: str | None) -> PreparedWeight:
    """Return an immutable copy of a weight for the backend that serves arrays such as `like`.

    Raises
    ------
    TypeError
        If the two are of different array types.
    UnsupportedError
        If no backend serves them.
    """
    weight, like = take("prepare", "weight", weight), take("prepare", "like", like)
    if type(weight) is not type(like):
        raise TypeError(
            bad_argument(
                "prepare",
                "weight",
                got=f"a {type_name(weight)}",
                expected=f"a {type_name(like)}, as like= is",
            )
        )
    policy = settle("prepare", current(), {"backend": backend, "device": device})
    candidates = allowed("prepare", policy, like)
    copy = weight.astype(weight.dtype.newbyteorder("="), order="C", copy=True)
    if isinstance(copy, np.ndarray):
        copy.setflags(write=False)
    return PreparedWeight(copy, candidates[0].info.name)
