"""Plugins as they are installed: small distributions on a path, seen by a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent

import pytest

# A backend that gives ones, for arrays of its own type or for NumPy's.
PLUGIN = """
    import numpy as np
    from fastconv.backend import API_VERSION, Decision, Info, Probe

    NAME, TYPES, NAMESPACE = "{name}", ("{array_type}",), "{namespace}"

    class Plan:
        workspace_bytes = 0
        def empty(self, shape, dtype):
            import importlib
            return importlib.import_module(NAMESPACE).empty(shape, dtype)
        def run(self, inputs, outputs, workspace, stream=None):
            {run}

    class Backend:
        info = Info(NAME, {api_version}, NAMESPACE, TYPES, ("cpu",), ("conv_forward",), "3.2")
        def probe(self):
            {probe}
        def decide(self, problem, policy):
            return [Decision(True, "it gives ones", "ones", problem.dtype, 1e-9, 1e-9)]
        def plan(self, problem, decision):
            return Plan()

    BACKEND = Backend()
"""
DEFAULTS = {
    "array_type": "numpy.ndarray",
    "namespace": "numpy",
    "api_version": "API_VERSION",
    "run": "outputs[0][...] = 1",
    "probe": 'return Probe(("cpu",))',
}
TOY_ARRAYS = """
    import numpy as np

    class ToyArray:
        '''An array of a library that nobody knows.'''
        def __init__(self, held):
            self.held = np.asarray(held)
            self.shape, self.dtype, self.size = self.held.shape, self.held.dtype, self.held.size
            self.strides, self.ndim = self.held.strides, self.held.ndim
            self.nbytes = self.held.nbytes
        def __setitem__(self, key, value):
            self.held[key] = value

    def empty(shape, dtype):
        return ToyArray(np.empty(shape, dtype))

    def may_share_memory(a, b):
        return np.may_share_memory(a.held, b.held)
"""
COUNTING = """
    import json, sys, warnings
    import numpy as np
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import fastconv
        x, w = np.full((1, 1, 3, 3), 2.0), np.full((1, 1, 2, 2), 2.0)
        entries = fastconv.backends() and fastconv.backends()
        fastconv.conv2d(x, w)
    print(json.dumps({
        "warnings": [str(c.message) for c in caught if c.category is fastconv.BackendWarning],
        "others": [str(c.message) for c in caught if c.category is not fastconv.BackendWarning],
        "entries": {e.name: [e.status, e.reason, e.source] for e in entries},
    }))
"""


def plugin(name, **changes):
    """Return the source of a plugin's module."""
    return dedent(PLUGIN).format(name=name, **(DEFAULTS | changes))


@pytest.fixture
def site(tmp_path):
    """Return a folder of installed distributions, and what adds one to it."""
    folder = tmp_path / "site"
    folder.mkdir()

    def install(distribution, name, source, **modules):
        module = distribution.replace("-", "_")
        (folder / f"{module}.py").write_text(dedent(source))
        for other, text in modules.items():
            (folder / f"{other}.py").write_text(dedent(text))
        information = folder / f"{module}-1.5.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
        )
        (information / "entry_points.txt").write_text(
            f"[fastconv.backends]\n{name} = {module}:BACKEND\n"
        )

    install.folder = folder
    return install


@pytest.fixture
def python(site, tmp_path):
    """Return a function that runs code where the site's distributions are installed."""

    def run(code, **variables):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FASTCONV_")}
        environment |= {"PYTHONPATH": str(site.folder), **variables}
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", dedent(code)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


@pytest.fixture
def count(python):
    """Return a function that looks at all backends and makes a call, counting warnings."""
    return lambda **variables: json.loads(python(COUNTING, **variables))


def test_a_good_plugin_is_ready_without_a_warning(site, count):
    site("good-plugin", "good", plugin("good"))
    found = count()
    assert found["warnings"] == []
    assert found["others"] == []
    assert found["entries"]["good"] == ["ready", "", "good-plugin 1.5"]


