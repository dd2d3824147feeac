"""``python -m asv_bench``: fastconv beside PyTorch and ONNX Runtime, in one run."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from asv_bench import record, report
from asv_bench.options import Configuration, Options, parse

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
# What a table needs; where output goes to a file, nobody knows a width.
WIDTH = 120


def messages(configuration: Configuration) -> Iterator[tuple[str, Any]]:
    """Run a worker process; give its messages as they come."""
    command = [sys.executable, "-m", "asv_bench.worker", json.dumps(asdict(configuration))]
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part)
    environment = os.environ | {"PYTHONPATH": path} | configuration.environment()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kind, value = json.loads(line)
            yield kind, value
    if process.returncode:
        raise SystemExit(f"python -m asv_bench: a worker ended with status {process.returncode}")


@contextmanager
def progress(console: Console) -> Iterator[Any]:
    """Give a function that says what goes on: in one line of a terminal, else a line each."""
    if console.is_terminal:
        with console.status("") as status:
            yield status.update
    else:
        yield lambda text: print(text, file=sys.stderr, flush=True)


def measure(options: Options, console: Console) -> list[record.Record]:
    """Measure every configuration, and print each as soon as it is done."""
    records = []
    for configuration in options.configurations:
        found = record.Record(configuration)
        with progress(console) as say:
            for kind, value in messages(configuration):
                if kind == "progress":
                    say(f"{report.headline(found)}: {value}")
                else:
                    found.take(kind, value)
        report.show(found, console)
        records.append(found)
    return records


def main() -> None:
    """Measure, print, and keep the numbers."""
    options = parse()
    console = Console()
    if not console.is_terminal or console.width < WIDTH:
        console = Console(width=WIDTH)
    records = measure(options, console)
    now = datetime.datetime.now(datetime.UTC)
    path = options.json or RESULTS / f"{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    record.write(path, records, now)
    console.print(f"\nnumbers: {path}", highlight=False)
    if options.figure:
        from asv_bench import figure

        figure.write(options.figure, records)
        console.print(f"figure: {options.figure}", highlight=False)


if __name__ == "__main__":
    main()
