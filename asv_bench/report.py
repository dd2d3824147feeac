"""A run on the terminal: a table for each pass, losers first."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from asv_bench import channels_last
from asv_bench.cases import Pass, all_cases
from asv_bench.few_bits import LEAST, SINGLE
from asv_bench.names import ONNX, OWN, PREPARED, TORCH
from asv_bench.overhead import KERNEL
from asv_bench.precisions import RATIOS, is_bound_by_arithmetic, ratio
from asv_bench.record import Record
from asv_bench.rules import Measurement, compare, geomean, goal_of

TITLES: dict[Pass, str] = {
    "forward": "Forward",
    "input_grad": "Input gradient",
    "weight_grad": "Weight gradient",
    "both_grads": "Input + weight gradient",
}
_COLUMNS = {
    OWN: "fastconv\nms",
    PREPARED: "prepared\nms",
    TORCH[0]: "PyTorch\nms",
    TORCH[1]: "channels\nlast ms",
    ONNX: "ONNX\nRuntime ms",
}
_SHORT = {TORCH[0]: "PyTorch", TORCH[1]: "ch. last", ONNX: "ONNX"}
_WORTH_A_LOOK, _GOOD, _BAD = "yellow", "green", "bold red"


def show(record: Record, console: Console) -> None:
    """Print everything that a configuration's record holds."""
    configuration = record.configuration
    console.rule(f"[bold]{headline(record)}", align="left")
    for note in dict.fromkeys(record.notes):
        console.print(f"note: {note}", style="dim", highlight=False, markup=False)
    if record.roofline and record.roofline.flops:
        console.print(
            f"measured peak {record.roofline.flops / 1e9:.0f} GFLOP/s, memory "
            f"{record.roofline.bandwidth / 1e9:.1f} GB/s",
            highlight=False,
        )
    for which in configuration.passes:
        if record.of(which):
            _show_pass(record, which, console)
    if record.network:
        _show_network(record.network, console)
    if record.overhead:
        _show_overhead(record.overhead, console)
    if record.precisions:
        _show_precisions(record.precisions, console)
    if record.few_bits:
        _show_few_bits(record.few_bits, console)
    if record.channels_last:
        _show_channels_last(record.channels_last, console)
    if record.memory:
        _show_memory(record.memory, console)


def headline(record: Record) -> str:
    """Return what was measured, in words."""
    configuration = record.configuration
    threads = f"{configuration.threads} thread" + "s" * (configuration.threads > 1)
    isa = f", at most {configuration.isa}" if configuration.isa else ""
    layout = ", fastconv channels last" if configuration.channels_last else ""
    malloc = "" if configuration.keep_freed else ", the system's allocator"
    return f"{configuration.dtype}, {threads}{isa}{layout}{malloc}"


def _table(*headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left", no_wrap=True)
    return table


def _show_pass(record: Record, which: Pass, console: Console) -> None:
    console.print(f"\n[bold]{TITLES[which]}[/], losers first")
    measured = record.of(which)
    columns = [name for name in _COLUMNS if any(name in m.seconds for m in measured)]
    headings = [_COLUMNS[name] for name in columns]
    table = _table("layer", *headings, "ratio", "against", "GFLOP/s", "roof\n%")
    order = list(record.ratios(which))
    measured.sort(key=lambda m: order.index(m.layer) if m.layer in order else len(order))
    for measurement in measured:
        table.add_row(*_row(record, measurement, columns))
    console.print(table)
    console.print(summary(record, which))


def _row(record: Record, measurement: Measurement, columns: list[str]) -> list[str]:
    duel = compare(measurement)
    own = min(measurement.seconds[name] for name in (OWN, PREPARED) if name in measurement.seconds)
    roof = record.roofline.share(measurement, own) if record.roofline else None
    cells = []
    for name in columns:
        cell = milliseconds(measurement.seconds.get(name))
        cells.append(f"[bold]{cell}[/]" if duel and name in (duel.own, duel.rival) else cell)
    return [
        measurement.layer,
        *cells,
        _coloured(duel.ratio) if duel else "",
        _SHORT[duel.rival] if duel else "",
        f"{measurement.flops / own / 1e9:.0f}",
        "" if roof is None else f"{100 * roof:.0f}",
    ]


def milliseconds(seconds: float | None) -> str:
    """Return three digits, in milliseconds.

    >>> milliseconds(0.0123456), milliseconds(0.00000123), milliseconds(1.5), milliseconds(None)
    ('12.3', '0.00123', '1500', '')
    """
    if seconds is None:
        return ""
    value = seconds * 1e3
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(digits, 0)}f}"


def _coloured(ratio: float, goal: float = 1.0, least: float = 0.9) -> str:
    colour = _GOOD if ratio >= goal else _WORTH_A_LOOK if ratio >= least else _BAD
    return f"[{colour}]{ratio:.2f}[/]"


def summary(record: Record, which: Pass) -> str:
    """Return geometric mean and slowest layer beside their goals, with rich's markup."""
    ratios = record.ratios(which)
    if not ratios:
        return "nobody to compare with"
    goal = goal_of(which, record.configuration.dtype, record.configuration.isa)
    mean, (slowest, least) = geomean(ratios.values()), next(iter(ratios.items()))
    lost = sum(ratio < 1 for ratio in ratios.values())
    text = (
        f"geometric mean {_coloured(mean, goal.geomean, goal.geomean_least)} "
        f"(goal {goal.geomean}, least {goal.geomean_least}), slowest {_coloured(least)} {slowest}"
    )
    if goal.slowest:
        text += f" (goal {goal.slowest}, least {goal.slowest_least})"
    return f"{text}; {lost} of {len(ratios)} lost"


