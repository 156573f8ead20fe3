"""Generates images from a network in an ONNX file, without torch: the same as `diffkit sample`, but for two grey levels.

    diffkit export RUN --out net.onnx                          where torch is
    pip install onnxruntime diffkit-samplers                   where it is not
    python onnx_numpy.py net.onnx -n 16 --seed 0 --out images.pgm

The run's config is in the file's metadata, under "diffkit". The method is DDIM over uniform times, without a class unless one is
given: `diffkit sample --sampler ddim --spacing uniform --class none`.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from diffkit_samplers import Denoise, clip, ddim, denoiser, seeded
from diffkit_schedules import from_config

VISIBLE = 64


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


def write_grid(images: Any, path: Path) -> None:
    """The images side by side in one file that every viewer reads: PGM for grey ones, PPM for colour."""
    count, channels, height, width = images.shape
    columns = math.ceil(count**0.5)
    rows, scale = -(-count // columns), -(-VISIBLE // height)
    cells = np.full((rows * columns, channels, height, width), 255, np.uint8)
    cells[:count] = images
    cells = cells.repeat(scale, 2).repeat(scale, 3).reshape(rows, columns, channels, scale * height, scale * width)
    pixels = cells.transpose(0, 3, 1, 4, 2).reshape(rows * scale * height, columns * scale * width, channels)
    kind = {1: "P5", 3: "P6"}[channels]
    path.write_bytes(f"{kind} {pixels.shape[1]} {pixels.shape[0]} 255\n".encode() + pixels.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="what diffkit export wrote, FILE.onnx")
    parser.add_argument("-n", type=int, default=16, help="images")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--class", dest="label", type=int, help="of a network with classes, from 0")
    parser.add_argument("--out", type=Path, default=Path("images.pgm"), help="a .pgm file, .ppm for colour")
    options = parser.parse_args()
    images = sample(options.network, range(options.seed, options.seed + options.n), options.steps, label=options.label)
    write_grid(images, options.out)


if __name__ == "__main__":
    main()
