"""Busy cores, peak memory, the core's calls inside a call."""

from __future__ import annotations

import subprocess
import sys

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
    assert quiet.times(STAT, {0}) == (905, 1000)
    assert quiet.times(STAT, {0, 1}) == (1805, 2000)


@pytest.mark.parametrize(("share", "said"), [(None, False), (0.01, False), (0.4, True)])
def test_other_work_is_noted(monkeypatch, share, said):
    monkeypatch.setattr(quiet, "busy_share", lambda: share)
    assert bool(quiet.warning()) is said


def test_a_system_that_does_not_tell_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(quiet, "_STAT", tmp_path / "missing")
    assert quiet.busy_share(0.0) is None


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
        assert 32 << 20 <= array <= 40 << 20
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
