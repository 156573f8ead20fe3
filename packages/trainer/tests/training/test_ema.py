"""The average of every kind of tensor a network can hold, by its formula."""

import math

import pytest
import torch
from diffkit_trainer import EMA
from diffkit_trainer.training.ema import _lerp
from torch import nn


class Everything(nn.Module):
    """A weight, a bfloat16 weight, float, double, complex and integer buffers, and a mask of infinities; filled with `value`."""

    def __init__(self, value):
        super().__init__()
        self.weight = nn.Parameter(torch.full((2,), value))
        self.narrow = nn.Parameter(torch.full((2,), value, dtype=torch.bfloat16))
        self.register_buffer("float32", torch.full((2,), value))
        self.register_buffer("float64", torch.full((2,), value, dtype=torch.float64))
        self.register_buffer("complex64", torch.full((2,), value * 1j, dtype=torch.complex64))
        self.register_buffer("count", torch.full((), int(value)))
        self.register_buffer("mask", torch.tensor([value, -math.inf]))


def values(network):
    return {name: value.tolist() for name, value in network.state_dict().items()}


def test_every_kind_of_tensor_is_averaged_or_copied():
    ema = EMA(Everything(4.0), 0.75)
    assert ema.infinite == {"mask"}
    assert {name: value.dtype for name, value in ema.model.state_dict().items() if name in ("weight", "narrow", "float64")} == {
        "weight": torch.float32,
        "narrow": torch.float32,
        "float64": torch.float64,
    }
    ema.update(Everything(8.0))
    assert values(ema.model) == {
        **{name: [5.0, 5.0] for name in ("weight", "narrow", "float32", "float64")},
        "complex64": [5j, 5j],
        "count": 8,
        "mask": [8.0, -math.inf],
    }


def test_where_an_update_is_not_good_nothing_is_averaged():
    ema = EMA(Everything(4.0), 0.75)
    ema.update(Everything(8.0), torch.tensor(False))
    assert ema.model.weight.tolist() == [4.0, 4.0]
    assert int(ema.updates) == 0
    ema.update(Everything(8.0), torch.tensor(True))
    assert ema.model.weight.tolist() == [5.0, 5.0]
    assert int(ema.updates) == 1


def test_the_warm_up_s_weights_are_nine_over_ten_and_more():
    ema, expected = EMA(Everything(0.0), 0.5, warmup=True), 0.0
    for n in range(12):
        ema.update(Everything(1.0))
        d = min(0.5, (1 + n) / (10 + n))
        expected = d * expected + 1 - d
        torch.testing.assert_close(ema.model.float64.tolist(), [expected] * 2, rtol=1e-7, atol=0)
    assert int(ema.updates) == 12
    assert ema.updates.dtype == torch.int64


def test_a_decay_near_one_is_kept_to_the_last_digit():
    ema = EMA(Everything(0.0), 0.999999)
    ema.update(Everything(1.0))
    assert ema.model.float64[0].item() == pytest.approx(1e-6, rel=1e-6)


def test_the_defaults():
    ema = EMA(nn.Linear(1, 1))
    assert (ema.decays, ema.warmup, ema.warm_until, ema.updates.device.type) == ((0.999,), False, 0.0, "cpu")
    assert EMA(nn.Identity()).updates.device.type == "cpu"


def test_the_counter_is_on_the_network_s_device():
    networks = nn.Linear(1, 1), nn.Identity()
    with torch.device("meta"):
        assert [EMA(network).updates.device.type for network in networks] == ["cpu", "cpu"]
        assert EMA(nn.Linear(1, 1)).updates.device.type == "meta"


def test_a_mask_of_two_modules_has_both_names():
    one, other = Everything(1.0), Everything(1.0)
    other.mask = one.mask
    assert EMA(nn.Sequential(one, other)).infinite == {"0.mask", "1.mask"}


def test_elsewhere_than_on_a_cpu_the_foreach_calls_are_given_what_they_take():
    averages, values = [torch.zeros(2, device="meta")], [torch.ones(2, device="meta")]
    before = averages[0]._version
    _lerp(averages, values, torch.ones((), device="meta"))
    assert averages[0]._version == before + 1
    assert values[0]._version == 0


def test_the_warm_up_lasts_until_its_formula_meets_the_first_decay():
    assert EMA(nn.Linear(1, 1), 0.9, warmup=True).warm_until == pytest.approx(80)
    assert EMA(nn.Linear(1, 1), (0.5, 0.9), warmup=True).warm_until == pytest.approx(8)
    assert EMA(nn.Linear(1, 1), 0.05, warmup=True).warm_until == 0


def test_what_two_modules_share_they_share_in_the_average():
    one = nn.BatchNorm1d(2).to(torch.bfloat16)
    other = nn.BatchNorm1d(2).to(torch.bfloat16)
    other.running_mean, other.weight = one.running_mean, one.weight
    average = EMA(nn.Sequential(one, other), 0.5).model
    assert average[0].running_mean is average[1].running_mean
    assert average[0].weight is average[1].weight
    assert not average.training


@pytest.mark.parametrize("decay", [(), (0.5, 0.5), (0.5, 0.9, 0.5)])
def test_decays_that_are_none_or_the_same_are_refused(decay):
    with pytest.raises(ValueError, match=r"^decay must be one number or several different ones, got \("):
        EMA(nn.Linear(1, 1), decay)


@pytest.mark.parametrize("decay", [-0.1, 1, (0.5, 1.0), math.nan])
def test_a_decay_that_is_no_decay_is_refused(decay):
    with pytest.raises(ValueError, match=r"^decay must be in \[0, 1\), got "):
        EMA(nn.Linear(1, 1), decay)
