"""What every distribution of t keeps to: shape, type, device, and to be below 1."""

import pytest
import torch
from diffkit_trainer.training.timesteps import sample_times


def seeded():
    return torch.Generator().manual_seed(4)


@pytest.mark.parametrize("kind", ["uniform", "logit_normal", "stratified"])
def test_times_are_float32_in_the_shape_that_is_asked_for(kind):
    t = sample_times(kind, (5, 1, 1, 1), generator=seeded())
    assert (t.shape, t.dtype, t.device) == ((5, 1, 1, 1), torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("kind", ["uniform", "logit_normal", "stratified"])
def test_times_are_on_the_generator_s_device(kind):
    expected = sample_times(kind, (5, 1), generator=seeded())
    with torch.device("meta"):
        assert torch.equal(sample_times(kind, (5, 1), generator=seeded()), expected)


def test_a_stratified_time_that_rounds_to_1_is_0():
    """The last stratum's offset 0.997 does not show beside 2^18 - 1 in float32: with this seed t would be 1."""
    replay = torch.Generator().manual_seed(45)
    torch.randperm(2**18, generator=replay)
    assert (torch.rand((), generator=replay) + 2**18 - 1) / 2**18 == 1
    t = sample_times("stratified", (2**18, 1), generator=torch.Generator().manual_seed(45))
    assert (t.min().item(), bool(t.max() < 1)) == (0, True)


def test_unknown_times_are_refused():
    with pytest.raises(ValueError, match=r"^times must be one of 'uniform', 'logit_normal', 'stratified'; got 'cosine'$"):
        sample_times("cosine", (2, 1), generator=seeded())
