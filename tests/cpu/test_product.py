"""Convolutions as products in the core, at every level: what they compute, read and refuse."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastconv.cpu.implicit_gemm import turned  # noqa: E402
from fastconv.cpu.implicit_gemm.blocking import Extent, choose, tile_rows  # noqa: E402

SIZES = {"float32": 4, "float64": 8}
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
every_dtype = pytest.mark.parametrize("dtype", list(SIZES))


@dataclass(frozen=True)
class Case:
    """A convolution of one to three axes, and how it is cut up."""

    dtype: str = "float32"
    n: int = 2
    groups: int = 1
    inner: int = 3
    channels: int = 5
    source: tuple[int, ...] = (9, 11)
    kernel: tuple[int, ...] = (3, 2)
    stride: tuple[int, ...] = (1, 1)
    before: tuple[int, ...] = (1, 1)
    after: tuple[int, ...] = (0, 1)
    dilation: tuple[int, ...] = (1, 1)
    tile: int = 1
    images: int = 1
    lines: int = 0  # all of them
    items: int = 0
    depth: int = 3
    blocks: int = 1
    gathered: bool = False
    apart: bool = False
    turned: bool = False
    streams: bool = False
    activation: int = 0
    pixels: int = 0

    @property
    def out(self):
        axes = zip(
            self.source, self.kernel, self.stride, self.before, self.after, self.dilation,
            strict=True,
        )  # fmt: skip
        return tuple((n + a + b - (k - 1) * d - 1) // s + 1 for n, k, s, a, b, d in axes)

    def shapes(self):
        return (
            (self.n, self.groups * self.inner, *self.source),
            (self.groups * self.channels, self.inner, *self.kernel),
            (self.n, self.groups * self.channels, *self.out),
        )

    def convolution(self, **change):
        lines = self.lines or ((1, *self.out)[-2])
        axes = len(self.source)
        geometry = core.Geometry(
            self.source, self.kernel, self.stride, self.before, self.dilation, self.out
        )
        fields = {
            "geometry": geometry,
            "first": (0,) * axes,
            "step": (1,) * axes,
            "place": (0,) * axes,
            "every": (1,) * axes,
            "images": self.images,
            "lines": lines,
            "items": self.items or self.out[-1],
            "depth": self.depth,
            "blocks": self.blocks,
            "gathered": self.gathered,
            "apart": self.apart,
        }
        options = {
            "x_shape": self.shapes()[0],
            "weight_shape": self.shapes()[1],
            "y_shape": self.shapes()[2],
            "dtype": self.dtype,
            "groups": self.groups,
            "transposed": False,
            "tile_rows": core.lanes(self.dtype) if self.turned else self.tile,
            "turned": self.turned,
            "streams": self.streams,
            "activation": self.activation,
            "pixels": self.pixels,
        }
        fields.update({k: v for k, v in change.items() if k in fields})
        options.update({k: v for k, v in change.items() if k in options})
        return core.Convolution(products=[tuple(fields.values())], **options)

    def arrays(self, seed=0):
        rng = np.random.default_rng(seed)
        shapes = self.shapes()
        x, weight = (rng.standard_normal(shape).astype(self.dtype) for shape in shapes[:2])
        return x, weight, rng.standard_normal(shapes[2][1]).astype(self.dtype)

    def exact(self, x, weight, bias):
        """Return the result in float64, tap by tap."""
        pairs = list(zip(self.before, self.after, strict=True))
        padded = np.pad(
            x.astype("f8"), [(0, 0), (0, 0), *((max(a, 0), max(b, 0)) for a, b in pairs)]
        )
        cropped = tuple(slice(max(-a, 0), min(b, 0) or None) for a, b in pairs)
        padded = padded[(..., *cropped)]
        y = np.zeros(self.shapes()[2]) + bias.reshape(-1, *(1,) * len(self.source))
        grouped = y.reshape(self.n, self.groups, self.channels, *self.out)
        parts = padded.reshape(self.n, self.groups, self.inner, *padded.shape[2:])
        for tap in np.ndindex(*self.kernel):
            place = tuple(
                slice(k * d, k * d + (o - 1) * s + 1, s)
                for k, d, o, s in zip(tap, self.dilation, self.out, self.stride, strict=True)
            )
            taps = weight[(..., *tap)].reshape(self.groups, self.channels, self.inner)
            part = parts[(slice(None),) * 3 + place]
            grouped += np.einsum("goc,ngc...->ngo...", taps.astype("f8"), part)
        return np.maximum(y, 0) if self.activation == 1 else np.tanh(y) if self.activation else y


def _pixels(case, pixels):
    """Return the case over pixels, a tile of its channels; 2 transposes lines on their way."""
    lanes = core.vector_bytes() // SIZES[case.dtype]
    most = core.gemm_tile("float32")[1] // core.lanes("float32")
    vectors = min(-(-case.channels // lanes), most)
    gathered = pixels == 2 or case.gathered
    depth = case.inner if gathered else case.depth
    return replace(case, pixels=pixels, tile=vectors * lanes, gathered=gathered, depth=depth)


def _adjoining(values):
    """Return the values with channels side by side in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 1, -1)), -1, 1)


