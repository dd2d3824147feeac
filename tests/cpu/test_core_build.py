"""setup.py: what it builds with a good compiler, an old one and none."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytest.importorskip("setuptools")
pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").exists(), reason="these tests need the source tree"
)


def build(folder, **variables):
    """Build into a folder of its own; the source tree stays as it is."""
    command = [
        sys.executable,
        "setup.py",
        "build_ext",
        "-b",
        f"{folder}/lib",
        "-t",
        f"{folder}/tmp",
    ]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip


def built(folder):
    return sorted(str(path) for path in Path(folder).rglob("_core*.so"))


def test_without_a_compiler_the_build_says_what_to_do(tmp_path):
    done = build(tmp_path, CC=str(tmp_path / "no-such-compiler"), FASTCONV_PURE="0")
    assert done.returncode != 0
    assert "install one" in done.stderr
    assert "FASTCONV_PURE=1" in done.stderr
    assert "no-such-compiler (not found)" in done.stderr


def test_a_pure_build_needs_no_compiler(tmp_path):
    done = build(tmp_path, CC=str(tmp_path / "no-such-compiler"), FASTCONV_PURE="1")
    assert done.returncode == 0, done.stderr
    assert not built(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="only x86-64 has several levels"
)
def test_a_level_that_the_compiler_cannot_build_is_an_empty_row(tmp_path):
    pytest.importorskip("Cython")
    compiler = tmp_path / "old-compiler"
    compiler.write_text('#!/bin/sh\ncase "$*" in *avx512*) exit 1;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    done = build(tmp_path, CC=str(compiler), FASTCONV_PURE="0")
    assert done.returncode == 0, done.stderr
    (library,) = built(tmp_path)
    script = (
        "import sys; from importlib.util import module_from_spec, spec_from_file_location as spec\n"
        "found = spec('fastconv.cpu._core', sys.argv[1]); core = module_from_spec(found)\n"
        "found.loader.exec_module(core)\n"
        "rows = {name: built for name, built, _ in core.isa_levels()}\n"
        "assert {name for name in rows if rows[name]} == {'baseline', 'avx2'}, rows\n"
        "assert not core.active_isa().startswith('avx512')\n"
    )
    subprocess.run([sys.executable, "-c", script, library], check=True, timeout=60)

    before = os.stat(library).st_mtime_ns
    again = build(tmp_path, CC=str(compiler), FASTCONV_PURE="0")
    assert again.returncode == 0, again.stderr
    assert os.stat(library).st_mtime_ns == before, "an up-to-date build was built again"
