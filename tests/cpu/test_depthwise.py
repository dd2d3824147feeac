"""Depthwise convolution and its gradients in the core, at every level, and what is declined."""

from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")
bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastconv.backend import Policy  # noqa: E402
from fastconv.cpu.depthwise import Depthwise  # noqa: E402
from fastconv.cpu.epilogue import CODES, LEAKY_SLOPE  # noqa: E402
from fastconv.dispatch.request import contiguous  # noqa: E402
from fastconv.problem import ConvProblem, Operand  # noqa: E402

OPERATIONS = ("conv_forward", "conv_input_grad", "conv_weight_grad")
SIZES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}
UNITS = {"float32": 0.0, "float64": 0.0, "float16": 2.0**-11, "bfloat16": 2.0**-8}
ACTIVATIONS = (
    (None, lambda v: v),
    ("relu", lambda v: np.maximum(v, 0)),
    ("relu6", lambda v: np.clip(v, 0, 6)),
    ("leaky_relu", lambda v: np.where(v > 0, v, LEAKY_SLOPE * v)),
    ("silu", lambda v: v / (1 + np.exp(-v))),
)
every_dtype = pytest.mark.parametrize("dtype", list(SIZES))
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


@dataclass(frozen=True)
class Layer:
    """A geometry, with one entry of each tuple for an axis; pads are (before, after)."""

    extents: tuple
    kernel: tuple
    stride: tuple
    pads: tuple
    dilation: tuple
    batch: int = 2
    channels: int = 3
    multiplier: int = 1

    @property
    def out(self):
        axes = zip(self.extents, self.kernel, self.stride, self.pads, self.dilation, strict=True)
        return tuple((n + sum(p) - (k - 1) * d - 1) // s + 1 for n, k, s, p, d in axes)

    @property
    def shapes(self):
        many = self.channels * self.multiplier
        return {
            "x": (self.batch, self.channels, *self.extents),
            "weight": (many, 1, *self.kernel),
            "y": (self.batch, many, *self.out),
        }

    def geometry(self):
        before = tuple(a for a, _ in self.pads)
        return core.Geometry(
            self.extents, self.kernel, self.stride, before, self.dilation, self.out
        )

    def reads(self, tap):
        """Yield pairs of slices: results of an axis, and the inputs that a tap meets there."""
        for axis, k in enumerate(tap):
            shift = k * self.dilation[axis] - self.pads[axis][0]
            stride, extent = self.stride[axis], self.extents[axis]
            places = [o for o in range(self.out[axis]) if 0 <= o * stride + shift < extent]
            if not places:
                yield None
                continue
            first = places[0] * stride + shift
            yield (
                slice(places[0], places[-1] + 1),
                slice(first, first + (len(places) - 1) * stride + 1, stride),
            )


def _sums(dtype):
    """Return the dtype that results are summed in."""
    return "float64" if dtype == "float64" else "float32"


def _expected(layer, operation, arrays):
    """Return the exact result and the sums of magnitudes that errors are measured by."""
    written = {"conv_forward": "y", "conv_input_grad": "x", "conv_weight_grad": "weight"}[operation]
    shapes = layer.shapes
    m = layer.multiplier
    results = []
    for change in (lambda v: v, np.abs):
        wide = {name: change(value.astype("float64")) for name, value in arrays.items()}
        wide[written] = np.zeros(shapes[written])
        for tap in product(*map(range, layer.kernel)):
            pairs = list(layer.reads(tap))
            if None in pairs:
                continue
            at_y = (..., *(pair[0] for pair in pairs))
            at_x = (..., *(pair[1] for pair in pairs))
            at_w = (slice(None), 0, *tap)
            each = wide["weight"][at_w].reshape(-1, *(1,) * len(tap))
            if written == "y":
                wide["y"][at_y] += each * np.repeat(wide["x"][at_x], m, axis=1)
            elif written == "x":
                part = each * wide["y"][at_y]
                part = part.reshape(*part.shape[:1], -1, m, *part.shape[2:])
                wide["x"][at_x] += part.sum(axis=2)
            else:
                part = wide["y"][at_y] * np.repeat(wide["x"][at_x], m, axis=1)
                wide["weight"][at_w] = part.sum(axis=(0, *range(2, part.ndim)))
        results.append(wide[written])
    return written, *results


def _call(layer, operation, arrays, *, threads=2, pixels=False, splits=1, band_bytes=4096, **extra):
    """Run the core with scratch memory full of NaN; `arrays` holds the output too."""
    dtype = arrays["x"].dtype.name
    geometry = layer.geometry()
    table, scratch = core.depthwise_bytes(
        geometry, operation, layer.multiplier, dtype, pixels, band_bytes
    )
    weight = arrays["weight"]
    if operation == "conv_weight_grad":
        weight = np.full(
            (splits, layer.shapes["weight"][0], prod(layer.kernel)), np.nan, _sums(dtype)
        )
    arguments = {
        "geometry": geometry,
        "operation": operation,
        "x": arrays["x"],
        "weight": weight,
        "y": arrays["y"],
        "bias": None,
        "dtype": dtype,
        "pixels": pixels,
        "activation": 0,
        "parameter": 0.0,
        "band_bytes": band_bytes,
        "table": np.full(table, 0xAA, "uint8"),
        "scratch": np.full(scratch * threads, 0xFF, "uint8"),
        "threads": threads,
    }
    arguments.update(extra)
    core.depthwise(**arguments)
    if operation == "conv_weight_grad":
        return weight.sum(axis=0).reshape(layer.shapes["weight"])
    return None


def _values(layer, dtype, seed=0):
    rng = np.random.default_rng(seed)
    dtype = bfloat16 if dtype == "bfloat16" else dtype
    return {name: rng.standard_normal(s).astype(dtype) for name, s in layer.shapes.items()}


def _close(result, exact, magnitude, terms, dtype):
    """Sums are as good as their dtype's; results of fewer bits are rounded once."""
    bound = (terms + 4) * np.finfo(_sums(dtype)).eps * magnitude.max(initial=0)
    rounding = UNITS[result.dtype.name] * (np.abs(exact) + bound)
    assert (np.abs(result.astype("float64") - exact) <= bound + rounding).all()


@st.composite
def layers(draw):
    ndim = draw(st.integers(1, 3))
    axes = [
        (
            draw(st.integers(1, (9, 9, 3)[ndim - 1])),
            draw(st.integers(1, 4)),
            (draw(st.integers(0, 4)), draw(st.integers(0, 4))),
            draw(st.integers(1, 3)),
        )
        for _ in range(ndim)
    ]
    kernel, stride, pads, dilation = zip(*axes, strict=True)
    most = (90, 40, 9)[ndim - 1]
    extents = tuple(
        max(1, (k - 1) * d + 1 - a - b) + draw(st.integers(0, most)) for k, _, (a, b), d in axes
    )
    return Layer(
        extents, kernel, stride, pads, dilation,
        draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 3)),
    )  # fmt: skip


