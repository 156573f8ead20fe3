"""Conversion between a run's network and an unconditional pipeline of diffusers."""

import math
import warnings
from typing import Any

from diffkit_schedules import from_config, from_diffusers, to_config, to_diffusers
from diffkit_trainer import Pipeline
from diffkit_unet import UNet
from diffkit_unet import from_diffusers as network_from_diffusers
from diffkit_unet import to_diffusers as network_to_diffusers

from diffkit_cli.run_config import RunConfig

__all__ = ["network_of", "pipeline_of", "spacing_of"]

HALF = 0.5
"""Pipelines of diffusers sample x in [-1, 1] and return x / 2 + 1/2, whatever the network was trained on."""

CLIPPING = ("DDPMScheduler", "DDIMScheduler", "DDIMInverseScheduler")
"""The schedulers that clip x0 by default."""


def pipeline_of(network: UNet, config: RunConfig) -> Pipeline:
    """The DDIMPipeline that generates what the run generates, with its schedule and timesteps.

    Raises ValueError for what such a pipeline does not have: another normalisation than [-1, 1], classes, another condition than
    the index; and as both packages' `to_diffusers` do.
    """
    for name, values in (("mean", config.normalisation.mean), ("std", config.normalisation.std)):
        if any(not math.isclose(value, HALF, abs_tol=1e-6) for value in values):
            shown = ", ".join(f"{value:.3g}" for value in values)
            raise ValueError(f"its pipelines sample in [-1, 1], a mean and std of 0.5; the {name} of this run is {shown}")
    if config.condition != "index":
        raise ValueError(f"its networks are conditioned on the index, that of this run on the {config.condition}")
    if config.num_classes:
        raise ValueError("its unconditional pipelines have no classes, this run has classes")
    if config.image is None:
        raise ValueError("its unconditional pipelines generate 8-bit images, this run other samples")
    height, width = config.image.height, config.image.width
    layers, weights = network_to_diffusers(network)
    scheduler = to_diffusers(from_config(config.schedule), config.prediction)
    if config.clip_x0:
        scheduler |= {"clip_sample": True, "clip_sample_range": config.clip_x0}
    size = {"sample_size": height if height == width else [height, width]}
    return Pipeline("DDIMPipeline", layers | size, weights, scheduler)


def network_of(pipeline: Pipeline) -> tuple[UNet, RunConfig, list[str]]:
    """The network, the config of a run that generates what the pipeline generates, and what is ignored in the scheduler.

    Raises ValueError for flow matching, a learned variance, a missing image size, and as both `from_diffusers` do.
    """
    scheduler, name = dict(pipeline.scheduler), pipeline.scheduler.get("_class_name")
    clip = scheduler.pop("clip_sample", name in CLIPPING) and scheduler.pop("clip_sample_range", 1.0)
    scheduler.pop("timestep_spacing", None)  # an option of each command, see `spacing_of`
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        schedule, prediction = from_diffusers(scheduler)
    if getattr(schedule, "path", None) == "straight":
        raise ValueError(f"{name}: flow matching conditions networks on 1000 sigma, which no network of diffkit takes")
    if clip and not (isinstance(clip, int | float) and 0 < clip < math.inf):
        raise ValueError(f"clip_sample_range must be a number above 0, got {clip!r:.60}")
    channels, out = pipeline.network.get("in_channels", 3), pipeline.network.get("out_channels", 3)
    if channels != out:
        raise ValueError(f"the network has {out} output channels for {channels}: a learned variance is not supported")
    height, width = _size(pipeline.network.get("sample_size"))
    network = network_from_diffusers(pipeline.network, pipeline.weights)
    document = {
        "data": {"source": "", "images": 0, "fingerprint": "", "classes": []},
        "image": {"channels": channels, "height": height, "width": width},
        "normalisation": {"mean": [HALF] * channels, "std": [HALF] * channels},
        "network": network.to_config(),
        "schedule": to_config(schedule),
        "prediction": prediction,
        "condition": "index",
        "clip_x0": clip or None,
        "imported": f"{pipeline.name}, {name} of diffusers",
    }
    config = RunConfig.of(document)
    return network, config, [str(warning.message).partition("sampler: ")[2] or str(warning.message) for warning in caught]


def spacing_of(pipeline: Pipeline) -> str:
    """The spacing of the pipeline's timesteps, as `diffkit_samplers.grid` names it.

    >>> spacing_of(Pipeline("DDIMPipeline", {}, {}, {"_class_name": "DDIMScheduler"}))
    'leading'
    """
    return str(pipeline.scheduler.get("timestep_spacing") or "leading")


def _size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list) and len(value) == 2 else [value, value]
    if not all(type(side) is int and 1 <= side <= 4096 for side in sides):
        raise ValueError(
            f"sample_size must be the images' height and width, from 1 to 4096, got {value!r:.60}: set it in its config"
        )
    return sides[0], sides[1]
