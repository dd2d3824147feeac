"""Random convolutions, every algorithm that takes them, on integers, hence exactly."""

from __future__ import annotations

import numpy as np
import pytest
from fastconv_cuda.backend import CudaBackend
from problems import conv_problem, run
from simt.device import simulated

from fastconv.backend import Policy

pytestmark = pytest.mark.simulated

PASSES = ("conv_forward", "conv_input_grad", "conv_weight_grad")
# What is drawn is exact in each of them.
PRECISIONS = {
    "float32": (None, "tf32", "bfloat16"),
    "float16": (None, "bfloat16"),
    "float64": (None, "float16"),
}


def drawn(rng):
    """Return a random convolution with at least one output position."""
    axes = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 2, 4]))
    inner, outer = (int(rng.choice([1, 3, 8, 16])) for _ in range(2))
    kernel = tuple(int(k) for k in rng.integers(1, 4, axes))
    dilation = tuple(int(d) for d in rng.integers(1, 3, axes))
    extents = tuple(
        int(rng.integers((k - 1) * d + 1, (k - 1) * d + 8))
        for k, d in zip(kernel, dilation, strict=True)
    )
    return {
        "x": (int(rng.integers(1, 3)), groups * inner, *extents),
        "w": (groups * outer, inner, *kernel),
        "stride": tuple(int(s) for s in rng.integers(1, 4, axes)),
        "padding": tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (axes, 2))),
        "dilation": dilation,
        "groups": groups,
        "last": bool(rng.integers(2)),
        "dtype": str(rng.choice(list(PRECISIONS))),
    }


@pytest.mark.parametrize("seed", range(30))
def test_every_algorithm_is_exact(seed):
    backend = CudaBackend(simulated)
    device = backend.devices["cuda:0"]
    rng = np.random.default_rng(seed)
    drawn_row = drawn(rng)
    for pass_ in PASSES:
        problem = conv_problem(pass_, **drawn_row)
        for precision in PRECISIONS[drawn_row["dtype"]]:
            decisions = backend.decide(problem, Policy(precision=precision))
            taken = [decision for decision in decisions if decision.can]
            assert taken
            for decision in taken:
                plan = backend.plan(problem, decision)
                for _ in range(2):
                    got, exact = run(plan, device, problem, rng)
                    np.testing.assert_array_equal(got, exact, err_msg=decision.algorithm)
