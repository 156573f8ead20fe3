"""The folder of a pipeline of the diffusers library: a network's config and weights, and its scheduler's config."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct, field
from safetensors.torch import save
from torch import Tensor

from diffkit_trainer.errors import RunError
from diffkit_trainer.files.atomic import written
from diffkit_trainer.files.stored_schedule import MOST_TIMESTEPS
from diffkit_trainer.files.strict_json import read_json
from diffkit_trainer.files.tensors import read_tensors
from diffkit_trainer.files.typed_json import Text, as_type

__all__ = ["Pipeline", "read_pipeline", "write_pipeline"]

INDEX, WEIGHTS = "model_index.json", "diffusion_pytorch_model"
PARTS = {"unet", "scheduler"}


class Named(Struct):
    """A part that says what it is."""

    name: Text = field(name="_class_name", default="")


class Scheduler(Named):
    """What a scheduler's config says of the noise; the rest is the sampler's."""

    num_train_timesteps: Annotated[int, Meta(ge=1, le=MOST_TIMESTEPS)] | None = None
    trained_betas: Annotated[list[float], Meta(max_length=MOST_TIMESTEPS)] | None = None
    beta_start: float | None = None
    beta_end: float | None = None
    beta_schedule: str | None = None
    prediction_type: str | None = None
    rescale_betas_zero_snr: bool | None = None
    timestep_spacing: Text | None = None
    clip_sample: bool | None = None


class Pipeline(NamedTuple):
    """An unconditional pipeline: its class's name, the config and the weights of its network, the config of its scheduler."""

    name: str
    network: dict[str, Any]
    weights: dict[str, Tensor]
    scheduler: dict[str, Any]


def read_pipeline(folder: Path) -> Pipeline:
    """What such a folder holds; for one from anywhere: JSON and safetensors are read, and nothing is run.

    Raises RunError for a folder that is none, that holds other parts than a network and a scheduler, or weights as a pickle;
    and as `read_tensors` does for weights that cannot be read or are not finite.
    """
    if not (folder / INDEX).is_file():
        found = f"found no {INDEX} in it" if folder.is_dir() else "it is a file" if folder.exists() else "there is none"
        raise RunError(f"{folder}: expected the folder of a pipeline of diffusers, {found}")
    index = _json(folder / INDEX)
    name = as_type(index, Named, folder / INDEX).name
    parts = {key for key, value in index.items() if not key.startswith("_") and isinstance(value, list) and any(value)}
    if parts != PARTS:
        more = sorted(parts - PARTS) or "no " + " and no ".join(sorted(PARTS - parts))
        raise RunError(f"{folder / INDEX}: expected a network (unet) and a scheduler alone, found {_listed(more)}")
    weights = folder / "unet" / f"{WEIGHTS}.safetensors"
    if not weights.is_file():
        _refuse_pickle(weights.with_suffix(".bin"))
    network, scheduler = _json(folder / "unet" / "config.json"), _json(folder / "scheduler" / "scheduler_config.json")
    as_type(scheduler, Scheduler, folder / "scheduler" / "scheduler_config.json")
    # resolved: a download's cache keeps links to its files
    return Pipeline(name, network, read_tensors(weights.resolve()), scheduler)


def write_pipeline(folder: Path, pipeline: Pipeline) -> None:
    """Write the folder, as diffusers' DiffusionPipeline.from_pretrained reads it. Raises OSError where it cannot be written."""
    index = {
        "_class_name": pipeline.name,
        "unet": ["diffusers", pipeline.network["_class_name"]],
        "scheduler": ["diffusers", pipeline.scheduler["_class_name"]],
    }
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in pipeline.weights.items()}
    with written(folder / "unet" / f"{WEIGHTS}.safetensors") as temporary:
        temporary.write_bytes(save(weights, {"format": "pt"}))
    _write(folder / "unet" / "config.json", pipeline.network)
    _write(folder / "scheduler" / "scheduler_config.json", pipeline.scheduler)
    _write(folder / INDEX, index)  # last: a folder without it is no pipeline yet


def _json(path: Path) -> dict[str, Any]:
    return read_json(path.resolve() if path.is_file() else path)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    with written(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", "utf-8")


def _listed(parts: list[str] | str) -> str:
    return parts if isinstance(parts, str) else ", ".join(parts)


def _refuse_pickle(path: Path) -> None:
    if path.is_file():
        convert = f"UNet2DModel.from_pretrained({str(path.parent)!r}).save_pretrained({str(path.parent)!r})"
        raise RunError(f"{path}: is a pickle, which can run code; where you trust it, let diffusers convert it: {convert}")
