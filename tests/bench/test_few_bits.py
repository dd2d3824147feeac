"""Fewer bits beside float32: what is compared, and what is printed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from asv_bench import few_bits
from asv_bench.cases import Case
from asv_bench.options import Configuration
from asv_bench.record import Record
from asv_bench.report import show

SMALL = Case("small", "convolution", (2, 6, 9, 8), (5, 6, 3, 3), (3, 3), 2, 1)


def test_a_layers_calls_compute_the_same_in_every_format():
    pytest.importorskip("ml_dtypes")
    rows = dict(few_bits._layer(SMALL))
    assert len(rows) == 3
    for calls in rows.values():
        assert list(calls) == ["float32", "float16", "bfloat16"]
        results = [np.asarray(call(), np.float32) for call in calls.values()]
        largest = np.abs(results[0]).max()
        for other in results[1:]:
            assert not np.array_equal(other, results[0])
            np.testing.assert_allclose(other, results[0], rtol=0, atol=0.03 * largest)


def test_linear_layers_and_pools_have_rows_of_their_own():
    name, calls = few_bits._linear(1)
    assert name == "linear, batch 1"
    assert {call().shape for call in calls.values()} == {(1, 1024)}


def test_slower_than_float32_is_seen_at_a_glance():
    record = Record(Configuration(1))
    record.take("few_bits", {"pool": {"float32": 2e-3, "float16": 1e-3, "uint8": 4e-3}})
    out = io.StringIO()
    show(record, Console(file=out, width=100, color_system=None))
    row = next(line for line in out.getvalue().splitlines() if line.split()[:1] == ["pool"])
    assert row.split() == ["pool", "2.00", "2.00", "0.50"]
