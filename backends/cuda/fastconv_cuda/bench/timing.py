"""Times of work on the GPU: graphs replayed in turn, medians, buffers that outgrow the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

# More than any card's second-level cache, so that nothing is found there by accident.
ROTATED_BYTES = 256 * 2**20
MOST_COPIES = 64


def copies_for(bytes_each: int) -> int:
    """Return how many sets of arrays are gone through in turn.

    Examples
    --------
    >>> copies_for(100 << 20), copies_for(1 << 30), copies_for(1000)
    (3, 1, 64)
    """
    return max(1, min(MOST_COPIES, -(-ROTATED_BYTES // bytes_each)))


def captured(torch: Any, work: Callable[[int], None], copies: int) -> Any:
    """Return a CUDA graph that does `work` for each set of arrays."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        # Kernels are compiled and algorithms chosen before anything is recorded.
        for _ in range(3):
            work(0)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for copy in range(copies):
            work(copy)
    return graph


def interleaved(torch: Any, graphs: Mapping[str, tuple[Any, int]], rounds: int) -> dict[str, float]:
    """Return each graph's median seconds for one set of arrays, all of them measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in graphs}
    for _ in range(rounds):
        for name, (graph, copies) in graphs.items():
            start = torch.cuda.Event(enable_timing=True)
            end = torch.cuda.Event(enable_timing=True)
            start.record()
            graph.replay()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end) * 1e-3 / copies)
    return {name: median(found) for name, found in times.items()}
