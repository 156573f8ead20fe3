"""keep_memory, in a process of its own: what it sets lasts until the process ends."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc keeps memory")
SCRIPT = """
import json, resource, torch
from diffkit_unet import keep_memory

def kilobytes(name, file="smaps_rollup"):
    return sum(int(line.split()[1]) for line in open(f"/proc/self/{file}") if line.startswith(name + ":"))

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = {"faults before": faults(), "resident before": kilobytes("Rss"), "size before": kilobytes("VmSize", "status")}
found["kept"] = keep_memory()
found |= {"resident": kilobytes("Rss"), "size": kilobytes("VmSize", "status"), "again": keep_memory()}
found |= {"size again": kilobytes("VmSize", "status")}
for _ in range(4):  # until the sizes of the gaps have settled
    found["faults"] = faults()
x = torch.ones(2**26)
print(json.dumps(found | {"huge": kilobytes("AnonHugePages")}))
"""


def measured(script: str) -> dict[str, int]:
    done = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def found() -> dict[str, int]:
    return measured(SCRIPT)


def test_memory_that_was_freed_is_used_again(found: dict[str, int]) -> None:
    assert found["kept"]
    assert found["faults"] <= 4 < 500 < found["faults before"]


def test_addresses_are_reserved_and_no_memory(found: dict[str, int]) -> None:
    assert found["resident"] - found["resident before"] < 2**14


def test_a_second_call_changes_nothing(found: dict[str, int]) -> None:
    assert found["again"]
    assert found["size again"] == found["size"]


def test_large_tensors_are_in_huge_pages(found: dict[str, int]) -> None:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("this system has no huge pages")
    assert found["huge"] > 0.9 * 2**18


def test_no_addresses_are_reserved_where_they_are_limited() -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**38, resource.RLIM_INFINITY))"
    found = measured(f"{limited}\n{SCRIPT}")
    assert found["kept"]
    assert found["size"] - found["size before"] < 2**10
