"""A trainer small enough for a hundred runs, and the comparison of two of them.

Scripts that a test starts as a process import `CONFIG`, the networks, `make_trainer`, `make_sequence_trainer` and `train_to`.
"""

import os
from pathlib import Path

import pytest
import torch
from diffkit_schedules import offset_cosine
from diffkit_trainer import Images, Trainer, open_images, write_config
from torch import nn
from torch.nn import functional

collect_ignore = ["train_in_process.py"]  # a script, started by torchrun

CONFIG = {"network": "tiny", "note": "ü"}


class TinyNetwork(nn.Module):
    """A convolutional network with batch norm and the noise level as a second channel: enough to learn something."""

    def __init__(self, norm=True, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.into = nn.Conv2d(2, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.out = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x, level, class_labels=None):
        level = level.reshape(-1, 1, 1, 1).expand(x.shape)
        return self.out(self.dropout(torch.relu(self.norm(self.into(torch.cat([x, level], dim=1))))))


class SequenceNetwork(nn.Module):
    """A convolution of a sequence, its noise level, a vector and a map; missing values are 0."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(5, 8, 3, padding=1), nn.SiLU(), nn.Conv1d(8, 1, 3, padding=1))

    def forward(self, x, level, class_labels=None, *, pose, low):
        of_sample = torch.cat([level[:, None], pose.nan_to_num()], 1)[..., None].expand(-1, -1, x.shape[2])
        return self.layers(torch.cat([x, of_sample, functional.interpolate(low.nan_to_num(), x.shape[2:])], 1))


def make_sequence_trainer(**options):
    """A trainer of a `SequenceNetwork` on 40 sequences (1, 12) with a vector of two numbers and a map (1, 6) each."""
    torch.manual_seed(0)
    values = torch.randn(40, 1, 12).cumsum(2)
    images = Images(values, conditions={"pose": values[:, 0, ::6], "low": values[:, :, ::2]})
    settings = {"batch_size": 16, "lr": 1e-2, "flip": True, "class_dropout": 0.3} | options
    return Trainer(SequenceNetwork(), images, offset_cosine(), **settings)


def make_trainer(seed=0, network=TinyNetwork, **options):
    """A trainer of network() on the digits."""
    torch.manual_seed(seed)
    settings = {"batch_size": 16, "lr": 1e-3, "flip": True, "seed": seed} | options
    return Trainer(network(), open_images("digits"), offset_cosine(), **settings)


def train_to(trainer, steps):
    """The losses of the updates until `steps` were made."""
    return [step.loss.item() for step in trainer.run(steps)]


def state_of(trainer):
    """A copy of everything that a checkpoint holds: numbers, and tensors by name."""
    numbers, moments = trainer.state()
    return numbers, {
        **{f"model.{name}": value.clone() for name, value in trainer.model.state_dict().items()},
        **{f"ema.{name}": value.clone() for name, value in trainer.ema.model.state_dict().items()},
        **{f"optimizer.{name}": value.clone() for name, value in moments.items()},
    }


def assert_same_state(one, other):
    """Compare two results of `state_of` bit for bit."""
    assert one[0] == other[0], (one[0], other[0])
    assert one[1].keys() == other[1].keys()
    different = [name for name in one[1] if not torch.equal(one[1][name], other[1][name])]
    assert different == [], different


def _fixture(value, name):
    """The function or class itself as a fixture."""
    return pytest.fixture(scope="session", name=name)(lambda: value)


config = _fixture(CONFIG, "config")
tiny_network = _fixture(TinyNetwork, "tiny_network")
_make_trainer = _fixture(make_trainer, "make_trainer")
_make_sequence_trainer = _fixture(make_sequence_trainer, "make_sequence_trainer")
_train_to = _fixture(train_to, "train_to")
_state_of = _fixture(state_of, "state_of")
_assert_same_state = _fixture(assert_same_state, "assert_same_state")


@pytest.fixture
def run(tmp_path):
    """A run folder with a config and nothing else."""
    write_config(tmp_path / "run", CONFIG)
    return tmp_path / "run"


@pytest.fixture(scope="session")
def script_environment():
    """A function to the environment of a script that imports from this file."""

    def environment(**variables):
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **variables}

    return environment


@pytest.fixture(scope="session")
def run_script(run_python, script_environment):
    """`run_python` in that environment."""
    return lambda *words, **options: run_python(*words, env=script_environment(), **options)
