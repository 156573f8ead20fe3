"""From the options of a run to its trainer, and to its config.json."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from diffkit_schedules import from_config, namespace, to_config
from diffkit_trainer import (
    LOGGERS,
    Images,
    Normalisation,
    RunError,
    Teacher,
    Trainer,
    World,
    check_network,
    read_schedule,
    seed_weights,
)
from diffkit_trainer.options import shown
from diffkit_unet import LinearPreconditioner

from diffkit_cli.errors import UsageError
from diffkit_cli.networks import Inputs, network_config, network_of
from diffkit_cli.recipes import PRESETS, sampling_of
from diffkit_cli.run_config import Condition, Data, ImageShape, Normalised, RunConfig, SampleShape, Sampling
from diffkit_cli.training.options import OPTIONS, TrainOptions
from diffkit_cli.training.start.resolve import NOT_RESUMABLE

__all__ = ["build_trainer", "config_of", "network_config_of"]

FIT_BATCH = 256

KEPT = ("sampling", "clip_x0", "imported", "fine_tuned_from", "distilled")
"""What a config keeps of the stored one beside the network."""

PACKAGES = ("schedules", "samplers", "unet", "trainer", "cli")


def network_config_of(options: TrainOptions, images: Images, stored: RunConfig | None) -> dict[str, Any]:
    """The config of the network to train. stored: of the run to be resumed or fine-tuned, whose network it is then.

    Raises RunError for a stored network that does not fit the images' classes or the options; UsageError for a network that
    cannot have a linear part.
    """
    classes = (len(images.classes) or None) if options.class_dropout is not None else None
    inputs = Inputs.of(images, classes)
    if stored is None:
        if not options.linear:
            return network_config(options.preset, inputs)
        path = getattr(from_config({"name": options.schedule}), "path", None)
        linear = {"size": list(images.shape[1:]), "prediction": options.prediction, "path": path}
        try:
            return network_config(options.preset, inputs, linear)
        except ValueError as error:
            raise UsageError(f"linear: {error}") from None
    if stored.num_classes != classes:
        raise RunError(f"{NOT_RESUMABLE}: its network has num_classes {stored.num_classes!r:.60}, expected {classes}")
    if options.linear != ("network" in stored.network):
        raise RunError(f"{NOT_RESUMABLE}: linear is {shown(options.linear)}, which its network is not")
    return stored.network


def build_trainer(
    network: Mapping[str, Any],
    images: Images,
    stored: RunConfig | None,
    weights: Mapping[str, Any] | None,
    world: World,
    device: Any,
    options: TrainOptions,
    *,
    teacher: Teacher | None = None,
) -> Trainer:
    """The trainer of a run.

    network: its config. stored: of the run to be resumed, or of the network to be fine-tuned: schedule and normalisation are
    those of that config, whatever the schedule's name stands for by now. weights: of the network to be fine-tuned. teacher: see
    `Trainer`.

    Raises RunError for a stored run without such a network or schedule.
    """
    seed_weights(options.seed)
    normalisation, of_conditions = None, None
    if stored is None:
        schedule, model = from_config({"name": options.schedule}), network_of(network)
    else:
        try:
            schedule, model = read_schedule(stored.schedule), network_of(network)
            if options.prediction == "eps" and schedule(1.0).alpha == 0:
                raise ValueError("eps is undefined at zero terminal SNR, which its schedule has")
        except ValueError as error:
            raise RunError(f"{NOT_RESUMABLE}: {error}") from None
        normalisation = Normalisation(tuple(stored.normalisation.mean), tuple(stored.normalisation.std))
        stored_ones = stored.conditions.items()
        of_conditions = {name: Normalisation(tuple(each.mean), tuple(each.std)) for name, each in stored_ones}
    if weights is not None:
        model.load_state_dict(weights)
    elif isinstance(model, LinearPreconditioner):
        to_network = (normalisation or Normalisation.of(images, options.normalise)).to_network
        model.fit(map(to_network, images.pixels.split(FIT_BATCH)), flip=options.flip)
    options = options.changed(condition=getattr(model, "condition", options.condition))
    if "name" in network:  # not ours
        check_network(model, images, schedule, options)
    normalisations: dict[str, Any] = {"normalisation": normalisation, "condition_normalisations": of_conditions}
    return Trainer(model, images, schedule, options, **normalisations, teacher=teacher, device=device, world=world)


def config_of(options: TrainOptions, trainer: Trainer, network: dict[str, Any], stored: RunConfig | None = None) -> RunConfig:
    """Everything resolved, as it stands in config.json and travels in each checkpoint. stored: see `build_trainer`."""
    images = trainer.images
    training = {name: value for name, value in msgspec.to_builtins(options).items() if name in OPTIONS}
    source = training.pop("data")
    training |= {name: str(Path(training[name]).resolve()) for name in ("table", "given") if training[name] is not None}
    return RunConfig(
        data=Data(
            source=source if source == "digits" else str(Path(source).resolve()),
            images=len(images),
            fingerprint=images.fingerprint,
            classes=list(images.classes),
        ),
        **_shape_of(images),
        conditions=_conditions_of(trainer),
        normalisation=Normalised(list(trainer.normalisation.mean), list(trainer.normalisation.std)),
        network=network,
        schedule=to_config(trainer.schedule),
        prediction=trainer.options.prediction,
        condition=trainer.options.condition,
        training=training,
        versions=_versions(options),
        **({"sampling": _sampling(options)} if stored is None else {name: getattr(stored, name) for name in KEPT}),
    )


def _shape_of(images: Images) -> dict[str, Any]:
    """The shape of the samples, as config.json has it."""
    channels, *space = images.shape
    kind = _type_of(images.pixels)
    if kind == "uint8" and len(space) == 2 and channels in (1, 3):
        return {"image": ImageShape(channels, *space)}
    return {"samples": SampleShape(channels, tuple(space), kind)}


def _conditions_of(trainer: Trainer) -> dict[str, Condition]:
    """The conditions of the network, with their normalisations."""
    found = {}
    for name, each in trainer.images.conditions.items():
        mean, std = trainer.condition_normalisations[name]
        found[name] = Condition(tuple(each.shape[1:]), list(mean), list(std), _type_of(each))
    return found


def _type_of(values: Any) -> Any:
    return "uint8" if values.dtype == namespace(values).uint8 else "float32"


def _sampling(options: TrainOptions) -> Sampling | None:
    """The recipe's options of sampling that fit the training: without a linear part sampling starts from noise."""
    found = sampling_of(options.preset)
    if not options.linear:
        found.pop("start", None)
    if not options.class_dropout or options.class_dropout == 1:  # a class or the null class is not learned
        found.pop("guidance", None)
    return Sampling(**found) if found else None


def _versions(options: TrainOptions) -> dict[str, str]:
    """The version of every distribution that takes part: ours, and those that registered a part of this run."""
    from diffkit_schedules import SCHEDULES

    parts = [PRESETS.origin(options.preset), SCHEDULES.origin(options.schedule), *map(LOGGERS.origin, options.log_to)]
    ours = {f"diffkit-{package}": metadata.version(f"diffkit-{package}") for package in PACKAGES}
    return ours | dict(parts)
