"""The loss with given or replayed random numbers: the network's inputs, the error and its weight."""

import re

import pytest
import torch
from diffkit_schedules import linear_betas, offset_cosine, rectified
from diffkit_trainer import loss, losses
from diffkit_trainer.training.timesteps import sample_times


@pytest.mark.parametrize("prediction", ["eps", "x0", "v", "flow"])
@pytest.mark.parametrize("weighting", ["uniform", "snr", "min_snr"])
@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_the_loss_follows_its_formula(kind, prediction, weighting):
    x0 = torch.randn(5, 2, 3, 3, dtype=torch.float64)
    given: dict = {}

    def model(x, level):
        given.update(x=x, level=level)
        return 0.5 * x

    options = {"kind": kind, "prediction": prediction, "weighting": weighting, "gamma": 2.0}
    value = loss(model, offset_cosine(), x0, **options, generator=torch.Generator().manual_seed(3))
    numbers = torch.Generator().manual_seed(3)
    t, eps = torch.rand((5, 1, 1, 1), generator=numbers), torch.randn(x0.shape, generator=numbers, dtype=torch.float64)
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


def zero(x, level):
    return torch.zeros_like(x)


@pytest.mark.parametrize(("kind", "expected"), [("mae", [0.5, 3.0]), ("mse", [0.25, 9.0]), ("huber", [0.125, 2.5])])
def test_each_kind_of_error_of_a_half_and_of_three(kind, expected):
    eps = torch.tensor([[0.5, -0.5], [3.0, -3.0]])
    found = losses(zero, rectified(), torch.zeros(2, 2), t=torch.full((2, 1), 0.5), eps=eps, kind=kind)
    assert found.tolist() == expected
    assert loss(zero, rectified(), torch.zeros(2, 2), t=torch.full((2, 1), 0.5), eps=eps, kind=kind).item() == sum(expected) / 2


def evaluate(*arguments, output=torch.zeros_like, **options):
    """What the network is given, and the losses."""
    given: dict = {}

    def model(x, level, **more):
        given.update(x=x, level=level, **more)
        return output(x)

    return given, losses(model, *arguments, **options)


def test_given_times_and_noise_are_used():
    x0, eps, t = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [4.0, -4.0]]), torch.tensor([[0.25], [0.5]])
    given, found = evaluate(rectified(), x0, t=t, eps=eps, prediction="x0", kind="mse", label="seven")
    assert given["x"].tolist() == [[0.75, 2.0], [3.5, 0.0]]
    assert given["level"].tolist() == [0.0625, 0.25]
    assert given["label"] == "seven"
    assert found.tolist() == [2.5, 12.5]


def test_the_default_is_the_mean_absolute_error_of_eps_at_the_variance():
    x0, eps, t = torch.zeros(2, 2), torch.tensor([[1.0, -2.0], [3.0, 0.5]]), torch.full((2, 1), 0.5)
    given, found = evaluate(rectified(), x0, t=t, eps=eps)
    assert found.tolist() == [1.5, 1.75]
    assert given["level"].tolist() == [0.25, 0.25]


def test_a_weight_multiplies_each_sample_s_error():
    x0, eps, t = torch.zeros(3, 2), torch.ones(3, 2), torch.tensor([[0.25], [0.5], [0.75]])
    options = {"t": t, "eps": eps, "prediction": "x0", "kind": "mse", "output": torch.ones_like}
    _, plain = evaluate(rectified(), x0, **options)
    assert plain.tolist() == [1.0, 1.0, 1.0]
    _, snr = evaluate(rectified(), x0, weighting="snr", **options)
    assert snr.tolist() == pytest.approx([9.0, 1.0, 1 / 9])
    _, least = evaluate(rectified(), x0, weighting="min_snr", **options)
    assert least.tolist() == pytest.approx([5.0, 1.0, 1 / 9])
    _, given = evaluate(rectified(), x0, weighting="min_snr", gamma=0.5, **options)
    assert given.tolist() == pytest.approx([0.5, 0.5, 1 / 9])


@pytest.mark.parametrize(("kind", "expected"), [("mse", [4.0, 0.25]), ("mae", [2.0, 0.5]), ("huber", [1.5, 0.125])])
def test_a_scale_divides_output_and_target(kind, expected):
    """By the level: 1/2 at sigma 1/2 and 2 at sigma 1; a weighting takes its place."""
    x0, eps, t = torch.zeros(2, 3), torch.full((2, 3), 3.0), torch.tensor([[0.5], [1.0]])
    options = {"t": t, "eps": eps, "kind": kind, "output": lambda x: torch.full_like(x, 2.0)}
    _, found = evaluate(rectified(), x0, condition="sigma", scale=lambda level: 2 * level**2, **options)
    assert found.tolist() == pytest.approx(expected)
    weighed = [
        evaluate(rectified(), x0, condition="sigma", weighting="snr", **options, **more)[1]
        for more in ({}, {"scale": torch.ones_like})
    ]
    assert torch.equal(*weighed)


def test_a_scale_of_0_at_an_end_of_the_schedule_leaves_the_loss_finite():
    _, found = evaluate(
        rectified(), torch.zeros(2, 3), t=torch.zeros(2, 1), eps=torch.ones(2, 3), prediction="x0", scale=torch.zeros_like
    )
    assert found.tolist() == [0.0, 0.0]


def seeded():
    return torch.Generator().manual_seed(3)


def test_the_loss_is_the_mean_of_the_losses():
    x0 = torch.randn(5, 3, generator=seeded())
    options = {"kind": "huber", "prediction": "flow"}
    value = loss(lambda x, level: 0 * x, rectified(), x0, generator=seeded(), **options)
    _, each = evaluate(rectified(), x0, generator=seeded(), **options)
    assert (value.shape, value.item()) == ((), pytest.approx(each.mean().item()))


