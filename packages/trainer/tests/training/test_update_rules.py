"""The rules of an update, each by numbers that can be worked out by hand: rate, clipping, scale, average, loss."""

import math

import pytest
import torch
from diffkit_schedules import linear_betas, rectified
from diffkit_trainer import EMA, DivergedError, World, loss, losses
from diffkit_trainer.data.normalisation import Normalisation
from diffkit_trainer.training.buffers import Buffers
from diffkit_trainer.training.metrics import BUCKETS, RunningMetrics
from diffkit_trainer.training.optimiser import FIRST_SCALE, STREAK, Optimiser
from torch import nn


def weight(value=1.0):
    return nn.Parameter(torch.tensor([value]))


def step(optimiser, parameter, gradient, number=1):
    parameter.grad = torch.tensor([gradient])
    return optimiser.apply(number)


# --- the optimiser


def test_a_first_step_is_adam_s_and_the_decay_s():
    parameter = weight(2.0)
    good, norm = step(Optimiser([parameter], lr=0.1, weight_decay=0.5), parameter, 3.0)
    assert (bool(good), norm.item()) == (True, 3.0)
    # the first moment over the root of the second is the gradient's sign; the weight decays by lr times the decay
    assert parameter.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5) - 0.1, rel=1e-6)
    assert parameter.grad is None


def test_the_defaults_are_the_tutorial_s():
    parameter = weight(2.0)
    step(Optimiser([parameter]), parameter, 3.0)
    assert parameter.item() == pytest.approx(2.0 * (1 - 1e-3 * 1e-4) - 1e-3, rel=1e-7)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({}, [1, 1, 1, 1]),
        ({"warmup": 4}, [0.25, 0.5, 0.75, 1.0, 1.0]),
        ({"warmup": 1}, [1, 1]),
        ({"lr_schedule": "cosine", "decay_steps": 2}, [1, 0.5, 0, 0, 0]),
        ({"lr_schedule": "cosine", "decay_steps": 3, "warmup": 2}, [0.5, 0.75, 0.25, 0, 0]),
    ],
)
def test_the_rate_of_each_update(options, rates):
    parameter = weight()
    optimiser = Optimiser([parameter], lr=0.5, **options)
    for rate in rates:
        step(optimiser, parameter, 1.0)
        assert optimiser.lr.item() == pytest.approx(0.5 * rate, abs=1e-7)


