"""Every unit that plans may ask for, by kernel family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastconv_cuda import depthwise, weight_boxes, wgmma, wgmma_integer
from fastconv_cuda.arithmetic import CONVERTED, HOPPER, TENSOR_CAPABILITY
from fastconv_cuda.candidate import itemsize
from fastconv_cuda.copies import copy_unit
from fastconv_cuda.direct import copying, typed
from fastconv_cuda.geometry import Axis
from fastconv_cuda.tiles import (
    INTEGER_TILES,
    gemm_unit,
    integer_unit,
    tiles_of,
    weight_last_unit,
    weight_tiles_of,
    weight_unit,
)
from fastconv_cuda.units import Unit
from fastconv_cuda.weight_split import LAST

_REALS = ("float32", "float16", "bfloat16", "float64")
_FLOATS = (*_REALS, "complex64", "complex128")
_LAST = ("FC_LAST", "")
# (type, what its values are rounded to before they are multiplied).
_ROUNDINGS = (
    ("float32", "float16"),
    ("float32", "bfloat16"),
    ("float32", "tf32"),
    ("float64", "float32"),
    ("float64", "tf32"),
    ("float64", "bfloat16"),
    ("float64", "float16"),
    ("float16", "bfloat16"),
)
# (type, that of its copy, what it is rounded to in between).
_COPIES = (
    *((name, name, "") for name in (*_REALS, "int8", "uint8")),
    *((a, b, "") for a, b in _ROUNDINGS if b != "tf32"),
    *((a, "float32", b) for a, b in _ROUNDINGS if b != "float32"),
    *((name, "float32", "") for name in ("float16", "bfloat16")),
    *((name, "float64", "") for name in ("float32", "float16", "bfloat16")),
    *((name, "int8", "") for name in _REALS),
)
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def _typed(file: str, types: Iterable[str]) -> dict[str, Unit]:
    return {name: typed(file, name) for name in types}


def _copying(file: str) -> dict[str, Unit]:
    return {name: copying(file, name) for name in (*_FLOATS, *_INTEGERS)}


def _integer() -> Iterator[tuple[str, Unit]]:
    for x in ("int8", "uint8"):
        for w in ("int8", "uint8"):
            for y in (x, "int32"):
                definitions = (("FC_X", x), ("FC_W", w), ("FC_Y", y))
                yield f"{x},{w},{y}", Unit("integer_conv.cu", definitions)


_MATHS = {
    "float32,fma": ("float32", "fma"),
    "float64": ("float64", "fma"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "float32,tf32": ("float32", "tf32"),
}


def _gemms(tensor: bool) -> Iterator[tuple[str, Unit]]:
    for types, (dtype, math) in _MATHS.items():
        if tensor is (math != "fma"):
            for tile in tiles_of(dtype):
                for vector in (True, False):
                    key = f"{types},{tile.rows}x{tile.columns},{vector}"
                    yield key, gemm_unit(tile, dtype, math, vector)


def _gemms_on_copies(tensor: bool) -> Iterator[tuple[str, Unit]]:
    for result, factor, math in CONVERTED:
        if tensor is (math != "fma"):
            for tile in tiles_of(factor):
                key = f"{result},{factor},{math},{tile.rows}x{tile.columns}"
                yield key, gemm_unit(tile, factor, math, True, result)


def _copied(file: str) -> dict[str, Unit]:
    return {f"{a},to {b} by {c}": copy_unit(file, a, b, c) for a, b, c in _COPIES}


def _direct_convs() -> Iterator[tuple[str, Unit]]:
    for name in _FLOATS:
        yield name, typed("direct_conv.cu", name)
    for name, rounding in _ROUNDINGS:
        yield f"{name},{rounding}", typed("direct_conv.cu", name, rounding)


def _reductions() -> Iterator[tuple[str, Unit]]:
    for name in _REALS:
        yield name, typed("reduce_weight.cu", name)
    for result, factor, math in CONVERTED:
        if (factor, math) in LAST:
            yield f"{result},{factor}", copy_unit("reduce_weight.cu", result, factor)


def _weight_gemms(tensor: bool) -> Iterator[tuple[str, Unit]]:
    for types, (dtype, math) in _MATHS.items():
        if tensor is (math != "fma"):
            for tile in weight_tiles_of(dtype, math):
                yield f"{types},{tile.rows}x{tile.columns}", weight_unit(tile, dtype, math)


def _weight_gemms_last(tensor: bool) -> Iterator[tuple[str, Unit]]:
    for dtype, math in LAST:
        if tensor is (math != "fma"):
            for tile in weight_tiles_of(dtype, math):
                key = f"{dtype},{math},{tile.rows}x{tile.columns}"
                yield key, weight_last_unit(tile, dtype, math)


def _integer_gemms() -> Iterator[tuple[str, Unit]]:
    for x in ("int8", "uint8"):
        for w in ("int8", "uint8"):
            for y in (x, "int32"):
                for tile in INTEGER_TILES:
                    for vector in (True, False):
                        key = f"{x},{w},{y},{tile.rows}x{tile.columns},{vector}"
                        yield key, integer_unit(tile, x, w, y, vector)
    for y in _REALS:
        for tile in INTEGER_TILES:
            yield (
                f"{y},scaled,{tile.rows}x{tile.columns}",
                integer_unit(tile, "int8", "int8", y, True),
            )


# Depthwise kernels and pools are compiled for a layer's own kernel: these are the usual ones.
_KERNELS = tuple(
    (Axis(), *(Axis(taps=taps, stride=stride, before=taps // 2),) * 2)
    for taps, stride in ((3, 1), (3, 2), (5, 1), (5, 2), (2, 2), (7, 1))
)


def _depthwise(file: str) -> Iterator[tuple[str, Unit]]:
    for dtype, rounding in (*((name, "") for name in depthwise.TYPES), ("float32", "bfloat16")):
        for axes in _KERNELS:
            for lanes, across in ((1, 0), (16 // itemsize(dtype), 8)):
                unit = depthwise.strips_unit(file, dtype, axes, rounding, lanes, across)
                yield f"{dtype},{unit.flags}", unit


def _depthwise_weight() -> Iterator[tuple[str, Unit]]:
    for dtype in depthwise.TYPES:
        for axes in _KERNELS:
            for wide in (1, 32):
                unit = depthwise.unit_for("depthwise_weight.cu", dtype, axes, ("FC_ACROSS", wide))
                yield f"{dtype},{unit.flags}", unit


def _pools() -> Iterator[tuple[str, Unit]]:
    for dtype in depthwise.TYPES:
        for axes in _KERNELS[:5]:
            for lanes in ((("FC_LANES", 1),), (("FC_LANES", 16 // itemsize(dtype)), _LAST)):
                for kind in ((), (("FC_MAXIMUM", ""),)):
                    unit = depthwise.unit_for("pool_2d.cu", dtype, axes, *lanes, *kind)
                    yield f"{dtype},{unit.flags}", unit


def _scatters() -> Iterator[tuple[str, Unit]]:
    for dtype in (*_REALS, *_INTEGERS):
        yield f"{dtype},copies", copying("scatter_planes.cu", dtype)
    for dtype in _REALS:
        yield f"{dtype},sums", typed("scatter_planes.cu", dtype)


# For each family its units, by what they are for: one of them in every test run.
FAMILIES: dict[str, dict[str, Unit]] = {
    "direct_conv": dict(_direct_convs()),
    "bias_grad": _typed("bias_grad.cu", _FLOATS),
    "im2col": _copying("im2col.cu"),
    "col2im": _typed("col2im.cu", (*_FLOATS, *_INTEGERS)),
    "max_pool": _typed("max_pool.cu", (*_REALS, *_INTEGERS)),
    "sum_pools": _typed("sum_pools.cu", _FLOATS),
    "lp_pool": _typed("lp_pool.cu", _REALS),
    "unpool": _copying("unpool.cu"),
    "integer_conv": dict(_integer()),
    "depthwise": dict(_depthwise("depthwise.cu")),
    "depthwise_input": dict(_depthwise("depthwise_input.cu")),
    "depthwise_weight": dict(_depthwise_weight()),
    "pool_2d": dict(_pools()),
    "scatter_planes": dict(_scatters()),
    "finish": _typed("finish.cu", ("float32", "float64")),
    "pack_weight": _copied("pack_weight.cu"),
    "copy_last": _copied("copy_last.cu"),
    "reach": _typed("reach.cu", _REALS),
    "reduce_weight": dict(_reductions()),
    "implicit_gemm_mma": dict((*_gemms(tensor=True), *_gemms_on_copies(tensor=True))),
    "implicit_gemm_fma": dict((*_gemms(tensor=False), *_gemms_on_copies(tensor=False))),
    "weight_last_mma": dict(_weight_gemms_last(tensor=True)),
    "weight_last_fma": dict(_weight_gemms_last(tensor=False)),
    "wgmma_gemm": dict(wgmma.every_unit()),
    "wgmma_weight": dict(weight_boxes.every_unit()),
    "wgmma_integer": dict(wgmma_integer.every_unit()),
    "integer_gemm": dict(_integer_gemms()),
    "sum_weight": _typed("sum_weight.cu", ("int8", "uint8")),
    "weight_gemm_mma": dict(_weight_gemms(tensor=True)),
    "weight_gemm_fma": dict(_weight_gemms(tensor=False)),
}
# Tuned kernels: none of their registers may go to memory.
TUNED = frozenset(
    {
        "copy_last",
        "depthwise",
        "depthwise_input",
        "depthwise_weight",
        "pool_2d",
        "implicit_gemm_mma",
        "implicit_gemm_fma",
        "wgmma_gemm",
        "wgmma_weight",
        "wgmma_integer",
        "integer_gemm",
        "weight_gemm_mma",
        "weight_gemm_fma",
        "weight_last_mma",
        "weight_last_fma",
    }
)
# Families whose instructions need a card of this capability.
LEAST_CAPABILITY = dict.fromkeys(
    ("implicit_gemm_mma", "integer_gemm", "weight_gemm_mma", "weight_last_mma"),
    TENSOR_CAPABILITY,
)
# Families whose instructions one capability has and no later one.
ONLY_CAPABILITY = dict.fromkeys(("wgmma_gemm", "wgmma_weight", "wgmma_integer"), HOPPER)


def runs_on(family: str, capability: tuple[int, int]) -> bool:
    """Return whether a family's kernels are ever chosen on cards of a capability.

    Examples
    --------
    >>> runs_on("wgmma_gemm", (9, 0)), runs_on("wgmma_gemm", (10, 0))
    (True, False)
    """
    if family in ONLY_CAPABILITY:
        return capability == ONLY_CAPABILITY[family]
    return capability >= LEAST_CAPABILITY.get(family, capability)


def units_for(family: str, types: Iterable[str]) -> list[Unit]:
    """Return a family's units for element types, each once."""
    wanted = set(types)
    found = [unit for key, unit in FAMILIES[family].items() if wanted & set(key.split(","))]
    return list(dict.fromkeys(found))


def every_unit(family: str) -> list[Unit]:
    """Return all of a family's units, each once."""
    return list(dict.fromkeys(FAMILIES[family].values()))