@every_dtype
@every_operation
@settings(max_examples=60, deadline=None)
@given(layers(), st.integers(0, 2**32 - 1))
def test_any_geometry_in_any_layout(level, layouts, dtype, operation, layer, seed):
    rng = np.random.default_rng(seed)
    arrays = _values(layer, dtype, seed)
    written, exact, magnitude = _expected(layer, operation, arrays)
    given_arrays = {name: layouts.strided(rng, value) for name, value in arrays.items()}
    # What was broadcast by the layout is not what `arrays` held.
    written, exact, magnitude = _expected(layer, operation, given_arrays)
    target = layouts.Target(rng, arrays[written].shape, arrays[written].dtype)
    threads, band = int(rng.integers(1, 4)), int(rng.choice([64, 2048, 2**20]))
    if written != "weight":
        given_arrays[written] = target.array
    splits = int(rng.integers(1, layer.batch + 1))
    sums = _call(layer, operation, given_arrays, threads=threads, band_bytes=band, splits=splits)
    result = target.result() if sums is None else sums
    terms = layer.multiplier * prod(layer.kernel)
    terms = prod(layer.shapes["y"]) if written == "weight" else terms
    _close(result, exact, magnitude, terms, dtype)


@every_dtype
@every_operation
@settings(max_examples=30, deadline=None)
@given(layers(), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_channels_side_by_side(level, dtype, operation, layer, channels, seed):
    layer = replace(layer, channels=channels, multiplier=1)
    arrays = _values(layer, dtype, seed)
    written, exact, magnitude = _expected(layer, operation, arrays)
    for name in ("x", "y"):
        last = np.ascontiguousarray(np.moveaxis(arrays[name], 1, -1))
        arrays[name] = np.moveaxis(last, -1, 1)
    sums = _call(layer, operation, arrays, pixels=True)
    terms = prod(layer.shapes["y"]) if written == "weight" else prod(layer.kernel)
    _close(arrays[written] if sums is None else sums, exact, magnitude, terms, dtype)


def _inside_nan(value):
    """Return a copy with contiguous lines, and NaN around each plane."""
    shape = (*value.shape[:2], value.shape[2] + 2, value.shape[3] + 40)
    inside = np.full(shape, np.nan, value.dtype)[..., 1:-1, 20:-20]
    inside[...] = value
    return inside


@every_dtype
@every_operation
@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 24), st.integers(1, 80)),
    st.sampled_from([3, 5]),
    st.sampled_from([1, 2]),
    st.tuples(*[st.integers(0, 6)] * 4),
    st.integers(0, 2**32 - 1),
)
def test_lines_in_place_are_not_left(level, dtype, operation, extents, size, stride, pads, seed):
    extents = tuple(max(n, size) for n in extents)
    layer = Layer(extents, (size, size), (stride, stride), (pads[:2], pads[2:]), (1, 1))
    arrays = {name: _inside_nan(value) for name, value in _values(layer, dtype, seed).items()}
    arrays["weight"] = np.ascontiguousarray(arrays["weight"])
    written, exact, magnitude = _expected(layer, operation, arrays)
    if written != "weight":
        arrays[written][...] = np.nan
    for threads, band in ((1, 2**20), (3, 64)):
        sums = _call(layer, operation, arrays, threads=threads, band_bytes=band)
        terms = prod(layer.shapes["y"]) if written == "weight" else prod(layer.kernel)
        _close(arrays[written] if sums is None else sums, exact, magnitude, terms, dtype)
        if written != "weight":
            assert np.isnan(arrays[written].base).sum() == (
                arrays[written].base.size - arrays[written].size
            )
            arrays[written][...] = np.nan


