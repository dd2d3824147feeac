"""The libraries compared: each says for a case which calls it contends with, pass by pass.

Every call returns a fresh output. Libraries that aren't installed, or can't take part, are left
out with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from typing import Protocol

from asv_bench.cases import Case, Operands, Pass
from asv_bench.options import Configuration
from asv_bench.timing import Call

Calls = Mapping[Pass, Mapping[str, Call]]


class Library(Protocol):
    """A library, ready to compute with a configuration's number of threads."""

    name: str
    version: str

    def calls(self, case: Case, operands: Operands) -> Calls:
        """Return the calls of a layer by pass and contender; none where it can't."""


class LeftOut(Exception):
    """Why a library takes no part."""


# In the order of the report's columns. Each module has `opened`.
_MODULES = ("own", "pytorch", "onnx_runtime")
_PACKAGES = {"pytorch": "torch", "onnx_runtime": "onnxruntime"}


@contextmanager
def opened(
    configuration: Configuration, note: Callable[[str], None], *modules: str
) -> Iterator[tuple[Library, ...]]:
    """Give the libraries that take part, all or those named; `note` hears about the others."""
    found: list[Library] = []
    with ExitStack() as stack:
        for module in modules or _MODULES:
            try:
                home = import_module(f"asv_bench.libraries.{module}")
                entered: AbstractContextManager[Library] = home.opened(configuration)
                found.append(stack.enter_context(entered))
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] in ("asv_bench", "fastconv"):
                    raise
                note(f"{_PACKAGES.get(module, module)} is left out: {error}")
            except LeftOut as reason:
                note(str(reason))
        yield tuple(found)
