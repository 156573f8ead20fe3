"""A network on another CUDA device than the current one."""

import pytest
import torch
from diffkit_trainer.rng import global_randomness

pytestmark = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")


def test_the_generator_of_the_network_s_device_is_seeded_and_restored():
    first, second = (torch.cuda.get_rng_state(index) for index in (0, 1))
    with global_randomness(0, 7, device="cuda:1"):
        assert torch.cuda.initial_seed() != torch.cuda.default_generators[1].initial_seed()
        one = torch.rand(4, device="cuda:1")
    torch.rand(9, device="cuda:1")
    with global_randomness(0, 7, device="cuda:1"):
        assert torch.equal(torch.rand(4, device="cuda:1"), one)
    assert torch.equal(torch.cuda.get_rng_state(0), first)
    assert not torch.equal(torch.cuda.get_rng_state(1), second), "the random numbers outside changed it"
