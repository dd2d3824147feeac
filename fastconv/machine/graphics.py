"""Graphics processors and their bus: the system's files, then the driver's own tool."""

import dataclasses
import functools
import shutil
import subprocess
from pathlib import Path

from fastconv.machine.files import read_int, read_text, to_float, to_int
from fastconv.machine.model import Gpu

# Server boards carry display chips of other makers that compute nothing: only these count.
_MAKERS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel"}
_DISPLAY, _ACCELERATOR = 0x03, 0x12
_GTS = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}
_QUERY = "pci.bus_id,name,memory.total,driver_version,pcie.link.gen.max,pcie.link.width.max"


@functools.cache
def gpus() -> tuple[Gpu, ...]:
    """The machine's graphics processors, with what ``nvidia-smi`` adds where it is installed.

    Returns
    -------
    tuple of Gpu
        Empty where there is none. Asked once: the driver's tool may take a second (at most two,
        then it is left out), which is why :func:`describe` reads the system's files alone.

    Examples
    --------
    >>> isinstance(gpus(), tuple)
    True
    """
    return merge(pci_gpus(Path("/")), parse_nvidia_smi(_nvidia_smi()))


def pci_gpus(root: Path) -> tuple[Gpu, ...]:
    """The graphics processors among the PCI devices that /sys under ``root`` lists."""
    found = []
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        maker = read_int(device / "vendor") or 0
        kind = (read_int(device / "class") or 0) >> 16
        if maker in _MAKERS and kind in (_DISPLAY, _ACCELERATOR):
            found.append(_pci_gpu(root, device, _MAKERS[maker]))
    return tuple(found)


def _pci_gpu(root: Path, device: Path, maker: str) -> Gpu:
    name = read_text(device / "product_name")  # amdgpu
    information = root / "proc/driver/nvidia/gpus" / device.name / "information"
    for line in (read_text(information) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "Model":
            name = value.strip()
    gts, width = _link(device)
    return Gpu(
        name=name or f"{maker} device {read_text(device / 'device') or 'unknown'}",
        bus=device.name.lower(),
        memory=read_int(device / "mem_info_vram_total"),  # amdgpu
        link_gts=gts,
        link_width=width,
    )


def _link(device: Path) -> tuple[float | None, int | None]:
    """Best speed and width that the card and the port above it both have."""
    ends = [device, device.resolve().parent]  # /sys nests each device in its port's directory
    # Virtual machines say "Unknown" or 0 or 255 lanes where there is no real link.
    speeds = [to_float(read_text(end / "max_link_speed")) for end in ends]
    widths = [read_int(end / "max_link_width") for end in ends]
    return (
        min((speed for speed in speeds if speed), default=None),
        min((width for width in widths if width and 0 < width <= 32), default=None),
    )


def _nvidia_smi(timeout: float = 2.0) -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else ""


def parse_nvidia_smi(text: str) -> tuple[Gpu, ...]:
    """The cards that lines of "address, name, MiB, driver, generation, lanes" describe."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(_QUERY.split(",")):
            continue
        address, name, mebibytes, driver, generation, width = fields
        domain, separator, rest = address.partition(":")
        if not separator:
            continue
        memory = to_int(mebibytes)
        found.append(
            Gpu(
                name=name,
                # The tool writes the domain with eight digits, /sys with four.
                bus=f"{domain[-4:]}:{rest}".lower(),
                memory=None if memory is None else memory << 20,
                driver=driver,
                link_gts=_GTS.get(to_int(generation) or 0),
                link_width=to_int(width),
            )
        )
    return tuple(found)


def merge(listed: tuple[Gpu, ...], served: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """One entry a card: what the driver says, and from the PCI list what the driver leaves out."""
    by_bus = {gpu.bus: gpu for gpu in listed}
    for gpu in served:
        known = by_bus.get(gpu.bus, gpu)
        by_bus[gpu.bus] = dataclasses.replace(
            gpu,
            memory=gpu.memory or known.memory,
            link_gts=gpu.link_gts or known.link_gts,
            link_width=gpu.link_width or known.link_width,
        )
    return tuple(by_bus.values())
