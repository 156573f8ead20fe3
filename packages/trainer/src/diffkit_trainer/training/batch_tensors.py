"""From a draw to what the network sees, on the device."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.data.normalisation import Normalisation
from diffkit_trainer.device import place_dataset as near
from diffkit_trainer.device import to_device as send
from diffkit_trainer.training.batch import Draw

__all__ = ["Samples"]


class Samples(NamedTuple):
    """A data set where the training reads it: its bytes and labels, and how they become x0; an epoch is index, mirror, scale."""

    pixels: Tensor
    labels: Tensor | None
    normalisation: Normalisation
    classes: int
    device: torch.device
    memory_format: torch.memory_format

    @classmethod
    def of(cls, images: Images, normalise: str, device: torch.device, memory_format: torch.memory_format) -> "Samples":
        """The images with their bytes on the device where they fit; normalise: one of `NORMALISATIONS`."""
        normalisation = Normalisation.of(images, normalise)
        return cls(near(images.pixels, device), images.labels, normalisation, len(images.classes), device, memory_format)

    def of_draw(self, part: Draw) -> tuple[Tensor, Tensor, Tensor | None]:
        """x0 and noise (b, C, H, W), and labels (b,), where a sample without one has the number of classes."""
        x0 = self.normalisation.to_network(send(self.pixels[send(part.images, self.pixels.device)], self.device))
        if part.mirrored is not None:
            x0 = torch.where(send(part.mirrored, self.device).reshape(-1, 1, 1, 1), x0.flip(-1), x0)
        labels = None if self.labels is None else self.labels[part.images]
        if labels is not None and part.unlabelled is not None:
            labels = labels.masked_fill(part.unlabelled, self.classes)
        x0, eps = (each.contiguous(memory_format=self.memory_format) for each in (x0, part.eps))
        return x0, eps, None if labels is None else send(labels, self.device)
