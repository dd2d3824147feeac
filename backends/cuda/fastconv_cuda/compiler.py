"""NVRTC: from a unit to machine code for one kind of GPU. Needs no driver."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from fastconv_cuda.units import KERNELS, Unit

Capability = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Usage:
    """What ptxas says that a kernel takes.

    Attributes
    ----------
    registers : int
        Of a thread.
    spilled : int
        Bytes of registers that had to go to memory.
    shared : int
        Bytes of static shared memory.
    """

    registers: int
    spilled: int
    shared: int


class CompileError(RuntimeError):
    """NVRTC refused a source; the message is its log."""


def architecture(capability: Capability) -> str:
    """Return NVRTC's name of an architecture, with all that only it has.

    Examples
    --------
    >>> architecture((8, 6)), architecture((9, 0))
    ('sm_86', 'sm_90a')
    """
    major, minor = capability
    suffix = "a" if capability == (9, 0) else ""
    return f"sm_{major}{minor}{suffix}"


def options(unit: Unit, arch: str) -> tuple[str, ...]:
    """Return the compiler's options. Denormals stay: no -ftz, which CuPy would add."""
    return (
        "-std=c++17",
        f"-arch={arch}",
        f"-I{KERNELS}",
        "-default-device",
        "--ptxas-options=-v",
        *unit.flags,
    )


def load_nvrtc() -> Any:
    """Return CuPy's binding of NVRTC, the layer of it that needs no driver."""
    return importlib.import_module("cupy_backends.cuda.libs.nvrtc")


def compile_unit(unit: Unit, arch: str, nvrtc: Any = None) -> tuple[bytes, str]:
    """Return machine code and the compiler's log.

    Raises
    ------
    CompileError
        With the log, if the source is refused.
    """
    nvrtc = nvrtc or load_nvrtc()
    program = nvrtc.createProgram(unit.source, unit.file, (), ())
    try:
        try:
            nvrtc.compileProgram(program, options(unit, arch))
        except Exception as error:
            log = nvrtc.getProgramLog(program)
            raise CompileError(f"{unit.file} {' '.join(unit.flags)} for {arch}: {log}") from error
        # CuPy's binding drops the last byte.
        return nvrtc.getCUBIN(program) + b"\0", nvrtc.getProgramLog(program)
    finally:
        nvrtc.destroyProgram(program)


_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def usage(log: str) -> dict[str, Usage]:
    """Return each kernel's use of registers and memory, as the log tells.

    Examples
    --------
    >>> usage('''ptxas info : Compiling entry function 'k' for 'sm_80'
    ...     0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
    ... ptxas info : Used 40 registers, used 1 barriers''')
    {'k': Usage(registers=40, spilled=12, shared=0)}
    """
    found: dict[str, Usage] = {}
    name, spilled = "", 0
    for line in log.splitlines():
        if match := _ENTRY.search(line):
            name, spilled = match[1], 0
        elif match := _SPILLS.search(line):
            spilled = int(match[1]) + int(match[2])
        elif (match := _USED.search(line)) and name:
            found[name] = Usage(int(match[1]), spilled, int(match[2] or 0))
    return found
