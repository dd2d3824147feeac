"""What a run found: a record of each configuration, and all of them as JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asv_bench.cases import Pass
from asv_bench.options import Configuration
from asv_bench.rules import Measurement, Roofline, compare, geomean
from fastconv import machine


@dataclass
class Record:
    """What one process found; filled message by message."""

    configuration: Configuration
    measurements: list[Measurement] = field(default_factory=list)
    roofline: Roofline | None = None
    network: dict[str, float] = field(default_factory=dict)
    overhead: dict[str, float] = field(default_factory=dict)
    precisions: dict[str, dict[str, float]] = field(default_factory=dict)
    few_bits: dict[str, dict[str, float]] = field(default_factory=dict)
    channels_last: dict[Pass, dict[str, dict[str, float]]] = field(default_factory=dict)
    memory: dict[Pass, dict[str, dict[str, int]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, kind: str, value: Any) -> None:
        """Add what a worker's message says."""
        if kind == "measurement":
            self.measurements.append(Measurement(**value))
        elif kind == "roofline":
            self.roofline = Roofline(**value)
        elif kind == "note":
            self.notes.append(value)
        else:
            setattr(self, kind, value)

    def of(self, which: Pass) -> list[Measurement]:
        """Return the measurements of one pass."""
        return [measurement for measurement in self.measurements if measurement.which == which]

    def ratios(self, which: Pass) -> dict[str, float]:
        """Return the ratio that counts for each layer that had a rival, the least first."""
        found = {m.layer: compare(m) for m in self.of(which)}
        ratios = {layer: duel.ratio for layer, duel in found.items() if duel}
        return dict(sorted(ratios.items(), key=lambda pair: pair[1]))


def as_json(records: Sequence[Record], when: datetime.datetime) -> dict[str, Any]:
    """Return a run as what JSON can hold."""
    described = dataclasses.asdict(machine.describe())
    described["flags"] = sorted(described["flags"])
    return {
        "date": when.isoformat(timespec="seconds"),
        "machine": described,
        "python": platform.python_version(),
        "versions": {name: v for record in records for name, v in record.versions.items()},
        "configurations": [_record(record) for record in records],
    }


def _record(record: Record) -> dict[str, Any]:
    found = dataclasses.asdict(record)
    del found["versions"]
    found["summary"] = {}
    for which in record.configuration.passes:
        ratios = record.ratios(which)
        if ratios:
            layer, ratio = next(iter(ratios.items()))
            found["summary"][which] = {
                "geomean": geomean(ratios.values()),
                "slowest": {"layer": layer, "ratio": ratio},
            }
    return found


def write(path: Path, records: Sequence[Record], when: datetime.datetime) -> None:
    """Write a run's JSON."""
    path.write_text(json.dumps(as_json(records, when), indent=1) + "\n")
