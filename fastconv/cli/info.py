"""``fastconv info``: what the machine has, and what fastconv uses of it."""

import os
import platform
from typing import Annotated

import typer
from rich.console import Console

from fastconv._version import __version__
from fastconv.cli.output import Rows, fail, print_pairs, size
from fastconv.machine import (
    Cache,
    Gpu,
    Machine,
    describe,
    gpus,
    levels_of,
    measure_bandwidth,
    peak_flops,
)

_UNKNOWN = "not known"


def info(
    measure: Annotated[
        bool, typer.Option("--measure", help="Also measure the memory bandwidth (0.2 s).")
    ] = False,
) -> None:
    """Show the machine, the instruction sets and libraries in use, and the settings in force."""
    console = Console()
    machine = describe()
    print_pairs(console, "fastconv", software_rows())
    print_pairs(console, "CPU", cpu_rows(machine))
    memory = memory_rows(machine)
    if measure:
        memory.append(("bandwidth", f"{measure_bandwidth() / 1e9:.1f} GB/s copying, measured now"))
    print_pairs(console, "Memory", memory)
    try:
        print_pairs(console, "Instruction sets", instruction_rows(machine))
    except ValueError as error:  # a variable that names no level
        fail("info", error)
    print_pairs(console, "Graphics processors", gpu_rows(gpus()))
    print_pairs(console, "Settings in force", variable_rows(os.environ))


def software_rows() -> Rows:
    """Versions of fastconv, Python and NumPy, and the BLAS that NumPy was built with."""
    import numpy as np

    return [
        ("fastconv", __version__),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("NumPy", np.__version__),
        ("BLAS", blas_name(np.show_config(mode="dicts"))),
    ]


def blas_name(config: object) -> str:
    """Name and version of the BLAS in what ``numpy.show_config(mode="dicts")`` returns."""
    entry = config
    for key in ("Build Dependencies", "blas"):
        entry = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not entry.get("name"):
        return _UNKNOWN
    return " ".join(str(entry[key]) for key in ("name", "version") if entry.get(key))


def cpu_rows(machine: Machine) -> Rows:
    """Model, clock, cores and caches."""
    clocks = [
        f"{mhz / 1e3:.2f} GHz {kind}"
        for mhz, kind in ((machine.nominal_mhz, "nominal"), (machine.max_mhz, "at most"))
        if mhz
    ]
    cores = [f"{machine.usable_cores} usable"]
    if machine.physical_cores:
        cores.append(f"{machine.physical_cores} physical")
    if machine.logical_cores:
        cores.append(f"{machine.logical_cores} logical")
    rows = [
        ("model", machine.cpu_model or _UNKNOWN),
        ("clock", ", ".join(clocks) or _UNKNOWN),
        ("cores", ", ".join(cores)),
    ]
    return rows + [_cache_row(cache) for cache in machine.caches]


def _cache_row(cache: Cache) -> tuple[str, str]:
    kind = {"data": "d", "instruction": "i"}.get(cache.kind, "")
    each = f"{cache.instances} x " if cache.instances and cache.instances > 1 else ""
    shared = cache.shared_by or 1
    return f"L{cache.level}{kind} cache", each + size(cache.bytes) + (
        f", shared by {shared} logical cores" if shared > 1 else ""
    )


def memory_rows(machine: Machine) -> Rows:
    """Memory in all, available now, and what a control group allows."""
    amounts = (
        ("total", machine.memory_total),
        ("available", machine.memory_available),
        ("limit of the control group", machine.memory_limit),
    )
    return [(name, size(count)) for name, count in amounts if count is not None]


def instruction_rows(machine: Machine) -> Rows:
    """Levels that the CPU has and that the compiled core was built with, and the one in use."""
    offered = levels_of(machine)
    rows = [("this CPU has", ", ".join(offered))]
    from fastconv.cpu import isa  # reads FASTCONV_MAX_ISA

    if isa.core is None:
        rows.append(("compiled core", f"absent, NumPy serves all calls: {isa.why_no_core}"))
        return rows
    built = [name for name, is_built, _ in isa.core.isa_levels() if is_built]
    active = isa.active()
    rows += [("built for", ", ".join(built)), ("in use", active)]
    for dtype in ("float32", "float64"):
        peak = peak_flops(active, dtype, machine.usable_cores) / 1e9
        assumed = "" if machine.clock_hz else ", at an assumed clock"
        rows.append((f"peak {dtype}", f"{peak:.0f} GFLOP/s on the usable cores{assumed}"))
    return rows


def gpu_rows(found: tuple[Gpu, ...]) -> Rows:
    """One row a graphics processor: name, memory, driver and the bus that leads to it."""
    if not found:
        return [("none", "")]
    return [(gpu.name, ", ".join(_gpu_facts(gpu))) for gpu in found]


def _gpu_facts(gpu: Gpu) -> list[str]:
    facts = [f"{size(gpu.memory)} of memory"] if gpu.memory else []
    facts.append(f"driver {gpu.driver}" if gpu.driver else "no driver known")
    if gpu.bus:
        facts.append(f"PCI {gpu.bus}")
    if gpu.link_bandwidth:
        facts.append(
            f"{gpu.link_gts:g} GT/s x {gpu.link_width} lanes ({gpu.link_bandwidth / 1e9:.1f} GB/s)"
        )
    return facts


def variable_rows(environment: "os._Environ[str] | dict[str, str]") -> Rows:
    """The ``FASTCONV_*`` variables that are set."""
    return sorted(
        (name, value) for name, value in environment.items() if name.startswith("FASTCONV_")
    ) or [("none", "no FASTCONV_* variable is set")]
