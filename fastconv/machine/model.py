"""What is known of a machine: plain frozen records, None where nobody says."""

from dataclasses import dataclass

# Per transferred bit of a PCI Express lane, the share that carries data: 8b/10b up to 5 GT/s,
# 128b/130b up to 32 GT/s, and 242 of a flit's 256 bytes from 64 GT/s on (PCI Express base
# specification).
_ENCODING = ((5.0, 8 / 10), (32.0, 128 / 130), (float("inf"), 242 / 256))


@dataclass(frozen=True, slots=True)
class Cache:
    """One kind of cache.

    Attributes
    ----------
    level : int
        1, 2, 3 ...
    kind : str
        "data", "instruction" or "unified".
    bytes : int
        Size of one instance.
    instances : int or None
        How many of them the machine has.
    shared_by : int or None
        Logical cores that share one instance.
    """

    level: int
    kind: str
    bytes: int
    instances: int | None = None
    shared_by: int | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics processor and the bus that leads to it.

    Attributes
    ----------
    name : str
        What its driver calls it, or vendor and device number where there is no driver.
    bus : str or None
        PCI address, "0000:01:00.0".
    memory : int or None
        Its memory in bytes.
    driver : str or None
        Version of the driver that serves it; None where none is known to.
    link_gts : float or None
        Fastest speed that card and slot agree on, in gigatransfers a second and lane. (An idle
        card's *current* speed is lower: it saves power.)
    link_width : int or None
        Lanes.
    """

    name: str
    bus: str | None = None
    memory: int | None = None
    driver: str | None = None
    link_gts: float | None = None
    link_width: int | None = None

    @property
    def link_bandwidth(self) -> float | None:
        """Bytes a second in one direction after line encoding, or None where the link is unknown.

        Examples
        --------
        >>> round(Gpu("card", link_gts=16.0, link_width=16).link_bandwidth / 1e9, 1)
        31.5
        """
        if not self.link_gts or not self.link_width:
            return None
        share = next(share for limit, share in _ENCODING if self.link_gts <= limit)
        return self.link_gts * 1e9 * share * self.link_width / 8


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has. Every field but the first two may be None or empty: not known.

    Attributes
    ----------
    system, architecture : str
        "Linux", "x86_64"; as ``platform.system()`` and ``platform.machine()`` spell them.
    cpu_model, vendor : str or None
        "AMD EPYC 9755", "AuthenticAMD".
    family, model : int or None
        The maker's numbers: x86 family and model; on ARM the implementer and the part.
    nominal_mhz, max_mhz : float or None
        Guaranteed and highest clock of the fastest core, in MHz.
    physical_cores, logical_cores : int or None
        Of the whole machine.
    usable_cores : int
        What this process may use (see :func:`usable_cores`), at least 1.
    caches : tuple of Cache
        By level; a hybrid CPU has several entries for one level.
    memory_total, memory_available, memory_limit : int or None
        Bytes; ``memory_limit`` is what a control group allows, None where it sets no bound.
    flags : frozenset of str
        Instruction-set flags that every core has, as the system spells them, in lower case.
    gpus : tuple of Gpu
        From the system's files alone; :func:`gpus` also asks the driver.
    """

    system: str
    architecture: str
    cpu_model: str | None = None
    vendor: str | None = None
    family: int | None = None
    model: int | None = None
    nominal_mhz: float | None = None
    max_mhz: float | None = None
    physical_cores: int | None = None
    logical_cores: int | None = None
    usable_cores: int = 1
    caches: tuple[Cache, ...] = ()
    memory_total: int | None = None
    memory_available: int | None = None
    memory_limit: int | None = None
    flags: frozenset[str] = frozenset()
    gpus: tuple[Gpu, ...] = ()

    @property
    def clock_hz(self) -> float | None:
        """The highest clock known, in Hz."""
        mhz = self.max_mhz or self.nominal_mhz
        return mhz * 1e6 if mhz else None

    @property
    def l1d(self) -> int | None:
        """Bytes of the smallest first-level data cache, or None."""
        return self._smallest(1)

    @property
    def l2(self) -> int | None:
        """Bytes of the smallest second-level cache, or None."""
        return self._smallest(2)

    @property
    def l3(self) -> int | None:
        """Bytes of the smallest third-level cache, or None."""
        return self._smallest(3)

    def _smallest(self, level: int) -> int | None:
        # The smallest, as a block that is cut to it then fits on every core of a hybrid CPU.
        sizes = [c.bytes for c in self.caches if c.level == level and c.kind != "instruction"]
        return min(sizes, default=None)
