"""Pipeline folders of the diffusers library: the config and weights of a network, and the config of its scheduler."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct, field
from safetensors.torch import save
from torch import Tensor

from diffkit_trainer.errors import RunError
from diffkit_trainer.export.own_files import MARK
from diffkit_trainer.files.atomic import atomic_write_bytes, atomic_write_text
from diffkit_trainer.files.noise_schedule import MAX_TIMESTEPS
from diffkit_trainer.files.strict_json import read_json
from diffkit_trainer.files.tensors import read_tensors
from diffkit_trainer.files.typed_json import FORMAT, Text, as_type

__all__ = ["PIPELINE_FILES", "Pipeline", "read_pipeline", "write_pipeline"]

INDEX, WEIGHTS = "model_index.json", "diffusion_pytorch_model"
COMPONENTS = {"unet", "scheduler"}
PIPELINE_FILES = (INDEX, f"unet/{WEIGHTS}.safetensors", "unet/config.json", "scheduler/scheduler_config.json")
"""The files of `write_pipeline`; `is_own_export` of the first tells whether diffkit wrote them."""


class Component(Struct):
    """A config with the name of its class."""

    name: Text = field(name="_class_name", default="")


class Scheduler(Component):
    """The keys of a scheduler's config that describe the noise schedule; the others concern sampling."""

    num_train_timesteps: Annotated[int, Meta(ge=1, le=MAX_TIMESTEPS)] | None = None
    trained_betas: Annotated[list[float], Meta(max_length=MAX_TIMESTEPS)] | None = None
    beta_start: float | None = None
    beta_end: float | None = None
    beta_schedule: str | None = None
    prediction_type: str | None = None
    rescale_betas_zero_snr: bool | None = None
    timestep_spacing: Text | None = None
    clip_sample: bool | None = None


class Pipeline(NamedTuple):
    """An unconditional pipeline of diffusers: class name, config and weights of the network, config of the scheduler."""

    name: str
    network: dict[str, Any]
    weights: dict[str, Tensor]
    scheduler: dict[str, Any]


def read_pipeline(folder: Path) -> Pipeline:
    """The pipeline in a folder from an untrusted source: only JSON and safetensors are read, and no code runs.

    Raises RunError for a folder without a pipeline, for other components than a network and a scheduler, for weights in a
    pickle, and as `read_tensors` does for weights that cannot be read or are not finite.
    """
    if not (folder / INDEX).is_file():
        found = f"found no {INDEX} in it" if folder.is_dir() else "found a file" if folder.exists() else "found nothing"
        raise RunError(f"{folder}: expected a pipeline folder of diffusers, {found}")
    index = _json(folder / INDEX)
    name = as_type(index, Component, folder / INDEX).name
    components = {key for key, value in index.items() if not key.startswith("_") and isinstance(value, list) and any(value)}
    if components != COMPONENTS:
        other, missing = sorted(components - COMPONENTS), sorted(COMPONENTS - components)
        difference = ", ".join(other) or f"no {' and no '.join(missing)}"
        raise RunError(f"{folder / INDEX}: expected a network (unet) and a scheduler only, found {difference}")
    weights = folder / "unet" / f"{WEIGHTS}.safetensors"
    if not weights.is_file():
        _refuse_pickle(weights.with_suffix(".bin"))
    network, scheduler = _json(folder / "unet" / "config.json"), _json(folder / "scheduler" / "scheduler_config.json")
    as_type(scheduler, Scheduler, folder / "scheduler" / "scheduler_config.json")
    # resolved: a download cache holds links to its files
    return Pipeline(name, network, read_tensors(weights.resolve()), scheduler)


def write_pipeline(folder: Path, pipeline: Pipeline) -> None:
    """Write a folder that diffusers' DiffusionPipeline.from_pretrained reads. Raises OSError if it cannot be written."""
    index = {
        "_class_name": pipeline.name,
        MARK: FORMAT,
        "unet": ["diffusers", pipeline.network["_class_name"]],
        "scheduler": ["diffusers", pipeline.scheduler["_class_name"]],
    }
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in pipeline.weights.items()}
    first, tensors, network, scheduler = (folder / name for name in PIPELINE_FILES)
    atomic_write_bytes(tensors, save(weights, {"format": "pt"}))
    _write(network, pipeline.network)
    _write(scheduler, pipeline.scheduler)
    _write(first, index)  # last: without it the folder is not a pipeline yet


def _json(path: Path) -> dict[str, Any]:
    return read_json(path.resolve() if path.is_file() else path)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    atomic_write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def _refuse_pickle(path: Path) -> None:
    if path.is_file():
        convert = f"UNet2DModel.from_pretrained({str(path.parent)!r}).save_pretrained({str(path.parent)!r})"
        raise RunError(f"{path}: is a pickle, which can run code; if you trust it, convert it with diffusers: {convert}")
