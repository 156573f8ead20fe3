"""The loss with every draw given or replayed: what the network is shown, what it is told, and how an error is weighed."""

import pytest
import torch
from diffkit_schedules import linear_betas, rectified
from diffkit_trainer import loss, losses
from diffkit_trainer.training.timesteps import sample_times


def seeded():
    return torch.Generator().manual_seed(3)


def shown(*arguments, answer=torch.zeros_like, **options):
    """What the network is given, and the losses."""
    given = {}

    def model(x, level, **more):
        given.update(x=x, level=level, **more)
        return answer(x)

    return given, losses(model, *arguments, **options)


def test_draws_that_are_given_are_taken():
    x0, eps, t = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [4.0, -4.0]]), torch.tensor([[0.25], [0.5]])
    given, found = shown(rectified(), x0, t=t, eps=eps, prediction="x0", kind="mse", label="seven")
    assert given["x"].tolist() == [[0.75, 2.0], [3.5, 0.0]]
    assert given["level"].tolist() == [0.0625, 0.25]
    assert given["label"] == "seven"
    assert found.tolist() == [2.5, 12.5]


def test_without_options_it_is_the_mean_absolute_error_of_eps():
    x0, eps, t = torch.zeros(2, 2), torch.tensor([[1.0, -2.0], [3.0, 0.5]]), torch.full((2, 1), 0.5)
    given, found = shown(rectified(), x0, t=t, eps=eps)
    assert found.tolist() == [1.5, 1.75]
    assert given["level"].tolist() == [0.25, 0.25]


@pytest.mark.parametrize("times", ["uniform", "logit_normal", "stratified"])
@pytest.mark.parametrize("shape", [(6, 2, 2, 2), (6, 3)])
def test_draws_that_are_not_given_come_from_the_generator(shape, times):
    replay, x0 = seeded(), torch.ones(shape)
    t = sample_times(times, (6, *(1,) * (len(shape) - 1)), generator=replay)
    eps = torch.randn(shape, generator=replay)
    given, _ = shown(rectified(), x0, times=times, generator=seeded(), condition="time", answer=torch.clone)
    torch.testing.assert_close(given["x"], (1 - t) * x0 + t * eps)
    torch.testing.assert_close(given["level"], t.flatten())


