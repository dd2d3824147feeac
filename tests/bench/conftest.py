"""The comparison lives beside the package, in a checkout."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)  # behind: what is installed is what is tested


@pytest.fixture
def record():
    """Return a function that makes a record of ratios: {pass: {layer: PyTorch over fastconv}}."""
    from asv_bench.options import Configuration
    from asv_bench.record import Record

    def make(ratios, threads=1, **more):
        found = Record(Configuration(threads, **more))
        found.take("versions", {"fastconv": "0", "PyTorch": "2"})
        for which, layers in ratios.items():
            for layer, ratio in layers.items():
                seconds = {"fastconv": 0.002, "PyTorch": 0.002 * ratio}
                message = {"layer": layer, "which": which, "seconds": seconds}
                found.take("measurement", message | {"flops": 10**9, "bytes": 10**6, "rounds": 3})
        return found

    return make
