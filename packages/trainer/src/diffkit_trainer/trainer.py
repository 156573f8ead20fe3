"""The training loop, as a generator."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from diffkit_schedules import Schedule, condition_value, prediction_name, target, to_x0
from torch import Tensor, nn

from diffkit_trainer.ema import EMA
from diffkit_trainer.images import Images
from diffkit_trainer.losses import LOSSES, loss
from diffkit_trainer.normalisation import Normalisation
from diffkit_trainer.order import batch_indices, generator

__all__ = ["TrainStep", "Trainer"]


class TrainStep(NamedTuple):
    """What one optimiser and EMA update leaves: the number of updates so far, and the batch's loss, detached, on the device."""

    step: int
    loss: Tensor


class Trainer:
    """Trains a network to denoise images: the network, its average, the optimiser, and where in the data they are.

    model: called as model(x_t, c), see `loss`. images: see `open_images`. Everything random is a function of (seed, step),
    so a trainer whose state was saved at any step goes on to the same weights, bit for bit, as one that never stopped (with
    the same number of threads, torch version and device).
    The optimiser is AdamW. batch_size, steps >= 1; lr > 0; ema: the decay, warmed up; flip: mirror half of the images.
    Raises ValueError for an option out of its range, and for a prediction that says nothing at one of the schedule's ends.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Images,
        schedule: Schedule,
        *,
        prediction: str = "eps",
        condition: str = "variance",
        kind: str = "mae",
        batch_size: int = 64,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        ema: float = 0.999,
        flip: bool = False,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not lr > 0:
            raise ValueError(f"lr must be > 0, got {lr}")
        if kind not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}; got {kind!r}")
        _refuse_impossible(schedule, prediction, condition)
        self.device = torch.device(device)
        self.model = model.to(self.device).train()
        self.ema = EMA(self.model, ema, warmup=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=weight_decay)
        self.images = images
        self.normalisation = Normalisation(*images.statistics())
        self.schedule = schedule
        self.prediction = prediction
        self.condition = condition
        self.kind = kind
        self.batch_size = batch_size
        self.flip = flip
        self.seed = seed
        self.step = 0
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._loss_count = 0

    def run(self, steps: int) -> Iterator[TrainStep]:
        """Train until `steps` updates were made in total, yielding after each; stopping early is the caller's `break`.

        Losses are handed over on the device: only a caller who looks at one waits for it.
        """
        while self.step < steps:
            yield self._update()

    def mean_loss(self) -> float:
        """The mean loss of the updates since this was last asked; nan where there were none. Waits for the device."""
        mean = self._loss_sum.item() / self._loss_count if self._loss_count else float("nan")
        self._loss_sum.zero_()
        self._loss_count = 0
        return mean

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What resuming needs beside the two networks: plain numbers for JSON, and the optimiser's tensors by name."""
        optimizer = self.optimizer.state_dict()
        numbers = {
            "step": self.step,
            "ema_updates": self.ema.updates,
            "loss_sum": self._loss_sum.item(),
            "loss_count": self._loss_count,
        }
        return numbers, {f"{i}.{key}": value for i, slots in optimizer["state"].items() for key, value in slots.items()}

    def restore(
        self, numbers: dict[str, Any], optimizer: dict[str, Tensor], model: dict[str, Tensor], ema: dict[str, Tensor]
    ) -> None:
        """Take over what `state` gave, and the weights of both networks."""
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in optimizer.items():
            i, key = name.split(".", 1)
            slots.setdefault(int(i), {})[key] = value
        self.optimizer.load_state_dict({"state": slots, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.model.load_state_dict(model)
        self.ema.model.load_state_dict(ema)
        self.ema.updates = numbers["ema_updates"]
        self.step = numbers["step"]
        self._loss_sum.fill_(numbers["loss_sum"])
        self._loss_count = numbers["loss_count"]

    def _update(self) -> TrainStep:
        index = batch_indices(self.seed, self.step, self.batch_size, len(self.images))
        x0 = self.normalisation.to_network(self.images.pixels[index].to(self.device))  # (B, C, H, W)
        if self.flip:
            chance = torch.rand(self.batch_size, generator=generator(self.seed, "flip", self.step))
            x0 = torch.where((chance < 0.5).to(self.device).reshape(-1, 1, 1, 1), x0.flip(-1), x0)
        value = loss(
            self.model,
            self.schedule,
            x0,
            prediction=self.prediction,
            condition=self.condition,
            kind=self.kind,
            generator=generator(self.seed, "noise", self.step, device=self.device),
        )
        self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        self.ema.update(self.model)
        self.step += 1
        self._loss_sum += value.detach()
        self._loss_count += 1
        return TrainStep(self.step, value.detach())


def _refuse_impossible(schedule: Schedule, prediction: str, condition: str) -> None:
    """A network that cannot be sampled from should not be trained: its first step would have no x0."""
    x = torch.zeros(1)
    target(x, x, schedule(1.0), prediction_name(prediction))
    to_x0(x, x, schedule(1.0), prediction)
    condition_value(schedule, 1.0, condition)
