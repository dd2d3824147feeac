"""A macOS machine, read from sysctl."""

import re
import subprocess
from collections.abc import Callable

from fastconv.machine.files import to_int
from fastconv.machine.model import Cache, Machine


def sysctl_text(timeout: float = 2.0) -> str:
    """What ``sysctl hw machdep.cpu`` prints; empty where it can't be run."""
    command = ["/usr/sbin/sysctl", "hw", "machdep.cpu"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    # sysctl's exit status is 1 when a single name of many can't be read: the rest still counts.
    return done.stdout.decode("utf-8", errors="replace")


def parse_sysctl(text: str, architecture: str, usable_cores: int) -> Machine:
    """The machine that the lines "name: value" of ``sysctl`` describe."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    values = {key.strip(): value.strip() for key, _, value in pairs}

    def number(name: str) -> int | None:
        value = to_int(values.get(name))
        return value if value and value > 0 else None

    def mhz(name: str) -> float | None:  # Intel only: Apple silicon tells no clock
        hertz = number(name)
        return hertz / 1e6 if hertz else None

    return Machine(
        system="Darwin",
        architecture=architecture,
        cpu_model=values.get("machdep.cpu.brand_string") or None,
        vendor=values.get("machdep.cpu.vendor") or ("Apple" if architecture == "arm64" else None),
        family=number("machdep.cpu.family"),
        model=number("machdep.cpu.model"),
        nominal_mhz=mhz("hw.cpufrequency"),
        max_mhz=mhz("hw.cpufrequency_max"),
        physical_cores=number("hw.physicalcpu"),
        logical_cores=number("hw.logicalcpu"),
        usable_cores=usable_cores,
        caches=_caches(number),
        memory_total=number("hw.memsize"),
        flags=_flags(values),
    )


def _caches(number: Callable[[str], int | None]) -> tuple[Cache, ...]:
    """From the performance levels where there are any, else from the plain names."""
    caches = set()
    levels = range(number("hw.nperflevels") or 0)
    for prefix in [f"hw.perflevel{i}." for i in levels] or ["hw."]:
        cores = number(prefix + "physicalcpu")
        for level, kind, name, sharing in (
            (1, "data", "l1dcachesize", None),
            (1, "instruction", "l1icachesize", None),
            (2, "unified", "l2cachesize", "cpusperl2"),
            (3, "unified", "l3cachesize", "cpusperl3"),
        ):
            size = number(prefix + name)
            shared = number(prefix + sharing) if sharing else 1
            if size:
                instances = -(-cores // shared) if cores and shared else None
                caches.add(Cache(level, kind, size, instances, shared))
    return tuple(sorted(caches, key=lambda cache: (cache.level, cache.kind, cache.bytes)))


def _flags(values: dict[str, str]) -> frozenset[str]:
    words = " ".join(
        values.get(name, "") for name in ("machdep.cpu.features", "machdep.cpu.leaf7_features")
    )
    flags = set(words.lower().split())
    for name, value in values.items():
        match = re.fullmatch(r"hw\.optional\.(?:arm\.FEAT_)?(\w+)", name)
        if match and value == "1":
            flags.add(match[1].lower())
    return frozenset(flags)
