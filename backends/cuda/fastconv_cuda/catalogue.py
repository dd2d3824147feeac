"""Every unit that plans may ask for, by kernel family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastconv_cuda.direct import copying, typed
from fastconv_cuda.tiles import gemm_unit, tiles_of, weight_tiles_of, weight_unit
from fastconv_cuda.units import Unit

_REALS = ("float32", "float16", "bfloat16", "float64")
_FLOATS = (*_REALS, "complex64", "complex128")
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


def _weight_gemms(tensor: bool) -> Iterator[tuple[str, Unit]]:
    for types, (dtype, math) in _MATHS.items():
        if tensor is (math != "fma"):
            for tile in weight_tiles_of(dtype, math):
                yield f"{types},{tile.rows}x{tile.columns}", weight_unit(tile, dtype, math)


# For each family its units, by what they are for: one of them in every test run.
FAMILIES: dict[str, dict[str, Unit]] = {
    "direct_conv": _typed("direct_conv.cu", _FLOATS),
    "bias_grad": _typed("bias_grad.cu", _FLOATS),
    "im2col": _copying("im2col.cu"),
    "col2im": _typed("col2im.cu", (*_FLOATS, *_INTEGERS)),
    "max_pool": _typed("max_pool.cu", (*_REALS, *_INTEGERS)),
    "sum_pools": _typed("sum_pools.cu", _FLOATS),
    "lp_pool": _typed("lp_pool.cu", _REALS),
    "unpool": _copying("unpool.cu"),
    "integer_conv": dict(_integer()),
    "pack_weight": _typed("pack_weight.cu", _REALS),
    "reduce_weight": _typed("reduce_weight.cu", _REALS),
    "implicit_gemm_mma": dict(_gemms(tensor=True)),
    "implicit_gemm_fma": dict(_gemms(tensor=False)),
    "weight_gemm_mma": dict(_weight_gemms(tensor=True)),
    "weight_gemm_fma": dict(_weight_gemms(tensor=False)),
}
# Families whose instructions need a card of this capability.
LEAST_CAPABILITY = {"implicit_gemm_mma": (8, 0), "weight_gemm_mma": (8, 0)}
# Tuned kernels: none of their registers may go to memory, and gathers have their own unit for
# arrays that start anywhere.
TUNED = frozenset({"implicit_gemm_mma", "implicit_gemm_fma", "weight_gemm_mma", "weight_gemm_fma"})


def units_for(family: str, types: Iterable[str]) -> list[Unit]:
    """Return a family's units for element types, each once."""
    wanted = set(types)
    found = [unit for key, unit in FAMILIES[family].items() if wanted & set(key.split(","))]
    return list(dict.fromkeys(found))


def every_unit(family: str) -> list[Unit]:
    """Return all of a family's units, each once."""
    return list(dict.fromkeys(FAMILIES[family].values()))
