"""What ``fastconv info`` says, on this machine and of others."""

import os
import subprocess
import sys

import pytest

from fastconv._version import __version__
from fastconv.cli import info
from fastconv.cli.output import duration, size
from fastconv.machine import Cache, Gpu, Machine


def test_this_machine(run):
    result = run("info", FASTCONV_BLOCK="no[b]ody")
    assert result.exit_code == 0
    for part in (__version__, "usable", "this CPU has", "FASTCONV_BLOCK", "no[b]ody", "BLAS"):
        assert part in result.stdout
    assert "copying" not in result.stdout


def test_bandwidth_on_request(run, monkeypatch):
    monkeypatch.setattr(info, "measure_bandwidth", lambda: 12.34e9)
    assert "12.3 GB/s copying, measured now" in run("info", "--measure").stdout


def test_cpu_rows():
    machine = Machine(
        "Linux",
        "x86_64",
        cpu_model="Some CPU",
        nominal_mhz=2600.0,
        max_mhz=4100.0,
        physical_cores=8,
        logical_cores=16,
        usable_cores=3,
        caches=(
            Cache(1, "data", 48 << 10, 8, 2),
            Cache(1, "instruction", 32 << 10, 8, 2),
            Cache(3, "unified", 36 << 20, 1, 16),
        ),
    )
    assert info.cpu_rows(machine) == [
        ("model", "Some CPU"),
        ("clock", "2.60 GHz nominal, 4.10 GHz at most"),
        ("cores", "3 usable, 8 physical, 16 logical"),
        ("L1d cache", "8 x 48 KiB, shared by 2 logical cores"),
        ("L1i cache", "8 x 32 KiB, shared by 2 logical cores"),
        ("L3 cache", "36 MiB, shared by 16 logical cores"),
    ]


def test_an_unknown_machine_is_called_so():
    unknown = Machine("Plan9", "mips")
    assert info.cpu_rows(unknown) == [
        ("model", "not known"),
        ("clock", "not known"),
        ("cores", "1 usable"),
    ]
    assert info.memory_rows(unknown) == []


def test_memory_rows():
    machine = Machine("Linux", "x86_64", memory_total=8 << 30, memory_limit=512 << 20)
    assert info.memory_rows(machine) == [
        ("total", "8 GiB"),
        ("limit of the control group", "512 MiB"),
    ]


def test_absent_core_is_said(monkeypatch):
    from fastconv.cpu import isa

    monkeypatch.setattr(isa, "core", None)
    monkeypatch.setattr(isa, "why_no_core", "pure build")
    machine = Machine("Linux", "x86_64", flags=frozenset({"avx2", "fma", "f16c"}))
    assert info.instruction_rows(machine) == [
        ("this CPU has", "baseline, avx2"),
        ("compiled core", "absent, NumPy serves all calls: pure build"),
    ]


def test_a_variable_that_names_no_level_is_a_sentence():
    environment = os.environ | {"FASTCONV_MAX_ISA": "avx9"}
    command = [sys.executable, "-m", "fastconv", "info"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("fastconv info: fastconv: FASTCONV_MAX_ISA: got 'avx9'")
    assert done.stderr.count("\n") == 1


class FakeCore:
    @staticmethod
    def isa_levels():
        return (("baseline", True, True), ("avx2", True, True), ("avx512", False, True))

    @staticmethod
    def active_isa():
        return "avx2"


def test_levels_built_and_in_use(monkeypatch):
    from fastconv.cpu import isa

    monkeypatch.setattr(isa, "core", FakeCore)
    rows = dict(info.instruction_rows(Machine("Linux", "x86_64", usable_cores=2)))
    assert rows["built for"] == "baseline, avx2"
    assert rows["in use"] == "avx2"
    assert rows["peak float32"].endswith("GFLOP/s on the usable cores, at an assumed clock")


def test_gpu_rows():
    full = Gpu("NVIDIA H200", "0000:01:00.0", 141 << 30, "570.1", 32.0, 16)
    assert info.gpu_rows((full, Gpu("AMD device 0x744c"))) == [
        (
            "NVIDIA H200",
            "141 GiB of memory, driver 570.1, PCI 0000:01:00.0, 32 GT/s x 16 lanes (63.0 GB/s)",
        ),
        ("AMD device 0x744c", "no driver known"),
    ]
    assert info.gpu_rows(()) == [("none", "")]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"Build Dependencies": {"blas": {"name": "mkl", "version": "2024.1"}}}, "mkl 2024.1"),
        ({"Build Dependencies": {"blas": {"name": "blas"}}}, "blas"),
        ({"Build Dependencies": {}}, "not known"),
        ({}, "not known"),
        (None, "not known"),
    ],
)
def test_blas_name(config, expected):
    assert info.blas_name(config) == expected


def test_only_fastconvs_variables_are_shown():
    environment = {"FASTCONV_THREADS": "2", "PATH": "/bin", "FASTCONV_BLOCK": "cuda"}
    assert info.variable_rows(environment) == [
        ("FASTCONV_BLOCK", "cuda"),
        ("FASTCONV_THREADS", "2"),
    ]


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 50, "3072 TiB")]
)
def test_size(count, expected):
    assert size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0.00 ns"), (2e-7, "200 ns"), (9.87e-4, "987 us"), (0.0123, "12.3 ms"), (61.0, "61.0 s")],
)
def test_duration(seconds, expected):
    assert duration(seconds) == expected
