"""Correctness and speed on a GPU, in one table: python benchmarks/gpu.py [--out gpu.md] [--recipe]; `nox -s gpu` calls it.

Without a GPU it says so, and only the proofs of the tests are left. --device cpu runs every line of it on tiny networks, which
measures nothing. diffusers' training example and lucidrains' denoising-diffusion-pytorch are compared where they are installed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffkit_samplers import ddim, denoiser, seeded
from diffkit_schedules import linear_betas, offset_cosine
from diffkit_trainer import Images, Trainer, capabilities_of, described, resume, save, write_config
from diffkit_unet import preset
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "4090": 165e12, "L4": 121e12, "T4": 65e12}
"""Dense bfloat16 (T4: float16) products a second by the makers' data sheets."""

FAST: dict[str, Any] = {"precision": "auto", "compile": None, "cuda_graph": None, "channels_last": True}
PLAIN: dict[str, Any] = {"precision": "fp32", "data_on_device": False}
CASES: dict[str, tuple[Any, int, int, dict[str, Any]]] = {
    "tutorial": (offset_cosine(), 64, 64, {}),
    "ddpm-cifar10": (linear_betas(), 32, 128, {"condition": "index", "loss": "mse", "clip_grad_norm": 1.0, "ema": 0.9999}),
}
"""Schedule, side and batch size of a network, and the options of its recipe."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu.md"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--recipe", action="store_true", help="time all of the tutorial's recipe: 31,250 steps")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no GPU here: the proofs of the tests alone")
        return
    lines = [described(Trainer(*network("tutorial", device), **FAST, device=device).options, capabilities_of(device)), ""]
    lines += ["| check | result |", "|---|---|", *(f"| {name} | {check(device)} |" for name, check in CHECKS.items()), ""]
    lines += ["| network, batch | how | images/s | MFU | launches a step | memory, GB |", "|---|---|---|---|---|---|"]
    for name in CASES:
        lines += [f"| {name}, {CASES[name][2]} | {row}" for row in rows(name, device)]
    if options.recipe:
        begun = time.perf_counter()
        steps(Trainer(*network("tutorial", device), **FAST, device=device, batch_size=64), 31_250, device)
        lines += ["", f"the tutorial's recipe, 31,250 steps: {time.perf_counter() - begun:.0f} s"]
    options.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def network(name: str, device: torch.device) -> tuple[Any, Images, Any]:
    """A network, tiny on a CPU, random images, and the schedule."""
    schedule, side = CASES[name][0], side_of(name, device)
    torch.manual_seed(0)
    small: dict[str, Any] = {} if device.type == "cuda" else {"widths": (32, 32), "attention": ()}
    images = torch.randint(0, 256, (8000 if device.type == "cuda" else 64, 3, side, side), dtype=torch.uint8)
    return preset(name, **small), Images(images), schedule


def side_of(name: str, device: torch.device) -> int:
    return CASES[name][1] if device.type == "cuda" else 8


def steps(trainer: Trainer, count: int, device: torch.device) -> list[float]:
    """The losses of `count` updates; the host waits at the end."""
    losses = [step.loss for step in trainer.run(trainer.step + count)]
    if device.type == "cuda":
        torch.cuda.synchronize()
    return [float(each) for each in losses]


# --- correctness


class OfTheProcessor(Trainer):
    """A trainer with the random numbers of a CPU, on any device."""

    def _batch(self, device: torch.device) -> Any:
        batch = super()._batch(torch.device("cpu"))
        return batch._replace(t=batch.t.to(device), eps=batch.eps.to(device))


def same_curve(device: torch.device, precision: str, most: float) -> str:
    """The losses of 20 updates against the processor's in float32, from the processor's batches."""
    fast = FAST | {"precision": precision}
    found = steps(OfTheProcessor(*network("tutorial", device), **fast, device=device, batch_size=8), 20, device)
    wanted = steps(Trainer(*network("tutorial", device), batch_size=8), 20, torch.device("cpu"))
    worst = max(abs(a - b) / b for a, b in zip(found, wanted, strict=True))
    return verdict(worst < most, f"largest relative difference {worst:.1e}, at most {most:g}")


def exact_resume(device: torch.device) -> str:
    """With deterministic kernels: two runs, and a run that was stopped at its middle, have the same weights, bit for bit."""

    def make() -> Trainer:
        return Trainer(*network("tutorial", device), **FAST, deterministic=True, device=device, batch_size=8)

    def weights(trainer: Trainer) -> Tensor:
        return torch.cat([each.detach().flatten() for each in trainer.ema.model.parameters()]).cpu()

    one, other = make(), make()
    with tempfile.TemporaryDirectory() as folder:
        steps(one, 12, device)
        steps(other, 6, device)
        write_config(Path(folder), {})
        save(Path(folder), other, {})
        steps(other, 6, device)
        again = make()
        resume(Path(folder), again)
        steps(again, 6, device)
    return verdict(
        torch.equal(weights(again), weights(one)),
        f"two runs without a stop are equal: {torch.equal(weights(other), weights(one))}",
    )


def recorded_step(device: torch.device) -> str:
    """A CUDA graph of the step trains as the step does, bit for bit, with deterministic kernels."""
    how = FAST | {"compile": False, "deterministic": True}
    found, wanted = (
        steps(Trainer(*network("tutorial", device), **how | {"cuda_graph": graph}, device=device, batch_size=8), 10, device)
        for graph in (device.type == "cuda", False)
    )
    return verdict(found == wanted, f"losses of 10 updates, the last {found[-1]:.4f} and {wanted[-1]:.4f}")


def same_seeds(device: torch.device) -> str:
    """The noise of seeds is the processor's; so are samples in float32, up to rounding."""
    like = torch.zeros(1, device=device)
    noise = [seeded([7, 8], like=each)((2, 3, 64, 64)).cpu() for each in (like, like.cpu())]
    model, _, schedule = network("tutorial", device)
    torch.nn.init.normal_(model.out.weight, std=0.02)
    samples = []
    for where in (torch.device("cpu"), device):
        x = seeded([7, 8], like=torch.zeros(1, device=where))((2, 3, 32, 32))
        samples.append(ddim(denoiser(model.to(where).eval(), schedule), schedule, x, steps=10).cpu())
    worst = float((samples[0] - samples[1]).abs().max())
    return verdict(torch.equal(*noise) and worst < 1e-2, f"noise equal: {torch.equal(*noise)}; samples differ by {worst:.1e}")


