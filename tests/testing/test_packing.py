"""The kit's checks on plans that pack weights ahead."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv.testing import ConformanceError, case_named, check_case


@pytest.fixture
def packing(template):
    """Return a function that makes a backend whose plans pack, with changes of the caller's."""

    class Plan(template.Plan):
        def pack(self, weight):
            return -weight  # exact, and in the same order in memory

        def run_packed(self, inputs, outputs, workspace, stream=None):
            x, packed, *rest = inputs
            self.run([x, -packed, *rest], outputs, workspace)

    def make(**changes):
        kind = type("Changed", (Plan,), changes)

        class Backend(template.Backend):
            def plan(self, problem, decision):
                return kind(problem, decision.workspace_bytes)

        return Backend()

    return make


def check(backend, name="padded-float32"):
    return check_case(backend, case_named(f"conv_forward-{name}"))


@pytest.mark.parametrize(
    "name", ["padded-float32", "grouped-strided-float64", "padded-broadcast-inputs-float32"]
)
def test_what_packs_rightly_passes(packing, name):
    assert check(packing(pack_key="any"), name).ran


def run_apart(self, inputs, outputs, workspace, stream=None):
    x, packed, *rest = inputs
    self.run([x, packed * np.float32(-1.0001), *rest], outputs, workspace)


def run_plain(self, inputs, outputs, workspace, stream=None):
    self.run(inputs, outputs, workspace)


def run_and_write(self, inputs, outputs, workspace, stream=None):
    x, packed, *rest = inputs
    self.run([x, -packed, *rest], outputs, workspace)
    packed[...] = 0


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"run_packed": run_apart}, "run_packed gives other bits than run"),
        (
            {"pack": lambda self, weight: weight, "run_packed": run_plain},
            "run_packed gives other bits",
        ),
        ({"run_packed": run_and_write}, "run_packed writes to the packed weight"),
        ({"run_packed": None}, "one of pack and run_packed without the other"),
        ({"pack": None}, "one of pack and run_packed without the other"),
        ({"pack_key": []}, "pack_key can't be hashed"),
    ],
)
def test_faults(packing, changes, fault):
    with pytest.raises(ConformanceError, match=fault):
        check(packing(**changes))


def test_a_plan_without_is_left_alone(packing):
    assert check(packing(pack=None, run_packed=None)).ran
