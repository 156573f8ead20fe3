"""Running statistics taken aside and put back."""

import pytest
import torch
from diffkit_trainer.training.buffers import Buffers
from torch import nn


def network():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3), nn.BatchNorm1d(3).double())
    for n, buffer in enumerate(model.buffers()):
        buffer.fill_(n)
    return model


def statistics(model):
    return [buffer.tolist() for buffer in model.buffers()]


def test_they_are_one_copy_of_each_kind():
    model = network()
    before, values = statistics(model), Buffers(model).values()
    assert {value.dtype: value.tolist() for value in values} == {
        torch.float32: [0, 0, 1, 1],
        torch.int64: [2, 5],
        torch.float64: [3, 3, 3, 4, 4, 4],
    }
    for value in values:
        value.zero_()
    assert statistics(model) == before


def test_they_are_put_back_each_in_its_place():
    model = network()
    buffers, before = Buffers(model), statistics(model)
    values = buffers.values()
    for n, buffer in enumerate(model.buffers()):
        buffer.fill_(100 + n)
    after = statistics(model)
    buffers.restore(values, unless=torch.tensor(True))
    assert statistics(model) == after
    buffers.restore(values, unless=torch.tensor(False))
    assert statistics(model) == before


def test_a_network_without_them_has_nothing_to_restore():
    buffers = Buffers(nn.Linear(2, 2))
    assert buffers.values() == []
    buffers.restore([], unless=torch.tensor(False))


def test_values_of_another_network_are_refused():
    buffers = Buffers(network())
    values = buffers.values()
    for others in (values[:-1], [*values, torch.zeros(1)]):
        with pytest.raises(ValueError, match="argument 3"):
            buffers.restore(others, unless=torch.tensor(False))
