"""Compiled kernels on disk: compiled once on a machine, whichever process asks first."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastconv_cuda.compiler import Capability, architecture, compile_unit, load_nvrtc
from fastconv_cuda.units import Unit, fingerprint

VARIABLE = "FASTCONV_CUDA_CACHE"


def folder() -> Path:
    """Return where compiled kernels are kept: $FASTCONV_CUDA_CACHE, or the user's cache."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("fastconv-cuda", appauthor=False))


@cache
def _compiler_version() -> str:
    return ".".join(map(str, load_nvrtc().getVersion()))


def file_name(unit: Unit, arch: str, version: str) -> str:
    """Return the name of a unit's machine code: another one for whatever could change it."""
    words = (unit.file, fingerprint(unit.file), *unit.flags, arch, version)
    digest = sha256("|".join(words).encode()).hexdigest()[:20]
    return f"{Path(unit.file).stem}-{arch}-{digest}.cubin"


def compiled(unit: Unit, capability: Capability) -> Path:
    """Return the file with a unit's machine code; compile it where it is missing.

    Raises
    ------
    CompileError
        If the compiler refuses.
    OSError
        If the folder can't be written to; the message names the variable that moves it.
    """
    arch = architecture(capability)
    path = folder() / file_name(unit, arch, _compiler_version())
    if path.exists():
        return path
    code, _ = compile_unit(unit, arch)
    write(path, code)
    return path


def write(path: Path, code: bytes) -> None:
    """Write a file as a whole: a process that reads meanwhile sees all of it or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(code)
        os.replace(file.name, path)
    except OSError as error:
        error.add_note(f"compiled kernels are kept in {path.parent}; {VARIABLE} names another")
        raise
