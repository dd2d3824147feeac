"""The pytest plugin of the conformance kit: ``-p fastconv.testing.plugin``.

It adds ``--fastconv-backend NAME`` and ``--fastconv-slow``, and reports at the end what the
backend declined, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastconv.backend import Backend
from fastconv.registry import REGISTRY
from fastconv.testing.checks import Outcome

CONFORMANCE = Path(__file__).parent / "conformance"
RAN, DECLINED = "fastconv ran", "fastconv declined"
_USAGE = (
    "python -m pytest -p fastconv.testing.plugin --pyargs fastconv.testing.conformance "
    "--fastconv-backend NAME"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's options."""
    group = parser.getgroup("fastconv", "fastconv's conformance kit")
    group.addoption("--fastconv-backend", metavar="NAME", help="name of the backend to test")
    group.addoption(
        "--fastconv-slow", action="store_true", help="run the large cases of the catalogue too"
    )


def backend_named(name: str) -> Backend:
    """Return an installed backend that is usable here.

    Raises
    ------
    pytest.UsageError
        If there is none of that name, or it can't work here.
    """
    entry = REGISTRY.get(name)
    if entry is None:
        installed = ", ".join(f"{entry.name} ({entry.status})" for entry in REGISTRY.all())
        raise pytest.UsageError(
            f"--fastconv-backend: got {name!r}, expected the name of an installed backend: "
            f"{installed}"
        )
    if entry.backend is None or entry.status != "ready":
        raise pytest.UsageError(
            f"--fastconv-backend: backend {name!r} is {entry.status}: {entry.reason}"
        )
    return entry.backend


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to run the conformance tests without a backend that works here."""
    if not any(CONFORMANCE in item.path.parents for item in items):
        return
    name = config.getoption("--fastconv-backend")
    if not name:
        raise pytest.UsageError(
            f"the conformance tests need a backend's name: --fastconv-backend NAME.\n  {_USAGE}"
        )
    backend_named(name)


@pytest.fixture(scope="session")
def fastconv_backend(request: pytest.FixtureRequest) -> Backend:
    """Return the backend that ``--fastconv-backend`` names."""
    return backend_named(request.config.getoption("--fastconv-backend"))


def settle(outcome: Outcome, item: pytest.Item) -> None:
    """Keep a case's outcome for the summary; skip the test if nothing took the case."""
    for label in outcome.ran:
        item.user_properties.append((RAN, label))
    if not outcome.ran:
        reason = "; ".join(outcome.reasons)
        item.user_properties.append((DECLINED, reason))
        pytest.skip(f"declined: {reason}")


def _kept(terminalreporter: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield what :func:`settle` kept of each case."""
    # Through the reports, so that it works under pytest-xdist as well.
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                kept = [pair for pair in report.user_properties if pair[0] in (RAN, DECLINED)]
                if kept:
                    yield kept


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what ran, and each reason for declining with the number of its cases."""
    cases = list(_kept(terminalreporter))
    if not cases:
        return
    ran = Counter(value for kept in cases for key, value in kept if key == RAN)
    declined = Counter(value for kept in cases for key, value in kept if key == DECLINED)
    write = terminalreporter.write_line
    terminalreporter.section(f"fastconv backend {config.getoption('--fastconv-backend')!r}")
    write(f"took {len(cases) - declined.total()} of {len(cases)} cases, by")
    for label, count in ran.most_common():
        write(f"  {count:5} x  {label}")
    write("declined:" if declined else "declined: nothing")
    for reason, count in declined.most_common():
        write(f"  {count:5} x  {reason}")
