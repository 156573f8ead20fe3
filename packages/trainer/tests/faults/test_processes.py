"""Training in several processes, on gloo; under torchrun where one fails."""

import json
import shutil
import subprocess
import time

import pytest
import torch
from diffkit_trainer import checkpoints, load, truncate_log, write_config


def assert_alike(one, other, tolerance=1e-6):
    assert one[0] == pytest.approx(other[0], rel=tolerance)
    for mine, others in zip(one[1:], other[1:], strict=True):
        for name, value in mine.items():
            torch.testing.assert_close(value, others[name], rtol=tolerance, atol=10 * tolerance)


@pytest.fixture(scope="module")
def train_new_run(tmp_path_factory, config, train_in_processes):
    """A function that trains in a new run folder and gives the folder, and losses, weights and average."""

    def train(*arguments, **options):
        run = tmp_path_factory.mktemp("run") / "run"
        write_config(run, config)
        return run, train_in_processes(run, *arguments, **options)

    return train


@pytest.fixture(scope="module")
def alone(train_new_run):
    return train_new_run(1)[1]


@pytest.fixture(scope="module")
def two(train_new_run):
    return train_new_run(2)


def test_two_processes_train_on_the_same_samples_as_one(two, alone):
    assert_alike(two[1], alone)
    assert {(two[0] / f"rank{rank}").read_text() for rank in range(2)} == {"[8, 2]"}


@pytest.mark.parametrize(("processes", "fault"), [(2, "accumulate"), (3, "none")])
def test_accumulation_and_three_processes_train_on_the_same_samples(run, alone, processes, fault, train_in_processes):
    """A batch of 16 among three processes: as many steps in each, and the same losses."""
    assert_alike(train_in_processes(run, processes, fault), alone)
    assert {(run / f"rank{rank}").read_text() for rank in range(processes)} == {json.dumps([8, processes])}


def test_two_processes_train_on_the_conditions_of_their_sequences(run, train_in_processes, make_sequence_trainer, train_to):
    """A vector and a map, dropped for the same samples as in one process, which is this one."""
    one = make_sequence_trainer(clip_grad_norm=1.0)
    losses = train_to(one, 8)
    assert_alike(train_in_processes(run, 2, "sequences"), (losses, one.model.state_dict(), one.ema.model.state_dict()))
    assert {(run / f"rank{rank}").read_text() for rank in range(2)} == {"[8, 2]"}


@pytest.fixture(scope="module")
def half(train_new_run):
    """Two processes up to step 4 of 8; the tests resume copies of it."""
    return train_new_run(2, steps=4)[0]


@pytest.mark.parametrize("processes", [1, 3])
def test_another_number_of_processes_resumes(run, half, alone, processes, train_in_processes):
    shutil.copytree(half, run, dirs_exist_ok=True)
    assert_alike(train_in_processes(run, processes), alone)


def test_the_same_number_of_processes_resumes_bit_for_bit(run, half, two, train_in_processes):
    shutil.copytree(half, run, dirs_exist_ok=True)
    stopped, straight = train_in_processes(run, 2), two[1]
    assert stopped[0] == straight[0]
    for one, other in zip(stopped[1:], straight[1:], strict=True):
        assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.long
def test_a_loss_that_is_not_finite_in_one_process_ends_all_before_the_update(run, torchrun):
    done = torchrun(run, 2, "nan")
    assert done.returncode != 0
    assert "rank 0: the loss or its gradient was not finite at step 4" in done.stderr
    assert [step for step, _ in checkpoints(run)] == [2], "the step after the last good checkpoint was never saved"
    assert all(value.isfinite().all() for value in load(run).weights.values())


def processes_of(run):
    lines = subprocess.run(["ps", "ax", "-o", "pid,stat,args", "-ww"], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if str(run) in line]


@pytest.mark.long
@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_a_lost_process_ends_all_others_in_time(run, alone, fault, torchrun, train_in_processes):
    """One killed, and one stopped, which the others give up on after their timeout of 15 seconds."""
    done, begun = torchrun(run, 2, fault), time.monotonic()
    assert done.returncode != 0
    assert load(run).step in (2, 4)
    while (left := processes_of(run)) and time.monotonic() < begun + 60:  # killed, but not ended yet
        time.sleep(0.1)
    assert left == []
    truncate_log(run, load(run).step)
    if fault == "kill":
        assert_alike(train_in_processes(run, 2), alone)


@pytest.mark.long
def test_a_failed_save_in_the_first_process_ends_all_with_its_error(run, torchrun):
    (run / "checkpoints").write_text("in the way")
    done = torchrun(run, 2)
    assert done.returncode != 0
    assert "rank 0: " in done.stderr
    assert "cannot be written (" in done.stderr


def test_a_signal_to_one_process_makes_all_save_the_same_step(run, torchrun):
    done = torchrun(run, 2, "term", steps=10**6)
    assert "exitcode  : 143" in done.stderr.replace("exitcode: 143", "exitcode  : 143")
    assert load(run).step == 4
    assert {(run / f"rank{rank}").read_text() for rank in range(2)} == {"[4, 2]"}
