"""The memory of a network's layers, and the batch size that fits the free memory."""

import torch
from diffkit_trainer import activations, auto_batch_size
from torch import nn


def test_activations_fill_half_of_the_free_memory(monkeypatch):
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU())
    x = torch.zeros(1, 1, 8, 8)  # 64 numbers in, 256 and 256 inside: 2,304 bytes
    for free, expected in ((2304 * 20, 10), (100, 1), (10**9, 64)):
        monkeypatch.setattr("diffkit_trainer.auto_batch.free_memory", lambda device, free=free: free)
        assert auto_batch_size(network, x) == expected


def test_activations_are_counted_without_allocating_them():
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    x = torch.zeros(1, 1, 8, 8)  # 64 numbers in, 256, 256 and 64 out
    assert activations(network, x) == (4 * 512, 4 * (64 + 256), 4 * (64 + 256 + 256 + 64))
    assert activations(network, torch.zeros(2**40, 1, 1, 1, device="meta")).least == 32 * 2**40


def test_a_small_evaluation_and_a_count_on_meta_agree_and_statistics_stay():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3))
    image = torch.randn(1, 3, 20, 20)
    on_meta = activations(network.train(), image)
    assert activations(network.eval(), image) == on_meta
    assert not network[1].running_mean.any()
