"""Image features of a small network that is trained on the data itself, so that nothing is downloaded."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffkit_trainer.evaluation.damages import DAMAGES, damaged
from diffkit_trainer.rng import batch_indices, generator

__all__ = ["Features", "learn_features", "to_input"]

FEATURES = 64
MAX_SIDE = 32  # larger images are reduced: the subject stays recognisable, and training takes seconds on a CPU
DAMAGE_WEIGHT = 16.0
MIN_STEPS, MAX_STEPS, EPOCHS, BATCH_SIZE, LEARNING_RATE, CHUNK_IMAGES = 600, 2000, 4, 64, 2e-3, 256


class Features(NamedTuple):
    """The features of a trained network. scale: their mean and deviation on the training images.

    kind: "classifier" or "autoencoder". quality: on other images, the fraction that is classified correctly, or the fraction of
    the variance that is reconstructed.
    """

    trunk: nn.Module
    head: nn.Module
    scale: tuple[Tensor, Tensor]
    kind: str
    quality: float

    def __call__(self, pixels: Tensor) -> Tensor:
        """The features of uint8 images (N, C, H, W): float64 (N, 64), of mean 0 and variance 1 on the training images."""
        mean, std = self.scale
        return (_apply(self.trunk, to_input(pixels)) - mean) / std

    def recognised(self, pixels: Tensor, labels: Tensor) -> float | None:
        """The fraction of uint8 images (N, C, H, W) that are classified as these labels (N,); None for an autoencoder."""
        if self.kind != "classifier":
            return None
        with torch.no_grad():
            found = self.head(_apply(self.trunk, to_input(pixels)).float()).argmax(1)
        return float((found == labels).double().mean())


def learn_features(
    pixels: Tensor, labels: Tensor | None, test_pixels: Tensor, test_labels: Tensor | None, seed: int = 0
) -> Features:
    """Train a small network on uint8 images (N, C, H, W): to classify them, or to reconstruct them if there are no labels.

    Half of the images of a batch are damaged, and the network also learns by how much: features of classes alone do not see
    noise, a tint or a checkerboard.

    test_pixels, test_labels: other images, for the quality. Pixels may also be the output of `to_input`. The same seed, images
    and machine give the same features; torch's global generator is not changed. Takes seconds on a CPU, for tens of thousands of
    images a minute or two.
    """
    channels = pixels.shape[1]
    images, test_images = to_input(pixels), to_input(test_pixels)
    classes = int(labels.max()) + 1 if labels is not None else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk, head = _trunk(channels), nn.Linear(FEATURES, classes or images[0].numel())
        amounts_head = nn.Linear(FEATURES, len(DAMAGES))
    parameters = [*trunk.parameters(), *head.parameters(), *amounts_head.parameters()]
    steps = min(max(EPOCHS * len(images) // BATCH_SIZE, MIN_STEPS), MAX_STEPS)
    optimiser = torch.optim.AdamW(parameters, LEARNING_RATE)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        index = batch_indices(seed, step, min(BATCH_SIZE, len(images)), len(images))
        shown, amounts = damaged(images[index], generator(seed, "damages", step))
        found = trunk(shown)
        out = head(found)
        if labels is not None:
            loss = nn.functional.cross_entropy(out, labels[index])
        else:
            loss = nn.functional.mse_loss(out, shown.flatten(1))
        loss = loss + DAMAGE_WEIGHT * nn.functional.mse_loss(amounts_head(found), amounts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    trunk.requires_grad_(False)
    features = _apply(trunk, images)
    scale = features.mean(0), features.std(0).clamp(min=1e-6)
    with torch.no_grad():
        output = head(_apply(trunk, test_images).float())
        if test_labels is not None and classes:
            return Features(trunk, head, scale, "classifier", float((output.argmax(1) == test_labels).double().mean()))
        flat = test_images.flatten(1)
        reconstructed = 1 - (output - flat).square().mean() / (flat - flat.mean(0)).square().mean()
        return Features(trunk, head, scale, "autoencoder", float(reconstructed))


def _apply(trunk: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([trunk(part).double() for part in images.split(CHUNK_IMAGES)])


def _trunk(channels: int) -> nn.Module:
    def block(before: int, after: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, stride, padding=1), nn.GroupNorm(8, after), nn.SiLU()]

    layers = [*block(channels, 32, 1), *block(32, 64, 2), *block(64, 64, 2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 64, FEATURES))


def to_input(pixels: Tensor, index: Tensor | None = None) -> Tensor:
    """The network's input for uint8 images (N, C, H, W), or for those of an index (n,): in [-1, 1], no side longer than 32.

    Converted in chunks, because all at once would take four times the memory of the data. Floating-point input is returned
    unchanged.

    >>> to_input(torch.full((3, 1, 64, 32), 255, dtype=torch.uint8), torch.tensor([0, 2])).shape
    torch.Size([2, 1, 32, 16])
    """
    parts = pixels.split(CHUNK_IMAGES) if index is None else (pixels[part] for part in index.split(CHUNK_IMAGES))
    return torch.cat([_scale(part) for part in parts])


def _scale(pixels: Tensor) -> Tensor:
    if pixels.is_floating_point():
        return pixels
    x = pixels.float() / 127.5 - 1
    scale = MAX_SIDE / max(x.shape[2:])
    if scale >= 1:
        return x
    height, width = (max(1, round(side * scale)) for side in x.shape[2:])
    return nn.functional.interpolate(x, (height, width), mode="area")
