"""Run the command line as a user does, in this process."""

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from fastconv.cli.app import build_app


@pytest.fixture
def run() -> Callable[..., Any]:
    """A function that runs one command line, wide enough for tables to keep their lines whole."""

    def invoke(*arguments: str, points: Any = (), **environment: str) -> Any:
        runner = CliRunner(env={"COLUMNS": "240", "NO_COLOR": "1"} | environment)
        return runner.invoke(build_app(points), list(arguments), catch_exceptions=False)

    return invoke
