"""Machines of other people, from the texts that their kernels gave."""

from fastconv.machine.linux import read_linux
from fastconv.machine.model import Cache, Machine

CPUS = "sys/devices/system/cpu"


def cache_files(cpu, *caches):
    """One core's cache directory from rows (level, type, size, shared_cpu_list)."""
    files = {}
    for index, (level, kind, size, shared) in enumerate(caches):
        base = f"{CPUS}/cpu{cpu}/cache/index{index}"
        files |= {
            f"{base}/level": f"{level}\n",
            f"{base}/type": f"{kind}\n",
            f"{base}/size": f"{size}\n",
            f"{base}/shared_cpu_list": f"{shared}\n",
        }
    return files


def intel_hybrid():
    """Core i5 of the 12th generation cut to 2 P-cores of 2 threads and a cluster of 4 E-cores."""
    flags = "fpu sse4_2 constant_tsc avx avx2 fma f16c avx_vnni"
    blocks = [
        f"processor\t: {cpu}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 151\n"
        "model name\t: 12th Gen Intel(R) Core(TM) i5-12600K\ncpu MHz\t\t: 800.000\n"
        f"flags\t\t: {flags}{' only_on_p' if cpu < 4 else ''}\nbogomips\t: 7372.80\n"
        for cpu in range(8)
    ]
    files = {"proc/cpuinfo": "\n".join(blocks), f"{CPUS}/online": "0-7\n"}
    for cpu in range(8):
        fast = cpu < 4
        core = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}" if fast else str(cpu)
        files |= cache_files(
            cpu,
            (1, "Data", "48K" if fast else "32K", core),
            (1, "Instruction", "32K" if fast else "64K", core),
            (2, "Unified", "1280K" if fast else "2048K", core if fast else "4-7"),
            (3, "Unified", "20480K", "0-7"),
        )
        files[f"{CPUS}/cpu{cpu}/topology/core_cpus_list"] = core + "\n"
        files[f"{CPUS}/cpu{cpu}/cpufreq/base_frequency"] = f"{3700000 if fast else 2800000}\n"
        files[f"{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq"] = f"{4900000 if fast else 3600000}\n"
    return files


def test_intel_hybrid(tree):
    machine = read_linux(tree(intel_hybrid()), "x86_64", 8)
    assert machine.cpu_model == "12th Gen Intel(R) Core(TM) i5-12600K"
    assert (machine.vendor, machine.family, machine.model) == ("GenuineIntel", 6, 151)
    assert (machine.nominal_mhz, machine.max_mhz) == (3700.0, 4900.0)
    assert machine.clock_hz == 4.9e9
    assert (machine.physical_cores, machine.logical_cores, machine.usable_cores) == (6, 8, 8)
    assert machine.caches == (
        Cache(1, "data", 32 << 10, 4, 1),
        Cache(1, "data", 48 << 10, 2, 2),
        Cache(1, "instruction", 32 << 10, 2, 2),
        Cache(1, "instruction", 64 << 10, 4, 1),
        Cache(2, "unified", 1280 << 10, 2, 2),
        Cache(2, "unified", 2 << 20, 1, 4),
        Cache(3, "unified", 20 << 20, 1, 8),
    )
    assert (machine.l1d, machine.l2, machine.l3) == (32 << 10, 1280 << 10, 20 << 20)
    assert "avx2" in machine.flags
    assert "only_on_p" not in machine.flags


def test_amd_virtual_machine_takes_its_clock_from_the_time_stamp_counter(tree):
    block = (
        "processor\t: {cpu}\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\n"
        "model name\t: AMD EPYC\ncpu MHz\t\t: 2596.122\nphysical id\t: 0\ncore id\t\t: {cpu}\n"
        "flags\t\t: fpu constant_tsc avx2 fma f16c avx512f\nbogomips\t: 5192.24\n"
    )
    memory = "MemTotal:       24684084 kB\nMemFree:  24130144 kB\nMemAvailable:   24282344 kB\n"
    root = tree(
        {
            "proc/cpuinfo": "\n".join(block.format(cpu=cpu) for cpu in range(2)),
            "proc/meminfo": memory,
            **cache_files(0, (1, "Data", "48K", "0"), (3, "Unified", "32768K", "0-1")),
            **cache_files(1, (1, "Data", "48K", "1"), (3, "Unified", "32768K", "0-1")),
        }
    )
    machine = read_linux(root, "x86_64", 2)
    assert (machine.nominal_mhz, machine.max_mhz) == (2596.12, None)
    assert machine.clock_hz == 2596.12e6
    assert (machine.physical_cores, machine.logical_cores) == (2, 2)
    assert machine.caches == (
        Cache(1, "data", 48 << 10, 2, 1),
        Cache(3, "unified", 32 << 20, 1, 2),
    )
    assert machine.l2 is None
    assert (machine.memory_total, machine.memory_available) == (24684084 << 10, 24282344 << 10)
    assert machine.memory_limit is None


