"""A training in several processes: by torchrun, or faster without it where no process fails."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from diffkit_trainer import load, read_log
from torch.distributed import TCPStore  # type: ignore[attr-defined]

SCRIPT = Path(__file__).parents[1] / "train_in_process.py"


def _arguments(run, fault, steps, shard):
    return [str(run), fault, str(steps), *["shard"] * shard]


@pytest.fixture(scope="session")
def torchrun(run_script):
    """A function that trains in processes of torchrun and gives its exit code and output.

    torchrun ends long before the half hour after which torch itself gives up on a process that is missing.
    """

    def run_all(run, processes, fault="none", steps=8, shard=False):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        return run_script(*launcher, SCRIPT, *_arguments(run, fault, steps, shard))

    return run_all


@pytest.fixture(scope="session")
def train_in_processes(start_python, script_environment):
    """A function that trains in processes with the environment of torchrun and gives losses, weights and average."""

    def train(run, processes, fault="none", steps=8, shard=False):
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(processes)}
        common |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
        words = [SCRIPT, *_arguments(run, fault, steps, shard)]
        environments = [script_environment(**common, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(processes)]
        with ExitStack() as stack:
            started = [stack.enter_context(start_python(*words, env=environment)) for environment in environments]
            for process in started:
                _, stderr = process.communicate()
                assert process.returncode == 0, stderr
        return [entry["loss"] for entry in read_log(run)], load(run, "model").weights, load(run).weights

    return train
