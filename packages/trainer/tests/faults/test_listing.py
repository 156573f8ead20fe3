"""Row 36 of the table of faults."""

import os
import shutil
import subprocess
import sys

LIST = """
import resource, sys, time
from pathlib import Path
from diffkit_trainer.listing import list_images
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.perf_counter()
files, bad = list_images(Path(sys.argv[1]))
print(len(files), len(bad), time.perf_counter() - begun, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_million_files_are_listed_in_five_seconds_and_200_megabytes(tmp_path):
    """The fastest of three: others may be at work on this machine."""
    root = tmp_path / "million"
    for i in range(1000):
        os.makedirs(folder := f"{root}/{i}")
        for j in range(1000):
            os.close(os.open(f"{folder}/{j:06d}.png", os.O_CREAT | os.O_WRONLY, 0o600))
    seconds = []
    while len(seconds) < 3 and min(seconds, default=5.0) >= 5:
        said = subprocess.run([sys.executable, "-c", LIST, root], capture_output=True, text=True, check=True).stdout.split()
        assert said[:2] == ["1000000", "0"]
        assert float(said[3]) < 200, "megabytes"
        seconds.append(float(said[2]))
    shutil.rmtree(root)  # pytest would keep it
    assert min(seconds) < 5
