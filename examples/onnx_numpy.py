"""Generates images from a network in an ONNX file, without torch: the same as `diffkit sample`, but for two grey levels.

    diffkit export RUN --out net.onnx                          where torch is
    pip install onnxruntime diffkit-samplers                   where it is not
    python onnx_numpy.py net.onnx images.pgm               nine images

The run's config is in the file's metadata, under "diffkit". The method is DDIM over uniform times, without a class unless one is
given: `diffkit sample --sampler ddim --spacing uniform --class none`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from diffkit_samplers import Denoise, clip, ddim, denoiser, seeded
from diffkit_schedules import from_config

SCALE = 4


def sample(
    path: Path, seeds: Sequence[int], steps: int = 20, size: tuple[int, int] | None = None, label: int | None = None
) -> Any:
    """uint8 images (N, C, H, W) by DDIM, image i of seeds[i] alone. label: a class, for a network that has them."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    config = json.loads(session.get_modelmeta().custom_metadata_map["diffkit"])
    given = {}
    if classes := config["network"]["num_classes"]:  # the number after the last class is "no class"
        given["class_labels"] = np.full(len(seeds), classes if label is None else label)

    def network(x: Any, condition: Any) -> Any:
        return session.run(None, {"x": x, "condition": condition.astype(np.float32), **given})[0]

    schedule = from_config(config["schedule"])
    denoise: Denoise = denoiser(network, schedule, config["prediction"], config["condition"])
    if bound := config.get("clip_x0"):
        denoise = clip(denoise, -bound, bound, keep_eps=schedule)
    image = config["image"]
    shape = (len(seeds), image["channels"], *(size or (image["height"], image["width"])))
    noise = schedule(1.0).sigma * seeded(seeds, like=np.zeros(1, np.float32))(shape)
    x0 = ddim(denoise, schedule, noise, steps=steps)
    mean, std = (np.reshape(config["normalisation"][key], (-1, 1, 1)) for key in ("mean", "std"))
    return np.clip(np.round((x0 * std + mean) * 255), 0, 255).astype(np.uint8)


def write_row(images: Any, path: Path) -> None:
    """The images from left to right in one file that every viewer reads: PGM for grey ones, PPM for colour."""
    row = np.concatenate(list(images), axis=-1).repeat(SCALE, 1).repeat(SCALE, 2)  # (C, SCALE H, SCALE N W)
    kind = {1: "P5", 3: "P6"}[row.shape[0]]
    path.write_bytes(f"{kind} {row.shape[2]} {row.shape[1]} 255\n".encode() + row.transpose(1, 2, 0).tobytes())


if __name__ == "__main__":
    write_row(sample(Path(sys.argv[1]), seeds=range(9)), Path(sys.argv[2]))