@pytest.mark.parametrize(("clip", "seen"), [(None, 4.0), (8.0, 4.0), (4.0, 4.0), (1.0, 1.0)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gradient_is_brought_down_to_the_clip_and_never_up(clip, seen, precision):
    parameter = weight()
    optimiser = Optimiser([parameter], clip_grad_norm=clip, precision=precision)
    _, norm = step(optimiser, parameter, 4.0 * (FIRST_SCALE if precision == "fp16" else 1.0))
    assert norm.item() == 4.0
    moments = optimiser.state()[1]
    assert moments["0.exp_avg"].item() == pytest.approx(0.1 * seen, rel=1e-5)
    assert moments["0.exp_avg_sq"].item() == pytest.approx(0.001 * seen**2, rel=1e-5)
    assert moments["0.step"].item() == 1


def test_the_norm_is_that_of_all_parameters_together():
    one, other, frozen = weight(), weight(), weight()
    frozen.requires_grad_(False)
    optimiser = Optimiser([one, frozen, other])
    assert len(optimiser.parameters) == 2
    one.grad, other.grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert optimiser.apply(1)[1].item() == 5.0


def test_the_scale_halves_at_an_overflow_and_doubles_after_a_streak():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    assert (FIRST_SCALE, STREAK, optimiser.scale.item()) == (65536.0, 2000, 65536.0)
    step(optimiser, parameter, 1.0)
    step(optimiser, parameter, math.inf)
    assert (optimiser.scale.item(), optimiser.streak.item(), optimiser.updates.item(), optimiser.skipped.item()) == (
        32768,
        0,
        1,
        1,
    )
    optimiser.streak.fill_(STREAK - 2)
    step(optimiser, parameter, 1.0)
    assert (optimiser.scale.item(), optimiser.streak.item()) == (32768, STREAK - 1)
    step(optimiser, parameter, 1.0)
    assert (optimiser.scale.item(), optimiser.streak.item()) == (65536, 0)
    optimiser.check()


def test_an_overflow_is_no_divergence_down_to_a_scale_of_1():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    optimiser.scale.fill_(1.0)
    step(optimiser, parameter, math.inf, 7)
    optimiser.check()
    assert optimiser.scale.item() == 0.5
    step(optimiser, parameter, math.nan, 8)
    step(optimiser, parameter, math.nan, 9)
    with pytest.raises(DivergedError, match="at step 8: ") as caught:
        optimiser.check()
    assert caught.value.step == 8


def test_after_the_first_bad_gradient_no_update_is_made():
    parameter = weight()
    optimiser = Optimiser([parameter], lr=0.5, warmup=10)
    step(optimiser, parameter, 1.0, 1)
    held = parameter.item()
    assert not step(optimiser, parameter, math.inf, 2)[0]
    good, norm = step(optimiser, parameter, 1.0, 3)
    assert (bool(good), norm.item(), parameter.item()) == (False, 1.0, held)
    assert (optimiser.updates.item(), optimiser.skipped.item(), optimiser.bad_step.item()) == (1, 2, 2)


@pytest.mark.parametrize(("value", "gradient"), [(3.0, 2.0), (math.inf, math.nan), (math.nan, math.nan)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_loss_that_is_not_finite_has_no_gradient_that_is(value, gradient, precision):
    parameter = weight()
    optimiser = Optimiser([parameter], precision=precision)
    optimiser.backward(2 * parameter.sum() + value)
    expected = gradient * (FIRST_SCALE if precision == "fp16" else 1.0)
    torch.testing.assert_close(parameter.grad, torch.tensor([expected]), equal_nan=True)


def test_a_state_goes_over_to_another_optimiser_whole():
    one, other = weight(), weight()
    options = {"lr": 0.5, "warmup": 4, "clip_grad_norm": 1.0, "precision": "fp16"}
    first, second = Optimiser([one], **options), Optimiser([other], **options)
    for _ in range(2):
        step(first, one, 3.0)
    step(first, one, math.inf)
    other.data.copy_(one.data)
    second.bad_step.fill_(5)
    numbers, moments = first.state()
    assert numbers == {"updates": 2, "skipped": 1, "streak": 0, "scale": FIRST_SCALE / 2}
    assert {name: value.shape for name, value in first.expected().items()} == {
        name: value.shape for name, value in moments.items()
    }
    assert {name: value.dtype for name, value in first.expected().items()} == {
        name: value.dtype for name, value in moments.items()
    }
    second.restore(numbers, moments)
    second.check()
    assert second.lr.item() == pytest.approx(0.5 * 3 / 4)
    for _ in range(3):
        step(first, one, 2.0)
        step(second, other, 2.0)
        assert one.item() == other.item()
    assert second.state()[0] == first.state()[0]


def test_a_state_without_a_scale_begins_with_the_first_one():
    optimiser = Optimiser([weight()], precision="fp16")
    optimiser.scale.fill_(2.0)
    optimiser.restore({"updates": 0, "skipped": 0, "streak": 0}, {})
    assert optimiser.scale.item() == FIRST_SCALE


# --- the average


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.9])
def test_the_warm_up_is_its_formula_from_the_first_update_on(decay):
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema, expected = EMA(model, decay, warmup=True), 0.0
    nn.init.ones_(model.weight)
    for n in range(12):
        d = min(decay, (1 + n) / (10 + n))
        expected = d * expected + (1 - d)
        ema.update(model)
        assert ema.model.weight.item() == pytest.approx(expected, rel=1e-6)
        assert ema.updates.item() == n + 1


def test_the_average_s_defaults():
    ema = EMA(nn.Linear(1, 1))
    assert (ema.decays, ema.warmup, ema.warm_until, ema.updates.item()) == ((0.999,), False, 0.0, 0)
    assert EMA(nn.Linear(1, 1), 0.5, warmup=True).warm_until == 8.0
    assert EMA(nn.Linear(1, 1), (0.5, 0.1), warmup=True).warm_until == 8.0
    for decays in ((), (0.5, 0.5)):
        with pytest.raises(ValueError, match="decay must be one number or several different ones"):
            EMA(nn.Linear(1, 1), decays)


# --- the buffers


def test_buffers_of_every_kind_are_put_back_and_left_alone_where_all_is_well():
    model = nn.Module()
    held = {"a": [1.0, 2.0], "b": [3.0], "count": 4, "flag": [True], "wide": [[5.0], [6.0]], "turn": [1 + 2j]}
    for name, value in held.items():
        model.register_buffer(name, torch.tensor(value, dtype=torch.float64 if name == "wide" else None))
    buffers = Buffers(model)
    for good in (True, False):
        before = buffers.values()
        for buffer in model.buffers():
            buffer.copy_(torch.zeros_like(buffer))
        buffers.restore(before, unless=torch.tensor(good))
        now = {name: buffer.tolist() for name, buffer in model.named_buffers()}
        assert now == (
            {"a": [0.0, 0.0], "b": [0.0], "count": 0, "flag": [False], "wide": [[0.0], [0.0]], "turn": [0]} if good else held
        )
        for name, buffer in model.named_buffers():
            buffer.copy_(torch.tensor(held[name]))


def test_a_buffer_that_was_replaced_meanwhile_is_restore():
    norm = nn.BatchNorm1d(2)
    buffers = Buffers(norm)
    before = buffers.values()
    norm.running_mean = torch.full((2,), math.nan)
    buffers.restore(before, unless=torch.tensor(False))
    assert norm.running_mean.tolist() == [0.0, 0.0]


# --- the loss


def zero(x, level):
    return torch.zeros_like(x)


@pytest.mark.parametrize(("kind", "expected"), [("mae", [0.5, 3.0]), ("mse", [0.25, 9.0]), ("huber", [0.125, 2.5])])
def test_each_error_of_a_half_and_of_three(kind, expected):
    eps = torch.tensor([[0.5, -0.5], [3.0, -3.0]])
    found = losses(zero, rectified(), torch.zeros(2, 2), t=torch.full((2, 1), 0.5), eps=eps, kind=kind)
    assert found.tolist() == expected
    assert loss(zero, rectified(), torch.zeros(2, 2), t=torch.full((2, 1), 0.5), eps=eps, kind=kind).item() == sum(expected) / 2


def test_the_loss_s_defaults_are_the_absolute_error_of_eps_told_the_variance():
    seen = []
    x0, eps, t = torch.tensor([[8.0]]), torch.tensor([[2.0]]), torch.tensor([[0.25]])
    found = losses(lambda x, level: seen.append((x, level)) or 0 * x, rectified(), x0, t=t, eps=eps)
    assert found.tolist() == [2.0]
    assert (seen[0][0].item(), seen[0][1].tolist()) == (0.75 * 8 + 0.25 * 2, [0.0625])
    weighted = losses(zero, rectified(), x0, t=t, eps=eps, weighting="min_snr", prediction="x0")
    assert weighted.tolist() == [8.0 * 5.0]  # a signal-to-noise ratio of 9 counts as gamma, 5


def test_an_index_is_the_next_of_the_table_s():
    seen = []
    t = torch.tensor([0.0, 0.09, 0.1, 0.55, 0.999]).reshape(5, 1)
    losses(
        lambda x, level: seen.append(level) or x,
        linear_betas(T=10, start=0.05, end=0.5),
        torch.zeros(5, 1),
        condition="index",
        t=t,
    )
    assert seen[0].tolist() == [0, 0, 1, 5, 9]
    assert seen[0].dtype == torch.int64


def test_a_half_precise_answer_is_measured_in_float32():
    found = losses(
        lambda x, level: torch.full_like(x, 1 / 3).bfloat16(),
        rectified(),
        torch.zeros(1, 3),
        t=torch.ones(1, 1),
        eps=torch.zeros(1, 3),
    )
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(torch.tensor(1 / 3).bfloat16().item())


def test_the_same_generator_draws_times_and_noise_one_after_the_other():
    one, again = (torch.Generator().manual_seed(4) for _ in range(2))
    x0 = torch.zeros(3, 2)
    found = losses(zero, rectified(), x0, generator=one)
    t = torch.rand((3, 1), generator=again)
    assert torch.equal(found, torch.randn((3, 2), generator=again).abs().mean(1))
    assert t.shape == (3, 1)
    torch.manual_seed(5)
    first = losses(zero, rectified(), x0)
    torch.manual_seed(5)
    assert torch.equal(losses(zero, rectified(), x0), first)
    assert not torch.equal(losses(zero, rectified(), x0), first)


# --- the log's sums, and the pixels


def test_the_sums_of_a_log_entry():
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


def test_pixels_are_scaled_by_255_the_mean_and_the_deviation_of_their_channel():
    normalisation = Normalisation((0.2, 0.5), (0.1, 0.25))
    pixels = torch.tensor([[[[51]], [[255]]]], dtype=torch.uint8)
    x = normalisation.to_network(pixels)
    torch.testing.assert_close(x.flatten(), torch.tensor([0.0, 2.0]), atol=1e-6, rtol=0)
    assert torch.equal(normalisation.to_pixels(x), pixels)
    edge = torch.tensor([[[[-9.0]], [[9.0]]]])
    assert normalisation.to_pixels(edge).flatten().tolist() == [0, 255]
    assert normalisation.to_pixels(x + torch.tensor([0.55 / 25.5, 0.4 / 63.75]).reshape(1, 2, 1, 1)).flatten().tolist() == [
        52,
        255,
    ]
