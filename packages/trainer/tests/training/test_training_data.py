"""The network's inputs from the random choices of a batch."""

import pytest
import torch
from diffkit_trainer import Images, Normalisation
from diffkit_trainer.options import Options
from diffkit_trainer.training.batch import RandomBatch, random_batch
from diffkit_trainer.training.training_data import TrainingData
from torch import nn


def test_images_are_flipped_from_left_to_right_and_labels_dropped_to_the_number_of_classes():
    pixels = torch.arange(2 * 2 * 3, dtype=torch.uint8).reshape(2, 1, 2, 3)
    images = Images(pixels, torch.tensor([1, 0]), ("a", "b"))
    data = TrainingData.of(images, Options(normalise="range"), torch.device("cpu"))
    batch = RandomBatch(
        torch.tensor([1, 0, 1]),
        torch.zeros(3, 1, 1, 1),
        torch.zeros(3, 1, 2, 3),
        torch.tensor([False, True, True]),
        torch.tensor([True, False, False]),
    )
    x0, _, labels = data.tensors(batch)
    seen = data.normalisation.to_pixels(x0).squeeze(1).tolist()
    assert seen == [[[6, 7, 8], [9, 10, 11]], [[2, 1, 0], [5, 4, 3]], [[8, 7, 6], [11, 10, 9]]]
    assert labels.tolist() == [2, 1, 0]
    unchanged, _, labels = data.tensors(batch._replace(flipped=None, dropped=None))
    assert data.normalisation.to_pixels(unchanged)[:, 0, 0].tolist() == [[6, 7, 8], [0, 1, 2], [6, 7, 8]]
    assert labels.tolist() == [0, 1, 0]


def test_conditions_go_with_their_samples_and_are_standardised_and_flipped_with_them():
    pixels = torch.arange(2 * 2 * 3, dtype=torch.uint8).reshape(2, 1, 2, 3)
    known = {"age": torch.tensor([[10.0], [30.0]]), "count": torch.tensor([1, 5]), "low": pixels.float() + 100}
    data = TrainingData.of(Images(pixels, conditions=known), Options(), torch.device("cpu"))
    batch = RandomBatch(
        torch.tensor([1, 0, 1]),
        torch.zeros(3, 1, 1, 1),
        torch.zeros(3, 1, 2, 3),
        torch.tensor([False, True, True]),
        None,
    )
    found = data.conditions_of(batch)
    assert found["age"].tolist() == [[1.0], [-1.0], [1.0]]
    assert found["count"].tolist() == [1.0, -1.0, 1.0]
    torch.testing.assert_close(found["low"], data.tensors(batch)[0])  # the same but for its mean and scale
    assert data.condition_normalisations["age"] == Normalisation((20.0,), (10.0,))


def test_a_given_normalisation_takes_the_place_of_that_of_the_images(make_trainer):
    given = Normalisation((0.25,), (0.5,))
    trainer = make_trainer(normalisation=given)
    batch = RandomBatch(torch.tensor([0]), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 8, 8), None, None)
    x0, _, _ = trainer._data.tensors(batch)
    assert torch.equal(x0, (trainer.images.pixels[:1].float() / 255 - 0.25) / 0.5)
    assert trainer.experiment["normalisation"] == {"mean": [0.25], "std": [0.5]}


class Labelled(nn.Module):
    """A network that ignores its labels and keeps them in `labels`."""

    def __init__(self, network):
        super().__init__()
        self.network, self.labels = network, []

    def forward(self, x, level, class_labels):
        self.labels.append(class_labels)
        return self.network(x, level)


def test_labels_are_those_of_the_images_and_a_fraction_is_dropped(make_trainer, train_to, tiny_network):
    trainer = make_trainer(network=lambda: Labelled(tiny_network()), batch_size=500, class_dropout=0.2)
    train_to(trainer, 4)
    labels = torch.cat(trainer.model.labels)
    true = torch.cat([trainer.images.labels[random_batch(trainer.batch_spec, step).indices] for step in range(4)])
    dropped = labels == 10
    assert torch.equal(labels[~dropped], true[~dropped])
    assert dropped.float().mean().item() == pytest.approx(0.2, abs=0.03)
    never = make_trainer(network=lambda: Labelled(tiny_network()), class_dropout=0.0)
    train_to(never, 1)
    assert never.model.labels[0].max() < 10
