"""What to measure: the command line, and the configurations that it comes to."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from asv_bench.cases import PASSES, Pass, all_cases

PARTS = ("layers", "network", "overhead", "precisions", "few_bits", "channels_last", "memory")
USAGE = """\
examples:
  make bench                                        everything, at 1 and 2 threads
  make bench ARGS="--layers resnet mobilenet -t 1"  layers whose names contain one of these
  make bench ARGS="--memory --figure docs/speed.svg"
"""
# glibc would give some freed outputs back to the system, others not, depending on what was freed
# before: a fresh output's pages then cost more than many a layer. Kept, they cost nobody anything.
_KEEP_FREED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}


@dataclass(frozen=True)
class Configuration:
    """One process's share: a number of threads and a level are kept once they are set."""

    threads: int
    dtype: str = "float32"
    isa: str | None = None
    channels_last: bool = False
    layers: tuple[str, ...] = ()
    passes: tuple[Pass, ...] = PASSES
    parts: tuple[str, ...] = PARTS[:-1]
    rounds: int = 7
    keep_freed: bool = True

    def environment(self) -> dict[str, str]:
        """Return the variables that hold every library to this configuration."""
        threads = str(self.threads)
        found = {
            "FASTCONV_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }
        if self.keep_freed:
            found |= _KEEP_FREED
        if self.isa:
            found |= {
                "FASTCONV_MAX_ISA": self.isa,
                "ATEN_CPU_CAPABILITY": "avx2" if self.isa == "avx2" else "default",
                "ONEDNN_MAX_CPU_ISA": "AVX2" if self.isa == "avx2" else "SSE41",
                "MKL_ENABLE_INSTRUCTIONS": "AVX2" if self.isa == "avx2" else "SSE4_2",
            }
        return found


@dataclass(frozen=True)
class Options:
    """The command line, checked."""

    configurations: tuple[Configuration, ...]
    json: Path | None
    figure: Path | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m asv_bench",
        description="fastconv beside PyTorch and ONNX Runtime, layer by layer, interleaved.",
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-t", "--threads", type=_positive, nargs="+", metavar="N", help="default: 1 2")
    add("-d", "--dtype", choices=("float32", "float64"), default="float32")
    add("--isa", choices=("baseline", "avx2"), help="hold fastconv and PyTorch to this level")
    add("--layout", choices=("NCHW", "NHWC"), default="NCHW", help="of fastconv's arrays")
    add("-l", "--layers", nargs="+", metavar="NAME", help="layers whose names contain one of these")
    add(
        *("-p", "--passes"),
        nargs="+",
        metavar="PASS",
        choices=PASSES,
        default=list(PASSES),
        help=f"of {_list(PASSES)}",
    )
    add("-r", "--rounds", type=_positive, default=7, metavar="N", help="turns of each (default: 7)")
    add(
        "--allocator",
        choices=("keeping", "system"),
        default="keeping",
        help="whether freed outputs stay with the process, or go as the system decides",
    )
    add(
        "--parts",
        nargs="+",
        metavar="PART",
        choices=PARTS,
        help=f"of {_list(PARTS)}; default: all but memory, or layers alone where some are named",
    )
    add("--memory", action="store_true", help="peak memory of each layer too")
    add("--json", type=_writable, metavar="PATH", help="default: asv_bench/results/")
    add("--figure", type=_writable, metavar="PATH", help=".svg, .png or .pdf")
    return parser


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options of a command line; a mistake ends the process with one line."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.figure and given.figure.suffix not in (".svg", ".png", ".pdf"):
        parser.error(f"--figure: got {str(given.figure)!r}, expected a name in .svg, .png or .pdf")
    configurations = tuple(
        Configuration(
            threads=threads,
            dtype=given.dtype,
            isa=given.isa,
            channels_last=given.layout == "NHWC",
            layers=_layers(parser, given.layers),
            passes=tuple(which for which in PASSES if which in given.passes),
            parts=_parts(given),
            rounds=given.rounds,
            keep_freed=given.allocator == "keeping",
        )
        for threads in _threads(given.threads)
    )
    return Options(configurations, given.json, given.figure)


def _layers(parser: argparse.ArgumentParser, wanted: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(case.name for case in all_cases())
    if wanted is None:
        return names
    for part in wanted:
        if not any(part in name for name in names):
            parser.error(f"--layers: no layer's name contains {part!r}; there are {_list(names)}")
    return tuple(name for name in names if any(part in name for part in wanted))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _parts(given: Any) -> tuple[str, ...]:
    # Some layers alone: whoever asks for them is not after the rest.
    usual = PARTS[:1] if given.layers else PARTS[:-1]
    wanted = set(given.parts or usual) | ({"memory"} if given.memory else set())
    return tuple(part for part in PARTS if part in wanted)


def _threads(wanted: Sequence[int] | None) -> list[int]:
    from fastconv.machine import usable_cores

    return sorted(set(wanted or (1, min(2, usable_cores()))))


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number above 0")
    return int(text)


def _writable(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"can't write {text!r}: {path.parent} isn't a folder that can be written"
        )
    return path
