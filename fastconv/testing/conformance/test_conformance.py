"""Hold a backend to the contract, case by case."""

from __future__ import annotations

import pytest

from fastconv.backend import Backend
from fastconv.testing.asking import check_info, check_probe
from fastconv.testing.cases import Case, all_cases, case_named, is_available
from fastconv.testing.checks import (
    accepts,
    check_case,
    check_memory,
    check_precisions,
    check_unknown_operation,
)
from fastconv.testing.plugin import settle

# Large enough that a hidden copy of the operands or of all columns stands out.
MEMORY_CASES = (
    "conv_forward-resnet-float32",
    "conv_forward-resnet-float16",
    "conv_forward-mobile-float32",
    "conv_input_grad-resnet-float32",
    "conv_weight_grad-resnet-float32",
    "bias_grad-large-float16",
    "im2col-large-float64",
    "col2im-large-float64",
    "linear_forward-large-float16",
    "max_pool-large-float32",
    "avg_pool-large-float16",
    "avg_pool_backward-large-float32",
)
_CONVOLUTIONS = ("conv_forward-padded", "conv_input_grad-padded", "conv_weight_grad-padded")
_PRODUCTS = ("linear_forward", "linear_input_grad", "linear_weight_grad")
_ADVERSARIAL = ("cancelling", "denormal", "huge-range")
PRECISION_CASES = (
    *(
        f"{operation}-{dtype}"
        for operation in (
            "conv_forward-grouped-strided",
            "conv_forward-long-sum",
            "conv_input_grad-grouped-strided",
            "conv_weight_grad-grouped-strided",
            "linear_forward-plain",
        )
        for dtype in ("float16", "float32", "float64", "complex64")
    ),
    *(
        f"{operation}-{values}-{dtype}"
        for operation in _CONVOLUTIONS + _PRODUCTS
        for values in _ADVERSARIAL
        for dtype in ("float16", "float32")
    ),
    *(
        f"{operation}-{values}-{dtype}"
        for operation in _CONVOLUTIONS
        for values in _ADVERSARIAL
        for dtype in ("bfloat16", "float64")
    ),
    *(
        f"{operation}-special-{dtype}"
        for operation in (*_CONVOLUTIONS[:2], "linear_forward")
        for dtype in ("float16", "float32")
    ),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not metafunc.config.pluginmanager.has_plugin("fastconv.testing.plugin"):
        raise pytest.UsageError("load the kit's plugin: pytest -p fastconv.testing.plugin ...")
    if "case" in metafunc.fixturenames:
        slow = metafunc.config.getoption("--fastconv-slow")
        chosen = [case for case in all_cases() if slow or not case.slow]
        metafunc.parametrize("case", chosen, ids=[case.name for case in chosen])


def test_info_is_whole(fastconv_backend: Backend) -> None:
    check_info(fastconv_backend)


def test_probe_finds_a_device(fastconv_backend: Backend) -> None:
    assert check_probe(fastconv_backend)


def test_an_unknown_operation_is_declined(fastconv_backend: Backend) -> None:
    check_unknown_operation(fastconv_backend)


def test_some_case_is_accepted(fastconv_backend: Backend) -> None:
    quick = [case for case in all_cases() if not case.slow and is_available(case)]
    assert any(accepts(fastconv_backend, case) for case in quick), (
        "it declines every case of the catalogue"
    )


def test_case(fastconv_backend: Backend, case: Case, request: pytest.FixtureRequest) -> None:
    if not is_available(case):
        pytest.skip("bfloat16 needs ml_dtypes: pip install ml_dtypes")
    settle(check_case(fastconv_backend, case), request.node)


@pytest.mark.parametrize("name", PRECISION_CASES)
def test_every_precision_keeps_its_word(fastconv_backend: Backend, name: str) -> None:
    case = case_named(name)
    if not is_available(case):
        pytest.skip("bfloat16 needs ml_dtypes: pip install ml_dtypes")
    check_precisions(fastconv_backend, case)


@pytest.mark.parametrize("name", MEMORY_CASES)
def test_workspace_is_all_it_takes(fastconv_backend: Backend, name: str) -> None:
    check_memory(fastconv_backend, case_named(name))
