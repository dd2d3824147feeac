"""Compile kernels now rather than at a first call: ``python -m fastconv_cuda.ahead`` does all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from fastconv_cuda.backend import BACKEND
from fastconv_cuda.catalogue import FAMILIES, every_unit, runs_on, units_for
from fastconv_cuda.store import compiled, folder


def compile_ahead(capabilities: Iterable[tuple[int, int]], types: str, jobs: int) -> int:
    """Compile kernels for element types, "all" for every one; return how many units are ready."""
    wanted = [name.strip() for name in types.split(",")]
    work = [
        (unit, capability)
        for capability in sorted(set(capabilities))
        for family in FAMILIES
        if runs_on(family, capability)
        for unit in (every_unit(family) if types == "all" else units_for(family, wanted))
    ]
    with ThreadPoolExecutor(jobs) as pool:  # the compiler lets go of Python's lock
        for done in [pool.submit(compiled, *each) for each in work]:
            done.result()
    return len(work)


def main() -> int:
    """Compile every unit for the GPUs of this machine; return the process's status."""
    found = BACKEND.found
    if not found.devices:
        print(found.reason, file=sys.stderr)
        return 1
    capabilities = [device.card.capability for device in found.devices.values()]
    count = compile_ahead(capabilities, "all", os.cpu_count() or 1)
    print(f"{count} units are ready in {folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
