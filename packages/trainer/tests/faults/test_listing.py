"""Row 36 of the table of faults."""

import os
import shutil
import subprocess
import sys

import pytest

LIST = """
import os, resource, sys, time
from pathlib import Path
from diffkit_trainer.data.listing import list_images

def bare(folder):
    with os.scandir(folder) as entries:
        return sum(bare(entry.path) if entry.is_dir() else 1 for entry in entries)

def seconds(call, *arguments):
    begun = time.process_time()
    found = call(*arguments)
    return time.process_time() - begun, found

root, ours, least = Path(sys.argv[1]), [], []
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3):
    took, (files, bad) = seconds(list_images, root)
    assert (len(files), bad) == (1_000_000, []), (len(files), bad)
    ours.append(took)
    del files
    least.append(seconds(bare, root)[0])
print(min(ours), min(least), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.long
def test_a_million_files_are_listed_in_five_seconds_and_200_megabytes(tmp_path):
    """By processor time, the best of three. Where reading the names alone takes longer than the 1.3 seconds of the machine that
    five are meant for, as much longer."""
    root = tmp_path / "million"
    for i in range(1000):
        os.makedirs(folder := f"{root}/{i}")
        for j in range(1000):
            os.close(os.open(f"{folder}/{j:06d}.png", os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        said = subprocess.run([sys.executable, "-c", LIST, root], capture_output=True, text=True, check=True).stdout
    finally:
        shutil.rmtree(root)  # pytest would keep it
    seconds, bare, megabytes = map(float, said.split())
    assert seconds < 5 * max(1, bare / 1.3)
    assert megabytes < 200
