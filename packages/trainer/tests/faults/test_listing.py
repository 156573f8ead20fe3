"""A folder of a million files."""

import os
import shutil
import subprocess
import sys

import pytest

LIST = """
import os, resource, sys, time
from pathlib import Path
from diffkit_trainer.data.listing import list_images

def count(folder):
    with os.scandir(folder) as entries:
        return sum(count(entry.path) if entry.is_dir() else 1 for entry in entries)

def seconds(call, *arguments):
    start = time.process_time()
    result = call(*arguments)
    return time.process_time() - start, result

root, listing, scanning = Path(sys.argv[1]), [], []
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3):
    duration, (_, files, bad, *_) = seconds(list_images, root)
    assert (len(files), bad) == (1_000_000, []), (len(files), bad)
    listing.append(duration)
    del files
    scanning.append(seconds(count, root)[0])
print(min(listing), min(scanning), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.long
def test_a_million_files_are_listed_in_five_seconds_and_200_megabytes(tmp_path):
    """By processor time, the best of three. Five seconds are for a machine that scans the names alone in 1.3 seconds; a slower
    machine may take longer in proportion.
    """
    root = tmp_path / "million"
    for i in range(1000):
        folder = root / str(i)
        folder.mkdir(parents=True)
        for j in range(1000):
            os.close(os.open(f"{folder}/{j:06d}.png", os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        printed = subprocess.run([sys.executable, "-c", LIST, root], capture_output=True, text=True, check=True).stdout
    finally:
        shutil.rmtree(root)  # pytest would keep it
    seconds, scan, megabytes = map(float, printed.split())
    assert seconds < 5 * max(1, scan / 1.3)
    assert megabytes < 200