def _workspace(convolution, threads, packed=True):
    size = convolution.packed_bytes * packed + threads * convolution.scratch_bytes
    # NaN everywhere: what a kernel reads without having written it shows in the result.
    return np.full(size + 64, 255, np.uint8)


def _check(case, threads=2, seed=0, layouts=None):
    x, weight, bias = case.arrays(seed)
    exact = case.exact(x, weight, bias)
    y = np.full(exact.shape, np.nan, case.dtype)
    if case.pixels == 1:
        x, y = _adjoining(x), _adjoining(y)
    convolution = case.convolution()
    convolution.run(x, weight, y, bias, _workspace(convolution, threads), threads)
    scale = np.abs(exact).max() + case.inner * np.prod(case.kernel)
    assert np.abs(y - exact).max() <= TOLERANCE[case.dtype] * scale
    if layouts is None or case.pixels == 1:
        return
    rng = np.random.default_rng(seed)
    odd = layouts.Target(rng, y.shape, case.dtype)
    x, weight = layouts.strided(rng, x), layouts.strided(rng, weight)
    convolution.run(x, weight, odd.array, bias, _workspace(convolution, 1), 1)
    # An odd layout may repeat items.
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    convolution.run(x, weight, y, bias, _workspace(convolution, 1), 1)
    np.testing.assert_array_equal(odd.result(), y)


@every_dtype
@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"depth": 1},
        {"depth": 2},
        {"n": 5, "images": 2},
        {"n": 5, "images": 5},
        {"lines": 1},
        {"lines": 4},
        {"lines": 1, "items": 1},
        {"lines": 1, "items": 5},
        {"stride": (2, 3), "dilation": (3, 2)},
        {"stride": (4, 4), "kernel": (4, 5), "dilation": (2, 1)},
        {"before": (3, 5), "after": (4, 4)},
        {"before": (-1, -2), "after": (-1, 0)},
        {"kernel": (1, 1), "before": (0, 0), "after": (0, 0)},
        {"kernel": (1, 1), "stride": (2, 2), "before": (0, 0), "after": (0, 0)},
        {"source": (1, 1), "kernel": (3, 3), "before": (1, 1), "after": (1, 1)},
        {"source": (70, 1), "kernel": (3, 1), "before": (1, 0), "after": (1, 0)},
        {"groups": 3, "channels": 2},
        {"activation": 1},
        {"activation": 5},
    ],
)
def test_a_convolution_is_exact_however_it_is_cut(level, dtype, gathered, change, layouts):
    case = replace(Case(dtype, gathered=gathered), **change)
    _check(case, layouts=layouts)
    for pixels in (1, 2):
        _check(_pixels(case, pixels), layouts=layouts)
        _check(_pixels(replace(case, inner=19, depth=19, channels=37), pixels), layouts=layouts)


@every_dtype
@pytest.mark.parametrize("channels", [1, 5, 16, 40, 70])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"lines": 1},
        {"lines": 4},
        {"lines": 1, "items": 5},
        {"blocks": 2},
        {"stride": (2, 3), "dilation": (3, 2)},
        {"stride": (4, 4), "kernel": (4, 5), "dilation": (2, 1)},
        {"before": (3, 5), "after": (4, 4)},
        {"before": (-1, -2), "after": (-1, 0)},
        {"kernel": (1, 1), "stride": (2, 2), "before": (0, 0), "after": (0, 0)},
        {"kernel": (1, 3), "stride": (3, 2)},
        {"source": (1, 1), "kernel": (3, 3), "before": (1, 1), "after": (1, 1)},
        {"source": (9, 70)},
        {"source": (5, 9, 6), "kernel": (2, 3, 3), "stride": (2, 1, 2), "before": (1, 1, 1),
         "after": (0, 0, 1), "dilation": (1, 2, 1)},
        {"groups": 3},
        {"activation": 1},
        {"activation": 5},
    ],
)  # fmt: skip
def test_a_turned_convolution_is_exact_however_it_is_cut(level, dtype, channels, change, layouts):
    case = replace(Case(dtype, channels=channels, blocks=6, turned=True), **change)
    _check(case, layouts=layouts)


