"""Named arrays in and out of files and layers, checked before anything is changed."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from fastconv.dispatch.arrays import namespace
from fastconv.layers.arrays import to_namespace

PathLike = str | os.PathLike[str]


class _Header(NamedTuple):
    """What is known of an array in a file before it is read."""

    shape: tuple[int, ...]
    dtype: Any


class Loads:
    """How often arrays were copied into layers: what is made of them is to be made anew then."""

    count = 0


def check(where: str, own: Mapping[str, Any], values: Mapping[str, Any], strict: bool) -> None:
    """Raise one ValueError that lists all that doesn't fit."""
    faults = [
        f"{name} has shape {getattr(values[name], 'shape', None)} and dtype "
        f"{getattr(values[name], 'dtype', type(values[name]).__name__)}, "
        f"expected {array.shape} and {array.dtype}"
        for name, array in own.items()
        if name in values and not _fits(array, values[name])
    ]
    if strict:
        if missing := [name for name in own if name not in values]:
            faults.append("missing: " + ", ".join(missing))
        if unexpected := [str(name) for name in values if name not in own]:
            faults.append("unexpected: " + ", ".join(unexpected))
    if faults:
        raise ValueError(f"{where}: nothing was loaded: " + "; ".join(faults))


def _fits(own: Any, value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    if dtype is None or dtype.newbyteorder("=") != own.dtype.newbyteorder("="):
        return False
    return bool(value.shape == own.shape)


def copy_into(where: str, own: Mapping[str, Any], values: Mapping[str, Any], strict: bool) -> None:
    """Copy `values` into the arrays of `own` if all of them fit."""
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{where}: got {type(values).__name__}, expected a mapping of names to arrays, as "
            "state_dict() returns it"
        )
    check(where, own, values, strict)
    moved = {
        name: to_namespace(values[name], namespace(array), array)
        for name, array in own.items()
        if name in values
    }
    for name, value in moved.items():
        own[name][...] = value
    Loads.count += 1


def write(path: PathLike, arrays: Mapping[str, Any]) -> None:
    """Write arrays as an .npz file that replaces `path` once it is complete."""
    target = Path(path)
    # Beside the target: a rename is atomic within one file system only.
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with unfinished.open("xb") as stream:
            with zipfile.ZipFile(stream, "w") as archive:
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        npy.write_array(member, to_namespace(array, np), allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def read(where: str, path: PathLike, own: Mapping[str, Any], strict: bool) -> dict[str, Any]:
    """Read the arrays that `own` names from an .npz file.

    Headers are compared with `own` before any data is read, so a file can't make this take
    more memory than the layer itself does.
    """
    where = f"{where}: {os.fspath(path)}"
    with open(path, "rb") as stream:
        with _reading(where):
            archive = zipfile.ZipFile(stream)
            members = _members(archive)
            headers = {
                name: _header(archive, member, own[name]) if name in own else None
                for name, member in members.items()
            }
        check(where, own, headers, strict)
        with _reading(where):
            return {
                name: _data(archive, members[name], array)
                for name, array in own.items()
                if name in members
            }


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a hostile file can raise nearly anything from zip and header
        raise ValueError(
            f"{where}: nothing was loaded: not a whole .npz file of plain arrays: {error}"
        ) from error


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    files = archive.namelist()
    members = {name.removesuffix(".npy"): name for name in files}
    if len(members) != len(files):
        raise ValueError("a name occurs twice")
    return members


def _header(archive: zipfile.ZipFile, member: str, own: Any) -> _Header:
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = npy.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = npy.read_array_header_2_0(stream)
        else:
            raise ValueError(f"{member} has version {version} of the .npy format")
    return _Header(shape, own.dtype if _is_bare(dtype, own.dtype) else dtype)


def _data(archive: zipfile.ZipFile, member: str, own: Any) -> Any:
    with archive.open(member) as stream:
        array = npy.read_array(stream, allow_pickle=False)
        if stream.read(1):  # also what makes the archive compare its checksum
            raise ValueError(f"{member} goes on after its array")
    return array.view(own.dtype) if _is_bare(array.dtype, own.dtype) else array


def _is_bare(found: np.dtype[Any], own: np.dtype[Any]) -> bool:
    # The format has no name for bfloat16: it comes back as two bytes of kind "V".
    return found.kind == own.kind == "V" and found.names is None and found.itemsize == own.itemsize
