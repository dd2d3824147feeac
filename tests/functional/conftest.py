"""Let the tests of this folder import its helpers: importlib mode leaves it off the path."""

import sys
from pathlib import Path

import pytest

from fastconv.cpu.isa import core
from fastconv.dispatch.cache import PLANS

sys.path.insert(0, str(Path(__file__).parent))

# Levels of two words have kernels of their own for narrow types alone.
LEVELS = [
    name
    for name, built, usable in (() if core is None else core.isa_levels())
    if built and usable and "_" not in name
]


@pytest.fixture(params=LEVELS)
def level(request):
    """Run a test at every instruction-set level that this machine has."""
    before = core.active_isa()
    # Plans know the tiles of the level that they were made at.
    PLANS.clear()
    core.set_isa(request.param)
    yield request.param
    core.set_isa(before)
    PLANS.clear()
