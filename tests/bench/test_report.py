"""The tables."""

from __future__ import annotations

import io

import pytest

console_module = pytest.importorskip("rich.console")

from asv_bench import report  # noqa: E402


def shown(record) -> str:
    """Return what is printed for a record."""
    console = console_module.Console(file=io.StringIO(), width=120)
    report.show(record, console)
    return console.file.getvalue()


def test_losers_come_first_and_the_summary_names_the_slowest(record):
    found = record({"forward": {"fast": 2.0, "slow": 0.5, "even": 1.0}})
    found.take("roofline", {"flops": 1e12, "bandwidth": 1e10})
    text = shown(found)
    assert text.index("slow") < text.index("even") < text.index("fast ")
    row = next(line for line in text.splitlines() if line.split()[:1] == ["slow"])
    # Layer, fastconv and PyTorch in ms, ratio, rival, GFLOP/s, share of the roofline.
    assert row.split() == ["slow", "2.00", "1.00", "0.50", "PyTorch", "500", "50"]
    assert "geometric mean 1.00 (goal 1.7, least 1.4), slowest 0.50 slow" in text
    assert "1 of 3 lost" in text


def test_passes_that_were_not_measured_are_not_shown(record):
    text = shown(record({"weight_grad": {"a": 2.0}}))
    assert "Weight gradient" in text
    assert "Forward" not in text


def test_layers_without_a_rival_are_listed_without_a_ratio(record):
    found = record({"forward": {"a": 2.0}})
    alone = {"layer": "alone", "which": "forward", "seconds": {"fastconv": 0.001}}
    found.take("measurement", alone | {"flops": 10**9, "bytes": 1, "rounds": 3})
    row = next(line for line in shown(found).splitlines() if "alone" in line)
    assert row.split() == ["alone", "1.00", "1000"]


def test_everything_else(record):
    found = record({}, threads=2, dtype="float64", isa="avx2", channels_last=True)
    found.take("note", "torch is left out: [why]")
    found.take("network", {"fastconv": 0.1, "textbook": 1.7, "PyTorch": 0.05})
    found.take("overhead", {"fastconv": 5e-6, "PyTorch": 3e-6, "kernel alone": 2e-6})
    found.take("precisions", {"resnet-3x3-128": {"float32_strict": 4e-3, "bfloat16": 2e-3}})
    found.take("memory", {"forward": {"a": {"fastconv": 3 << 20, "PyTorch": 12 << 20}}})
    text = shown(found)
    assert text.startswith("float64, 2 threads, at most avx2, fastconv channels last")
    assert "torch is left out: [why]" in text
    assert "17.00" in text
    assert "0.50" in text
    beyond = next(line for line in text.splitlines() if "beyond its kernel" in line)
    assert beyond.split()[-1] == "3.00"
    row = next(line for line in text.splitlines() if line.split()[:1] == ["a"])
    assert row.split() == ["a", "3.0", "12.0"]
