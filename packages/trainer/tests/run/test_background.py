"""Checkpoints that a thread writes."""

import os
import shutil
import signal
import threading

import pytest
from diffkit_trainer import DivergedError, RunError, Saver, checkpoints, load, resume


def test_a_checkpoint_has_the_state_of_the_call_while_training_continues(
    run, make_trainer, train_to, assert_same_state, config, state_of
):
    trainer = make_trainer()
    train_to(trainer, 2)
    with Saver(run, keep=5) as saver:
        saver.save(trainer, config)
        good = state_of(trainer)
        train_to(trainer, 6)
        saver.save(trainer, config)
    assert [step for step, _ in checkpoints(run)] == [6, 2]
    shutil.rmtree(run / "checkpoints" / "6")
    again = make_trainer()
    resume(run, again)
    assert_same_state(state_of(again), good)


# the thread waits before it makes the first folder until the training has made further updates
WAIT_FOR_TRAINING = """
import sys, threading
from pathlib import Path
from diffkit_trainer import Saver, checkpoints, load
from conftest import CONFIG, make_trainer, train_to
run, trainer, reached, go = Path(sys.argv[1]), make_trainer(), threading.Event(), threading.Event()
def hook(event, arguments):
    if event == "os.mkdir" and threading.current_thread() is not threading.main_thread():
        reached.set()
        go.wait()
sys.addaudithook(hook)
train_to(trainer, 1)
with Saver(run) as saver:
    saver.save(trainer, CONFIG)
    reached.wait()
    train_to(trainer, 5)
    assert not list(checkpoints(run))
    go.set()
    saver.wait()
    assert load(run).step == 1
    saver.save(trainer, CONFIG)
assert load(run).step == trainer.step == 5
"""


def test_training_does_not_wait_for_the_disk_and_the_end_does(run, run_script):
    done = run_script("-c", WAIT_FOR_TRAINING, run)
    assert done.returncode == 0, done.stderr


def writers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("checkpoint")]


def test_an_error_of_the_thread_is_raised_by_the_next_save_or_at_the_end(run, make_trainer, config):
    trainer = make_trainer()
    (run / "checkpoints").write_text("in the way")
    saver = Saver(run)
    saver.save(trainer, config)
    for fails in (lambda: saver.save(trainer, config), lambda: saver.__exit__(None, None, None)):
        with pytest.raises(RunError, match="cannot be written"):
            fails()
    trainer.model.out.weight.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite"), Saver(run) as saver:
        saver.save(trainer, config)
    assert writers() == []


def test_the_next_checkpoint_is_written_after_a_failed_one(run, make_trainer, config, train_to):
    trainer = make_trainer()
    (run / "checkpoints").write_text("in the way")
    with Saver(run) as saver:
        saver.save(trainer, config)
        while not saver._pending.done():
            pass
        (run / "checkpoints").unlink()
        train_to(trainer, 1)
        with pytest.raises(RunError, match="checkpoints/0: cannot be written"):
            saver.save(trainer, config)
    assert load(run).step == 1


@pytest.mark.parametrize("diverged", [False, True])
def test_a_failed_save_is_a_note_of_another_error(run, diverged, make_trainer, config):
    trainer = make_trainer()
    (run / "checkpoints").write_text("in the way")

    def save_and_fail():
        with Saver(run) as saver:
            saver.save(trainer, config)
            if not diverged:
                raise KeyError("another")
            trainer.optimiser.bad_step.fill_(1)
            saver.save(trainer, config)

    with pytest.raises((KeyError, DivergedError)) as caught:
        save_and_fail()
    (note,) = caught.value.__notes__
    assert note.startswith(f"a checkpoint could not be written either: {run}/checkpoints/0: cannot be written")
    assert writers() == []


def test_a_signal_does_not_end_the_thread(run, make_trainer, train_to, config):
    """SIGTERM that a handler takes, again and again, while a thread saves."""
    trainer = make_trainer()
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        with Saver(run) as saver:
            for step in range(1, 6):
                train_to(trainer, step)
                saver.save(trainer, config)
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (len(seen), load(run).step) == (5, 5)
