"""``fastconv explain``: who would solve a call, at what predicted cost, and why not the others."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from fastconv.cli.arguments import arguments_for, fill, find_function, parse_shape, parse_sizes
from fastconv.cli.output import duration, fail, plain_table, print_titled, size

if TYPE_CHECKING:
    from fastconv.backend import Decision

_OWN = ("function", "dtype", "measure")
_ARRAYS = "Shapes of the arrays"
_PARAMETERS = "Parameters (1; 1,2 one per axis; 0:1,2:3 pairs; or a name)"
_POLICY = "Policy"


def _shape(help_text: str) -> Any:
    return typer.Option(help=help_text, metavar="SHAPE", rich_help_panel=_ARRAYS)


def _sizes(help_text: str) -> Any:
    return typer.Option(help=help_text, metavar="SIZES", rich_help_panel=_PARAMETERS)


def _parameter(help_text: str, *flags: str) -> Any:
    return typer.Option(*flags, help=help_text, rich_help_panel=_PARAMETERS)


def _policy(help_text: str, *flags: str) -> Any:
    return typer.Option(*flags, help=help_text, rich_help_panel=_POLICY)


def explain(
    function: Annotated[str, typer.Argument(help="A function of fastconv, such as conv2d.")],
    x: Annotated[str | None, _shape("Input, such as 8,64,56,56.")] = None,
    weight: Annotated[str | None, _shape("Weight, such as 64,64,3,3.")] = None,
    bias: Annotated[str | None, _shape("Bias, such as 64.")] = None,
    grad: Annotated[str | None, _shape("Gradient by the output.")] = None,
    indices: Annotated[str | None, _shape("Indices of a max pool.")] = None,
    cols: Annotated[str | None, _shape("Columns, for col2im.")] = None,
    dtype: Annotated[
        str, typer.Option(help="Element type of the arrays.", rich_help_panel=_ARRAYS)
    ] = "float32",
    kernel_size: Annotated[str | None, _sizes("Window of a pool or of im2col.")] = None,
    stride: Annotated[str | None, _sizes("Step of the window.")] = None,
    padding: Annotated[str | None, _sizes("Zeros around x; also same, same_lower, valid.")] = None,
    dilation: Annotated[str | None, _sizes("Step within the window.")] = None,
    output_padding: Annotated[str | None, _sizes("For transposed convolution.")] = None,
    output_size: Annotated[str | None, _sizes("For adaptive pools, unpooling, col2im.")] = None,
    groups: Annotated[int | None, _parameter("Groups of channels.")] = None,
    norm_type: Annotated[float | None, _parameter("Exponent of an lp pool.")] = None,
    ceil_mode: Annotated[bool, _parameter("Round the output's size up.", "--ceil-mode")] = False,
    activation: Annotated[str | None, _parameter("Such as relu.")] = None,
    layout: Annotated[str | None, _parameter("Order of the axes, such as NHWC.")] = None,
    device: Annotated[str | None, _policy("cpu, cuda, cuda:1 or auto.")] = None,
    backend: Annotated[str | None, _policy("The only backend to use.")] = None,
    algorithm: Annotated[str | None, _policy("The only algorithm to use.")] = None,
    precision: Annotated[str | None, _policy("Such as float32_strict or bfloat16.")] = None,
    tolerance: Annotated[float | None, _policy("Largest acceptable error bound.")] = None,
    threads: Annotated[int | None, _policy("At most so many threads.")] = None,
    workspace_limit: Annotated[int | None, _policy("Bytes of scratch memory.")] = None,
    deterministic: Annotated[
        bool, _policy("Only repeatable algorithms.", "--deterministic")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also time each candidate that can, on random data.")
    ] = False,
) -> None:
    """Show who would solve a call, at what predicted cost, and why not the others.

    For instance: fastconv explain conv2d --x 8,64,56,56 --weight 64,64,3,3 --padding 1
    """
    options: dict[str, Any] = {k: v for k, v in locals().items() if k not in _OWN}
    import fastconv

    try:
        called = find_function(function, options)
        _parse(options)
        positional, keywords = arguments_for(called, options, dtype)
        if measure:
            fill([*positional, *keywords.values()])
        explanation = fastconv.explain(called, *positional, measure=measure, **keywords)
    except (ValueError, TypeError, NotImplementedError, MemoryError) as error:
        fail("explain", error)
    console = Console()
    for considered in explanation.problems:
        problem = considered.problem
        title = f"{function}: {problem.operation} on {problem.device}, {problem.dtype}"
        shown = [name for name in COLUMNS if measure or name != "measured"]
        table = plain_table(*shown, wrapped=("reason",))
        times = considered.measured or (None,) * len(considered.candidates)
        for decision, measured in zip(considered.candidates, times, strict=True):
            chosen = decision is considered.chosen
            cells = dict(zip(COLUMNS, row(decision, chosen, measured), strict=True))
            table.add_row(
                *(escape(cells[name]) for name in shown), style="bold" if chosen else None
            )
        print_titled(console, title, table)
        if considered.precision:
            console.print(considered.precision, markup=False, highlight=False)


def _parse(options: dict[str, Any]) -> None:
    """Parse the options that are still text, in place; the error names the option."""
    shapes = ("x", "weight", "bias", "grad", "indices", "cols")
    sizes = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size")
    for parse, names in ((parse_shape, shapes), (parse_sizes, sizes)):
        for name in names:
            if options[name] is not None:
                try:
                    options[name] = parse(options[name])
                except ValueError as error:
                    raise ValueError(f"--{name.replace('_', '-')}: {error}") from None


COLUMNS = (
    "", "candidate", "precision", "kernels", "time", "measured", "memory", "error", "reason",
)  # fmt: skip


def row(decision: "Decision", chosen: bool, measured: float | None = None) -> tuple[str, ...]:
    """The cells of one candidate, in the order of ``COLUMNS``; a refusal has no figures.

    Kernels are an instruction set and a number of threads. Time and memory (workspace) are
    predicted, measured is the time of a run, the error is the bound that the backend publishes.
    """
    name = "/".join(filter(None, (decision.backend, decision.algorithm)))
    if not decision.can:
        return ("no", name, *("",) * (len(COLUMNS) - 3), decision.reason)
    return (
        "->" if chosen else "can",
        name,
        decision.precision,
        f"{decision.isa} x {decision.threads}".strip(),
        duration(decision.seconds),
        "" if measured is None else duration(measured),
        size(decision.workspace_bytes),
        f"{decision.error_bound:.1e}",
        decision.reason,
    )
