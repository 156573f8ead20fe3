"""Running statistics taken aside and put back."""

import torch
from diffkit_trainer.buffers import Buffers
from torch import nn


def network():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3), nn.BatchNorm1d(3))
    for n, buffer in enumerate(each for each in model.buffers() if each.is_floating_point()):
        buffer.fill_(n)
    return model


def statistics(model):
    return [buffer.tolist() for buffer in model.buffers() if buffer.is_floating_point()]


def test_they_are_one_copy_of_all_floats():
    model = network()
    values = Buffers(model).values()
    assert values.tolist() == [0, 0, 1, 1, 2, 2, 2, 3, 3, 3]
    values.zero_()
    assert statistics(model) == [[0, 0], [1, 1], [2, 2, 2], [3, 3, 3]]


def test_they_are_put_back_each_in_its_place_and_the_counter_is_left():
    model = network()
    buffers, before = Buffers(model), statistics(model)
    values = buffers.values()
    model(torch.randn(4, 2))
    after = statistics(model)
    buffers.put_back(values, unless=torch.tensor(True))
    assert statistics(model) == after != before
    buffers.put_back(values, unless=torch.tensor(False))
    assert statistics(model) == before
    assert model[0].num_batches_tracked == 1


def test_a_network_without_them_has_nothing_to_put_back():
    buffers = Buffers(nn.Linear(2, 2))
    assert buffers.values() is None
    buffers.put_back(None, unless=torch.tensor(False))
