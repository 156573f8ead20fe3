"""The network's inputs on the device, from the random choices of a batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.data.normalisation import Normalisation
from diffkit_trainer.device import place_dataset, to_device
from diffkit_trainer.options import Options
from diffkit_trainer.training.batch import RandomBatch

__all__ = ["TrainingData"]


class TrainingData(NamedTuple):
    """The images of a training run, and how their pixels become x0: index, flip, normalise."""

    pixels: Tensor
    labels: Tensor | None
    normalisation: Normalisation
    classes: int
    device: torch.device
    memory_format: torch.memory_format

    @classmethod
    def of(
        cls, images: Images, options: Options, device: torch.device, normalisation: Normalisation | None = None
    ) -> "TrainingData":
        """The images of a training run; the pixels are on the device where they fit. normalisation: by default the options'."""
        normalisation = normalisation or Normalisation.of(images, options.normalise)
        memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
        return cls(place_dataset(images.pixels, device), images.labels, normalisation, len(images.classes), device, memory_format)

    def tensors(self, part: RandomBatch) -> tuple[Tensor, Tensor, Tensor | None]:
        """x0 and noise (b, C, *space), and labels (b,); a dropped label is the number of classes."""
        x0 = self.normalisation.to_network(to_device(self.pixels[to_device(part.indices, self.pixels.device)], self.device))
        if part.flipped is not None:
            x0 = torch.where(to_device(part.flipped, self.device).reshape(-1, *(1,) * (x0.ndim - 1)), x0.flip(-1), x0)
        labels = None if self.labels is None else self.labels[part.indices]
        if labels is not None and part.label_dropped is not None:
            labels = labels.masked_fill(part.label_dropped, self.classes)
        x0, eps = (each.contiguous(memory_format=self.memory_format) for each in (x0, part.eps))
        return x0, eps, None if labels is None else to_device(labels, self.device)
