"""SIGKILL at random moments of a training run that saves all the time."""

import pytest
from diffkit_trainer import write_config

ROUNDS = """
import os, random, signal, sys, time
from pathlib import Path
from diffkit_trainer import Saver, checkpoints, load, resume
from conftest import CONFIG, make_trainer
run, chance, reached = Path(sys.argv[1]), random.Random(0), 0
make_trainer()  # late imports happen once, before the forks
for n in range(int(sys.argv[2])):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        trainer = make_trainer(accumulate=2)
        if n:
            assert resume(run, trainer) == []
        with Saver(run, keep=1 + n % 3) as saver:
            saver.save(trainer, CONFIG)
            saver.wait()
            os.write(writing, f"{trainer.step}\\n".encode())
            for step, _ in trainer.run(10**6):
                if step % 3 == 0:
                    before = trainer.step - 3
                    saver.save(trainer, CONFIG)  # returns when the one before is on the disk
                    os.write(writing, f"{before}\\n".encode())
    os.close(writing)
    with os.fdopen(reading) as lines:
        promised = [int(next(lines)) for _ in range(1 + chance.randrange(4))]
        time.sleep(chance.uniform(0, 0.02))  # during the following steps and save
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        promised += [int(line) for line in lines if line.endswith("\\n")]
    loaded = load(run)
    assert loaded.step >= max(promised) and not loaded.warnings, (n, loaded.step, promised, loaded.warnings)
    assert loaded.step >= reached, (n, loaded.step, reached)
    reached = loaded.step
trainer = make_trainer(accumulate=2)
resume(run, trainer)
with Saver(run, keep=1) as saver:
    for step, _ in trainer.run(trainer.step + 1):
        saver.save(trainer, CONFIG)
assert os.listdir(run / "checkpoints") == [str(trainer.step)], os.listdir(run / "checkpoints")
straight = make_trainer(accumulate=2)
for _ in straight.run(trainer.step):
    pass
assert all((a == b).all() for a, b in zip(trainer.model.state_dict().values(), straight.model.state_dict().values(), strict=True))
print(reached)
"""


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.long)])
def test_random_kills_lose_nothing_beyond_the_last_save(tmp_path, kills, config, run_script):
    """Each round resumes from a checkpoint at least as new as the last one that was reported.

    The last state equals that of a run that never stopped, bit for bit, and no other file is left. The processes are forked from
    one that never trains: two hundred starts take a minute.
    """
    write_config(tmp_path / "run", config)
    done = run_script("-c", ROUNDS, tmp_path / "run", kills, timeout=500)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > kills, "steps were made between the kills"
