"""The metadata of a PNG of `diffkit sample`: the options and the model that generated it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from diffkit_samplers import METHODS
from diffkit_trainer import DataError, read_metadata
from diffkit_trainer.files import NonNegativeInt, Text, convert
from msgspec import Meta

from diffkit_cli.sampling.condition_texts import conditions_of_image, without_folders
from diffkit_cli.sampling.options import SamplingOptions
from diffkit_cli.terminal.console import command
from diffkit_cli.time_lists import times_in

__all__ = [
    *("NAMES", "SampleMetadata", "file_metadata", "image_metadata"),
    *("options_metadata", "options_to_reproduce", "read_sample_metadata"),
]

NAMES = "names"
"""The key of the names of the run and of the images that were read. They say where from; the hashes say what."""

READ = {"inpaint": {"image": "", "mask": "--mask"}, "interpolate": {"from": "--from", "to": "--to"}}
"""The images that other commands read, by their key in the metadata, and their flags; `interpolate` may read none."""


class SampleMetadata(SamplingOptions, frozen=True, kw_only=True):
    """The metadata of an image, or of a grid of images; see `image_metadata`."""

    command: Text
    weights: Text
    step: NonNegativeInt
    raw: bool
    grid: bool
    init: Text | None = None
    guide_by: Text | None = None
    condition_files: Mapping[Text, Text] = msgspec.field(default_factory=dict)
    strength: Annotated[float, Meta(gt=0, le=1)] | None = None
    names: dict[str, Text] = msgspec.field(default_factory=dict)


def options_metadata(options: SamplingOptions) -> dict[str, Any]:
    """The options as plain JSON, with the classes of the n images; versions: of the distribution of the sampler."""
    document: dict[str, Any] = msgspec.to_builtins(options)
    versions = dict([METHODS.origin(options.sampler)])
    classes = list(options.classes[: options.n])
    del document["conditions"]
    conditions = {"conditions": [without_folders(text) for text in options.conditions]} if options.conditions else {}
    return document | {"size": list(options.size), "classes": classes, "versions": versions} | conditions


def file_metadata(metadata: Mapping[str, Any], *, single: bool = False) -> dict[str, Any]:
    """The metadata of a file, from those of all images: of a grid, or of a single image."""
    return image_metadata(metadata, 0) if single else {**metadata, "grid": True}


def image_metadata(metadata: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The metadata of image i, from those of all images: with its own seed, class and conditions.

    >>> image_metadata({"seed": 4, "n": 3, "classes": ["cat", "dog"]}, 1)
    {'seed': 5, 'n': 1, 'classes': ['dog'], 'grid': False}
    """
    classes = metadata["classes"]
    own = {"classes": [classes[i % len(classes)]] if classes else []}
    if "conditions" in metadata:
        own["conditions"] = conditions_of_image(metadata["conditions"], i)
    return {**metadata, "seed": metadata["seed"] + i, "n": 1, **own, "grid": False}


def read_sample_metadata(path: Path) -> SampleMetadata:
    """The metadata of a PNG of `diffkit sample`; unknown keys are left out, options of later versions have their defaults.

    Raises DataError where the PNG has none, where another command made it, and for a value of another type or out of range.
    """
    document = read_metadata(path)
    if document.get("command") != "sample":
        made = f"{path}: was made by diffkit {document.get('command')!r:.60}, and --like is for images of diffkit sample"
        raise DataError(f"{made}: repeat {_command_of(document)}, with the options that {command('info', path)} shows")
    try:
        return convert(document, SampleMetadata)
    except ValueError as error:
        raise DataError(f"{path}: its metadata: {error}") from None


def options_to_reproduce(metadata: SampleMetadata, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that reproduce an image, overridden by those that are given.

    Another sampler has its own eta; and where one of the two is ddpm, its own number of steps. Times of
    another number of steps do not count.
    """
    options = {name: getattr(metadata, name) for name in SamplingOptions.__struct_fields__}
    sampler = given.get("sampler", metadata.sampler)
    if sampler != metadata.sampler:
        del options["eta"]
        if "ddpm" in (sampler, metadata.sampler):
            del options["steps"]
    if "spacing" in given or ("steps" in given and times_in(metadata.spacing)):
        del options["spacing"]
    if times_in(given.get("spacing", "")):
        options.pop("steps", None)
    return options | dict(given)


def _command_of(document: Mapping[str, Any]) -> str:
    """The command that made an image, with the images that it read; it was not `sample`."""
    made_by, names = str(document.get("command")), document.get(NAMES)
    words = ["RUN"]
    for key, flag in READ.get(made_by, {}).items():
        if key in document or made_by == "inpaint":
            words += [word for word in (flag, str((names if isinstance(names, dict) else {}).get(key, key.upper()))) if word]
    return command(made_by, *words)
