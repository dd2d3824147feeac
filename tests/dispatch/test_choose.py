"""The choice among backends and their candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import fastconv
from fastconv.dispatch.arrays import servers
from fastconv.registry import REGISTRY


def test_a_backend_s_own_order_holds_and_auto_compares_backends(arguments, fake):
    first, second = (
        replace(fake.decision, algorithm=name, seconds=seconds, precision="float64")
        for name, seconds in (("first", 5.0), ("second", 1e-12))
    )
    fake.decide = lambda problem, policy: [first, second]

    def chosen(**policy):
        (considered,) = fastconv.explain(fastconv.conv2d, *arguments, **policy).problems
        return considered.chosen.backend, considered.chosen.algorithm

    assert chosen(backend="fake") == ("fake", "first")
    assert chosen(device="auto")[0] == "cpu"
    first = replace(first, seconds=1e-13)
    assert chosen(device="auto") == ("fake", "first")


def test_what_serves_a_type_is_looked_up_once_a_generation(fake, monkeypatch):
    looks = []
    whole = REGISTRY.all
    monkeypatch.setattr(REGISTRY, "all", lambda: looks.append(1) or whole())

    class Array(np.ndarray):
        pass

    array = np.zeros(3).view(Array)
    assert fake in servers(array)
    assert fake in servers(array)
    assert len(looks) == 1
    fastconv.unregister_backend("fake")
    try:
        assert fake not in servers(array)
    finally:
        fastconv.register_backend(fake)
    assert fake in servers(array)
    assert len(looks) == 3