def verdict(good: bool, what: str) -> str:
    return f"{'ok' if good else 'NOT OK'}: {what}"


CHECKS: dict[str, Callable[[torch.device], str]] = {
    "losses of 20 updates in float32 as on the processor": lambda device: same_curve(device, "fp32", 1e-2),
    "losses of 20 updates in bfloat16 as on the processor": lambda device: same_curve(device, "bf16", 5e-2),
    "exact resume on the device": exact_resume,
    "a recorded step is the step": recorded_step,
    "seeds give the processor's numbers": same_seeds,
}


# --- speed


def rows(name: str, device: torch.device) -> Iterator[str]:
    """A line for each way to train the network."""
    _, _, batch, recipe = CASES[name]
    batch = batch if device.type == "cuda" else 4
    flops = flops_of_an_image(name, device)
    ways: dict[str, Callable[[], Iterator[Any]]] = {
        "plain: float32, eager": lambda: Trainer(*network(name, device), batch_size=batch, **recipe | PLAIN, device=device).run(
            10**9
        ),
        "default": lambda: Trainer(*network(name, device), batch_size=batch, **recipe | FAST, device=device).run(10**9),
        "default, not compiled": lambda: Trainer(
            *network(name, device), batch_size=batch, **recipe | FAST | {"compile": False}, device=device
        ).run(10**9),
        "diffusers' example": lambda: diffusers_example(name, batch, device),
        "lucidrains": lambda: lucidrains(name, batch, device),
    }
    for how, start in ways.items():
        try:
            seconds, launches, memory = measured(start(), device)
        except (ImportError, RuntimeError) as error:  # a peer that is not installed, or not for this torch
            yield f"{how} | {str(error).splitlines()[0]} | | | |"
            continue
        peak = next((value for key, value in PEAKS.items() if key in capabilities_of(device).name), None)
        mfu = "" if peak is None or how == "lucidrains" else f"{100 * flops * batch / seconds / peak:.1f}%"
        yield f"{how} | {batch / seconds:,.0f} | {mfu} | {launches} | {memory:.1f} |"


