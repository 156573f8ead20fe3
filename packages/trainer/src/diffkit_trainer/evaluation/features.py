"""Features of images by a small network that is trained on the spot: nothing to download, made for the data at hand."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffkit_trainer.rng import batch_indices

__all__ = ["Features", "learn_features", "seen"]

LENGTH = 64
SIDE = 32  # larger images are shrunk to this: what they are of can be told, and a CPU is done in seconds
STEPS, BATCH, RATE, CHUNK = 300, 64, 2e-3, 256


class Features(NamedTuple):
    """A network's features, their mean and deviation on what they were learned from, what the network was trained to do
    ("classifier" or "autoencoder"), and how well it does that on images it has not seen: the part that is classified right, or
    the part of the variance that it gives back."""

    trunk: nn.Module
    scale: tuple[Tensor, Tensor]
    kind: str
    score: float

    def __call__(self, pixels: Tensor) -> Tensor:
        """The features of uint8 images (N, C, H, W): float64 (N, 64), of mean 0 and variance 1 on what they were learned from."""
        mean, std = self.scale
        return (_through(self.trunk, seen(pixels)) - mean) / std


def learn_features(
    pixels: Tensor, labels: Tensor | None, unseen: Tensor, unseen_labels: Tensor | None, seed: int = 0
) -> Features:
    """A small network trained on uint8 images (N, C, H, W): to classify them, or to give them back where there are no labels.

    unseen: other images, to measure it on. Both may be what `seen` made of such images, too. The same seed, images and machine
    give the same features; torch's global generator is left as it was. Takes seconds on a CPU.
    """
    channels = pixels.shape[1]
    images, others = seen(pixels), seen(unseen)
    classes = int(labels.max()) + 1 if labels is not None else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk, head = _trunk(channels), nn.Linear(LENGTH, classes or images[0].numel())
    parameters = [*trunk.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, RATE)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for step in range(STEPS):
        index = batch_indices(seed, step, min(BATCH, len(images)), len(images))
        out = head(trunk(images[index]))
        if labels is not None:
            loss = nn.functional.cross_entropy(out, labels[index])
        else:
            loss = nn.functional.mse_loss(out, images[index].flatten(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    trunk.requires_grad_(False)
    known = _through(trunk, images)
    scale = known.mean(0), known.std(0).clamp(min=1e-6)
    with torch.no_grad():
        found = head(_through(trunk, others).float())
        if unseen_labels is not None and classes:
            return Features(trunk, scale, "classifier", float((found.argmax(1) == unseen_labels).double().mean()))
        flat = others.flatten(1)
        given_back = 1 - (found - flat).square().mean() / (flat - flat.mean(0)).square().mean()
        return Features(trunk, scale, "autoencoder", float(given_back))


def _through(trunk: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([trunk(part).double() for part in images.split(CHUNK)])


def _trunk(channels: int) -> nn.Module:
    def block(before: int, after: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, stride, padding=1), nn.GroupNorm(8, after), nn.SiLU()]

    layers = [*block(channels, 32, 1), *block(32, 64, 2), *block(64, 64, 2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 64, LENGTH))


def seen(pixels: Tensor, index: Tensor | None = None) -> Tensor:
    """uint8 images (N, C, H, W), or those of an index (n,), as the network sees them: in [-1, 1], no side longer than 32.

    A part of them at a time: all at once would be four times the bytes of the data. What was seen already stays as it is.

    >>> seen(torch.full((3, 1, 64, 32), 255, dtype=torch.uint8), torch.tensor([0, 2])).shape
    torch.Size([2, 1, 32, 16])
    """
    parts = pixels.split(CHUNK) if index is None else (pixels[part] for part in index.split(CHUNK))
    return torch.cat([_small(part) for part in parts])


def _small(pixels: Tensor) -> Tensor:
    if pixels.is_floating_point():
        return pixels
    x = pixels.float() / 127.5 - 1
    scale = SIDE / max(x.shape[2:])
    if scale >= 1:
        return x
    height, width = (max(1, round(side * scale)) for side in x.shape[2:])
    return nn.functional.interpolate(x, (height, width), mode="area")
