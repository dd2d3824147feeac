"""Blocks fit their limit, and cover what they cut."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastconv.cpu import dense
from fastconv.cpu.blocking import Costs, Sizes, choose_blocks
from fastconv.cpu.cuts import even_width
from fastconv.cpu.isa import core
from fastconv.dispatch.request import contiguous
from fastconv.problem import GemmProblem, Operand

needs_core = pytest.mark.skipif(core is None, reason="needs the compiled core")
sizes = st.builds(
    Sizes,
    images=st.integers(1, 64),
    groups=st.integers(1, 40),
    rows=st.integers(1, 5000),
    channels=st.integers(1, 600),
    positions=st.integers(1, 100_000),
)
costs = st.builds(
    Costs,
    row=st.sampled_from((4, 8, 6, 16)),
    channel=st.sampled_from((0, 4, 10, 16)),
    fixed_channel=st.sampled_from((0, 4, 400, 20_000)),
)


@settings(max_examples=500)
@given(sizes, costs, st.integers(0, 2**26))
def test_blocks_fit_the_limit(size, cost, limit):
    blocks = choose_blocks(size, cost, limit)
    if blocks is None:
        return
    per_column = blocks.groups * (blocks.rows * cost.row + blocks.channels * cost.channel)
    columns = blocks.images * blocks.positions
    assert columns * per_column + blocks.channels * cost.fixed_channel <= limit
    whole = (size.images, size.groups, size.rows, size.channels, size.positions)
    taken = (blocks.images, blocks.groups, blocks.rows, blocks.channels, blocks.positions)
    assert all(1 <= block <= extent for block, extent in zip(taken, whole, strict=True))
    # What the passes rely on.
    if blocks.images > 1:
        assert blocks.positions == size.positions
    if blocks.rows < size.rows or blocks.channels < size.channels:
        assert blocks.groups == 1


@settings(max_examples=200)
@given(sizes, costs)
def test_whatever_fits_at_all_is_found(size, cost):
    smallest = cost.row + cost.channel + cost.fixed_channel
    # Shares and roundings may take some more than the least.
    assert choose_blocks(size, cost, 9 * smallest + 1024) is not None
    assert choose_blocks(size, cost, smallest - 1) is None
    assert choose_blocks(size, replace(cost, fixed_channel=0), 0) is None


def _operand(shape, dtype, transposed):
    size = {"float16": 2, "float32": 4}[dtype]
    strides = contiguous(shape[::-1], size)[::-1] if transposed else contiguous(shape, size)
    gaps = tuple(2 * stride for stride in strides)
    return Operand(shape, gaps if transposed else strides, dtype)


@settings(max_examples=300)
@given(
    st.sampled_from(GemmProblem.OPERATIONS),
    st.tuples(*[st.integers(1, 5000)] * 3),
    st.sampled_from(("float16", "float32")),
    st.tuples(*[st.booleans()] * 3),
    st.integers(1, 2**22),
)
def test_blocks_of_a_matrix_product_fit_the_limit(operation, extents, dtype, odd, limit):
    m, n, k = extents
    shapes = {"x": (m, k), "weight": (n, k), "y": (m, n)}
    operands = {
        name: _operand(shape, dtype, gaps)
        for (name, shape), gaps in zip(shapes.items(), odd, strict=True)
    }
    problem = GemmProblem(function="linear", operation=operation, device="cpu", **operands)
    blocks = dense.choose_blocks(problem, "float32", limit)
    if blocks is None:
        assert limit < 4 * 64
    else:
        assert dense._scratch(problem, "float32", blocks).bytes <= limit


@settings(max_examples=300)
@given(st.integers(1, 10**6), st.integers(0, 10**5), st.sampled_from((8, 16, 48)))
def test_even_widths_cover_an_extent_in_whole_tiles(extent, widest, step):
    width = even_width(extent, widest, step)
    assert width % step == 0
    assert width <= max(step, widest)
    panels = -(-extent // width)
    # No panel is empty, and another width would need as many at least.
    assert (panels - 1) * width < extent
    assert panels <= -(-extent // max(step, widest // step * step))
