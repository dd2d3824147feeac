"""What kernels take of a GPU, looked up by content, and the record that tests hold them to.

``python backends/cuda/tests/registers.py`` adds the rows that the record lacks; with words, rows
that contain one of them are counted anew.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fastconv_cuda.catalogue import FAMILIES, ONLY_CAPABILITY, TUNED, every_unit, runs_on
from fastconv_cuda.compiler import Usage, compile_unit, load_nvrtc, usage
from fastconv_cuda.store import file_name, write

RECORD = Path(__file__).parent / "registers.txt"
ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_120")
_STACKS = re.compile(r"(\d+) bytes stack frame")
FOLDER = Path(tempfile.gettempdir()) / f"fastconv-nvrtc-{os.getuid()}"


def version():
    """Return NVRTC's version as text."""
    return ".".join(map(str, load_nvrtc().getVersion()))


def architectures(family):
    """Return the architectures that a family's kernels may run on."""
    found = []
    for arch in ARCHITECTURES:
        capability = divmod(int(arch.removeprefix("sm_").removesuffix("a")), 10)
        # sm_90 stands for cards that lack what sm_90a has.
        lacks = family in ONLY_CAPABILITY and not arch.endswith("a")
        if runs_on(family, capability) and not lacks:
            found.append(arch)
    return tuple(found)


def used(unit, arch):
    """Return what each kernel of a unit takes; compiled once for each content and compiler."""
    path = FOLDER / Path(file_name(unit, arch, version())).with_suffix(".json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        code, log = compile_unit(unit, arch)
        assert code.startswith(b"\x7fELF")
        kernels = usage(log)
        assert kernels, log
        # What ptxas says where products of warpgroups can't overlap as they are written.
        assert "(C75" not in log, log
        assert "warning" not in log, log
        # Local memory that isn't a spill: an array whose places only the run tells.
        assert set(_STACKS.findall(log)) == {"0"}, log
        found = {k: (u.registers, u.spilled, u.shared) for k, u in kernels.items()}
        write(path, json.dumps(found).encode())
    return {kernel: Usage(*numbers) for kernel, numbers in found.items()}


def name_of(unit):
    """Return a unit's row in the record."""
    return " ".join((unit.file, *(flag.removeprefix("-DFC_") for flag in unit.flags)))


def tuned_units():
    """Yield each tuned family and unit."""
    for family in FAMILIES:
        if family in TUNED:
            for unit in every_unit(family):
                yield family, unit


def recorded():
    """Return the compiler of the record, and for each row {architecture: registers}."""
    head, columns, *rows = RECORD.read_text(encoding="utf-8").splitlines()
    names = columns.split("\t")[1:]
    found = {}
    for row in rows:
        name, *numbers = row.split("\t")
        found[name] = {a: int(n) for a, n in zip(names, numbers, strict=True) if n.isdigit()}
    return head.rpartition(" ")[2], found


def main(words):
    """Write the record: rows whose names have one of the words anew, others where they lack."""
    compiler, rows = recorded() if RECORD.exists() else ("", {})
    anew = compiler != version()
    lines = [
        f"# Registers of a thread in tuned kernels, as counted by NVRTC {version()}",
        "\t".join(("unit", *ARCHITECTURES)),
    ]
    for family, unit in tuned_units():
        name = name_of(unit)
        known = {} if anew or any(word in name for word in words) else rows.get(name, {})
        for arch in architectures(family):
            if arch not in known:
                known[arch] = max(u.registers for u in used(unit, arch).values())
        lines.append("\t".join((name, *(str(known.get(arch, "-")) for arch in ARCHITECTURES))))
    RECORD.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
