"""From a run's config to its network, and to the function that samples from it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from diffkit_samplers import Denoise, State, clip, ddim, denoiser, guide, resample, seeded, trajectory
from diffkit_schedules import Schedule, as_array_of, namespace
from diffkit_trainer import (
    Normalisation,
    activations,
    auto_batch_size,
    load,
    pick_device,
    read_export,
    read_schedule,
    weights_hash,
)

from diffkit_cli.errors import UsageError
from diffkit_cli.networks import network_of, outline_of
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.memory import require_memory
from diffkit_cli.sampling.options import Recipe
from diffkit_cli.sampling.pretrained import named
from diffkit_cli.terminal.console import plural

__all__ = ["Opened", "Sampler", "exported_in", "open_run"]


class Sampler:
    """A trained network with all it needs to make pictures: schedule, prediction type, normalisation, image shape.

    network: called as network(x, condition). config: a run's; where it has a clip, each x0 is kept within that. Image i of a
    call depends on seeds[i] alone.
    """

    def __init__(self, network: Any, schedule: Schedule, config: RunConfig) -> None:
        self.network, self.schedule, self.config = network, schedule, config
        self.denoise: Denoise = self._denoiser()
        self.normalisation = Normalisation(tuple(config.normalisation.mean), tuple(config.normalisation.std))
        self.shape = (config.image.channels, config.image.height, config.image.width)
        self.like = next(network.parameters())

    def noise(self, seeds: list[int], size: tuple[int, int] | None = None) -> Any:
        """The starting noise of each seed, (len(seeds), C, H, W); size: of another height and width than the run's."""
        shape = (len(seeds), self.shape[0], *(size or self.shape[1:]))
        return self.schedule(1.0).sigma * seeded(seeds, like=self.like)(shape)

    def from_noise(
        self, x: Any, *, steps: int, eta: float = 0.0, spacing: str | Sequence[float] = "uniform", noise: Any = None
    ) -> Any:
        """uint8 pixels from noise at t = 1, both (B, C, H, W), by DDIM."""
        x0 = ddim(self._clipped(self.denoise, "ddim"), self.schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)
        return self.pixels(x0)

    def states(
        self,
        x: Any,
        recipe: Recipe,
        *,
        noise: Any = None,
        times: Sequence[float] | None = None,
        labels: Sequence[int] | None = None,
        wrap: Callable[[Denoise], Denoise] | None = None,
        rounds: int = 1,
    ) -> Iterator[State]:
        """The states of the recipe's sampler from x (B, C, H, W) at its first time; see `diffkit_samplers.trajectory`.

        times: instead of the recipe's own grid. labels: a class for each image. wrap: from the denoise to another one.
        rounds: of each step, see `diffkit_samplers.resample`.
        """
        denoise = self.denoise if labels is None else self._guided(labels, recipe.guidance)
        denoise = self._clipped(denoise, "" if wrap else recipe.sampler)
        return trajectory(
            wrap(denoise) if wrap else denoise,
            self.schedule,
            x,
            method=resample(recipe.update, rounds),
            steps=recipe.steps,
            eta=recipe.eta,
            spacing=times or recipe.spacing,
            noise=noise,
        )

    def pixels(self, x0: Any) -> Any:
        """Clean data as uint8 pixels in the host's memory."""
        pixels = self.normalisation.to_pixels(x0)
        return namespace(pixels).asarray(pixels, device="cpu")

    def batch_size(self, size: tuple[int, int], asked: int | None = None) -> int:
        """The number of images of a size to draw at a time: as asked, or those whose activations fit, see `auto_batch_size`.

        Raises UsageError where even a lower bound of what they take does not fit.
        """
        xp = namespace(self.like)
        kind = {"dtype": self.like.dtype, "device": self.like.device}
        inputs = [xp.zeros((1, self.shape[0], *size), **kind), xp.ones((1,), **kind)]
        if self.config.num_classes:
            inputs.append(xp.zeros((1,), dtype=xp.int64, device=self.like.device))
        least, images = activations(self.network, *inputs).least, asked or 1
        smaller = "take a smaller --size" if images == 1 else "take fewer of them or a smaller --size"
        what = f"{plural(images, 'image')} of {size[1]}x{size[0]} at a time"
        require_memory(what, images * least, smaller, self.like.device)
        return asked or auto_batch_size(self.network, *inputs)

    def _guided(self, labels: Sequence[int], scale: float) -> Denoise:
        """The class's denoise, led away from that of "no class" by the scale; 1 is off."""
        none = [self.config.num_classes or 0] * len(labels)
        return guide(self._denoiser(labels), self._denoiser(none), scale)

    def _clipped(self, denoise: Denoise, sampler: str) -> Denoise:
        """denoise, clipped where the config says so; DDIM goes on with the noise of the x0 before, as diffusers' does."""
        bound = self.config.clip_x0
        return denoise if bound is None else clip(denoise, -bound, bound, keep_eps=self.schedule if sampler == "ddim" else None)

    def _denoiser(self, labels: Sequence[int] | None = None) -> Denoise:
        given: dict[str, Any] = {}
        if labels is not None:
            given["class_labels"] = as_array_of(list(labels), self.like, dtype=namespace(self.like).int64)
        return denoiser(self.network, self.schedule, self.config.prediction, self.config.condition, **given)


class Opened(NamedTuple):
    """A sampler and where it comes from: the training step, the hash of its weights, whether it is the raw network."""

    sampler: Sampler
    step: int
    weights: str
    raw: bool
    warnings: list[str]

    def note(self) -> dict[str, Any]:
        """What a picture says of the network that drew it."""
        return {"weights": self.weights, "step": self.step, "raw": self.raw}


def exported_in(run: Path) -> Path | None:
    """The file in which `diffkit export` or `diffkit import` wrote a network, given that file or its folder; None for a run."""
    inside = run / "model.safetensors"
    return inside if inside.is_file() else run if run.suffix.lower() == ".safetensors" and run.is_file() else None


def open_run(run: Path, *, raw: bool, device: str) -> Opened:
    """The sampler of a run's newest checkpoint that verifies, with its step, and warnings about damaged ones passed over; or
    that of a file of `diffkit export`.

    raw: the network as trained, not its average. Raises RunError for a run that is missing or damaged, UsageError for a
    file that holds the average alone.
    """
    found: list[tuple[RunConfig, Schedule]] = []

    def expected(document: dict[str, Any]) -> Any:
        config = RunConfig.of(document)
        found.append((config, read_schedule(config.schedule)))
        return outline_of(config.network).state_dict()

    where = pick_device(device)
    run = exported_in(run) or run
    if run.is_file():
        weights, _, step, holds_raw = read_export(run, expected)
        warnings = list[str]()
    else:
        holds_raw = raw
        step, _, weights, warnings = load(run, "model" if raw else "ema", expected)
    config, schedule = found[-1]
    network = network_of(config.network)
    network.load_state_dict(weights)
    sampler = Sampler(network.to(where).eval(), schedule, config)
    if raw and not holds_raw:
        raise UsageError(f"--raw: only the moving average is in {named(run)}: leave --raw out")
    return Opened(sampler, step, weights_hash(weights), holds_raw, warnings)
