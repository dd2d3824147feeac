"""Errors and warnings that fastconv raises beyond ValueError and TypeError."""

from __future__ import annotations


class UnsupportedError(NotImplementedError):
    """No allowed backend serves this call; the message lists each one's reason."""


class WorkspaceLimitError(MemoryError):
    """Nothing that can serve this call fits within its ``workspace_limit``."""


class PerformanceWarning(UserWarning):
    """A call is right but far slower than it could be; given once per problem."""


class BackendWarning(UserWarning):
    """A backend plugin was skipped; ``fastconv.backends()`` keeps the reason."""


def bad_argument(
    function: str, argument: str, *, got: object, expected: str, hint: str = ""
) -> str:
    """Compose the one form that every message about an argument has."""
    message = f"{function}: {argument}: got {got}, expected {expected}"
    return f"{message}. {hint}" if hint else message
