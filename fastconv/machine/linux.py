"""A Linux machine, read from /proc and /sys."""

import re
from pathlib import Path

from fastconv.machine.cores import memory_limit
from fastconv.machine.files import read_int, read_text, to_bytes, to_cpu_list, to_float, to_int
from fastconv.machine.graphics import pci_gpus
from fastconv.machine.model import Cache, Machine

_CPUS = "sys/devices/system/cpu"

# aarch64 kernels give numbers only. Implementer, part: https://developer.arm.com (MIDR_EL1).
_ARM_PARTS = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4F): "Neoverse-V2",
    (0xC0, 0xAC3): "Ampere-1",
}
_ARM_MAKERS = {0x41: "ARM", 0x48: "HiSilicon", 0x4E: "NVIDIA", 0x51: "Qualcomm", 0x61: "Apple",
               0xC0: "Ampere"}  # fmt: skip


def read_linux(root: Path, architecture: str, usable_cores: int) -> Machine:
    """The machine whose /proc and /sys lie under ``root``; unknown fields stay None or empty."""
    processors = _processors(read_text(root / "proc/cpuinfo") or "")
    first = processors[0] if processors else {}
    family, model = _numbers(first)
    nominal, highest = _clocks(root, processors)
    memory = _colon_pairs(read_text(root / "proc/meminfo") or "")
    online = to_cpu_list(read_text(root / _CPUS / "online"))
    return Machine(
        system="Linux",
        architecture=architecture,
        cpu_model=_model_name(first),
        vendor=first.get("vendor_id") or _ARM_MAKERS.get(family or 0),
        family=family,
        model=model,
        nominal_mhz=nominal,
        max_mhz=highest,
        physical_cores=_physical_cores(root, processors),
        logical_cores=len(online) or len(processors) or None,
        usable_cores=usable_cores,
        caches=_caches(root),
        memory_total=to_bytes(memory.get("MemTotal")),
        memory_available=to_bytes(memory.get("MemAvailable")),
        memory_limit=memory_limit(root),
        flags=_flags(processors),
        gpus=pci_gpus(root),
    )


def _colon_pairs(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _processors(text: str) -> list[dict[str, str]]:
    """One dictionary a logical core. (ARM adds a last block on the board: it has no number.)"""
    blocks = (_colon_pairs(block) for block in re.split(r"\n\s*\n", text))
    return [block for block in blocks if "processor" in block]


def _numbers(processor: dict[str, str]) -> tuple[int | None, int | None]:
    if "CPU implementer" in processor:
        return to_int(processor["CPU implementer"]), to_int(processor.get("CPU part"))
    return to_int(processor.get("cpu family")), to_int(processor.get("model"))


def _model_name(processor: dict[str, str]) -> str | None:
    name = processor.get("model name")
    if name:
        return re.sub(r"\s+", " ", name)
    maker, part = _numbers(processor)
    if maker is None or part is None or "CPU implementer" not in processor:
        return None
    return _ARM_PARTS.get((maker, part)) or f"{_ARM_MAKERS.get(maker, hex(maker))} part {part:#x}"


def _flags(processors: list[dict[str, str]]) -> frozenset[str]:
    """Flags that every core has: a thread may wake up on any of them."""
    sets = [set((p.get("flags") or p.get("Features") or "").lower().split()) for p in processors]
    return frozenset(set.intersection(*sets)) if sets else frozenset()


def _clocks(root: Path, processors: list[dict[str, str]]) -> tuple[float | None, float | None]:
    """Nominal and highest clock in MHz, of the fastest core."""

    def fastest(name: str, per_mhz: float) -> float | None:
        values = (read_int(path) for path in (root / _CPUS).glob(f"cpu[0-9]*/{name}"))
        return max((v / per_mhz for v in values if v and v > 0), default=None)

    nominal = fastest("cpufreq/base_frequency", 1e3) or fastest("acpi_cppc/nominal_freq", 1)
    return nominal or _stated_clock(processors), fastest("cpufreq/cpuinfo_max_freq", 1e3)


def _stated_clock(processors: list[dict[str, str]]) -> float | None:
    """The nominal clock as /proc/cpuinfo tells it: virtual machines have no cpufreq."""
    for processor in processors:
        named = re.search(r"@\s*(\d+(?:\.\d+)?)\s*GHz", processor.get("model name", ""))
        if named:
            return float(named[1]) * 1e3
        # x86 only: bogomips is twice the time-stamp counter's rate, which is the nominal clock. On
        # ARM it is the rate of an unrelated timer, and "cpu MHz" is absent.
        if "constant_tsc" in processor.get("flags", "").split():
            bogomips = to_float(processor.get("bogomips"))
            if bogomips:
                return bogomips / 2
    speeds = [to_float(processor.get("cpu MHz")) for processor in processors]
    return max((speed for speed in speeds if speed), default=None)


def _physical_cores(root: Path, processors: list[dict[str, str]]) -> int | None:
    """Distinct sets of hardware threads that share a core."""
    siblings = set()
    for topology in (root / _CPUS).glob("cpu[0-9]*/topology"):
        # core_cpus_list is the name since Linux 5.3.
        for name in ("core_cpus_list", "thread_siblings_list"):
            text = read_text(topology / name)
            if text:
                siblings.add(to_cpu_list(text))
                break
    if siblings:
        return len(siblings)
    ids = {(p.get("physical id"), p.get("core id")) for p in processors}
    return len(ids) if ids and all(core for _, core in ids) else None


def _caches(root: Path) -> tuple[Cache, ...]:
    """Caches by level, kind and size. One instance is seen once by each core that shares it."""
    instances: dict[tuple[int, str, int], set[frozenset[int]]] = {}
    for directory in (root / _CPUS).glob("cpu[0-9]*/cache/index[0-9]*"):
        level = read_int(directory / "level")
        kind = (read_text(directory / "type") or "").lower()
        size = to_bytes(read_text(directory / "size"))
        if not level or not size or kind not in ("data", "instruction", "unified"):
            continue
        shared = to_cpu_list(read_text(directory / "shared_cpu_list"))
        alone = to_int(directory.parent.parent.name.removeprefix("cpu"))
        instances.setdefault((level, kind, size), set()).add(shared or frozenset({alone or 0}))
    return tuple(
        Cache(level, kind, size, len(sharers), max(map(len, sharers)))
        for (level, kind, size), sharers in sorted(instances.items())
    )