def test_amd_desktop_with_two_threads_a_core_and_an_old_kernel(tree):
    block = (
        "processor : {cpu}\nvendor_id : AuthenticAMD\ncpu family : 25\nmodel : 33\n"
        "model name : AMD Ryzen 9 5900X 12-Core Processor            \nflags : avx2 fma f16c\n"
    )
    files = {"proc/cpuinfo": "\n".join(block.format(cpu=cpu) for cpu in range(4))}
    for cpu in range(4):
        files[f"{CPUS}/cpu{cpu}/topology/thread_siblings_list"] = f"{cpu % 2},{cpu % 2 + 2}\n"
        files[f"{CPUS}/cpu{cpu}/acpi_cppc/nominal_freq"] = "3701\n"
        files[f"{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq"] = "4950195\n"
    machine = read_linux(tree(files), "x86_64", 4)
    assert machine.cpu_model == "AMD Ryzen 9 5900X 12-Core Processor"
    assert (machine.physical_cores, machine.logical_cores) == (2, 4)
    assert (machine.nominal_mhz, machine.max_mhz) == (3701.0, 4950.195)


def test_intel_server_states_its_clock_in_its_name(tree):
    text = (
        "processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\n"
        "model name : Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz\ncpu MHz : 3100.1\n"
    )
    assert read_linux(tree({"proc/cpuinfo": text}), "x86_64", 1).nominal_mhz == 2500.0


def test_graviton_tells_no_clock(tree):
    block = (
        "processor\t: {cpu}\nBogoMIPS\t: 243.75\n"
        "Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp asimddp sve\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0xd40\n"
        "CPU revision\t: 1\n"
    )
    files = {"proc/cpuinfo": "\n".join(block.format(cpu=cpu) for cpu in range(2))}
    for cpu in range(2):
        files |= cache_files(
            cpu,
            (1, "Data", "64K", str(cpu)),
            (2, "Unified", "1024K", str(cpu)),
            (3, "Unified", "32768K", "0-1"),
        )
        files[f"{CPUS}/cpu{cpu}/topology/core_cpus_list"] = f"{cpu}\n"
    machine = read_linux(tree(files), "aarch64", 2)
    assert machine.cpu_model == "Neoverse-V1"
    assert (machine.vendor, machine.family, machine.model) == ("ARM", 0x41, 0xD40)
    assert (machine.nominal_mhz, machine.max_mhz, machine.clock_hz) == (None, None, None)
    assert (machine.l1d, machine.l2, machine.l3) == (64 << 10, 1 << 20, 32 << 20)
    assert machine.physical_cores == 2
    assert {"asimd", "sve"} <= machine.flags


def test_board_block_of_an_arm_computer_is_no_processor(tree):
    text = (
        "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x70\n"
        "CPU part\t: 0x123\n\nRevision\t: c03111\nModel\t\t: Some Board Rev 1.1\n"
    )
    machine = read_linux(tree({"proc/cpuinfo": text}), "aarch64", 1)
    assert machine.logical_cores == 1
    assert machine.cpu_model == "0x70 part 0x123"
    assert "asimd" in machine.flags


def test_nothing_readable_gives_honest_blanks(tree):
    assert read_linux(tree({}), "x86_64", 3) == Machine("Linux", "x86_64", usable_cores=3)


def test_garbage_gives_honest_blanks(tree):
    root = tree(
        {
            "proc/cpuinfo": "\x00\x01::\n:\n\nprocessor\nmodel name : ghost\n\n: : :\n",
            "proc/meminfo": "MemTotal: many kB\nMemAvailable\n",
            "proc/self/cgroup": "rubbish\n0:\n::::\n",
            "proc/self/mountinfo": "- - -\n1 2 3\n cgroup\n",
            f"{CPUS}/online": "a-b,-,7-3\n",
            f"{CPUS}/cpu0/cache/index0/level": "one\n",
            f"{CPUS}/cpu0/cache/index1/level": "1\n",
            f"{CPUS}/cpu0/cache/index1/type": "Sideways\n",
            f"{CPUS}/cpu0/cache/index1/size": "48K\n",
            f"{CPUS}/cpu0/cpufreq/cpuinfo_max_freq": "-5\n",
            "sys/bus/pci/devices/0000:00:00.0/vendor": "nobody\n",
        }
    )
    assert read_linux(root, "riscv64", 1) == Machine("Linux", "riscv64")


def test_bytes_that_are_no_text(tree):
    root = tree({"proc/meminfo": ""})
    (root / "proc/cpuinfo").write_bytes(b"processor : 0\nmodel name : caf\xe9 \xff\n")
    assert read_linux(root, "x86_64", 1).logical_cores == 1
