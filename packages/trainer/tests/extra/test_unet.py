"""A U-Net and a trainer agree on classes and condition."""

import pytest
import torch
from diffkit_schedules import linear_betas, offset_cosine
from diffkit_trainer import Trainer, open_images, resume, save
from diffkit_trainer.training.optimisation.muon import matrices_of
from diffkit_unet import LinearPreconditioner, UNet, gaussian_statistics, preset


def conditioned(**options):
    return UNet(1, (4,), 1, 4, **options)


DIGITS = open_images("digits")


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ({"num_classes": 100}, {"class_dropout": 0.1}, "the network's num_classes must be that of the images, 10; got 100"),
        ({"num_classes": 5}, {"class_dropout": 0.1}, "must be that of the images, 10; got 5"),
        ({}, {"class_dropout": 0.1}, "class_dropout needs a network with classes: build it with num_classes=10"),
        ({"num_classes": 10}, {}, "the network has num_classes 10 and would be given no labels: give class_dropout"),
        (
            {"num_classes": 10, "null_class": False},
            {"class_dropout": 0.1},
            'must be 0 for a network without a "no class", got 0.1',
        ),
        ({"condition": "index"}, {}, "condition must be the network's own, 'index'; got 'variance'"),
        ({}, {"condition": "time"}, "condition must be the network's own, 'variance'; got 'time'"),
    ],
)
def test_a_network_of_other_classes_or_condition_is_refused(network, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Trainer(conditioned(**network), DIGITS, offset_cosine(), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ({"num_classes": 10}, {"class_dropout": 0.1}),
        ({"num_classes": 10, "null_class": False}, {"class_dropout": 0.0}),
        ({"condition": "index"}, {"condition": "index"}),
        ({}, {}),
    ],
)
def test_a_network_of_the_same_classes_and_condition_trains(network, options, train_to):
    schedule = linear_betas(T=10, start=0.05, end=0.5) if "condition" in network else offset_cosine()
    trainer = Trainer(conditioned(**network), DIGITS, schedule, batch_size=4, **options)
    assert len(train_to(trainer, 2)) == 2


def test_resume_compares_the_config_of_the_network(tmp_path, config):
    """The weights would fit."""

    def trainer(dropout):
        return Trainer(UNet(1, (4,), 1, 4, dropout=dropout), DIGITS, offset_cosine(), batch_size=4)

    save(tmp_path, trainer(0.0), config)
    with pytest.raises(ValueError, match=r"network.dropout is 0.1 here and was 0.0"):
        resume(tmp_path, trainer(0.1))
    assert resume(tmp_path, trainer(0.0)) == []


def test_muon_is_for_the_weights_between_the_first_and_the_last_convolution():
    network = preset("images-32", widths=(8, 16), num_classes=3, in_channels=2, out_channels=1, head_channels=8)
    model = LinearPreconditioner(network, *gaussian_statistics([torch.randn(9, 1, 8, 8)]))
    found = set(matrices_of(model))
    left_out = {name for name, weight in model.named_parameters() if weight not in found and weight.ndim > 1}
    assert left_out == {"network.image.weight", "network.out.weight", "network.classes.weight"}
    assert all(weight.ndim > 1 for weight in found)
