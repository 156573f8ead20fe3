"""The average against its closed form, the loss against its formula, the order against its promises."""

import copy

import pytest
import torch
from diffkit_schedules import linear_betas, offset_cosine, rectified
from diffkit_trainer import EMA, Normalisation, loss, open_images, pick_device
from diffkit_trainer.rng import batch_indices, generator
from diffkit_trainer.training.timesteps import sample_times
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


def test_warm_up_forgets_the_start():
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_averaged_in_float32(dtype):
    model = constant_network(0.0, dtype)
    ema = EMA(model, 0.9999)
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    for _ in range(2000):
        ema.update(model)
    assert ema.model.weight.dtype == torch.float32
    assert ema.model.weight[0, 0].item() == pytest.approx(1 - 0.9999**2000, rel=1e-3)
    assert model.weight.dtype == dtype


def test_running_statistics_are_averaged_and_counters_copied():
    model = nn.BatchNorm1d(2)
    ema = EMA(model, 0.9)
    model.running_mean.fill_(1.0)
    model.num_batches_tracked.fill_(7)
    ema.update(model)
    torch.testing.assert_close(ema.model.running_mean, torch.full((2,), 0.1))
    assert ema.model.num_batches_tracked == 7


def test_the_average_is_a_network_of_its_own():
    model = constant_network(1.0)
    ema = EMA(model, 0.9)
    assert not ema.model.training
    assert not any(parameter.requires_grad for parameter in ema.model.parameters())
    assert ema.model.weight.data_ptr() != model.weight.data_ptr()


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_outside_the_range_is_refused(decay):
    with pytest.raises(ValueError, match=rf"decay must be in \[0, 1\), got {decay}"):
        EMA(nn.Linear(1, 1), decay)


@pytest.mark.parametrize("prediction", ["eps", "x0", "v", "flow"])
@pytest.mark.parametrize("weighting", ["uniform", "snr", "min_snr"])
@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_the_loss_is_its_formula(kind, prediction, weighting):
    x0 = torch.randn(5, 2, 3, 3, dtype=torch.float64)
    given = {}

    def model(x, level):
        given.update(x=x, level=level)
        return 0.5 * x

    options = {"kind": kind, "prediction": prediction, "weighting": weighting, "gamma": 2.0}
    value = loss(model, offset_cosine(), x0, **options, generator=torch.Generator().manual_seed(3))
    draws = torch.Generator().manual_seed(3)
    t, eps = torch.rand((5, 1, 1, 1), generator=draws), torch.randn(x0.shape, generator=draws, dtype=torch.float64)
    angle = 0.3175604292915215 + t.double() * (1.5507949932488 - 0.3175604292915215)
    alpha, sigma = angle.cos(), angle.sin()
    x = alpha * x0 + sigma * eps
    wanted = {"eps": eps, "x0": x0, "v": alpha * eps - sigma * x0, "flow": eps - x0}[prediction]
    error = (0.5 * x - wanted).abs()
    huber = torch.where(error < 1, error**2 / 2, error - 0.5)
    snr = (alpha / sigma) ** 2
    on_x0 = {"uniform": None, "snr": snr, "min_snr": snr.clamp(max=2.0)}[weighting]
    # an error of x0 shows in the output multiplied by this
    shown = {"eps": alpha / sigma, "x0": 1 + 0 * sigma, "v": sigma + alpha**2 / sigma, "flow": 1 + alpha / sigma}[prediction]
    factor = 1 if on_x0 is None else on_x0 / shown**2
    expected = (factor * {"mae": error, "mse": error**2, "huber": huber}[kind]).mean()
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(given["x"], x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(given["level"], (sigma**2).flatten(), rtol=1e-6, atol=1e-6)


def test_several_averages_at_once_are_those_of_each():
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
    with pytest.raises(ValueError, match="several different ones"):
        EMA(model, (0.9, 0.9))


def test_an_update_that_is_not_good_moves_nothing():
    model = constant_network(1.0)
    ema = EMA(model, 0.5, warmup=True)
    nn.init.zeros_(model.weight)
    ema.update(model, torch.tensor(False))
    assert (ema.updates.item(), ema.model.weight[0, 0].item()) == (0, 1.0)
    ema.update(model, torch.tensor(True))
    assert (ema.updates.item(), ema.model.weight[0, 0].item()) == (1, pytest.approx(0.1))


def times(kind, count=4096):
    return sample_times(kind, (count, 1, 1, 1), generator=torch.Generator().manual_seed(0)).flatten()


@pytest.mark.parametrize("kind", ["uniform", "logit_normal", "stratified"])
def test_times_have_their_distribution(kind):
    t = times(kind).double().sort().values
    assert 0 <= t[0] <= t[-1] < 1
    share = (torch.arange(4096) + 0.5) / 4096
    expected = torch.special.ndtri(share.double()).sigmoid() if kind == "logit_normal" else share
    distance = (t - expected).abs().max().item()  # of Kolmogorov and Smirnov, for the uniform ones
    assert distance < (1 / 4096 if kind == "stratified" else 0.03)


def test_stratified_times_make_the_mean_loss_less_noisy():
    """The error of a network that answers 0 is |target|, a function of t: its batch mean is nearly the same every time."""

    def deviation(kind):
        draws = torch.Generator().manual_seed(0)
        values = [sample_times(kind, (64, 1), generator=draws).square().mean() for _ in range(200)]
        return torch.stack(values).std().item()

    assert deviation("stratified") < 0.2 * deviation("uniform")


def test_an_index_is_told_as_one_of_the_table_s():
    seen = []
    table = linear_betas()

    def model(x, level):
        seen.append(level)
        return x

    loss(model, table, torch.zeros(4000, 1), condition="index", generator=torch.Generator().manual_seed(0))
    assert seen[0].dtype == torch.int64
    assert (seen[0].min() >= 0, seen[0].max() <= 999, seen[0].unique().numel() > 950) == (True, True, True)


def test_every_sample_has_a_time_of_its_own():
    seen = []
    loss(lambda x, level: seen.append(level) or x, rectified(), torch.zeros(8, 1, 2, 2), prediction="flow")
    assert seen[0].unique().numel() == 8


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="loss must be one of 'mae', 'mse', 'huber'; got 'l1'"):
        loss(lambda x, level: x, rectified(), torch.zeros(1, 1), kind="l1")


