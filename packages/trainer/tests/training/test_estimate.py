"""What a trial says of a training's time and memory."""

import time

import torch
from diffkit_trainer import estimate_cost
from tiny_trainer import Tiny, trainer


def test_memory_is_that_of_the_tensors():
    it = trainer(ema=(0.9, 0.99))
    found = estimate_cost(it, updates=2)
    weights = 4 * sum(parameter.numel() for parameter in Tiny().parameters())
    statistics = 4 * 2 * 8 + 8  # batch norm's means and variances of 8 channels in float32, and a counter
    assert (found.weights, found.gradients, found.average) == (weights + statistics, weights, 2 * (weights + statistics))
    assert found.moments == 2 * weights + 4 * len(list(Tiny().parameters()))
    assert found.peak is None or found.peak > found.weights + found.moments + found.average


def test_updates_are_made_after_one_that_is_not_counted():
    it = trainer()
    assert estimate_cost(it, updates=3).updates == 3
    assert it.step == 4
    straight = trainer()
    for _ in straight.run(4):
        pass
    assert all(torch.equal(one, other) for one, other in zip(it.model.parameters(), straight.model.parameters(), strict=True))


class Slow(Tiny):
    def forward(self, x, level):
        time.sleep(0.05)
        return super().forward(x, level)


def test_slow_updates_end_it_early():
    found = estimate_cost(trainer(network=Slow), updates=1000, max_seconds=0.2)
    assert 1 <= found.updates <= 4
    assert found.seconds >= 0.05
    assert found.seconds * found.updates >= 0.2
