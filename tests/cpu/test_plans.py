"""Workspace cut into scratch arrays."""

from __future__ import annotations

import numpy as np

from fastconv.cpu.plans import Scratch


def test_arrays_lie_apart_on_cache_lines():
    scratch = Scratch()
    scratch.add("a", (3, 5), "float32")
    scratch.add("b", (0,), "float64")
    scratch.add("c", (7,), "int64")
    assert [scratch.offset(name) for name in "abc"] == [0, 64, 64]
    assert scratch.bytes == 128
    assert "a" in scratch
    assert "d" not in scratch
    workspace = np.zeros(scratch.bytes, np.uint8)
    a, b, c = (scratch.cut(name, workspace) for name in "abc")
    assert (a.shape, a.dtype, b.shape, c.dtype) == ((3, 5), np.float32, (0,), np.int64)
    a[...], c[...] = 1.0, -1
    np.testing.assert_array_equal(workspace[:60].view(np.float32), 1.0)
    assert not workspace[60:64].any()
    assert (workspace[64:120] == 255).all()


def test_bfloat16_is_planned_without_ml_dtypes():
    scratch = Scratch()
    scratch.add("a", (3,), "bfloat16")
    assert scratch.bytes == 64
