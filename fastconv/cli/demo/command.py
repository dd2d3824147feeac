"""``fastconv demo``: what fastconv does, in a minute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fastconv.cli.output import duration, fail, plain_table, print_titled

if TYPE_CHECKING:
    from fastconv.cli.demo.photograph import Comparison
    from fastconv.cli.demo.training import Digits, History, StepComparison
    from fastconv.layers import Sequential

_NEEDS = 'the demo needs scikit-learn and matplotlib: pip install "fastconv[demo]"'
_MODULES = frozenset({"sklearn", "matplotlib"})

TARGET, EPOCHS = 0.98, 30
QUICK_TARGET, QUICK_EPOCHS = 0.90, 6


def demo(
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the digits.",
            show_default=f"{EPOCHS}; {QUICK_EPOCHS} with --quick",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Where to write the figure (.png, .svg, .pdf).")
    ] = Path("fastconv-demo.png"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few seconds: fewer epochs, a smaller crop.")
    ] = False,
) -> None:
    """Train a network on digits, filter a photograph, and time the textbook beside fastconv.

    The exit status is 1 if the network misses its accuracy on held-back images.
    """
    try:
        import matplotlib  # noqa: F401
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _MODULES:
            raise
        fail("demo", _NEEDS, 1)
    suffix = output.suffix.lstrip(".").lower()
    if suffix not in ("png", "svg", "pdf"):
        fail("demo", f"--output: got {str(output)!r}, expected a name ending in .png, .svg or .pdf")
    if not output.parent.is_dir():
        fail("demo", f"--output: {str(output.parent)!r} is no folder. Make it first")
    reached = run(Console(), epochs or (QUICK_EPOCHS if quick else EPOCHS), output, seed, quick)
    if not reached:
        raise typer.Exit(1)


def run(console: Console, epochs: int, output: Path, seed: int, quick: bool) -> bool:
    """Everything in turn, printed; whether the network reached its accuracy."""
    from fastconv.cli.demo import photograph, training
    from fastconv.cli.demo.figure import write_figure

    target = QUICK_TARGET if quick else TARGET
    repeats = 3 if quick else 9

    console.print("\n[bold]1. A small network learns to read digits[/bold]")
    digits = training.load_digits(seed)
    network = training.build_network(seed)
    history = _train(console, network, digits, epochs, seed)
    accuracy = history.accuracies[-1]
    reached = accuracy >= target
    console.print(
        f"{accuracy:.2%} of {len(digits.test_labels)} held-back images are read right "
        f"(target {target:.0%}: {'reached' if reached else 'missed'})"
    )

    console.print("\n[bold]2. The same training step in plain NumPy and in fastconv[/bold]")
    step = training.compare_step(digits, seed, repeats)
    _print_step(console, step)

    console.print("\n[bold]3. A photograph through 12 filters of 3 x 5 x 5[/bold]")
    picture = photograph.load_photograph()
    crop_size = (16, 24) if quick else (40, 60)
    with console.status("timing, the loops take a while ..."):
        crop = photograph.compare_crop(picture, 2 if quick else 3, *crop_size)
        whole = photograph.compare_photograph(picture, repeats)
    for comparison in (crop, whole):
        _print_comparison(console, comparison)

    write_figure(
        output,
        photograph=picture[0].transpose(1, 2, 0),
        pictures=photograph.apply_filters(picture),
        bars=[
            (crop.task, crop.times),
            (whole.task, whole.times),
            (_step_task(step), step.times),
        ],
        losses=history.losses,
        accuracies=history.accuracies,
        filters=network.parameters()["0.weight"],
        target=target,
        caption=caption(),
    )
    console.print(f"\nThe figure is in [cyan]{output}[/cyan]")
    return reached


def caption() -> str:
    """What was measured on which machine, in a line."""
    import numpy as np

    from fastconv._version import __version__
    from fastconv.machine import describe

    machine = describe()
    cores = f"{machine.usable_cores} core{'s' if machine.usable_cores > 1 else ''}"
    model = machine.cpu_model or machine.architecture
    return f"fastconv {__version__}, NumPy {np.__version__}, {model}, {cores}"


def _train(
    console: Console, network: "Sequential", digits: "Digits", epochs: int, seed: int
) -> "History":
    from fastconv.cli.demo.training import train

    columns = (TextColumn("training"), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("", total=epochs * digits.batches, state="")

        def on_step(history: "History") -> None:
            state = f"epoch {len(history.accuracies) + 1:>2} of {epochs}"
            if history.accuracies:
                state += f", {history.accuracies[-1]:.1%} right"
            progress.update(bar, completed=len(history.losses), state=state)

        history = train(network, digits, epochs, seed, on_step)
        progress.update(bar, state=f"{epochs} epochs, {history.accuracies[-1]:.1%} right")
    return history


def _step_task(step: "StepComparison") -> str:
    return f"a training step, {step.batch} images, forward and backward"


def _print_step(console: Console, step: "StepComparison") -> None:
    table = plain_table("", "median time", "against NumPy")
    base = step.times["NumPy im2col"]
    for name, seconds in step.times.items():
        table.add_row(name, duration(seconds), speed(base, seconds))
    print_titled(console, _step_task(step), table)
    console.print(f"The gradients differ by at most {step.difference:.1e} of their largest entry")


def _print_comparison(console: Console, comparison: "Comparison") -> None:
    table = plain_table("", "median time", "against im2col", "largest error")
    base = comparison.times["NumPy im2col"]
    for name, seconds in comparison.times.items():
        error = f"{comparison.differences[name]:.1e}"
        table.add_row(name, duration(seconds), speed(base, seconds), error)
    print_titled(console, comparison.task, table)


def speed(base: float, seconds: float) -> str:
    """How a time compares with another, in words.

    >>> speed(3.0, 2.0), speed(2.0, 500.0), speed(2.0, 2.0)
    ('1.5 x faster', '250 x slower', '')
    """
    if base == seconds:
        return ""
    ratio, word = (base / seconds, "faster") if base > seconds else (seconds / base, "slower")
    return f"{ratio:.1f} x {word}" if ratio < 10 else f"{ratio:.0f} x {word}"
