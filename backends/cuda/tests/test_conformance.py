"""The backend passes fastconv's conformance kit, its kernels run on the CPU.

Launches take turns in the order of their threads, so that the kit's second run of everything,
which must give the same bits, is one in reverse.
"""

from __future__ import annotations

import pytest
from simt.plugin import SIMULATED

from fastconv.testing import (
    all_cases,
    case_named,
    check_case,
    check_memory,
    check_precisions,
    check_unknown_operation,
    is_available,
)

CASES = [case for case in all_cases() if is_available(case)]
QUICK = [case for case in CASES if not case.slow]
# Cases whose sums no kernel of this backend takes, and why.
DECLINED: dict[str, str] = {}
SLOW_BUT_SMALL = [case for case in CASES if case.slow and "large-kernel" not in case.name]

pytestmark = pytest.mark.simulated


@pytest.mark.parametrize("case", QUICK, ids=[case.name for case in QUICK])
def test_case(case):
    outcome = check_case(SIMULATED, case)
    assert outcome.ran or outcome.reasons == (DECLINED[case.name],)


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW_BUT_SMALL, ids=[case.name for case in SLOW_BUT_SMALL])
def test_large_case(case):
    assert check_case(SIMULATED, case).ran


@pytest.mark.parametrize(
    "name",
    [
        f"{operation}-{dtype}"
        for operation in (
            "conv_forward-grouped-strided",
            "conv_forward-long-sum",
            "conv_input_grad-grouped-strided",
            "conv_weight_grad-grouped-strided",
            "linear_forward-plain",
        )
        for dtype in ("float16", "float32", "float64", "complex64")
    ],
)
def test_every_precision_keeps_its_word(name):
    check_precisions(SIMULATED, case_named(name))


@pytest.mark.parametrize(
    "name",
    ["conv_forward-resnet-strided-float32", "im2col-large-float64", "avg_pool-large-float16"],
)
def test_workspace_is_all_it_takes(name):
    check_memory(SIMULATED, case_named(name))


def test_an_unknown_operation_is_declined():
    check_unknown_operation(SIMULATED)
