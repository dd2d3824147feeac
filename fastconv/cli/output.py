"""Printing that the commands share."""

from collections.abc import Collection, Iterable
from typing import NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table

Rows = list[tuple[str, str]]


def plain_table(*headers: str, wrapped: Collection[str] = ()) -> Table:
    """A table in the style of all commands; columns in ``wrapped`` may take several lines."""
    table = Table(*headers, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in table.columns:
        column.no_wrap = column.header not in wrapped
        column.overflow = "ellipsis" if column.no_wrap else "fold"
    return table


def print_titled(console: Console, title: str, table: Table) -> None:
    """Print a table under its title, followed by an empty line."""
    # Not as rich's own title: that is wrapped to the table's width.
    console.print(title, style="bold", markup=False, highlight=False)
    console.print(table)
    if table.box is None:
        console.print()


def print_pairs(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values as two columns under a title; nothing where there are none."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        # Values come from files and variables: their brackets are no markup.
        table.add_row(name, value.replace("[", r"\["))
    if table.row_count:
        print_titled(console, title, table)


def fail(command: str, message: object, status: int = 2) -> NoReturn:
    """End with one line on standard error."""
    line = "; ".join(part.strip() for part in str(message).splitlines() if part.strip())
    typer.echo(f"fastconv {command}: {line}", err=True)
    raise typer.Exit(status)


def size(count: float) -> str:
    """Bytes in the largest binary unit that leaves a number of 1 or more.

    >>> size(48 << 10), size(1536), size(25276502016)
    ('48 KiB', '1.5 KiB', '23.5 GiB')
    """
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop()
    return f"{count:.1f}".removesuffix(".0") + f" {units[-1]}"


def duration(seconds: float) -> str:
    """Seconds with three digits in the unit that fits.

    >>> duration(0.0000012), duration(0.0345), duration(12.3456)
    ('1.20 us', '34.5 ms', '12.3 s')
    """
    scales = ((1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns"))
    scale, unit = next((pair for pair in scales if seconds * pair[0] >= 1), scales[-1])
    value = seconds * scale
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"
