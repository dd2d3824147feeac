"""``python -m asv_bench``: fastconv and the textbook's layers in one run, interleaved."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from asv_bench.benchmarks import mnist_net

IMAGES = 10_000
ROUNDS = 3
RUNS: dict[str, Callable[..., Any]] = {
    "textbook": mnist_net.by_textbook,
    "textbook, dtype kept": mnist_net.by_textbook_kept,
    "fastconv": mnist_net.by_fastconv,
}


def once(run: Callable[..., Any], x: Any, layers: Any) -> float:
    """Return the seconds of one forward pass over all images, in batches."""
    started = time.perf_counter()
    for start in range(0, IMAGES, mnist_net.BATCH):
        run(x[start : start + mnist_net.BATCH], layers)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    table = Table(title=f"Six 3x3 convolutions, {IMAGES} images, median of {ROUNDS} rounds")
    for heading in ("dtype", "layers", "time", "fastconv is faster by"):
        table.add_column(heading, justify="right")
    for dtype in ("float32", "float64"):
        x, layers = mnist_net.images(IMAGES, dtype), mnist_net.parameters(dtype)
        rounds = [[once(run, x, layers) for run in RUNS.values()] for _ in range(ROUNDS)]
        for number, name in enumerate(RUNS):
            seconds = statistics.median(times[number] for times in rounds)
            ratio = statistics.median(times[number] / times[-1] for times in rounds)
            table.add_row(dtype, name, f"{seconds:.2f} s", f"{ratio:.1f} x")
    Console().print(table)


if __name__ == "__main__":
    main()
