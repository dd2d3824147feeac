"""NVRTC compiles every kernel for every kind of GPU, without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastconv_cuda.catalogue import FAMILIES, ONLY_CAPABILITY, TUNED, every_unit
from fastconv_cuda.compiler import CompileError, compile_unit, load_nvrtc, options, usage
from fastconv_cuda.units import KERNELS, Unit
from registers import architectures, name_of, recorded, tuned_units, used, version


def why_no_compiler():
    try:
        load_nvrtc().getVersion()
    except Exception as error:
        return f"NVRTC can't be loaded: {str(error).splitlines()[0]}"
    return ""


RING = (KERNELS / "group_ring.cuh").read_text(encoding="utf-8")
REASON = why_no_compiler()
needs_nvrtc = pytest.mark.skipif(bool(REASON), reason=REASON or "there")


def may_be_unaligned(family, unit):
    """Whether a plan may ask for the unit that reads byte by byte: gathers and what is simple."""
    words = dict(unit.definitions)
    if family in ONLY_CAPABILITY:
        return False  # they leave such arrays to others
    if family == "integer_gemm":
        return "FC_SCALED" in words
    return words.get("FC_LANES", "1") == "1"


EVERY = [
    pytest.param(family, unit, id=f"{family}-{'-'.join(v or n for n, v in unit.definitions)}")
    for family in FAMILIES
    for first in every_unit(family)
    for unit in (first, first.unaligned())[: 1 + may_be_unaligned(family, first)]
]


def check(family, unit, arch):
    """Compile a unit, which may not spill; a tuned one takes no more registers than recorded."""
    compiler, rows = recorded()
    for kernel, taken in used(unit, arch).items():
        assert taken.registers <= 255
        assert taken.spilled == 0, f"{kernel} of {name_of(unit)} for {arch}: {taken}"
        if family not in TUNED or "FC_UNALIGNED" in dict(unit.definitions):
            continue
        if compiler == version():
            most = rows[name_of(unit)].get(arch, 255)
            # Where that is meant: python backends/cuda/tests/registers.py, and a word of its row.
            assert taken.registers <= most, f"{kernel} of {name_of(unit)} for {arch} had {most}"


def test_every_source_is_of_a_family():
    files = {unit.file for units in FAMILIES.values() for unit in units.values()}
    assert files == {path.name for path in KERNELS.glob("*.cu")}


def test_every_tuned_unit_is_recorded():
    # Otherwise: python backends/cuda/tests/registers.py
    assert list(recorded()[1]) == [name_of(unit) for _, unit in tuned_units()]


def test_warps_that_want_more_registers_get_them():
    """Two groups of three wait until the third has given so many away: for ever if it has fewer."""
    given, taken = (
        int(re.search(rf"{word}_registers<(\d+)>\(\)", RING)[1]) for word in ("give", "take")
    )
    crowded = [
        numbers["sm_90a"]
        for row, numbers in recorded()[1].items()
        if row.startswith("wgmma") and "COLUMNS=256" in row and " ROWS=64 " not in row
    ]
    assert len(crowded) > 50
    for started in crowded:
        assert 2 * (taken - started) <= started - given
        assert max(started, taken, given) % 8 == 0 == given % 8


@needs_nvrtc
@pytest.mark.parametrize("arch", ["sm_75", "sm_90a", "sm_120"])
@pytest.mark.parametrize("family", FAMILIES)
def test_one_of_each_family(family, arch):
    if arch not in architectures(family):
        pytest.skip(f"{family} is never chosen on {arch}")
    check(family, every_unit(family)[0], arch)


@pytest.mark.slow
@needs_nvrtc
@pytest.mark.parametrize(("family", "unit"), EVERY)
def test_every_unit(family, unit):
    for arch in architectures(family):
        check(family, unit, arch)


HERE = Path(__file__).parent
PROBES = [
    Unit(str(HERE / "probe.cu"), (("FC_NUMBER", "int"), ("FC_MULTIPLY_BY", "multiply_int8_int8"))),
    *(
        Unit(
            str(HERE / "probe_hopper.cu"),
            (
                ("FC_BYTES", "65536"),
                ("FC_COLUMNS", "64"),
                ("FC_NUMBER", "float"),
                ("FC_MULTIPLY_BY", name),
            ),
        )
        for name in ("multiply_group_bfloat16", "multiply_across_float16")
    ),
]


@needs_nvrtc
@pytest.mark.parametrize("unit", PROBES, ids=lambda unit: unit.definitions[-1][1])
def test_what_a_day_with_a_gpu_asks_first_is_compiled(unit):
    code, log = compile_unit(unit, "sm_90a")
    assert code.startswith(b"\x7fELF")
    assert all(name.startswith("probe_") for name in usage(log))


@needs_nvrtc
def test_a_refused_source_raises_with_the_log():
    unit = Unit("direct_conv.cu", (("FC_ELEMENT", "no_such_type"),))
    with pytest.raises(CompileError, match="no_such_type"):
        compile_unit(unit, "sm_80")


def test_denormals_are_never_flushed():
    given = " ".join(options(Unit("im2col.cu"), "sm_80"))
    assert "ftz" not in given
    assert "fast_math" not in given
