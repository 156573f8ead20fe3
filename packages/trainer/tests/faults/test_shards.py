"""A network in shards trains as its copies do, is saved as they are, and goes on with any number of processes."""

import shutil

import pytest
import torch
from diffkit_trainer import checkpoints, read_log, write_config
from launch import fine, torchrun
from safetensors.torch import load_file
from tiny_trainer import CONFIG, Tiny

FILES = ("model", "ema", "optimizer")


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path / "run", CONFIG)
    return tmp_path / "run"


def made(tmp_path_factory, **options):
    run = tmp_path_factory.mktemp("run") / "run"
    write_config(run, CONFIG)
    fine(run, 2, **options)
    return run


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Two processes with a whole network each, to step 8."""
    return made(tmp_path_factory)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return made(tmp_path_factory, shard=True)


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """Shards up to step 4 of 8; copied by those who go on."""
    return made(tmp_path_factory, shard=True, steps=4)


def alike(run, other, tolerance=1e-6):
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


def test_shards_train_as_copies_do(shards, copies):
    alike(shards, copies)
    weights = load_file(next(checkpoints(shards))[1] / "ema.safetensors")
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in Tiny(norm=False).state_dict().items()
    }


def test_shards_accumulate(run, copies):
    fine(run, 2, "accumulate", shard=True)
    alike(run, copies)


def test_a_batch_that_does_not_divide_is_in_as_many_parts_in_each_process(run, tmp_path):
    """3 images in parts of one: one process has one of them, the other two. A part is a message to all."""
    write_config(tmp_path / "other", CONFIG)
    fine(run, 2, "uneven", steps=3, shard=True)
    fine(tmp_path / "other", 1, "uneven", steps=3)
    for one, other in zip(
        *(load_file(next(checkpoints(each))[1] / "model.safetensors").items() for each in (run, tmp_path / "other")), strict=True
    ):
        torch.testing.assert_close(one[1], other[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("processes", "shard"), [(3, True), (1, False)])
def test_shards_of_two_go_on_with_any_number_and_in_one_piece(run, half, copies, processes, shard):
    shutil.copytree(half, run, dirs_exist_ok=True)
    fine(run, processes, shard=shard)
    alike(run, copies)


def test_shards_stopped_and_gone_on_with_are_those_that_never_stopped(run, half, shards):
    shutil.copytree(half, run, dirs_exist_ok=True)
    fine(run, 2, shard=True)
    alike(run, shards, tolerance=0.0)


@pytest.mark.long
def test_what_is_not_finite_in_one_process_s_shard_ends_all(run):
    done = torchrun(run, 2, "nan", shard=True)
    assert done.returncode != 0
    assert "rank 0: the loss or its gradient was not finite at step 4" in done.stderr
    assert [step for step, _ in checkpoints(run)] == [2]
