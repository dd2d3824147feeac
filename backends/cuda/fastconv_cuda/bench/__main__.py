"""Measure, print, and write the results down."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from fastconv.testing.networks import Layer
from fastconv_cuda.backend import BACKEND
from fastconv_cuda.bench.contenders import PRECISIONS, ours, settle, tensors, theirs
from fastconv_cuda.bench.layers import LAYERS, PASSES
from fastconv_cuda.bench.report import Row, markdown, summary
from fastconv_cuda.bench.timing import captured, interleaved
from fastconv_cuda.rates import peak_flops

LAYOUTS = {"NCHW": False, "NHWC": True}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser("python -m fastconv_cuda.bench", description=__doc__)
    parser.add_argument("--layers", default="", help="only layers whose names contain this")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--passes", default=",".join(PASSES))
    parser.add_argument("--algorithm", default="", help="ours by name, not the first choice")
    parser.add_argument("--batch", type=int, help="another batch than the layers' own")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--minutes", type=float, default=8.0, help="stop after so many")
    parser.add_argument("--write", type=Path, help="append the tables to this file")
    return parser.parse_args(arguments)


def measured(
    torch: Any,
    name: str,
    layer: Layer,
    pass_: str,
    precision: str,
    rounds: int,
    algorithm: str = "",
) -> list[Row]:
    """Return a row for each layout of ours; theirs is the better of both."""
    settle(torch, precision)
    graphs: dict[str, tuple[Any, int]] = {}
    decisions = {}
    for layout, last in LAYOUTS.items():
        sets = tensors(torch, layer, precision, last=last)
        work = theirs(torch, layer, pass_, sets, last=last)
        graphs[f"theirs {layout}"] = captured(torch, work, len(sets)), len(sets)
        decisions[layout], work = ours(
            torch, layer, pass_, precision, sets, last=last, algorithm=algorithm
        )
        graphs[f"ours {layout}"] = captured(torch, work, len(sets)), len(sets)
    times = interleaved(torch, graphs, rounds)
    best = min(times[f"theirs {layout}"] for layout in LAYOUTS)
    peak = peak_flops(BACKEND.devices["cuda:0"].card, precision)
    return [
        Row(
            name,
            pass_,
            precision,
            layout,
            decisions[layout].algorithm,
            times[f"ours {layout}"],
            best,
            layer.flops / times[f"ours {layout}"] / peak,
        )
        for layout in LAYOUTS
    ]


def all_rows(torch: Any, asked: argparse.Namespace) -> Iterator[Row]:
    """Measure what was asked for, as far as time allows."""
    stop = time.monotonic() + 60 * asked.minutes
    layers = {name: layer for name, layer in LAYERS.items() if asked.layers in name}
    # All passes of a layer together: where time runs out, each pass has lost the same.
    work = product(asked.precisions.split(","), layers.items(), asked.passes.split(","))
    for precision, (name, layer), pass_ in work:
        if time.monotonic() > stop:
            print("out of time: the rest is left out (--minutes)", file=sys.stderr)
            return
        if asked.batch:
            layer = layer.of(asked.batch)
        try:
            yield from measured(torch, name, layer, pass_, precision, asked.rounds, asked.algorithm)
        except Exception as error:  # one layer's failure must not lose the others' times
            print(f"{name} {pass_} {precision}: {error}", file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Run; return the process's status."""
    asked = options(arguments)
    if not BACKEND.devices:
        print(f"nothing to measure: {BACKEND.found.reason}", file=sys.stderr)
        return 1
    torch = importlib.import_module("torch")
    rows = []
    for row in all_rows(torch, asked):
        rows.append(row)
        print(f"{row.precision:9} {row.pass_:17} {row.layer:24} {row.layout} {row.ratio:6.2f}")
    for precision, pass_, layout, mean, low in summary(rows):
        print(f"{precision:9} {pass_:17} {layout}  geomean {mean:.2f}  lowest {low:.2f}")
    if asked.write is not None and rows:
        card = BACKEND.devices["cuda:0"].card
        versions = f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
        text = markdown(rows, f"{date.today()}: {card.name}, {versions}")
        with asked.write.open("a", encoding="utf-8") as file:
            file.write("\n" + text)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
