from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

# Anything with a strided buffer will do.
_Array: TypeAlias = NDArray[Any]
_Places: TypeAlias = NDArray[np.int64]
_Axis: TypeAlias = tuple[
    Iterable[SupportsIndex], Iterable[SupportsIndex], Iterable[SupportsIndex], int
]
# Output and input channels, images, the box's outputs along each axis, splits, across groups.
_Integers: TypeAlias = tuple[int, _Array | None, _Array | None, int, int, int]
_Pieces: TypeAlias = tuple[int, int, int, tuple[int, int, int], int, bool, int | None]

GROUPED_WIDEST: int

@final
class Geometry:
    def __init__(
        self,
        spatial_in: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding_before: tuple[int, ...],
        dilation: tuple[int, ...],
        spatial_out: tuple[int, ...],
    ) -> None: ...

@final
class Block:
    def __init__(self, size: int) -> None: ...
    # Named so since Python 3.12.
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Windows:
    def __init__(self, axes: Sequence[_Axis], spatial_in: tuple[int, ...]) -> None: ...

def im2col(
    geometry: Geometry, x: _Array, dst: _Array, n0: int, r0: int, p0: int, threads: int
) -> None: ...
def col2im(
    geometry: Geometry,
    cols: _Array,
    x: _Array,
    dtype: str,
    n0: int,
    r0: int,
    p0: int,
    threads: int,
) -> None: ...
def scatter(acc: _Array, y: _Array, n0: int, c0: int, p0: int, threads: int) -> None: ...
def epilogue(
    acc: _Array, dtype: str, bias: _Array | None, activation: int, parameter: float, threads: int
) -> None: ...
def max_forward(
    windows: Windows,
    x: _Array,
    y: _Array,
    indices: _Places | None,
    channels_inner: bool,
    dtype: str,
    threads: int,
    scratch: _Array | None = None,
) -> bool | None: ...
def avg_forward(
    windows: Windows,
    x: _Array,
    y: _Array,
    divisor: int | None,
    dtype: str,
    threads: int,
    scratch: _Array | None = None,
) -> bool | None: ...
def avg_backward(
    windows: Windows,
    grad: _Array,
    dx: _Array,
    divisor: int | None,
    dtype: str,
    threads: int,
    scratch: _Array | None = None,
) -> bool | None: ...
def lp_forward(
    windows: Windows,
    x: _Array,
    y: _Array,
    p: float,
    kernel_volume: int,
    absolute: bool,
    dtype: str,
    threads: int,
    scratch: _Array | None = None,
) -> bool | None: ...
def lp_backward(
    windows: Windows,
    grad: _Array,
    x: _Array,
    y: _Array,
    dx: _Array,
    p: float,
    kernel_volume: int,
    absolute: bool,
    dtype: str,
    threads: int,
) -> None: ...
def scatter_add(
    grad: _Array,
    indices: _Places,
    dx: _Array,
    dtype: str,
    clear: bool,
    threads: int,
    scratch: _Array | None = None,
) -> bool | None: ...
def max_backward(
    windows: Windows,
    grad: _Array,
    indices: _Places,
    dx: _Array,
    channels_inner: bool,
    dtype: str,
    threads: int,
) -> tuple[bool, bool | None]: ...
def half_pool_scratch(windows: Windows, backward: bool) -> int: ...
def half_col2im_scratch(geometry: Geometry) -> int: ...
def half_col2im(
    geometry: Geometry, cols: _Array, x: _Array, dtype: str, scratch: _Array, threads: int
) -> bool | None: ...
def half_indexed_scratch(channels: int, inputs: int, outputs: int) -> int: ...
def unpool(x: _Array, indices: _Places, y: _Array, threads: int) -> None: ...
def gather(y: _Array, indices: _Places, x: _Array, threads: int) -> None: ...
def isa_levels() -> tuple[tuple[str, bool, bool], ...]: ...
def active_isa() -> str: ...
def set_isa(name: str) -> None: ...
def pool_threads() -> int: ...
def bound_idle_memory(size: int) -> None: ...
def release_idle_memory() -> None: ...
def idle_memory() -> int: ...
def peak(dtype: str, steps: int, threads: int) -> float: ...
def gemm_tile(dtype: str) -> tuple[int, int]: ...
def lanes(dtype: str) -> int: ...
def item_channels(dtype: str) -> int: ...
def reach_parts(rows: int, row: int) -> int: ...
def reach(x: _Array, most: _Array, rows: int, threads: int, dtype: str = "float32") -> None: ...
def round_floats(source: _Array, target: _Array, precision: str, threads: int) -> None: ...
def quantize(
    source: _Array,
    target: _Array,
    scales: _Array,
    zeros: _Array,
    low: int,
    high: int,
    inner: int,
    dtype: str,
    threads: int,
) -> bool: ...
def dequantize(
    source: _Array,
    target: _Array,
    scales: _Array,
    zeros: _Array,
    size: int,
    low: int,
    inner: int,
    dtype: str,
    threads: int,
) -> None: ...
def rescale(
    sums: _Array,
    factors: _Array,
    bias: _Array,
    target: _Array,
    inner: int,
    activation: int,
    parameter: float,
    threads: int,
) -> None: ...
def convert(source: _Array, target: _Array, dtype: str, threads: int) -> bool | None: ...