@every_operation
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_bits_of_wide_lines_depend_neither_on_threads_nor_on_bands(level, operation, size, stride):
    extents = (60, 75) if stride == 2 else (30, 300)
    layer = Layer(extents, (size, size), (stride, stride), ((1, 1), (1, 2)), (1, 1), channels=20)
    results = []
    for threads, band in ((1, 2**20), (2, 2**20), (3, 4096)):
        arrays = _values(layer, "float32")
        if operation == "conv_weight_grad" and band == 4096:
            continue  # lanes are added up band by band
        sums = _call(layer, operation, arrays, threads=threads, band_bytes=band)
        written = "y" if operation == "conv_forward" else "x"
        results.append(arrays[written] if sums is None else sums)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


SQUARE = Layer((20, 35), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))


@every_dtype
@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS[:2])
@pytest.mark.parametrize(("activation", "function"), ACTIVATIONS, ids=lambda v: str(v)[:5])
def test_bias_and_activation(level, dtype, operation, pixels, activation, function):
    for layer in (SQUARE, replace(SQUARE, stride=(2, 2)), replace(SQUARE, extents=(3, 5))):
        arrays = _values(layer, dtype)
        written, exact, magnitude = _expected(layer, operation, arrays)
        bias = np.array([0.5, -1, 2]).astype(arrays["x"].dtype)
        exact = function(exact + bias.astype("float64")[:, None, None])
        if pixels:
            for name in ("x", "y"):
                last = np.ascontiguousarray(np.moveaxis(arrays[name], 1, -1))
                arrays[name] = np.moveaxis(last, -1, 1)
        code = CODES[activation]
        _call(
            layer, operation, arrays, bias=bias, activation=code, parameter=LEAKY_SLOPE,
            pixels=pixels,
        )  # fmt: skip
        _close(arrays[written], exact, 1.1 * magnitude + 2, prod(layer.kernel) + 1, dtype)


