"""The free memory of a machine with and without control groups."""

from diffkit_trainer import free_memory


def test_free_memory_is_the_least_of_machine_and_control_groups(tmp_path):
    def free_with(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return free_memory("cpu", tmp_path)

    assert free_with({}) is None
    assert free_with({"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 5000 kB\n"}) == 5000 * 1024
    second = {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "7\n"}
    assert free_with(second) == 5000 * 1024
    above = {"memory.max": "4000\n", "memory.current": "3500\n", "memory.stat": "anon 3000\ninactive_file 200\n"}
    assert free_with({f"sys/fs/cgroup/a/{name}": text for name, text in above.items()}) == 700
    first = {"memory.limit_in_bytes": "900\n", "memory.usage_in_bytes": "400\n", "memory.stat": "total_inactive_file 50\n"}
    named = {f"sys/fs/cgroup/memory/{name}": text for name, text in first.items()}
    assert free_with({"proc/self/cgroup": "4:memory:/\n0::/\n", **named}) == 550