class Winograd:
    tiles: int
    depth: int
    phases: int
    products: int
    packed_bytes: int

    def __init__(
        self,
        geometry: Geometry,
        batch: int,
        groups: int,
        inner: int,
        channels: int,
        alpha: tuple[int, int],
        adjoint: bool,
        activation: int,
        parameter: float,
        pixels: int = 0,
        up: tuple[int, ...] = (),
        dtype: str = "float32",
        target_size: int = 0,
        rounding: str = "",
    ) -> None: ...
    def scratch_bytes(
        self, width: int, group: int, packed: bool, shared: bool
    ) -> tuple[int, int]: ...
    def pack(self, weight: _Array, packed: _Array, threads: int) -> bool | None: ...
    def run(
        self,
        x: _Array,
        weight: _Array | None,
        packed: _Array | None,
        y: _Array,
        bias: _Array | None,
        width: int,
        group: int,
        inputs: _Array | None,
        scratch: _Array,
        threads: int,
    ) -> bool | None: ...

class WinogradGrad:
    tiles: int
    input_bytes: int
    grad_bytes: int
    sum_bytes: int
    thread_bytes: int

    def __init__(
        self,
        geometry: Geometry,
        batch: int,
        groups: int,
        inner: int,
        channels: int,
        alpha: tuple[int, int],
        width: int,
        range_: int,
        group: int,
        splits: int,
        pixels: bool = False,
        dtype: str = "float32",
        target_size: int = 0,
        rounding: str = "",
    ) -> None: ...
    def run(
        self,
        x: _Array,
        y: _Array,
        weight: _Array,
        inputs: _Array,
        grads: _Array,
        sums: _Array,
        scratch: _Array,
        threads: int,
    ) -> None: ...

def vector_bytes() -> int: ...
def tile_vectors(rows: int) -> int: ...
def tile_pixels() -> int: ...

class Convolution:
    packed_bytes: int
    scratch_bytes: int
    units: int
    def __init__(
        self,
        x_shape: tuple[int, ...],
        weight_shape: tuple[int, ...],
        y_shape: tuple[int, ...],
        products: Sequence[tuple[object, ...]],
        *,
        dtype: str,
        groups: int,
        transposed: bool,
        tile_rows: int,
        turned: int = 0,
        streams: bool = False,
        gaps: bool = False,
        activation: int = 0,
        parameter: float = 0,
        pixels: int = 0,
        target_size: int = 0,
        flips: tuple[int, int] = (0, 0),
        rounds: bool = False,
        scales: bool = False,
    ) -> None: ...
    def pack(self, weight: _Array, packed: _Array, threads: int) -> None: ...
    def run(
        self,
        x: _Array,
        weight: _Array,
        y: _Array,
        bias: _Array | None,
        workspace: _Array,
        threads: int,
        packed: bool = False,
        integers: _Integers | None = None,
    ) -> bool | None: ...

