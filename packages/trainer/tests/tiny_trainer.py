"""A trainer small enough for a hundred runs, and what two of them have to agree on."""

import torch
from diffkit_schedules import offset_cosine
from diffkit_trainer import Trainer, open_images
from torch import nn

CONFIG = {"network": "tiny", "note": "ü"}


class Tiny(nn.Module):
    """A convolutional network with batch norm that is told the noise level, enough to learn something."""

    def __init__(self, norm=True, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.into = nn.Conv2d(2, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.out = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x, level):
        level = level.reshape(-1, 1, 1, 1).expand(x.shape)
        return self.out(self.dropout(torch.relu(self.norm(self.into(torch.cat([x, level], dim=1))))))


def trainer(seed=0, network=Tiny, **options):
    torch.manual_seed(seed)
    settings = {"batch_size": 16, "lr": 1e-3, "flip": True, "seed": seed} | options
    return Trainer(network(), open_images("digits"), offset_cosine(), **settings)


def run_to(it, steps):
    return [step.loss.item() for step in it.run(steps)]


def everything(it):
    numbers, optimizer = it.state()
    return numbers, {
        **{f"model.{name}": value.clone() for name, value in it.model.state_dict().items()},
        **{f"ema.{name}": value.clone() for name, value in it.ema.model.state_dict().items()},
        **{f"optimizer.{name}": value.clone() for name, value in optimizer.items()},
    }


def same(one, other):
    assert one[0] == other[0], (one[0], other[0])
    assert one[1].keys() == other[1].keys()
    different = [name for name in one[1] if not torch.equal(one[1][name], other[1][name])]
    assert different == [], different
