"""A network in shards trains as its copies do, is saved as they are, and goes on with any number of processes."""

import pytest
import torch
from diffkit_trainer import checkpoints, read_log, write_config
from launch import fine, ranks
from safetensors.torch import load_file
from tiny_trainer import CONFIG, Tiny

FILES = ("model", "ema", "optimizer")


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path / "run", CONFIG)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Two processes with a whole network each, to step 8."""
    run = tmp_path_factory.mktemp("copies") / "run"
    write_config(run, CONFIG)
    fine(run, 2)
    return run


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


@pytest.mark.parametrize("fault", ["none", "accumulate"])
def test_shards_train_as_copies_do(run, copies, fault):
    fine(run, 2, fault, shard=True)
    alike(run, copies)
    weights = load_file(next(checkpoints(run))[1] / "ema.safetensors")
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in Tiny(norm=False).state_dict().items()
    }


@pytest.mark.parametrize(("processes", "shard"), [(3, True), (2, False), (1, False)])
def test_shards_of_two_go_on_with_any_number_and_without(run, copies, processes, shard):
    fine(run, 2, steps=4, shard=True)
    fine(run, processes, shard=shard)
    alike(run, copies)


def test_shards_stopped_and_gone_on_with_are_those_that_never_stopped(tmp_path):
    runs = [tmp_path / name for name in ("straight", "stopped")]
    for run, stops in zip(runs, ((8,), (2, 8)), strict=True):
        write_config(run, CONFIG)
        for stop in stops:
            fine(run, 2, steps=stop, shard=True)
    alike(*runs, tolerance=0.0)


def test_what_is_not_finite_in_one_process_s_shard_ends_all(run):
    done = ranks(run, 2, "nan", shard=True)
    assert done.returncode != 0
    assert "rank 0: the loss or its gradient was not finite at step 4" in done.stderr
    assert [step for step, _ in checkpoints(run)] == [2]
