"""A network on its device, in a memory format, with its averages."""

from contextlib import nullcontext

import pytest
import torch
from diffkit_trainer import World
from diffkit_trainer.options import Options
from diffkit_trainer.training.prepare import prepare_network, summed_over_processes
from torch import nn


def test_the_network_trains_and_its_averages_evaluate():
    network = nn.BatchNorm2d(2).eval()
    model, ema, called = prepare_network(network, Options(ema=(0.9, 0.5)), torch.device("cpu"), World())
    assert model is called is network
    assert model.training
    assert [average.training for average in ema.models] == [False, False]
    assert (ema.decays, ema.warmup) == ((0.9, 0.5), True)


@pytest.mark.parametrize("channels_last", [False, True])
def test_weights_and_averages_have_the_memory_format(channels_last):
    model, ema, _ = prepare_network(nn.Conv2d(4, 4, 3), Options(channels_last=channels_last), torch.device("cpu"), World())
    for network in (model, ema.model):
        assert network.weight.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_gradients_of_one_process_are_always_summed():
    for last in (False, True):
        assert isinstance(summed_over_processes(nn.Linear(1, 1), last), nullcontext)
