"""Turns, on a clock that only calls move."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from asv_bench import timing


class Clock:
    """A second hand that calls move."""

    def __init__(self):
        self.now = 0.0
        self.log = []

    def takes(self, name, seconds):
        def call():
            self.log.append(name)
            self.now += seconds

        return call


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: found.now))
    monkeypatch.setattr(timing, "_wait_awake", lambda seconds: None)
    return found


def test_seconds_are_of_one_call(clock):
    calls = {"slow": clock.takes("slow", 0.25), "quick": clock.takes("quick", 2.0**-13)}
    found = timing.interleaved(calls, rounds=3)
    assert found == {"slow": [0.25] * 3, "quick": [2.0**-13] * 3}


def test_short_calls_are_repeated_until_a_block_is_long_enough(clock):
    timing.interleaved({"quick": clock.takes("quick", 2.0**-13)}, rounds=1)
    to_learn_how_long_it_takes = 2 + 20
    block = (timing.WARM_UP + timing.LEAST_BLOCK) / 2.0**-13
    assert block <= len(clock.log) - to_learn_how_long_it_takes < block + 3


def test_contenders_take_turns_and_begin_in_turn(clock):
    calls = {name: clock.takes(name, 0.25) for name in "abc"}
    timing.interleaved(calls, rounds=3)
    first = clock.log[6:]  # two calls of each, to learn how long they take
    assert "".join(first) == "aabbcc" + "bbccaa" + "ccaabb"


def test_slow_calls_get_fewer_rounds_but_three(clock):
    assert len(timing.interleaved({"a": clock.takes("a", 10.0)}, 7, seconds=1.0)["a"]) == 3
    assert len(timing.interleaved({"a": clock.takes("a", 1.0)}, 7, seconds=10.0)["a"]) == 5
    assert len(timing.interleaved({"a": clock.takes("a", 1.0)}, 7, seconds=100.0)["a"]) == 7
