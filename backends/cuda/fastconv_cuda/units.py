"""Compilation units: a kernel source with its definitions, compiled once for each kind of GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

KERNELS = Path(__file__).parent / "kernels"


@dataclass(frozen=True, slots=True)
class Unit:
    """A file of kernels/ and the names that it is compiled with.

    Examples
    --------
    >>> Unit("im2col.cu", (("FC_ELEMENT", "uint16"),)).flags
    ('-DFC_ELEMENT=uint16',)
    """

    file: str
    definitions: tuple[tuple[str, str], ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """The definitions as a compiler takes them."""
        return tuple(
            f"-D{name}={value}" if value else f"-D{name}" for name, value in self.definitions
        )

    @property
    def source(self) -> str:
        """The text of the file."""
        return (KERNELS / self.file).read_text(encoding="utf-8")

    def unaligned(self) -> Unit:
        """Return the unit that reads and writes byte by byte."""
        return Unit(self.file, (*self.definitions, ("FC_UNALIGNED", "")))


@cache
def fingerprint(file: str) -> str:
    """Return a digest of a source and of all headers: what is compiled changes with any."""
    digest = sha256()
    for path in _sources(file):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(file: str) -> Iterator[Path]:
    yield KERNELS / file
    yield from sorted(KERNELS.glob("*.cuh"))
