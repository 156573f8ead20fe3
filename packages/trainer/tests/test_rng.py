"""Random numbers as functions of seed and step, and torch's global generators restored."""

import pytest
import torch
from diffkit_trainer.rng import batch_indices, generator, global_randomness

# --- the data order


def test_the_order_of_a_seed_is_the_same_in_every_version():
    assert batch_indices(0, 0, 6, 10).tolist() == [3, 2, 6, 8, 0, 1]
    assert batch_indices(0, 1, 6, 10).tolist() == [9, 4, 5, 7, 4, 8]
    assert batch_indices(3, 2, 4, 7).tolist() == [3, 1, 2, 6]


@pytest.mark.parametrize(("images", "batch_size"), [(10, 4), (10, 10), (7, 3), (1, 1), (3, 8)])
def test_an_epoch_has_each_image_once(images, batch_size):
    epochs = 6
    steps = -(-epochs * images // batch_size)
    seen = torch.cat([batch_indices(0, step, batch_size, images) for step in range(steps)])
    orders = seen[: epochs * images].reshape(epochs, images)
    assert (orders.sort(dim=1).values == torch.arange(images)).all()
    assert images < 7 or orders.unique(dim=0).shape[0] == epochs, "each epoch has an order of its own"


@pytest.mark.parametrize(("batch_size", "images"), [(4, 10), (3, 3), (25, 10), (1, 4)])
def test_steps_take_one_permutation_after_the_other(batch_size, images):
    epochs = [torch.randperm(images, generator=generator(5, "order", epoch)) for epoch in range(9)]
    endless = torch.cat(epochs)
    for step in range(3):
        expected = endless[step * batch_size : (step + 1) * batch_size]
        assert torch.equal(batch_indices(5, step, batch_size, images), expected)


def test_random_numbers_depend_on_seed_and_use_alone():
    later = batch_indices(1, 57, 8, 100)
    torch.randn(100)
    assert torch.equal(batch_indices(1, 57, 8, 100), later)
    assert not torch.equal(batch_indices(2, 57, 8, 100), later)
    numbers = [torch.rand(4, generator=generator(*use)).tolist() for use in ((0, "noise", 1), (0, "noise", 2), (0, "flip", 1))]
    assert len({tuple(each) for each in numbers}) == 3


def test_the_order_is_the_same_under_any_default_device():
    with torch.device("meta"):
        found = batch_indices(11, 0, 4, 10)
    assert torch.equal(found, torch.randperm(10, generator=generator(11, "order", 0))[:4])


# --- generators


def test_random_numbers_are_the_same_in_every_version():
    assert torch.randint(1000, (4,), generator=generator(0, "noise", 7)).tolist() == [74, 246, 493, 573]
    with global_randomness(0, 7, 0):
        assert torch.randint(1000, (4,)).tolist() == [219, 326, 207, 910]


def test_global_randomness_seeds_torch_s_generator_and_restores_it():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with global_randomness(0, 7):
        numbers = torch.rand(3)
    assert torch.equal(numbers, torch.rand(3, generator=generator(0, "global", 7)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def two_devices(monkeypatch):
    """Two CPU generators in place of those of two CUDA devices; the first device is the current one."""
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


def test_the_generator_of_another_than_the_current_device_is_seeded_and_restored(two_devices):
    first, second = (each.get_state() for each in two_devices)
    with global_randomness(0, 7, device="cuda:1"):
        numbers = torch.rand(3, generator=two_devices[1])
        assert torch.equal(two_devices[0].get_state(), first)
    assert torch.equal(numbers, torch.rand(3, generator=generator(0, "global", 7)))
    assert torch.equal(two_devices[1].get_state(), second)


def test_a_generator_is_on_the_given_device():
    with pytest.raises(RuntimeError, match="META device"):  # which has no numbers
        generator(0, device="meta")


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a CUDA device that is missing")
def test_a_missing_cuda_device_is_an_error():
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"), global_randomness(0, device="cuda"):
        pass
