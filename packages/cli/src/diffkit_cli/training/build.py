"""From the options of a run to its trainer, and to its config.json."""

from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from diffkit_schedules import from_config, to_config
from diffkit_trainer import LOGGERS, Images, RunError, Trainer, World, read_schedule, seed_weights

from diffkit_cli.networks import network_of, new_network
from diffkit_cli.presets import PRESETS, preset_named
from diffkit_cli.run_config import Data, ImageShape, Normalised, RunConfig
from diffkit_cli.training.options import OPTIONS, TrainOptions

__all__ = ["build_trainer", "config_of"]

PACKAGES = ("schedules", "samplers", "unet", "trainer", "cli")


def build_trainer(
    options: TrainOptions, images: Images, stored: RunConfig | None, world: World, device: Any
) -> tuple[Trainer, dict[str, Any]]:
    """The trainer of a run, and its network's config. stored: the run to be resumed: its network and schedule are those of its
    config.json, whatever their names stand for by now.

    Raises RunError for a stored run without such a network or schedule.
    """
    seed_weights(options.seed)
    classes = (len(images.classes) or None) if options.class_dropout is not None else None
    if stored is None:
        preset = preset_named(options.preset)
        network, config = new_network(options.preset, preset, images.shape[0], classes)
        schedule = from_config({"name": options.schedule})
    else:
        try:
            network, config, schedule = network_of(stored.network), stored.network, read_schedule(stored.schedule)
            if options.prediction == "eps" and schedule(1.0).alpha == 0:
                raise ValueError("eps is undefined at zero terminal SNR, which its schedule has")
            if config.get("num_classes") != classes:
                raise ValueError(f"its network has num_classes {config.get('num_classes')}, expected {classes}")
        except ValueError as error:
            raise RunError(f"the run's config.json does not describe a training: {error}") from None
    condition = getattr(network, "condition", options.condition)
    trainer = Trainer(network, images, schedule, options.changed(condition=condition), device=device, world=world)
    return trainer, config


def config_of(options: TrainOptions, trainer: Trainer, network: dict[str, Any]) -> RunConfig:
    """Everything resolved, as it stands in config.json and travels in each checkpoint."""
    images = trainer.images
    training = {name: value for name, value in msgspec.to_builtins(options).items() if name in OPTIONS}
    source = training.pop("data")
    return RunConfig(
        data=Data(
            source=source if source == "digits" else str(Path(source).resolve()),
            images=len(images),
            fingerprint=images.fingerprint,
            classes=list(images.classes),
        ),
        image=ImageShape(*images.shape),
        normalisation=Normalised(list(trainer.normalisation.mean), list(trainer.normalisation.std)),
        network=network,
        schedule=to_config(trainer.schedule),
        prediction=trainer.options.prediction,
        condition=trainer.options.condition,
        training=training,
        versions=_versions(options),
    )


def _versions(options: TrainOptions) -> dict[str, str]:
    """The version of every distribution that takes part: ours, and those that registered a part of this run."""
    from diffkit_schedules import SCHEDULES

    parts = [PRESETS.origin(options.preset), SCHEDULES.origin(options.schedule), *map(LOGGERS.origin, options.log_to)]
    ours = {f"diffkit-{package}": metadata.version(f"diffkit-{package}") for package in PACKAGES}
    return ours | dict(parts)
