"""The average of every kind of tensor of a network, against its formula."""

import copy
import math

import pytest
import torch
from diffkit_trainer import EMA
from diffkit_trainer.training.ema import _lerp
from torch import nn


def constant_network(value, dtype=torch.float32):
    model = nn.Linear(3, 2).to(dtype)
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_the_average_follows_its_closed_form(decay):
    model = constant_network(1.0)
    ema = EMA(model, decay)
    for n in range(1, 21):
        for parameter in model.parameters():
            nn.init.constant_(parameter, n)
        ema.update(model)
    expected = decay**20 + (1 - decay) * sum(decay ** (20 - n) * n for n in range(1, 21))
    for parameter in ema.model.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected))


def test_the_defaults():
    ema = EMA(nn.Linear(1, 1))
    assert (ema.decays, ema.warmup, ema.warm_until, ema.updates.device.type) == ((0.999,), False, 0.0, "cpu")
    assert EMA(nn.Identity()).updates.device.type == "cpu"


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


def test_complex_and_bfloat16_buffers_are_averaged_and_stay_shared():
    model = nn.Module()
    model.register_buffer("turn", torch.zeros(2, dtype=torch.complex64))
    model.register_buffer("narrow", torch.zeros(2, dtype=torch.bfloat16))
    model.other = nn.Module()
    model.other.register_buffer("narrow", model.narrow)
    ema = EMA(model, 0.75)
    model.turn.fill_(4 + 8j)
    model.narrow.fill_(4)
    ema.update(model)
    assert ema.model.turn.tolist() == [1 + 2j] * 2
    assert ema.model.narrow.tolist() == [1.0] * 2
    assert ema.model.narrow.dtype == torch.float32
    assert ema.model.other.narrow is ema.model.narrow


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_averaged_in_float32(dtype):
    model = constant_network(0.0, dtype)
    ema = EMA(model, 0.9999)
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    for _ in range(2000):
        ema.update(model)
    assert ema.model.weight.dtype == torch.float32
    assert ema.model.weight[0, 0].item() == pytest.approx(1 - 0.9999**2000, rel=1e-3)
    assert model.weight.dtype == dtype


