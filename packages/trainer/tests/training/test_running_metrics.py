"""The metrics of a log entry, summed over updates."""

import math

import torch
from diffkit_trainer import World
from diffkit_trainer.training.running_metrics import BUCKETS, RunningMetrics


def test_metrics_are_means_over_finite_updates_in_all_and_by_time():
    metrics = RunningMetrics(torch.device("cpu"))
    assert BUCKETS == 4
    t = torch.tensor([0.0, 0.25, 0.49, 0.75, 1.0]).reshape(5, 1, 1, 1)
    metrics.add(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), t, torch.tensor(3.0), torch.tensor(True))
    metrics.add(torch.full((5,), math.nan), t, torch.tensor(math.nan), torch.tensor(False))
    metrics.add(torch.tensor([9.0]), torch.tensor([0.6]), torch.tensor(5.0), torch.tensor(True))
    expected = {"loss": 40 / 6, "gradient_norm": 4.0, "loss_by_t": [1.0, 3.0, 9.0, 12.0]}
    assert metrics.read(World(), keep=True) == expected
    assert metrics.read(World()) == expected
    assert metrics.read(World()) == {"loss": None, "gradient_norm": None, "loss_by_t": [None] * 4}
