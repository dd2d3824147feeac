"""The compiled pools on blocks of planes: dtypes, complex parts, innermost channels."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from fastconv.cpu.isa import core
from fastconv.cpu.pooling_windows import Part, Windows, for_core, identity
from fastconv.problem import Operand, PoolProblem

# Fewer channels are not worth the core's innermost loop; more need long tables.
_FITTING_CHANNELS = range(4, 2**15)


def are_channels_innermost(operand: Operand) -> bool:
    """Whether a pool had better walk the channels in its innermost loop.

    The core has three spatial axes, so that one of them must be free.
    """
    if len(operand.shape) > 4 or operand.shape[1] not in _FITTING_CHANNELS:
        return False
    channel, *spatial = map(abs, operand.strides[1:])
    return all(
        channel < stride
        for stride, extent in zip(spatial, operand.shape[2:], strict=True)
        if extent > 1
    )


def parts_of(*arrays: Any) -> list[tuple[Any, ...]]:
    """Return arrays as the core's dtypes: complex ones as two real ones, bool as uint8."""
    kind = arrays[0].dtype.kind
    if kind == "c":
        return [tuple(a.real for a in arrays), tuple(a.imag for a in arrays)]
    if kind == "b":
        return [tuple(a.view(np.uint8) for a in arrays)]
    return [arrays]


class Kernels:
    """One pool's kernels, on any part of its windows and any number of its planes."""

    def __init__(
        self, problem: PoolProblem, windows: Windows, inner: bool, threads: int, halves: bool
    ) -> None:
        self._windows = windows
        self._inner = inner
        self._threads = threads
        self._halves = halves
        self._backward = problem.operation.endswith("_backward")
        # What every thread needs to widen blocks of 16-bit arrays in.
        self.scratch_bytes = 0
        self._divisor = problem.divisor
        self._norm = (problem.norm_type, problem.kernel_volume, False)
        self._made: dict[tuple[Part, int], Any] = {}
        self._unlike: dict[tuple[bytes | int, ...], Any] = {}

    def prepare(self, part: Part, channels: int) -> None:
        """Make a part's windows ready; to be called before any of the others."""
        key = (part, channels if self._inner else 0)
        if key in self._made:
            return
        tables = self._windows.tables(part)
        if self._inner:
            tables.append(identity(channels))
        # Seen from their own beginning, all parts but the outermost are alike: a long signal
        # takes no long tables.
        content = tuple(
            column if isinstance(column, int) else column.tobytes()
            for table in tables
            for column in table
        )
        if content not in self._unlike:
            self._unlike[content] = for_core(tables)
        made = self._made[key] = self._unlike[content]
        if self._halves:
            assert core is not None
            needed = core.half_pool_scratch(made, self._backward)
            self.scratch_bytes = max(self.scratch_bytes, needed)

    def _for(self, part: Part, array: Any) -> Any:
        return self._made[part, array.shape[1] if self._inner else 0]

    def _seen(self, array: Any) -> Any:
        if not self._inner:
            return array
        return array.transpose(0, *range(2, array.ndim), 1)[:, None]

    def max(
        self,
        part: Part,
        x: Any,
        y: Any,
        indices: Any,
        scratch: Any = None,
        *,
        local: bool = False,
    ) -> bool | None:
        """Fill y with maxima; unless None, indices into whole planes, or the part's if `local`."""
        assert core is not None
        windows = self._for(part, x)
        seen = None if indices is None else self._seen(indices)
        ((source, target),) = parts_of(self._seen(x), self._seen(y))
        name = source.dtype.name
        arguments = (source, target, seen, self._inner, name, self._threads, scratch)
        overflowed: bool | None = core.max_forward(windows, *arguments)
        offset = 0 if local else self._windows.offset(part)
        if offset and indices is not None:
            np.add(indices, offset, out=indices)
        return overflowed

    def choose(self, part: Part, grad: Any, indices: Any, x_grad: Any) -> tuple[bool, bool | None]:
        """Fill x_grad with maxima's gradients: whether that could be, and what overflowed."""
        assert core is not None
        arrays = map(self._seen, (grad, indices, x_grad))
        windows, name = self._for(part, x_grad), grad.dtype.name
        done: tuple[bool, bool | None]
        done = core.max_backward(windows, *arrays, self._inner, name, self._threads)
        return done

    def average(self, part: Part, x: Any, y: Any, scratch: Any = None) -> bool | None:
        """Fill y with averages."""
        assert core is not None
        overflowed: bool | None = None
        windows = self._for(part, x)
        for source, target in parts_of(self._seen(x), self._seen(y)):
            name = source.dtype.name
            arguments = (self._divisor, name, self._threads, scratch)
            overflowed = core.avg_forward(windows, source, target, *arguments)
        return overflowed

    def spread(self, part: Part, grad: Any, x_grad: Any, scratch: Any = None) -> bool | None:
        """Fill x_grad with averages' gradients."""
        assert core is not None
        overflowed: bool | None = None
        windows = self._for(part, x_grad)
        for source, target in parts_of(self._seen(grad), self._seen(x_grad)):
            name = source.dtype.name
            arguments = (self._divisor, name, self._threads, scratch)
            overflowed = core.avg_backward(windows, source, target, *arguments)
        return overflowed

    def norm(self, part: Part, x: Any, y: Any, scratch: Any = None) -> bool | None:
        """Fill y with norms."""
        assert core is not None
        arguments = (*self._norm, x.dtype.name, self._threads, scratch)
        windows = self._for(part, x)
        overflowed: bool | None = core.lp_forward(windows, self._seen(x), self._seen(y), *arguments)
        return overflowed

    def slopes(self, part: Part, grad: Any, x: Any, norms: Any, x_grad: Any) -> None:
        """Add norms' gradients to x_grad."""
        assert core is not None
        arrays = map(self._seen, (grad, x, norms, x_grad))
        arguments = (*self._norm, x.dtype.name, self._threads)
        core.lp_backward(self._for(part, x), *arrays, *arguments)


def magnitudes(x: Any, norm_type: float, out: Any) -> None:
    """Fill `out` with what an infinite norm takes the maximum of: |x|, or -|x| at -inf."""
    np.absolute(x, out=out)
    if norm_type == -inf:
        np.negative(out, out=out)
