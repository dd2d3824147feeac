"""``python -m asv_bench``: fastconv and the textbook's layers in one run, interleaved."""

from __future__ import annotations

import statistics
import time

from rich.console import Console
from rich.table import Table

from asv_bench.benchmarks import mnist_net

IMAGES = 10_000
ROUNDS = 5


def once(run: object, x: object, layers: object) -> float:
    """Return the seconds of one forward pass over all images, in batches."""
    started = time.perf_counter()
    for start in range(0, IMAGES, mnist_net.BATCH):
        run(x[start : start + mnist_net.BATCH], layers)  # type: ignore[operator,index]
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    table = Table(title=f"Six 3x3 convolutions, {IMAGES} images, median of {ROUNDS} rounds")
    for heading in ("dtype", "textbook", "fastconv", "ratio"):
        table.add_column(heading, justify="right")
    for dtype in ("float32", "float64"):
        x, layers = mnist_net.images(IMAGES, dtype), mnist_net.parameters(dtype)
        runs = (mnist_net.by_textbook, mnist_net.by_fastconv)
        rounds = [[once(run, x, layers) for run in runs] for _ in range(ROUNDS)]
        textbook, ours = (statistics.median(times) for times in zip(*rounds, strict=True))
        ratio = statistics.median(book / own for book, own in rounds)
        table.add_row(dtype, f"{textbook:.2f} s", f"{ours:.2f} s", f"{ratio:.1f} x")
    Console().print(table)


if __name__ == "__main__":
    main()