@pytest.mark.parametrize(("decay", "first"), [(0.999999, 1e-6), (0.9999, 1e-4), (0.999, 1e-3), (0.0, 1.0)])
def test_one_minus_the_decay_is_exact(decay, first):
    """1 - 0.999999 computed in float32 is off by 1.3%."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    late, plain = EMA(model, decay, warmup=True), EMA(model, decay)
    late.updates.fill_(10**9)
    nn.init.ones_(model.weight)
    for ema in (late, plain):
        ema.update(model)
        assert ema.model.weight.item() == pytest.approx(first, rel=1e-7)


def test_an_update_that_is_not_finite_changes_no_average():
    ema = EMA(Everything(4.0), 0.75)
    ema.update(Everything(8.0), torch.tensor(False))
    assert ema.model.weight.tolist() == [4.0, 4.0]
    assert int(ema.updates) == 0
    ema.update(Everything(8.0), torch.tensor(True))
    assert ema.model.weight.tolist() == [5.0, 5.0]
    assert int(ema.updates) == 1


def test_several_averages_equal_those_of_one_decay_each():
    model, decays = constant_network(1.0), (0.5, 0.9, 0.999)
    together, alone = EMA(model, decays), [EMA(model, decay) for decay in decays]
    for n in range(5):
        for parameter in model.parameters():
            nn.init.constant_(parameter, n)
        for ema in (together, *alone):
            ema.update(model)
    assert together.model is together.models[0]
    for one, other in zip(together.models, alone, strict=True):
        assert torch.equal(one.weight, other.model.weight)


def test_the_average_is_a_separate_network_in_evaluation_mode():
    model = constant_network(1.0)
    ema = EMA(model, 0.9)
    assert not ema.model.training
    assert not any(parameter.requires_grad for parameter in ema.model.parameters())
    assert ema.model.weight.data_ptr() != model.weight.data_ptr()


def test_the_average_starts_from_the_network_s_weights():
    model = constant_network(2.0)
    assert all(torch.equal(a, b) for a, b in zip(copy.deepcopy(model).parameters(), EMA(model).model.parameters(), strict=True))


def test_tensors_that_two_modules_share_stay_shared_in_the_average():
    one = nn.BatchNorm1d(2).to(torch.bfloat16)
    other = nn.BatchNorm1d(2).to(torch.bfloat16)
    other.running_mean, other.weight = one.running_mean, one.weight
    average = EMA(nn.Sequential(one, other), 0.5).model
    assert average[0].running_mean is average[1].running_mean
    assert average[0].weight is average[1].weight
    assert not average.training


def test_a_mask_of_two_modules_has_both_names():
    one, other = Everything(1.0), Everything(1.0)
    other.mask = one.mask
    assert EMA(nn.Sequential(one, other)).infinite == {"0.mask", "1.mask"}


def test_the_counter_is_on_the_network_s_device():
    networks = nn.Linear(1, 1), nn.Identity()
    with torch.device("meta"):
        assert [EMA(network).updates.device.type for network in networks] == ["cpu", "cpu"]
        assert EMA(nn.Linear(1, 1)).updates.device.type == "meta"


def test_on_an_accelerator_the_average_is_updated_in_place_and_the_network_is_not():
    averages, values = [torch.zeros(2, device="meta")], [torch.ones(2, device="meta")]
    before = averages[0]._version
    _lerp(averages, values, torch.ones((), device="meta"))
    assert averages[0]._version == before + 1
    assert values[0]._version == 0


# --- warm-up


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.5, 0.9])
def test_the_warm_up_follows_its_formula_from_the_first_update(decay):
    ema, expected = EMA(Everything(0.0), decay, warmup=True), 0.0
    for n in range(12):
        ema.update(Everything(1.0))
        d = min(decay, (1 + n) / (10 + n))
        expected = d * expected + 1 - d
        torch.testing.assert_close(ema.model.float64.tolist(), [expected] * 2, rtol=1e-7, atol=0)
    assert int(ema.updates) == 12
    assert ema.updates.dtype == torch.int64


def test_the_warm_up_forgets_the_initial_weights():
    model = constant_network(1.0)
    ema, expected = EMA(model, 0.999, warmup=True), 1.0
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    for n in range(50):
        ema.update(model)
        expected *= min(0.999, (1 + n) / (10 + n))
    assert ema.model.weight[0, 0].item() == pytest.approx(expected, rel=1e-4)
    assert expected < 1e-6 < 0.999**50


@pytest.mark.parametrize("decay", [0.0, 0.05, 0.5, 0.9, 0.999])
def test_the_warm_up_ends_where_its_formula_meets_the_decay(decay):
    ema = EMA(nn.Linear(1, 1), decay, warmup=True)
    first = next(n for n in range(10**5) if (1 + n) / (10 + n) >= decay - 1e-12)
    assert first == pytest.approx(ema.warm_until, abs=1)
    assert first >= ema.warm_until - 1e-6
    assert EMA(nn.Linear(1, 1), decay).warm_until == 0


def test_the_warm_up_of_several_averages_ends_with_the_first_decay():
    assert EMA(nn.Linear(1, 1), 0.9, warmup=True).warm_until == pytest.approx(80)
    assert EMA(nn.Linear(1, 1), (0.5, 0.9), warmup=True).warm_until == pytest.approx(8)
    assert EMA(nn.Linear(1, 1), 0.05, warmup=True).warm_until == 0


# --- refusals


@pytest.mark.parametrize("decay", [(), (0.5, 0.5), (0.5, 0.9, 0.5)])
def test_no_decay_and_equal_decays_are_refused(decay):
    with pytest.raises(ValueError, match=r"^decay must be one number or several different ones, got \("):
        EMA(nn.Linear(1, 1), decay)


@pytest.mark.parametrize("decay", [-0.1, 1, (0.5, 1.0), math.nan])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(ValueError, match=r"^decay must be in \[0, 1\), got "):
        EMA(nn.Linear(1, 1), decay)
