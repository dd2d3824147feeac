"""im2col and col2im: windows of an image as columns, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Unpack

from fastconv.dispatch import PolicyOptions, call
from fastconv.dispatch.request import Call, Function, Request
from fastconv.errors import bad_argument
from fastconv.functional.geometry import Geometry, convolution_geometry
from fastconv.functional.parameters import (
    LAYOUTS,
    IntOrInts,
    Padding,
    is_channels_last,
    is_sequence,
    per_axis,
)
from fastconv.functional.posing import Draft, Layout, fresh, kept, layout_of
from fastconv.problem import ColumnsProblem, Ints, Operand


def _problem(
    call: Call, x: Operand, columns: Operand, geometry: Geometry, spatial: Ints
) -> ColumnsProblem:
    return ColumnsProblem(
        function=call.function,
        operation=call.function,
        device=call.device,
        x=x,
        columns=columns,
        spatial_out=spatial,
        kernel=geometry.kernel,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
    )


def _layout(function: str, layout: Any, ndim: int) -> bool:
    return is_channels_last(function, LAYOUTS[ndim][0] if layout is None else layout, ndim)


def _image_axes(kernel_size: Any, axes: int) -> int:
    """Return the number of spatial axes of an array of so many axes."""
    count = len(kernel_size) if is_sequence(kernel_size) else 0
    if count > 1 or (count == 1 and axes < 4):
        return count
    # As in PyTorch, a lone int on three axes means an image without N.
    return 2 if axes == 3 else axes - 2


def _im2col(call: Call) -> Request:
    kernel_size, stride, padding, dilation, layout = call.parameters
    name, (x,) = call.function, call.arrays
    ndim = _image_axes(kernel_size, x.ndim)
    if ndim not in LAYOUTS:
        raise ValueError(
            bad_argument(
                name,
                "x",
                got=f"{x.ndim} axes, shape {tuple(x.shape)}",
                expected="(N, C, spatial...) or (C, spatial...) with 1 to 3 spatial axes",
                hint="kernel_size as one int per spatial axis tells their number",
            )
        )
    kernel = per_axis(name, "kernel_size", kernel_size, ndim, 1)
    order = layout_of(name, "x", x, ndim, _layout(name, layout, ndim))
    shape = order.logical(x.shape)
    geometry = convolution_geometry(name, shape[2:], kernel, stride, padding, dilation)
    spatial = geometry.spatial_out(name, "x", shape[2:])
    dtype = kept(x)
    plain = Layout(1, False, order.unbatched)
    output = plain.output((shape[0], shape[1] * prod(kernel), prod(spatial)), dtype.name)
    draft = Draft(call)
    operand = draft.input(0, dtype, order.view())
    return draft.request(_problem(call, operand, fresh(output), geometry, spatial), output)


def _col2im(call: Call) -> Request:
    output_size, kernel_size, stride, padding, dilation, layout = call.parameters
    name, (columns,) = call.function, call.arrays
    # Two ints mean an image, as in PyTorch.
    counts = [len(v) for v in (output_size, kernel_size) if is_sequence(v)]
    ndim = counts[0] if counts else 2
    if ndim not in LAYOUTS:
        raise ValueError(
            bad_argument(
                name, "output_size", got=repr(output_size), expected="1 to 3 spatial extents"
            )
        )
    sizes = per_axis(name, "output_size", output_size, ndim, 1)
    kernel = per_axis(name, "kernel_size", kernel_size, ndim, 1)
    geometry = convolution_geometry(name, sizes, kernel, stride, padding, dilation)
    spatial = geometry.spatial_out(name, "output_size", sizes)
    if columns.ndim not in (2, 3):
        raise ValueError(
            bad_argument(
                name,
                "cols",
                got=f"shape {tuple(columns.shape)}",
                expected="(N, C * prod(kernel), L) or (C * prod(kernel), L)",
            )
        )
    unbatched = columns.ndim == 2
    rows, length = columns.shape[-2:]
    if rows % prod(kernel) or length != prod(spatial):
        raise ValueError(
            bad_argument(
                name,
                "cols",
                got=f"shape {tuple(columns.shape)}",
                expected=f"rows in multiples of {prod(kernel)}, the kernel's elements, and "
                f"{prod(spatial)} columns: {' x '.join(map(str, spatial))} positions of a "
                f"kernel {kernel} in an image {sizes}",
            )
        )
    dtype = kept(columns)
    order = Layout(ndim, _layout(name, layout, ndim), unbatched)
    n = 1 if unbatched else columns.shape[0]
    output = order.output((n, rows // prod(kernel), *sizes), dtype.name)
    draft = Draft(call)
    operand = draft.input(0, dtype, Layout(1, False, unbatched).view())
    return draft.request(_problem(call, fresh(output), operand, geometry, spatial), output)


_IM2COL = Function("im2col", ("x",), _im2col)
_COL2IM = Function("col2im", ("cols",), _col2im)


def im2col(
    x: Any,
    kernel_size: IntOrInts,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    *,
    layout: str | None = None,
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Copy every window of an image into a column, as ``torch.nn.functional.unfold``.

    Parameters
    ----------
    x : array, shape (N, C, spatial...) or without N
        One to three spatial axes; any dtype, which is kept.
    kernel_size : int or one per axis
        Extents of a window. One int per axis also tells the number of spatial axes; a lone
        int on three axes means an image without N, as in PyTorch.
    stride, padding, dilation : optional
        As in :func:`conv2d`.
    layout : str, optional
        Axis order of x, by default the one with channels before space.
    out : array, optional
        Where to put the result.
    **policy
        See :func:`fastconv.use`.

    Returns
    -------
    array, shape (N, C * prod(kernel_size), L)
        L counts the positions, in row-major order; rows go by channel, then by tap.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.im2col(np.arange(9).reshape(1, 1, 3, 3), 2)[0]
    array([[0, 1, 3, 4],
           [1, 2, 4, 5],
           [3, 4, 6, 7],
           [4, 5, 7, 8]])
    """
    parameters = (kernel_size, stride, padding, dilation, layout)
    return call(_IM2COL, (x,), parameters, out, policy)[0]


def col2im(
    cols: Any,
    output_size: int | Sequence[int],
    kernel_size: IntOrInts,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    *,
    layout: str | None = None,
    out: Any = None,
    **policy: Unpack[PolicyOptions],
) -> Any:
    """Add columns up into the image that they came from, as ``torch.nn.functional.fold``.

    The adjoint of :func:`im2col`, not its inverse: where windows overlap, they are summed.

    Parameters
    ----------
    cols : array, shape (N, C * prod(kernel_size), L) or without N
        Columns; any dtype, which is kept. Integers wrap around.
    output_size : int or sequence of int
        Spatial extents of the image; their number tells that of the axes. Where both sizes
        are ints, the image has two.
    kernel_size, stride, padding, dilation, layout, out, **policy
        As in :func:`im2col`.

    Returns
    -------
    array, shape (N, C, *output_size)
        The image, in `layout`.

    Raises
    ------
    ValueError, TypeError, UnsupportedError, WorkspaceLimitError
        As :func:`conv2d`.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> fastconv.col2im(np.ones((1, 4, 4)), (3, 3), 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    parameters = (output_size, kernel_size, stride, padding, dilation, layout)
    return call(_COL2IM, (cols,), parameters, out, policy)[0]
