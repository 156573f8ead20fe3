"""The environment of torchrun, as it is, and when a part is missing."""

import pytest
from diffkit_trainer import World

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def environment(monkeypatch):
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch.setenv


@pytest.mark.parametrize(
    ("variables", "world"),
    [
        ({}, World(0, 1)),
        (TORCHRUN, World(1, 2)),
        (TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1"}, World(0, 1)),
        ({"RANK": "0"}, World()),
    ],
)
def test_the_world_of_torchrun(environment, variables, world):
    for name, value in variables.items():
        environment(name, value)
    assert World.of_this_process() == world


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RANK": "1"}, "found RANK=1 without WORLD_SIZE, MASTER_ADDR, MASTER_PORT: start with torchrun, or unset these"),
        ({"WORLD_SIZE": "2"}, "found WORLD_SIZE=2 without RANK, MASTER_ADDR, MASTER_PORT"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "found RANK=0 WORLD_SIZE=2 without MASTER_ADDR, MASTER_PORT"),
        (TORCHRUN | {"RANK": "2"}, "MASTER_PORT=29500 without a WORLD_SIZE above RANK"),
        ({"RANK": "x"}, "found RANK=x without"),
        ({"WORLD_SIZE": "-1"}, "found WORLD_SIZE=-1 without"),
        ({"RANK": ""}, "found RANK= without"),
    ],
)
def test_a_part_of_it_is_refused(environment, variables, message):
    for name, value in variables.items():
        environment(name, value)
    with pytest.raises(ValueError, match=message):
        World.of_this_process()
