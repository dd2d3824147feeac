"""The weight gradient in the core, in every form, at every level, against a float64 oracle."""

from math import ceil, prod

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import fastconv  # noqa: E402
from fastconv.cpu.weight_grad.form import Extents, Form  # noqa: E402
from fastconv.cpu.weight_grad.pieces import (  # noqa: E402
    Pieces,
    blocks,
    choose_pieces,
    scratch_bytes,
)
from fastconv.dispatch.call import PLANS  # noqa: E402
from fastconv.dispatch.request import contiguous  # noqa: E402
from fastconv.precision import classical_error_bound  # noqa: E402
from fastconv.problem import ConvProblem, Operand  # noqa: E402

SIZES = {"float32": 4, "float64": 8}
every_dtype = pytest.mark.parametrize("dtype", list(SIZES))


def _exact(x, y, kernel, stride, before, dilation, groups):
    """Return the gradient in float64, and the same of absolute values."""
    n, k, *out = y.shape
    c = x.shape[1] // groups
    result = np.zeros((2, k, c, *kernel))
    reach = [
        (b, max(0, (o - 1) * s + (e - 1) * d + 1 - b - size))
        for b, o, s, e, d, size in zip(
            before, out, stride, kernel, dilation, x.shape[2:], strict=True
        )
    ]
    padded = np.pad(x.astype("float64"), ((0, 0), (0, 0), *reach))
    grouped = y.astype("float64").reshape(n, groups, k // groups, -1)
    for tap in np.ndindex(*kernel):
        places = tuple(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, dilation, out, stride, strict=True)
        )
        seen = padded[(slice(None), slice(None), *places)].reshape(n, groups, c, -1)
        for i, operation in enumerate((lambda a: a, np.abs)):
            sums = np.einsum("ngkp,ngcp->gkc", operation(grouped), operation(seen))
            result[(i, slice(None), slice(None), *tap)] = sums.reshape(k, c)
    return result


@st.composite
def gradients(draw):
    ndim = draw(st.integers(1, 3))
    sizes = [
        (
            draw(st.integers(1, 40 if ndim == 1 else 9)),
            draw(st.integers(1, 4)),
            draw(st.integers(1, 3)),
            draw(st.integers(1, 3)),
            draw(st.integers(0, 3)),
        )
        for _ in range(ndim)
    ]
    out, kernel, stride, dilation, before = zip(*sizes, strict=True)
    groups = draw(st.sampled_from([1, 1, 2, 5]))
    across = draw(st.booleans())
    channels, inner = draw(st.integers(1, 40 if groups < 3 else 6)), draw(st.integers(1, 9))
    images = draw(st.integers(1, 5))
    box = tuple(draw(st.integers(1, o)) for o in out)
    some = draw(st.integers(1, images))
    boxes = ceil(images / some) * prod(ceil(o / b) for o, b in zip(out, box, strict=True))
    pieces = Pieces(
        channels if across else draw(st.integers(1, channels)),
        1 if across else draw(st.integers(1, inner)),
        some,
        (1,) * (3 - ndim) + box,
        draw(st.integers(1, min(boxes, 4))),
        across,
    )
    after = draw(st.integers(0, 2))
    extents = tuple(
        max(1, (o - 1) * s + (k - 1) * d + 1 - b - after)
        for o, k, s, d, b in zip(out, kernel, stride, dilation, before, strict=True)
    )
    ways = (kernel, stride, before, dilation)
    return extents, ways, out, groups, channels, inner, images, pieces


def _run(case, dtype, threads, rng, lay_out, target):
    """Return the core's result, and the exact one with its absolute values."""
    extents, (kernel, stride, before, dilation), out, groups, channels, inner, images, pieces = case
    x = lay_out(rng.standard_normal((images, groups * inner, *extents)).astype(dtype))
    y = lay_out(rng.standard_normal((images, groups * channels, *out)).astype(dtype))
    geometry = core.Geometry(extents, kernel, stride, before, dilation, out)
    sizes = (images, groups * inner, groups * channels)
    once, each = core.weight_grad_bytes(geometry, sizes, dtype, groups, pieces)
    # All bits set: not a number, and no index of anything.
    scratch = np.full(once + each * threads, 0xFF, np.uint8)
    core.conv_weight_grad(geometry, x, y, target, dtype, groups, pieces, scratch, threads)
    return _exact(x, y, kernel, stride, before, dilation, groups)


