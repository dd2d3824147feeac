"""What plans need of a device: memory and launches. CuPy has it on a GPU; tests have another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastconv_cuda.bus import Bus
from fastconv_cuda.tensor_maps import TensorMap
from fastconv_cuda.units import Unit

Grid = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Card:
    """What predictions and the choice of kernels need to know of a GPU.

    Attributes
    ----------
    number : int
        CUDA's number of the device.
    name : str
        The maker's name of it.
    capability : tuple of int
        Compute capability, (9, 0) for instance.
    processors : int
        Number of multiprocessors.
    clock : float
        Cycles a second.
    memory : int
        Bytes in all.
    bandwidth : float
        Bytes a second between the chip and its memory.
    shared_memory : int
        Most bytes of shared memory that a block may have.
    """

    number: int
    name: str
    capability: tuple[int, int]
    processors: int
    clock: float
    memory: int
    bandwidth: float
    shared_memory: int = 48 * 1024

    @property
    def device(self) -> str:
        """The name that policies and problems use."""
        return f"cuda:{self.number}"


class Device(Protocol):
    """A GPU, or what stands for one."""

    @property
    def card(self) -> Card:
        """Its description."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new C-contiguous array; raise MemoryError where there is no room."""

    def pointer(self, array: Any) -> int:
        """Return the address of an array's first element."""

    def tensor_map(self, wanted: TensorMap, address: int) -> bytes:
        """Return what the copying unit reads of an array at an address."""

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
        """Start a kernel. Arguments are addresses (int) and structures (arrays of one)."""

    def matmul(self, a: Any, b: Any, out: Any, stream: Any = None) -> None:
        """Compute out = a @ b, of stacks of matrices, by the vendor's library."""

    def bus(self) -> Bus:
        """Return how fast copies to and from the host are."""

    def upload(self, array: Any, to: Any, stream: Any = None) -> None:
        """Copy a host array into a device array of its shape and type."""

    def download(self, array: Any, to: Any, stream: Any = None, *, wait: bool = True) -> None:
        """Copy a device array into a host array; without `wait`, into a pinned one."""

    def pinned(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new host array that copies reach while the host does something else."""

    def stream(self) -> Any:
        """Return a new stream."""

    def wait(self, stream: Any) -> None:
        """Wait for a stream, None being the current one."""
