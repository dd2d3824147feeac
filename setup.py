"""The compiled core: one extension whose C kernels are built once per instruction-set level.

Metadata lives in pyproject.toml. FASTCONV_PURE=1 builds no extension at all.
"""

import os
import shutil
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError


@dataclass(frozen=True)
class Level:
    """One instruction-set level: its name, the compiler's flags, what the flags must define.

    A level with a `base` has kernels of its own for narrow types alone, and one of them for float32
    that is rounded to such a type; all others are the base's.
    """

    name: str
    flags: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    base: str = ""

    @property
    def sources(self):
        """The files that are compiled for it."""
        if "__AVX512BF16__" in self.defines:
            return ("narrow", "depthwise")
        return ("narrow",) if self.base else ("kernels", "depthwise", "narrow")


V2 = ("-msse3", "-mssse3", "-msse4.1", "-msse4.2", "-mpopcnt")
V3 = (*V2, "-mavx", "-mavx2", "-mfma", "-mf16c")
V4 = (*V3, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512cd")
VNNI = (*V4, "-mavx512vnni")

# On aarch64 alone gcc schedules before it allocates registers: loads come first, and some of a
# tile's sums go to the stack and back at every step. clang ignores the flag, and would say so.
NEON = ("-fno-schedule-insns", "-Wno-ignored-optimization-argument")

# Lowest first; the first must build. isa.c knows the same names and asks the processor for them.
X86_64 = (
    Level("baseline", V2, ("__SSE4_2__",)),
    Level("avx2", V3, ("__AVX2__", "__FMA__", "__F16C__")),
    Level("avx512", V4, ("__AVX512F__", "__AVX512BW__", "__AVX512DQ__", "__AVX512VL__")),
    Level("avx512_vnni", VNNI, ("__AVX512VNNI__",), "avx512"),
    Level("avx512_bf16", (*VNNI, "-mavx512bf16"), ("__AVX512BF16__",), "avx512"),
)
LEVELS = {
    "x86_64": X86_64,
    "amd64": X86_64,
    "aarch64": (Level("neon", NEON),),
    "arm64": (Level("neon", NEON),),
}
FALLBACK = (Level("baseline"),)

CSRC = Path("fastconv/cpu/csrc")
COMMON = ("dtypes", "isa", "memory", "shares", "threads", "windows")
UNITS = tuple(f"csrc/{name}.c" for name in FALLBACK[0].sources)
PARTS = ("*.pxi", "csrc/*.h", "csrc/*.inc", *UNITS)
FLAGS = ["-O3", "-g0", "-std=c11", "-fvisibility=hidden", "-pthread"]
# Neither changes a result: NaN and infinity stay honoured, only errno and traps are given up.
KERNEL_FLAGS = ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]
MOST_JOBS = 4
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

NO_COMPILER = (
    "fastconv needs a C11 compiler to build its kernels, and {} did not work: install one "
    "(Debian: apt install gcc python3-dev; macOS: xcode-select --install), or set FASTCONV_PURE=1 "
    "to install the slow NumPy reference alone."
)


class BuildLevels(build_ext):
    """Compiles the kernels once per level and links all of them into the one extension."""

    def initialize_options(self):
        super().initialize_options()
        self.cython_c_in_temp = True

    def build_extension(self, ext):
        built = Path(self.get_ext_fullpath(ext.name))
        inputs = [Path(p) for p in (*ext.sources, *ext.depends)]
        newest = max(p.stat().st_mtime for p in inputs if p.exists())
        if self.force or not built.exists() or built.stat().st_mtime < newest:
            self.force = True
            self.add_levels(ext)
        super().build_extension(ext)

    def add_levels(self, ext):
        if not self.compiles(()):
            raise CompileError(NO_COMPILER.format(self.compiler_name()))
        machine = self.plat_name.rpartition("-")[2]
        built, jobs = {""}, []
        for number, level in enumerate(LEVELS.get(machine, FALLBACK)):
            able = level.base in built and self.compiles(level.flags, level.defines)
            if number and not able:
                self.announce(f"this compiler cannot build {level.name}: left out", level=2)
                continue
            built.add(level.name)
            jobs += [(level, source) for source in level.sources]
            ext.define_macros.append((f"FC_HAVE_{level.name.upper()}", "1"))
        with ThreadPoolExecutor(self.jobs_at_once()) as pool:
            for objects in pool.map(lambda job: self.compile_for(*job, ext.depends), jobs):
                ext.extra_objects += objects

    def jobs_at_once(self):
        """As many as `--parallel` says, or as there are cores; a compiler takes half a GB."""
        if isinstance(self.parallel, int) and not isinstance(self.parallel, bool):
            return self.parallel
        return min(os.cpu_count() or 1, MOST_JOBS)

    def compile_for(self, level, source, depends):
        """Compile one file for a level; return its objects."""
        # Object paths depend on the source's name alone, hence a folder per level.
        folder = Path(self.build_temp) / f"isa-{level.name}"
        (folder / CSRC).mkdir(parents=True, exist_ok=True)
        return self.compiler.compile(
            [str(CSRC / f"{source}.c")],
            output_dir=str(folder),
            macros=[("FC_ISA", level.name)],
            depends=depends,
            extra_postargs=[*FLAGS, *KERNEL_FLAGS, *level.flags],
        )

    def compiles(self, flags, defines=()):
        """Whether the compiler takes the flags and they mean what the level needs."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.c"
            checks = "".join(f"#ifndef {name}\n#error\n#endif\n" for name in defines)
            source.write_text(f"#include <stdatomic.h>\n#include <pthread.h>\n{checks}int probe;\n")
            try:
                self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=[*FLAGS, *flags]
                )
            except CompileError:
                return False
        return True

    def compiler_name(self):
        command = getattr(self.compiler, "compiler_so", None) or [self.compiler.compiler_type]
        return command[0] if shutil.which(command[0]) else f"{command[0]} (not found)"


def core():
    """The extension; its kernels are added per level when it is built."""
    limited = [] if FREE_THREADED else [("Py_LIMITED_API", "0x030B0000")]
    return Extension(
        "fastconv.cpu._core",
        ["fastconv/cpu/_core.pyx", *(str(CSRC / f"{name}.c") for name in COMMON)],
        include_dirs=[str(CSRC)],
        depends=["setup.py", *sorted(str(p) for q in PARTS for p in CSRC.parent.glob(q))],
        define_macros=limited,
        extra_compile_args=FLAGS,
        extra_link_args=["-pthread"],
        py_limited_api=not FREE_THREADED,
    )


# Front ends run this file as a script; tests/csrc imports it for the tables above.
if __name__ == "__main__":
    pure = os.environ.get("FASTCONV_PURE", "0") not in ("", "0")
    setup(
        ext_modules=[] if pure else [core()],
        cmdclass={"build_ext": BuildLevels},
        options={} if pure or FREE_THREADED else {"bdist_wheel": {"py_limited_api": "cp311"}},
    )
