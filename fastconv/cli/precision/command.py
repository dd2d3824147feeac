"""``fastconv precision``: accuracy, error, time and memory of a trained net in every precision."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fastconv.cli.output import duration, fail, plain_table, print_titled, size

if TYPE_CHECKING:
    from fastconv.cli.demo.training import Digits
    from fastconv.cli.precision.variants import Measured

_NEEDS = 'it needs scikit-learn (or --mnist) and matplotlib: pip install "fastconv[demo]"'
EPOCHS, BATCH, REPEATS = 4, 256, 9


def precision(
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the digits.")] = EPOCHS,
    batch: Annotated[int, typer.Option(min=1, help="Images at a time.")] = BATCH,
    output: Annotated[
        Path, typer.Option(help="Where to write the figure (.png, .svg, .pdf).")
    ] = Path("fastconv-precision.png"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    mnist: Annotated[
        Path | None,
        typer.Option(
            help="A folder with MNIST's t10k files, instead of scikit-learn's digits.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few seconds: one epoch, fewer runs.")
    ] = False,
) -> None:
    """Train a net, and run it in every precision: accuracy, largest error, time, memory.

    Errors are against the same net in float64, relative to its largest output.
    """
    suffix = output.suffix.lstrip(".").lower()
    if suffix not in ("png", "svg", "pdf"):
        fail(
            "precision",
            f"--output: got {str(output)!r}, expected a name ending in .png, .svg or .pdf",
        )
    if not output.parent.is_dir():
        fail("precision", f"--output: {str(output.parent)!r} is no folder. Make it first")
    try:
        import matplotlib  # noqa: F401

        digits = _digits(mnist, seed)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("sklearn", "matplotlib"):
            raise
        fail("precision", _NEEDS, 1)
    except ValueError as error:
        fail("precision", f"--mnist: {error}")
    run(Console(), digits, 1 if quick else epochs, batch, output, seed, 1 if quick else REPEATS)


def _digits(mnist: Path | None, seed: int) -> "Digits":
    from fastconv.cli.demo.training import load_digits
    from fastconv.cli.precision.data import load_mnist

    return load_digits(seed) if mnist is None else load_mnist(mnist)


def run(
    console: Console,
    digits: "Digits",
    epochs: int,
    batch: int,
    output: Path,
    seed: int,
    repeats: int,
) -> None:
    """Train, measure, print the table and write the figure."""
    from fastconv.cli.demo.command import caption
    from fastconv.cli.demo.training import train
    from fastconv.cli.precision.figure import write_figure
    from fastconv.cli.precision.variants import build_network, measure, variants
    from fastconv.errors import PerformanceWarning

    net = build_network(seed, digits.train_images.shape[-1])
    with console.status("training ...") as status:
        train(net, digits, epochs, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PerformanceWarning)  # the table shows it
            rows = measure(
                variants(net, digits),
                digits,
                batch,
                repeats,
                lambda name: status.update(f"measuring {name} ..."),
            )
    _print(console, rows, batch, len(digits.test_labels))
    write_figure(output, rows, batch, caption())
    console.print(f"\nThe figure is in [cyan]{output}[/cyan]")


def _print(console: Console, rows: "list[Measured]", batch: int, held_back: int) -> None:
    table = plain_table("precision", "right", "error", "time", "speed", "memory", "moved")
    base = next(row.seconds for row in rows if row.name == "float32")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.accuracy:.1%}",
            f"{row.error:.1e}",
            duration(row.seconds),
            f"{base / row.seconds:.2f}",
            size(row.memory),
            size(row.moved),
        )
    print_titled(console, f"{batch} images at a time; {held_back} held back to be read", table)
    console.print(
        "error: the largest, against float64; speed: against float32; moved: bytes that layers "
        "read and write"
    )
