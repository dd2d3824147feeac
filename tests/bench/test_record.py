"""Records become JSON that says everything."""

from __future__ import annotations

import datetime
import json

import pytest

from asv_bench import record as records

WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def test_json_holds_machine_versions_medians_and_a_summary(record, tmp_path):
    run = [
        record({"forward": {"a": 2.0, "b": 0.5}, "input_grad": {"a": 3.0}}),
        record({"forward": {"a": 4.0}}, threads=2),
    ]
    run[0].take("note", "busy")
    run[0].take("roofline", {"flops": 1e11, "bandwidth": 1e10})
    path = tmp_path / "run.json"
    records.write(path, run, WHEN)
    found = json.loads(path.read_text())
    assert found["date"] == "2026-01-02T03:04:05+00:00"
    assert found["machine"]["usable_cores"] >= 1
    assert found["versions"] == {"fastconv": "0", "PyTorch": "2"}
    one, two = found["configurations"]
    assert one["configuration"]["threads"], two["configuration"]["threads"] == (1, 2)
    assert one["measurements"][0]["seconds"] == {"fastconv": 0.002, "PyTorch": 0.004}
    assert one["roofline"] == {"flops": 1e11, "bandwidth": 1e10}
    assert one["notes"] == ["busy"]
    slowest = {"layer": "b", "ratio": 0.5}
    assert one["summary"]["forward"] == {"geomean": pytest.approx(1.0), "slowest": slowest}
    assert set(one["summary"]) == {"forward", "input_grad"}


def test_ratios_come_losers_first(record):
    ratios = record({"forward": {"a": 2.0, "b": 0.5, "c": 1.0}}).ratios("forward")
    assert list(ratios) == ["b", "c", "a"]
