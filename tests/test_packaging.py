"""sdist and wheel, built and installed in environments that hold nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USE = (
    "import numpy as np, fastconv;"
    "y = fastconv.conv2d(np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3)));"
    "print(y.max(), fastconv.backends()[0].status)"
)

pytestmark = pytest.mark.slow


def run(*command: str | Path, **environment: str) -> str:
    """Run a command outside the checkout; return what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        cwd=Path(command[0]).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    source = "import setuptools.build_meta as b, sys; print(b.build_sdist(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", source, str(folder)], cwd=ROOT, check=True)
    sdist = next(folder.glob("*.tar.gz"))
    run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("-w", folder, sdist),
    )
    return folder


def install(place: Path, package: Path, **environment: str) -> Path:
    """Install a package into a new environment; return its interpreter."""
    run(sys.executable, "-m", "venv", place)
    python = place / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", package, **environment)
    return python


def test_the_wheel_is_one_for_all_versions_and_holds_no_sources(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert "-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert "fastconv/py.typed" in names
    assert any(name.startswith("fastconv/cpu/_core") and name.endswith(".so") for name in names)
    assert not [name for name in names if name.endswith((".c", ".h", ".inc", ".pxi"))]
    assert not [name for name in names if name.startswith(("tests/", "backends/"))]


def test_the_sdist_holds_what_a_build_and_the_tests_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in (
        "setup.py",
        "LICENSE",
        "fastconv/cpu/_core.pyx",
        "fastconv/cpu/csrc/kernels.c",
        "backends/template/pyproject.toml",
        "tests/csrc/main.c",
        "tests/test_packaging.py",
    ):
        assert needed in names


def test_the_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    python = install(tmp_path / "venv", next(built.glob("*.whl")))
    assert run(python, "-W", "error", "-c", USE) == "18.0 ready\n"


def test_the_sdist_works_without_a_compiler(built: Path, tmp_path: Path) -> None:
    sdist = next(built.glob("*.tar.gz"))
    python = install(tmp_path / "venv", sdist, FASTCONV_PURE="1", CC="/bin/false")
    assert run(python, "-W", "ignore", "-c", USE) == "18.0 ready\n"
