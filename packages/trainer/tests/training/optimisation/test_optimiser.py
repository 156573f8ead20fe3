"""The optimiser: AdamW's first steps by hand, the learning rate's formula, and updates that are not finite."""

import math

import pytest
import torch
from diffkit_trainer import DivergedError
from diffkit_trainer.options import Options
from diffkit_trainer.training.optimisation.optimiser import INITIAL_SCALE, Optimiser
from torch import nn

# --- one update


def weight(*values):
    return nn.Parameter(torch.tensor(values or (1.0, -2.0)))


def update(optimiser, parameter, gradient):
    """One update from a loss that has this gradient."""
    optimiser.backward((parameter * torch.tensor(gradient)).sum())
    return optimiser.apply()


def test_two_updates_follow_adamw_s_equations():
    parameter, lr, decay = weight(), 0.1, 0.5
    optimiser = Optimiser([parameter], lr=lr, weight_decay=decay)
    w, m, v = torch.tensor([1.0, -2.0]).double(), torch.zeros(2).double(), torch.zeros(2).double()
    for n, gradient in enumerate((torch.tensor([3.0, 4.0]), torch.tensor([-1.0, 2.0])), start=1):
        good, norm = update(optimiser, parameter, gradient.tolist())
        assert (good.item(), norm.item()) == (True, pytest.approx(gradient.norm().item()))
        m, v = 0.9 * m + 0.1 * gradient.double(), 0.999 * v + 0.001 * gradient.double() ** 2
        w = w * (1 - lr * decay) - lr * (m / (1 - 0.9**n)) / ((v / (1 - 0.999**n)).sqrt() + 1e-8)
        torch.testing.assert_close(parameter.detach().double(), w, rtol=1e-6, atol=1e-7)
        assert parameter.grad is None
    assert (int(optimiser.updates), int(optimiser.skipped), int(optimiser.bad_step)) == (2, 0, 0)


def test_the_default_learning_rate_and_weight_decay():
    optimiser = Optimiser([weight()])
    (group,) = optimiser.adamw.param_groups
    assert (group["lr"].item(), group["weight_decay"], group["fused"]) == (pytest.approx(1e-3), 1e-4, True)
    assert (optimiser.scale, optimiser.options) == (None, Options())


def test_frozen_and_unused_parameters_stay():
    frozen, unused, parameter = weight().requires_grad_(False), weight(), weight()
    optimiser = Optimiser([frozen, unused, parameter], lr=0.1)
    update(optimiser, parameter, [3.0, 4.0])
    assert [id(each) for each in optimiser.parameters] == [id(unused), id(parameter)]
    assert (frozen.tolist(), unused.tolist()) == ([1.0, -2.0], [1.0, -2.0])
    assert parameter.tolist() != [1.0, -2.0]


def test_the_norm_is_over_all_parameters():
    one, other, frozen = weight(1.0), weight(1.0), weight(1.0).requires_grad_(False)
    optimiser = Optimiser([one, frozen, other])
    assert len(optimiser.parameters) == 2
    one.grad, other.grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert optimiser.apply()[1].item() == 5.0


def moment(optimiser, parameter, name="exp_avg"):
    return optimiser.adamw.state[parameter][name]


