"""Kernels of 3 x 3 that slide along images of channels side by side."""

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from grouped_support import arrays, bits  # noqa: E402

import fastconv  # noqa: E402
from fastconv.precision import rounded  # noqa: E402

CALL = {"padding": 1, "layout": "NHWC", "algorithm": "grouped"}


def _geometry(**change):
    given = {"space": (9, 12), "kernel": (3, 3), "stride": (1, 1), "before": (1, 1), "after": 1}
    given |= {"dilation": (1, 1)} | change
    out = [
        (n + b + given["after"] - (k - 1) * d - 1) // s + 1
        for n, b, k, d, s in zip(
            given["space"], given["before"], given["kernel"], given["dilation"], given["stride"],
            strict=True,
        )
    ]  # fmt: skip
    return core.Geometry(
        given["space"], given["kernel"], given["stride"], given["before"], given["dilation"], out
    )


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stride": (2, 2)},
        {"before": (0, 0), "after": 0},
        {"before": (2, 2), "after": 2},
        {"before": (5, 1)},
        {"space": (1, 2)},
    ],
)
def test_what_slides(change):
    assert core.grouped_slides(_geometry(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"stride": (3, 3)},
        {"stride": (1, 2)},
        {"dilation": (2, 1)},
        {"dilation": (1, 2)},
        {"kernel": (3, 5)},
        {"kernel": (1, 3)},
        {"before": (1, 3)},
        {"after": 3},
        {"space": (4, 1)},
        {"space": (1, 4, 4), "kernel": (3, 3, 3), "stride": (1,) * 3, "before": (1,) * 3,
         "dilation": (1,) * 3},
    ],
)  # fmt: skip
def test_what_does_not(change):
    assert not core.grouped_slides(_geometry(**change))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("precision", [None, "tf32", "bfloat16", "float16"])
def test_it_needs_no_memory_beyond_the_weight(level, stride, precision):
    x, weight, _ = arrays(np.random.default_rng(1), "float32", 1, 24, (18, 11), (3, 3))
    call = {**CALL, "groups": 24, "stride": stride, "precision": precision}
    chosen = fastconv.explain(fastconv.conv2d, x, weight, **call).problems[0].chosen
    assert chosen.workspace_bytes == 4 * 32 * 3 * 3


@pytest.mark.parametrize("item", [np.inf, -np.inf, np.nan, 1e-41, 3.4e38])
@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
@pytest.mark.parametrize("stride", [1, 2])
def test_what_a_quick_way_gets_wrong_is_done_again(level, stride, precision, item):
    x, weight, bias = arrays(np.random.default_rng(2), "float32", 1, 21, (19, 40), (3, 3))
    for place in ((0, 0, 0, 0), (0, 9, 17, 20), (1, 18, 39, 3)):
        x[place] = item
    call = {**CALL, "groups": 21, "stride": stride}
    with np.errstate(all="ignore"):
        result = fastconv.conv2d(x, weight, bias, precision=precision, **call)
        exact = fastconv.conv2d(rounded(x, precision), rounded(weight, precision), bias, **call)
    np.testing.assert_array_equal(bits(result), bits(exact))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("stride", [1, 2])
def test_nothing_but_its_output_is_written(level, stride, dtype):
    x, weight, bias = arrays(np.random.default_rng(3), dtype, 1, 21, (9, 23), (3, 3))
    shape = fastconv.conv2d(x, weight, bias, groups=21, stride=stride, **CALL).shape
    room = np.full((2, shape[1] + 2, shape[2] + 2, 24), 7, dtype)
    out = room[:, 1:-1, 1:-1, 1:22]
    fastconv.conv2d(x, weight, bias, groups=21, stride=stride, out=out, **CALL)
    exact = fastconv.conv2d(x, weight, bias, groups=21, stride=stride, **CALL)
    np.testing.assert_array_equal(out, exact)
    out[...] = 7
    assert (room == 7).all()
