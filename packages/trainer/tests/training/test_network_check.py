"""The check of a network of one's own: one line for each thing that it does not do."""

import pytest
import torch
from diffkit_schedules import cosine, offset_cosine
from diffkit_trainer import Images, check_network
from diffkit_trainer.options import Options
from torch import nn

DATA = Images(torch.randn(4, 2, 8), conditions={"age": torch.arange(4.0)})


class Right(nn.Module):
    """A convolution and a weight times the age."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2)

    def forward(self, x, condition, class_labels=None, *, age):
        return self.norm(self.layer(x) + self.layer.weight.sum() * age.nan_to_num().reshape(-1, 1, 1))


def changed(forward):
    return type("Changed", (Right,), {"forward": forward})()


def test_a_network_that_does_all_passes_and_stays_as_it_was():
    network = Right()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_network(network, DATA, cosine(), Options(class_dropout=0.1))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda x, condition: x, r"the network must be a torch\.nn\.Module, got function"),
        (changed(lambda self, x, condition: x), r"must be callable as network\(x, condition, age=\): got an unexpected keyword"),
        (changed(lambda self, x, condition, age: [x]), "the network's output must be a tensor, got list"),
        (changed(lambda self, x, condition, age: x[:, :1]), r"must have the shape of x, \(2, 2, 8\), and .* got \(2, 1, 8\)"),
        (changed(lambda self, x, condition, age: x.long()), "and be floating-point; got .* of torch.int64"),
        (changed(lambda self, x, condition, age: x + self.lost), r"failed as network\(x, condition, age=\): AttributeError: "),
        (changed(lambda self, x, condition, age: x / 0), "output, or its gradient, is not finite for an input of zeros"),
        (changed(lambda self, x, condition, age: x + age[:, None, None]), r"is NaN where age is missing \(NaN\): replace NaN"),
        (
            changed(lambda self, x, condition, age: x + (self.layer.weight.sum() * age).nan_to_num()[:, None, None]),
            r"gradient, is NaN where age is missing \(NaN\): replace NaN before the first layer, or set class_dropout to 0",
        ),
    ],
)
def test_what_is_missing_is_one_line(network, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_network(network, DATA, cosine(), Options(class_dropout=0.1))
    assert "\n" not in str(caught.value)


def test_the_noise_levels_of_both_ends_are_tried():
    def wave(*bounds):
        return changed(lambda self, x, level, age: x + self.layer.weight.sum() * level.clamp(*bounds).sin()[:, None, None])

    options = Options(condition="log_snr")
    check_network(wave(-20, 20), DATA, cosine(), options)
    check_network(wave(None, torch.inf), DATA, offset_cosine(), options)
    for bounds, level in (((-20, None), "inf"), ((None, 20), "-inf")):
        with pytest.raises(ValueError, match=f"is not finite for log_snr {level}, at an end of the schedule: bound it before"):
            check_network(wave(*bounds), DATA, cosine(), options)


def test_an_index_is_one_of_the_table():
    indices = []
    look_up = changed(lambda self, x, condition, age: (indices.append(condition.tolist()), self.layer(x))[1])
    check_network(look_up, DATA, cosine(), Options(condition="index"))
    assert indices == [[499, 499], [0, 0], [999, 999]]
