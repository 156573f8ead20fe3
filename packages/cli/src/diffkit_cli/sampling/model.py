"""A trained diffusion model: a network with the schedule, prediction type and normalisation that it was trained with."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from diffkit_samplers import Denoise, State, clip, denoiser, guide, resample, seeded, trajectory
from diffkit_schedules import Schedule, add_noise, as_array_of, namespace
from diffkit_trainer import Evaluator, Normalisation, activations

from diffkit_cli.errors import UsageError
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.limits import require_memory
from diffkit_cli.sampling.options import SamplingOptions
from diffkit_cli.terminal.console import noun, plural

__all__ = ["UNCONDITIONAL", "Conditioning", "DiffusionModel"]


class Conditioning(NamedTuple):
    """What samples are conditioned on: a class for each, None for unconditional ones, and conditions (n, ...) by name.

    The conditions are as the network gets them, NaN where they are missing.
    """

    labels: Sequence[int] | None = None
    conditions: Mapping[str, Any] = {}

    def rows(self, chosen: Sequence[int]) -> "Conditioning":
        """Those of some samples."""
        labels = None if self.labels is None else [self.labels[i] for i in chosen]
        return Conditioning(labels, {name: each[list(chosen)] for name, each in self.conditions.items()})

    def null(self, null_class: int) -> "Conditioning":
        """The null of as many samples: the null class, and missing conditions."""
        labels = None if self.labels is None else [null_class] * len(self.labels)
        return Conditioning(labels, {name: each * math.nan for name, each in self.conditions.items()})


UNCONDITIONAL = Conditioning()


class DiffusionModel:
    """A network with all that sampling from it needs: schedule, prediction type, normalisation, image shape.

    network: called as network(x, condition). config: of its run; where it has clip_x0, each x0 is clipped to that.
    """

    def __init__(self, network: Any, schedule: Schedule, config: RunConfig) -> None:
        self.network, self.schedule, self.config = network, schedule, config
        self.normalisation = Normalisation(tuple(config.normalisation.mean), tuple(config.normalisation.std))
        self.shape = config.shape
        self.like = next(network.parameters())
        self._evaluators: dict[tuple[str, bool], Evaluator] = {}

    def noise(self, seeds: list[int], size: Sequence[int] | None = None, t: float = 1.0) -> Any:
        """The noise of each seed at time t, (len(seeds), C, *space); size: the space, by default the run's."""
        shape = (len(seeds), self.shape[0], *(size or self.shape[1:]))
        return self.schedule(t).sigma * seeded(seeds, like=self.like)(shape)

    def start(self, z: Any, t: float, options: SamplingOptions) -> Any:
        """What sampling starts from at time t, from standard normal z (B, C, H, W): see `SamplingOptions.start`.

        Raises UsageError for the Gaussian of a network without a linear part.
        """
        rates = self.schedule(t)
        if options.start == "noise":
            return rates.sigma * z
        if not hasattr(self.network, "noisy"):
            raise UsageError("start 'gaussian' needs a network with a linear part, which this run's does not have")
        return self.network.noisy(z, rates.log_snr)

    def from_noise(
        self,
        x: Any,
        *,
        steps: int,
        spacing: str | Sequence[float] = "uniform",
        given: Conditioning = UNCONDITIONAL,
        guidance: float = 1.0,
        precision: str = "fp32",
    ) -> Any:
        """Values from noise at t = 1, both (B, C, *space), by DDIM, see `values`; given ... precision: see `denoiser_of`."""
        how: dict[str, Any] = {"guidance": guidance, "precision": precision}
        for state in self.states_from_noise(x, steps=steps, spacing=spacing, given=given, **how):  # noqa: B007
            pass
        return self.values(state.x0)

    def states_from_noise(
        self,
        x: Any,
        *,
        steps: int,
        spacing: str | Sequence[float],
        given: Conditioning = UNCONDITIONAL,
        guidance: float = 1.0,
        precision: str = "fp32",
    ) -> Iterator[State]:
        """The states of DDIM from noise at t = 1, see `from_noise`."""
        denoise = self.clipped(self.denoiser_of(given, guidance, precision=precision), "ddim")
        return trajectory(denoise, self.schedule, x, steps=steps, spacing=spacing)

    def denoiser_of(
        self,
        given: Conditioning,
        guidance: float = 1.0,
        worse: "DiffusionModel | None" = None,
        *,
        precision: str = "fp32",
        compiled: bool = False,
    ) -> Denoise:
        """denoise(x_t, t) -> x0, not clipped, for a batch with these classes and conditions.

        guidance: the scale of guidance, 1 is off: by a worse network with the same classes and conditions (autoguidance), by
        default by the null class and missing conditions (classifier-free guidance). precision, compiled: see
        `diffkit_trainer.Evaluator`.
        """
        how: Any = {"precision": precision, "compiled": compiled}
        if worse is not None:
            return guide(self._denoiser(given, **how), worse._denoiser(given, **how), guidance)  # noqa: SLF001
        if given == UNCONDITIONAL:
            return self._denoiser(given, **how)
        return guide(self._denoiser(given, **how), self._denoiser(given.null(self.config.num_classes or 0), **how), guidance)

    def states(
        self,
        seeds: Sequence[int],
        options: SamplingOptions,
        times: Sequence[float],
        *,
        given: Conditioning = UNCONDITIONAL,
        x0: Any = None,
        wrap: Callable[[Denoise], Denoise] | None = None,
        rounds: int = 1,
        worse: "DiffusionModel | None" = None,
        compiled: bool = False,
    ) -> Iterator[State]:
        """The states of the sampler, a sample for each seed; see `diffkit_samplers.trajectory`.

        given: the class and conditions of each. x0: the clean image (C, H, W) that is noised to the first time (SDEdit). wrap:
        applied to the denoiser. rounds: of each step, see `diffkit_samplers.resample`. worse, compiled: see `denoiser_of`.
        """
        noise = seeded(seeds, like=self.like)
        z = noise((len(seeds), self.shape[0], *options.size))
        x = self.start(z, times[0], options)
        if x0 is not None:
            x = add_noise(x0 + 0 * z, z, self.schedule(times[0]))
        denoise = self.denoiser_of(given, options.guidance, worse, precision=options.precision, compiled=compiled)
        denoise = self.clipped(denoise, "" if wrap else options.sampler)
        return trajectory(
            wrap(denoise) if wrap else denoise,
            self.schedule,
            x,
            method=resample(options.sampler, rounds),
            steps=options.steps,
            eta=options.eta,
            spacing=times,
            noise=noise,
        )

    def values(self, x0: Any) -> Any:
        """Clean data in the data's type on the CPU: uint8 pixels, or float32 in the data's unit."""
        other = self.config.samples is not None and self.config.samples.type != "uint8"
        values = (self.normalisation.to_values if other else self.normalisation.to_pixels)(x0)
        return namespace(values).asarray(values, device="cpu")

    def batch_size(self, size: Sequence[int], given: int | None = None) -> int:
        """The number of samples of a size to generate at a time: as given, or as many as fit, see `Activations.batch_size`.

        Raises UsageError where even a lower bound of their memory does not fit.
        """
        xp = namespace(self.like)
        kind = {"dtype": self.like.dtype, "device": self.like.device}
        inputs = [xp.zeros((1, self.shape[0], *size), **kind), xp.ones((1,), **kind)]
        more = {name: xp.zeros((1, *each.shape), **kind) for name, each in self.config.conditions.items()}
        if self.config.num_classes:
            more["class_labels"] = xp.zeros((1,), dtype=xp.int64, device=self.like.device)
        found, images = activations(self.network, *inputs, **more), given or 1
        smaller = "use a smaller --size" if images == 1 else "use fewer images at a time or a smaller --size"
        what = f"{plural(images, noun(self.shape))} of {'x'.join(map(str, size[::-1]))} at a time"
        require_memory(what, images * found.least, smaller, self.like.device)
        return given or found.batch_size(self.like.device)

    def clipped(self, denoise: Denoise, sampler: str) -> Denoise:
        """denoise, clipped where the config says so; DDIM keeps the noise of the x0 before clipping, as diffusers does."""
        bound = self.config.clip_x0
        return denoise if bound is None else clip(denoise, -bound, bound, keep_eps=self.schedule if sampler == "ddim" else None)

    def _denoiser(self, given: Conditioning, *, precision: str, compiled: bool) -> Denoise:
        evaluator = self._evaluators.get((precision, compiled)) or Evaluator(self.network, precision, compiled=compiled)
        self._evaluators[precision, compiled] = evaluator
        conditions = {name: as_array_of(each, self.like) for name, each in given.conditions.items()}
        if given.labels is not None:
            conditions["class_labels"] = as_array_of(list(given.labels), self.like, dtype=namespace(self.like).int64)
        unconditional = denoiser(evaluator, self.schedule, self.config.prediction, self.config.condition)
        return replace(unconditional, model_kwargs=conditions)  # whatever the names of the conditions
