"""From a config to what trains, and to what is written down of it."""

import dataclasses
from pathlib import Path
from typing import Any

from diffkit_schedules import to_config
from diffkit_trainer import Images, RunError, Trainer, World, read_schedule, seed_weights
from diffkit_unet import UNet, preset

from diffkit_cli.run_config import Data, ImageShape, Normalised, RunConfig
from diffkit_cli.training.config import TrainConfig, schedule_named

__all__ = ["resolved", "trainer_of"]


def trainer_of(config: TrainConfig, images: Images, stored: RunConfig | None, world: World, device: Any) -> Trainer:
    """The trainer of a config in which everything is decided; network and schedule are those of the stored run where there is
    one, whatever their names stand for by now.

    Raises RunError for a stored run that has no such network or schedule.
    """
    seed_weights(config.seed)
    classes = len(images.classes) if config.class_dropout is not None else None
    if stored is None:
        network = preset(str(config.preset), in_channels=images.shape[0], num_classes=classes or None)
        schedule = schedule_named(config.schedule)
    else:
        try:
            network, schedule = UNet.from_config(stored.network), read_schedule(stored.schedule)
            if config.prediction == "eps" and schedule(1.0).alpha == 0:
                raise ValueError("its prediction eps says nothing of the pure noise at the end of its schedule")
            if network.num_classes != (classes or None):
                raise ValueError(f"its network has num_classes {network.num_classes}, expected {classes}")
        except ValueError as error:
            raise RunError(f"the run's config.json does not describe a training: {error}") from None
    return Trainer(
        network,
        images,
        schedule,
        prediction=str(config.prediction),
        condition=network.condition,
        kind=config.loss,
        weighting=config.weighting,
        gamma=config.gamma,
        times=config.times,
        normalise=config.normalise,
        batch_size=int(config.batch_size or 1),
        accumulate=config.accumulate,
        ema=config.ema,
        flip=config.flip,
        class_dropout=config.class_dropout,
        precision=config.precision,
        compiled=config.compile,
        channels_last=config.channels_last,
        shard=config.shard,
        seed=config.seed,
        device=device,
        world=world,
        lr=float(config.lr or 0),
        weight_decay=config.weight_decay,
        lr_schedule=config.lr_schedule,
        warmup=config.warmup,
        decay_steps=config.decay_steps,
        clip=config.clip,
    )


def resolved(config: TrainConfig, trainer: Trainer) -> RunConfig:
    """Everything resolved, as it stands in config.json and travels in each checkpoint."""
    images = trainer.images
    training = dataclasses.asdict(config)
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
        network=trainer.model.to_config(),
        schedule=to_config(trainer.schedule),
        prediction=trainer.loss_options["prediction"],
        condition=trainer.loss_options["condition"],
        training=training,
    )
