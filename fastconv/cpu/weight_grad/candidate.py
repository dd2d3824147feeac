"""Decide for our own weight gradient: what its pieces take, in bytes and seconds."""

from __future__ import annotations

from math import ceil, prod

from fastconv.backend import Decision, Plan, Policy
from fastconv.cpu import narrow
from fastconv.cpu.candidate import error_bound, precision_name, refused, threads_for, threads_within
from fastconv.cpu.isa import active
from fastconv.cpu.pixels import adjoin
from fastconv.cpu.weight_grad.form import Extents
from fastconv.cpu.weight_grad.pieces import Pieces, choose_pieces, scratch_bytes
from fastconv.cpu.weight_grad.plan import WeightGradPlan
from fastconv.machine import peak_flops
from fastconv.precision import sum_dtype
from fastconv.problem import ConvProblem

# Measured: the share of the peak where tiles are full; bytes read, copied and written in a second.
_PEAK_SHARE = 0.92
_BYTES_PER_SECOND = 15e9
# Where channels lie side by side nothing is transposed.
_BYTES_PER_SECOND_ADJOINING = 40e9


def decide(problem: ConvProblem, policy: Policy, name: str) -> Decision:
    """Accept real problems, none of whose arrays is empty, if their pieces fit the workspace."""
    threads, limit = threads_for(policy), policy.workspace_limit
    extents = Extents.of(problem, limit)
    pieces = choose_pieces(problem, extents, limit)
    if pieces is None:
        return refused(name, f"its smallest pieces exceed {limit} bytes", over_limit=True)
    once, each = scratch_bytes(problem, extents, pieces)
    threads = max(1, threads_within(threads, limit, once, each))
    given, dtype = narrow.operands_dtype(problem), sum_dtype(problem.dtype)
    return Decision(
        True,
        f"{narrow.described(given)} on boxes of outputs",
        name,
        precision_name(dtype),
        error_bound(problem, dtype),
        _seconds(problem, extents, pieces, threads),
        once + each * threads,
        threads=threads,
        flushes=narrow.flushes(given),
        detail=(extents, pieces),
    )


def plan(problem: ConvProblem, decision: Decision) -> Plan:
    """Make it ready to run."""
    assert isinstance(decision.detail, tuple)
    extents, pieces = decision.detail
    return WeightGradPlan(problem, decision.threads, extents, pieces)


def _seconds(problem: ConvProblem, extents: Extents, pieces: Pieces, threads: int) -> float:
    given = narrow.operands_dtype(problem)
    halved = extents.halved(pieces.mates)
    # Items of a line of positions: what halves leave over has items of its own.
    sizes, whole = (halved.images, *halved.out), (extents.images, *extents.out)
    items = prod(
        n - half if axis == pieces.mates else n
        for axis, (n, half) in enumerate(zip(whole, sizes, strict=True))
    )
    rate = _PEAK_SHARE * peak_flops(active(), narrow.rate_dtype(given), threads)
    product = 2 * extents.products(given) * items / rate
    patches = halved.boxes(pieces.images, pieces.box) * pieces.images
    patches *= halved.patch_items(pieces.box) * extents.inner * extents.groups
    patches *= ceil(extents.channels / pieces.channels)
    if extents.taps == 1 and given not in narrow.NARROW:
        patches = 0  # read where they are
    sums = prod(problem.weight.shape) * (1 + pieces.splits)
    copied = patches + items * problem.y.shape[1] + sums
    rate = _BYTES_PER_SECOND_ADJOINING if adjoin(problem) else _BYTES_PER_SECOND
    return float(product + copied * narrow.item_bytes(given) / (rate * threads))