def measured(loop: Iterator[Any], device: torch.device) -> tuple[float, str, float]:
    """The seconds of a step, median of five rounds of 20, after 12 that compile and record; launches; gigabytes."""
    on_gpu = device.type == "cuda"
    count, rounds = (20, 5) if on_gpu else (1, 2)

    def run(times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            next(loop)
        if on_gpu:
            torch.cuda.synchronize()
        return (time.perf_counter() - begun) / times

    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    run(12 if on_gpu else 1)
    seconds = statistics.median(run(count) for _ in range(rounds))
    if not on_gpu:
        return seconds, "", 0.0
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run(1)
    launches = sum(each.count for each in profile.key_averages() if each.key.startswith(("cudaLaunch", "cudaGraphLaunch")))
    return seconds, str(launches), torch.cuda.max_memory_allocated() / 2**30


def flops_of_an_image(name: str, device: torch.device) -> float:
    """Of forward and backward, counted on one image."""
    model, _, _ = network(name, device)
    side, level = side_of(name, device), torch.ones(1, dtype=torch.int64 if name == "ddpm-cifar10" else torch.float32)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, side, side), level).sum().backward()
    return float(counter.get_total_flops())


def diffusers_example(name: str, batch: int, device: torch.device) -> Iterator[None]:
    """Its loop with the same network in its mixed precision, the images decoded already: see trainer_peers.py for the files."""
    from accelerate import Accelerator
    from diffusers import DDPMScheduler
    from diffusers.training_utils import EMAModel

    model, images, _ = network(name, device)
    accelerator = Accelerator(cpu=device.type != "cuda", mixed_precision="bf16")
    schedule = DDPMScheduler(num_train_timesteps=1000)
    average = EMAModel(model.parameters(), decay=0.9999, use_ema_warmup=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model, optimizer = accelerator.prepare(model, optimizer)
    average.to(accelerator.device)
    while True:
        rows = torch.randint(0, len(images), (batch,))
        clean = (images.pixels[rows].float() / 127.5 - 1).to(accelerator.device)
        noise, index = torch.randn_like(clean), torch.randint(0, 1000, (batch,), device=clean.device)
        level = index if name == "ddpm-cifar10" else index / 1000
        error = functional.mse_loss(model(schedule.add_noise(clean, noise, index), level).float(), noise)
        accelerator.backward(error)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(model.parameters())
        error.detach().item()
        yield


def lucidrains(name: str, batch: int, device: torch.device) -> Iterator[None]:
    """Its own network of the same widths and its loss, Adam and its average, as its README writes them."""
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet
    from ema_pytorch import EMA

    _, images, _ = network(name, device)
    dim, mults = (32, (1, 2, 3, 4)) if name == "tutorial" else (128, (1, 2, 2, 2))
    diffusion = GaussianDiffusion(Unet(dim=dim, dim_mults=mults), image_size=side_of(name, device), timesteps=1000).to(device)
    optimizer, average = torch.optim.Adam(diffusion.parameters(), lr=1e-4), EMA(diffusion, beta=0.995, update_every=10)
    while True:
        clean = (images.pixels[torch.randint(0, len(images), (batch,))].float() / 255).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            error = diffusion(clean)
        error.backward()
        torch.nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        error.item()
        yield


if __name__ == "__main__":
    main()
