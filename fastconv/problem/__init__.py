"""Problems: what a backend is asked to compute, as frozen values.

A problem describes arrays in *logical* order, (N, C, spatial...) whatever the layout: a
channels-last array shows in its strides. Operands of one problem share one dtype, in native
byte order; indices are int64, and an IntegerConvProblem says what its operands are. Spatial
parameters are tuples with an entry per spatial axis.
"""

from fastconv.problem.base import IntArray, Ints, Operand, Pairs, Problem
from fastconv.problem.columns import ColumnsProblem
from fastconv.problem.convolution import BiasProblem, ConvProblem
from fastconv.problem.dense import GemmProblem
from fastconv.problem.integer import IntegerConvProblem
from fastconv.problem.pooling import PoolProblem, Window

ANY_PROBLEM = (
    ConvProblem,
    IntegerConvProblem,
    BiasProblem,
    ColumnsProblem,
    GemmProblem,
    PoolProblem,
)
OPERATIONS: tuple[str, ...] = tuple(name for kind in ANY_PROBLEM for name in kind.OPERATIONS)

__all__ = [
    "ANY_PROBLEM",
    "OPERATIONS",
    "BiasProblem",
    "ColumnsProblem",
    "ConvProblem",
    "GemmProblem",
    "IntArray",
    "IntegerConvProblem",
    "Ints",
    "Operand",
    "Pairs",
    "PoolProblem",
    "Problem",
    "Window",
]