@every_dtype
@settings(max_examples=150)
@given(gradients(), st.integers(0, 2**32 - 1))
def test_any_pieces_of_any_layout_give_the_gradient(level, dtype, layouts, case, seed):
    rng = np.random.default_rng(seed)
    _, (kernel, *_), out, groups, channels, inner, images, _ = case
    target = layouts.Target(rng, (groups * channels, inner, *kernel), dtype, np.nan)
    exact, size = _run(
        case, dtype, int(rng.integers(1, 4)), rng, lambda a: layouts.strided(rng, a), target.array
    )
    bound = classical_error_bound(images * prod(out), dtype, dtype)
    assert (np.abs(target.result() - exact) <= bound * size + 1e-300).all()


@every_dtype
@settings(max_examples=60)
@given(gradients(), st.integers(0, 2**32 - 1), st.booleans())
def test_contiguous_arrays_of_either_layout(level, dtype, case, seed, channels_last):
    def lay_out(values):
        if not channels_last:
            return values
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 1, -1)), -1, 1)

    _, (kernel, *_), out, groups, channels, inner, images, _ = case
    target = np.full((groups * channels, inner, *kernel), np.nan, dtype)
    rng = np.random.default_rng(seed)
    exact, size = _run(case, dtype, 2, rng, lay_out, target)
    bound = classical_error_bound(images * prod(out), dtype, dtype)
    assert (np.abs(target - exact) <= bound * size + 1e-300).all()


def _case(pieces, groups=1, channels=20, inner=5):
    return (9, 12), ((3, 3), (1, 1), (1, 1), (1, 1)), (9, 12), groups, channels, inner, 3, pieces


@every_dtype
@pytest.mark.parametrize("across", [False, True])
def test_threads_change_no_bit(level, dtype, across):
    pieces = Pieces(20, 1, 1, (1, 4, 12), 3, across)
    results = []
    for threads in (1, 2, 3):
        target = np.empty((60, 5, 3, 3), dtype)
        _run(_case(pieces, 3), dtype, threads, np.random.default_rng(0), np.asarray, target)
        results.append(target)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@every_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_reaches_what_it_is_part_of_and_nothing_else(level, dtype, value):
    def spoil(values):
        if values.shape[1] == 5:
            values[1, 2, 4, 4] = value
        return values

    target = np.empty((20, 5, 3, 3), dtype)
    with np.errstate(invalid="ignore"):
        _run(
            _case(Pieces(20, 5, 1, (1, 4, 12), 1, False)),
            dtype,
            1,
            np.random.default_rng(0),
            spoil,
            target,
        )
    assert not np.isfinite(target[:, 2]).any()
    assert np.isfinite(np.delete(target, 2, 1)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 21}, "channels: range"),
        ({"inner": 6}, "inner: range"),
        ({"images": 4}, "images: range"),
        ({"images": 0}, "images: expected an integer from 1"),
        ({"box": (1, 10, 12)}, "box: range"),
        ({"box": (1, 0, 12)}, "box: expected an integer from 1"),
        ({"splits": 10}, "splits: range"),
        ({"across_groups": True}, "across groups, expected all and 1"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(change, message):
    pieces = Pieces(20, 5, 1, (1, 4, 12), 1, False)._replace(**change)
    target = np.full((20, 5, 3, 3), np.nan, "float32")
    with pytest.raises(ValueError, match=message):
        _run(_case(pieces), "float32", 1, np.random.default_rng(0), np.asarray, target)
    assert np.isnan(target).all()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x", lambda a: a[1:], "x: expected shape"),
        ("x", lambda a: a[:, :, 1:], "x: expected shape"),
        ("x", lambda a: a.astype("float64"), "x: expected items of"),
        ("y", lambda a: a[..., 1:], "y: expected shape"),
        ("weight", lambda a: a[1:], "weight: expected shape"),
        ("weight", lambda a: a[..., 1:], "weight: expected shape"),
        ("groups", lambda _: 2, "groups: 2 divides not both"),
        ("scratch", lambda a: a[:-1], "scratch: .* bytes are too few for 2 threads"),
        ("threads", lambda _: 3, "scratch: .* bytes are too few for 3 threads"),
    ],
)
def test_buffers_that_do_not_fit_are_refused(name, change, message):
    geometry = core.Geometry((9, 12), (3, 3), (1, 1), (1, 1), (1, 1), (9, 12))
    pieces = Pieces(20, 5, 1, (1, 4, 12), 1, False)
    once, each = core.weight_grad_bytes(geometry, (3, 5, 20), "float32", 1, pieces)
    arguments = {
        "geometry": geometry,
        "x": np.zeros((3, 5, 9, 12), "float32"),
        "y": np.zeros((3, 20, 9, 12), "float32"),
        "weight": np.full((20, 5, 3, 3), np.nan, "float32"),
        "dtype": "float32",
        "groups": 1,
        "pieces": pieces,
        "scratch": np.zeros(once + 2 * each, np.uint8),
        "threads": 2,
    }
    core.conv_weight_grad(**arguments)
    arguments["weight"].fill(np.nan)
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match=message):
        core.conv_weight_grad(**arguments)
    assert np.isnan(arguments["weight"]).all()


