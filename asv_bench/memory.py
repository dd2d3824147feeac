"""How much the process's peak memory grows with one call: each call in a process of its own.

``python -m asv_bench.memory CONTENDER LAYER PASS [DTYPE]`` prints bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fastconv
from asv_bench.cases import Pass, all_cases, operands
from asv_bench.libraries import opened
from asv_bench.names import ONNX, OWN, TORCH
from asv_bench.options import Configuration
from asv_bench.overhead import TINY
from asv_bench.timing import Call

CONTENDERS = {OWN: "own", TORCH[0]: "pytorch", ONNX: "onnx_runtime"}
PASSES: tuple[Pass, ...] = ("forward", "both_grads")


def growth(call: Call) -> int:
    """Return by how many bytes a call raises the process's peak over what is in use before it."""
    _give_back_freed()
    before = _reset_peak()
    result = call()
    after = _peak()
    del result
    return max(0, after - before)


def _give_back_freed() -> None:
    # What is kept for later would hide as much of the call's own.
    fastconv.release_memory()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset_peak() -> int:
    """Make the peak what is in use now, where the system can, and return it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Measure in this process; print nothing where the library or its call is missing."""
    contender, layer, wanted, *rest = sys.argv[1:]
    configuration = Configuration(threads=1, dtype=rest[0] if rest else "float32")
    which: Pass = next(which for which in PASSES if which == wanted)
    case = next(case for case in all_cases() if case.name == layer)
    with opened(configuration, lambda note: None, CONTENDERS[contender]) as libraries:
        for library in libraries:
            tiny, call = (
                library.calls(each, operands(each, configuration.dtype))
                .get(which, {})
                .get(contender)
                for each in (TINY, case)
            )
            if tiny and call:
                tiny()  # loads what the first call loads
                print(growth(call))


def peak(contender: str, layer: str, which: Pass, dtype: str = "float32") -> int | None:
    """Return a call's growth, measured in a new process; None where a library has no such call."""
    command = [sys.executable, "-m", "asv_bench.memory", contender, layer, which, dtype]
    # What is freed goes back to the system, as in a process that nobody measures.
    usual = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=usual)
    return int(done.stdout) if done.stdout else None


def measured(
    configuration: Configuration, say: Callable[[str], None]
) -> dict[Pass, dict[str, dict[str, int]]]:
    """Return bytes by pass, layer and contender."""
    found: dict[Pass, dict[str, dict[str, int]]] = {}
    for which in PASSES:
        for layer in configuration.layers:
            say(f"peak memory of {layer}, {which}")
            sizes = {name: peak(name, layer, which, configuration.dtype) for name in CONTENDERS}
            known = {name: size for name, size in sizes.items() if size is not None}
            if known:
                found.setdefault(which, {})[layer] = known
    return found


if __name__ == "__main__":
    main()
