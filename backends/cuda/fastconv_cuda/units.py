"""Compilation units: a kernel source with its definitions, compiled once for each kind of GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked up at each launch.
        object.__setattr__(self, "_hash", hash((self.file, self.definitions)))

    def __hash__(self) -> int:
        return self._hash

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
        """Return the unit that reads and writes byte by byte, which takes more registers."""
        words = ((n, "1" if n == "FC_BLOCKS" else value) for n, value in self.definitions)
        return Unit(self.file, (*words, ("FC_UNALIGNED", "")))


@cache
def fingerprint(file: str) -> str:
    """Return a digest of a source and of what it includes: what is compiled changes with any."""
    digest = sha256()
    for path in sorted(_sources(KERNELS / file, set())):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_INCLUDE = re.compile(r'^#include "(.+)"', re.MULTILINE)


def _sources(path: Path, found: set[Path]) -> set[Path]:
    """Return a file and all that it includes, whatever conditions stand around."""
    if path not in found and path.exists():
        found.add(path)
        for name in _INCLUDE.findall(path.read_text(encoding="utf-8")):
            _sources(KERNELS / name, found)
    return found
