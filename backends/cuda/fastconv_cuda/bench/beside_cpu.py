"""``python -m fastconv_cuda.bench.beside_cpu``: this machine's CPU, its GPU, and the way between.

Forward passes in float32, and what a cached call costs the host beside its kernels.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np

from fastconv.backend import Policy
from fastconv.testing.networks import Layer
from fastconv_cuda.backend import BACKEND
from fastconv_cuda.bench.contenders import WORKSPACE
from fastconv_cuda.bench.layers import LAYERS, problem
from fastconv_cuda.bench.report import geomean
from fastconv_cuda.device import Device
from fastconv_cuda.host import HOST_BACKEND

_ROUNDS, _CALLS = 5, 100


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds of one layer: on the CPU, on the GPU, and there with copies there and back."""

    layer: str
    cpu: float
    gpu: float
    moved: float


def timed(work: Callable[[], object]) -> float:
    """Return the median seconds of some rounds, after one that counts for nothing."""
    found = []
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return median(found[1:])


def call_of(layer: Layer, *arrays: object) -> Callable[[], object]:
    """Return a user's own call of a layer: a contender, as PyTorch is beside cuDNN."""
    function = getattr(importlib.import_module("fastconv"), f"conv{len(layer.kernel)}d")
    options = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    return lambda: function(*arrays, **options)


def measured(name: str, layer: Layer, device: Device) -> Row:
    """Measure a layer three times over."""
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(s, np.float32) for s in (layer.x, layer.weight))
    y = np.empty(layer.y, np.float32)
    wanted = problem(layer, "conv_forward", "float32", "cuda:0", last=False)
    policy = Policy(device="cuda", workspace_limit=WORKSPACE)
    plan = BACKEND.plan(wanted, BACKEND.decide(wanted, policy)[0])
    there = [device.empty(array.shape, "float32") for array in (x, weight, y)]
    for array, copy in zip((x, weight), there, strict=False):
        device.upload(array, copy)
    size = plan.workspace_bytes
    workspace = plan.empty((size,), "uint8") if size else None

    def on_gpu() -> None:
        plan.run(there[:2], there[2:], workspace)
        device.wait(None)

    moving = HOST_BACKEND.plan(wanted, HOST_BACKEND.decide(wanted, policy)[0])
    return Row(
        name,
        timed(call_of(layer, x, weight)),
        timed(on_gpu),
        timed(lambda: moving.run((x, weight), (y,), None)),
    )


def call_seconds(device: Device) -> float:
    """Return what a cached call of a tiny layer costs the host, kernels left to themselves."""
    layer = Layer((1, 16, 8, 8), 16, (3, 3), 1, 1)
    call = call_of(layer, *(device.empty(s, "float32") for s in (layer.x, layer.weight)))
    found = []
    for _ in range(_ROUNDS + 1):
        device.wait(None)
        start = time.perf_counter()
        for _ in range(_CALLS):
            call()
        found.append((time.perf_counter() - start) / _CALLS)
    return min(found[1:])


def markdown(rows: Sequence[Row], call: float, heading: str) -> str:
    """Return the tables as a section of docs/gpu-results.md."""
    gain = geomean(row.cpu / row.gpu for row in rows)
    moved = geomean(row.cpu / row.moved for row in rows)
    lines = [
        f"## {heading}",
        "",
        f"Forward, float32: the GPU is {gain:.1f} times as fast as the CPU, {moved:.1f} times with "
        f"copies there and back (geomeans). A cached call costs the host {call * 1e6:.1f} us.",
        "",
        "| layer | CPU, us | GPU, us | with copies, us | CPU / GPU | CPU / with copies |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = " | ".join(f"{t * 1e6:.0f}" for t in (row.cpu, row.gpu, row.moved))
        ratios = f"{row.cpu / row.gpu:.1f} | {row.cpu / row.moved:.2f}"
        lines.append(f"| {row.layer} | {times} | {ratios} |")
    return "\n".join([*lines, ""])


def all_rows(minutes: float, device: Device) -> Iterator[Row]:
    """Measure layers, as far as time allows."""
    stop = time.monotonic() + 60 * minutes
    for name, layer in LAYERS.items():
        if time.monotonic() > stop:
            print("out of time: the rest is left out (--minutes)", file=sys.stderr)
            return
        try:
            yield measured(name, layer, device)
        except Exception as error:  # one layer's failure must not lose the others' times
            print(f"{name}: {error}", file=sys.stderr)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    name = "python -m fastconv_cuda.bench.beside_cpu"
    parser = argparse.ArgumentParser(name, description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="stop after so many")
    parser.add_argument("--write", type=Path, help="append the table to this file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run; return the process's status."""
    parser = argparse.ArgumentParser(
        "python -m fastconv_cuda.bench.beside_cpu", description=__doc__
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="stop after so many")
    parser.add_argument("--write", type=Path, help="append the table to this file")
    asked = parser.parse_args(arguments)
    if not BACKEND.devices:
        print(f"nothing to measure: {BACKEND.found.reason}", file=sys.stderr)
        return 1
    device = BACKEND.devices["cuda:0"]
    call = call_seconds(device)
    rows = list(all_rows(asked.minutes, device))
    if not rows:
        return 1
    text = markdown(rows, call, f"{date.today()}: {device.card.name} beside this machine's CPU")
    print(text)
    if asked.write is not None:
        with asked.write.open("a", encoding="utf-8") as file:
            file.write("\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
