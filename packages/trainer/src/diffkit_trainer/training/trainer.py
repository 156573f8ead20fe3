"""The training loop, as a generator."""

import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from diffkit_schedules import Schedule
from torch import Tensor, nn

from diffkit_trainer.data.images import Images
from diffkit_trainer.distributed.processes import World
from diffkit_trainer.rng import global_randomness
from diffkit_trainer.training.batch import Draw, Recipe, draw, share
from diffkit_trainer.training.batch_tensors import Samples
from diffkit_trainer.training.buffers import Buffers
from diffkit_trainer.training.experiment import OPTIONS, described
from diffkit_trainer.training.losses import losses
from diffkit_trainer.training.metrics import Metrics
from diffkit_trainer.training.network_check import refuse_network
from diffkit_trainer.training.optimiser import Optimiser
from diffkit_trainer.training.validate import PRECISIONS, refuse_impossible, refuse_unknown
from diffkit_trainer.training.wrap import place, summed_over_processes

__all__ = ["TrainStep", "Trainer"]


class TrainStep(NamedTuple):
    """What one optimiser and EMA update leaves: the number of updates so far, and the mean loss of this process's part of the
    batch, detached, on the device."""

    step: int
    loss: Tensor


class Trainer:
    """Trains a network to denoise images: the network, its average, the optimiser, and where in the data they are.

    model: called as model(x_t, c), see `losses`. images: see `open_images`. Everything random is a function of (seed, step) and
    of the place in the global batch, so a trainer whose state was saved at any step goes on to the same weights, bit for bit, as
    one that never stopped (with the same number of threads and processes, torch version and device), and a batch that is split
    over `world`'s processes or `accumulate` parts holds the same samples.
    Two things depend on the split: dropout's masks, and batch norm, whose statistics are those of a part (process 0's are kept).

    batch_size: of all processes together, in each update. prediction ... gamma: see `losses`; condition must be the network's,
    where it says one. times: see `draw_times`. normalise: see `NORMALISATIONS`. lr ... clip: see `Optimiser`. ema: the decay or
    several, warmed up. flip: mirror half of the images. class_dropout: the network is called with class_labels=, and this share
    of them is the "no class" label, the number of classes; None for a network without. precision: "fp32", "bf16" (autocast) or
    "fp16" (with a loss scale). compiled: by torch.compile. channels_last: the memory format. shard: see `shard`, for a network
    that one device cannot hold.
    Raises ValueError for an option out of its range, for a prediction that says nothing at one of the schedule's ends, and for a
    network that does not fit the images or a checkpoint; TypeError for an option that there is not.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Images,
        schedule: Schedule,
        *,
        batch_size: int = 64,
        prediction: str = "eps",
        condition: str = "variance",
        kind: str = "mae",
        weighting: str = "uniform",
        gamma: float = 5.0,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        lr_schedule: str = "constant",
        warmup: int = 0,
        decay_steps: int | None = None,
        clip: float | None = None,
        times: str = "uniform",
        normalise: str = "data",
        ema: float | Sequence[float] = 0.999,
        flip: bool = False,
        class_dropout: float | None = None,
        accumulate: int = 1,
        precision: str = "fp32",
        compiled: bool = False,
        channels_last: bool = False,
        shard: bool = False,
        seed: int = 0,
        device: str | torch.device = "cpu",
        world: World = World(),  # noqa: B008  (a tuple: it cannot change)
        **unknown: Any,
    ) -> None:
        given = locals()
        refuse_unknown(unknown, inspect.signature(Trainer))
        loss_options = {name: given[name] for name in ("prediction", "condition", "kind", "weighting", "gamma")}
        refuse_impossible(schedule, loss_options, times, batch_size, accumulate, world.size, precision, class_dropout, images)
        refuse_network(model, images, condition, class_dropout)
        self.device, self.world = torch.device(device), world
        memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.model, self.ema, self._network = place(
            model, ema, self.device, world, memory_format=memory_format, compiled=compiled, sharded=shard
        )
        scaled = precision == "fp16"
        self.optimiser = Optimiser(
            self.model.parameters(), lr, weight_decay, lr_schedule, warmup, decay_steps=decay_steps, clip=clip, scaled=scaled
        )
        self.images, self.schedule, self.loss_options = images, schedule, loss_options
        self.batch_size, self.accumulate, self.precision, self.seed = batch_size, accumulate, precision, seed
        self.recipe = Recipe(seed, batch_size, len(images), images.shape, times, flip, class_dropout)
        self.step = 0
        self.tally = Metrics(self.device)
        self.environment = {
            **{"torch": torch.__version__, "threads": torch.get_num_threads(), "device": self.device.type},
            **{"processes": world.size, "accumulate": accumulate, "precision": precision},
            **{"compiled": compiled, "channels_last": channels_last, "shard": shard},
        }
        self._samples = Samples.of(images, normalise, self.device, memory_format)
        self.normalisation = self._samples.normalisation
        self._buffers = Buffers(self.model)
        self._options = {name: given[name] for name in OPTIONS}

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """All that the result depends on, as plain JSON: a run that goes on must have the same. Reads all images, once."""
        whole: dict[str, Any] = described(self._options, self.images.fingerprint, self.normalisation, self.schedule, self.model)
        return whole

    def run(self, steps: int) -> Iterator[TrainStep]:
        """Train until `steps` updates were made in total, yielding after each; stopping early is the caller's `break`.

        Losses are handed over on the device: only a caller who looks at one waits for it. An update that is not finite changes
        nothing, and neither does any after it; `check` tells, and so do `metrics` and `state`.
        """
        while self.step < steps:
            yield self._update()

    def check(self) -> None:
        """Raises DivergedError, with the step, where a loss or gradient was not finite. Waits for the device."""
        self.optimiser.check()

    def metrics(self, *, keep: bool = False) -> dict[str, Any]:
        """Means since this was last asked, over all processes, which must all call it: "loss", "gradient_norm", "loss_by_t"
        (by `tally.BUCKETS` equal parts of t), and the learning rate "lr"; with fp16, how many updates were "skipped" so far.

        keep: leave the sums as they are, for a look in between. Raises DivergedError as `check` does. Waits for the device.
        """
        self.check()
        more = {"skipped": int(self.optimiser.skipped)} if self.precision == "fp16" else {}
        return self.tally.read(self.world, keep=keep) | {"lr": float(self.optimiser.lr)} | more

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What resuming needs beside the networks: plain numbers for JSON, and the optimiser's tensors by name.

        All processes must call it. Raises DivergedError as `check` does. Waits for the device.
        """
        self.check()
        numbers, moments = self.optimiser.state()
        numbers |= {"step": self.step, "ema_updates": int(self.ema.updates), "sums": self.tally.total(self.world)}
        return numbers | {"environment": self.environment, "experiment": self.experiment}, moments

    def _update(self) -> TrainStep:
        mine = draw(self.recipe, self.step, self.device, *share(self.batch_size, self.world.rank, self.world.size))
        count = len(mine.images)
        # as many in each process, of which some have one sample more: shards are gathered for every part by all together
        parts = min(self.accumulate, self.batch_size // self.world.size)
        kept, errors = self._buffers.values(), []
        with global_randomness(self.seed, self.step, self.world.rank, device=self.device):
            for i in range(parts):
                part = mine.part(*share(count, i, parts))
                with summed_over_processes(self._network, i == parts - 1):
                    errors.append(self._losses(part))
                    # the mean over the global batch: DistributedDataParallel divides by the number of processes
                    self.optimiser.backward(errors[-1].sum() * (self.world.size / self.batch_size))
        self.step += 1
        good, norm = self.optimiser.apply(self.step)
        self._buffers.put_back(kept, unless=good)
        self.ema.update(self.model, good)
        found = torch.cat(errors).detach()
        self.tally.add(found, mine.t, norm, good)
        return TrainStep(self.step, found.mean())

    def _losses(self, part: Draw) -> Tensor:
        """Each sample's loss, (b,), with a graph."""
        x0, eps, label = self._samples.of_draw(part)
        labels: dict[str, Any] = {} if self.recipe.class_dropout is None else {"class_labels": label}
        with torch.autocast(self.device.type, PRECISIONS[self.precision], enabled=self.precision != "fp32"):
            return losses(self._network, self.schedule, x0, t=part.t, eps=eps, **self.loss_options, **labels)
