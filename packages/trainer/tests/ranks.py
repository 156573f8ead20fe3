"""What each process of tests/faults/test_processes.py does, as torchrun starts it: ranks.py RUN FAULT STEPS [shard]."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from diffkit_trainer import DivergedError, RunError, Saver, append_log, process_group, resume
from tiny_trainer import CONFIG, Tiny, trainer

AT = 4


class Poisoned(Tiny):
    """Answers NaN in its AT-th step."""

    calls = 0

    def forward(self, x, level):
        self.calls += 1
        return super().forward(x, level) * (float("nan") if self.calls == AT else 1.0)


def main(run: Path, fault: str, steps: int) -> int:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    with process_group("cpu", timeout=15.0 if fault in ("stop", "uneven") else 120.0) as (world, device):
        victim = world.rank == world.size - 1
        network = Poisoned if fault == "nan" and victim else Tiny
        options = {
            "accumulate": 2 if fault in ("accumulate", "uneven") else 1,
            "shard": "shard" in sys.argv,
            "clip_grad_norm": 1.0,
        }
        options |= {"batch_size": 3} if fault == "uneven" else {}
        it = trainer(network=lambda: network(norm=False), world=world, device=device, **options)
        if (run / "checkpoints").is_dir():
            resume(run, it)
        preview = torch.zeros(2, 1, 8, 8)
        with Saver(run) as saver:
            for step, _ in it.run(steps):
                entry = {"step": step} | it.metrics() if fault != "nan" or step % 3 == 0 else {}
                if world.first and entry:
                    append_log(run, entry)
                if fault in ("kill", "stop", "term") and victim and step == AT:
                    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}[fault])
                stop = world.any(bool(stopped))
                if stop or step % 2 == 0:
                    saver.save(it, CONFIG)
                if options["shard"]:
                    it.ema.model(preview, preview[:, 0, 0, 0])  # sampled from between two steps, by all together
                (run / f"rank{world.rank}").write_text(json.dumps([step, world.size]))
                if stop:
                    return 143
            if steps % 2:
                saver.save(it, CONFIG)
    return 0


if __name__ == "__main__":
    try:
        code = main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except (DivergedError, RunError) as error:
        sys.stderr.write(f"rank {os.environ.get('RANK', '0')}: {error}\n")
        sys.stderr.flush()
        os._exit(5 if isinstance(error, DivergedError) else 4)
    sys.exit(code)
