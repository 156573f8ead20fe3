"""Conditions of samples: what the network is called with, whatever the split; dropout, resuming, refusals."""

import pytest
import torch
from diffkit_schedules import offset_cosine
from diffkit_trainer import Images, Normalisation, Trainer, resume, save
from diffkit_trainer.training.batch import random_batch
from torch import nn


def volumes(count=20):
    values = torch.Generator().manual_seed(0)
    pixels = torch.randn(count, 1, 2, 3, 2, generator=values)
    numbers = torch.arange(count, dtype=torch.float32)
    return Images(pixels, conditions={"number": numbers, "pose": torch.stack([numbers, -numbers], 1), "low": pixels + 5})


class Conditional(nn.Module):
    """A linear network of x and its conditions, which keeps those; a missing one is 0."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(4))
        self.seen = []

    def forward(self, x, condition, class_labels=None, *, number, pose, low):
        self.seen.append({"number": number, "pose": pose, "low": low, "labels": class_labels})
        shape = (-1, *(1,) * (x.ndim - 1))
        number, pose, low = (each.nan_to_num() for each in (number, pose, low))  # before any weight: or its gradient would be NaN
        of_sample = (self.weights[1] * number + self.weights[2] * pose[:, 0]).reshape(shape)
        return self.weights[0] * x + of_sample + self.weights[3] * low


def trainer_of(images=None, network=None, **options):
    options = {"batch_size": 6, "lr": 0.05, "flip": True, "class_dropout": 0.3} | options
    return Trainer(network or Conditional(), images or volumes(), offset_cosine(), **options)


def seen(trainer, name, steps=1):
    trainer.model.seen.clear()
    for _ in trainer.run(steps):
        pass
    return torch.cat([each[name] for each in trainer.model.seen])


def test_the_network_is_called_with_the_conditions_of_its_samples_and_dropped_ones_are_nan_together():
    trainer = trainer_of()
    number = seen(trainer, "number", steps=10)
    batches = [random_batch(trainer.batch_spec, step) for step in range(10)]
    dropped = torch.cat([batch.dropped for batch in batches])
    mean, std = trainer.condition_normalisations["number"]
    expected = (torch.cat([batch.indices for batch in batches]) - mean[0]) / std[0]
    assert 0.15 < dropped.float().mean() < 0.45
    torch.testing.assert_close(number, expected.masked_fill(dropped, torch.nan), equal_nan=True)
    for name in ("pose", "low"):
        values = torch.cat([each[name] for each in trainer.model.seen])
        assert torch.equal(values.isnan().flatten(1).any(1), dropped)
        assert torch.equal(values.isnan().flatten(1).all(1), dropped)
    assert trainer.model.seen[0]["labels"] is None


def test_without_dropout_no_condition_is_missing():
    for none in (None, 0.0):
        assert seen(trainer_of(class_dropout=none), "low", steps=3).isfinite().all()


def test_parts_of_a_batch_have_the_conditions_of_the_batch():
    one, parts = (seen(trainer_of(accumulate=count), "low", steps=2) for count in (1, 4))
    torch.testing.assert_close(parts, one, equal_nan=True, rtol=0, atol=0)


def test_a_resumed_trainer_is_the_one_that_never_stopped(tmp_path, config, train_to, state_of, assert_same_state):
    whole, half, resumed = (trainer_of() for _ in range(3))
    train_to(whole, 9)
    train_to(half, 4)
    save(tmp_path, half, config)
    assert resume(tmp_path, resumed) == []
    train_to(resumed, 9)
    assert resumed.model.weights.all()
    assert_same_state(state_of(resumed), state_of(whole))


def test_conditions_may_have_the_names_of_options_and_not_those_of_arguments_of_the_network():
    class Kwargs(Conditional):
        def forward(self, x, condition, **given):  # type: ignore[override]
            return super().forward(x, condition, number=given["kind"], pose=given["eps"], low=given["network"])

    images = volumes()
    renamed = dict(zip(("kind", "eps", "network"), images.conditions.values(), strict=True))
    one, other = trainer_of(), trainer_of(Images(images.pixels, conditions=renamed), Kwargs())
    assert [step.loss for step in one.run(3)] == [step.loss for step in other.run(3)]
    for name in ("x", "condition", "class_labels", "self"):
        with pytest.raises(ValueError, match=f"^a condition cannot be called '{name}', as another argument of the network is"):
            Images(images.pixels, conditions={name: images.pixels})


def test_given_normalisations_take_the_place_of_those_of_the_conditions():
    given = {name: Normalisation((0.0,), (1.0,)) for name in ("number", "pose", "low")}
    trainer = trainer_of(condition_normalisations=given, class_dropout=None)
    assert seen(trainer, "number").tolist() == random_batch(trainer.batch_spec, 0).indices.tolist()


class Unconditional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv3d(1, 1, 1)

    def forward(self, x, condition):
        return self.layer(x)


class Declaring(Conditional):
    """With the sizes of its vectors and maps as attributes."""

    def __init__(self):
        super().__init__()
        self.vectors, self.maps = {"number": 1, "pose": 3}, {"low": 1}


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Unconditional,
            r"the network must be callable as network\(x, condition, number=, pose=, low=\): got an unexpected keyword",
        ),
        (Declaring, r"the network's vectors must be those of the images, {'number': 1, 'pose': 2}; got {'number': 1, 'pose': 3}"),
    ],
)
def test_a_network_that_does_not_take_the_conditions_is_refused(network, message):
    with pytest.raises(ValueError, match=message) as caught:
        trainer_of(network=network())
    assert "\n" not in str(caught.value)
