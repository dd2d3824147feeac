"""The compiled core and its instruction-set level; FASTCONV_MAX_ISA caps it."""

from __future__ import annotations

import os
from types import ModuleType

from fastconv.errors import bad_argument

core: ModuleType | None
try:
    from fastconv.cpu import _core

    core = _core
except ImportError as error:
    core = None
    why_no_core = f"the compiled core isn't there ({error}); built with FASTCONV_PURE=1?"
else:
    why_no_core = ""


def cap() -> None:
    """Use the highest level that is built, supported here, and at most FASTCONV_MAX_ISA."""
    name = os.environ.get("FASTCONV_MAX_ISA", "")
    if not name or core is None:
        return
    levels = core.isa_levels()
    names = [level for level, _, _ in levels]
    if name not in names:
        raise ValueError(
            bad_argument(
                "fastconv",
                "FASTCONV_MAX_ISA",
                got=repr(name),
                expected="one of " + ", ".join(names),
            )
        )
    usable = [
        level for level, built, supported in levels[: names.index(name) + 1] if built and supported
    ]
    core.set_isa(usable[-1])


def active() -> str:
    """Return the level in use, or "none" without the compiled core."""
    return "none" if core is None else str(core.active_isa())


cap()