@every_operation
@pytest.mark.parametrize("pixels", [False, True])
def test_bits_depend_neither_on_threads_nor_on_bands(level, operation, pixels):
    layer = replace(SQUARE, channels=40)
    results = []
    for threads, band in ((1, 2**20), (2, 2**20), (3, 2**20), (3, 512)):
        arrays = _values(layer, "float32")
        if pixels:
            for name in ("x", "y"):
                last = np.ascontiguousarray(np.moveaxis(arrays[name], 1, -1))
                arrays[name] = np.moveaxis(last, -1, 1)
        if operation == "conv_weight_grad" and band == 512:
            continue  # lanes are added up band by band
        sums = _call(layer, operation, arrays, threads=threads, band_bytes=band, pixels=pixels)
        written = "y" if operation == "conv_forward" else "x"
        results.append(arrays[written] if sums is None else sums)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@every_dtype
@every_operation
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1)])
def test_infinity_reaches_nothing_that_it_does_not_meet(level, dtype, operation, stride):
    # What lies between lines, or beyond the last vector, is computed in vain.
    for extents, square in product(((9, 21), (3, 4), (12, 70), (41, 90)), (False, True)):
        layer = Layer(extents, (3, 2), stride, ((1, 0), (0, 0)), (1, 2), multiplier=2)
        if square:
            layer = Layer(extents, (3, 3), stride, ((1, 0), (1, 0)), (1, 1))
        arrays = _values(layer, dtype)
        source = "y" if operation == "conv_input_grad" else "x"
        arrays[source][0, 1, 0, -1] = np.inf
        arrays[source][1, 0, -1, 0] = -np.inf
        with np.errstate(invalid="ignore"):
            written, exact, _ = _expected(layer, operation, arrays)
            sums = _call(layer, operation, arrays)
        result = arrays[written] if sums is None else sums
        np.testing.assert_array_equal(np.isfinite(result), np.isfinite(exact))
        assert np.isfinite(exact).any()


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("dtype", [d for d in SIZES if SIZES[d] == 2])
def test_every_number_of_16_bits_passes_and_sums_are_rounded_to_even(level, dtype, pixels):
    numbers = np.arange(2**16, dtype="u2").view(bfloat16 if dtype == "bfloat16" else dtype)
    rng = np.random.default_rng(0)
    for kernel, weight in (((3, 3), np.eye(9)[4]), ((1, 1), [1]), ((1, 2), [1, 1])):
        x = numbers.reshape(1, 64, 32, 32)
        if kernel[1] > 1:  # what isn't finite would reach its neighbours
            with np.errstate(invalid="ignore"):
                finite = np.isfinite(numbers.astype("f4"))
            x = rng.permutation(numbers[finite])[:63488]
            x = x.reshape(1, 62, 32, 32)
        before = kernel[0] // 2
        layer = Layer(
            (32, 32), kernel, (1, 1), ((before, before),) * 2, (1, 1), 1, channels=x.shape[1]
        )
        arrays = {"x": x, "y": np.zeros(layer.shapes["y"], x.dtype)}
        arrays["weight"] = np.broadcast_to(
            np.array(weight).astype(x.dtype).reshape(1, 1, *kernel), layer.shapes["weight"]
        )
        if pixels:
            for name in ("x", "y"):
                last = np.ascontiguousarray(np.moveaxis(arrays[name], 1, -1))
                arrays[name] = np.moveaxis(last, -1, 1)
        _call(layer, "conv_forward", arrays, pixels=pixels)
        with np.errstate(all="ignore"):
            wide = x.astype("f4")
            exact = wide if kernel != (1, 2) else wide[..., :-1] + wide[..., 1:]
            exact = exact.astype(x.dtype).astype("f4")
            result = arrays["y"].astype("f4")
        np.testing.assert_array_equal(result, exact)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x", lambda a: a[:, :, 1:], "x: expected shape"),
        ("x", lambda a: a[1:], "x: expected shape|y: expected shape"),
        ("x", lambda a: a[:, 1:], "y: 3 channels are no multiple of x's 2"),
        ("x", lambda a: a.astype("float64"), "x: expected items of 4 bytes"),
        ("y", lambda a: a[..., 1:], "y: expected shape"),
        ("weight", lambda a: a[1:], "weight: expected shape"),
        ("weight", lambda a: a[..., 1:], "weight: expected shape"),
        ("bias", lambda _: np.zeros(4, "f4"), "bias: expected 3 contiguous items"),
        ("table", lambda a: a[:-1], "table: .* bytes are too few"),
        ("scratch", lambda a: a[:-1], "scratch: .* bytes are too few for 2 threads"),
        ("threads", lambda _: 3, "scratch: .* bytes are too few for 3 threads"),
        ("threads", lambda _: 0, "threads: expected an integer from 1"),
        ("pixels", lambda _: True, "pixels: expected channels that lie side by side"),
        ("activation", lambda _: 8, "activation: expected 0 to 7"),
        ("operation", lambda _: "conv", "operation: expected one of conv_forward"),
        ("dtype", lambda _: "int32", "dtype: expected one of float32, float64"),
        ("band_bytes", lambda _: 0, "band_bytes: expected an integer from 1"),
    ],
)
def test_what_does_not_fit_is_refused(name, change, message):
    arrays = _values(SQUARE, "float32")
    arrays["y"][...] = np.nan
    table, scratch = core.depthwise_bytes(
        SQUARE.geometry(), "conv_forward", 1, "float32", False, 4096
    )
    arguments = {
        "x": arrays["x"],
        "y": arrays["y"],
        "weight": arrays["weight"],
        "table": np.zeros(table, "uint8"),
        "scratch": np.zeros(2 * scratch, "uint8"),
        "bias": None,
        "threads": 2,
        "pixels": False,
        "activation": 0,
        "operation": "conv_forward",
        "dtype": "float32",
        "band_bytes": 4096,
    }
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        core.depthwise(geometry=SQUARE.geometry(), parameter=0.0, **arguments)
    assert np.isnan(arrays["y"]).all()


