"""The packed matrix product in the core, at every level, and the phases of an input gradient."""

from math import prod

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastconv.cpu.implicit_gemm.phases import (  # noqa: E402
    leaves_gaps,
    phase_count,
    phases_of,
)
from fastconv.dispatch.request import contiguous  # noqa: E402
from fastconv.problem import ConvProblem, Operand  # noqa: E402

SIZES = {"float32": 4, "float64": 8}
every_dtype = pytest.mark.parametrize("dtype", list(SIZES))


def _filled(channels, dtype):
    rows = core.gemm_tile(dtype)[0]
    return -(-channels // rows) * rows


@every_dtype
def test_tiles_fill_whole_vectors(level, dtype):
    rows, columns = core.gemm_tile(dtype)
    assert 1 <= rows <= 32
    assert columns * SIZES[dtype] % 16 == 0


@every_dtype
@settings(max_examples=40)
@given(
    st.integers(1, 4), st.integers(1, 40), st.integers(1, 70), st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_packing_puts_channels_of_a_tile_side_by_side(dtype, groups, channels, rows, threads, seed):
    weight = np.random.default_rng(seed).random((rows, groups, channels)).astype(dtype)
    weight = weight.transpose(1, 2, 0)
    tile, filled = core.gemm_tile(dtype)[0], _filled(channels, dtype)
    packed = np.full(groups * filled * rows + 3, np.nan, dtype)
    core.pack_weight(weight, packed, dtype, threads)
    assert np.isnan(packed[-3:]).all()
    whole = np.zeros((groups, filled, rows), dtype)
    whole[:, :channels] = weight
    blocks = whole.reshape(groups, -1, tile, rows).transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(packed[:-3].reshape(blocks.shape), blocks)


def _arguments(dtype, *, n=2, c=3, o=5, extent=9, k=3, threads=2, images=1, width=None, depth=4):
    """Return the arguments of a 1-d conv_forward by name, and the exact result."""
    rng = np.random.default_rng(0)
    x, weight = rng.random((n, c, extent)), rng.random((o, c, k))
    out = extent - k + 1
    columns = core.gemm_tile(dtype)[1]
    width = columns if width is None else width
    geometry = core.Geometry((extent,), (k,), (1,), (0,), (1,), (out,))
    packed = np.empty(_filled(o, dtype) * c * k, dtype)
    core.pack_weight(weight.reshape(1, o, c * k).astype(dtype), packed, dtype, 1)
    seen = np.lib.stride_tricks.sliding_window_view(x, k, 2)
    arguments = {
        "geometry": geometry,
        "x": x.astype(dtype),
        "packed": packed,
        "y": np.full((n, o, out), np.nan, dtype),
        "bias": rng.random(o).astype(dtype),
        "dtype": dtype,
        "groups": 1,
        "channels": o,
        "activation": 0,
        "parameter": 0.0,
        "images": images,
        "width": width,
        "depth": depth,
        "band": 0,
        "offsets": None,
        "scratch": np.full((depth + _filled(o, dtype)) * width * threads, np.nan, dtype),
        "threads": threads,
    }
    exact = np.einsum("ncpk,ock->nop", seen, weight) + arguments["bias"][:, None]
    return arguments, exact


@every_dtype
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"depth": 100},
        {"depth": 1, "threads": 1},
        {"extent": 300, "threads": 3},
        {"o": 1, "c": 1, "k": 1},
        {"o": 67, "c": 20},
        {"n": 1, "extent": 3},
    ],
)
def test_a_convolution_reads_no_scratch_that_it_has_not_written(level, dtype, shape):
    arguments, exact = _arguments(dtype, **shape)
    core.conv_forward(**arguments)
    np.testing.assert_allclose(arguments["y"], exact, 1e-5 if dtype == "float32" else 1e-13)


