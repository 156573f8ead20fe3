"""Other libraries at the minutes of a run: python benchmarks/recipe_peers.py RUN DATA --minutes 5; needs diffusers, lucidrains.

RUN was trained by `diffkit train DATA` in these minutes of processor time, with classes as it does by itself. The others train on
the same images without the held-out ones, for as many minutes of processor time, by their own documented recipes: diffusers'
unconditional example (UNet2DModel of about a million parameters, AdamW 1e-4, batch 16, EMA, linear betas), and lucidrains' Unet,
GaussianDiffusion and the settings of its Trainer (Adam 1e-4, batch 16, EMA 0.995 every ten updates). The loops are written out
here: neither library loads images from memory. "bf16" is the same in autocast. All sample by DDIM of 50 steps, and are scored
on the same features, against the held-out images, as `diffkit evaluate` scores. Let nothing else run.
"""

import argparse
import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from diffkit_trainer import evaluate, learned_features, open_images, read_config, split_dataset
from torch import Tensor, nn
from torch.nn import functional

for stub in (
    "torchvision",
    "torchvision.transforms",
    "torchvision.utils",
    "pytorch_fid",
):  # lucidrains imports them, its Unet does not
    module = ModuleType(stub)
    module.__spec__, module.__path__ = ModuleSpec(stub, None), []
    sys.modules.setdefault(stub, module)
sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]  # type: ignore[attr-defined]

BATCH, STEPS = 16, 50


def train(loss_of: Callable[[Tensor], Tensor], network: nn.Module, average: Callable[[], None], **settings: Any) -> int:
    """Train on random batches for the minutes of processor time; the number of updates."""
    images, minutes, optimiser, rates, bf16 = (settings[key] for key in ("images", "minutes", "optimiser", "rates", "bf16"))
    begun, updates = time.process_time(), 0
    order = torch.Generator().manual_seed(0)
    while time.process_time() - begun < 60 * minutes:
        batch = images[torch.randint(len(images), (BATCH,), generator=order)]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if rates is not None:
            rates.step()
        optimiser.zero_grad()
        average()
        updates += 1
    return updates


def diffusers_example(images: Tensor, number: int, minutes: float, *, bf16: bool) -> tuple[Tensor, int, int]:
    """Samples in [-1, 1], the parameters, and the updates."""
    from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    down, up = ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"), ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D")
    channels, size = images.shape[1], tuple(images.shape[2:])
    blocks: dict[str, Any] = {"down_block_types": down, "up_block_types": up, "block_out_channels": (32, 48, 64)}
    network = UNet2DModel(size, channels, channels, layers_per_block=1, norm_num_groups=16, attention_head_dim=8, **blocks)
    schedule = DDPMScheduler(num_train_timesteps=1000)
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    rates = get_scheduler("cosine", optimizer=optimiser, num_warmup_steps=500, num_training_steps=100_000)

    def loss_of(clean: Tensor) -> Tensor:
        noise, index = torch.randn_like(clean), torch.randint(0, 1000, (len(clean),))
        return functional.mse_loss(network(schedule.add_noise(clean, noise, index), index).sample.float(), noise)

    settings: dict[str, Any] = {"images": images, "minutes": minutes, "optimiser": optimiser, "rates": rates, "bf16": bf16}
    updates = train(loss_of, network, lambda: average.step(network.parameters()), **settings)
    average.copy_to(network.parameters())
    sampler = DDIMScheduler.from_config(schedule.config)
    sampler.set_timesteps(STEPS)
    x = torch.randn(number, channels, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for t in sampler.timesteps:
            x = sampler.step(network(x, t).sample, t, x).prev_sample
    return x, sum(each.numel() for each in network.parameters()), updates


def lucidrains(images: Tensor, number: int, minutes: float, *, bf16: bool) -> tuple[Tensor, int, int]:
    """Samples in [-1, 1], the parameters, and the updates."""
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    network = Unet(dim=16, dim_mults=(1, 2, 4), channels=images.shape[1])
    model = GaussianDiffusion(network, image_size=tuple(images.shape[2:]), sampling_timesteps=STEPS)
    averaged, updates = copy.deepcopy(model), 0
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.99))

    def average() -> None:
        nonlocal updates
        updates += 1
        if updates % 10 == 0:
            weight = 1.0 if updates <= 100 else 0.005
            for mean, value in zip(averaged.parameters(), model.parameters(), strict=True):
                mean.data.lerp_(value.data, weight)

    settings: dict[str, Any] = {
        "images": (images + 1) / 2,
        "minutes": minutes,
        "optimiser": optimiser,
        "rates": None,
        "bf16": bf16,
    }
    train(model, network, average, **settings)
    return 2 * averaged.sample(batch_size=number) - 1, sum(each.numel() for each in network.parameters()), updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("-n", "--number", type=int, default=500)
    parser.add_argument("--only", nargs="*", choices=("diffusers", "lucidrains"), default=["diffusers", "lucidrains"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, training = open_images(options.data), read_config(options.run)["training"]
    split = split_dataset(images, fraction=training["held_out"])
    features = learned_features(images, split)
    pixels = images.pixels[torch.cat([split.training, split.real])].float() / 127.5 - 1

    def row(name: str, parameters: str, updates: str, scores: Any) -> None:
        print(f"| {name} | {parameters} | {updates} | {1000 * scores['kid']:.1f} | {scores['fd']:.2f} |", flush=True)

    print(f"| {options.minutes:g} minutes of {options.data} | parameters | images | KID x 1000 | FD |\n|---|---|---|---|---|")
    for guidance in ("1", None):
        command = ["diffkit", "evaluate", options.run, "-n", str(options.number), "--json"]
        command += ["--guidance", guidance] if guidance else []
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        count = f"{training['steps'] * training['batch_size']:,}"
        row(f"diffkit{', without guidance' * bool(guidance)}", training["preset"], count, found["samples"])
        real = found["real"]
    for name, peer in (("diffusers", diffusers_example), ("lucidrains", lucidrains)):
        for bf16 in (False, True) if name in options.only else ():
            samples, parameters, updates = peer(pixels, options.number, options.minutes, bf16=bf16)
            scored = ((samples + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            scores = evaluate(scored, images, split, features=features).samples
            row(f"{name}{', bf16' * bf16}", f"{parameters:,}", f"{updates * BATCH:,}", scores)
    row("real images that were trained on", "", "", real)


if __name__ == "__main__":
    main()
