"""Peak memory of a call beside PyTorch's, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from . import pooling, suite, transposed

# At the path's end: the fastconv that is installed is measured, not the one beside asv_bench.
_ROOT = str(Path(__file__).parents[2])
_CHILD = f"import sys; sys.path.append({_ROOT!r}); from asv_bench import memory; memory.main()"
_PACKAGES = {"fastconv": "fastconv", "PyTorch": "torch"}


class PeakMemory:
    """By how much one call raises the peak, its output included."""

    params = (
        (*suite.LAYERS, *transposed.LAYERS, *pooling.POOLS),
        ("forward", "both_grads"),
        tuple(_PACKAGES),
    )
    param_names = ("layer", "pass", "library")
    unit = "bytes"
    timeout = 300

    def setup(self, layer: str, which: str, library: str) -> None:
        """Skip what isn't there: a library, or a pool's weight gradient."""
        if find_spec(_PACKAGES[library]) is None or (layer in pooling.POOLS and which != "forward"):
            raise NotImplementedError

    def track_peak(self, layer: str, which: str, library: str) -> int:
        """Return bytes."""
        command = [sys.executable, "-c", _CHILD, library, layer, which]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)
