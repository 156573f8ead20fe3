"""Starts ranks.py in one process, or in several by torchrun."""

import os
import subprocess
import sys
from pathlib import Path

from diffkit_trainer import load, read_log

TESTS = Path(__file__).parent


def ranks(run, processes, fault="none", steps=8, shard=False):
    """What torchrun said. It ends long before the half hour after which torch itself gives up on a process that is gone."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, str(TESTS / "ranks.py"), str(run), fault, str(steps), *["shard"] * shard]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def fine(run, processes, fault="none", steps=8, shard=False):
    done = ranks(run, processes, fault, steps, shard)
    assert done.returncode == 0, done.stderr
    return [entry["loss"] for entry in read_log(run)], load(run, "model").weights, load(run).weights
