"""Channels-last arrays beside PyTorch's: what is compared, that it is the same, what is printed."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest

import fastconv
from asv_bench import channels_last
from asv_bench.benchmarks import channels_last as benchmarks
from asv_bench.cases import Case, channels_last_cases, operands
from asv_bench.libraries import opened
from asv_bench.options import Configuration

pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")

LAST = Configuration(1, channels_last=True)
SMALL = (
    Case("groups", "convolution", (2, 8, 9, 8), (12, 2, 3, 3), (3, 3), 2, 1, groups=4),
    Case("max", "max pool", (2, 6, 9, 8), (), (3, 3), 2, 1),
    Case("average", "average pool", (2, 6, 9, 8), (), (3, 3), 1, 1),
    Case("whole", "global average", (2, 6, 5, 4), (), (5, 4)),
)


def channels_first(result: object) -> list[np.ndarray]:
    """Return all of a result's arrays in one order, PyTorch's being channels first by shape."""
    several = result if isinstance(result, tuple) else (result,)
    return [np.asarray(array, np.float64) for array in several if array is not None]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_pytorch_and_fewer_bits_compute_the_same(case):
    pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    with opened(LAST, pytest.fail, "own", "pytorch") as libraries:
        found = channels_last.passes(case, "float32", libraries)
        assert tuple(found) == case.passes
        for which, calls in found.items():
            assert list(calls) == ["fastconv", "float16", "bfloat16", "PyTorch, channels last"]
            own, *fewer, rival = (channels_first(call()) for call in calls.values())
            for ours, theirs in zip(own, rival, strict=True):
                # A weight's gradient is channels first in both.
                arranged = ours if ours.shape == case.weight else np.moveaxis(ours, -1, 1)
                np.testing.assert_allclose(arranged, theirs, rtol=1e-4, atol=1e-4)
            for less in fewer:
                for ours, rounded in zip(own, less, strict=True):
                    if (case.kind, which) == ("max pool", "input_grad"):
                        # Numbers that rounding made equal: another one is the first of them.
                        assert abs(rounded.sum() - ours.sum()) < 0.1
                        continue
                    largest = np.abs(ours).max()
                    np.testing.assert_allclose(rounded, ours, rtol=0, atol=0.03 * largest)


def test_rivals_arrays_have_channels_last():
    torch = pytest.importorskip("torch")
    with opened(LAST, pytest.fail, "pytorch") as libraries:
        call = channels_last.passes(SMALL[0], "float32", libraries)["forward"]
        (result,) = (each() for each in call.values())
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_float64_has_no_fewer_bits_beside_it():
    with opened(LAST, pytest.fail, "own") as libraries:
        found = channels_last.passes(SMALL[0], "float64", libraries)
    assert {name for calls in found.values() for name in calls} == {"fastconv"}


def test_small_groups_and_pools_come_first_and_each_layer_once():
    names = [
        case.name for case in channels_last.cases(Configuration(1, layers=("resnext-grouped",)))
    ]
    assert names == [case.name for case in channels_last_cases()]
    more = channels_last.cases(Configuration(1, layers=("resnext-grouped", "vgg-64", "audio-k9")))
    assert [case.name for case in more] == [*names, "vgg-64"]


def test_groups_have_2_4_and_8_channels():
    found = {case.weight[1]: case for case in channels_last_cases() if case.weight}
    assert sorted(found) == [2, 4, 8]
    kinds = {case.kind for case in channels_last_cases() if not case.weight}
    assert kinds == {"max pool", "average pool", "global average"}


@pytest.mark.parametrize("case", channels_last_cases(), ids=lambda case: case.name)
def test_average_pools_have_fastconvs_shapes(case):
    if case.kind == "average pool":
        x = np.broadcast_to(np.zeros((), "float32"), case.x)
        explained = fastconv.explain(fastconv.avg_pool2d, x, case.kernel, case.stride, case.padding)
        assert explained.problems[0].problem.y.shape == case.y
    arrays = operands(case, "float32")
    assert arrays.grad.shape == case.y


def test_wanted_passes_are_measured_with_a_note_about_what_is_missing(monkeypatch):
    monkeypatch.setattr(channels_last, "cases", lambda configuration: list(SMALL[:2]))
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.delitem(__import__("sys").modules, "asv_bench.libraries.pytorch", raising=False)
    notes, said = [], []
    configuration = Configuration(1, passes=("forward", "weight_grad"), rounds=1)
    found = channels_last.measured(configuration, said.append, notes.append)
    assert {which: list(layers) for which, layers in found.items()} == {
        "forward": ["groups", "max"],
        "weight_grad": ["groups"],
    }
    assert all(seconds > 0 for seconds in found["forward"]["max"].values())
    assert "PyTorch, channels last" not in found["forward"]["max"]
    assert [note.partition(":")[0] for note in notes] == ["torch is left out"]
    assert said == ["groups, channels last", "max, channels last"]


def test_ratios_and_their_means_are_printed(record):
    console = pytest.importorskip("rich.console")
    from asv_bench.report import show

    found = record({})
    seconds = {"fastconv": 2e-3, "float16": 1e-3, "PyTorch, channels last": 8e-3}
    layers = {"pool": seconds, "alone": {"fastconv": 2e-3, "float16": 4e-3}}
    found.take("channels_last", {"forward": layers, "weight_grad": {}})
    out = io.StringIO()
    show(found, console.Console(file=out, width=100, color_system=None))
    rows = [line.split() for line in out.getvalue().splitlines()]
    lines = {row[0]: row[1:] for row in rows if row}
    assert lines["pool"] == ["2.00", "4.00", "2.00"]
    assert lines["alone"] == ["2.00", "0.50"]
    assert lines["geometric"] == ["mean", "4.00", "1.00"]
    assert "weight gradient" not in out.getvalue()


@pytest.mark.parametrize(
    ("benchmark_class", "timed"),
    [
        (benchmarks.ChannelsLastPooling, ("forward", "backward")),
        (benchmarks.ChannelsLastGrouped, ("forward", "input_grad", "weight_grad")),
    ],
)
def test_asvs_benchmarks_run(benchmark_class, timed, monkeypatch):
    pytest.importorskip("ml_dtypes")
    for name, pool in benchmarks._POOLS.items():
        small = pool._replace(x=(1, 8, *(min(size, 9) for size in pool.x[2:])))
        monkeypatch.setitem(benchmarks._POOLS, name, small)
    for name, layer in benchmarks._GROUPED.items():
        small = layer._replace(x=(1, *layer.x[1:2], 6, 6))
        monkeypatch.setitem(benchmarks._GROUPED, name, small)
    for parameters in itertools.product(*benchmark_class.params):
        benchmark = benchmark_class()
        benchmark.setup(*parameters)
        assert {name[5:] for name in dir(benchmark) if name.startswith("time_")} == set(timed)
        for name in timed:
            getattr(benchmark, f"time_{name}")(*parameters)
        assert benchmark.forward().shape[-1] in (8, 128, 256)
