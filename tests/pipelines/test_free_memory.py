import os
import resource
import subprocess
import sys

import pytest

from pipelines.free_memory import free_memory

GB = 10**9


def machine(root, group="", available_kb=4_000_000, **files):
    """A folder with what Linux says of the memory."""
    texts = {"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable:   {available_kb} kB\n"}
    texts |= {"proc/self/cgroup": group, **files}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def limits(folder, limit, usage, cache, version):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    stat = f"anon 5\n{names[2]} {cache}\n"
    values = {names[0]: f"{limit}\n", names[1]: f"{usage}\n", "memory.stat": stat}
    return {f"sys/fs/cgroup/{folder}{name}": value for name, value in values.items()}


def test_without_groups_it_is_what_the_machine_has(tmp_path):
    assert free_memory(machine(tmp_path)) == 4_096_000_000


@pytest.mark.parametrize(
    ("version", "group", "folder"),
    [(1, "4:memory:/job\n3:cpu,cpuacct:/\n", "memory/job/"), (2, "0::/job\n", "job/")],
)
def test_a_group_s_limit_counts_less_what_is_used_without_the_cache(
    tmp_path, version, group, folder
):
    files = limits(folder, 3 * GB, 2 * GB, GB // 2, version)
    assert free_memory(machine(tmp_path, group, **files)) == 1.5 * GB


def test_the_tightest_of_nested_groups_counts(tmp_path):
    files = limits("a/b/", "max", GB, 0, 2) | limits("a/", 2 * GB, GB, 0, 2)
    assert free_memory(machine(tmp_path, "0::/a/b\n", **files)) == GB


def test_a_group_without_a_limit_changes_nothing(tmp_path):
    files = limits("memory/", 9223372036854771712, GB, 0, 1) | limits("", "max", GB, 0, 2)
    assert free_memory(machine(tmp_path, "4:memory:/\n0::/\n", **files)) == 4_096_000_000


def test_a_system_that_does_not_say_is_none(tmp_path):
    assert free_memory(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_limit_of_the_process_counts():
    assert free_memory() > 0
    code = "from pipelines.free_memory import free_memory; print(free_memory())"
    made = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (GB, GB)),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert 0 < int(made.stdout) < GB
