"""Pointwise convolutions in the core, at every level: what they compute, read and refuse."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import fastconv  # noqa: E402
from fastconv.cpu.pointwise.blocking import Shape, choose  # noqa: E402

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
every_dtype = pytest.mark.parametrize("dtype", list(TOLERANCE))


@dataclass(frozen=True)
class Case:
    """A pointwise convolution of one to three axes, and how it is cut up."""

    dtype: str = "float32"
    n: int = 3
    groups: int = 1
    inner: int = 6
    channels: int = 11
    space: tuple[int, ...] = (7, 7)
    transposed: bool = False
    tile: int = 1
    images: int = 3
    panels: int = 1
    blocks: int = 4
    depth: int = 6
    activation: int = 0

    def shapes(self):
        outputs = self.groups * (self.inner if self.transposed else self.channels)
        return (
            (self.n, self.groups * self.inner, *self.space),
            (outputs, self.channels if self.transposed else self.inner, *(1 for _ in self.space)),
            (self.n, self.groups * self.channels, *self.space),
        )

    def product(self, **change):
        x, weight, y = self.shapes()
        return core.Pointwise(
            change.get("x", x),
            change.get("weight", weight),
            change.get("y", y),
            (self.images, self.panels, self.blocks, self.depth),
            dtype=self.dtype,
            groups=self.groups,
            transposed=self.transposed,
            tile_rows=self.tile,
            activation=self.activation,
        )

    def arrays(self, seed=0):
        rng = np.random.default_rng(seed)
        shapes = self.shapes()
        x, weight = (rng.standard_normal(shape).astype(self.dtype) for shape in shapes[:2])
        return x, weight, rng.standard_normal(shapes[2][1]).astype(self.dtype)

    def exact(self, x, weight, bias):
        parts = x.astype("f8").reshape(self.n, self.groups, self.inner, -1)
        taps = weight.astype("f8").reshape(self.groups, -1, weight.shape[1])
        if self.transposed:
            taps = taps.swapaxes(1, 2)
        y = np.einsum("goc,ngcp->ngop", taps, parts).reshape(self.shapes()[2])
        y += bias.reshape(-1, *(1 for _ in self.space))
        return np.maximum(y, 0) if self.activation == 1 else np.tanh(y) if self.activation else y


def _workspace(product, threads, packed=True):
    size = product.packed_bytes * packed + threads * product.scratch_bytes
    # NaN everywhere: what a kernel reads without having written it shows in the result.
    return np.full(size + 64, 255, np.uint8)


def _run(case, threads=1, seed=0):
    x, weight, bias = case.arrays(seed)
    y = np.full(case.shapes()[2], np.nan, case.dtype)
    product = case.product()
    product.run(x, weight, y, bias, _workspace(product, threads), threads)
    return y


def _check(case, threads=2, seed=0):
    x, weight, bias = case.arrays(seed)
    exact = case.exact(x, weight, bias)
    y = _run(case, threads, seed)
    scale = np.abs(exact).max() + case.inner
    assert np.abs(y - exact).max() <= TOLERANCE[case.dtype] * scale
    # Images and channels apart from each other, the weight backwards.
    apart = np.zeros((2 * case.n, 2 * x.shape[1], *case.space), case.dtype)[::-2, ::2]
    apart[...] = x
    target = np.full((case.n, 3 * y.shape[1], *case.space), np.nan, case.dtype)
    back = np.ascontiguousarray(weight[::-1, ::-1])[::-1, ::-1]
    product = case.product()
    product.run(apart, back, target[:, 1::3], bias, _workspace(product, 1), 1)
    np.testing.assert_array_equal(target[:, 1::3], y)
    assert np.isnan(target[:, ::3]).all()
    assert np.isnan(target[:, 2::3]).all()


@every_dtype
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"images": 1},
        {"images": 2, "blocks": 1},
        {"panels": 2},
        {"images": 2, "panels": 16, "depth": 4},
        {"depth": 1},
        {"depth": 4, "blocks": 11},
        {"space": (1,)},
        {"space": (1, 1, 1), "n": 1, "images": 1},
        {"space": (3, 4, 5)},
        {"space": (16, 16), "tile": 1},
        {"groups": 3, "channels": 2},
        {"inner": 1, "depth": 1},
        {"inner": 70, "depth": 70, "channels": 40},
        {"activation": 1},
        {"activation": 5},
    ],
)
def test_it_is_exact_however_it_is_cut(level, dtype, transposed, change):
    _check(replace(Case(dtype, transposed=transposed), **change))


@every_dtype
@pytest.mark.parametrize("tile", range(1, 9))
def test_tiles_of_every_height_and_width(level, dtype, tile):
    if core.tile_vectors(tile) == 0:
        with pytest.raises(ValueError, match="tile_rows: there is no tile"):
            Case(dtype, tile=tile).product()
        return
    lanes = core.vector_bytes() // np.dtype(dtype).itemsize
    for vectors in range(1, 2 * core.tile_vectors(tile) + 2):
        for missing in (0, 1):
            case = Case(
                dtype, n=1, images=1, channels=2 * tile + 1, space=(vectors * lanes - missing,),
                tile=tile, blocks=2, transposed=bool(missing),
            )  # fmt: skip
            _check(case, seed=vectors)


@every_dtype
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_products(dtype, data):
    integer = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    tile = data.draw(st.sampled_from([r for r in range(1, 9) if core.tile_vectors(r)]))
    n, inner, channels = integer(1, 4), integer(1, 20), integer(1, 30)
    axes = integer(1, 3)
    case = Case(
        dtype, n, integer(1, 2), inner, channels,
        tuple(integer(1, (150, 15, 6)[axes - 1]) for _ in range(axes)), data.draw(st.booleans()),
        tile, integer(1, n), integer(1, 4), integer(1, -(-channels // tile)), integer(1, inner),
    )  # fmt: skip
    _check(case, threads=integer(1, 3), seed=integer(0, 2**32 - 1))


@every_dtype
def test_how_it_is_cut_and_by_how_many_changes_no_bit(level, dtype):
    case = Case(dtype, n=4, inner=40, channels=50, space=(30, 30), images=4, depth=40)
    results = [
        _run(replace(case, **change), threads)
        for change in (
            {},
            {"images": 1},
            {"depth": 7, "blocks": 3, "panels": 3},
            {"tile": 2, "blocks": 25},
        )
        for threads in (1, 2, 3)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@every_dtype
def test_a_packed_weight_serves_in_the_weight_s_place(level, dtype):
    case = Case(dtype, groups=2)
    x, weight, bias = case.arrays()
    product = case.product()
    packed = np.full(product.packed_bytes, 255, np.uint8)
    product.pack(weight, packed, 2)
    packed.setflags(write=False)
    y = np.empty(case.shapes()[2], dtype)
    product.run(x, packed, y, bias, _workspace(product, 1, False), 1, True)
    np.testing.assert_array_equal(y, _run(case))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x", lambda a: a[:, :, 1:], "x: expected shape"),
        ("x", lambda a: a.astype("int16"), "x: expected items of"),
        ("x", lambda a: a[..., None], "x: expected shape|x: expected 4 axes"),
        ("x", lambda a: a.swapaxes(2, 3), "x: expected positions side by side"),
        ("weight", lambda a: a[:, :2], "weight: expected shape"),
        ("y", lambda a: a[:, 1:], "y: expected shape"),
        ("y", lambda a: a[..., ::-1], "y: expected positions side by side"),
        ("bias", lambda a: a[:-1], "bias: expected 11 items"),
        ("bias", lambda a: a.astype("int8"), "bias: expected 11 items"),
        ("workspace", lambda a: a[:-128], "workspace: .* bytes are too few for 2 threads"),
        ("threads", lambda _: 0, "threads: expected an integer from 1"),
        ("packed", lambda _: True, "weight: .* bytes are too few, packed"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name, change, message):
    case = Case()
    x, weight, bias = case.arrays()
    product = case.product()
    if name == "packed":
        weight = weight.reshape(-1)[:4].copy()
    arguments = {
        "x": x, "weight": weight, "y": np.full(case.shapes()[2], np.nan, "float32"),
        "bias": bias, "workspace": _workspace(product, 2), "threads": 2, "packed": False,
    }  # fmt: skip
    y = arguments["y"]
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        product.run(**arguments)
    assert np.isnan(y).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": (3, 5, 7, 7)}, "shapes do not agree"),
        ({"y": (2, 11, 7, 7)}, "shapes do not agree"),
        ({"y": (3, 11, 7, 6)}, "not pointwise"),
        ({"weight": (11, 6, 1, 2)}, "not pointwise"),
        ({"x": (3, 6, 0, 7), "y": (3, 11, 0, 7)}, "no items"),
    ],
)
def test_shapes_that_are_none_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Case().product(**change)


@pytest.mark.parametrize("change", [{"images": 4}, {"depth": 7}, {"panels": 17}, {"blocks": 2**61}])
def test_pieces_that_are_none_are_refused(change):
    with pytest.raises(ValueError, match=r"images|panels|depth|sizes do not fit"):
        replace(Case(), **change).product()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"padding": 1}, "no padding"),
        ({"stride": 2}, "stride 1"),
        ({"layout": "NHWC"}, "side by side"),
    ],
)
def test_it_declines_what_is_no_plain_product(options, reason):
    x, weight = np.ones((2, 6, 6, 6), "float32"), np.ones((3, 6, 1, 1), "float32")
    with pytest.raises(fastconv.UnsupportedError, match=reason):
        fastconv.conv2d(x, weight, algorithm="pointwise", **options)


def test_outputs_beyond_what_an_input_reaches_are_for_others():
    x, weight = np.ones((1, 2, 4), "float32"), np.ones((2, 3, 1), "float32")
    options = {"output_padding": 1, "dilation": 2}
    y = fastconv.conv_transpose1d(x, weight, **options)
    assert y[0, 0].tolist() == [2, 2, 2, 2, 0]
    with pytest.raises(fastconv.UnsupportedError, match="no padding"):
        fastconv.conv_transpose1d(x, weight, algorithm="pointwise", **options)


@every_dtype
@pytest.mark.parametrize("limit", [None, 40_000, 20_000])
def test_the_two_directions_agree_with_another_algorithm(dtype, limit):
    rng = np.random.default_rng(3)
    x, weight = (rng.standard_normal(s).astype(dtype) for s in ((3, 40, 9, 9), (24, 40, 1, 1)))
    options = {"algorithm": "pointwise", "workspace_limit": limit}
    y = fastconv.conv2d(x, weight, activation="relu", **options)
    np.testing.assert_array_equal(
        y, fastconv.conv2d(x, weight, activation="relu", algorithm="implicit_gemm")
    )
    np.testing.assert_array_equal(
        fastconv.conv2d_input_grad(x.shape, weight, y, **options),
        fastconv.conv2d_input_grad(x.shape, weight, y, algorithm="implicit_gemm"),
    )


def test_images_are_joined_where_vectors_would_be_left_empty():
    narrow = Shape(8, 49, 1, 512, 2048, 4, 16)
    assert choose(narrow)[0].images == 8
    assert choose(replace(narrow, positions=48 * 64))[0].images == 1
    assert choose(replace(narrow, batch=1))[0].blocks < 2048 // 8
