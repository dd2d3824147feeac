"""macOS machines, from what sysctl printed there."""

from fastconv.machine.darwin import parse_sysctl
from fastconv.machine.model import Cache, Machine

M2_PRO = """\
hw.ncpu: 10
hw.memsize: 17179869184
hw.cpufrequency: 0
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.AdvSIMD: 1
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 6
hw.perflevel0.l1icachesize: 196608
hw.perflevel0.l1dcachesize: 131072
hw.perflevel0.l2cachesize: 16777216
hw.perflevel0.cpusperl2: 3
hw.perflevel1.physicalcpu: 4
hw.perflevel1.l1icachesize: 131072
hw.perflevel1.l1dcachesize: 65536
hw.perflevel1.l2cachesize: 4194304
hw.perflevel1.cpusperl2: 4
hw.physicalcpu: 10
hw.logicalcpu: 10
machdep.cpu.brand_string: Apple M2 Pro
"""

CORE_I7 = """\
hw.memsize: 17179869184
hw.cpufrequency: 2600000000
hw.cpufrequency_max: 2600000000
hw.physicalcpu: 6
hw.logicalcpu: 12
hw.l1icachesize: 32768
hw.l1dcachesize: 32768
hw.l2cachesize: 262144
hw.l3cachesize: 12582912
machdep.cpu.vendor: GenuineIntel
machdep.cpu.brand_string: Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz
machdep.cpu.family: 6
machdep.cpu.model: 158
machdep.cpu.features: FPU SSE4.2 FMA AVX1.0 F16C
machdep.cpu.leaf7_features: BMI1 AVX2 BMI2
"""


def test_apple_silicon():
    machine = parse_sysctl(M2_PRO, "arm64", 10)
    assert (machine.cpu_model, machine.vendor) == ("Apple M2 Pro", "Apple")
    assert (machine.physical_cores, machine.logical_cores, machine.usable_cores) == (10, 10, 10)
    assert machine.caches == (
        Cache(1, "data", 64 << 10, 4, 1),
        Cache(1, "data", 128 << 10, 6, 1),
        Cache(1, "instruction", 128 << 10, 4, 1),
        Cache(1, "instruction", 192 << 10, 6, 1),
        Cache(2, "unified", 4 << 20, 1, 4),
        Cache(2, "unified", 16 << 20, 2, 3),
    )
    assert (machine.l1d, machine.l2, machine.l3) == (64 << 10, 4 << 20, None)
    assert machine.memory_total == 16 << 30
    assert (machine.nominal_mhz, machine.max_mhz) == (None, None)
    assert {"bf16", "dotprod", "advsimd"} <= machine.flags
    assert "sme" not in machine.flags


def test_intel_mac():
    machine = parse_sysctl(CORE_I7, "x86_64", 12)
    assert (machine.vendor, machine.family, machine.model) == ("GenuineIntel", 6, 158)
    assert (machine.nominal_mhz, machine.max_mhz) == (2600.0, 2600.0)
    assert (machine.l1d, machine.l2, machine.l3) == (32 << 10, 256 << 10, 12 << 20)
    assert {"fma", "f16c", "avx2"} <= machine.flags


def test_no_sysctl_gives_honest_blanks():
    assert parse_sysctl("", "x86_64", 4) == Machine("Darwin", "x86_64", usable_cores=4)


def test_garbage_gives_honest_blanks():
    text = "hw.memsize: lots\nhw.nperflevels: -3\n:::\nhw.l2cachesize: 0\n\x00"
    assert parse_sysctl(text, "x86_64", 1) == Machine("Darwin", "x86_64")