@pytest.mark.parametrize(("images", "batch_size"), [(10, 4), (10, 10), (7, 3), (1, 1), (3, 8)])
def test_an_epoch_is_each_image_once(images, batch_size):
    epochs = 6
    steps = -(-epochs * images // batch_size)
    seen = torch.cat([batch_indices(0, step, batch_size, images) for step in range(steps)])
    orders = seen[: epochs * images].reshape(epochs, images)
    assert (orders.sort(dim=1).values == torch.arange(images)).all()
    assert images < 7 or orders.unique(dim=0).shape[0] == epochs, "each epoch has an order of its own"


def test_order_depends_on_seed_and_place_alone():
    later = batch_indices(1, 57, 8, 100)
    torch.randn(100)
    assert torch.equal(batch_indices(1, 57, 8, 100), later)
    assert not torch.equal(batch_indices(2, 57, 8, 100), later)
    draws = [torch.rand(4, generator=generator(*place)).tolist() for place in ((0, "noise", 1), (0, "noise", 2), (0, "flip", 1))]
    assert len({tuple(draw) for draw in draws}) == 3


def test_normalisation_round_trips_every_byte():
    images = open_images("digits")
    normalisation = Normalisation(*images.statistics())
    x = normalisation.to_network(images.pixels)
    assert x.mean().item() == pytest.approx(0, abs=1e-4)
    assert x.var().item() == pytest.approx(1, abs=1e-3)
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(normalisation.to_pixels(normalisation.to_network(every)), every)
    assert normalisation.to_pixels(torch.tensor([[[[-99.0, 99.0]]]])).flatten().tolist() == [0, 255]


def test_a_device_that_is_not_there_is_named():
    for name, message in (
        ("gpu", r"device must be auto, cpu, .*; got 'gpu'$"),
        ("cuda:99", r"device cuda:99 cannot be used here \("),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            pick_device(name)
        assert "\n" not in str(caught.value)


def test_deepcopy_of_a_network_is_what_the_average_starts_from():
    model = constant_network(2.0)
    assert all(torch.equal(a, b) for a, b in zip(copy.deepcopy(model).parameters(), EMA(model).model.parameters(), strict=True))
