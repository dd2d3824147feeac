"""Which backends there are: discovery, validation and isolation. Knows no operation.

Knowing of a plugin does not import it. Entry points are read at the first call; the built-in
backend is loaded then, and the others when a policy or an array type asks for them. A plugin
that can't be used costs one warning, and keeps its reason for ``fastconv.backends()``.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fastconv.backend import API_VERSION, Backend, Info, Probe
from fastconv.errors import BackendWarning

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "fastconv.backends"
BUILT_IN = "cpu"

Status = Literal["ready", "unusable", "broken", "blocked", "found"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one backend.

    Attributes
    ----------
    name : str
        Name of the backend.
    status : str
        "ready"; "unusable" (no device here); "broken" (not loaded); "blocked" (switched
        off by ``FASTCONV_BLOCK``); "found" (not loaded yet).
    reason : str
        Why it isn't ready.
    source : str
        Distribution and version that it comes from.
    info : Info or None
        Its own description, once loaded.
    devices : tuple of str
        Devices usable here.
    """

    name: str
    status: Status
    reason: str = ""
    source: str = ""
    info: Info | None = None
    devices: tuple[str, ...] = ()
    backend: Backend | None = None


def _installed() -> Iterable[EntryPoint]:
    # Costs more to import than all of fastconv: only when the first call needs it.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _source(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == "fastconv"


def _blocked() -> frozenset[str]:
    names = os.environ.get("FASTCONV_BLOCK", "").split(",")
    return frozenset(name.strip() for name in names if name.strip())


class Registry:
    """The backends of this process; safe to use from many threads."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self._points = points
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] | None = None
        self._pending: dict[str, EntryPoint] = {}
        self._complaints: list[str] = []
        self.generation = 0

    def get(self, name: str) -> Entry | None:
        """Return the entry of that name, loaded, or None."""
        with self._lock:
            self._discover()
            entry = self._load(name)
        self._complain()
        return entry

    def all(self) -> list[Entry]:
        """Load every plugin; return all entries, the built-in one first."""
        with self._lock:
            entries = self._discover()
            for name in list(self._pending):
                self._load(name)
            found = sorted(entries.values(), key=lambda entry: (entry.name != BUILT_IN, entry.name))
        self._complain()
        return found

    def register(self, backend: Backend, *, replace_existing: bool = False) -> Entry:
        """Add a backend by hand; raise ValueError or TypeError if it breaks the contract."""
        fault = _contract_fault(backend)
        if fault:
            raise TypeError(f"register_backend: backend: {fault}")
        name = backend.info.name
        with self._lock:
            entries = self._discover()
            if name == BUILT_IN or (name in entries and not replace_existing):
                raise ValueError(
                    f"register_backend: backend: the name {name!r} is taken. Choose another name"
                    + ("" if name == BUILT_IN else ", or pass replace_existing=True")
                )
            self._pending.pop(name, None)
            entry = self._probe(backend, source="register_backend")
            self.generation += 1
        self._complain()
        return entry

    def unregister(self, name: str) -> None:
        """Forget a backend that was added by hand."""
        with self._lock:
            entries = self._discover()
            if name not in entries or entries[name].source != "register_backend":
                raise ValueError(f"unregister_backend: name: {name!r} was not registered by hand")
            del entries[name]
            self.generation += 1

    def _discover(self) -> dict[str, Entry]:
        if self._entries is not None:
            return self._entries
        self._entries = {}
        points = self._points if self._points is not None else _installed()
        by_name: dict[str, list[EntryPoint]] = {}
        for point in points:
            same = by_name.setdefault(point.name, [])
            # An editable install beside a build folder shows one distribution twice.
            if all((p.value, _source(p)) != (point.value, _source(point)) for p in same):
                same.append(point)
        blocked = _blocked()
        for name, same in by_name.items():
            self._admit(name, same, blocked)
        if BUILT_IN not in by_name:
            self._reject(
                BUILT_IN,
                "fastconv's own entry point was not found: install the package "
                "(pip install -e . in a checkout)",
                "fastconv",
            )
        return self._entries

    def _admit(self, name: str, points: list[EntryPoint], blocked: frozenset[str]) -> None:
        assert self._entries is not None
        if name == BUILT_IN:
            foreign = [point for point in points if not _is_ours(point)]
            points = [point for point in points if _is_ours(point)]
            for point in foreign:
                self._reject(
                    f"{name} ({_source(point)})", f"the name {name!r} is reserved", _source(point)
                )
            if not points:
                return
        sources = ", ".join(_source(point) for point in points)
        if name in blocked:
            self._entries[name] = Entry(
                name, "blocked", f"switched off by FASTCONV_BLOCK={name}", sources
            )
        elif len(points) > 1:
            self._reject(
                name,
                f"{len(points)} distributions offer a backend of this name ({sources}); none is "
                "loaded. Uninstall all but one",
                sources,
            )
        else:
            self._pending[name] = points[0]
            self._entries[name] = Entry(name, "found", "not loaded yet", sources)

    def _reject(self, name: str, reason: str, source: str) -> Entry:
        assert self._entries is not None
        entry = Entry(name, "broken", reason, source)
        self._entries[name] = entry
        self._complaints.append(f"fastconv: backend {name!r} is skipped: {reason}")
        return entry

    def _complain(self) -> None:
        # Only when the registry's state is whole: a filter may turn the warning into an error.
        while self._complaints:
            warnings.warn(self._complaints.pop(), BackendWarning, stacklevel=4)

    def _load(self, name: str) -> Entry | None:
        assert self._entries is not None
        point = self._pending.pop(name, None)
        if point is None:
            return self._entries.get(name)
        source = _source(point)
        self.generation += 1
        try:
            backend = point.load()
        except (Exception, SystemExit) as error:
            return self._reject(name, f"import failed: {type(error).__name__}: {error}", source)
        try:
            fault = _contract_fault(backend, name)
        except Exception as error:
            fault = f"its info failed: {type(error).__name__}: {error}"
        if fault:
            return self._reject(name, fault, source)
        return self._probe(backend, source)

    def _probe(self, backend: Backend, source: str) -> Entry:
        """Add a backend that keeps the contract's form, with the devices that it finds."""
        assert self._entries is not None
        name = backend.info.name
        try:
            probe = backend.probe()
            if not isinstance(probe, Probe):
                raise TypeError(f"it gave a {type(probe).__name__}, expected Probe")
        except Exception as error:
            return self._reject(name, f"probe failed: {type(error).__name__}: {error}", source)
        found = Entry(name, "ready", probe.reason, source, backend.info, backend=backend)
        if probe.devices:
            found = replace(found, devices=tuple(probe.devices))
        else:
            found = replace(found, status="unusable", reason=probe.reason or "it found no device")
        self._entries[name] = found
        return found


def _contract_fault(backend: object, name: str | None = None) -> str:
    """Say how an object breaks the contract; an empty string if it doesn't."""
    info = getattr(backend, "info", None)
    if not isinstance(info, Info):
        return f"its info is {type(info).__name__}, expected fastconv.backend.Info"
    if info.api_version != API_VERSION:
        return (
            f"it was written for API version {info.api_version}, this fastconv has "
            f"{API_VERSION}. Update the plugin or fastconv"
        )
    for member in ("probe", "decide", "plan"):
        if not callable(getattr(backend, member, None)):
            return f"it has no method {member}()"
    if name is not None and info.name != name:
        return f"its entry point is named {name!r} but its info says {info.name!r}"
    return ""


REGISTRY = Registry()
