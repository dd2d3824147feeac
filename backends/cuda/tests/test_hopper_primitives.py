"""Hopper's primitives: their twins against NumPy, and on a GPU the instructions against both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastconv_cuda.arithmetic import HOPPER
from fastconv_cuda.finding import find
from fastconv_cuda.plan import TensorMaps
from fastconv_cuda.tensor_maps import Pixels, TensorMap
from fastconv_cuda.units import Unit
from simt.device import COMPILER, SimulatedDevice

PROBE = str(Path(__file__).parent / "probe_hopper.cu")
THREADS = 384
SWIZZLE_BITS = {128: 1, 64: 2, 32: 3}


@pytest.fixture(
    params=[
        pytest.param("cpu", marks=pytest.mark.skipif(COMPILER is None, reason="no compiler")),
        pytest.param("gpu", marks=pytest.mark.gpu),
    ]
)
def runner(request):
    """Return a function that launches a kernel of the probe on host arrays and maps of them."""
    if request.param == "cpu":
        device = SimulatedDevice()
        given, back = (lambda array: array), (lambda array: array)
    else:
        devices = [d for d in find().devices.values() if d.card.capability == HOPPER]
        if not devices:
            pytest.skip(find().reason or "no GPU of capability 9.0")
        import cupy

        device = devices[0]
        given, back = cupy.asarray, cupy.asnumpy

    def launch(
        kernel,
        places,
        out,
        mapped,
        size,
        columns=64,
        number="float",
        multiply="multiply_group_tf32",
    ):
        definitions = {
            "FC_BYTES": size,
            "FC_COLUMNS": columns,
            "FC_NUMBER": number,
            "FC_MULTIPLY_BY": multiply,
        }
        unit = Unit(PROBE, tuple((name, str(value)) for name, value in definitions.items()))
        there = [given(array) for array, _ in mapped]
        maps = [(i, wanted) for i, (_, wanted) in enumerate(mapped)]
        maps += [(0, None)] * (2 - len(maps))
        argument = TensorMaps(maps).argument(device, [device.pointer(a) for a in there], 0)
        arrays = [given(np.array(places, np.int32)), given(out)]
        arguments = [*(device.pointer(array) for array in arrays), argument]
        shared = 1024 + size + 64
        device.launch(unit, kernel, (1, 1, 1), (THREADS, 1, 1), shared, arguments)
        return back(arrays[1])

    return launch


def as_it_lies(rows):
    """Return rows of 32, 64 or 128 bytes with their chunks of 16 bytes swizzled."""
    flat = np.ascontiguousarray(rows).view(np.uint8).ravel()
    width = rows.shape[1] * rows.itemsize
    address = np.arange(flat.size)
    place = address ^ ((address >> 7 & (width // 16 - 1)) << 4)
    out = np.empty_like(flat)
    out[place] = flat
    return out


@pytest.mark.parametrize("depth", [64, 32, 16])
@pytest.mark.parametrize(
    ("stride", "padding", "tap", "dilation"),
    [
        ((1, 1), (1, 1), (2, 1), (1, 1)),
        ((2, 3), (0, 2), (1, 2), (1, 3)),
        ((1, 2), (2, 0), (0, 0), (2, 1)),
    ],
)
def test_pixels_come_as_windows_read_them(runner, stride, padding, tap, dilation, depth):
    batch, height, width, channels, kernel, pixels = 3, 9, 11, 40, 3, 64
    x = np.arange(batch * height * width * channels, dtype=np.uint16)
    x = x.reshape(batch, height, width, channels)
    out = [
        (n + 2 * p - (kernel - 1) * d - 1) // s + 1
        for n, p, d, s in zip((height, width), padding, dilation, stride, strict=True)
    ]
    lower = [-p for p in padding]
    upper = [
        -p + (o - 1) * s - (n - 1)
        for p, o, s, n in zip(padding, out, stride, (height, width), strict=True)
    ]
    wanted = TensorMap(
        "float16",
        (channels, width, height, batch),
        (2 * channels, 2 * channels * width, 2 * channels * width * height),
        (depth, pixels),
        Pixels(tuple(lower[::-1]), tuple(upper[::-1]), tuple(stride[::-1])),
    )
    # Channels 32 and on, some of which aren't there; pixels that go beyond the last image.
    shift = [t * d for t, d in zip(tap, dilation, strict=True)]
    for first in (5, batch * out[0] * out[1] - 20):
        expected = np.zeros((pixels, depth), np.uint16)
        for pixel in range(pixels):
            image, row, column = np.unravel_index(
                min(first + pixel, batch * out[0] * out[1] - 1), (batch, *out)
            )
            y, z = row * stride[0] + lower[0] + shift[0], column * stride[1] + lower[1] + shift[1]
            inside = first + pixel < batch * out[0] * out[1]
            if inside and 0 <= y < height and 0 <= z < width:
                values = x[image, y, z, 32 : 32 + depth]
                expected[pixel, : len(values)] = values
        image, row, column = (int(i) for i in np.unravel_index(first, (batch, *out)))
        at = [0, row * stride[0] + lower[0], column * stride[1] + lower[1]]
        got = np.full(wanted.bytes, 0xFF, np.uint8)
        got = runner(
            "probe_pixels", [2, 32, image, *at, 0, *shift], got, [(x, wanted)], wanted.bytes
        )
        np.testing.assert_array_equal(got, as_it_lies(expected))


@pytest.mark.parametrize("depth", [64, 32, 16])
def test_boxes_hold_zeros_beside_the_tensor(runner, depth):
    w = np.arange(1, 20 * 3 * 72 + 1, dtype=np.uint16).reshape(20, 3, 72)
    wanted = TensorMap("bfloat16", (72, 3, 20), (144, 432), (depth, 1, 16))
    expected = np.zeros((16, depth), np.uint16)
    expected[:12, :8] = w[8:, 1, 64:]
    got = np.full(wanted.bytes, 0xFF, np.uint8)
    got = runner("probe_box", [64, 1, 8], got, [(w, wanted)], wanted.bytes)
    np.testing.assert_array_equal(got, as_it_lies(expected))


def descriptor(row_bytes, leading, stride):
    """Return the two words of a matrix's descriptor, its address left open."""
    return leading >> 4 << 16, stride >> 4 | SWIZZLE_BITS[row_bytes] << 30


