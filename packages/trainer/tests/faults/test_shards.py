"""A sharded network trains and is saved like a copy in each process, and any number of processes resumes it."""

import shutil

import pytest
import torch
from diffkit_trainer import checkpoints, read_log, write_config
from safetensors.torch import load_file


@pytest.fixture(scope="module")
def train_new_run(tmp_path_factory, config, train_in_processes):
    """A function that trains in two processes in a new run folder and gives the folder."""

    def train(**options):
        run = tmp_path_factory.mktemp("run") / "run"
        write_config(run, config)
        train_in_processes(run, 2, **options)
        return run

    return train


@pytest.fixture(scope="module")
def copies(train_new_run):
    """Two processes with a copy of the network each, to step 8."""
    return train_new_run()


@pytest.fixture(scope="module")
def shards(train_new_run):
    return train_new_run(shard=True)


FILES = ("model", "ema", "optimizer")


def assert_alike(run, other, tolerance=1e-6):
    assert [entry["loss"] for entry in read_log(run)] == pytest.approx(
        [entry["loss"] for entry in read_log(other)], rel=tolerance
    )
    (step, one), (other_step, two) = next(checkpoints(run)), next(checkpoints(other))
    assert step == other_step == 8
    for file in FILES:
        found, expected = (load_file(folder / f"{file}.safetensors") for folder in (one, two))
        assert found.keys() == expected.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, expected[name], rtol=tolerance, atol=tolerance)


def test_shards_train_as_copies_do(shards, copies, tiny_network):
    assert_alike(shards, copies)
    weights = load_file(next(checkpoints(shards))[1] / "ema.safetensors")
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in tiny_network(norm=False).state_dict().items()
    }


def test_shards_accumulate_gradients(run, copies, train_in_processes):
    train_in_processes(run, 2, "accumulate", shard=True)
    assert_alike(run, copies)


def test_an_uneven_batch_has_the_same_number_of_parts_in_each_process(run, tmp_path, config, train_in_processes):
    """3 images in parts of one: one process has one of them, the other two. A part is a message to all."""
    write_config(tmp_path / "other", config)
    train_in_processes(run, 2, "uneven", steps=3, shard=True)
    train_in_processes(tmp_path / "other", 1, "uneven", steps=3)
    for one, other in zip(
        *(load_file(next(checkpoints(each))[1] / "model.safetensors").items() for each in (run, tmp_path / "other")), strict=True
    ):
        torch.testing.assert_close(one[1], other[1], rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def half(train_new_run):
    """Shards up to step 4 of 8; the tests resume copies of it."""
    return train_new_run(shard=True, steps=4)


@pytest.mark.parametrize(("processes", "shard"), [(3, True), (1, False)])
def test_other_numbers_of_processes_resume_with_and_without_shards(run, half, copies, processes, shard, train_in_processes):
    shutil.copytree(half, run, dirs_exist_ok=True)
    train_in_processes(run, processes, shard=shard)
    assert_alike(run, copies)


def test_resumed_shards_equal_those_that_never_stopped(run, half, shards, train_in_processes):
    shutil.copytree(half, run, dirs_exist_ok=True)
    train_in_processes(run, 2, shard=True)
    assert_alike(run, shards, tolerance=0.0)


@pytest.mark.long
def test_a_loss_that_is_not_finite_in_one_process_ends_all(run, torchrun):
    done = torchrun(run, 2, "nan", shard=True)
    assert done.returncode != 0
    assert "rank 0: the loss or its gradient was not finite at step 4" in done.stderr
    assert [step for step, _ in checkpoints(run)] == [2]
