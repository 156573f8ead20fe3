"""The choice of a device, and copies to it."""

import pytest
import torch
from diffkit_trainer import pick_device, seed_weights
from diffkit_trainer.device import place_dataset, to_device


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu!", "device must be auto, cpu, cuda"),
        ("meta", "device meta cannot be used here"),
        ("cuda:99", r"device cuda:99 cannot be used here \("),
    ],
)
def test_other_devices_are_refused(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


def test_auto_can_compute():
    assert torch.ones(1, device=pick_device()).item() == 1


def test_a_data_set_stays_in_memory_on_the_cpu():
    pixels = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    assert place_dataset(pixels, torch.device("cpu")) is pixels
    assert to_device(pixels, torch.device("cpu")) is pixels


def test_the_seed_decides_the_initial_weights():
    weights = []
    for seed in (0, 0, 1):
        seed_weights(seed)
        weights.append(torch.nn.Linear(3, 3).weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