@pytest.mark.parametrize(("clip", "factor"), [(None, 1.0), (10.0, 1.0), (5.0, 1.0), (2.5, 0.5), (0.5, 0.1)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_clipping_scales_the_gradient_down_and_never_up(clip, factor, precision):
    parameter = weight()
    optimiser = Optimiser([parameter], clip_grad_norm=clip, precision=precision)
    _, norm = update(optimiser, parameter, [3.0, 4.0])
    assert norm.item() == pytest.approx(5.0)
    torch.testing.assert_close(moment(optimiser, parameter), factor * torch.tensor([0.3, 0.4]))
    torch.testing.assert_close(moment(optimiser, parameter, "exp_avg_sq"), factor**2 * torch.tensor([0.009, 0.016]))
    assert moment(optimiser, parameter, "step").item() == 1


# --- the learning rate


def rates(count, **options):
    parameter = weight()
    optimiser = Optimiser([parameter], lr=2.0, **options)
    found = []
    for _ in range(count):
        update(optimiser, parameter, [3.0, 4.0])
        found.append(optimiser.lr.item())
    return found


def test_the_learning_rate_follows_its_formula():
    assert rates(3) == [2.0] * 3
    assert rates(2, warmup=1) == [2.0] * 2
    assert rates(6, warmup=4) == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    cosine = [1 + math.cos(math.pi * min(n / 4, 1)) for n in range(7)]
    assert rates(7, lr_schedule="cosine", decay_steps=4) == pytest.approx(cosine, abs=1e-6)
    both = [factor * value for factor, value in zip([0.5, 1, 1, 1, 1], cosine, strict=False)]
    assert rates(5, lr_schedule="cosine", decay_steps=4, warmup=2) == pytest.approx(both, abs=1e-6)


def test_an_update_uses_the_learning_rate_of_its_number():
    parameter = weight(1.0)
    update(Optimiser([parameter], lr=1.0, weight_decay=0.0, warmup=4), parameter, [3.0])
    assert parameter.item() == pytest.approx(1 - 0.25)


# --- what is not finite


@pytest.mark.parametrize("gradient", [math.nan, math.inf])
def test_an_update_that_is_not_finite_changes_nothing_and_no_later_one_does(gradient):
    parameter = weight()
    optimiser = Optimiser([parameter], lr=0.1, warmup=10)
    update(optimiser, parameter, [3.0, 4.0])
    before, moments = parameter.detach().clone(), moment(optimiser, parameter).clone()
    optimiser.check()
    for value in (gradient, 1.0, gradient):
        good, norm = update(optimiser, parameter, [1.0, value])
        assert (good.item(), norm.isfinite().item()) == (False, value == 1.0)
        assert torch.equal(parameter, before)
        assert torch.equal(moment(optimiser, parameter), moments)
    assert (int(optimiser.updates), int(optimiser.skipped), int(optimiser.bad_step)) == (1, 3, 2)
    with pytest.raises(DivergedError, match=r"^the loss or its gradient was not finite at step 2: no update was") as caught:
        optimiser.check()
    assert caught.value.step == 2


@pytest.mark.parametrize(("value", "gradient"), [(3.0, 2.0), (math.inf, math.nan), (math.nan, math.nan)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_loss_that_is_not_finite_has_a_nan_gradient(value, gradient, precision):
    parameter = weight(1.0)
    optimiser = Optimiser([parameter], precision=precision)
    optimiser.backward(2 * parameter.sum() + value)
    expected = gradient * (INITIAL_SCALE if precision == "fp16" else 1.0)
    torch.testing.assert_close(parameter.grad, torch.tensor([expected]), equal_nan=True)


def test_a_loss_that_is_not_finite_makes_no_update():
    parameter = weight()
    optimiser = Optimiser([parameter])
    optimiser.backward((parameter * torch.tensor([1.0, 2.0])).sum() + math.inf)
    assert parameter.grad.isnan().all()
    good, norm = optimiser.apply()
    assert (good.item(), norm.isnan().item()) == (False, True)


# --- the scale of float16


def test_the_scale_multiplies_the_loss_and_divides_the_gradient():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    assert optimiser.scale.item() == 65536
    optimiser.backward((parameter * torch.tensor([3.0, 4.0])).sum())
    assert parameter.grad.tolist() == [3 * 65536, 4 * 65536]
    good, norm = optimiser.apply()
    assert (good.item(), norm.item(), optimiser.scale.item(), int(optimiser.streak)) == (True, pytest.approx(5.0), 65536, 1)
    torch.testing.assert_close(moment(optimiser, parameter), torch.tensor([0.3, 0.4]))


def test_an_overflow_halves_the_scale_and_skips_the_update():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    optimiser.streak.fill_(7)
    good, _ = update(optimiser, parameter, [math.inf, 1.0])
    assert (good.item(), optimiser.scale.item(), int(optimiser.streak)) == (False, 32768, 0)
    assert (int(optimiser.updates), int(optimiser.skipped), int(optimiser.bad_step)) == (0, 1, 0)
    assert parameter.tolist() == [1.0, -2.0]
    good, _ = update(optimiser, parameter, [1.0, 1.0])
    assert (good.item(), optimiser.scale.item(), int(optimiser.updates)) == (True, 32768, 1)


@pytest.mark.parametrize(("scale", "bad_step"), [(2.0, 0), (1.0, 0), (0.5, 9)])
def test_an_overflow_at_a_scale_below_1_is_a_divergence(scale, bad_step):
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    optimiser.scale.fill_(scale)
    optimiser.updates.fill_(5)
    optimiser.skipped.fill_(3)
    update(optimiser, parameter, [math.inf, 1.0])
    assert int(optimiser.bad_step) == bad_step


def test_the_first_overflow_below_a_scale_of_1_is_the_step_of_divergence():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    optimiser.scale.fill_(1.0)
    optimiser.updates.fill_(6)
    update(optimiser, parameter, [math.inf, 1.0])
    optimiser.check()
    assert optimiser.scale.item() == 0.5
    update(optimiser, parameter, [math.nan, 1.0])
    update(optimiser, parameter, [math.nan, 1.0])
    with pytest.raises(DivergedError, match="at step 8: ") as caught:
        optimiser.check()
    assert caught.value.step == 8


def test_2000_updates_without_an_overflow_double_the_scale():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    optimiser.streak.fill_(1998)
    for streak, scale in ((1999, 65536), (0, 131072), (1, 131072)):
        update(optimiser, parameter, [1.0, 1.0])
        assert (int(optimiser.streak), optimiser.scale.item()) == (streak, scale)


# --- state and restore


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_restored_optimiser_makes_the_same_updates(precision):
    def make():
        parameter = nn.Parameter(torch.ones(1, 2, 2, 2).contiguous(memory_format=torch.channels_last))
        options = {"warmup": 6, "lr_schedule": "cosine", "decay_steps": 9, "clip_grad_norm": 1.0, "precision": precision}
        return parameter, Optimiser([parameter, nn.Parameter(torch.ones(2))], lr=0.1, **options)

    def steps(parameter, optimiser, numbers):
        for n in numbers:
            optimiser.backward((parameter * torch.arange(8.0).reshape(1, 2, 2, 2) * n).sum() + optimiser.parameters[1].sum())
            optimiser.apply()

    (one, first), (other, second) = make(), make()
    steps(one, first, [1, 2])
    first.skipped.fill_(5)
    if precision == "fp16":
        first.scale.fill_(128.0)
    numbers, moments = first.state()
    expected = {"updates": 2, "skipped": 5, "streak": 2 if precision == "fp16" else 0} | (
        {"scale": 128.0} if precision == "fp16" else {}
    )
    assert numbers == expected
    expected_moments = first.expected_moments()
    assert {name: (value.shape, value.dtype) for name, value in expected_moments.items()} == {
        name: (value.shape, value.dtype) for name, value in moments.items()
    }
    assert {value.device.type for value in expected_moments.values()} == {"meta"}
    second.bad_step.fill_(3)
    moments = {name: value.contiguous().clone() for name, value in moments.items()}
    with torch.no_grad():
        other.copy_(one)
        second.parameters[1].copy_(first.parameters[1])
    second.restore(numbers, moments)
    assert second.lr.item() == pytest.approx(0.1 * 0.5 * (1 + math.cos(math.pi * 2 / 9)) / 2)
    assert second.state()[0] == numbers
    assert int(second.bad_step) == 0
    before = moments["0.exp_avg"].clone()
    for run in ((one, first), (other, second)):
        steps(*run, [3, 4])
    assert torch.equal(one, other)
    assert torch.equal(first.lr, second.lr)
    assert moment(second, other).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(moments["0.exp_avg"], before), "the given moments are copied"
    assert moments["0.step"] == 2


def test_the_state_before_the_first_update_has_moments_of_zero():
    numbers, moments = Optimiser([weight(), weight(3.0)], precision="fp16").state()
    assert numbers == {"updates": 0, "skipped": 0, "streak": 0, "scale": 65536.0}
    assert {name: value.tolist() for name, value in moments.items()} == {
        "0.step": 0.0, "0.exp_avg": [0.0, 0.0], "0.exp_avg_sq": [0.0, 0.0],
        "1.step": 0.0, "1.exp_avg": [0.0], "1.exp_avg_sq": [0.0],
    }  # fmt: skip


def test_a_state_without_moments_and_scale_restores_the_initial_ones():
    parameter = weight()
    optimiser = Optimiser([parameter], precision="fp16")
    update(optimiser, parameter, [1.0, 1.0])
    optimiser.scale.fill_(4.0)
    optimiser.restore({"updates": 0, "skipped": 0, "streak": 0}, {})
    assert (optimiser.scale.item(), int(optimiser.updates), dict(optimiser.adamw.state)) == (65536.0, 0, {})


def test_moments_have_their_parameter_s_type_and_device():
    parameter = nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))
    optimiser = Optimiser([parameter])
    for moments in (optimiser.state()[1], optimiser.expected_moments()):
        assert {name: (value.shape, value.dtype) for name, value in moments.items()} == {
            "0.step": ((), torch.float32),
            "0.exp_avg": ((2, 3), torch.float64),
            "0.exp_avg_sq": ((2, 3), torch.float64),
        }
    with torch.device("meta"):
        assert {value.device.type for value in optimiser.state()[1].values()} == {"cpu"}


def test_all_tensors_are_on_the_parameters_device():
    with torch.device("meta"):
        optimiser = Optimiser([nn.Parameter(torch.zeros(2, device="cpu"))], precision="fp16")
    tensors = [value for value in vars(optimiser).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 6
    assert {tensor.device.type for tensor in tensors} == {"cpu"}
    assert {optimiser.updates.dtype, optimiser.skipped.dtype, optimiser.bad_step.dtype, optimiser.streak.dtype} == {torch.int64}


def test_restored_moments_are_on_the_parameters_device():
    _, moments = Optimiser([weight()]).state()
    optimiser = Optimiser([nn.Parameter(torch.zeros(2, device="meta"))])
    optimiser.restore({"updates": 0, "skipped": 0, "streak": 0}, moments)
    (slot,) = optimiser.adamw.state.values()
    assert {name: value.device.type for name, value in slot.items()} == dict.fromkeys(("step", "exp_avg", "exp_avg_sq"), "meta")


# --- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, "lr must be a number above 0, at most 1e\\+30, got 0.0"),
        ({"lr": math.inf}, "lr must be a number above 0, at most 1e\\+30, got inf"),
        ({"lr": math.nan}, "lr must be a number above 0, at most 1e\\+30, got nan"),
        ({"lr_schedule": "linear"}, "lr_schedule must be one of constant, cosine, got 'linear'"),
        ({"weight_decay": -0.1}, "weight_decay must be a number from 0 to 1e\\+30, got -0.1"),
        ({"decay_steps": 0}, "decay_steps must be an integer from 1 to 1000000000 or none, got 0"),
        ({"warmup": -1}, "warmup must be an integer from 0 to 1000000000, got -1"),
        ({"clip_grad_norm": 0.0}, "clip_grad_norm must be a number above 0, at most 1e\\+30 or none, got 0.0"),
        ({"clip_grad_norm": math.nan}, "clip_grad_norm must be a number above 0, .* got nan"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Optimiser([weight()], **options)


@pytest.mark.parametrize(
    "options",
    [{"lr": 2.0}, {"clip_grad_norm": 0.5}, {"warmup": 1}, {"weight_decay": 0.0}, {"lr_schedule": "cosine", "decay_steps": 1}],
)
def test_the_ends_of_the_ranges_are_accepted(options):
    assert Optimiser([weight()], **options)