@every_dtype
def test_several_images_share_a_panel(level, dtype):
    columns = core.gemm_tile(dtype)[1]
    width = -(-4 * 7 // columns) * columns
    for images in (1, 2, 3, 4):
        arguments, exact = _arguments(dtype, n=5, images=images, width=width)
        core.conv_forward(**arguments)
        np.testing.assert_allclose(arguments["y"], exact, 1e-5 if dtype == "float32" else 1e-13)


@every_dtype
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("packed", lambda a: a[:-1], "packed: .* bytes are too few"),
        ("scratch", lambda a: a[:-1], "scratch: .* bytes are too few for 2 threads"),
        ("bias", lambda a: a[:-1], "bias: expected 5 contiguous items"),
        ("x", lambda a: a[:, :, 1:], "x: expected shape"),
        ("x", lambda a: a[1:], "x: expected shape"),
        ("x", lambda a: a.astype("int16"), "x: expected items of"),
        ("y", lambda a: a[:, 1:], "y: expected shape"),
        ("y", lambda a: a[..., 1:], "y: expected shape"),
        ("dtype", lambda _: "int32", "dtype: expected one of float32, float64, got 'int32'"),
        ("groups", lambda _: 2, "y: expected shape"),
        ("groups", lambda _: 0, "groups: expected an integer from 1"),
        ("channels", lambda _: 6, "y: expected shape"),
        ("activation", lambda _: 8, "activation: expected 0 to 7, got 8"),
        ("activation", lambda _: -1, "activation: expected 0 to 7, got -1"),
        ("width", lambda w: w + 1, "width: .* is no multiple"),
        ("width", lambda w: w * 2, "scratch: .* bytes are too few"),
        ("width", lambda w: w * 2**55, "scratch: .* bytes are too few|too large"),
        ("depth", lambda d: d + 2**61, "scratch: .* bytes are too few|too large"),
        ("images", lambda _: 2**62, "images: the positions of"),
        ("threads", lambda _: 3, "scratch: .* bytes are too few for 3 threads"),
        ("threads", lambda _: 0, "threads: expected an integer from 1"),
    ],
)
def test_buffers_that_do_not_fit_are_refused(dtype, name, change, message):
    arguments, _ = _arguments(dtype)
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        core.conv_forward(**arguments)
    assert np.isnan(arguments["y"]).all()


def _banded(dtype, band, *, threads=2, extents=(7, 6), kernel=(3, 2), dilation=(1, 2)):
    """Return the arguments of a padded 2-d conv_forward in bands of lines, and the exact result."""
    rng = np.random.default_rng(0)
    x, weight = rng.random((2, 4, *extents)), rng.random((6, 2, *kernel))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 1)))
    out = tuple(n - r for n, r in zip(padded.shape[2:], reach, strict=True))
    exact = np.zeros((2, 6, *out))
    for o, c, i, j in np.ndindex(weight.shape):
        i0, j0 = i * dilation[0], j * dilation[1]
        part = padded[:, o // 3 * 2 + c, i0 : i0 + out[0], j0 : j0 + out[1]]
        exact[:, o] += weight[o, c, i, j] * part
    geometry = core.Geometry(extents, kernel, (1, 1), (1, 2), dilation, out)
    rows = 2 * prod(kernel)
    packed = np.empty(2 * _filled(3, dtype) * rows, dtype)
    core.pack_weight(weight.reshape(2, 3, rows).astype(dtype), packed, dtype, 1)
    items = core.band_items(geometry, 2, 3, band, dtype)
    arguments = {
        "geometry": geometry,
        "x": x.astype(dtype),
        "packed": packed,
        "y": np.full((2, 6, *out), np.nan, dtype),
        "bias": None,
        "dtype": dtype,
        "groups": 2,
        "channels": 3,
        "activation": 0,
        "parameter": 0.0,
        "images": 1,
        "width": core.gemm_tile(dtype)[1],
        "depth": 5,
        "band": band,
        "offsets": np.empty(rows, "int64"),
        # What is computed between two lines may be anything, but must not be kept.
        "scratch": np.full(items * threads, np.nan, dtype),
        "threads": threads,
    }
    return arguments, exact


@every_dtype
@pytest.mark.parametrize("band", [1, 2, 3, 5, 6, 100])
@pytest.mark.parametrize("kernel", [(3, 2), (1, 4), (4, 1), (2, 2)])
def test_bands_of_lines_need_no_columns(level, dtype, band, kernel):
    arguments, exact = _banded(dtype, band, kernel=kernel)
    core.conv_forward(**arguments)
    np.testing.assert_allclose(arguments["y"], exact, 1e-5 if dtype == "float32" else 1e-13)


@every_dtype
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scratch", lambda a: a[:-1], "scratch: .* bytes are too few for 2 threads"),
        ("offsets", lambda a: a[:-1], "offsets: .* bytes are too few for 12 rows"),
        ("band", lambda b: b + 1, "scratch: .* bytes are too few"),
        ("band", lambda _: -1, "band: expected an integer from 0"),
        ("band", lambda _: 2**61, "scratch: .* bytes are too few|too large"),
    ],
)
def test_bands_that_do_not_fit_are_refused(dtype, name, change, message):
    arguments, _ = _banded(dtype, 2)
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        core.conv_forward(**arguments)