@every_dtype
@pytest.mark.parametrize("items", range(1, 31))
def test_turned_tiles_of_every_width(level, dtype, items):
    for channels in (core.lanes(dtype) - 1, 2 * core.lanes(dtype), 3 * core.lanes(dtype)):
        for lines in (1, 4, 5):
            case = Case(
                dtype, n=1, inner=2, depth=2, channels=channels, source=(lines, items),
                kernel=(1, 1), before=(0, 0), after=(0, 0), blocks=4, turned=True,
            )  # fmt: skip
            _check(case, seed=items)


@every_dtype
@pytest.mark.parametrize("lanes_of_a_line", [1, 2, 3, 7])
@pytest.mark.parametrize("more", [0, 1])
def test_results_past_the_caches(level, dtype, lanes_of_a_line, more):
    items = lanes_of_a_line * core.lanes(dtype) + more
    for tile in (1, 2, 4):
        case = Case(
            dtype, channels=2 * tile, source=(6, items), kernel=(3, 3), before=(1, 1),
            after=(1, 1), tile=tile, blocks=2, apart=True, streams=True,
        )  # fmt: skip
        _check(case)


@every_dtype
@pytest.mark.parametrize("tile", range(1, 9))
def test_tiles_of_every_height_and_width(level, dtype, tile):
    if core.tile_vectors(tile) == 0:
        with pytest.raises(ValueError, match="tile_rows: there is no tile"):
            Case(dtype, tile=tile).convolution()
        return
    lanes = core.vector_bytes() // SIZES[dtype]
    for vectors in range(1, 2 * core.tile_vectors(tile) + 2):
        case = Case(
            dtype, n=1, inner=2, depth=1, channels=2 * tile + 1, source=(vectors * lanes - 1,),
            kernel=(1,), stride=(1,), before=(0,), after=(0,), dilation=(1,), tile=tile, blocks=2,
        )  # fmt: skip
        _check(case, seed=vectors)