BAD = {
    "import": ("import no_such_module", "import failed: ModuleNotFoundError"),
    "syntax": ("def (:", "import failed: SyntaxError"),
    "exit": ("import sys; sys.exit(3)", "import failed: SystemExit: 3"),
    "attribute": ("OTHER = 1", "import failed: AttributeError"),
    "old": (plugin("bad", api_version="API_VERSION - 1"), "API version"),
    "name": (plugin("worse"), "info says 'worse'"),
    "probe": (plugin("bad", probe='raise OSError("driver gone")'), "probe failed: OSError: driver"),
    "object": ("BACKEND = 3", "info is NoneType"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_plugin_costs_one_warning_and_keeps_its_reason(site, count, fault):
    source, reason = BAD[fault]
    site("bad-plugin", "bad", source)
    found = count()
    assert len(found["warnings"]) == 1
    assert found["others"] == []
    assert "'bad' is skipped" in found["warnings"][0]
    status, kept, source = found["entries"]["bad"]
    assert (status, source) == ("broken", "bad-plugin 1.5")
    assert reason in kept
    assert found["entries"]["cpu"][0] == "ready"


def test_of_two_equal_names_neither_loads(site, count):
    for distribution in ("one-plugin", "two-plugin"):
        site(distribution, "same", "raise SystemError('loaded')")
    found = count()
    assert len(found["warnings"]) == 1
    status, reason, _ = found["entries"]["same"]
    assert status == "broken"
    assert "one-plugin 1.5" in reason
    assert "two-plugin 1.5" in reason


def test_the_name_cpu_is_reserved(site, count):
    site("impostor-plugin", "cpu", plugin("cpu"))
    found = count()
    assert len(found["warnings"]) == 1
    assert found["entries"]["cpu"][0] == "ready"
    assert found["entries"]["cpu"][2].startswith("fastconv ")
    assert "reserved" in found["entries"]["cpu (impostor-plugin 1.5)"][1]


def test_several_bad_plugins_cost_a_warning_each(site, count):
    site("bad-plugin", "bad", BAD["import"][0])
    site("old-plugin", "old", plugin("old", api_version="0"))
    site("good-plugin", "good", plugin("good"))
    found = count()
    assert len(found["warnings"]) == 2
    assert found["entries"]["good"][0] == "ready"


def test_a_blocked_plugin_is_not_imported(site, count):
    site("bad-plugin", "bad", "raise SystemError('imported')")
    found = count(FASTCONV_BLOCK="bad")
    assert found["warnings"] == []
    assert found["entries"]["bad"][0] == "blocked"
    assert "FASTCONV_BLOCK" in found["entries"]["bad"][1]


def test_an_import_never_looks_at_plugins(site, python):
    site("bad-plugin", "bad", "raise SystemError('imported')")
    assert python("import fastconv; print('fine')") == "fine\n"


def test_a_plugin_changes_nothing_until_a_policy_allows_it(site, python):
    site("good-plugin", "good", plugin("good"))
    out = python(
        """
        import sys
        import numpy as np
        import fastconv
        x, w = np.full((1, 1, 3, 3), 2.0), np.full((1, 1, 2, 2), 2.0)
        first = fastconv.conv2d(x, w)
        print("good_plugin" in sys.modules)
        print(fastconv.conv2d(x, w, backend="good").ravel().tolist())
        print((fastconv.conv2d(x, w) == first).all(), first.ravel().tolist())
        with fastconv.use(backend="good"), fastconv.trace() as ran:
            fastconv.conv2d(x, w)
        print(ran[0].backend, ran[0].algorithm)
        with fastconv.use(device="cpu"), fastconv.trace() as ran:
            fastconv.conv2d(x, w)
        print(ran[0].backend)
        """
    )
    assert out.splitlines() == [
        "False",
        "[1.0, 1.0, 1.0, 1.0]",
        "True [16.0, 16.0, 16.0, 16.0]",
        "good ones",
        "cpu",
    ]


def test_a_failure_in_a_kernel_reaches_the_caller_with_names(site, python):
    site("raising-plugin", "raising", plugin("raising", run='raise OSError("device lost")'))
    out = python(
        """
        import numpy as np
        import fastconv
        x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
        for _ in range(2):
            with fastconv.trace() as ran:
                try:
                    fastconv.conv2d(x, w, backend="raising")
                except OSError as error:
                    print(error, "|", *error.__notes__)
            print(len(ran))
        """
    )
    message, count = out.splitlines()[:2]
    assert message.startswith("device lost | ")
    assert "'raising'" in message
    assert "'ones'" in message
    assert "conv2d" in message
    assert count == "0"
    assert out.splitlines()[2:] == [message, count]


def test_a_plugin_that_refuses_raises_with_its_reason(site, python):
    site("good-plugin", "good", plugin("good"))
    site("bad-plugin", "bad", BAD["import"][0])
    out = python(
        """
        import warnings
        import numpy as np
        import fastconv
        x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
        try:
            fastconv.conv2d_weight_grad(x, w.shape, np.ones((1, 1, 2, 2)), backend="good")
        except fastconv.UnsupportedError as error:
            print(error)
        warnings.simplefilter("ignore")
        try:
            fastconv.conv2d(x, w, backend="bad")
        except fastconv.UnsupportedError as error:
            print(error)
        try:
            fastconv.conv2d(x, w, backend="nobody")
        except ValueError as error:
            print(error)
        """
    )
    assert "good: it has no operation conv_weight_grad" in out
    assert "'bad' is broken: import failed: ModuleNotFoundError" in out
    assert "got 'nobody'" in out
    assert "good (cpu)" in out


@pytest.fixture
def toy(site):
    """Install a library of arrays, and a plugin that serves them."""
    source = plugin("toy", array_type="toy_arrays.ToyArray", namespace="toy_arrays")
    site("toy-plugin", "toy", source, toy_arrays=TOY_ARRAYS)


def test_an_array_type_that_nothing_served_goes_to_its_plugin(toy, python):
    out = python(
        """
        import numpy as np
        import fastconv
        from toy_arrays import ToyArray
        x, w = ToyArray(np.zeros((2, 3, 5, 5))), ToyArray(np.zeros((4, 3, 3, 3)))
        with fastconv.trace() as ran:
            y = fastconv.conv2d(x, w)
        print(type(y).__name__, y.shape, y.held.min(), ran[0].backend)
        print(fastconv.explain(fastconv.conv2d, x, w).problems[0].chosen.backend)
        out = ToyArray(np.zeros(y.shape))
        print(fastconv.conv2d(x, w, out=out) is out, out.held.min())
        """
    )
    assert out.splitlines() == ["ToyArray (2, 4, 3, 3) 1.0 toy", "toy", "True 1.0"]


def test_mixed_array_types_are_a_type_error(toy, python):
    out = python(
        """
        import numpy as np
        import fastconv
        from toy_arrays import ToyArray
        x, w = np.zeros((2, 3, 5, 5)), np.zeros((4, 3, 3, 3))
        calls = [
            lambda: fastconv.conv2d(ToyArray(x), w),
            lambda: fastconv.conv2d(x, ToyArray(w)),
            lambda: fastconv.conv2d(x, w, ToyArray(np.zeros(4))),
            lambda: fastconv.conv2d(x, w, out=ToyArray(np.zeros((2, 4, 3, 3)))),
            lambda: fastconv.prepare(w, like=ToyArray(x)),
        ]
        for call in calls:
            try:
                call()
            except TypeError as error:
                print(error)
        """
    ).splitlines()
    assert len(out) == 5
    assert all("ToyArray" in line and "numpy.ndarray" in line for line in out)


def test_an_array_type_that_nothing_serves_is_refused(site, python):
    (site.folder / "toy_arrays.py").write_text(dedent(TOY_ARRAYS))
    out = python(
        """
        import numpy as np
        import fastconv
        from toy_arrays import ToyArray
        try:
            fastconv.conv2d(ToyArray(np.zeros((1, 1, 3, 3))), np.zeros((1, 1, 2, 2)))
        except TypeError as error:
            print(error)
        """
    )
    assert out.startswith("conv2d: x: got ")


def test_an_unusable_plugin_for_an_array_type_says_why(site, python):
    source = plugin(
        "toy",
        array_type="toy_arrays.ToyArray",
        namespace="toy_arrays",
        probe='return Probe((), "there is no toy here")',
    )
    site("toy-plugin", "toy", source, toy_arrays=TOY_ARRAYS)
    out = python(
        """
        import numpy as np
        import fastconv
        from toy_arrays import ToyArray
        try:
            fastconv.conv2d(ToyArray(np.zeros((1, 1, 3, 3))), ToyArray(np.zeros((1, 1, 2, 2))))
        except fastconv.UnsupportedError as error:
            print(error)
        """
    )
    assert "there is no toy here" in out


def test_auto_shows_why_a_plugin_was_not_asked(site, python):
    site("sad-plugin", "sad", plugin("sad", probe='return Probe((), "there is no toy here")'))
    out = python(
        """
        import numpy as np
        import fastconv
        x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
        for policy in ({"device": "auto", "measure": True}, {}):
            print("sad: no, unusable: there is no toy here" in
                  str(fastconv.explain(fastconv.conv2d, x, w, **policy)))
        """
    )
    assert out.splitlines() == ["True", "False"]


def test_auto_asks_every_plugin_for_its_prediction(site, python):
    site("good-plugin", "good", plugin("good"))
    out = python(
        """
        import numpy as np
        import fastconv
        x, w = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
        explanation = fastconv.explain(fastconv.conv2d, x, w, device="auto")
        print(sorted({c.backend for c in explanation.problems[0].candidates}))
        print(explanation.problems[0].chosen.backend)
        """
    )
    assert out.splitlines() == ["['cpu', 'good']", "good"]