def test_strides_beyond_the_phases_are_refused():
    layer = replace(SQUARE, stride=(1, 5))
    with pytest.raises(ValueError, match="geometry: expected strides up to 4"):
        core.depthwise_bytes(layer.geometry(), "conv_input_grad", 1, "float32", False, 4096)


def _problem(layer, operation, dtype="float32", **changes):
    operands = {
        name: Operand(shape, contiguous(shape, SIZES.get(dtype, 2)), dtype)
        for name, shape in layer.shapes.items()
    }
    fields = {
        "function": "conv2d",
        "operation": operation,
        "device": "cpu",
        **operands,
        "stride": layer.stride,
        "padding": layer.pads,
        "dilation": layer.dilation,
        "groups": layer.channels,
    }
    return ConvProblem(**fields | changes)


@every_operation
def test_memory_is_held_to_and_threads_are_given_up_for_it(operation):
    problem = _problem(replace(SQUARE, channels=40), operation)
    free = Depthwise().decide(problem, Policy(threads=8))
    assert free.can
    assert free.threads == 8
    tight = Depthwise().decide(
        problem, Policy(threads=8, workspace_limit=free.workspace_bytes // 2)
    )
    assert tight.can
    assert 1 <= tight.threads < 8
    assert tight.workspace_bytes <= free.workspace_bytes // 2
    none = Depthwise().decide(problem, Policy(workspace_limit=64))
    assert not none.can
    assert none.over_limit


@every_operation
def test_a_larger_layer_is_predicted_to_take_longer(operation):
    def seconds(layer, threads=1):
        return Depthwise().decide(_problem(layer, operation), Policy(threads=threads)).seconds

    assert seconds(replace(SQUARE, channels=6)) == pytest.approx(2 * seconds(SQUARE))
    assert seconds(replace(SQUARE, kernel=(5, 5), pads=((2, 2),) * 2)) > seconds(SQUARE)
    assert seconds(SQUARE, 2) == pytest.approx(seconds(SQUARE) / 2)


def test_other_problems_are_declined_with_a_reason():
    def reason(problem, **policy):
        decision = Depthwise().decide(problem, Policy(**policy))
        assert not decision.can
        return decision.reason

    grouped = Operand((3, 3, 3, 3), contiguous((3, 3, 3, 3), 4), "float32")
    whole = _problem(SQUARE, "conv_forward", weight=grouped, groups=1)
    assert "3 input channels, not one" in reason(whole)
    assert "complex64" in reason(_problem(SQUARE, "conv_forward", "complex64"))
    assert "precision=" in reason(_problem(SQUARE, "conv_forward"), precision="int8")
    assert "empty" in reason(_problem(replace(SQUARE, batch=0), "conv_forward"))
    wide = replace(SQUARE, stride=(1, 5))
    assert "exceed 4" in reason(_problem(wide, "conv_input_grad"))
    assert Depthwise().decide(_problem(wide, "conv_forward"), Policy()).can
