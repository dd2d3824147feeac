"""The C core without Python: its tests in C, under sanitizers, and on processors not at hand."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CSRC = ROOT / "fastconv/cpu/csrc"
CC = shlex.split(os.environ.get("CC", "cc"))
WARNINGS = ["-Wall", "-Wextra", "-Werror"]

pytest.importorskip("setuptools")
pytestmark = pytest.mark.skipif(not CSRC.exists(), reason="these tests need the source tree")


@pytest.fixture(scope="module")
def setup():
    """Return setup.py as a module: its table of levels and its compiler flags."""
    spec = spec_from_file_location("fastconv_setup", ROOT / "setup.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(command, **environment):
    """Run a command; return what it prints, or fail with it."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-8000:]
    return done.stdout


def links(compiler, flags, folder):
    """Whether a compiler is there, takes the flags and has the libraries that they need."""
    source = folder / "probe.c"
    source.write_text("int main(void) { return 0; }\n")
    command = [*compiler, *flags, str(source), "-o", str(folder / "probe")]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Builder:
    """Builds the test program into a folder, with setup.py's levels and flags."""

    def __init__(self, setup, folder):
        self.setup = setup
        self.folder = folder

    def build(self, compiler=CC, flags=(), machine=None, remedy="install a C compiler"):
        """Return the program; skip the test where the compiler can't make one."""
        if not links(compiler, flags, self.folder):
            pytest.skip(f"{shlex.join([*compiler, *flags])} does not work here: {remedy}")
        table = self.setup.LEVELS.get(machine or platform.machine().lower(), self.setup.FALLBACK)
        levels = [level for level in table if links(compiler, level.flags, self.folder)]
        command = [*compiler, *self.setup.FLAGS, *WARNINGS, "-I", str(CSRC), *flags, "-c"]
        have = [f"-DFC_HAVE_{level.name.upper()}" for level in levels]
        jobs = {
            f"{level.name}-{name}.o": [CSRC / f"{name}.c", f"-DFC_ISA={level.name}",
                                       *self.setup.KERNEL_FLAGS, *level.flags]
            for level in levels for name in level.sources
        }  # fmt: skip
        jobs |= {f"{name}.o": [CSRC / f"{name}.c", *have] for name in self.setup.COMMON}
        jobs |= {f"test-{path.stem}.o": [path] for path in sorted(HERE.glob("*.c"))}
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(run, [[*command, *job, "-o", self.folder / name]
                                for name, job in jobs.items()]))  # fmt: skip
        program = self.folder / "csrc-tests"
        run([*compiler, *flags, "-pthread", *map(self.folder.joinpath, jobs), "-lm", "-o", program])
        return program


@pytest.fixture
def builder(setup, tmp_path):
    return Builder(setup, tmp_path)


@pytest.fixture(scope="module")
def program(setup, tmp_path_factory):
    """Return the program with kernels as they are installed."""
    return Builder(setup, tmp_path_factory.mktemp("csrc")).build()


def test_every_kernel_at_every_level(builder):
    # -O3 takes four times as long to compile.
    run([builder.build(flags=["-O1"]), "-n", 500])


@pytest.mark.slow
def test_as_installed(program):
    run([program, "-n", 2000])


@pytest.mark.slow
def test_under_the_address_and_undefined_behaviour_sanitizers(builder):
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    # No canaries: red zones begin where arrays end.
    run([builder.build(flags=[*checks, "-O1", "-g1", "-DGUARD=0"]), "-n", 300])


@pytest.mark.slow
def test_under_the_thread_sanitizer(builder):
    # With -O1, gcc 12 forgets to pass an argument that lies on the stack.
    found = builder.build(flags=["-fsanitize=thread", "-O2", "-g1"])
    run([found, "-n", 100], TSAN_OPTIONS="die_after_fork=0")


@pytest.mark.slow
def test_with_clang(builder):
    run([builder.build(["clang"], remedy="apt install clang")])


def emulator(name):
    """Return a user-mode emulator's path."""
    return shutil.which(name) or pytest.skip(f"{name} is missing: apt install qemu-user")


# The emulator itself fails where a process with several threads forks.
EMULATED = ["-n", 200, "-fork", "-memory_fork"]


@pytest.mark.slow
def test_neon_under_emulation(builder):
    qemu = emulator("qemu-aarch64")
    found = builder.build(
        ["aarch64-linux-gnu-gcc"], ["-static"], "aarch64",
        remedy="apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    )  # fmt: skip
    assert run([qemu, found, "-l"]) == "neon\n"
    run([qemu, found, *EMULATED])


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="of x86-64's levels")
@pytest.mark.parametrize(
    ("processor", "levels"), [("Nehalem", "baseline\n"), ("Haswell", "baseline\navx2\n")]
)
def test_older_processors_are_given_what_they_have(program, processor, levels):
    """An instruction above the chosen level ends the program."""
    qemu = [emulator("qemu-x86_64"), "-cpu", processor]
    assert run([*qemu, program, "-l"]) == levels
    run([*qemu, program, *EMULATED])
