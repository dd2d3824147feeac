"""``fastconv float``: what a number becomes in every format."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from fastconv.cli.output import fail, plain_table
from fastconv.precision import FORMATS, INTEGERS, Anatomy, AnyFormat, Format, anatomy

SIGN, EXPONENT, FRACTION = "red", "green", "blue"
# Numbers such as -1.5 begin like options.
SETTINGS = {"ignore_unknown_options": True}


def float_(
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="NUMBER", help="A number: 263.3, -1e-40, 1/3, 0x1.8p3, inf.", show_default=False
        ),
    ] = None,
) -> None:
    """Show what a number becomes in every format, bit by bit; without one, the formats."""
    console = Console()
    if value is None:
        console.print(table_of_formats())
        return
    table = plain_table("format", "bits", "stored", "error", wrapped=("bits", "stored"))
    for format in known():
        try:
            found = anatomy(value, format)
        except ValueError as error:
            if isinstance(format, Format):
                fail("float", error)
            continue  # no integer is NaN
        table.add_row(format.name, fields(found), found.exact, f"{found.error:.3g}")
    console.print(
        Text.assemble(("sign", SIGN), " ", ("exponent", EXPONENT), " ", ("fraction", FRACTION))
    )
    console.print(table)


def known() -> list[AnyFormat]:
    """All formats, the finest first."""
    return [*FORMATS.values(), *INTEGERS.values()]


def fields(found: Anatomy) -> Text:
    """The bits, coloured by field."""
    parts = ((found.sign, SIGN), (found.exponent, EXPONENT), (found.fraction, FRACTION))
    return Text(" ").join(Text(bits, style) for bits, style in parts if bits)


def table_of_formats() -> object:
    """Every format's bits, range and spacing."""
    table = plain_table("format", "bits", "largest", "smallest", "normal from", "spacing at 1")
    for format in known():
        if isinstance(format, Format):
            bits = f"1 + {format.exponent_bits} + {format.fraction_bits}"
            small = f"{format.smallest_subnormal:.3g}", f"{format.smallest_normal:.3g}"
        else:
            bits, small = str(format.bits), ("1", "")
        table.add_row(
            format.name,
            bits,
            f"{format.largest:.5g}",
            *small,
            f"{format.spacing(1):.3g}",
        )
    return table
