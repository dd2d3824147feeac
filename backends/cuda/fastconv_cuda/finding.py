"""Which GPUs can be used here, or the one reason why none can."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastconv_cuda.device import Card, Device

LEAST_CAPABILITY = (7, 5)
LEAST_FREE = 64 * 2**20
_INSTALL = 'pip install "fastconv-cuda[cuda13]" (or [cuda12], as the driver needs)'


@dataclass(frozen=True, slots=True)
class Found:
    """Devices by name; without any, the reason."""

    devices: Mapping[str, Device] = field(default_factory=dict)
    reason: str = ""


def find(load: Callable[[str], Any] = importlib.import_module) -> Found:
    """Look for GPUs; never raises.

    Parameters
    ----------
    load : callable, optional
        Imports a module by name.
    """
    try:
        cupy = load("cupy")
    except ImportError as error:
        return Found(reason=f"CuPy can't be imported ({error}): {_INSTALL}")
    except Exception as error:
        return Found(reason=f"CuPy fails as it is imported: {type(error).__name__}: {error}")
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        return Found(
            reason="no NVIDIA driver was found that CuPy's CUDA can use, or no GPU: "
            + _first_line(error)
        )
    if count == 0:
        return Found(reason="the NVIDIA driver shows no GPU")
    try:
        nvrtc = load("cupy_backends.cuda.libs.nvrtc")
        version = ".".join(map(str, nvrtc.getVersion()))
        known = set(nvrtc.getSupportedArchs())
    except Exception as error:
        return Found(
            reason=f"NVRTC, CUDA's run-time compiler, can't be loaded ({_first_line(error)}): "
            + _INSTALL
        )
    return _usable(cupy, count, load, known, version)


def _usable(
    cupy: Any, count: int, load: Callable[[str], Any], known: set[int], version: str
) -> Found:
    devices: dict[str, Device] = {}
    reasons = []
    for number in range(count):
        try:
            card = describe(cupy, number)
        except Exception as error:
            reasons.append(f"GPU {number} can't be asked what it is: {_first_line(error)}")
            continue
        if card.capability < LEAST_CAPABILITY:
            have, need = (".".join(map(str, c)) for c in (card.capability, LEAST_CAPABILITY))
            reasons.append(f"{card.name} has compute capability {have}, and {need} is the least")
            continue
        if 10 * card.capability[0] + card.capability[1] not in known:
            reasons.append(f"NVRTC {version} doesn't know {card.name}: a newer one does")
            continue
        devices[card.device] = load("fastconv_cuda.cupy_device").CupyDevice(card)
    if devices:
        reason = _why_no_memory(cupy)
        return Found(reason=reason) if reason and len(devices) == 1 else Found(devices)
    return Found(reason="; ".join(reasons))


def describe(cupy: Any, number: int) -> Card:
    """Return a card's description, which needs no context on it."""
    properties = cupy.cuda.runtime.getDeviceProperties(number)
    name = properties["name"]
    # Kilohertz and bits; memory moves twice a cycle.
    memory_clock = properties.get("memoryClockRate") or 0
    width = properties.get("memoryBusWidth") or 0
    return Card(
        number,
        name.decode() if isinstance(name, bytes) else str(name),
        (int(properties["major"]), int(properties["minor"])),
        int(properties["multiProcessorCount"]),
        1e3 * (properties.get("clockRate") or 1_500_000),
        int(properties["totalGlobalMem"]),
        # CUDA 13 tells no clocks: then a figure between a laptop's and a server's.
        2e3 * memory_clock * width / 8 or 1e12,
        int(properties.get("sharedMemPerBlockOptin") or 48 * 1024),
    )


def _why_no_memory(cupy: Any) -> str:
    """Ask the current device alone: a context on each would take memory on each."""
    try:
        free, _ = cupy.cuda.runtime.memGetInfo()
    except Exception as error:
        return f"no context could be made on the GPU: {_first_line(error)}"
    if free < LEAST_FREE:
        return f"the GPU has {free >> 20} MiB of free memory, and {LEAST_FREE >> 20} are the least"
    return ""


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