@every_dtype
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_convolutions(dtype, data):
    integer = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    axes = integer(1, 3)
    kernel = tuple(integer(1, 4) for _ in range(axes))
    dilation = tuple(integer(1, 3) for _ in range(axes))
    before, after = (tuple(integer(-1, 3) for _ in range(axes)) for _ in range(2))
    source = tuple(
        max(1, (k - 1) * d + 1 - a - b) + integer(0, (40, 12, 5)[axes - 1])
        for k, d, a, b in zip(kernel, dilation, before, after, strict=True)
    )
    case = Case(
        dtype, integer(1, 3), integer(1, 2), integer(1, 5), integer(1, 20), source, kernel,
        tuple(integer(1, 4) for _ in range(axes)), before, after, dilation,
        gathered=data.draw(st.booleans()), streams=data.draw(st.booleans()),
        turned=data.draw(st.booleans()),
    )  # fmt: skip
    tile = data.draw(st.sampled_from([r for r in range(1, 9) if core.tile_vectors(r)]))
    lines = (1, *case.out)[-2]
    cut = data.draw(st.sampled_from(("images", "lines", "items")))
    case = replace(
        case,
        tile=tile,
        images=integer(1, case.n) if cut == "images" else 1,
        lines=lines if cut == "images" else integer(1, lines) if cut == "lines" else 1,
        items=integer(1, case.out[-1]) if cut == "items" else case.out[-1],
        depth=case.inner if case.turned else integer(1, case.inner),
        blocks=integer(1, -(-case.channels // tile)) * (2 if case.turned else 1),
    )
    apart = case.depth == case.inner and data.draw(st.booleans())
    case = replace(case, apart=apart, images=1 if case.turned else case.images)
    threads, seed = integer(1, 3), integer(0, 2**32 - 1)
    _check(case, threads, seed)
    if not case.turned:
        _check(_pixels(replace(case, apart=False, blocks=1), integer(1, 2)), threads, seed)


@every_dtype
def test_how_it_is_cut_and_by_how_many_changes_no_bit(level, dtype):
    case = Case(dtype, inner=6, channels=20, source=(20, 30), depth=6)
    x, weight, bias = case.arrays()
    results = []
    for change in (
        {},
        {"depth": 1},
        {"gathered": True, "lines": 3},
        {"lines": 1, "items": 7, "tile": 3, "depth": 4},
        {"images": 2, "tile": 2, "blocks": 4},
        {"apart": True},
        {"apart": True, "gathered": True, "streams": True},
        {"turned": True, "blocks": 2, "lines": 3},
        {"turned": True, "blocks": 20, "lines": 1, "items": 17},
    ):
        convolution = replace(case, **change).convolution()
        for threads in (1, 2, 3):
            y = np.empty(case.shapes()[2], dtype)
            convolution.run(x, weight, y, bias, _workspace(convolution, threads), threads)
            results.append(y)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@every_dtype
def test_nan_and_infinity_reach_what_they_are_summed_into_and_nothing_else(level, dtype):
    case = Case(
        dtype, n=1, inner=1, depth=1, channels=2, source=(8, 8), before=(1, 1), activation=1
    )
    x, weight, bias = (np.ones_like(a) for a in case.arrays())
    x[0, 0, 3, 4], x[0, 0, 6, 7] = np.nan, np.inf
    y = np.empty(case.shapes()[2], dtype)
    convolution = case.convolution()
    convolution.run(x, weight, y, bias, _workspace(convolution, 1), 1)
    np.testing.assert_array_equal(y, case.exact(x, weight, bias).astype(dtype))


@every_dtype
def test_a_packed_weight_serves_in_the_weight_s_place(level, dtype):
    case = Case(dtype, groups=2)
    x, weight, bias = case.arrays()
    convolution = case.convolution()
    packed = np.full(convolution.packed_bytes, 255, np.uint8)
    convolution.pack(weight, packed, 2)
    packed.setflags(write=False)
    ys = [np.empty(case.shapes()[2], dtype) for _ in range(2)]
    convolution.run(x, packed, ys[0], bias, _workspace(convolution, 1, False), 1, True)
    convolution.run(x, weight, ys[1], bias, _workspace(convolution, 1), 1)
    np.testing.assert_array_equal(*ys)


@every_dtype
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x", lambda a: a[:, :, 1:], "x: expected shape"),
        ("x", lambda a: a[1:], "x: expected shape"),
        ("x", lambda a: a.astype("int16"), "x: expected items of"),
        ("x", lambda a: a[..., None], "x: expected shape|x: expected 4 axes"),
        ("weight", lambda a: a[:, :2], "weight: expected shape"),
        ("y", lambda a: a[:, 1:], "y: expected shape"),
        ("y", lambda a: a[..., 1:], "y: expected shape"),
        ("bias", lambda a: a[:-1], "bias: expected 5 items"),
        ("bias", lambda a: a.astype("int8"), "bias: expected 5 items"),
        ("workspace", lambda a: a[:-128], "workspace: .* bytes are too few for 2 threads"),
        ("threads", lambda _: 4, "workspace: .* bytes are too few for 4 threads"),
        ("threads", lambda _: 0, "threads: expected an integer from 1"),
        ("packed", lambda _: True, "weight: .* bytes are too few, packed"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(dtype, name, change, message):
    case = Case(dtype, source=(40, 30))
    x, weight, bias = case.arrays()
    convolution = case.convolution()
    if name == "packed":
        weight = weight.reshape(-1)[:4].copy()
    arguments = {
        "x": x,
        "weight": weight,
        "y": np.full(case.shapes()[2], np.nan, dtype),
        "bias": bias,
        "workspace": _workspace(convolution, 2),
        "threads": 2,
        "packed": False,
    }
    y = arguments["y"]
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        convolution.run(**arguments)
    assert np.isnan(y).all()


def test_a_read_only_target_is_refused():
    case = Case()
    x, weight, bias = case.arrays()
    convolution = case.convolution()
    y = np.zeros(case.shapes()[2], "float32")
    y.setflags(write=False)
    with pytest.raises((ValueError, BufferError)):
        convolution.run(x, weight, y, bias, _workspace(convolution, 1), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": (1, 0)}, "first: 1 to 3 is not inside"),
        ({"step": (2, 1)}, "first: 0 to 4 is not inside"),
        ({"step": (-1, 1)}, "first: 0 to -2 is not inside"),
        ({"place": (0, 1)}, "place: 1 to 12 is not inside"),
        ({"every": (2, 1)}, "place: 0 to 14 is not inside"),
        ({"every": (2**61, 1)}, "place: .* is not inside"),
        ({"images": 2, "lines": 2}, "no unit of 2 images"),
        ({"lines": 9}, "no unit of"),
        ({"items": 13}, "no unit of"),
        ({"items": 3}, "no unit of"),
        ({"depth": 4}, "no unit of"),
        ({"depth": 0}, "depth: expected an integer from 1"),
        ({"images": 2**61}, "do not fit into 62 bits"),
        ({"blocks": 2**61}, "do not fit into 62 bits"),
        ({"groups": 2}, "shapes do not agree in 2 groups"),
        ({"x_shape": (2, 3, 9, 12)}, "a geometry is not over"),
        ({"weight_shape": (5, 2, 3, 2)}, "shapes do not agree"),
        ({"y_shape": (1, 5, 8, 12)}, "shapes do not agree"),
        ({"y_shape": (2, 5, 7, 12)}, "place: 0 to 7 is not inside"),
        ({"dtype": "int32"}, "dtype: expected one of float32, float64, got 'int32'"),
        ({"activation": 8}, "activation: expected 0 to 7, got 8"),
        ({"activation": -1}, "activation: expected 0 to 7, got -1"),
        ({"tile_rows": 9}, "tile_rows: there is no tile of 9 rows"),
        ({"apart": True, "depth": 2}, "no unit of"),
        ({"turned": True, "tile_rows": 3}, "tile_rows: a vector has not 3 items of float32"),
    ],
)
def test_products_that_would_leave_their_arrays_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Case().convolution(**change)


def test_turned_products_that_no_box_serves_are_refused():
    case = Case(channels=70, turned=True)
    with pytest.raises(ValueError, match="cannot share a box"):
        case.convolution(depth=2, blocks=6)
    with pytest.raises(ValueError, match="cannot share a box"):
        case.convolution(blocks=1)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_chosen_blocks_are_units_within_the_budget_where_any_are(data):
    integer = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    kernel, stride = (tuple(integer(1, 5) for _ in range(3)) for _ in range(2))
    out = tuple(integer(1, 60) for _ in range(3))
    source = tuple((o - 1) * s + k for o, s, k in zip(out, stride, kernel, strict=True))
    e = Extent(
        batch=integer(1, 20), groups=integer(1, 4), inner=integer(1, 300),
        channels=integer(1, 300), kernel=kernel, stride=stride, dilation=(1, 1, 1),
        before=(0, 0, 0), source=source,
        out=out, size=data.draw(st.sampled_from((4, 8))), lanes=16,
    )  # fmt: skip
    rows = tile_rows(e.channels)
    least = _scratch_bytes(e, rows, choose(e, rows, 0)[0])
    budget = integer(0, 2**21)
    blocks, cycles = choose(e, rows, budget)
    assert cycles > 0
    assert _scratch_bytes(e, rows, blocks) <= max(budget, least)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_chosen_turned_units_fit_the_budget(data):
    integer = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    kernel, stride = (tuple(integer(1, 5) for _ in range(3)) for _ in range(2))
    out = tuple(integer(1, 60) for _ in range(3))
    before = tuple(integer(-2, 4) for _ in range(3))
    source = tuple((o - 1) * s + k + 2 for o, s, k in zip(out, stride, kernel, strict=True))
    size = data.draw(st.sampled_from((4, 8)))
    e = Extent(
        batch=integer(1, 20), groups=integer(1, 4), inner=integer(1, 300),
        channels=integer(1, 300), kernel=kernel, stride=stride, dilation=(1, 1, 1),
        before=before, source=source, out=out, size=size, lanes=core.vector_bytes() // size,
    )  # fmt: skip
    budget = integer(0, 2**21)
    unit, cycles, taken = turned.choose([e], budget)
    assert cycles > 0
    if cycles < inf:
        blocks = (1, unit.lines, unit.items, e.inner, unit.blocks, False, False)
        assert _scratch_bytes(e, e.lanes, blocks, turned=True) <= taken <= budget


def _scratch_bytes(e, rows, blocks, **options):
    geometry = core.Geometry(e.source, e.kernel, e.stride, e.before, e.dilation, e.out)
    zeros, ones = (0, 0, 0), (1, 1, 1)
    convolution = core.Convolution(
        (e.batch, e.groups * e.inner, *e.source),
        (e.groups * e.channels, e.inner, *e.kernel),
        (e.batch, e.groups * e.channels, *e.out),
        [(geometry, zeros, ones, zeros, ones, *blocks)],
        dtype={4: "float32", 8: "float64"}[e.size],
        groups=e.groups,
        transposed=False,
        tile_rows=rows,
        **options,
    )
    return convolution.scratch_bytes
