"""The conformance kit: cases, a float64 oracle, checks, and a pytest plugin.

For authors of backends. One command tests an installed one::

    python -m pytest -p fastconv.testing.plugin --pyargs fastconv.testing.conformance \
        --fastconv-backend NAME

Only the plugin and the conformance tests need pytest.
"""

from fastconv.testing.cases import Case, Spec, all_cases, case_named, is_available
from fastconv.testing.checks import (
    Outcome,
    accepts,
    check_case,
    check_memory,
    check_precisions,
    check_unknown_operation,
)
from fastconv.testing.measure import ConformanceError
from fastconv.testing.oracle import Expected, solve

__all__ = [
    "Case",
    "ConformanceError",
    "Expected",
    "Outcome",
    "Spec",
    "accepts",
    "all_cases",
    "case_named",
    "check_case",
    "check_memory",
    "check_precisions",
    "check_unknown_operation",
    "is_available",
    "solve",
]