# --- random numbers


@pytest.mark.parametrize("times", ["uniform", "logit_normal", "stratified"])
@pytest.mark.parametrize("shape", [(6, 2, 2, 2), (6, 3)])
def test_times_then_noise_come_from_the_generator(shape, times):
    replay, x0 = seeded(), torch.ones(shape)
    t = sample_times(times, (6, *(1,) * (len(shape) - 1)), generator=replay)
    eps = torch.randn(shape, generator=replay)
    given, _ = evaluate(rectified(), x0, times=times, generator=seeded(), condition="time", output=torch.clone)
    torch.testing.assert_close(given["x"], (1 - t) * x0 + t * eps)
    torch.testing.assert_close(given["level"], t.flatten())


def test_each_sample_has_its_own_time():
    seen = []
    loss(lambda x, level: seen.append(level) or x, rectified(), torch.zeros(8, 1, 2, 2), prediction="flow")
    assert seen[0].unique().numel() == 8


def test_without_a_generator_random_numbers_follow_torch_s_seed():
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(evaluate(rectified(), torch.zeros(3, 4))[0]["x"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_without_a_generator_its_seed_is_one_of_two_to_the_62():
    torch.manual_seed(1)
    given, _ = evaluate(rectified(), torch.zeros(3, 4))
    torch.manual_seed(1)
    replay = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    t = torch.rand((3, 1), generator=replay)
    torch.testing.assert_close(given["x"], t * torch.randn((3, 4), generator=replay))


def test_without_a_generator_random_numbers_are_on_the_images_device():
    x0 = torch.zeros(3, 4, device="meta")
    for given in ({}, {"t": x0[:, :1]}, {"eps": x0}):
        with pytest.raises(RuntimeError, match="META device"):  # which has no numbers
            evaluate(rectified(), x0, **given)


def test_without_a_generator_random_numbers_are_the_same_under_any_default_device():
    x0, found = torch.zeros(3, 4), []
    for device in ("cpu", "meta"):
        torch.manual_seed(1)
        with torch.device(device):
            found.append(evaluate(rectified(), x0)[0]["x"])
    assert torch.equal(*found)


def test_the_noise_is_on_the_images_device():
    with torch.device("meta"):
        given, _ = evaluate(rectified(), torch.zeros(3, 4, device="cpu"), generator=seeded())
    assert given["x"].device.type == "cpu"


# --- condition


def test_with_condition_index_the_time_is_the_next_of_the_table():
    t, table = torch.tensor([[0.0], [0.1249], [0.125], [0.99]]), linear_betas(8, end=0.9)
    given, _ = evaluate(table, torch.zeros(4, 1), t=t, eps=torch.ones(4, 1), condition="index")
    assert (given["level"].tolist(), given["level"].dtype) == ([0, 0, 1, 7], torch.int64)
    expected = [table((index + 1) / 8).sigma for index in (0, 0, 1, 7)]
    assert given["x"].flatten().tolist() == pytest.approx(expected, rel=1e-6)


def test_with_condition_index_every_index_of_the_table_occurs():
    seen = []
    table = linear_betas()

    def model(x, level):
        seen.append(level)
        return x

    loss(model, table, torch.zeros(4000, 1), condition="index", generator=torch.Generator().manual_seed(0))
    assert seen[0].dtype == torch.int64
    assert (seen[0].min() >= 0, seen[0].max() <= 999, seen[0].unique().numel() > 950) == (True, True, True)


# --- types


def test_the_noise_level_has_the_images_type():
    for dtype in (torch.float64, torch.bfloat16):
        given, _ = evaluate(rectified(), torch.zeros(2, 3, dtype=dtype), generator=seeded())
        assert given["level"].dtype == given["x"].dtype == dtype


@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_the_error_of_a_float64_output_has_the_images_type(kind):
    _, found = evaluate(rectified(), torch.zeros(2, 3), generator=seeded(), kind=kind, output=torch.Tensor.double)
    assert found.dtype == torch.float32


def test_the_error_of_a_bfloat16_output_is_computed_in_the_images_type():
    x0, eps, t = torch.zeros(1, 1), torch.ones(1, 1), torch.full((1, 1), 0.5)
    for options in ({}, {"weighting": "snr"}):
        _, found = evaluate(
            rectified(), x0, t=t, eps=eps, output=lambda x: torch.full_like(x, 0.003, dtype=torch.bfloat16), **options
        )
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(1 - torch.tensor(0.003, dtype=torch.bfloat16).item(), rel=1e-6)


# --- refusals


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 3, 8, 1), (1, 3, 8, 8)])
def test_an_output_of_another_shape_is_refused_even_if_torch_could_broadcast_it(shape):
    with pytest.raises(
        ValueError, match=rf"^the network's output must have its input's shape, \(4, 3, 8, 8\); got {re.escape(str(shape))}$"
    ):
        losses(lambda x, level: torch.zeros(shape), offset_cosine(), torch.zeros(4, 3, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "l1"}, "^loss must be one of 'mae', 'mse', 'huber'; got 'l1'$"),
        ({"times": "never"}, "^times must be one of .*; got 'never'$"),
        ({"prediction": "noise"}, "^prediction must be one of .*; got 'noise'$"),
        ({"weighting": "heavy"}, "^.* must be one of .*; got 'heavy'$"),
    ],
)
def test_unknown_names_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(rectified(), torch.zeros(2, 3), **options)
