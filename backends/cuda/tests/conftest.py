"""What the tests share: the simulated device, where there is a C++ compiler for it."""

from __future__ import annotations

import pytest
from simt.device import COMPILER, SimulatedDevice

NO_COMPILER = "no C++ compiler was found (g++ or clang++): kernels can't be run on the CPU"


def pytest_collection_modifyitems(items):
    if COMPILER is None:
        for item in items:
            if "device" in item.fixturenames or item.get_closest_marker("simulated"):
                item.add_marker(pytest.mark.skip(reason=NO_COMPILER))


@pytest.fixture
def device():
    """Return a device that runs kernels on the CPU."""
    return SimulatedDevice()
