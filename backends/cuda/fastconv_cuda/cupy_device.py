"""A GPU through CuPy. Imported only where there is one."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import cupy
import numpy as np

from fastconv_cuda.bus import Bus, remembered, timed
from fastconv_cuda.device import Card, Grid
from fastconv_cuda.driver import encode
from fastconv_cuda.store import compiled, folder
from fastconv_cuda.tensor_maps import TensorMap
from fastconv_cuda.units import Unit

# What a kernel may have without asking for more.
_PLAIN_SHARED = 48 * 1024


def dtype_of(name: str) -> Any:
    """Return a dtype by name; bfloat16 is ml_dtypes'."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


class CupyDevice:
    """A GPU: CuPy's memory pool, its current stream, and kernels compiled at first use."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self._kernels: dict[tuple[Unit, str], Any] = {}
        self._lock = threading.Lock()
        self._bus: Bus | None = None

    def _current(self) -> Any:
        """Return a context in which this is the current device; asking is cheaper than setting."""
        if cupy.cuda.runtime.getDevice() == self.card.number:
            return nullcontext()
        return cupy.cuda.Device(self.card.number)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new array; where memory is short, after the pool has given back what it keeps.

        Raises
        ------
        MemoryError
            If there is no room even then.
        """
        with self._current():
            kind = dtype_of(dtype)
            try:
                return cupy.empty(shape, kind)
            except cupy.cuda.memory.OutOfMemoryError:
                cupy.get_default_memory_pool().free_all_blocks()
            return cupy.empty(shape, kind)

    def pointer(self, array: Any) -> int:
        """Return an array's address.

        Raises
        ------
        ValueError
            If it lives on another device.
        """
        # Not array.device, which makes an object at each look.
        memory = array.data
        if memory.device_id != self.card.number:
            raise ValueError(
                f"an array lives on cuda:{memory.device_id}, and the work is planned for "
                f"{self.card.device}. Move it first, or leave device= away"
            )
        return int(memory.ptr)

    def tensor_map(self, wanted: TensorMap, address: int) -> bytes:
        """Return what the driver makes of an array at an address."""
        return encode(wanted, address)

    def launch(
        self,
        unit: Unit,
        kernel: str,
        grid: Grid,
        block: Grid,
        shared: int,
        arguments: Sequence[Any],
        stream: Any = None,
    ) -> None:
        """Start a kernel on a stream, by default the current one."""
        function = self._kernels.get((unit, kernel)) or self._load(unit, kernel, shared)
        if stream is None and cupy.cuda.runtime.getDevice() == self.card.number:
            # Contexts that change nothing cost as much as all the rest of this.
            function(grid, block, tuple(arguments), shared_mem=shared)
            return
        with self._current(), stream or nullcontext():
            function(grid, block, tuple(arguments), shared_mem=shared)

    def _load(self, unit: Unit, kernel: str, shared: int) -> Any:
        with self._lock, self._current():
            function = self._kernels.get((unit, kernel))
            if function is None:
                path = compiled(unit, self.card.capability)
                function = cupy.RawModule(path=str(path)).get_function(kernel)
                if shared > _PLAIN_SHARED:
                    function.max_dynamic_shared_size_bytes = self.card.shared_memory
                self._kernels[unit, kernel] = function
            return function

    def warm(self, unit: Unit) -> None:
        """Compile a unit, and keep it on disk."""
        compiled(unit, self.card.capability)

    def matmul(self, a: Any, b: Any, out: Any, stream: Any = None) -> None:
        """Compute out = a @ b by cuBLAS."""
        with self._current(), stream or nullcontext():
            cupy.matmul(a, b, out=out)

    def bus(self) -> Bus:
        """Return how fast copies are: from a file, or timed by copying a few megabytes."""
        with self._lock:
            if self._bus is None:
                name = "".join(c if c.isalnum() else "-" for c in self.card.name)
                path = folder() / f"bus-{self.card.number}-{name}.json"
                self._bus = remembered(path, self._timed)
            return self._bus

    def _timed(self, size: int) -> Bus:
        host = np.zeros(size, np.uint8)
        there = self.empty((size,), "uint8")

        def up() -> None:
            self.upload(host, there)
            cupy.cuda.get_current_stream().synchronize()

        return timed(up, lambda: self.download(there, host), size)

    def upload(self, array: Any, to: Any, stream: Any = None) -> None:
        """Copy from the host, without waiting where its memory is pinned."""
        with self._current():
            to.set(array, stream=stream)

    def download(self, array: Any, to: Any, stream: Any = None, *, wait: bool = True) -> None:
        """Copy to the host."""
        with self._current():
            array.get(stream=stream, out=to, blocking=wait)

    def pinned(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new host array in pinned memory, from CuPy's pool of it."""
        return importlib.import_module("cupyx").empty_pinned(shape, dtype_of(dtype))

    def stream(self) -> Any:
        """Return a new stream, which doesn't wait for the default one."""
        with self._current():
            return cupy.cuda.Stream(non_blocking=True)

    def wait(self, stream: Any) -> None:
        """Wait for a stream, None being the current one."""
        with self._current():
            (stream or cupy.cuda.get_current_stream()).synchronize()
