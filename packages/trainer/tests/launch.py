"""Starts ranks.py in one process, or in several: by torchrun, or faster without it where nothing is to go wrong."""

import os
from contextlib import ExitStack
from pathlib import Path

from diffkit_trainer import load, read_log
from forks import Fork, python
from torch.distributed import TCPStore

TESTS = Path(__file__).parent


def torchrun(run, processes, fault="none", steps=8, shard=False):
    """What torchrun said. It ends long before the half hour after which torch itself gives up on a process that is gone."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return python(*launcher, TESTS / "ranks.py", *_words(run, fault, steps, shard), env=environment)


def fine(run, processes, fault="none", steps=8, shard=False):
    """The losses, the weights and their average, of processes that are told what torchrun would tell them."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(processes)}
    told |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    with ExitStack() as stack:
        words = ["-m", "ranks", *_words(run, fault, steps, shard)]
        places = [os.environ | told | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
        for process in [stack.enter_context(Fork(*words, env=place)) for place in places]:
            said = process.communicate()[1]
            assert process.returncode == 0, said
    return [entry["loss"] for entry in read_log(run)], load(run, "model").weights, load(run).weights


def _words(run, fault, steps, shard):
    return [str(run), fault, str(steps), *["shard"] * shard]
