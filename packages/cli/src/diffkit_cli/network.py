"""From a run's config to its network, and to the function that samples from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffkit_samplers import Denoise, ddim, denoiser, seeded
from diffkit_schedules import Schedule, from_config
from diffkit_trainer import Normalisation, RunError, load, pick_device
from diffkit_unet import UNet

__all__ = ["Sampler", "open_run"]


class Sampler:
    """A trained network with all it needs to make pictures: schedule, prediction type, normalisation, image shape.

    network: called as network(x, condition). config: a run's config. Image i of a call depends on seeds[i] alone.
    """

    def __init__(self, network: Any, config: dict[str, Any]) -> None:
        self.schedule: Schedule = from_config(config["schedule"])
        self.denoise: Denoise = denoiser(network, self.schedule, config["prediction"], config["condition"])
        self.normalisation = Normalisation(tuple(config["normalisation"]["mean"]), tuple(config["normalisation"]["std"]))
        self.shape = (config["image"]["channels"], config["image"]["height"], config["image"]["width"])
        self.like = next(network.parameters())

    def noise(self, seeds: list[int]) -> Any:
        """The starting noise of each seed, (len(seeds), C, H, W)."""
        return self.schedule(1.0).sigma * seeded(seeds, like=self.like)((len(seeds), *self.shape))

    def images(self, seeds: list[int], *, steps: int, eta: float, batch_size: int) -> Iterator[Any]:
        """uint8 pixels (b, C, H, W) for each batch of the seeds, by DDIM."""
        for start in range(0, len(seeds), batch_size):
            part = seeds[start : start + batch_size]
            source = seeded(part, like=self.like)
            x = self.schedule(1.0).sigma * source((len(part), *self.shape))
            yield self.from_noise(x, steps=steps, eta=eta, noise=source)

    def from_noise(self, x: Any, *, steps: int, eta: float = 0.0, noise: Any = None) -> Any:
        """uint8 pixels from noise at t = 1, both (B, C, H, W)."""
        return self.normalisation.to_pixels(ddim(self.denoise, self.schedule, x, steps=steps, eta=eta, noise=noise))


def open_run(run: Path, *, raw: bool, device: str) -> tuple[Sampler, int, list[str]]:
    """The sampler of a run's newest checkpoint that verifies, its step, and warnings about damaged ones passed over.

    raw: the network as trained, not its average. Raises RunError for a run that is missing or damaged.
    """
    networks = []

    def expected(config: dict[str, Any]) -> Any:
        networks.append(UNet.from_config(config["network"]))
        return networks[0].state_dict()

    try:
        loaded = load(run, "model" if raw else "ema", expected)
        network = networks[0]
        network.load_state_dict(loaded.weights)
        sampler = Sampler(network.to(pick_device(device)).eval(), loaded.config)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run}: its config does not describe a network: {error}") from None
    return sampler, loaded.step, loaded.warnings
