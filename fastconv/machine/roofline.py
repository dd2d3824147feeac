"""The roofline: how many operations and bytes a second this machine can reach at best.

S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 2009.
"""

import itertools
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import NamedTuple

from fastconv.machine.cores import usable_cores
from fastconv.machine.model import Machine

# Where no clock is known (most ARM servers in a cloud): a middling server core. A ranking of
# candidates on one machine does not depend on it, as it scales them all alike.
ASSUMED_CLOCK_HZ = 2.5e9


class Level(NamedTuple):
    """One instruction-set level: bytes of a vector, multiply-adds a cycle, flags it needs.

    `products` are of narrow types: how many one instruction adds up in a 32-bit lane.
    """

    vector_bytes: int
    pipes: int
    flags: frozenset[str]
    products: Mapping[str, int] = MappingProxyType({})


_AVX512 = frozenset(f"avx512{part}" for part in ("f", "bw", "dq", "vl", "cd"))
_BYTES = {"int8": 4, "uint8": 4}
# Pipes are what most cores of that level have; _EXCEPTIONS lists the others.
LEVELS = {
    "baseline": Level(16, 1, frozenset()),  # no fused multiply-add: one product and one sum a cycle
    "avx2": Level(32, 2, frozenset({"avx2", "fma", "f16c"})),
    "avx512": Level(64, 2, _AVX512),
    "avx512_vnni": Level(64, 2, _AVX512 | {"avx512_vnni"}, _BYTES),
    "avx512_bf16": Level(
        64, 2, _AVX512 | {"avx512_vnni", "avx512_bf16"}, {**_BYTES, "bfloat16": 2}
    ),
    "neon": Level(16, 2, frozenset({"asimd"})),
}

# (vendor, family or implementer, models or parts, level) -> pipes. An empty range: every model.
_ANY = range(0)
_EXCEPTIONS: tuple[tuple[str, int, tuple[int, ...] | range, str, int], ...] = (
    ("AuthenticAMD", 23, range(0x30), "avx2", 1),  # Zen 1 runs 256 bits as two halves
    ("AuthenticAMD", 25, _ANY, "avx512", 1),  # Zen 4 runs 512 bits as two halves
    ("AuthenticAMD", 26, (*range(0x20, 0x30), *range(0x60, 0x70)), "avx512", 1),  # mobile Zen 5
    ("GenuineIntel", 6, (0x66, 0x7D, 0x7E, 0x8C, 0x8D, 0xA7), "avx512", 1),  # client cores
    ("ARM", 0x41, (0xD03,), "neon", 1),  # Cortex-A53: a 64-bit datapath, twice
    ("ARM", 0x41, (0xD40, 0xD4F), "neon", 4),  # Neoverse V1, V2
)

# Bytes of the lane that a type is computed in: sums are at least float32, so 16-bit types fill
# 32-bit lanes; complex numbers are pairs. 8-bit integers are widened to 16-bit pairs, whose
# multiply-add fills 32-bit lanes too.
_LANE_BYTES = {
    "float16": 4, "bfloat16": 4, "float32": 4, "float64": 8, "complex64": 4, "complex128": 8,
    "int8": 4, "uint8": 4, "int16": 4, "uint16": 4, "int32": 4, "uint32": 4,
    "int64": 8, "uint64": 8,
}  # fmt: skip


def levels_of(machine: Machine) -> tuple[str, ...]:
    """The instruction-set levels that the machine's flags allow, lowest first.

    On ARM the baseline is called "neon".
    """
    if _is_arm(machine):
        return ("neon",)
    names = (name for name in LEVELS if name != "neon")
    return tuple(name for name in names if LEVELS[name].flags <= machine.flags)


def peak_of(machine: Machine, isa: str, dtype: str, cores: int) -> float:
    """As :func:`peak_flops`, for any machine."""
    if isa not in LEVELS:
        raise ValueError(f"peak_flops: isa: got {isa!r}, expected one of {', '.join(LEVELS)}")
    if dtype not in _LANE_BYTES:
        raise ValueError(
            f"peak_flops: dtype: got {dtype!r}, expected one of {', '.join(_LANE_BYTES)}"
        )
    if cores < 1:
        raise ValueError(f"peak_flops: cores: got {cores}, expected at least 1")
    level = "neon" if isa == "baseline" and _is_arm(machine) else isa
    lanes = LEVELS[level].vector_bytes // _LANE_BYTES[dtype]
    lanes *= LEVELS[level].products.get(dtype, 1)
    return cores * (machine.clock_hz or ASSUMED_CLOCK_HZ) * _pipes(machine, level) * lanes * 2


def _is_arm(machine: Machine) -> bool:
    return machine.architecture.lower() in ("aarch64", "arm64")


def _pipes(machine: Machine, level: str) -> int:
    if level == "neon" and machine.vendor == "Apple":
        return 4
    if level == "baseline" and machine.vendor == "AuthenticAMD":
        return 2  # products and sums have two pipes each
    for vendor, family, models, exception, pipes in _EXCEPTIONS:
        same_core = machine.vendor == vendor and machine.family == family
        if (
            same_core
            and exception == level.partition("_")[0]
            and (models == _ANY or machine.model in models)
        ):
            return pipes
    return LEVELS[level].pipes


def measure_bandwidth(seconds: float = 0.2, threads: int | None = None) -> float:
    """Measure how fast this process copies memory.

    Blocks larger than any cache are copied over and over (the "copy" kernel of J. McCalpin's
    STREAM); the best pass counts, as noise only ever slows one down.

    Parameters
    ----------
    seconds : float, default 0.2
        Time to spend, besides the time to allocate the memory; at least one pass is made.
    threads : int, optional
        How many copy at once; by default as many as there are usable cores.

    Returns
    -------
    float
        Bytes a second, read and written bytes added up. Measured anew at each call: keep it.

    Raises
    ------
    ValueError
        If ``seconds`` is not positive, or ``threads`` is less than 1.

    Examples
    --------
    >>> measure_bandwidth(0.01) > 0
    True
    """
    if not seconds > 0:
        raise ValueError(f"measure_bandwidth: seconds: got {seconds!r}, expected more than 0")
    if threads is None:
        threads = usable_cores()
    if threads < 1:
        raise ValueError(f"measure_bandwidth: threads: got {threads}, expected at least 1")
    import numpy as np  # only measuring needs it

    from fastconv.machine import describe

    machine = describe()
    size = _block_bytes(machine)
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)  # written: pages exist
    edges = [size * i // threads for i in range(threads + 1)]
    slices = [slice(first, last) for first, last in itertools.pairwise(edges)]

    def copy(part: slice) -> None:
        np.copyto(target[part], source[part])  # drops the GIL

    best, end = float("inf"), time.perf_counter() + seconds
    with ThreadPoolExecutor(threads) as pool:
        while True:
            start = time.perf_counter()
            list(pool.map(copy, slices))
            now = time.perf_counter()
            best = min(best, now - start)
            if now >= end:
                return 2 * size / best


def _block_bytes(machine: Machine) -> int:
    """Four times all last-level caches, between 32 MiB and 1 GiB, and an eighth of free memory."""
    level = max((cache.level for cache in machine.caches), default=0)
    last = sum(c.bytes * (c.instances or 1) for c in machine.caches if c.level == level)
    wanted = min(max(4 * last, 32 << 20), 1 << 30)
    bounds = [limit for limit in (machine.memory_available, machine.memory_limit) if limit]
    return max(1 << 20, min([wanted, *(bound // 8 for bound in bounds)]))
