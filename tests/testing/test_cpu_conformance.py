"""The built-in backend has no privileges: it passes the same kit."""

from __future__ import annotations

import pytest


def declined(result):
    section = result.stdout.partition("fastconv backend 'cpu'")[2]
    return section.partition("declined:")[2].partition("\n=")[0]


def test_the_cpu_backend_passes_and_declines_nothing(run_kit):
    result = run_kit("--fastconv-backend", "cpu")
    assert result.returncode == 0, result.stdout[-20000:]
    assert declined(result).strip().startswith("nothing"), declined(result)


@pytest.mark.slow
def test_the_cpu_backend_passes_the_large_cases(run_kit):
    result = run_kit("--fastconv-backend", "cpu", "--fastconv-slow")
    assert result.returncode == 0, result.stdout[-20000:]
    assert declined(result).strip().startswith("nothing"), declined(result)
