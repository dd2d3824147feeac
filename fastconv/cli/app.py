"""One application out of one function per command; plugins add theirs."""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated

import typer
from typer.main import get_command

from fastconv._version import __version__
from fastconv.cli.backends import backends
from fastconv.cli.demo.command import demo
from fastconv.cli.explain import explain
from fastconv.cli.float import SETTINGS, float_
from fastconv.cli.info import info
from fastconv.cli.precision.command import precision

GROUP = "fastconv.commands"
OWN: dict[str, Callable[..., None]] = {
    "demo": demo,
    "info": info,
    "backends": backends,
    "explain": explain,
    "precision": precision,
}


def build_app(points: Iterable[EntryPoint] | None = None) -> typer.Typer:
    """The application with fastconv's commands and those of ``points``.

    By default the points are those of the installed distributions. Each gives a function with
    typer's annotations, or a ``typer.Typer`` with commands of its own.
    """
    # Without pretty exceptions: a fault in fastconv shows Python's own traceback, locals unseen.
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_fastconv)
    for name, command in OWN.items():
        app.command(name)(command)
    app.command("float", context_settings=SETTINGS)(float_)
    taken = {*OWN, "float"}
    for point in entry_points(group=GROUP) if points is None else points:
        fault = f"the name {point.name!r} is taken" if point.name in taken else _add(app, point)
        taken.add(point.name)
        if fault:
            typer.echo(f"fastconv: command {point.name!r} is skipped: {fault}", err=True)
    return app


def _add(app: typer.Typer, point: EntryPoint) -> str:
    """Add a plugin's command; say in one line why not, or return an empty string."""
    try:
        command = point.load()
        if isinstance(command, typer.Typer):
            get_command(command)  # typer reads the signatures only here
            app.add_typer(command, name=point.name)
        else:
            trial = typer.Typer()
            trial.command(point.name)(command)
            get_command(trial)
            app.command(point.name)(command)
    except (Exception, SystemExit) as error:  # whatever foreign code does as it is loaded
        return " ".join(f"{type(error).__name__}: {error}".split())
    return ""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fastconv {__version__}")
        raise typer.Exit


def _fastconv(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Convolution, pooling and linear layers, forward and every gradient, on plain arrays."""
