"""The network's inputs on the device, from the random choices of a batch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffkit_trainer.data.images import Images
from diffkit_trainer.data.normalisation import Normalisation
from diffkit_trainer.device import place_dataset, to_device
from diffkit_trainer.options import Options
from diffkit_trainer.training.batch import RandomBatch

__all__ = ["Inputs", "TrainingData"]


class Inputs(NamedTuple):
    """What the loss of b samples is a function of: x0, t and eps, (b, ...), and the network's further arguments by name."""

    x0: Tensor
    t: Tensor
    eps: Tensor
    given: Mapping[str, Any]

    def part(self, start: int, stop: int) -> "Inputs":
        """The samples start ... stop - 1."""
        x0, t, eps = (each[start:stop] for each in self[:3])
        return Inputs(x0, t, eps, {name: each[start:stop] for name, each in self.given.items()})


class TrainingData(NamedTuple):
    """The images of a training run with their conditions, and how their pixels become x0: index, flip, normalise."""

    pixels: Tensor
    labels: Tensor | None
    normalisation: Normalisation
    classes: int
    device: torch.device
    memory_format: torch.memory_format
    conditions: Mapping[str, Tensor]
    condition_normalisations: Mapping[str, Normalisation]

    @classmethod
    def of(
        cls,
        images: Images,
        options: Options,
        device: torch.device,
        normalisation: Normalisation | None = None,
        condition_normalisations: Mapping[str, Normalisation] | None = None,
    ) -> "TrainingData":
        """The images of a training run; the pixels are on the device where they fit.

        normalisation: by default the options'. condition_normalisations: by default those of `Normalisation.of_conditions`.
        """
        normalisation = normalisation or Normalisation.of(images, options.normalise)
        memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
        stay = device if options.data_on_device else torch.device("cpu")
        pixels, *given = (place_dataset(each, stay) for each in (images.pixels, *images.conditions.values()))
        conditions = dict(zip(images.conditions, given, strict=True))
        return cls(
            *(pixels, images.labels, normalisation, len(images.classes), device, memory_format),
            *(conditions, condition_normalisations or Normalisation.of_conditions(images)),
        )

    def inputs(self, batch: RandomBatch, *, labelled: bool) -> Inputs:
        """The inputs of a batch, on the device. labelled: whether the network is given class_labels."""
        x0, eps, labels = self.tensors(batch)
        given = self.conditions_of(batch)
        return Inputs(x0, batch.t, eps, given | {"class_labels": labels} if labelled and labels is not None else given)

    def tensors(self, part: RandomBatch) -> tuple[Tensor, Tensor, Tensor | None]:
        """x0 and noise (b, C, *space), and labels (b,); a dropped label is the number of classes."""
        x0 = self._flipped(self._normalised(self.pixels, self.normalisation, part), part)
        labels = None if self.labels is None else self.labels[part.indices]
        if labels is not None and part.dropped is not None:
            labels = labels.masked_fill(part.dropped, self.classes)
        x0, eps = (each.contiguous(memory_format=self.memory_format) for each in (x0, part.eps))
        return x0, eps, None if labels is None else to_device(labels, self.device)

    def conditions_of(self, part: RandomBatch) -> dict[str, Tensor]:
        """The conditions by name, float32 (b, ...), with mean 0 and variance 1; NaN where they are dropped.

        Those of x0's space are flipped with x0.
        """
        found = {}
        for name, each in self.conditions.items():
            x = self._normalised(each, self.condition_normalisations[name], part)
            x = self._flipped(x, part) if each.ndim == self.pixels.ndim else x
            if part.dropped is not None:
                x = x.masked_fill(_column(part.dropped, x), torch.nan)
            found[name] = x
        return found

    def _normalised(self, values: Tensor, normalisation: Normalisation, part: RandomBatch) -> Tensor:
        return normalisation.to_network(to_device(values[to_device(part.indices, values.device)], self.device))

    def _flipped(self, x: Tensor, part: RandomBatch) -> Tensor:
        if part.flipped is None:
            return x
        return torch.where(_column(part.flipped, x), x.flip(-1), x)


def _column(chosen: Tensor, x: Tensor) -> Tensor:
    """A bool for each sample, (b,), as (b, 1, ...) on x's device."""
    return to_device(chosen, x.device).reshape(-1, *(1,) * (x.ndim - 1))