def test_without_a_generator_the_draws_follow_torch_s_seed():
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(shown(rectified(), torch.zeros(3, 4))[0]["x"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_without_a_generator_its_seed_is_one_of_two_to_the_62():
    torch.manual_seed(1)
    given, _ = shown(rectified(), torch.zeros(3, 4))
    torch.manual_seed(1)
    replay = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    t = torch.rand((3, 1), generator=replay)
    torch.testing.assert_close(given["x"], t * torch.randn((3, 4), generator=replay))


def test_the_noise_is_on_the_images_device():
    with torch.device("meta"):
        given, _ = shown(rectified(), torch.zeros(3, 4, device="cpu"), generator=seeded())
    assert given["x"].device.type == "cpu"


def test_without_a_generator_the_draws_are_on_the_images_device():
    x0 = torch.zeros(3, 4, device="meta")
    for given in ({}, {"t": x0[:, :1]}, {"eps": x0}):
        with pytest.raises(RuntimeError, match="META device"):  # which has no numbers
            shown(rectified(), x0, **given)


def test_without_a_generator_the_draws_are_the_same_under_any_default_device():
    x0, found = torch.zeros(3, 4), []
    for device in ("cpu", "meta"):
        torch.manual_seed(1)
        with torch.device(device):
            found.append(shown(rectified(), x0)[0]["x"])
    assert torch.equal(*found)


@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_the_error_of_a_wide_answer_is_taken_in_the_images_type(kind):
    _, found = shown(rectified(), torch.zeros(2, 3), generator=seeded(), kind=kind, answer=torch.Tensor.double)
    assert found.dtype == torch.float32


def test_with_an_index_the_time_is_the_table_s_next_one():
    t, table = torch.tensor([[0.0], [0.1249], [0.125], [0.99]]), linear_betas(8, end=0.9)
    given, _ = shown(table, torch.zeros(4, 1), t=t, eps=torch.ones(4, 1), condition="index")
    assert (given["level"].tolist(), given["level"].dtype) == ([0, 0, 1, 7], torch.int64)
    expected = [table((index + 1) / 8).sigma for index in (0, 0, 1, 7)]
    assert given["x"].flatten().tolist() == pytest.approx(expected, rel=1e-6)


def test_the_level_is_of_the_images_type():
    for dtype in (torch.float64, torch.bfloat16):
        given, _ = shown(rectified(), torch.zeros(2, 3, dtype=dtype), generator=seeded())
        assert given["level"].dtype == given["x"].dtype == dtype


def test_the_error_of_a_narrow_answer_is_taken_in_the_images_type():
    x0, eps, t = torch.zeros(1, 1), torch.ones(1, 1), torch.full((1, 1), 0.5)
    for options in ({}, {"weighting": "snr"}):
        _, found = shown(
            rectified(), x0, t=t, eps=eps, answer=lambda x: torch.full_like(x, 0.003, dtype=torch.bfloat16), **options
        )
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(1 - torch.tensor(0.003, dtype=torch.bfloat16).item(), rel=1e-6)


def test_a_weight_multiplies_each_sample_s_error():
    x0, eps, t = torch.zeros(3, 2), torch.ones(3, 2), torch.tensor([[0.25], [0.5], [0.75]])
    options = {"t": t, "eps": eps, "prediction": "x0", "kind": "mse", "answer": torch.ones_like}
    _, plain = shown(rectified(), x0, **options)
    assert plain.tolist() == [1.0, 1.0, 1.0]
    _, snr = shown(rectified(), x0, weighting="snr", **options)
    assert snr.tolist() == pytest.approx([9.0, 1.0, 1 / 9])
    _, least = shown(rectified(), x0, weighting="min_snr", **options)
    assert least.tolist() == pytest.approx([5.0, 1.0, 1 / 9])
    _, given = shown(rectified(), x0, weighting="min_snr", gamma=0.5, **options)
    assert given.tolist() == pytest.approx([0.5, 0.5, 1 / 9])


@pytest.mark.parametrize(("kind", "expected"), [("mse", [4.0, 0.25]), ("mae", [2.0, 0.5]), ("huber", [1.5, 0.125])])
def test_a_scale_divides_output_and_target(kind, expected):
    """By the level: 1/2 at sigma 1/2 and 2 at sigma 1; a weighting takes its place."""
    x0, eps, t = torch.zeros(2, 3), torch.full((2, 3), 3.0), torch.tensor([[0.5], [1.0]])
    options = {"t": t, "eps": eps, "kind": kind, "answer": lambda x: torch.full_like(x, 2.0)}
    _, found = shown(rectified(), x0, condition="sigma", scale=lambda level: 2 * level**2, **options)
    assert found.tolist() == pytest.approx(expected)
    weighed = [
        shown(rectified(), x0, condition="sigma", weighting="snr", **options, **more)[1]
        for more in ({}, {"scale": torch.ones_like})
    ]
    assert torch.equal(*weighed)


def test_a_scale_of_0_at_an_end_of_the_schedule_leaves_the_loss_finite():
    _, found = shown(
        rectified(), torch.zeros(2, 3), t=torch.zeros(2, 1), eps=torch.ones(2, 3), prediction="x0", scale=torch.zeros_like
    )
    assert found.tolist() == [0.0, 0.0]


def test_the_loss_is_the_mean_of_the_losses():
    x0 = torch.randn(5, 3, generator=seeded())
    options = {"kind": "huber", "prediction": "flow"}
    value = loss(lambda x, level: 0 * x, rectified(), x0, generator=seeded(), **options)
    _, each = shown(rectified(), x0, generator=seeded(), **options)
    assert (value.shape, value.item()) == ((), pytest.approx(each.mean().item()))


def test_an_answer_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"^the network's output must have its input's shape, \(2, 3\); got \(2, 1\)$"):
        shown(rectified(), torch.zeros(2, 3), answer=lambda x: x[:, :1])


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
        shown(rectified(), torch.zeros(2, 3), **options)