def _problem(images, channels, inner, extents, kernel, groups=1, padding=0, stride=1):
    spatial = tuple(
        (n + 2 * padding - k) // stride + 1 for n, k in zip(extents, kernel, strict=True)
    )
    shapes = {
        "x": (images, inner * groups, *extents),
        "weight": (channels * groups, inner, *kernel),
        "y": (images, channels * groups, *spatial),
    }
    return ConvProblem(
        function="conv",
        operation="conv_weight_grad",
        device="cpu",
        **{name: Operand(s, contiguous(s, 4), "float32") for name, s in shapes.items()},
        stride=(stride,) * len(extents),
        padding=((padding, padding),) * len(extents),
        dilation=(1,) * len(extents),
        groups=groups,
    )


PROBLEMS = [
    _problem(8, 64, 64, (56, 56), (3, 3), padding=1),
    _problem(8, 2048, 512, (7, 7), (1, 1)),
    _problem(1, 128, 128, (28, 28), (3, 3), padding=1),
    _problem(4, 4, 4, (56, 56), (3, 3), groups=32, padding=1),
    _problem(1, 8, 8, (40000,), (9,)),
    _problem(1, 32, 32, (16, 20, 24), (3, 3, 3), padding=1),
    _problem(3, 1, 1, (1, 1), (1, 1)),
]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("limit", [2**30, 2**21, 2**17, 2**14])
def test_pieces_fit_the_limit(level, problem, limit):
    extents = Extents.of(problem, limit)
    pieces = choose_pieces(problem, extents, limit)
    if pieces is None:
        assert limit < 2**17
        return
    assert sum(scratch_bytes(problem, extents, pieces)) <= limit
    assert pieces.splits <= extents.boxes(pieces.images, pieces.box)


@pytest.mark.parametrize("problem", PROBLEMS[:6])
def test_there_is_work_for_two_threads(level, problem):
    extents = Extents.of(problem, 2**30)
    pieces = choose_pieces(problem, extents, 2**30)
    assert blocks(extents, pieces, "float32") * pieces.splits >= 4


@pytest.mark.parametrize(
    ("problem", "form"),
    [
        (_problem(8, 256, 64, (9, 9), (1, 1)), Form.SWAPPED),
        (_problem(8, 64, 256, (9, 9), (1, 1)), Form.OUTPUTS),
        (_problem(8, 256, 64, (9, 9), (1, 1), padding=1), Form.OUTPUTS),
        (_problem(8, 64, 64, (9, 9), (3, 3)), Form.OUTPUTS),
        (_problem(8, 1, 1, (9, 9), (3, 3), groups=64), Form.ACROSS_GROUPS),
        (_problem(8, 64, 64, (9, 9), (3, 3), groups=2), Form.OUTPUTS),
    ],
)
def test_the_form_follows_the_shape(problem, form):
    assert Extents.of(problem, 2**30).form is form


@pytest.mark.parametrize("limit", [2**30, 60_000])
@pytest.mark.parametrize(("channels", "inner"), [(70, 9), (9, 70)])
def test_pointwise_kernels_with_strides(level, channels, inner, limit):
    PLANS.clear()  # a plan's sizes are its level's
    problem = _problem(2, channels, inner, (12, 13), (1, 1), stride=2)
    extents = Extents.of(problem, limit)
    assert extents.sampled == (2 * 4 * 2 * inner * 42 <= limit)
    rng = np.random.default_rng(0)
    x, y = (
        rng.standard_normal(operand.shape).astype("float32") for operand in (problem.x, problem.y)
    )
    weight = fastconv.conv2d_weight_grad(
        x, problem.weight.shape, y, stride=2, workspace_limit=limit, algorithm="implicit_gemm"
    )
    exact, size = _exact(x, y, (1, 1), (2, 2), (0, 0), (1, 1), 1)
    assert (np.abs(weight - exact) <= classical_error_bound(84, "float32", "float32") * size).all()
