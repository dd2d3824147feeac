"""The comparison of precisions: which layers, whose calls, and what is printed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asv_bench import precisions
from asv_bench.cases import Case, all_cases
from asv_bench.options import Configuration

SMALL = Case("small", "convolution", (2, 6, 9, 8), (5, 6, 3, 3), (3, 3), 2, 1)


def test_convolutions_of_images_alone_are_compared():
    names = tuple(case.name for case in all_cases())
    found = precisions.wanted(Configuration(1, layers=names))
    assert {case.axes for case in found} == {2}
    assert all(case.weight for case in found)
    assert "resnet-3x3-256" in {case.name for case in found}


def test_some_layers_are_bound_by_arithmetic():
    bound = {case.name for case in all_cases() if precisions.is_bound_by_arithmetic(case)}
    assert {"resnet-3x3-128", "resnet-1x1-2048", "vgg-512"} <= bound
    assert not {"resnet-3x3-64", "mobilenet-depthwise", "vgg-first", "audio-k9"} & bound


def test_a_ratio_is_of_two_contenders():
    assert precisions.ratio({"a": 3.0, "b": 2.0}, "a", "b") == 1.5
    assert math.isnan(precisions.ratio({"b": 2.0}, "a", "b"))


def test_bytes_are_onnx_runtimes():
    """Sums are exact in both; the product with a scale may be rounded to either neighbour."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    call = precisions._onnx(1)(SMALL)[precisions.ONNX_BYTES]
    (expected,) = (value.numpy() for value in call())
    found = precisions.own_bytes(SMALL, 1)()
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert len(np.unique(found)) > 50


def test_every_own_precision_has_a_call():
    pytest.importorskip("ml_dtypes")
    calls = precisions._own(SMALL, 1)
    assert set(calls) == {"float32_strict", "float32", "float16", "bfloat16", "int8"}
    assert all(call().shape == SMALL.y for call in calls.values())