def test_read_only_and_scattered_buffers_are_refused():
    arguments, _ = _arguments("float32")
    arguments["y"].setflags(write=False)
    with pytest.raises((ValueError, BufferError)):
        core.conv_forward(**arguments)
    arguments, _ = _arguments("float32")
    arguments["packed"] = np.zeros(2 * arguments["packed"].size, "float32")[::2]
    with pytest.raises((ValueError, BufferError)):
        core.conv_forward(**arguments)


def _problem(extents, kernel, stride, pads, dilation):
    spatial = tuple(
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, (a, b), d in zip(extents, kernel, stride, pads, dilation, strict=True)
    )
    shapes = {"x": (2, 3, *extents), "weight": (4, 3, *kernel), "y": (2, 4, *spatial)}
    return ConvProblem(
        function="conv",
        operation="conv_input_grad",
        device="cpu",
        **{name: Operand(s, contiguous(s, 4), "float32") for name, s in shapes.items()},
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=1,
    )


@st.composite
def problems(draw):
    ndim = draw(st.integers(1, 3))
    axes = [
        (
            draw(st.integers(1, 4)),
            draw(st.integers(1, 7)),
            (draw(st.integers(0, 3)), draw(st.integers(0, 3))),
            draw(st.integers(1, 4)),
        )
        for _ in range(ndim)
    ]
    kernel, stride, pads, dilation = zip(*axes, strict=True)
    extents = tuple(
        max(1, (k - 1) * d + 1 - a - b) + draw(st.integers(0, 6)) for k, _, (a, b), d in axes
    )
    return _problem(extents, kernel, stride, pads, dilation)


@settings(max_examples=300)
@given(problems())
def test_phases_share_out_the_taps_and_the_inputs(problem):
    phases = phases_of(problem, "float32", 2**20)
    assert len(phases) <= phase_count(problem)
    inputs = np.zeros(problem.x.shape[2:], int)
    taps = np.zeros(problem.kernel, int)
    for phase in phases:
        assert inputs[phase.places].size > 0
        assert taps[phase.taps].size > 0
        inputs[phase.places] += 1
        taps[phase.taps] += 1
    assert inputs.max(initial=0) <= 1
    assert taps.max() <= 1
    assert leaves_gaps(problem) == bool((inputs == 0).any())
    # A tap in no phase reaches no input, wherever its window lies.
    for tap in np.argwhere(taps == 0):
        for place in np.ndindex(problem.y.shape[2:]):
            at = [
                p * s + t * d - a
                for p, s, t, d, (a, _) in zip(
                    place, problem.stride, tap, problem.dilation, problem.padding, strict=True
                )
            ]
            assert any(not 0 <= i < n for i, n in zip(at, problem.x.shape[2:], strict=True))


def test_huge_strides_have_no_more_phases_than_the_kernel_has_taps():
    problem = _problem((10**6, 10**6), (2, 3), (10**6, 10**5), ((0, 0),) * 2, (1, 1))
    assert phase_count(problem) == prod(problem.kernel)
    assert len(phases_of(problem, "float32", 2**20)) == 6
