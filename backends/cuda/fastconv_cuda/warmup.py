"""``fastconv cuda-warmup``: compile kernels now rather than at a first call."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from fastconv_cuda.ahead import compile_ahead
from fastconv_cuda.backend import BACKEND
from fastconv_cuda.store import folder


def warmup(
    types: Annotated[
        str, typer.Option(help='Element types, separated by commas; "all" for every one.')
    ] = "float32,float16,bfloat16",
    jobs: Annotated[int, typer.Option(help="How many to compile at once.", min=1)] = (
        os.cpu_count() or 1
    ),
) -> None:
    """Compile fastconv-cuda's kernels for the GPUs of this machine."""
    found = BACKEND.found
    if not found.devices:
        typer.echo(f"fastconv cuda-warmup: {found.reason}", err=True)
        raise typer.Exit(1)
    capabilities = [device.card.capability for device in found.devices.values()]
    count = compile_ahead(capabilities, types, jobs)
    typer.echo(f"{count} units are ready in {folder()}")