def _show_network(network: Mapping[str, float], console: Console) -> None:
    console.print("\n[bold]Six 3x3 convolutions on MNIST[/], forward, 1000 images")
    table = _table("layers", "ms", "fastconv is\nfaster by")
    for name, seconds in sorted(network.items(), key=lambda pair: pair[1]):
        ratio = seconds / network[OWN]
        table.add_row(name, milliseconds(seconds), "" if name == OWN else _coloured(ratio))
    console.print(table)


def _show_overhead(overhead: Mapping[str, float], console: Console) -> None:
    console.print("\n[bold]A call's overhead[/]: 3x3 on one 4x4 image, cached")
    table = _table("call", "us")
    for name, seconds in overhead.items():
        if name != KERNEL:
            table.add_row(name, f"{seconds * 1e6:.2f}")
    if KERNEL in overhead:
        beyond = overhead[OWN] - overhead[KERNEL]
        table.add_row("fastconv beyond its kernel", f"{beyond * 1e6:.2f}", style="bold")
    console.print(table)


def _show_precisions(precisions: Mapping[str, Mapping[str, float]], console: Console) -> None:
    console.print("\n[bold]Precisions[/], forward: how many times faster; * bound by arithmetic")
    bound = {case.name for case in all_cases() if is_bound_by_arithmetic(case)}
    contenders = list(dict.fromkeys(name for found in precisions.values() for name in found))
    headings = [f"{slower}\n/ {faster}" for slower, faster, _, _ in RATIOS]
    table = _table("layer", *(f"{name.replace(' ', chr(10))}\nms" for name in contenders))
    duels = _table("layer", *headings)
    for layer, found in precisions.items():
        name = f"{layer}{'*' if layer in bound else ''}"
        table.add_row(name, *(milliseconds(found.get(contender)) for contender in contenders))
        duels.add_row(name, *(_cell(found, *four, layer in bound) for four in RATIOS))
    for title, layers in (("all", list(precisions)), ("*", [n for n in precisions if n in bound])):
        means = [geomean(_known(precisions, layers, *four[:2])) for four in RATIOS]
        duels.add_row(f"geometric mean, {title}", *(f"{mean:.2f}" for mean in means), style="bold")
    console.print(table)
    console.print(duels)


def _known(
    precisions: Mapping[str, Mapping[str, float]], layers: list[str], slower: str, faster: str
) -> list[float]:
    found = [ratio(precisions[layer], slower, faster) for layer in layers]
    return [value for value in found if value > 0]


def _cell(
    found: Mapping[str, float], slower: str, faster: str, least: float, goal: float, bound: bool
) -> str:
    value = ratio(found, slower, faster)
    if not value > 0:
        return ""
    return _coloured(value, goal, least) if bound else f"{value:.2f}"


def _show_few_bits(few_bits: Mapping[str, Mapping[str, float]], console: Console) -> None:
    formats = list(dict.fromkeys(name for found in few_bits.values() for name in found))[1:]
    console.print(f"\n[bold]Fewer bits beside float32[/]: how many times faster, least {LEAST}")
    table = _table("what", "float32\nms", *formats)
    gained: dict[str, list[float]] = {name: [] for name in formats}
    for what, found in few_bits.items():
        ratios = {name: found[SINGLE] / found[name] for name in formats if name in found}
        for name, value in ratios.items():
            gained[name].append(value)
        cells = [_coloured(ratios[name], 1, LEAST) if name in ratios else "" for name in formats]
        table.add_row(what, milliseconds(found[SINGLE]), *cells)
    means = [f"{geomean(gained[name]):.2f}" for name in formats]
    table.add_row("geometric mean", "", *means, style="bold")
    console.print(table)


def _show_channels_last(passes: channels_last.Found, console: Console) -> None:
    console.print(
        "\n[bold]Channels last[/]: how many times faster fastconv is than PyTorch in that format, "
        f"and fewer bits than float32, least {LEAST}"
    )
    for which, layers in passes.items():
        if not layers:
            continue
        ratios = {layer: channels_last.ratios(found) for layer, found in layers.items()}
        names = list(dict.fromkeys(name for found in ratios.values() for name in found))
        table = _table(TITLES[which].lower(), "fastconv\nms", *names)
        for layer, found in ratios.items():
            cells = [_coloured(found[name], 1, LEAST) if name in found else "" for name in names]
            table.add_row(layer, milliseconds(layers[layer][OWN]), *cells)
        means = [geomean(f[name] for f in ratios.values() if name in f) for name in names]
        table.add_row("geometric mean", "", *(f"{mean:.2f}" for mean in means), style="bold")
        console.print(table)


def _show_memory(memory: Mapping[Pass, Mapping[str, Mapping[str, int]]], console: Console) -> None:
    for which, layers in memory.items():
        console.print(
            f"\n[bold]Peak memory, {TITLES[which].lower()}[/], beyond what a call is given"
        )
        libraries = list(dict.fromkeys(name for found in layers.values() for name in found))
        table = _table("layer", *(f"{name}\nMiB" for name in libraries))
        for layer, found in layers.items():
            cells = [f"{found[name] / 2**20:.1f}" if name in found else "" for name in libraries]
            table.add_row(layer, *cells)
        console.print(table)
