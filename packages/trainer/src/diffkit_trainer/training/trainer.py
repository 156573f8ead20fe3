"""The training loop, as a generator."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from diffkit_schedules import Schedule, prediction_name
from torch import Tensor, nn

from diffkit_trainer.acceleration.capabilities import capabilities_of, with_defaults
from diffkit_trainer.acceleration.cuda_graph import CudaGraph
from diffkit_trainer.acceleration.kernels import chosen_kernels
from diffkit_trainer.acceleration.precision import autocast
from diffkit_trainer.data.held_out import held_out
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.normalisation import Normalisation
from diffkit_trainer.distributed.processes import World
from diffkit_trainer.options import ROUNDING, Options, options_of
from diffkit_trainer.rng import global_randomness
from diffkit_trainer.training.batch import BatchSpec, RandomBatch, part_bounds, random_batch
from diffkit_trainer.training.buffers import Buffers
from diffkit_trainer.training.experiment import experiment, plain
from diffkit_trainer.training.freeze import freeze
from diffkit_trainer.training.held_out_loss import fixed_batches
from diffkit_trainer.training.losses import losses
from diffkit_trainer.training.optimisation.muon import matrices_of
from diffkit_trainer.training.optimisation.optimiser import Optimiser
from diffkit_trainer.training.prepare import prepare_network, summed_over_processes
from diffkit_trainer.training.running_metrics import RunningMetrics
from diffkit_trainer.training.teacher import Teacher
from diffkit_trainer.training.training_data import Inputs, TrainingData
from diffkit_trainer.training.validate import validate_network, validate_options, validate_preconditioner

__all__ = ["TrainStep", "Trainer"]


class TrainStep(NamedTuple):
    """The result of one update of weights and average.

    step: the number of updates so far. loss: the mean over this process's part of the batch, detached, on the device.
    """

    step: int
    loss: Tensor


def _parts(images: Images, fraction: float) -> dict[str, Tensor]:
    """The rows of the images that are trained on and of those that are not, by the name of their loss. Raises ValueError."""
    apart = held_out(images, fraction)
    parts = {"loss_trained": (~apart).nonzero()[:, 0], "loss_held_out": apart.nonzero()[:, 0]}
    if not len(parts["loss_trained"]) or (fraction and not len(parts["loss_held_out"])):
        found = f"of {len(images)} images {int(apart.sum())} are held out"
        raise ValueError(f"held_out must leave images in both parts, got {fraction:g}: {found}; give 0 or another fraction")
    return parts


def _signature() -> inspect.Signature:
    """The signature of `Trainer`, with every option by name."""
    given = inspect.signature(Trainer.__init__)
    fixed = [each for each in given.parameters.values() if each.kind is not each.VAR_KEYWORD]
    named = [
        inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default)
        for option in options_of(Options).values()
    ]
    return given.replace(parameters=[*fixed, *named])


class Trainer:
    """Trains a network to denoise images: the network, its average, the optimiser, and the position in the data.

    model: called as model(x_t, c), see `losses`. images: see `open_images`, or samples of any shape, see `Images`. options: see
    `Options`; `changes` are options by name, as in Trainer(model, images, schedule, lr=1e-4). normalisation,
    condition_normalisations: by default those of the images, by the option `normalise`, and of their conditions; for a network
    that was trained on others, theirs. teacher: whose answers the network learns in place of the data, see `Teacher`. world: the
    processes that train together, see `process_group`.

    Every random number is a function of seed, step and the position in the global batch. On a CPU, a resumed trainer therefore
    reaches the same weights, bit for bit, as one that never stopped (with the same number of threads and processes, and torch
    version); on CUDA, sums of atomic additions differ in rounding. A batch that is split over processes or `accumulate` parts has
    the same samples. Two things depend on the split: the masks of dropout, and batch norm, whose statistics are those of a part
    (those of process 0 are kept).

    The network is called with the images' conditions by name, each (b, ...) of mean 0 and variance 1, and with class_dropout also
    with class_labels=. That fraction of the samples has neither: the label is that of the null class, the number of classes, and
    the conditions are NaN. A network may have a method output_scale(c) -> (B,), as `diffkit_unet.LinearPreconditioner`
    has: errors are divided by it, unless the options have a weighting. fp16 has a loss scale. shard is for a network that one
    device cannot hold, see `shard`. Raises ValueError for an option out of its range, for a prediction that is undefined at an
    end of the schedule, and for a network that does not fit the images or a checkpoint; TypeError for an unknown option.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Images,
        schedule: Schedule,
        options: Options | None = None,
        *,
        normalisation: Normalisation | None = None,
        condition_normalisations: Mapping[str, Normalisation] | None = None,
        teacher: Teacher | None = None,
        device: str | torch.device = "cpu",
        world: World = World(),  # noqa: B008  (a tuple: it cannot change)
        **changes: Any,
    ) -> None:
        if "prediction" in changes:
            changes["prediction"] = prediction_name(changes["prediction"])
        self.device, self.world = torch.device(device), world
        options = (options or Options()).changed(**changes)
        self.options = options = with_defaults(options, capabilities_of(self.device), processes=world.size)
        validate_options(options, schedule, images, world.size)
        freeze(model, options.freeze)
        validate_network(model, images, options)
        validate_preconditioner(model, options, schedule)
        self.model, self.ema, self._network = prepare_network(model, options, self.device, world)
        self.optimiser = Optimiser(self.model.parameters(), options, matrices=matrices_of(self.model))
        self.images, self.schedule, self.teacher = images, schedule, teacher
        self._parts = _parts(images, options.held_out)
        self.batch_spec = BatchSpec.of(options, images)._replace(images=len(self._parts["loss_trained"]))
        self.step = 0
        self.running_metrics = RunningMetrics(self.device)
        self.environment = {
            **{"torch": torch.__version__, "threads": torch.get_num_threads(), "device": self.device.type},
            **{"processes": world.size} | {name: getattr(options, name) for name in ROUNDING},
        }
        self._data = TrainingData.of(images, options, self.device, normalisation, condition_normalisations)
        self.normalisation, self.condition_normalisations = self._data.normalisation, self._data.condition_normalisations
        self._buffers = Buffers(self.model)
        self._output_scale = getattr(self.model, "output_scale", None)
        self.record_anew()

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """Everything that the result depends on, as plain JSON: a resumed run must have the same. Reads all images, once."""
        found = experiment(self.options, self.images.fingerprint, self.normalisation, self.schedule, self.model)
        return found if self.teacher is None else found | {"teacher": plain(self.teacher.to_config())}

    def record_anew(self) -> None:
        """Forget the CUDA graph of a step. Call it where a tensor of the trainer was replaced, not only changed in place."""
        self._step = CudaGraph(self._train) if self.options.cuda_graph else self._train

    def run(self, steps: int) -> Iterator[TrainStep]:
        """Train until `steps` updates were made in total, yielding after each; stopping early is the caller's `break`.

        The losses are on the device: reading one waits for it. An update that is not finite changes nothing, and neither does
        any later one; `check`, `metrics` and `state` raise DivergedError then.
        """
        while self.step < steps:
            yield self._update()

    def check(self) -> None:
        """Raises DivergedError, with the step, where a loss or gradient was not finite. Waits for the device."""
        self.optimiser.check()

    def metrics(self, *, keep: bool = False) -> dict[str, Any]:
        """The means since the last call and the learning rate, by name; all processes must call it.

        "loss", "gradient_norm", "loss_by_t" (for each of `metrics.BUCKETS` equal parts of t) and "lr"; with fp16 also "skipped",
        the number of skipped updates. keep: whether the sums stay. Raises DivergedError as `check` does. Waits for the device.
        """
        self.check()
        more = {"skipped": int(self.optimiser.skipped)} if self.options.precision == "fp16" else {}
        return self.running_metrics.read(self.world, keep=keep) | {"lr": float(self.optimiser.lr)} | more

    @torch.no_grad()
    def held_out_losses(self) -> dict[str, float]:
        """The moving average's mean loss of held-out images, "loss_held_out", and of as many others, "loss_trained".

        Images, times and noise are the same at every step, see `fixed_batches`: the values of two steps differ by what was
        learned between them. Without held-out images {}. With a sharded network all processes must call it. Waits for the device.
        """
        found = {}
        for name, rows in self._parts.items() if self.options.held_out else ():
            batches = fixed_batches(self.batch_spec, rows, self.device)
            with self._kernels():
                errors = [self._losses(self._inputs(batch), self.ema.model) for batch in batches]
            found[name] = float(torch.cat(errors).mean())
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a checkpoint needs except the networks: numbers for JSON, and the optimiser's tensors by name.

        All processes must call it. Raises DivergedError as `check` does. Waits for the device.
        """
        self.check()
        numbers, moments = self.optimiser.state()
        numbers |= {"step": self.step, "ema_updates": int(self.ema.updates), "sums": self.running_metrics.total(self.world)}
        return numbers | {"environment": self.environment, "experiment": self.experiment}, moments

    def _update(self) -> TrainStep:
        inputs = self._inputs(self._batch(self.device))
        with global_randomness(self.options.seed, self.step, self.world.rank, device=self.device), self._kernels():
            mean = self._step(*inputs[:3], **inputs.given)
        self.step += 1
        return TrainStep(self.step, mean)

    def _train(self, x0: Tensor, t: Tensor, eps: Tensor, /, **given: Tensor) -> Tensor:
        """One update of everything that is on the device, by tensors in place alone, see `CudaGraph`; returns the mean loss."""
        inputs = Inputs(x0, t, eps, given)
        # the same number in each process, though some have one sample more: sharded weights are gathered for every part
        parts = min(self.options.accumulate, self.options.batch_size // self.world.size)
        kept, errors = self._buffers.values(), []
        for i in range(parts):
            with summed_over_processes(self._network, i == parts - 1):
                errors.append(self._losses(inputs.part(*part_bounds(len(x0), i, parts)), self._network))
                # the mean over the global batch: DistributedDataParallel divides by the number of processes
                self.optimiser.backward(errors[-1].sum() * (self.world.size / self.options.batch_size))
        finite, norm = self.optimiser.apply()
        self._buffers.restore(kept, unless=finite)
        self.ema.update(self.model, finite)
        found = torch.cat(errors).detach()
        self.running_metrics.add(found, t, norm, finite)
        return found.mean()

    def _batch(self, device: torch.device) -> RandomBatch:
        """The random choices of this process's part of the next update; those of a CPU are other numbers than those of CUDA."""
        part = part_bounds(self.options.batch_size, self.world.rank, self.world.size)
        batch = random_batch(self.batch_spec, self.step, device, *part)
        return batch._replace(indices=self._parts["loss_trained"][batch.indices])

    def _kernels(self) -> AbstractContextManager[None]:
        return chosen_kernels(self.options, self.device)

    def _inputs(self, batch: RandomBatch) -> Inputs:
        inputs = self._data.inputs(batch, labelled=self.options.class_dropout is not None)
        return inputs if self.teacher is None else Inputs(*self.teacher(*inputs[:3], inputs.given), inputs.given)

    def _losses(self, inputs: Inputs, network: Any) -> Tensor:
        """Each sample's loss, (b,), with a graph."""
        options = self.options
        with autocast(options.precision, self.device):
            return losses(
                partial(network, **inputs.given),  # whatever the names of the conditions
                self.schedule,
                inputs.x0,
                t=inputs.t,
                eps=inputs.eps,
                prediction=options.prediction,
                condition=options.condition,
                kind=options.loss,
                weighting=options.weighting,
                gamma=options.gamma,
                scale=self._output_scale,
            )


Trainer.__init__.__signature__ = _signature()  # type: ignore[attr-defined]
