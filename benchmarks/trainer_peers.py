"""The trainer against diffusers' training example: python benchmarks/trainer_peers.py [--pairs 20]; needs accelerate, diffusers.

Both have the same network, images and batch size. They take turns, one step each, so that other load affects both. The example's
loop is that of examples/unconditional_image_generation/train_unconditional.py, with its defaults: a DataLoader that decodes,
crops, mirrors and normalises each image in each epoch (here by Pillow and torch, there by torchvision), accelerate, gradient
clipping, a learning-rate schedule, diffusers' EMA, and the loss read after each step.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffkit_schedules import linear_betas
from diffkit_trainer import Trainer, pack
from diffkit_unet import keep_memory, preset
from diffusers import DDPMScheduler
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

CASES = {"tutorial": (64, 8), "small": (32, 64), "one layer": (64, 8)}  # name of the network: size, batch size


class OneLayer(nn.Module):
    """A network of 12 numbers, so that the loop and the images dominate."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return self.layer(x)


class Folder(Dataset):
    """Each file decoded anew, the shorter side resized, the centre cut, half of them mirrored, values in [-1, 1]."""

    def __init__(self, root: Path, size: int) -> None:
        self.files, self.size = sorted(root.iterdir()), size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor:
        with Image.open(self.files[i]) as file:
            image = file.convert("RGB")
        factor = self.size / min(image.size)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)
        left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
        image = image.crop((left, top, left + self.size, top + self.size))
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(self.size, self.size, 3)
        return pixels.permute(2, 0, 1).contiguous().float().div(255).sub(0.5).div(0.5)


def example(network: nn.Module, data: Path, size: int, batch: int) -> Iterator[None]:
    """The example's training, one step per iteration."""
    accelerator = Accelerator(cpu=True)
    schedule = DDPMScheduler(num_train_timesteps=1000)
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    loader = DataLoader(Folder(data, size), batch_size=batch, shuffle=True, drop_last=True)
    rates = get_scheduler("cosine", optimizer=optimizer, num_warmup_steps=500, num_training_steps=100_000)
    network, optimizer, loader, rates = accelerator.prepare(network, optimizer, loader, rates)
    while True:
        for clean in loader:
            noise = torch.randn_like(clean)
            index = torch.randint(0, 1000, (len(clean),))
            noisy = schedule.add_noise(clean, noise, index)
            with accelerator.accumulate(network):
                error = functional.mse_loss(network(noisy, index / 1000).float(), noise.float())
                accelerator.backward(error)
                accelerator.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                rates.step()
                optimizer.zero_grad()
            average.step(network.parameters())
            error.detach().item()
            yield


def ours(network: nn.Module, data: Path, size: int, batch: int) -> Iterator[None]:
    """The same with the trainer, in the command's default memory format; its loss is read as often as the command reads it."""
    optimiser: dict[str, Any] = {"lr": 1e-4, "weight_decay": 1e-6, "clip_grad_norm": 1.0}
    rates: dict[str, Any] = {"lr_schedule": "cosine", "warmup": 500, "decay_steps": 100_000}
    options: dict[str, Any] = {"loss": "mse", "ema": 0.9999, "flip": True, "channels_last": True}
    options["condition"] = getattr(network, "condition", "time")
    trainer = Trainer(network, pack(data, size), linear_betas(), batch_size=batch, **options, **optimiser, **rates)
    for step, _ in trainer.run(10**9):
        if step % 50 == 0:
            trainer.metrics()
        yield


def photographs(count: int = 400, side: int = 160) -> Path:
    """JPEG files of smooth noise, not square."""
    folder = Path(tempfile.mkdtemp()) / "photographs"
    folder.mkdir()
    for i in range(count):
        coarse = Image.frombytes("RGB", (10, 8), os.urandom(240))
        coarse.resize((side * 5 // 4, side), Image.Resampling.BICUBIC).save(folder / f"{i:04d}.jpg", quality=90)
    return folder


def timed(call: Callable[[], object]) -> tuple[float, float]:
    begun, worked = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begun, time.process_time() - worked


def compare(name: str, data: Path, pairs: int) -> None:
    size, batch = CASES[name]
    loops = [make(OneLayer() if name == "one layer" else preset(name), data, size, batch) for make in (example, ours)]
    for loop in loops:
        next(loop), next(loop)
    taken: list[list[tuple[float, float]]] = [[], []]
    for n in range(pairs):
        for k in (0, 1) if n % 2 else (1, 0):
            taken[k].append(timed(partial(next, loops[k])))
    for clock, what in enumerate(("elapsed", "processor")):
        theirs, mine = ([each[clock] for each in side] for side in taken)
        ratio = statistics.median(a / b for a, b in zip(theirs, mine, strict=True))
        rates = "example {:.1f}, trainer {:.1f}".format(*(batch / statistics.median(each) for each in (theirs, mine)))
        print(f"{name}, {size}x{size}, batch {batch}, images a second of {what} time: {rates}, pair by pair {ratio:.2f}")
    loader = DataLoader(Folder(data, size), batch, shuffle=True)
    reading = statistics.median(timed(lambda: next(iter(loader)))[1] for _ in range(9))
    step = statistics.median(each[1] for each in taken[0])
    print(f"{name}: the example's images take {reading * 1e3:.1f} ms of its step's {step * 1e3:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=CASES, choices=CASES)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["DIFFKIT_CACHE"] = cache
        data = photographs()
        for name in options.only:
            compare(name, data, options.pairs)


if __name__ == "__main__":
    main()
