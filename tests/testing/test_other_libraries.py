"""The kit takes a backend of another array library than NumPy."""

from __future__ import annotations

import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from fastconv.testing import ConformanceError, all_cases, case_named, check_case, is_available


class DeviceArray(np.ndarray):
    """An array that must be fetched: host arrays are copied in, and out by get()."""

    def get(self):
        return np.array(self, subok=False)


@pytest.fixture
def library(monkeypatch):
    """Install the module of a library whose arrays live elsewhere."""
    module = types.ModuleType("toy_device")
    module.DeviceArray = DeviceArray
    module.asarray = lambda host: np.array(host).view(DeviceArray)
    module.empty = lambda shape, dtype: np.empty(shape, dtype).view(DeviceArray)
    module.broadcast_to = lambda array, shape: np.broadcast_to(array, shape, subok=True)
    monkeypatch.setitem(sys.modules, "toy_device", module)
    monkeypatch.setattr(DeviceArray, "__module__", "toy_device")
    return module


@pytest.fixture
def backend(template, library):
    """Return the template, moved to the other library."""

    class Plan(template.Plan):
        def __init__(self, problem, needed):
            super().__init__(problem, needed)
            self.empty = library.empty

        def run(self, inputs, outputs, workspace, stream=None):
            arrays = (*inputs, *outputs, *(() if workspace is None else (workspace,)))
            assert all(type(array) is DeviceArray for array in arrays)
            plain = [[a.view(np.ndarray) for a in group] for group in (inputs, outputs)]
            block = None if workspace is None else workspace.view(np.ndarray)
            super().run(*plain, block)

    class Elsewhere(template.Backend):
        info = replace(
            template.Backend.info,
            name="elsewhere",
            namespace="toy_device",
            array_types=("toy_device.DeviceArray",),
            device_kinds=("toy",),
        )

        def probe(self):
            return type(super().probe())(("toy:0",))

        def plan(self, problem, decision):
            assert problem.device == "toy:0"
            return Plan(problem, decision.workspace_bytes)

    return Elsewhere()


def test_it_passes_on_its_own_arrays(backend):
    ran = 0
    for case in all_cases():
        if not case.slow and case.operation == "conv_forward" and is_available(case):
            ran += bool(check_case(backend, case).ran)
    assert ran > 50


def test_its_faults_are_found_too(backend):
    planned = backend.plan

    def plan(problem, decision):
        made = planned(problem, decision)
        run = made.run

        def spoiled(inputs, outputs, workspace, stream=None):
            run(inputs, outputs, workspace)
            if inputs[0].flags.writeable:
                inputs[0][0, 0, 0, 0] += 1

        made.run = spoiled
        return made

    backend.plan = plan
    with pytest.raises(ConformanceError, match="writes to an input"):
        check_case(backend, case_named("conv_forward-padded-float32"))


def test_an_empty_of_another_library_is_refused(backend, template):
    backend.plan = lambda problem, decision: template.Plan(problem, decision.workspace_bytes)
    with pytest.raises(ConformanceError, match="expected one of toy_device"):
        check_case(backend, case_named("conv_forward-padded-float32"))
