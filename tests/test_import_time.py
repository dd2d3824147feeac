"""`import fastconv` stays cheap: it loads NumPy, its own thin modules, and little else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LISTING = """
import json, sys
import numpy
before = set(sys.modules)
import fastconv
print(json.dumps(sorted(set(sys.modules) - before)))
"""
# What dispatch needs from the standard library beyond what NumPy has loaded already.
ALLOWED = {"_contextvars", "annotationlib", "contextvars", "copy", "dataclasses", "threading"}
OWN_PARTS = {
    "_version",
    "backend",
    "dispatch",
    "errors",
    "functional",
    "precision",
    "problem",
    "registry",
}


@pytest.fixture(scope="module")
def loaded():
    """Return the modules that importing fastconv loads after NumPy."""
    result = subprocess.run(
        [sys.executable, "-c", LISTING], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout))


def test_nothing_slow_is_imported(loaded):
    heavy = {"importlib.metadata", "ml_dtypes", "typer", "rich", "threadpoolctl", "matplotlib"}
    heavy |= {"pytest", "fastconv.layers", "fastconv.cli", "fastconv.compat", "fastconv.testing"}
    heavy |= {"fastconv.cpu", "fastconv.cpu.backend", "fastconv.cpu._core", "fastconv.machine"}
    heavy |= {"fastconv_template", "fastconv_cuda", "cupy", "subprocess", "email", "zipfile"}
    assert loaded & heavy == set()


def test_only_thin_parts_of_fastconv_are_imported(loaded):
    own = {name.split(".")[1] for name in loaded if name.startswith("fastconv.")}
    assert own <= OWN_PARTS


def test_little_of_the_standard_library_is_imported(loaded):
    other = {name for name in loaded if name.partition(".")[0] != "fastconv"}
    assert other <= ALLOWED


def test_a_call_loads_the_built_in_backend_and_no_optional_package():
    code = (
        "import sys, json, numpy as np, fastconv\n"
        "fastconv.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(json.loads(result.stdout))
    assert "fastconv.cpu.backend" in modules
    assert modules & {"ml_dtypes", "typer", "rich", "cupy", "torch", "fastconv.layers"} == set()


def test_the_whole_import_costs_little_beside_numpys():
    """A ratio, and the best of several runs: whatever the machine, however loaded."""
    code = (
        "import time, sys\n"
        "t0 = time.perf_counter(); import numpy\n"
        "t1 = time.perf_counter(); import fastconv\n"
        "t2 = time.perf_counter(); print((t2 - t1) / (t1 - t0))"
    )
    ratios = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(ratios) < 1.0
