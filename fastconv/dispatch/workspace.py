"""Scratch memory in main memory, kept from call to call."""

from __future__ import annotations

from typing import Any

from fastconv.backend import KEEPERS, Plan

# A cache line: vectors that straddle two of them take two loads.
_ALIGNMENT = 64
# Blocks kept while nobody uses them, and cuts that a block remembers.
_MOST_BLOCKS = 32
_MOST_CUTS = 64


class NoWorkspaceError(MemoryError):
    """There is no memory for a plan's workspace; `size` says how much was wanted."""

    def __init__(self, size: int, why: object) -> None:
        super().__init__(
            f"no memory for a workspace of {size} bytes ({why}), and nothing runs in less. "
            "Free some, or give the call fewer images"
        )
        self.size = size


class Block:
    """Memory that one call uses at a time, and its first n bytes as arrays."""

    __slots__ = ("_cuts", "_memory")

    def __init__(self, memory: Any) -> None:
        address = memory.__array_interface__["data"][0]
        self._memory = memory[-address % _ALIGNMENT :]
        self._cuts: dict[int, Any] = {}

    def cut(self, size: int) -> Any:
        """Return exactly `size` bytes, or None where it has fewer."""
        found = self._cuts.get(size)
        if found is None and size <= self._memory.size:
            if len(self._cuts) >= _MOST_CUTS:
                self._cuts.clear()
            found = self._cuts[size] = self._memory[:size]
        return found


# Taken from the end and put back there, each in one step of the interpreter: no two threads get
# one block, nor does a call made from inside a plan's run.
_FREE: list[Block] = []


def borrow(plan: Plan, size: int) -> tuple[Block, Any]:
    """Return a block to give back, and `size` bytes of it to work in."""
    try:
        block = _FREE.pop()
    except IndexError:
        pass
    else:
        workspace = block.cut(size)
        if workspace is not None:
            return block, workspace
    block = Block(fresh(plan, size, _ALIGNMENT))
    return block, block.cut(size)


def fresh(plan: Plan, size: int, more: int = 0) -> Any:
    """Return `size` bytes of new memory, and some more; raise NoWorkspaceError without any."""
    try:
        return plan.empty((size + more,), "uint8")
    except MemoryError as error:
        raise NoWorkspaceError(size, error) from error


def give_back(block: Block) -> None:
    """Keep a block for the next call."""
    if len(_FREE) < _MOST_BLOCKS:
        _FREE.append(block)


def release_memory() -> None:
    """Give back to the system what memory is kept for the next calls.

    Workspaces and large results are freed into a store of the process, since memory fresh from
    the system is slow when it is first written. ``FASTCONV_CACHE_BYTES`` bounds the store; 0
    switches it off.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.release_memory()
    """
    _FREE.clear()  # first: what they leave goes to a backend's own store
    for release in KEEPERS:
        release()
