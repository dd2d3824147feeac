"""Arrays of fewer bits than a sum's: what our kernels make of their channels.

Kernels copy a source into items of 32 bits: a float32 that a float16 or bfloat16 was widened to, or
two channels' bfloat16, or two or four channels' bytes, whatever the processor multiplies and adds
at once. To plans and models such a convolution is one of items, of fewer channels.
"""

from __future__ import annotations

from fastconv.backend import Policy
from fastconv.cpu.candidate import arithmetic, why_not_as_it_is
from fastconv.cpu.cuts import ceil_div
from fastconv.cpu.isa import active, core
from fastconv.cpu.plans import ROUNDED_AS, itemsize
from fastconv.problem import Problem

HALVES = ("float16", "bfloat16")
# What float32 may be rounded to, and stay float32.
ROUNDED = ("tf32", *HALVES)
NARROW = (*ROUNDED, "int8")
_ITEM_BYTES = 4


def operands_dtype(problem: Problem) -> str:
    """Return the dtype that kernels multiply: that of the inputs, or what they are rounded to."""
    return problem.inputs[0].dtype.removeprefix(ROUNDED_AS)


def rounds(problem: Problem) -> bool:
    """Whether operands are float32, and rounded as they are read."""
    return problem.inputs[0].dtype.startswith(ROUNDED_AS)


def rounding_of(problem: Problem, policy: Policy) -> str:
    """Return what kernels that can do so round float32 operands to as they read them, or ""."""
    single = problem.dtype == operands_dtype(problem) == "float32"
    return str(policy.precision) if single and policy.precision in ROUNDED else ""


def sums_of(problem: Problem, policy: Policy) -> tuple[str, str, str]:
    """Return what operands are rounded to as they are read, or "", the dtype of sums, why not."""
    rounding = rounding_of(problem, policy)
    return rounding, *(("float32", "") if rounding else arithmetic(problem, policy))


def why_mixed(problem: Problem) -> str:
    """Return why kernels can't take a problem whose results are of another dtype than operands."""
    given = operands_dtype(problem)
    same = given == problem.dtype
    return "" if same else f"{problem.dtype} results of {given} operands aren't served"


def target_bytes(problem: Problem) -> int:
    """Return the bytes of a result's item, 0 where they are an operand's."""
    return itemsize(problem.dtype) if problem.dtype != operands_dtype(problem) else 0


def item_sizes(problem: Problem) -> dict[str, int]:
    """Return what the core is told of items of memory."""
    return {"target_size": target_bytes(problem), "rounds": rounds(problem)}


def why_not(problem: Problem, dtype: str) -> str:
    """Return why products of our own can't take sums in `dtype` of a problem's operands."""
    if operands_dtype(problem) in ROUNDED and dtype == "float32":
        return ""
    return why_not_as_it_is(problem, dtype)


def item_bytes(dtype: str) -> int:
    """Return the bytes of an item that kernels copy arrays of a dtype to."""
    return _ITEM_BYTES if dtype in NARROW else itemsize(dtype)


def items_of(channels: int, dtype: str) -> int:
    """Return the items that a pixel's channels make."""
    assert core is not None
    return ceil_div(channels, core.item_channels(dtype))


def products_at_once(dtype: str) -> int:
    """Return the products of an item, which take as long as one of float32."""
    assert core is not None
    return int(core.item_channels(dtype))


def rate_dtype(dtype: str) -> str:
    """Return the floating dtype whose vectors take as many items, at so many a cycle."""
    return "float32" if dtype in NARROW else dtype


def flushes(dtype: str) -> bool:
    """Whether kernels at the level in use take numbers below the smallest normal one for 0."""
    assert core is not None
    return dtype == "bfloat16" and core.item_channels(dtype) > 1


def described(dtype: str) -> str:
    """Return what kernels work with, for people to read."""
    assert core is not None
    each = core.item_channels(dtype)
    if dtype in HALVES and each == 1:
        return f"{active()} kernels, widening {dtype} to float32 on the way,"
    if dtype == "tf32":
        return f"{active()} kernels, rounding to tf32 on the way,"
    if dtype == "int8":
        return f"{active()} kernels, {'bytes in fours' if each == 4 else 'bytes widened in pairs'},"
    return f"{active()} kernels{', bfloat16 in pairs,' if each == 2 else ''}"
