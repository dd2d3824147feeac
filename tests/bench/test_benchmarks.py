"""asv's benchmarks of every operation run, and the layers keep their names and shapes."""

from __future__ import annotations

import hashlib
import itertools

import pytest

import fastconv
from asv_bench.benchmarks import channels_last, operations, pooling, suite, transposed

# Without the compiled core, all of it runs on the reference.
pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")

CLASSES = (
    operations.Convolutions,
    operations.ChannelsLast,
    operations.TransposedConvolutions,
    operations.Pools,
    operations.Columns,
    operations.Linear,
    operations.Quantizing,
    operations.Precisions,
)


@pytest.mark.parametrize("benchmark_class", CLASSES, ids=lambda c: c.__name__)
def test_every_parameter_runs(benchmark_class):
    for parameters in itertools.product(*benchmark_class.params):
        timed = benchmark_class()
        timed.setup(*parameters)
        timed.time_call(*parameters)


def test_every_public_function_is_timed(monkeypatch):
    called = set()
    wanted = {name for name in fastconv.functional.__all__ if name[0].islower()}
    for name in wanted:
        function = getattr(fastconv, name)

        def recording(*args, function=function, name=name, **keywords):
            called.add(name)
            return function(*args, **keywords)

        monkeypatch.setattr(fastconv, name, recording)
    for benchmark_class in CLASSES:
        for parameters in itertools.product(*benchmark_class.params):
            if parameters[-1] == "float32":
                benchmark_class().setup(*parameters)
    # The gradients one by one are the suite's.
    suites = {f"conv{axes}d_{which}_grad" for axes in (1, 2, 3) for which in ("input", "weight")}
    assert wanted - called == suites


@pytest.mark.parametrize(
    ("layers", "count", "digest"),
    [
        (suite.LAYERS, 30, "dbb2a3f87cc4b4b0"),
        (transposed.LAYERS, 1, "1d3256884b1aea97"),
        (pooling.POOLS, 3, "f8b371b76a592b75"),
        (channels_last.GROUPED, 3, "9f12c9df75db1ed6"),
        (channels_last.AVERAGES, 2, "61051bc33cc2fb94"),
    ],
)
def test_what_was_measured_once_keeps_its_name_and_shape(layers, count, digest):
    first = list(layers.items())[:count]
    text = repr([(name, tuple(layer)) for name, layer in first])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
