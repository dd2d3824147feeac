"""Peaks worked out by hand from the makers' numbers, and the measured bandwidth's sanity."""

import pytest

from fastconv.machine import levels_of, measure_bandwidth, peak_flops, roofline
from fastconv.machine.model import Cache, Machine
from fastconv.machine.roofline import peak_of

X86_V3 = frozenset({"avx2", "fma", "f16c"})
X86_V4 = X86_V3 | {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}


def x86(vendor="GenuineIntel", family=6, model=143, flags=X86_V4, **rest):
    rest = {"max_mhz": 2000.0} | rest
    return Machine(
        "Linux", "x86_64", vendor=vendor, family=family, model=model, flags=flags, **rest
    )


def arm(part=0xD0C, **rest):
    return Machine("Linux", "aarch64", vendor="ARM", family=0x41, model=part, **rest)


@pytest.mark.parametrize(
    ("machine", "isa", "dtype", "cores", "expected"),
    [
        (x86(), "avx512", "float32", 1, 2e9 * 2 * 16 * 2),  # Sapphire Rapids: two 512-bit units
        (x86(), "avx512", "float64", 4, 4 * 2e9 * 2 * 8 * 2),
        (x86(), "avx2", "float32", 1, 2e9 * 2 * 8 * 2),
        (x86(), "baseline", "float32", 1, 2e9 * 4 * 2),
        (x86(), "avx512", "complex64", 1, 2e9 * 2 * 16 * 2),
        (x86(), "avx512", "bfloat16", 1, 2e9 * 2 * 16 * 2),
        (x86(), "avx512_bf16", "bfloat16", 1, 2e9 * 2 * 32 * 2),
        (x86(), "avx512_vnni", "bfloat16", 1, 2e9 * 2 * 16 * 2),
        (x86(), "avx512_vnni", "uint8", 1, 2e9 * 2 * 64 * 2),
        (x86("AuthenticAMD", 25, 0x61), "avx512_bf16", "int8", 1, 2e9 * 64 * 2),  # Zen 4
        (x86(model=0x8C), "avx512", "float32", 1, 2e9 * 16 * 2),  # Tiger Lake: one unit
        (x86("AuthenticAMD", 25, 0x61), "avx512", "float32", 1, 2e9 * 16 * 2),  # Zen 4
        (x86("AuthenticAMD", 26, 0x02), "avx512", "float32", 1, 2e9 * 2 * 16 * 2),  # Zen 5 server
        (x86("AuthenticAMD", 26, 0x24), "avx512", "float32", 1, 2e9 * 16 * 2),  # Zen 5 mobile
        (x86("AuthenticAMD", 23, 0x01), "avx2", "float32", 1, 2e9 * 8 * 2),  # Zen 1
        (x86("AuthenticAMD", 23, 0x31), "avx2", "float32", 1, 2e9 * 2 * 8 * 2),  # Zen 2
        (x86("AuthenticAMD", 23, 0x31), "baseline", "float64", 1, 2e9 * 2 * 2 * 2),
        (arm(max_mhz=2600.0), "neon", "float32", 64, 64 * 2.6e9 * 2 * 4 * 2),  # Neoverse N1
        (arm(0xD40, max_mhz=2600.0), "baseline", "float32", 1, 2.6e9 * 4 * 4 * 2),  # Neoverse V1
    ],
)
def test_peak_by_hand(machine, isa, dtype, cores, expected):
    assert peak_of(machine, isa, dtype, cores) == pytest.approx(expected)


def test_the_nominal_clock_serves_where_no_highest_one_is_known():
    machine = x86(max_mhz=None, nominal_mhz=3000.0)
    assert peak_of(machine, "avx2", "float32", 1) == pytest.approx(3e9 * 32)


def test_without_a_clock_one_is_assumed():
    assert peak_of(arm(), "neon", "float32", 1) == roofline.ASSUMED_CLOCK_HZ * 16


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("avx9", "float32", 1), "isa: got 'avx9', expected one of baseline"),
        (("avx2", "float80", 1), "dtype: got 'float80', expected one of float16"),
        (("avx2", "float32", 0), "cores: got 0, expected at least 1"),
    ],
)
def test_bad_arguments(arguments, named):
    with pytest.raises(ValueError, match=f"peak_flops: {named}"):
        peak_flops(*arguments)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (x86(), ("baseline", "avx2", "avx512")),
        (x86(flags=X86_V3), ("baseline", "avx2")),
        (x86(flags=X86_V4 | {"avx512_vnni"}), ("baseline", "avx2", "avx512", "avx512_vnni")),
        (x86(flags=frozenset({"avx2"})), ("baseline",)),  # some virtual machines hide FMA
        (x86(flags=X86_V4 - {"avx512bw"}), ("baseline", "avx2")),  # Knights Landing's kind
        (arm(), ("neon",)),
        (Machine("Linux", "riscv64"), ("baseline",)),
    ],
)
def test_levels(machine, expected):
    assert levels_of(machine) == expected


def test_bandwidth_is_within_what_memory_can_be():
    assert 1e8 < measure_bandwidth(0.02) < 1e14


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_bandwidth_needs_time(seconds):
    with pytest.raises(ValueError, match="measure_bandwidth: seconds: got"):
        measure_bandwidth(seconds)


def test_bandwidth_of_so_many_threads():
    assert 1e8 < measure_bandwidth(0.02, threads=1) < 1e14
    with pytest.raises(ValueError, match="measure_bandwidth: threads: got 0"):
        measure_bandwidth(0.02, threads=0)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (x86(caches=(Cache(3, "unified", 32 << 20, 2),)), 256 << 20),
        (x86(caches=(Cache(1, "data", 32 << 10, 4),)), 32 << 20),
        (x86(caches=(Cache(3, "unified", 1 << 30, 8),)), 1 << 30),
        (x86(memory_available=80 << 20), 10 << 20),
        (x86(memory_available=1 << 40, memory_limit=64 << 20), 8 << 20),
    ],
)
def test_copied_block_passes_every_cache_and_fits_memory(machine, expected):
    assert roofline._block_bytes(machine) == expected
