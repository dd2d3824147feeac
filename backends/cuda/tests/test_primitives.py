"""The primitives: their twins against NumPy, and on a GPU the instructions against both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastconv_cuda.finding import find
from fastconv_cuda.units import Unit
from simt.device import COMPILER, SimulatedDevice

PROBE = str(Path(__file__).parent / "probe.cu")
MATHS = {
    "float16": ("float", "multiply_float16"),
    "bfloat16": ("float", "multiply_bfloat16"),
    "tf32": ("float", "multiply_tf32"),
    "int8,int8": ("int", "multiply_int8_int8"),
    "int8,uint8": ("int", "multiply_int8_uint8"),
    "uint8,int8": ("int", "multiply_uint8_int8"),
    "uint8,uint8": ("int", "multiply_uint8_uint8"),
}


@pytest.fixture(
    params=[
        pytest.param("cpu", marks=pytest.mark.skipif(COMPILER is None, reason="no compiler")),
        pytest.param("gpu", marks=pytest.mark.gpu),
    ]
)
def runner(request):
    """Return a function that launches a kernel of the probe on host arrays."""
    if request.param == "cpu":
        device = SimulatedDevice()
        given, back = (lambda array: array), (lambda array: array)
    else:
        found = find()
        if not found.devices:
            pytest.skip(found.reason)
        import cupy

        device = next(iter(found.devices.values()))
        given, back = cupy.asarray, cupy.asnumpy

    def launch(kernel, math, threads, blocks, shared, arrays, *rest):
        number, multiply = MATHS[math]
        unit = Unit(PROBE, (("FC_NUMBER", number), ("FC_MULTIPLY_BY", multiply)))
        there = [given(array) for array in arrays]
        arguments = [*(device.pointer(array) for array in there), *rest]
        device.launch(unit, kernel, (blocks, 1, 1), (threads, 1, 1), shared, arguments)
        return back(there[-1])

    return launch


def test_conversions_round_as_ieee_says(runner):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**32, 60_000, np.uint32)
    halves = np.arange(2**16, dtype=np.uint16)
    ties = (halves.astype(np.uint32) << 16) | 0x8000
    exact = halves.view(np.float16).astype(np.float32).view(np.uint32)
    words = np.concatenate([words, halves.astype(np.uint32), ties, exact, exact + 0x1000])
    out = np.zeros((len(words), 5), np.uint32)
    blocks = -(-len(words) // 256)
    out = runner("probe_convert", "tf32", 256, blocks, 0, [words, out], len(words))
    values = words.view(np.float32)
    low = words.astype(np.uint16)
    with np.errstate(all="ignore"):
        expected = (
            (out[:, 0].astype(np.uint16).view(np.float16), values.astype(np.float16)),
            (
                out[:, 1].astype(np.uint16).view(ml_dtypes.bfloat16).astype(np.float32),
                values.astype(ml_dtypes.bfloat16).astype(np.float32),
            ),
            (out[:, 3].copy().view(np.float32), low.view(np.float16).astype(np.float32)),
            (out[:, 4].copy().view(np.float32), low.view(ml_dtypes.bfloat16).astype(np.float32)),
        )
    for got, right in expected:
        np.testing.assert_array_equal(got, right)
    finite = np.isfinite(values)
    rounded = (out[:, 2] & 0xFFFFE000).view(np.float32)[finite].astype(np.float64)
    exponent = np.maximum(np.frexp(values[finite].astype(np.float64))[1] - 1, -126)
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(rounded - values[finite])
    fits = np.isfinite(rounded)
    assert (error <= np.ldexp(0.5, exponent - 10))[fits].all()


@pytest.mark.parametrize("math", MATHS)
def test_products_of_a_warp_are_exact(runner, math):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    rng = np.random.default_rng(2)
    kinds = {"tf32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
    left, _, right = math.partition(",")
    types = [np.dtype(kinds.get(name, name)) for name in (left, right or left)]
    depth = 32 // types[0].itemsize
    a = rng.integers(*((0, 256) if left == "uint8" else (-9, 10)), (16, depth))
    b = rng.integers(*((0, 256) if right == "uint8" else (-9, 10)), (8, depth))
    c = np.full((16, 8), 99, np.int32 if right else np.float32)
    arrays = [a.astype(types[0]), b.astype(types[1]), c]
    got = runner("probe_product", math, 32, 1, 768, arrays)
    np.testing.assert_array_equal(got, a @ b.T)


def test_matrices_are_turned_around(runner):
    rows = np.arange(8 * 32, dtype=np.uint16).reshape(8, 32)
    out = np.zeros((32, 4), np.uint32)
    out = runner("probe_turned", "tf32", 32, 1, 512, [rows, out])
    for lane in range(32):
        for matrix in range(4):
            column = matrix * 8 + lane // 4
            pair = rows[lane % 4 * 2, column], rows[lane % 4 * 2 + 1, column]
            assert out[lane, matrix] == int(pair[0]) | int(pair[1]) << 16
