"""A backend to send calls to, made to measure; and plain arguments for a convolution."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest

import fastconv
from fastconv.backend import API_VERSION, Decision, Info, Probe


class FakePlan:
    workspace_bytes = 0

    def __init__(self, backend):
        self._backend = backend

    def empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def run(self, inputs, outputs, workspace, stream=None):
        self._backend.runs += 1
        outputs[0][...] = self._backend.value


class Fake:
    """Fills results with a value, and counts what it is asked."""

    info = Info("fake", API_VERSION, "numpy", ("numpy.ndarray",), ("cpu",), ("conv_forward",))
    value = 7.0
    decision = Decision(True, "it fakes", "fakery", "float64", 0.0, 0.0)

    def __init__(self):
        self.runs = self.plans = 0
        self.asked = []

    def probe(self):
        return Probe(("cpu",))

    def decide(self, problem, policy):
        self.asked.append((problem, policy))
        return [self.decision]

    def plan(self, problem, decision):
        self.plans += 1
        return FakePlan(self)


@pytest.fixture
def fake():
    """Return a registered backend "fake"."""
    backend = Fake()
    fastconv.register_backend(backend)
    yield backend
    fastconv.unregister_backend("fake")


@pytest.fixture
def arguments():
    """Return a small x and weight."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 3, 8, 9)), rng.standard_normal((4, 3, 3, 3))


@pytest.fixture
def python():
    """Return a function that runs code with FASTCONV_* variables of the caller's choice."""

    def run(code, **variables):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FASTCONV_")}
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", dedent(code)],
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run
