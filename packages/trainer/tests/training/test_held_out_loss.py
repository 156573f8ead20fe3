"""Held-out images are not trained on, and their loss is that of the same samples at every step."""

import pytest
import torch
from diffkit_schedules import Rates, cosine, offset_cosine
from diffkit_trainer import Images, Trainer, held_out, open_images
from diffkit_trainer.training.batch import BatchSpec
from diffkit_trainer.training.held_out_loss import fixed_batches
from torch import nn


class Recorder(nn.Module):
    """Answers with a constant and records the first value of every sample that it is trained on."""

    def __init__(self):
        super().__init__()
        self.value, self.seen = nn.Parameter(torch.zeros(1)), []

    def forward(self, x, c):
        if self.training:
            self.seen += x[:, 0, 0, 0].tolist()
        return self.value.expand_as(x)


def almost_clean(t):
    return Rates(t * 0 + 1, t * 0 + 1e-4)


def test_held_out_images_are_never_trained_on():
    images = Images(torch.arange(50, dtype=torch.uint8).reshape(50, 1, 1, 1).repeat(1, 1, 2, 2))
    apart, network = held_out(images, 0.4), Recorder()
    trainer = Trainer(network, images, almost_clean, prediction="v", held_out=0.4, batch_size=7, normalise="range")
    for _ in trainer.run(20):
        trainer.held_out_losses()
    seen = {round((value + 1) / 2 * 255) for value in network.seen}  # "range" moves 0 ... 255 to -1 ... 1
    assert seen == {int(value) for value in (~apart).nonzero()}


def test_the_losses_are_those_of_the_average_on_fixed_samples():
    """A network that answers 0 has the loss of the target alone: for eps the variance of the noise, 1."""
    trainer = Trainer(nn.Conv2d(1, 1, 1), open_images("digits"), offset_cosine(), loss="mse", held_out=0.1, lr=1e-2, seed=3)
    for parameter in [*trainer.model.parameters(), *trainer.ema.model.parameters()]:
        parameter.data.zero_()
    trainer.model.forward = lambda x, c: nn.Conv2d.forward(trainer.model, x)
    trainer.ema.model.forward = lambda x, c: nn.Conv2d.forward(trainer.ema.model, x)
    losses = trainer.held_out_losses()
    assert losses["loss_held_out"] == losses["loss_trained"] == pytest.approx(1.0, abs=0.03), "the noise of both is the same"
    for _ in trainer.run(2):
        pass
    before = trainer.held_out_losses()
    assert before != losses, "the average has moved"
    assert before == trainer.held_out_losses()


def test_a_memorising_network_has_a_higher_loss_on_held_out_images():
    images = Images(torch.randint(0, 2, (24, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8) * 255)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(17, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 16))

        def forward(self, x, c):
            return self.layers(torch.cat([x.flatten(1), c[:, None]], 1)).reshape(x.shape)

    torch.manual_seed(0)
    network = Network()
    options = {"prediction": "x0", "loss": "mse", "held_out": 0.4, "batch_size": 64, "lr": 3e-3, "ema": 0.9}
    trainer = Trainer(network, images, cosine(), **options)
    for _ in trainer.run(200):
        pass
    losses = trainer.held_out_losses()
    assert losses["loss_held_out"] > 1.5 * losses["loss_trained"]


def test_no_part_may_be_empty():
    images = Images(torch.zeros(5, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"held_out must leave images in both parts, got 0.1: of 5 images [05] are held out"):
        Trainer(Recorder(), images, offset_cosine(), held_out=0.1)
    assert Trainer(Recorder(), images, offset_cosine()).held_out_losses() == {}


def test_fixed_batches_are_256_samples_with_evenly_spread_times():
    spec, rows = BatchSpec(seed=0, batch_size=100, images=40, shape=(1, 2, 2)), torch.arange(7, 47)
    batches = list(fixed_batches(spec, rows))
    assert [len(batch.indices) for batch in batches] == [100, 100, 56]
    counts = torch.cat([batch.indices for batch in batches]).bincount(minlength=47)
    assert counts[:7].sum() == 0
    assert set(counts[7:].tolist()) == {6, 7}
    t = torch.cat([batch.t for batch in batches]).flatten().sort().values
    assert (t - torch.arange(256) / 256).min() >= 0
    assert (t - torch.arange(256) / 256).max() <= 1 / 256
    again = list(fixed_batches(spec, rows))
    assert all(torch.equal(one.eps, other.eps) for one, other in zip(batches, again, strict=True))
    assert not torch.equal(batches[0].eps[:50], batches[1].eps[:50])
