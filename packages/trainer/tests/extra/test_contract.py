"""What a trainer refuses at once: options that there are not, and networks that it could not train, save or sample from."""

import pytest
import torch
from diffkit_schedules import linear_betas, offset_cosine
from diffkit_trainer import Images, Trainer, losses, open_images
from diffkit_unet import UNet
from tiny_trainer import Tiny, run_to, trainer
from torch import nn


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("learning_rate", r"a trainer has no option 'learning_rate': the options are .*\blr\b"),
        ("batchsize", "no option 'batchsize': did you mean 'batch_size'?"),
        ("weigth_decay", "did you mean 'weight_decay'?"),
        ("normalize", "did you mean 'normalise'?"),
    ],
)
def test_an_option_that_there_is_not_is_refused_with_the_nearest_one(name, said):
    with pytest.raises(TypeError, match=said) as caught:
        trainer(**{name: 9.0})
    assert "\n" not in str(caught.value)


def conditioned(**options):
    return UNet(1, (4,), 1, 4, **options)


DIGITS = open_images("digits")
UNLABELLED = Images(DIGITS.pixels)


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
def test_a_network_that_was_made_for_something_else_is_refused(network, options, message):
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
def test_a_network_that_was_made_for_it_trains(network, options):
    schedule = linear_betas(T=10, start=0.05, end=0.5) if "condition" in network else offset_cosine()
    it = Trainer(conditioned(**network), DIGITS, schedule, batch_size=4, **options)
    assert len(run_to(it, 2)) == 2


class Extra(Tiny):
    def get_extra_state(self):
        return {"calls": 0}

    def set_extra_state(self, state):
        pass


def with_buffer(value):
    def network():
        made = Tiny()
        made.register_buffer("odd", value)
        return made

    return network


def with_parameter(value):
    def network():
        made = Tiny()
        made.odd = nn.Parameter(value)
        return made

    return network


class Lazy(Tiny):
    def __init__(self):
        super().__init__()
        self.out = nn.LazyConv2d(1, 3, padding=1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: Tiny().requires_grad_(False), "no parameter to train: requires_grad is false for all"),
        (
            with_parameter(torch.zeros(2, dtype=torch.complex64)),
            "'odd' must be of floating-point numbers .*, got torch.complex64",
        ),
        (
            with_buffer(torch.zeros(2, dtype=torch.complex64)),
            "'odd' must be of a type that a checkpoint holds, .*torch.complex64",
        ),
        (with_buffer(torch.zeros((1,) * 9)), "'odd' must be of a type .* of 8 axes at most; got torch.float32 of 9"),
        (Extra, "'_extra_state' must be a tensor for a checkpoint to hold it, got dict"),
        (Lazy, "the network has lazy parameters without a shape: call it once before"),
        (lambda: nn.Sequential(Tiny(), *(nn.Linear(1, 1) for _ in range(3400))), "have 20418 tensors, .* at most 20000"),
    ],
    ids=["frozen", "complex parameter", "complex buffer", "axes", "no tensor", "lazy", "many"],
)
def test_a_network_that_no_checkpoint_could_hold_is_refused_before_the_first_step(network, message):
    with pytest.raises(ValueError, match=message) as caught:
        trainer(network=network)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 3, 8, 1), (1, 3, 8, 8)])
def test_an_answer_of_another_shape_is_refused_although_torch_would_stretch_it(shape):
    with pytest.raises(ValueError, match=rf"must have its input's shape, \(4, 3, 8, 8\); got \({shape[0]}, {shape[1]}, "):
        losses(lambda x, level: torch.zeros(shape), offset_cosine(), torch.zeros(4, 3, 8, 8))
