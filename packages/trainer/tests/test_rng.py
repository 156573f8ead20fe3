"""The order of the images, and torch's own randomness put back."""

import pytest
import torch
from diffkit_trainer.rng import batch_indices, generator, global_randomness


@pytest.mark.parametrize(("batch_size", "images"), [(4, 10), (3, 3), (25, 10), (1, 4)])
def test_steps_walk_through_one_permutation_after_the_other(batch_size, images):
    epochs = [torch.randperm(images, generator=generator(5, "order", epoch)) for epoch in range(9)]
    endless = torch.cat(epochs)
    for step in range(3):
        expected = endless[step * batch_size : (step + 1) * batch_size]
        assert torch.equal(batch_indices(5, step, batch_size, images), expected)


def test_inside_global_randomness_torch_draws_from_the_place_and_afterwards_goes_on():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with global_randomness(0, 7):
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=generator(0, "global", 7)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def two_devices(monkeypatch):
    """A generator each for two CUDA devices, the first of which is the current one, in the place of torch's own."""
    generators, current = (torch.Generator(), torch.Generator()), [0]

    def exchange(index):
        before, current[0] = current[0], index
        return before

    for module in (torch.cuda, torch.cuda.random):
        monkeypatch.setattr(module, "is_initialized", lambda: True)
        monkeypatch.setattr(module, "_lazy_init", lambda: None)
        monkeypatch.setattr(module, "current_device", lambda: current[0])
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    monkeypatch.setattr(torch.cuda, "_exchange_device", exchange)
    monkeypatch.setattr(torch.cuda, "_maybe_exchange_device", exchange)
    return generators


def test_the_generator_of_another_device_than_the_current_one_is_seeded_and_put_back(two_devices):
    first, second = (each.get_state() for each in two_devices)
    with global_randomness(0, 7, device="cuda:1"):
        drawn = torch.rand(3, generator=two_devices[1])
        assert torch.equal(two_devices[0].get_state(), first)
    assert torch.equal(drawn, torch.rand(3, generator=generator(0, "global", 7)))
    assert torch.equal(two_devices[1].get_state(), second)


def test_the_order_is_the_same_under_any_default_device():
    with torch.device("meta"):
        found = batch_indices(11, 0, 4, 10)
    assert torch.equal(found, torch.randperm(10, generator=generator(11, "order", 0))[:4])


def test_a_generator_is_on_the_device_that_is_asked_for():
    with pytest.raises(RuntimeError, match="META device"):  # which has no numbers
        generator(0, device="meta")


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a CUDA device that is missing")
def test_the_generator_of_a_cuda_device_is_needed_for_one():
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"), global_randomness(0, device="cuda"):
        pass
