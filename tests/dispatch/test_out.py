"""out=: exact shape and dtype, any strides; overlap is handled or refused."""

from __future__ import annotations

import numpy as np
import pytest

import fastconv


@pytest.fixture
def expected(arguments):
    return fastconv.conv2d(*arguments, padding=1)


def test_it_is_filled_and_returned(arguments, expected):
    out = np.full(expected.shape, np.nan)
    assert fastconv.conv2d(*arguments, padding=1, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    "view",
    [
        lambda n, c, h, w: np.full((n, h, w, c), np.nan).transpose(0, 3, 1, 2),
        lambda n, c, h, w: np.full((n, c, h, 2 * w), np.nan)[..., ::2],
        lambda n, c, h, w: np.full((w, h, c, n), np.nan).T,
        lambda n, c, h, w: np.full((n, c, h, w), np.nan)[..., ::-1, ::-1],
        lambda n, c, h, w: (
            np.full(8 * n * c * h * w + 1, 255, np.uint8)[1:].view(np.float64).reshape(n, c, h, w)
        ),
    ],
    ids=["channels-last", "sliced", "fortran", "reversed", "unaligned"],
)
def test_any_strides_will_do(arguments, expected, view):
    out = view(*expected.shape)
    around = out.base
    assert fastconv.conv2d(*arguments, padding=1, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
    assert out.base is around


def test_what_lies_between_is_left_alone(arguments, expected):
    n, c, h, w = expected.shape
    whole = np.full((n, c, h, 2 * w), 5.0)
    fastconv.conv2d(*arguments, padding=1, out=whole[..., ::2])
    assert (whole[..., 1::2] == 5).all()


def overlapping(shape, shift):
    """Return x of a shape and an out of it, `shift` elements further in the same memory."""
    memory = np.random.default_rng(3).standard_normal(int(np.prod(shape)) + abs(shift))
    size = int(np.prod(shape))
    start = max(-shift, 0)
    return (
        memory[start : start + size].reshape(shape),
        memory[start + shift : start + shift + size].reshape(shape),
    )


@pytest.mark.parametrize("shift", [0, 1, -1, 7, -50])
@pytest.mark.parametrize("kernel", [1, 3])
def test_overlap_with_an_input_gives_the_same_result(shift, kernel):
    w = np.random.default_rng(4).standard_normal((4, 4, kernel, kernel))
    x, out = overlapping((2, 4, 6, 5), shift)
    right = fastconv.conv2d(x.copy(), w, padding=kernel // 2)
    assert fastconv.conv2d(x, w, padding=kernel // 2, out=out) is out
    np.testing.assert_array_equal(out, right)


def test_overlap_with_weight_and_bias():
    rng = np.random.default_rng(5)
    memory = rng.standard_normal(200)
    x = rng.standard_normal((1, 2, 3, 3))
    w, bias = memory[:16].reshape(4, 2, 1, 2), memory[10:14]
    out = memory[5 : 5 + 24].reshape(1, 4, 3, 2)
    right = fastconv.conv2d(x, w.copy(), bias.copy())
    fastconv.conv2d(x, w, bias, out=out)
    np.testing.assert_array_equal(out, right)


def test_an_input_in_the_other_order_may_be_overwritten():
    w = np.random.default_rng(6).standard_normal((3, 3, 3, 3))
    square = np.random.default_rng(7).standard_normal((1, 3, 6, 6))
    right = fastconv.conv2d(square.copy(), w, padding=1)
    out = square.swapaxes(2, 3)
    fastconv.conv2d(square, w, padding=1, out=out)
    np.testing.assert_array_equal(out, right)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda y: np.empty((*y.shape[:3], y.shape[3] + 1)), ValueError, "got shape .*expected"),
        (lambda y: np.empty(y.shape[1:]), ValueError, "got shape"),
        (lambda y: np.empty(y.shape, np.float32), TypeError, "float32.*expected dtype float64"),
        (lambda y: np.empty(y.shape, np.complex128), TypeError, "complex128"),
        (lambda y: np.empty(y.shape, ">f8"), TypeError, "native byte order"),
        (lambda y: y.tolist(), TypeError, "got list"),
        (lambda y: np.broadcast_to(np.zeros(y.shape[-1]), y.shape), ValueError, "read-only"),
        (
            lambda y: np.lib.stride_tricks.as_strided(np.zeros(500), y.shape, (0, 8, 8, 8)),
            ValueError,
            "overlaps itself",
        ),
        (
            lambda y: np.lib.stride_tricks.as_strided(np.zeros(5000), y.shape, (8, 8, 64, 4)),
            ValueError,
            "overlaps itself",
        ),
    ],
)
def test_what_is_refused(arguments, expected, make, error, message):
    out = make(expected)
    before = np.array(out)
    for _ in range(2):
        with pytest.raises(error, match=f"^conv2d: out: .*{message}"):
            fastconv.conv2d(*arguments, padding=1, out=out)
    np.testing.assert_array_equal(np.array(out), before)


def test_a_read_only_array_is_refused_after_a_writable_one(arguments, expected):
    out = np.empty(expected.shape)
    fastconv.conv2d(*arguments, padding=1, out=out)
    before = out.copy()
    out.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        fastconv.conv2d(*arguments, padding=1, out=out)
    np.testing.assert_array_equal(out, before)


def test_interleaved_but_distinct_elements_are_no_overlap(arguments, expected):
    n, c, h, w = expected.shape
    # Strides that nest in no order, yet no two elements meet.
    memory = np.full(h * w * n * c * 2, np.nan)
    out = memory.reshape(h, w, c, n, 2)[..., 0].transpose(3, 2, 0, 1)
    fastconv.conv2d(*arguments, padding=1, out=out)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_results_without_out_are_fresh_writable_and_contiguous(arguments):
    x, w = arguments
    for array in (x, w):
        array.setflags(write=False)
    first, second = fastconv.conv2d(x, w), fastconv.conv2d(x, w)
    assert first.flags.c_contiguous
    assert first.flags.writeable
    assert first.flags.owndata
    assert not np.shares_memory(first, second)


def test_a_memmap_is_filled_and_returned(arguments, expected, tmp_path):
    path = tmp_path / "out.bin"
    out = np.memmap(path, dtype=expected.dtype, mode="w+", shape=expected.shape)
    assert fastconv.conv2d(*arguments, padding=1, out=out) is out
    out.flush()
    np.testing.assert_array_equal(np.fromfile(path).reshape(expected.shape), expected)


def test_a_masked_array_is_refused(arguments, expected):
    with pytest.raises(TypeError, match=r"conv2d: out: got a numpy.ma.MaskedArray"):
        fastconv.conv2d(*arguments, padding=1, out=np.ma.zeros(expected.shape))
