"""One process of a training run, with the environment of torchrun: train_in_process.py RUN FAULT STEPS [shard]."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from diffkit_trainer import DivergedError, RunError, Saver, append_log, process_group, resume

from conftest import CONFIG, TinyNetwork, make_sequence_trainer, make_trainer  # type: ignore[attr-defined]  # the file beside this one

AT = 4


class NaNNetwork(TinyNetwork):
    """A network whose output is NaN in step AT."""

    calls = 0

    def forward(self, x, level):
        self.calls += 1
        return super().forward(x, level) * (float("nan") if self.calls == AT else 1.0)


def main(run: Path, fault: str, steps: int) -> int:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    with process_group("cpu", timeout=15.0 if fault in ("stop", "uneven") else 120.0) as (world, device):
        faulty = world.rank == world.size - 1
        network = NaNNetwork if fault == "nan" and faulty else TinyNetwork
        options = {
            "accumulate": 2 if fault in ("accumulate", "uneven") else 1,
            "shard": "shard" in sys.argv,
            "clip_grad_norm": 1.0,
        }
        options |= {"batch_size": 3} if fault == "uneven" else {}
        if fault == "sequences":
            trainer = make_sequence_trainer(world=world, device=device, **options)
        else:
            trainer = make_trainer(network=lambda: network(norm=False), world=world, device=device, **options)
        if (run / "checkpoints").is_dir():
            resume(run, trainer)
        preview = torch.zeros(2, 1, 8, 8)
        with Saver(run) as saver:
            for step, _ in trainer.run(steps):
                entry = {"step": step} | trainer.metrics() if fault != "nan" or step % 3 == 0 else {}
                if world.first and entry:
                    append_log(run, entry)
                if fault in ("kill", "stop", "term") and faulty and step == AT:
                    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}[fault])
                stop = world.any(bool(stopped))
                if stop or step % 2 == 0:
                    saver.save(trainer, CONFIG)
                if options["shard"]:
                    trainer.ema.model(preview, preview[:, 0, 0, 0])  # all processes sample between two steps
                (run / f"rank{world.rank}").write_text(json.dumps([step, world.size]))
                if stop:
                    return 143
            if steps % 2:
                saver.save(trainer, CONFIG)
    return 0


if __name__ == "__main__":
    try:
        code = main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except (DivergedError, RunError) as error:
        sys.stderr.write(f"rank {os.environ.get('RANK', '0')}: {error}\n")
        sys.stderr.flush()
        os._exit(5 if isinstance(error, DivergedError) else 4)
    sys.exit(code)
