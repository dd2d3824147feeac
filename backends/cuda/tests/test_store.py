"""Kernels are compiled once, and the file's name changes with whatever changes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastconv_cuda import compiler, store, units
from fastconv_cuda.units import Unit

UNIT = Unit("im2col.cu", (("FC_ELEMENT", "uint16"), ("FC_COPIES_ONLY", "")))


class StandInCompiler(SimpleNamespace):
    """NVRTC's calls, counting."""

    def __init__(self):
        super().__init__(compiled=[], version=(13, 0))

    def getVersion(self):
        return self.version

    def createProgram(self, source, name, headers, names):
        return SimpleNamespace(source=source, name=name)

    def compileProgram(self, program, options):
        self.compiled.append(options)

    def getCUBIN(self, program):
        return b"\x7fELF cod"

    def getProgramLog(self, program):
        return ""

    def destroyProgram(self, program):
        pass


@pytest.fixture
def nvrtc(monkeypatch, tmp_path):
    """Put a stand-in in NVRTC's place, and the cache into a folder of the test's."""
    stand_in = StandInCompiler()
    monkeypatch.setattr(store, "load_nvrtc", lambda: stand_in)
    monkeypatch.setattr(compiler, "load_nvrtc", lambda: stand_in)
    monkeypatch.setenv("FASTCONV_CUDA_CACHE", str(tmp_path / "kernels"))
    store._compiler_version.cache_clear()
    yield stand_in
    store._compiler_version.cache_clear()


def test_a_unit_is_compiled_once(nvrtc):
    first = store.compiled(UNIT, (9, 0))
    assert store.compiled(UNIT, (9, 0)) == first
    assert len(nvrtc.compiled) == 1
    assert first.read_bytes() == b"\x7fELF cod\0"
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_another_card_another_type_or_another_compiler_is_compiled_anew(nvrtc):
    paths = {store.compiled(UNIT, (9, 0)), store.compiled(UNIT, (8, 6))}
    paths.add(store.compiled(UNIT.unaligned(), (9, 0)))
    nvrtc.version = (13, 1)
    store._compiler_version.cache_clear()
    paths.add(store.compiled(UNIT, (9, 0)))
    assert len(paths) == len(nvrtc.compiled) == 4


def test_a_changed_source_is_compiled_anew(monkeypatch, tmp_path):
    for path in units.KERNELS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(units, "KERNELS", tmp_path)
    units.fingerprint.cache_clear()
    before = units.fingerprint("im2col.cu")
    (tmp_path / "types.cuh").write_text("// changed\n")
    units.fingerprint.cache_clear()
    assert units.fingerprint("im2col.cu") != before
    units.fingerprint.cache_clear()


def test_a_folder_that_cannot_be_written_names_the_variable(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        store.write(tmp_path / "file" / "kernel.cubin", b"")
    assert "FASTCONV_CUDA_CACHE" in "".join(caught.value.__notes__)


def test_a_cache_that_cannot_be_written_costs_a_warning_and_is_done_without(
    nvrtc, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("FASTCONV_CUDA_CACHE")
    monkeypatch.setattr(store, "folder", lambda: tmp_path / "file" / "cache")
    monkeypatch.setattr(store, "_beside", [])
    with pytest.warns(RuntimeWarning, match="FASTCONV_CUDA_CACHE names a folder") as caught:
        path = store.compiled(UNIT, (9, 0))
    assert path.read_bytes() == b"\x7fELF cod\0"
    assert store.compiled(UNIT, (9, 0)) == path
    other = store.compiled(UNIT, (8, 0))
    assert other.parent == path.parent
    assert len(caught) == 1
    assert len(nvrtc.compiled) == 2


def test_a_failed_write_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(store.os, "replace", lambda *names: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        store.write(tmp_path / "kernel.cubin", b"code")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_at_once_leave_one_whole_file(tmp_path):
    code = (
        "import sys; from pathlib import Path; from fastconv_cuda import store\n"
        "for _ in range(200): store.write(Path(sys.argv[1]), sys.argv[2].encode() * 50_000)"
    )
    path = tmp_path / "kernel.cubin"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), word], env=env) for word in "ab"
    ]
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            found = path.read_bytes()
            assert len(found) == 50_000
            assert len(set(found)) == 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["kernel.cubin"]


def test_the_users_cache_is_the_default(monkeypatch):
    pytest.importorskip("platformdirs")
    monkeypatch.delenv("FASTCONV_CUDA_CACHE", raising=False)
    assert store.folder().name == "fastconv-cuda"
    assert isinstance(store.folder(), Path)
