"""The hash of a network's weights."""

import torch
from diffkit_trainer import weights_hash


def test_the_hash_depends_on_names_shapes_types_and_values():
    weights = {"a": torch.ones(2, 3), "b": torch.zeros(1)}
    others = [
        {"a": torch.ones(3, 2), "b": torch.zeros(1)},
        {"a": torch.ones(2, 3), "c": torch.zeros(1)},
        {"a": torch.ones(2, 3), "b": torch.zeros(1).double()},
        {"a": torch.ones(2, 3), "b": torch.ones(1)},
    ]
    assert weights_hash(dict(reversed(weights.items()))) == weights_hash(weights)
    assert len({weights_hash(each) for each in (weights, *others)}) == 5
