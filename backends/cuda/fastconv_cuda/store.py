"""Compiled kernels on disk: compiled once on a machine, whichever process asks first."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import warnings
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
        If the folder that the variable names can't be written to. Where the user's own cache
        can't, a RuntimeWarning says so once, and the file is this process's alone.
    """
    arch = architecture(capability)
    name = file_name(unit, arch, _compiler_version())
    for place in (folder(), *_beside):
        if os.path.exists(place / name):
            return place / name
    code, _ = compile_unit(unit, arch)
    path = folder() / name
    try:
        write(path, code)
    except OSError as error:
        if os.environ.get(VARIABLE):
            raise
        path = _own_folder(f"{path.parent}: {error.strerror or error}") / name
        write(path, code)
    return path


def write(path: Path, code: bytes) -> None:
    """Write a file as a whole: a process that reads meanwhile sees all of it or nothing."""
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            name = file.name
            file.write(code)
        os.replace(name, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        error.add_note(f"compiled kernels are kept in {path.parent}; {VARIABLE} names another")
        raise


# A folder of this process alone, once the user's cache turned out not to be writable.
_beside: list[Path] = []


def _own_folder(why: str) -> Path:
    if not _beside:
        place = tempfile.mkdtemp(prefix="fastconv-cuda-")
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _beside.append(Path(place))
        warnings.warn(
            f"compiled kernels can't be kept in {why}. Each process compiles them anew; "
            f"{VARIABLE} names a folder that can be written to",
            RuntimeWarning,
            stacklevel=2,
        )
    return _beside[0]
