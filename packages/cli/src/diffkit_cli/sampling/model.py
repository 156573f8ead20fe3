"""A trained diffusion model: a network with the schedule, prediction type and normalisation that it was trained with."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from diffkit_samplers import Denoise, State, clip, ddim, denoiser, guide, resample, seeded, trajectory
from diffkit_schedules import Schedule, add_noise, as_array_of, namespace
from diffkit_trainer import Normalisation, activations

from diffkit_cli.errors import UsageError
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.limits import require_memory
from diffkit_cli.sampling.options import SamplingOptions
from diffkit_cli.terminal.console import plural

__all__ = ["DiffusionModel"]


class DiffusionModel:
    """A network with all that sampling from it needs: schedule, prediction type, normalisation, image shape.

    network: called as network(x, condition). config: of its run; where it has clip_x0, each x0 is clipped to that.
    """

    def __init__(self, network: Any, schedule: Schedule, config: RunConfig) -> None:
        self.network, self.schedule, self.config = network, schedule, config
        self.normalisation = Normalisation(tuple(config.normalisation.mean), tuple(config.normalisation.std))
        self.shape = (config.image.channels, config.image.height, config.image.width)
        self.like = next(network.parameters())

    def noise(self, seeds: list[int], size: tuple[int, int] | None = None) -> Any:
        """The noise of each seed at t = 1, (len(seeds), C, H, W); size: (H, W), by default the run's."""
        shape = (len(seeds), self.shape[0], *(size or self.shape[1:]))
        return self.schedule(1.0).sigma * seeded(seeds, like=self.like)(shape)

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
        labels: Sequence[int] | None = None,
        guidance: float = 1.0,
    ) -> Any:
        """uint8 pixels from noise at t = 1, both (B, C, H, W), by DDIM; labels, guidance: see `denoiser_of`."""
        denoise = self._clipped(self.denoiser_of(labels, guidance), "ddim")
        return self.pixels(ddim(denoise, self.schedule, x, steps=steps, spacing=spacing))

    def denoiser_of(self, labels: Sequence[int] | None, guidance: float = 1.0, worse: "DiffusionModel | None" = None) -> Denoise:
        """denoise(x_t, t) -> x0, not clipped, for a batch of these classes; None for unconditional samples.

        guidance: the scale of guidance, 1 is off: by a worse network with the same classes (autoguidance), by default by the null
        class (classifier-free guidance).
        """
        if worse is not None:
            return guide(self._denoiser(labels), worse._denoiser(labels), guidance)  # noqa: SLF001
        if labels is None:
            return self._denoiser(None)
        return guide(self._denoiser(labels), self._denoiser([self.config.num_classes or 0] * len(labels)), guidance)

    def states(
        self,
        seeds: Sequence[int],
        options: SamplingOptions,
        times: Sequence[float],
        *,
        labels: Sequence[int] | None = None,
        x0: Any = None,
        wrap: Callable[[Denoise], Denoise] | None = None,
        rounds: int = 1,
        worse: "DiffusionModel | None" = None,
    ) -> Iterator[State]:
        """The states of the sampler, an image for each seed; see `diffkit_samplers.trajectory`.

        labels: a class for each image. x0: the clean image (C, H, W) that is noised to the first time (SDEdit). wrap: applied to
        the denoiser. rounds: of each step, see `diffkit_samplers.resample`. worse: see `denoiser_of`.
        """
        noise = seeded(seeds, like=self.like)
        z = noise((len(seeds), self.shape[0], *options.size))
        x = self.start(z, times[0], options)
        if x0 is not None:
            x = add_noise(x0 + 0 * z, z, self.schedule(times[0]))
        denoise = self._clipped(self.denoiser_of(labels, options.guidance, worse), "" if wrap else options.sampler)
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

    def pixels(self, x0: Any) -> Any:
        """Clean data as uint8 pixels on the CPU."""
        pixels = self.normalisation.to_pixels(x0)
        return namespace(pixels).asarray(pixels, device="cpu")

    def batch_size(self, size: tuple[int, int], given: int | None = None) -> int:
        """The number of images of a size to generate at a time: as given, or as many as fit, see `Activations.batch_size`.

        Raises UsageError where even a lower bound of their memory does not fit.
        """
        xp = namespace(self.like)
        kind = {"dtype": self.like.dtype, "device": self.like.device}
        inputs = [xp.zeros((1, self.shape[0], *size), **kind), xp.ones((1,), **kind)]
        if self.config.num_classes:
            inputs.append(xp.zeros((1,), dtype=xp.int64, device=self.like.device))
        found, images = activations(self.network, *inputs), given or 1
        smaller = "use a smaller --size" if images == 1 else "use fewer images at a time or a smaller --size"
        what = f"{plural(images, 'image')} of {size[1]}x{size[0]} at a time"
        require_memory(what, images * found.least, smaller, self.like.device)
        return given or found.batch_size(self.like.device)

    def _clipped(self, denoise: Denoise, sampler: str) -> Denoise:
        """denoise, clipped where the config says so; DDIM keeps the noise of the x0 before clipping, as diffusers does."""
        bound = self.config.clip_x0
        return denoise if bound is None else clip(denoise, -bound, bound, keep_eps=self.schedule if sampler == "ddim" else None)

    def _denoiser(self, labels: Sequence[int] | None) -> Denoise:
        conditions: dict[str, Any] = {}
        if labels is not None:
            conditions["class_labels"] = as_array_of(list(labels), self.like, dtype=namespace(self.like).int64)
        return denoiser(self.network, self.schedule, self.config.prediction, self.config.condition, **conditions)