def signed(words):
    return [int(np.uint32(word).astype(np.int32)) for word in words]


def integers(shape, dtype, rng):
    return rng.integers(-9, 10, shape).astype(dtype)


@pytest.mark.parametrize("row_bytes", [128, 64, 32])
@pytest.mark.parametrize("columns", [64, 128, 256])
@pytest.mark.parametrize("name", ["float16", "bfloat16", "tf32"])
def test_products_of_four_warps_are_exact(runner, name, columns, row_bytes):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    kinds = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "tf32": np.float32}
    rng, dtype = np.random.default_rng(2), np.dtype(kinds[name])
    depth, used = row_bytes // dtype.itemsize, 32 // dtype.itemsize
    a, b = integers((64, depth), dtype, rng), integers((columns, depth), dtype, rng)

    def box(array):
        rows = len(array)
        return TensorMap(name, (depth, 1, rows), (row_bytes, row_bytes), (depth, 1, rows))

    places = [64 * row_bytes, *signed([*descriptor(row_bytes, 16, 8 * row_bytes)] * 2)]
    out = np.full((64, columns), np.nan, np.float32)
    got = runner(
        "probe_group",
        places,
        out,
        [(a, box(a)), (b, box(b))],
        (64 + columns) * row_bytes,
        columns,
        multiply=f"multiply_group_{name}",
    )
    wide = a[:, :used].astype(np.float32) @ b[:, :used].astype(np.float32).T
    np.testing.assert_array_equal(got, wide)


@pytest.mark.parametrize("columns", [8, 64, 128, 256])
@pytest.mark.parametrize("right", ["int8", "uint8"])
@pytest.mark.parametrize("left", ["int8", "uint8"])
def test_products_of_bytes_are_exact(runner, left, right, columns):
    rng, depth = np.random.default_rng(4), 64

    def made(rows, name):
        ends = np.iinfo(name)
        array = rng.integers(ends.min, ends.max, (rows, depth), name, endpoint=True)
        return array, TensorMap(name, (depth, 1, rows), (depth, depth), (depth, 1, rows))

    a, b = made(64, left), made(columns, right)
    places = [64 * depth, *signed([*descriptor(depth, 16, 8 * depth)] * 2)]
    out = np.full((64, columns), 99, np.int32)
    size = (64 + columns) * depth
    multiply = f"multiply_group_{left}_{right}"
    got = runner("probe_group", places, out, [a, b], size, columns, "int", multiply)
    expected = a[0][:, :32].astype(np.int32) @ b[0][:, :32].astype(np.int32).T
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("row_bytes", [128, 64, 32])
@pytest.mark.parametrize("columns", [64, 128, 256])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_products_of_matrices_that_lie_across_are_exact(runner, name, columns, row_bytes):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    dtype = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[name]
    rng, steps, across = np.random.default_rng(3), 16, row_bytes // 2
    a, b = integers((steps, 64), dtype, rng), integers((steps, columns), dtype, rng)

    def boxes(array, wide):
        # The 3-d box has all of the array: wide columns, steps, and parts of so many columns.
        width = array.shape[1]
        return TensorMap(
            name, (wide, steps, width // wide), (2 * width, 2 * wide), (wide, steps, width // wide)
        )

    size = steps * 2 * 64
    words = [*descriptor(128, 16, 1024), *descriptor(row_bytes, steps * row_bytes, 8 * row_bytes)]
    out = np.full((64, columns), np.nan, np.float32)
    got = runner(
        "probe_group",
        [size, *signed(words)],
        out,
        [(a, boxes(a, 64)), (b, boxes(b, across))],
        size + steps * 2 * columns,
        columns,
        multiply=f"multiply_across_{name}",
    )
    np.testing.assert_array_equal(got, a.astype(np.float32).T @ b.astype(np.float32))
