"""Buffers, copied before and restored after a forward pass."""

import math

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


def test_values_are_one_copy_for_each_type():
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


def test_buffers_of_every_type_are_restored_unless_the_update_was_finite():
    model = nn.Module()
    values = {"a": [1.0, 2.0], "b": [3.0], "count": 4, "flag": [True], "wide": [[5.0], [6.0]], "turn": [1 + 2j]}
    for name, value in values.items():
        model.register_buffer(name, torch.tensor(value, dtype=torch.float64 if name == "wide" else None))
    buffers = Buffers(model)
    for good in (True, False):
        before = buffers.values()
        for buffer in model.buffers():
            buffer.copy_(torch.zeros_like(buffer))
        buffers.restore(before, unless=torch.tensor(good))
        now = {name: buffer.tolist() for name, buffer in model.named_buffers()}
        assert now == (
            {"a": [0.0, 0.0], "b": [0.0], "count": 0, "flag": [False], "wide": [[0.0], [0.0]], "turn": [0]} if good else values
        )
        for name, buffer in model.named_buffers():
            buffer.copy_(torch.tensor(values[name]))


def test_each_buffer_gets_its_own_values_back():
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


def test_a_buffer_that_was_replaced_by_another_tensor_is_restored():
    norm = nn.BatchNorm1d(2)
    buffers = Buffers(norm)
    before = buffers.values()
    norm.running_mean = torch.full((2,), math.nan)
    buffers.restore(before, unless=torch.tensor(False))
    assert norm.running_mean.tolist() == [0.0, 0.0]


def test_a_network_without_buffers_has_nothing_to_restore():
    buffers = Buffers(nn.Linear(2, 2))
    assert buffers.values() == []
    buffers.restore([], unless=torch.tensor(False))


def test_values_of_another_network_are_refused():
    buffers = Buffers(network())
    values = buffers.values()
    for others in (values[:-1], [*values, torch.zeros(1)]):
        with pytest.raises(ValueError, match="argument 3"):
            buffers.restore(others, unless=torch.tensor(False))
