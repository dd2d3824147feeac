"""``fastconv cuda-warmup``: compile kernels now rather than at a first call."""

from __future__ import annotations

from typing import Annotated

import typer

from fastconv_cuda.backend import BACKEND
from fastconv_cuda.catalogue import FAMILIES, runs_on, units_for
from fastconv_cuda.store import compiled, folder


def warmup(
    types: Annotated[
        str, typer.Option(help="Element types, separated by commas.")
    ] = "float32,float16,bfloat16",
) -> None:
    """Compile fastconv-cuda's kernels for the GPUs of this machine."""
    found = BACKEND.found
    if not found.devices:
        typer.echo(f"fastconv cuda-warmup: {found.reason}", err=True)
        raise typer.Exit(1)
    wanted = [name.strip() for name in types.split(",")]
    capabilities = {device.card.capability for device in found.devices.values()}
    count = 0
    for capability in sorted(capabilities):
        for family in FAMILIES:
            if runs_on(family, capability):
                for unit in units_for(family, wanted):
                    compiled(unit, capability)
                    count += 1
    typer.echo(f"{count} units are ready in {folder()}")
