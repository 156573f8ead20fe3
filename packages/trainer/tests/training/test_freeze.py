"""Parameters that are not trained."""

import pytest
import torch
from diffkit_trainer import resume, save
from torch import nn


def changed(trainer, before):
    """The names of the parameters that differ from those before, in the network or in its average."""
    networks = (trainer.model, trainer.ema.model)
    return {name for network in networks for name, each in network.named_parameters() if not torch.equal(each, before[name])}


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        (("into.*",), {"norm.weight", "norm.bias", "out.weight", "out.bias"}),
        (("*.bias", "into.weight", "norm.*"), {"out.weight"}),
        (("[!o]*",), {"out.weight", "out.bias"}),
        ((), {"into.weight", "into.bias", "norm.weight", "norm.bias", "out.weight", "out.bias"}),
    ],
)
@pytest.mark.parametrize("options", [{}, {"optimiser": "muon", "weight_decay": 0.5, "precision": "bf16"}], ids=["adamw", "muon"])
def test_frozen_parameters_and_their_average_keep_their_values_to_the_bit(make_trainer, train_to, freeze, trained, options):
    trainer = make_trainer(freeze=freeze, lr=0.1, ema=0.9, **options)
    before = {name: each.detach().clone() for name, each in trainer.model.named_parameters()}
    train_to(trainer, 3)
    assert changed(trainer, before) == trained


def test_muon_trains_matrices_alone(make_trainer, train_to):
    class Convolutions(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*(nn.Conv2d(1, 1, 1, bias=False) for _ in range(3)))

        def forward(self, x, level):
            return self.layers(x)

    trainer = make_trainer(network=Convolutions, freeze=("layers.0.*", "layers.2.*"), optimiser="muon")
    before = {name: each.detach().clone() for name, each in trainer.model.named_parameters()}
    train_to(trainer, 1)
    assert changed(trainer, before) == {"layers.1.weight"}


def test_a_resumed_trainer_is_the_one_that_never_stopped(tmp_path, config, make_trainer, train_to, state_of, assert_same_state):
    straight, half, resumed = (make_trainer(freeze=("into.*",)) for _ in range(3))
    train_to(straight, 5)
    train_to(half, 2)
    save(tmp_path, half, config)
    assert resume(tmp_path, resumed) == []
    train_to(resumed, 5)
    assert_same_state(state_of(resumed), state_of(straight))
    with pytest.raises(ValueError, match="freeze"):
        resume(tmp_path, make_trainer())


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("into.*", "ot.weight", "x.*"), r"^freeze: no parameter has a name like 'ot.weight', 'x.\*': did you mean 'out.weight'"),
        (("*",), r"^freeze: '\*' leaves no parameter to train$"),
    ],
)
def test_patterns_that_match_nothing_or_everything_are_refused(make_trainer, patterns, message):
    with pytest.raises(ValueError, match=message) as found:
        make_trainer(freeze=patterns)
    assert "\n" not in str(found.value)
