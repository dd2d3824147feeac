"""Plans: launches whose arguments are known but for the arrays' addresses."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastconv.backend import Plan
from fastconv_cuda.device import Device, Grid
from fastconv_cuda.tensor_maps import MAP_BYTES, TensorMap
from fastconv_cuda.units import Unit

THREADS = 256


@dataclass(frozen=True, slots=True)
class Scratch:
    """An argument that lies in the workspace, so many bytes from its start."""

    offset: int


@dataclass(frozen=True, slots=True)
class Shifted:
    """An argument that lies so many bytes behind an array's first element."""

    place: int
    offset: int


@dataclass(frozen=True, slots=True)
class Packed:
    """The packed weight, wherever it is, or what lies so many bytes behind its start."""

    offset: int = 0


Place = int | Scratch | Shifted | Packed | None


def _address(place: Place, addresses: Sequence[int], scratch: int) -> int:
    if place is None:
        return 0
    if isinstance(place, Scratch):
        return scratch + place.offset
    if isinstance(place, Shifted):
        return addresses[place.place] + place.offset
    assert isinstance(place, int), "a packed weight has been put in its place"
    return addresses[place]


class TensorMaps:
    """Tensor maps that a launch passes by value as one structure, made once for the same arrays.

    Parameters
    ----------
    maps : sequence of (Place, TensorMap or None)
        Which array each describes; None leaves a place empty.
    """

    # A caller that makes new arrays all the time finds those of the pool again before long.
    KEPT = 64

    def __init__(self, maps: Sequence[tuple[Place, TensorMap | None]]) -> None:
        self._maps = tuple(maps)
        self._made: dict[tuple[int, ...], Any] = {}

    def at(self, placed: Callable[[Place], Place]) -> TensorMaps:
        """Return the same maps of arrays in other places."""
        return TensorMaps([(placed(place), wanted) for place, wanted in self._maps])

    def argument(self, device: Device, addresses: Sequence[int], scratch: int) -> Any:
        """Return the structure for these addresses, as an array of one element."""
        at = tuple(_address(place, addresses, scratch) for place, _ in self._maps)
        made = self._made.get(at)
        if made is None:
            maps = zip(self._maps, at, strict=True)
            made = aligned_structure(
                b"".join(
                    bytes(MAP_BYTES) if wanted is None else device.tensor_map(wanted, address)
                    for (_, wanted), address in maps
                )
            )
            if len(self._made) >= self.KEPT:
                self._made.clear()
            self._made[at] = made
        return made


def aligned_structure(content: bytes) -> Any:
    """Return an array of one structure with this content, at a multiple of 64 bytes."""
    room = np.zeros(len(content) + 64, np.uint8)
    start = -room.__array_interface__["data"][0] % 64
    inside = room[start : start + len(content)]
    inside[...] = np.frombuffer(content, np.uint8)
    return inside.view(np.dtype([("bytes", "u1", len(content))]))


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """One launch of a kernel.

    Attributes
    ----------
    unit, kernel, grid, block
        What to launch, over how much.
    arrays : tuple of (int, Scratch, Shifted, Packed or None)
        Which array of the plan (inputs, then outputs) each address is of; None passes 0.
    params : tuple
        Structures that follow the addresses.
    shared : int
        Bytes of shared memory.
    maps : TensorMaps, optional
        Come between the two.
    """

    unit: Unit
    kernel: str
    grid: Grid
    block: Grid
    arrays: tuple[Place, ...]
    params: tuple[Any, ...] = ()
    shared: int = 0
    maps: TensorMaps | None = None

    def start(self, device: Device, addresses: Sequence[int], scratch: int, stream: Any) -> None:
        """Launch it for these addresses."""
        # Most are an array's own: quicker than a call each.
        arguments: list[Any] = [
            addresses[place] if type(place) is int else _address(place, addresses, scratch)
            for place in self.arrays
        ]
        if self.maps is not None:
            arguments.append(self.maps.argument(device, addresses, scratch))
        arguments.extend(self.params)
        device.launch(self.unit, self.kernel, self.grid, self.block, self.shared, arguments, stream)

    def with_packed(self, at: int | Scratch) -> Launch:
        """Return the launch that finds the packed weight there."""

        def found(packed: Packed) -> Place:
            if isinstance(at, Scratch):
                return Scratch(at.offset + packed.offset)
            return Shifted(at, packed.offset)

        def placed(place: Place) -> Place:
            return found(place) if isinstance(place, Packed) else place

        return replace(
            self,
            arrays=tuple(map(placed, self.arrays)),
            maps=None if self.maps is None else self.maps.at(placed),
        )

    def unaligned(self) -> Launch:
        """Return the launch of the unit that reads and writes byte by byte."""
        return replace(self, unit=self.unit.unaligned())


def over_elements(
    unit: Unit,
    kernel: str,
    count: int,
    arrays: tuple[Place, ...],
    *params: Any,
) -> Launch:
    """Return a launch with a thread for each of `count` elements."""
    return Launch(unit, kernel, (-(-count // THREADS), 1, 1), (THREADS, 1, 1), arrays, params)


class DevicePlan(Plan):
    """Where a plan's arrays come from: what is left of the contract is each plan's own."""

    workspace_bytes = 0

    def __init__(self, device: Device) -> None:
        self.device = device

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return a new C-contiguous array on the device."""
        return self.device.empty(shape, dtype)


class LaunchPlan(DevicePlan):
    """Launches one after another.

    Parameters
    ----------
    device : Device
        Where they run.
    launches : sequence of Launch
        What is launched; launches without threads are left out.
    item_bytes : sequence of int
        What the address of each array must be a multiple of.
    workspace_bytes : int
        Scratch memory that they need.
    otherwise : LaunchPlan, optional
        What runs instead where an address isn't; by default the same, byte by byte.
    """

    def __init__(
        self,
        device: Device,
        launches: Sequence[Launch],
        item_bytes: Sequence[int],
        workspace_bytes: int = 0,
        otherwise: LaunchPlan | None = None,
    ) -> None:
        super().__init__(device)
        self.workspace_bytes = workspace_bytes
        self._launches = tuple(launch for launch in launches if 0 not in launch.grid)
        self._item_bytes = tuple(item_bytes)
        self._otherwise = otherwise

    def run(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        workspace: Any,
        stream: object | None = None,
    ) -> None:
        """Launch; nothing is allocated, and nobody waits."""
        pointer = self.device.pointer
        addresses = [pointer(array) for array in (*inputs, *outputs)]
        scratch = 0 if workspace is None else pointer(workspace)
        self.start(addresses, scratch, stream)

    def start(self, addresses: Sequence[int], scratch: int, stream: object | None) -> None:
        """Launch for these addresses."""
        aligned = not any(a % n for a, n in zip(addresses, self._item_bytes, strict=True))
        if not aligned and self._otherwise is not None:
            self._otherwise.start(addresses, scratch, stream)
            return
        for launch in self._launches:
            if not aligned:
                launch = launch.unaligned()
            launch.start(self.device, addresses, scratch, stream)


class PackingAhead(LaunchPlan):
    """What plans share that can pack the second input, a weight, ahead of their runs."""

    pack_key: Hashable
    _pack: LaunchPlan
    _packed_bytes: int

    def pack(self, weight: Any) -> Any:
        """Return the packed weight in an array of its own."""
        packed = self.device.empty((self._packed_bytes,), "uint8")
        pointer = self.device.pointer
        self._pack.start([0, pointer(weight)], pointer(packed), None)
        return packed
