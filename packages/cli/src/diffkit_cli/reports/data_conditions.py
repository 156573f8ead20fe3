"""The training data of a run with its conditions, which the samples of an evaluation are given."""

from pathlib import Path

from diffkit_trainer import Images, Normalisation
from torch import Tensor

from diffkit_cli.errors import UsageError
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.model import Conditioning
from diffkit_cli.training.data import DATA_OPTIONS, open_data
from diffkit_cli.training.start.classes import without_unused_classes
from diffkit_cli.training.start.resolve import stored_options

__all__ = ["conditioning_of", "open_training_data"]


def open_training_data(run: Path, config: RunConfig, data: str | None) -> Images:
    """The images that a run was trained on, with their conditions. data: DATA of the command, None where it was not given.

    Raises UsageError for other data, whose conditions are not known, and for data that has changed since; DataError where it
    cannot be read.
    """
    names = ", ".join(config.conditions)
    if data not in (None, config.data.source):
        raise UsageError(f"{run} is conditioned on {names}, which {data} does not give: leave DATA out, for its training data")
    options = stored_options(config)
    images, _ = open_data({name: getattr(options, name) for name in DATA_OPTIONS})
    images = without_unused_classes(images, {}, config)
    if images.fingerprint != config.data.fingerprint:
        raise UsageError(f"{config.data.source}: not the images and the {names} that {run} was trained on: restore them")
    return images


def conditioning_of(images: Images, config: RunConfig, rows: Tensor, count: int) -> Conditioning:
    """What `count` samples are given: the classes and conditions of these rows of a run's images, in turn."""
    chosen = rows[[i % len(rows) for i in range(count)]]
    labels = images.labels[chosen].tolist() if config.num_classes and images.labels is not None else None
    conditions = {}
    for name, each in config.conditions.items():
        normalise = Normalisation(tuple(each.mean), tuple(each.std)).to_network
        conditions[name] = normalise(images.conditions[name][chosen])
    return Conditioning(labels, conditions)
