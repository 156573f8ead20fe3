"""The distributions of t: their formulas, shapes, types and devices; t is below 1."""

import math

import pytest
import torch
from diffkit_trainer.training.timesteps import sample_times


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


def numbers(seed=1):
    return torch.Generator().manual_seed(seed)


def test_uniform_times_are_uniform_numbers():
    assert torch.equal(sample_times("uniform", (5, 1), generator=numbers()), torch.rand((5, 1), generator=numbers()))


def test_logit_normal_times_are_the_sigmoid_of_normal_numbers():
    z = torch.randn((5, 1), generator=numbers(), dtype=torch.float32)
    torch.testing.assert_close(sample_times("logit_normal", (5, 1), generator=numbers()), 1 / (1 + (-z).exp()))


def test_stratified_times_are_one_uniform_number_shifted():
    source = numbers()
    order, u = torch.randperm(4, generator=source), torch.rand((), generator=source).item()
    assert sample_times("stratified", (4, 1), generator=numbers()).flatten().tolist() == pytest.approx(
        [math.fmod((u + k) / 4, 1) for k in order.tolist()]
    )


def test_stratified_times_reduce_the_variance_of_the_mean_loss():
    """The error of a network whose output is 0 is |target|, a function of t: its batch mean is nearly the same every time."""

    def deviation(kind):
        numbers = torch.Generator().manual_seed(0)
        values = [sample_times(kind, (64, 1), generator=numbers).square().mean() for _ in range(200)]
        return torch.stack(values).std().item()

    assert deviation("stratified") < 0.2 * deviation("uniform")


def test_a_logit_normal_time_is_below_1_although_the_sigmoid_rounds_to_1(monkeypatch):
    monkeypatch.setattr(torch, "randn", lambda shape, **_: torch.full(shape, 20.0))
    assert sample_times("logit_normal", (2,), generator=numbers()).tolist() == [1 - 2**-24] * 2


def test_a_stratified_time_that_rounds_to_1_is_0():
    """The last stratum's offset 0.997 is lost when it is added to 2^18 - 1 in float32: with this seed t would be 1."""
    replay = torch.Generator().manual_seed(45)
    torch.randperm(2**18, generator=replay)
    assert (torch.rand((), generator=replay) + 2**18 - 1) / 2**18 == 1
    t = sample_times("stratified", (2**18, 1), generator=torch.Generator().manual_seed(45))
    assert (t.min().item(), bool(t.max() < 1)) == (0, True)


def seeded():
    return torch.Generator().manual_seed(4)


@pytest.mark.parametrize("kind", ["uniform", "logit_normal", "stratified"])
def test_times_are_float32_in_the_given_shape(kind):
    t = sample_times(kind, (5, 1, 1, 1), generator=seeded())
    assert (t.shape, t.dtype, t.device) == ((5, 1, 1, 1), torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("kind", ["uniform", "logit_normal", "stratified"])
def test_times_are_on_the_generator_s_device(kind):
    expected = sample_times(kind, (5, 1), generator=seeded())
    with torch.device("meta"):
        assert torch.equal(sample_times(kind, (5, 1), generator=seeded()), expected)


def test_unknown_times_are_refused():
    with pytest.raises(ValueError, match=r"^times must be one of 'uniform', 'logit_normal', 'stratified'; got 'cosine'$"):
        sample_times("cosine", (2, 1), generator=seeded())
