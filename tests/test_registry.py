"""The registry by itself: discovery, validation and isolation, with entry points made by hand."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fastconv.backend import API_VERSION, Info, Probe
from fastconv.errors import BackendWarning
from fastconv.registry import Registry


class Toy:
    info = Info("toy", API_VERSION, "numpy", ("numpy.ndarray",), ("cpu",), ("conv_forward",))
    probed = 0

    def probe(self):
        type(self).probed += 1
        return Probe(("cpu",))

    def decide(self, problem, policy):
        return []

    def plan(self, problem, decision):
        return None


class Point:
    """Stands in for importlib.metadata.EntryPoint."""

    def __init__(self, name, load, dist="toy-dist", version="1.0"):
        self.name, self._load = name, load
        self.value = f"{dist}:{name}"
        self.dist = SimpleNamespace(name=dist, version=version)
        self.loaded = 0

    def load(self):
        self.loaded += 1
        return self._load() if callable(self._load) else self._load


class Cpu(Toy):
    info = replace(Toy.info, name="cpu")


def ours():
    return Point("cpu", Cpu(), dist="fastconv")


def named(name, **changes):
    backend = Toy()
    backend.info = replace(Toy.info, name=name, **changes)
    return backend


def fail(error):
    def load():
        raise error

    return load


def rejected(point, *more):
    """Return the entry of a plugin that costs one warning, and that warning's text."""
    registry = Registry([ours(), point, *more])
    with pytest.warns(BackendWarning) as caught:
        entries = registry.all()
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.all() == entries
    assert entries[0].name == "cpu"
    assert entries[0].status == "ready"
    entry = entries[1]
    assert entry.reason in str(caught[0].message)
    return entry


def test_a_plugin_is_loaded_when_it_is_asked_for_and_not_before():
    point = Point("toy", Toy())
    registry = Registry([ours(), point])
    assert registry.get("cpu").status == "ready"
    assert point.loaded == 0
    assert registry.get("nobody") is None
    assert point.loaded == 0
    entry = registry.get("toy")
    assert (entry.status, entry.devices, entry.source) == ("ready", ("cpu",), "toy-dist 1.0")
    registry.all()
    assert point.loaded == 1


def test_the_built_in_backend_comes_first():
    registry = Registry([Point("a", named("a")), ours(), Point("z", named("z"))])
    assert [entry.name for entry in registry.all()] == ["cpu", "a", "z"]


def test_loading_changes_the_generation():
    registry = Registry([ours(), Point("toy", Toy())])
    registry.get("cpu")
    before = registry.generation
    registry.get("cpu")
    assert registry.generation == before
    registry.get("toy")
    assert registry.generation > before


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (fail(ImportError("no libtoy.so")), "import failed: ImportError: no libtoy.so"),
        (fail(RuntimeError("boom")), "import failed: RuntimeError: boom"),
        (fail(SystemExit("bye")), "import failed: SystemExit: bye"),
        (named("toy", api_version=API_VERSION - 1), "Update the plugin or fastconv"),
        (named("toy", api_version=API_VERSION + 1), "Update the plugin or fastconv"),
        (named("other"), "its entry point is named 'toy' but its info says 'other'"),
        (SimpleNamespace(info=None), "its info is NoneType"),
        (SimpleNamespace(info=Toy.info, probe=print, decide=print), "it has no method plan()"),
        (object, "its info is NoneType"),
    ],
)
def test_a_bad_plugin_costs_one_warning(load, reason):
    entry = rejected(Point("toy", load))
    assert entry.status == "broken"
    assert reason in entry.reason
    assert entry.backend is None


def test_an_info_that_raises_costs_one_warning():
    class Moody(Toy):
        @property
        def info(self):
            raise OSError("not today")

    assert "info failed: OSError: not today" in rejected(Point("toy", Moody())).reason


@pytest.mark.parametrize("result", [None, OSError("driver gone"), ("cpu",)])
def test_a_probe_that_raises_or_gives_no_probe_costs_one_warning(result):
    class Moody(Toy):
        def probe(self):
            if isinstance(result, Exception):
                raise result
            return result

    entry = rejected(Point("toy", Moody()))
    assert entry.status == "broken"
    assert entry.reason.startswith("probe failed: ")


def test_no_device_is_no_fault():
    class Lonely(Toy):
        def probe(self):
            return Probe((), "there is no GPU")

    registry = Registry([ours(), Point("toy", Lonely())])
    entry = registry.get("toy")
    assert (entry.status, entry.reason, entry.devices) == ("unusable", "there is no GPU", ())


def test_of_two_equal_names_neither_loads():
    points = [Point("toy", Toy(), dist="one"), Point("toy", Toy(), dist="two")]
    entry = rejected(*points)
    assert entry.status == "broken"
    assert "one 1.0, two 1.0" in entry.reason
    assert not any(point.loaded for point in points)


def test_one_distribution_seen_twice_is_one():
    registry = Registry([ours(), Point("toy", Toy()), Point("toy", Toy())])
    assert registry.get("toy").status == "ready"


def test_the_built_in_name_is_reserved():
    impostor = Point("cpu", named("cpu"), dist="impostor")
    entry = rejected(impostor)
    assert entry.name == "cpu (impostor 1.0)"
    assert "reserved" in entry.reason
    assert impostor.loaded == 0


def test_without_an_installation_it_says_how_to_install():
    registry = Registry([])
    with pytest.warns(BackendWarning, match="pip install"):
        assert registry.get("cpu").status == "broken"


def test_a_variable_blocks_backends(monkeypatch):
    monkeypatch.setenv("FASTCONV_BLOCK", "other, toy")
    point = Point("toy", Toy())
    entry = Registry([ours(), point]).get("toy")
    assert entry.status == "blocked"
    assert "FASTCONV_BLOCK=toy" in entry.reason
    assert point.loaded == 0


def test_registering_by_hand():
    registry = Registry([ours()])
    generation = registry.generation
    registry.register(Toy())
    assert registry.get("toy").source == "register_backend"
    assert registry.generation > generation
    with pytest.raises(ValueError, match="replace_existing=True"):
        registry.register(Toy())
    replacement = Toy()
    registry.register(replacement, replace_existing=True)
    assert registry.get("toy").backend is replacement
    registry.unregister("toy")
    assert registry.get("toy") is None


def test_registering_what_breaks_the_contract():
    registry = Registry([ours()])
    for broken in (object(), named("toy", api_version=0), None):
        with pytest.raises(TypeError, match="register_backend"):
            registry.register(broken)
    for replace_existing in (False, True):
        with pytest.raises(ValueError, match="'cpu' is taken"):
            registry.register(Cpu(), replace_existing=replace_existing)


def test_only_what_was_registered_by_hand_is_unregistered():
    registry = Registry([ours(), Point("toy", Toy())])
    for name in ("cpu", "toy", "nobody"):
        with pytest.raises(ValueError, match="not registered by hand"):
            registry.unregister(name)


def test_a_warning_turned_into_an_error_leaves_the_registry_whole():
    registry = Registry([ours(), Point("toy", fail(ImportError("gone")))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BackendWarning):
            registry.all()
        assert [entry.status for entry in registry.all()] == ["ready", "broken"]


def test_many_threads_load_a_plugin_once():
    point = Point("toy", Toy)
    Toy.probed = 0
    registry = Registry([ours(), Point("toy", lambda: point.load())])
    gate = threading.Barrier(8)
    entries = []

    def ask():
        gate.wait()
        entries.append(registry.get("toy"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert point.loaded == 1
    assert len({id(entry) for entry in entries}) == 1
    assert entries[0].status == "ready"
