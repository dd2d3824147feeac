"""The command line: ``fastconv demo | info | backends | explain | float``, and plugins' own.

Nothing here is imported by the rest of fastconv, and typer and rich only when a command runs.
"""

import sys

__all__ = ["main"]

_NEEDS = 'fastconv: the command line needs typer and rich: pip install "fastconv[cli]"'


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit with its status."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("rich", "typer"):
            raise
        sys.exit(_NEEDS)
    from fastconv.cli.app import build_app

    build_app()(prog_name="fastconv")
