"""What a trainer refuses before the first step: options, and networks that no checkpoint holds."""

import pytest
import torch
from diffkit_schedules import Rates, cosine, rectified
from diffkit_trainer import Trainer, open_images
from torch import nn


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer from 1 to 65536, got 0"),
        ({"lr": 0.0}, "lr must be a number above 0, .*, got 0.0"),
        ({"loss": "l1"}, "loss must be one of mae, mse, huber, got 'l1'"),
        ({"prediction": "noise"}, "prediction must be one of"),
        ({"condition": "level"}, "condition must be one of"),
        ({"ema": 1.5}, r"ema must be a number in \[0, 1\), or several of them, got 1.5"),
        ({"lr_schedule": "cosine"}, "lr_schedule 'cosine' needs decay_steps >= 1"),
        ({"decay_steps": 9}, "decay_steps is for an lr_schedule that falls, got 9 with 'constant'"),
        ({"compile": True, "shard": True}, "compile and shard cannot be combined"),
        ({"optimiser": "muon", "shard": True}, "optimiser 'muon' and shard cannot be combined: Muon needs each matrix"),
        ({"optimiser": "sgd"}, "optimiser must be one of adamw, muon, got 'sgd'"),
    ],
)
def test_invalid_and_contradictory_options_are_refused(options, message, make_trainer):
    with pytest.raises(ValueError, match=message):
        make_trainer(**options)


@pytest.mark.parametrize("schedule", [cosine(), rectified()], ids=["cosine", "rectified"])
def test_a_prediction_that_cannot_be_sampled_is_refused(schedule, tiny_network):
    with pytest.raises(ValueError, match="'eps' is undefined at alpha = 0"):
        Trainer(tiny_network(), open_images("digits"), schedule)
    Trainer(tiny_network(), open_images("digits"), schedule, prediction="v")


class ExtraState(nn.Conv2d):
    """A convolution with state that is not a tensor."""

    def get_extra_state(self):
        return {"calls": 0}

    def set_extra_state(self, state):
        pass


def convolution(parameter=None, buffer=None):
    network = nn.Conv2d(1, 1, 1)
    if parameter is not None:
        network.odd = nn.Parameter(parameter)
    if buffer is not None:
        network.register_buffer("odd", buffer)
    return network


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: convolution().requires_grad_(False), "no parameter to train: requires_grad is false for all"),
        (
            lambda: convolution(parameter=torch.zeros(2, dtype=torch.complex64)),
            "'odd' must be of floating-point numbers .*, got torch.complex64",
        ),
        (
            lambda: convolution(buffer=torch.zeros(2, dtype=torch.complex64)),
            "'odd' must be of a type that a checkpoint holds, .*torch.complex64",
        ),
        (
            lambda: convolution(buffer=torch.zeros((1,) * 9)),
            "'odd' must be of a type .* of 8 axes at most; got torch.float32 of 9",
        ),
        (lambda: ExtraState(1, 1, 1), "'_extra_state' must be a tensor for a checkpoint to hold it, got dict"),
        (lambda: nn.LazyConv2d(1, 1), "the network has lazy parameters without a shape: call it once before"),
        (lambda: nn.Sequential(*(nn.Linear(1, 1) for _ in range(3400))), "have 20400 tensors, .* at most 20000"),
    ],
    ids=["frozen", "complex parameter", "complex buffer", "axes", "no tensor", "lazy", "many"],
)
def test_a_network_that_no_checkpoint_holds_is_refused(network, message, make_trainer):
    with pytest.raises(ValueError, match=message) as caught:
        make_trainer(network=network)
    assert "\n" not in str(caught.value)


@pytest.fixture
def scaled_network(tiny_network):
    """A network for eps on a variance-preserving schedule, whose errors are a tenth."""
    members = {"prediction": "eps", "path": "vp", "output_scale": lambda network, level: torch.full_like(level, 0.1)}
    return type("Scaled", (tiny_network,), members)


def test_errors_are_divided_by_the_networks_output_scale(tiny_network, scaled_network, make_trainer, train_to):
    plain, scaled = (make_trainer(network=network, loss="mse", lr=1e-12) for network in (tiny_network, scaled_network))
    assert train_to(scaled, 2) == pytest.approx([100 * each for each in train_to(plain, 2)], rel=1e-5)


def test_a_network_made_for_another_prediction_or_path_is_refused(scaled_network, make_trainer):
    with pytest.raises(ValueError, match=r"^prediction must be the network's own, 'eps'; got 'v'$"):
        make_trainer(network=scaled_network, prediction="v")
    with pytest.raises(ValueError, match=r"^path must be the network's own, 'vp'; got None$"):
        Trainer(scaled_network(), open_images("digits"), lambda t: Rates(1 - 0.9 * t, t), prediction="eps")
