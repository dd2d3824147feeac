"""Which channels a weight gradient's vectors run along, and the extents that follow."""

from __future__ import annotations

from enum import Enum
from math import ceil, prod
from typing import Any, NamedTuple

from fastconv.cpu import narrow
from fastconv.cpu.geometry import geometry_of, plain_geometry
from fastconv.cpu.isa import core
from fastconv.cpu.pixels import adjoin
from fastconv.cpu.plans import itemsize
from fastconv.problem import ConvProblem

# What transposing an item takes, in products, where its neighbours are side by side, or apart.
_TURNING = 12
_TURNING_APART = 96

_Three = tuple[int, int, int]
_ONES = (1, 1, 1)


class Form(Enum):
    """Along y's channels; along x's, as if x were y; along x's channels of several groups."""

    OUTPUTS = "outputs"
    SWAPPED = "swapped"
    ACROSS_GROUPS = "across groups"


class Extents(NamedTuple):
    """A weight gradient's extents, those of channels per group, axes filled up to three.

    A pointwise kernel with strides is applied to a copy of what it reads, if x is `sampled`. Where
    the form is swapped, x and y are: ``channels`` are x's.
    """

    form: Form
    sampled: bool
    images: int
    groups: int
    channels: int
    inner: int
    kernel: _Three
    stride: _Three
    dilation: _Three
    out: _Three

    @classmethod
    def of(cls, problem: ConvProblem, limit: int) -> Extents:
        """Return a problem's extents in its fastest form; a copy of x may take half the limit."""
        extents = cls(
            Form.OUTPUTS,
            False,
            problem.y.shape[0],
            problem.groups,
            problem.y.shape[1] // problem.groups,
            problem.weight.shape[1],
            _three(problem.kernel),
            _three(problem.stride),
            _three(problem.dilation),
            _three(problem.y.shape[2:]),
        )
        padded = any(pads != (0, 0) for pads in problem.padding)
        pointwise = extents.taps == 1 and not padded
        strided = pointwise and extents.stride != _ONES
        if strided and not adjoin(problem) and 2 * sample_bytes(problem) <= limit:
            extents = extents._replace(sampled=True, stride=_ONES, dilation=_ONES)
        forms = [extents]
        if extents.groups > 1:
            forms.append(extents._replace(form=Form.ACROSS_GROUPS))
        elif pointwise and not (strided and adjoin(problem)):
            forms.append(extents._replace(form=Form.SWAPPED))
        dtype = narrow.operands_dtype(problem)
        best = min(forms, key=lambda form: form.products(dtype))
        return best._swapped() if best.form is Form.SWAPPED else best

    @property
    def taps(self) -> int:
        """Number of the kernel's elements."""
        return prod(self.kernel)

    def products(self, dtype: str) -> int:
        """Return what a position costs in this form, transposes included, in products."""
        items = vector_items(dtype)
        x, y = self.inner, self.channels
        if self.form is Form.SWAPPED:
            turning = _TURNING if self.stride == _ONES else _TURNING_APART
            return ceil(x / items) * items * y + x * turning
        if self.form is Form.ACROSS_GROUPS:
            # y is transposed once for every output of a group.
            lanes = ceil(x * self.groups / items) * items
            return lanes * (y * self.taps + (y + 1) * _TURNING)
        return self.groups * (ceil(y / items) * items * x * self.taps + y * _TURNING)

    def _swapped(self) -> Extents:
        return self._replace(channels=self.inner, inner=self.channels, stride=_ONES, dilation=_ONES)

    def halved(self, mates: int | None) -> Extents:
        """Return what is left where the two halves of an axis go together: images, or outputs."""
        if mates is None:
            return self
        if mates == 0:
            return self._replace(images=self.images // 2)
        out = [n // 2 if axis == mates - 1 else n for axis, n in enumerate(self.out)]
        return self._replace(out=(out[0], out[1], out[2]))

    def geometry(self, problem: ConvProblem) -> Any:
        """Return the geometry that the core is given."""
        plain = self.sampled or self.form is Form.SWAPPED
        return plain_geometry(problem.y) if plain else geometry_of(problem)

    def patch_items(self, box: _Three) -> int:
        """Return how many items of a channel of x a box reads."""
        axes = zip(box, self.kernel, self.stride, self.dilation, strict=True)
        return prod(n if k == 1 else (n - 1) * s + (k - 1) * d + 1 for n, k, s, d in axes)

    def boxes(self, images: int, box: _Three) -> int:
        """Return how many boxes there are."""
        counts = (ceil(n / b) for n, b in zip(self.out, box, strict=True))
        return ceil(self.images / images) * prod(counts)


def sample_bytes(problem: ConvProblem) -> int:
    """Return the bytes of what a pointwise kernel reads of x."""
    n, _, *out = problem.y.shape
    return n * problem.x.shape[1] * prod(out) * itemsize(problem.x.dtype)


def vector_items(dtype: str) -> int:
    """Return how many items of scratch memory a vector has, at the level in use."""
    assert core is not None
    return int(core.vector_items(narrow.rate_dtype(dtype)))


def _three(sizes: tuple[int, ...]) -> _Three:
    """Return an axis's sizes, filled up with 1 to three axes."""
    filled = (1,) * (3 - len(sizes)) + tuple(sizes)
    return filled[0], filled[1], filled[2]
