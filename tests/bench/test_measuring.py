"""Busy cores, peak memory, the core's calls inside a call."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import fastconv
from asv_bench import overhead, quiet
from fastconv.cpu.isa import core

STAT = """\
cpu  100 0 100 1800 0 0 0 0 0 0
cpu0 50 10 30 900 5 1 2 2 40 0
cpu1 50 0 50 900 0 0 0 0 0 0
cpu10 7 0 0 3 0 0 0 0 0 0
intr 12345
"""


def test_ticks_of_the_cores_that_are_ours():
    assert quiet.busy_ticks(STAT, {0}) == 95
    assert quiet.busy_ticks(STAT, {0, 1}) == 195


@pytest.fixture
def machine(monkeypatch):
    """A machine of two cores, all counters at will: (wall, used by all, used by us)."""
    now = {"wall": 0.0, "used": 100.0, "own": 5.0}
    monkeypatch.setattr(quiet, "time", SimpleNamespace(perf_counter=lambda: now["wall"]))
    monkeypatch.setattr(quiet, "_used", lambda: now["used"])
    monkeypatch.setattr(quiet, "_own", lambda: now["own"])
    monkeypatch.setattr(quiet.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    return now


def test_others_work_is_what_is_not_ours(machine):
    watch = quiet.Watch()
    machine.update({"wall": 10.0, "used": 118.0, "own": 13.0})
    assert watch.share() == 0.5
    assert "50%" in watch.note()


def test_alone_there_is_no_note(machine):
    watch = quiet.Watch()
    machine.update({"wall": 10.0, "used": 108.4, "own": 13.0})
    assert watch.share() == pytest.approx(0.02)
    assert watch.note() is None


def test_a_system_that_does_not_tell_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(quiet, "_STAT", tmp_path / "missing")
    assert quiet.Watch().note() is None


def test_peak_memory_is_the_calls_own():
    code = (
        "import numpy as np; from asv_bench.memory import growth\n"
        "kept = np.ones(8 << 20, np.uint8); gone = np.ones(96 << 20, np.uint8); del gone\n"
        "print(growth(lambda: np.ones(32 << 20, np.uint8)), growth(lambda: None))"
    )
    root = quiet.__file__.rpartition("asv_bench")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    array, nothing = map(int, done.stdout.split())
    if sys.platform == "linux":
        assert 31 << 20 <= array <= 40 << 20  # the kernel counts in batches
    assert nothing <= 1 << 20


@pytest.mark.skipif(core is None, reason="there is no compiled core to watch")
def test_the_cores_calls_are_caught_and_can_be_repeated():
    x, w = np.ones((1, 1, 4, 4), "f4"), np.ones((1, 1, 3, 3), "f4")
    out = np.zeros((1, 1, 2, 2), "f4")
    before = vars(core).copy()
    calls = overhead.recorded(lambda: fastconv.conv2d(x, w, out=out))
    assert {name: vars(core)[name] for name in before} == before
    out[...] = 0
    for call in calls:
        call()
    assert (out == 9).all()
