"""``fastconv backends``: who can compute here, and who can't, and why."""

from rich.console import Console
from rich.markup import escape

from fastconv.cli.output import plain_table, print_titled
from fastconv.registry import Entry


def backends() -> None:
    """List the installed backends with status, devices and operations."""
    import fastconv

    table = plain_table(*COLUMNS, wrapped=("operations", "reason"))
    for entry in fastconv.backends():
        table.add_row(*map(escape, row(entry)))
    print_titled(Console(), "Backends", table)


COLUMNS = ("name", "status", "version", "devices", "operations", "reason")


def row(entry: Entry) -> tuple[str, ...]:
    """The cells of one backend, in the order of ``COLUMNS``."""
    info = entry.info
    return (
        entry.name,
        entry.status,
        (info.version if info else "") or entry.source,
        ", ".join(entry.devices),
        ", ".join(info.operations) if info else "",
        entry.reason,
    )