@final
class ByteProduct:
    packed_bytes: int
    items_bytes: int
    scratch_bytes: int
    def __init__(
        self,
        rows: int,
        columns: int,
        depth: int,
        *,
        target_size: int,
        flips: tuple[int, int] = (0, 0),
        turned: bool = False,
        scales: bool = False,
        activation: int = 0,
        parameter: float = 0,
    ) -> None: ...
    def pack(self, weight: _Array, packed: _Array, threads: int) -> None: ...
    def pack_scaled(self, weight: _Array, packed: _Array, scales: _Array, threads: int) -> None: ...
    def run(
        self,
        x: _Array,
        packed: _Array,
        y: _Array,
        bias: _Array | None,
        workspace: _Array,
        threads: int,
        integers: _Integers,
    ) -> None: ...
    def run_scaled(
        self,
        x: _Array,
        packed: _Array,
        scales: _Array,
        y: _Array,
        bias: _Array | None,
        workspace: _Array,
        threads: int,
    ) -> bool: ...
    def scaled_bytes(self) -> int: ...

@final
class Pointwise:
    packed_bytes: int
    scratch_bytes: int
    units: int
    def __init__(
        self,
        x_shape: tuple[int, ...],
        weight_shape: tuple[int, ...],
        y_shape: tuple[int, ...],
        pieces: tuple[int, int, int, int],
        *,
        dtype: str,
        groups: int,
        transposed: bool,
        tile_rows: int,
        activation: int = 0,
        parameter: float = 0,
        target_size: int = 0,
        flips: tuple[int, int] = (0, 0),
        rounds: bool = False,
        scales: bool = False,
    ) -> None: ...
    def pack(self, weight: _Array, packed: _Array, threads: int) -> None: ...
    def run(
        self,
        x: _Array,
        weight: _Array,
        y: _Array,
        bias: _Array | None,
        workspace: _Array,
        threads: int,
        packed: bool = False,
        integers: _Integers | None = None,
    ) -> bool | None: ...

def vector_items(dtype: str) -> int: ...
def weight_grad_bytes(
    geometry: Geometry, sizes: tuple[int, int, int], dtype: str, groups: int, pieces: _Pieces
) -> tuple[int, int]: ...
def conv_weight_grad(
    geometry: Geometry,
    x: _Array,
    y: _Array,
    weight: _Array,
    dtype: str,
    groups: int,
    pieces: _Pieces,
    scratch: _Array,
    threads: int,
    target_size: int = 0,
    rounds: bool = False,
) -> bool | None: ...
def depthwise_bytes(
    geometry: Geometry, operation: str, multiplier: int, dtype: str, pixels: bool, band_bytes: int
) -> tuple[int, int]: ...
def depthwise(
    geometry: Geometry,
    operation: str,
    x: _Array,
    weight: _Array,
    y: _Array,
    bias: _Array | None,
    dtype: str,
    pixels: bool,
    activation: int,
    parameter: float,
    band_bytes: int,
    table: _Array,
    scratch: _Array,
    threads: int,
    integers: tuple[tuple[int, int], _Array | None, tuple[Any, ...]] | None = None,
    rounding: str = "",
    steps: tuple[float, _Array, _Array | None] | None = None,
) -> bool | None: ...
def grouped_slides(geometry: Geometry) -> bool: ...
def grouped_pack(weight: _Array, packed: _Array, dtype: str, turned: bool = False) -> None: ...
def grouped_grad(
    geometry: Geometry,
    x: _Array,
    y: _Array,
    weight: _Array,
    sums: _Array,
    splits: int,
    dtype: str,
    threads: int,
    rounding: str = "",
) -> bool | None: ...
def grouped(
    geometry: Geometry,
    x: _Array,
    packed: _Array,
    y: _Array,
    bias: _Array | None,
    group: int,
    activation: int,
    parameter: float,
    dtype: str,
    threads: int,
    rounding: str = "",
    streams: bool = False,
    ahead: bool = False,
    scratch: _Array | None = None,
) -> bool | None: ...
def product_scratch(dtype: str) -> int: ...
def product(
    a: _Array,
    b: _Array,
    c: _Array,
    bias: _Array | None,
    dtype: str,
    activation: int,
    parameter: float,
    scratch: _Array,
    threads: int,
    target_size: int = 0,
    rounds: bool = False,
) -> bool | None: ...
def bias_grad(
    y: _Array, bias: _Array, sums: _Array, dtype: str, splits: int, threads: int
) -> None: ...
