"""A device whose kernels run on this CPU, compiled by its C++ compiler, on NumPy arrays."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

import numpy as np
from fastconv_cuda.bus import Bus
from fastconv_cuda.device import Card
from fastconv_cuda.finding import Found
from fastconv_cuda.units import KERNELS

from simt.maps import encoded

HERE = Path(__file__).parent
COMPILER = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
CARD = Card(0, "simulated", (9, 0), 2, 1e9, 1 << 32, 1e11, 227 * 1024)
FOLDER = Path(tempfile.gettempdir()) / f"fastconv-simt-{os.getuid()}"
FLAGS = ["-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-DFC_SIMULATED", "-x", "c++"]
# The libraries' state is global: one launch at a time.
LOCK = threading.Lock()


class SimulationError(RuntimeError):
    """A kernel did what a GPU wouldn't survive, or would wait for forever."""


def build(source, definitions, kernels=KERNELS):
    """Return a library with a source's kernels, built once for each content."""
    headers = sorted(HERE.glob("*.h")) + sorted(kernels.glob("*.cuh"))
    parts = [source, *definitions, *FLAGS, *(path.read_text() for path in headers)]
    name = sha256("\0".join(parts).encode()).hexdigest()[:24]
    library = FOLDER / f"{name}.so"
    if not library.exists():
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            text, made = Path(folder) / "kernel.cu", Path(folder) / "kernel.so"
            text.write_text(source)
            command = [COMPILER, *FLAGS, f"-I{HERE}", f"-I{kernels}", *definitions]
            result = subprocess.run(
                [*command, str(text), "-o", str(made)], capture_output=True, text=True, check=False
            )
            if result.returncode:
                raise SimulationError(result.stderr[:3000])
            os.replace(made, library)
    return ctypes.CDLL(str(library))


def arguments_of(arguments):
    """Return what cuLaunchKernel takes: an array of the arguments' addresses."""
    held = [
        ctypes.c_longlong(a) if isinstance(a, int) else np.ascontiguousarray(a) for a in arguments
    ]
    places = [
        ctypes.addressof(a) if isinstance(a, ctypes.c_longlong) else a.ctypes.data for a in held
    ]
    return (ctypes.c_void_p * len(places))(*places), held


class SimulatedDevice:
    """Stands for a GPU; every other launch of a kernel goes from the last block and thread on."""

    def __init__(self, card=CARD, kernels=KERNELS):
        self.card = card
        self.kernels = kernels
        self._turns = {}
        self.launches = []
        self.maps = []
        self._functions = {}

    def empty(self, shape, dtype):
        if dtype == "bfloat16":
            import ml_dtypes

            return np.empty(shape, ml_dtypes.bfloat16)
        return np.empty(shape, dtype)

    def pointer(self, array):
        return array.__array_interface__["data"][0]

    def tensor_map(self, wanted, address):
        self.maps.append((wanted, address))
        return encoded(wanted, address)

    def source(self, unit):
        """Return the text that is compiled."""
        return (self.kernels / unit.file).read_text()

    def launch(self, unit, kernel, grid, block, shared, arguments, stream=None):
        with LOCK:
            function = self._functions.get((unit, kernel))
            if function is None:
                function = getattr(
                    build(self.source(unit), unit.flags, self.kernels), f"launch_{kernel}"
                )
                function.restype = ctypes.c_char_p
                self._functions[unit, kernel] = function
            reverse = self._turns[unit, kernel] = 1 - self._turns.get((unit, kernel), 1)
            self.launches.append((unit, kernel))
            shape = (ctypes.c_uint * 6)(*grid, *block)
            places, held = arguments_of(arguments)
            failure = function(places, shape, shared, reverse)
            del held
        if failure is not None:
            raise SimulationError(f"{kernel} {unit.flags}: {failure.decode()}")

    def matmul(self, a, b, out, stream=None):
        np.matmul(a, b, out=out)

    def bus(self):
        return Bus(1e10, 1e10)

    def upload(self, array, to, stream=None):
        to[...] = array

    def download(self, array, to, stream=None, *, wait=True):
        # As late as it may: what doesn't wait sees the poison.
        if wait:
            to[...] = array
        else:
            to.view(np.uint8)[...] = 0xFF
            stream.append((array, to))

    def pinned(self, shape, dtype):
        return self.empty(shape, dtype)

    def stream(self):
        return []

    def wait(self, stream):
        for array, to in stream or ():
            to[...] = array
        if stream:
            stream.clear()


def simulated():
    """Return what a finder returns: one simulated device."""
    device = SimulatedDevice()
    return Found({device.card.device: device})
