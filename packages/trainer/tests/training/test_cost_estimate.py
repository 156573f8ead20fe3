"""The estimated time and memory of a training run."""

import time

import torch
from diffkit_trainer import estimate_cost
from torch import nn


def test_the_memory_is_that_of_weights_gradients_moments_and_averages(make_trainer, tiny_network):
    trainer = make_trainer(ema=(0.9, 0.99))
    found = estimate_cost(trainer, updates=2)
    weights = 4 * sum(parameter.numel() for parameter in tiny_network().parameters())
    statistics = 4 * 2 * 8 + 8  # batch norm's means and variances of 8 channels in float32, and a counter
    assert (found.weights, found.gradients, found.average) == (weights + statistics, weights, 2 * (weights + statistics))
    assert found.moments == 2 * weights + 4 * len(list(tiny_network().parameters()))
    assert found.peak is None or found.peak > found.weights + found.moments + found.average


def test_the_first_update_is_not_counted(make_trainer):
    trainer = make_trainer()
    assert estimate_cost(trainer, updates=3).updates == 3
    assert trainer.step == 4
    straight = make_trainer()
    for _ in straight.run(4):
        pass
    assert all(
        torch.equal(one, other) for one, other in zip(trainer.model.parameters(), straight.model.parameters(), strict=True)
    )


class Slow(nn.Module):
    """A network that takes at least 50 ms."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, level):
        time.sleep(0.05)
        return self.network(x, level)


def test_slow_updates_end_the_estimate_early(make_trainer, tiny_network):
    found = estimate_cost(make_trainer(network=lambda: Slow(tiny_network())), updates=1000, max_seconds=0.2)
    assert 1 <= found.updates <= 4
    assert found.seconds >= 0.05
    assert found.seconds * found.updates >= 0.2
