"""Affinity and control-group quotas of both versions, as containers and services show them."""

import os

import pytest

from fastconv.machine import usable_cores
from fastconv.machine.cores import cpu_quota, limit_cores, memory_limit

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "31 23 0:28 {root} /sys/fs/cgroup/cpu,cpuacct ro shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 23 0:29 {root} /sys/fs/cgroup/memory ro shared:10 - cgroup cgroup rw,memory\n"
    "33 23 0:30 {root} /sys/fs/cgroup/cpuset ro shared:11 - cgroup cgroup rw,cpuset\n"
)
V1_GROUPS = "4:memory:{group}\n3:cpuset:{group}\n2:cpu,cpuacct:{group}\n"


def v2(group, files, mount=V2_MOUNT):
    base = {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": mount}
    return base | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}


def v1(group, files, root="/"):
    base = {
        "proc/self/cgroup": V1_GROUPS.format(group=group),
        "proc/self/mountinfo": V1_MOUNTS.format(root=root),
    }
    return base | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        # A container with its own namespace sees its group as the root.
        ("/", {"cpu.max": "150000 100000\n"}, 1.5),
        ("/", {"cpu.max": "max 100000\n"}, None),
        ("/", {}, None),
        ("/system.slice/a.service", {"system.slice/a.service/cpu.max": "50000 100000\n"}, 0.5),
        # The parent's bound is the tighter one.
        (
            "/user.slice/b",
            {"user.slice/b/cpu.max": "400000 100000\n", "user.slice/cpu.max": "200000 100000\n"},
            2.0,
        ),
        ("/../outside", {"cpu.max": "300000 100000\n"}, 3.0),
        ("/", {"cpu.max": "garbage\n"}, None),
        ("/", {"cpu.max": "100000 0\n"}, None),
    ],
)
def test_version_2_quota(tree, group, files, expected):
    assert cpu_quota(tree(v2(group, files))) == expected


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [("250000", "100000", 2.5), ("-1", "100000", None), ("50000", "0", None), ("x", "y", None)],
)
def test_version_1_quota_in_a_container_without_namespace(tree, quota, period, expected):
    # The path in /proc is the host's, the mount's root is that same path.
    group = "/docker/4f1c"
    root = tree(
        v1(
            group,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": quota + "\n",
                "cpu,cpuacct/cpu.cfs_period_us": period + "\n",
            },
            root=group,
        )
    )
    assert cpu_quota(root) == expected


def test_version_1_quota_on_the_host(tree):
    files = {
        "cpu,cpuacct/batch/job7/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/batch/job7/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/batch/cpu.cfs_quota_us": "600000\n",
        "cpu,cpuacct/batch/cpu.cfs_period_us": "100000\n",
    }
    assert cpu_quota(tree(v1("/batch/job7", files))) == 6.0


def test_both_versions_mounted_at_once(tree):
    files = v1("/", {"cpu,cpuacct/cpu.cfs_quota_us": "300000\n"})
    files["sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us"] = "100000\n"
    files["proc/self/cgroup"] += "0::/\n"
    files["proc/self/mountinfo"] += "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    assert cpu_quota(tree(files)) == 3.0


def test_memory_limits(tree):
    assert memory_limit(tree(v2("/", {"memory.max": f"{2 << 30}\n"}))) == 2 << 30


def test_memory_without_limit(tree):
    assert memory_limit(tree(v2("/", {"memory.max": "max\n"}))) is None


def test_memory_limit_of_version_1(tree):
    # What version 1 writes for "no limit" stands at the root, a bound in the group itself.
    files = {
        "memory/a/memory.limit_in_bytes": f"{1 << 30}\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert memory_limit(tree(v1("/a", files))) == 1 << 30


@pytest.mark.parametrize(
    ("scheduled", "quota", "expected"),
    [(8, None, 8), (8, 1.5, 2), (8, 2.0, 2), (8, 0.1, 1), (2, 16.0, 2), (0, None, 1)],
)
def test_limit_cores(scheduled, quota, expected):
    assert limit_cores(scheduled, quota) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins processes")
def test_a_process_that_pins_itself_has_one_core():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_number_of_threads_variable_is_not_read(monkeypatch):
    expected = usable_cores()
    monkeypatch.setenv("FASTCONV_NUM_THREADS", str(expected + 5))
    assert usable_cores() == expected
