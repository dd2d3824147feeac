"""One configuration, measured in a process of its own: JSON lines out, a message each.

``python -m asv_bench.worker CONFIGURATION``, the configuration as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from asv_bench.cases import Case, Operands, Pass, all_cases, operands
from asv_bench.libraries import Library, opened
from asv_bench.options import Configuration
from asv_bench.rules import Measurement
from asv_bench.timing import Call, interleaved

# Slow layers get fewer rounds: so many seconds for all contenders of a layer and pass.
MOST_SECONDS = 3.0
Send = Callable[..., None]


def measure_layers(
    configuration: Configuration, libraries: tuple[Library, ...], send: Send
) -> None:
    """Measure every layer and pass that is wanted."""
    itemsize = 8 if configuration.dtype == "float64" else 4
    wanted = [case for case in all_cases() if case.name in configuration.layers]
    for number, case in enumerate(wanted):
        send("progress", f"{case.name} ({number + 1} of {len(wanted)})")
        calls = _calls(case, operands(case, configuration.dtype), libraries, send)
        for which in configuration.passes:
            if which not in calls:
                continue
            times = interleaved(calls[which], configuration.rounds, MOST_SECONDS)
            seconds = {name: statistics.median(taken) for name, taken in times.items()}
            rounds = min(map(len, times.values()))
            flops, size = case.flops(which), case.bytes(which, itemsize)
            found = Measurement(case.name, which, seconds, flops, size, rounds)
            send("measurement", asdict(found))


def _calls(
    case: Case, arrays: Operands, libraries: tuple[Library, ...], send: Send
) -> dict[Pass, dict[str, Call]]:
    """Return the contenders' calls by pass; one that can't, says why and is left out."""
    found: dict[Pass, dict[str, Call]] = {}
    for library in libraries:
        try:
            calls = library.calls(case, arrays)
        except (RuntimeError, NotImplementedError) as error:
            reason = str(error).strip().partition("\n")[0]
            send("note", f"{case.name}: {library.name} is left out: {reason}")
            continue
        for which, named in calls.items():
            found.setdefault(which, {}).update(named)
    return found


def measure(configuration: Configuration, send: Send) -> None:
    """Measure everything that a configuration wants."""
    from asv_bench import (
        channels_last,
        few_bits,
        memory,
        network,
        overhead,
        precisions,
        quiet,
        roofline,
    )

    watch = quiet.Watch()
    with opened(configuration, lambda text: send("note", text)) as libraries:
        send("versions", {library.name: library.version for library in libraries})
        if "layers" in configuration.parts:
            send("progress", "the machine's peak and bandwidth")
            send("roofline", asdict(roofline.measured(configuration)))
            measure_layers(configuration, libraries, send)
        if "network" in configuration.parts:
            send("progress", "six convolutions on MNIST")
            send("network", network.measured(configuration))
        if "overhead" in configuration.parts:
            send("progress", "a call's overhead")
            send("overhead", overhead.measured(libraries))
        if "precisions" in configuration.parts:
            say, note = partial(send, "progress"), partial(send, "note")
            send("precisions", precisions.measured(configuration, say, note))
        if "few_bits" in configuration.parts:
            say = partial(send, "progress")
            send("few_bits", few_bits.measured(configuration, say))
        if "channels_last" in configuration.parts:
            say, note = partial(send, "progress"), partial(send, "note")
            send("channels_last", channels_last.measured(configuration, say, note))
        if "memory" in configuration.parts:
            say = partial(send, "progress")
            send("memory", memory.measured(configuration, say))
    disturbed = watch.note()
    if disturbed:
        send("note", disturbed)


def main() -> None:
    """Read the configuration, measure, and tell the parent process line by line."""
    raw: dict[str, Any] = json.loads(sys.argv[1])
    for name in ("layers", "passes", "parts"):
        raw[name] = tuple(raw[name])
    # Libraries may print: only this process's own messages go to the parent.
    with os.fdopen(os.dup(1), "w") as out, contextlib.redirect_stdout(sys.stderr):
        os.dup2(2, 1)

        def send(kind: str, value: object) -> None:
            print(json.dumps([kind, value]), file=out, flush=True)

        warnings.simplefilter("ignore")
        measure(Configuration(**raw), send)


if __name__ == "__main__":
    main()
