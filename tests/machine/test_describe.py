"""The machine that the tests run on: consistent, cached, and nothing read at import."""

import dataclasses
import platform
import subprocess
import sys

import pytest

from fastconv import machine
from fastconv.machine import describe


def test_this_machine():
    here = describe()
    assert (here.system, here.architecture) == (platform.system(), platform.machine())
    assert here.usable_cores >= 1
    if here.logical_cores is not None:
        assert here.usable_cores <= here.logical_cores
        assert (here.physical_cores or 1) <= here.logical_cores
    if here.memory_total is not None and here.memory_available is not None:
        assert here.memory_available <= here.memory_total


def test_asked_once():
    assert describe() is describe()
    assert machine.gpus() is machine.gpus()


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        describe().cpu_model = "faster"


def test_other_systems_get_honest_blanks(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Plan9")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(machine.os, "cpu_count", lambda: None)
    blank = describe.__wrapped__()
    assert blank == machine.Machine(
        "Plan9", platform.machine(), usable_cores=machine.usable_cores()
    )


def test_macos_reads_sysctl(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine, "sysctl_text", lambda: "machdep.cpu.brand_string: Apple M9\n")
    assert describe.__wrapped__().cpu_model == "Apple M9"


def test_import_reads_nothing_and_needs_no_numpy():
    code = (
        "import sys\n"
        "reads = []\n"
        "def watch(event, args):\n"
        "    read = event == 'open' and str(args[0]).startswith(('/proc', '/sys'))\n"
        "    if read or event == 'subprocess.Popen': reads.append(args)\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import types, pathlib\n"
        "package = types.ModuleType('fastconv')\n"  # without its own __init__
        "package.__path__ = [str(pathlib.Path(sys.argv[1]) / 'fastconv')]\n"
        "sys.modules['fastconv'] = package\n"
        "sys.addaudithook(watch)\n"
        "import fastconv.machine\n"
        "assert not reads, reads\n"
        "assert 'numpy' not in sys.modules\n"
    )
    root = str(machine.Path(machine.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
