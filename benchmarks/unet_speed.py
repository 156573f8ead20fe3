"""Images per second of the U-Net, Keras and diffusers: python benchmarks/unet_speed.py [--keras PYTHON].

Each contender runs in its own process. They take turns, one step each per round, so that other load affects all alike; medians
are compared. Compilation and the first steps are not counted.
"""

import argparse
import ctypes
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffkit_trainer import autocast
from diffkit_unet import from_diffusers, keep_memory, preset
from torch import nn
from unet_plain import Plain

TUTORIAL = [
    "plain",
    "plain tuned",
    "diffkit",
    "diffkit compiled",
    "diffkit bf16",
    "diffkit in small pages",
    "diffkit bf16 in small pages",
]
KERAS = {"keras": "float32", "keras mixed": "mixed_bfloat16"}
"""The policy of each."""
PR_SET_THP_DISABLE = 41
"""Its number in Linux's prctl.h: no huge pages for this process."""
SECOND = ["diffusers", "diffusers tuned", "mapped", "mapped compiled"]
"""plain: the tutorial's network in torch's own layers. mapped: diffusers' network, converted by from_diffusers. tuned: with
what makes ours fast, freed memory that is kept and channels last. in small pages: the system gives the process no huge ones."""

UNCONDITIONAL = {
    "sample_size": 32,
    "block_out_channels": (64, 128, 128),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "UpBlock2D"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keras", help="Python interpreter with TensorFlow and Keras")
    parser.add_argument("--only", nargs="*", help="contenders")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="the share of each operator in a training step of ours")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker[0], options.threads, *map(int, options.worker[1:]))
        return
    if options.profile:
        for name in ("diffkit", "diffkit bf16"):
            print(name, *shares(name, options.threads), sep="\n  ")
        return
    for contenders, batch, size in (([*KERAS, *TUTORIAL], 32, 64), (SECOND, 16, 32)):
        names = [name for name in contenders if name in (options.only or contenders) and (options.keras or name not in KERAS)]
        if names:
            print(f"{size}x{size}, batch {batch}, {options.threads} threads")
            race(names, options, batch, size)


def race(names: list[str], options: argparse.Namespace, batch: int, size: int) -> None:
    """Run the contenders in turns; print images per second and the ratio to the first."""
    here = Path(__file__)
    ours = [sys.executable, str(here), "--threads", str(options.threads), "--worker"]
    keras = [options.keras, str(here.with_name("unet_keras.py"))]
    processes = {
        name: subprocess.Popen(
            [*([*keras, KERAS[name], str(options.threads)] if name in KERAS else [*ours, name]), str(batch), str(size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    }
    for kind in ("train", "predict"):
        for name in names:
            for _ in range(2):
                once(processes[name], kind)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                seconds[name].append(once(processes[name], kind))
        rates = {name: batch / statistics.median(times) for name, times in seconds.items()}
        ratios = {name: statistics.median(a / b for a, b in zip(seconds[names[0]], seconds[name], strict=True)) for name in names}
        for name in names:
            print(f"  {kind:8} {name:17} {rates[name]:6.1f} images/s   x {ratios[name]:.2f}", flush=True)
    for process in processes.values():
        process.communicate()


def once(process: subprocess.Popen[str], kind: str) -> float:
    """The seconds of one step of a contender."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{kind}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def work(name: str, threads: int, batch: int, size: int) -> None:
    """Run a step for each line of stdin and print its seconds."""
    torch.set_num_threads(threads)
    step = steps(name, batch, size)
    for line in sys.stdin:
        start = time.perf_counter()
        step(line.strip())
        print(time.perf_counter() - start, flush=True)


def steps(name: str, batch: int, size: int) -> Callable[[str], None]:
    """A function that makes one step of a contender, "train" or "predict"."""
    torch.manual_seed(0)
    network = contender(name)
    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, 1e-3, weight_decay=1e-4)
    x, level = torch.randn(batch, 3, size, size), torch.rand(batch)
    if name.endswith("tuned"):
        x = x.to(memory_format=torch.channels_last)
    index = name.startswith(("diffusers", "mapped"))
    level = (level * 1000).long() if index else level

    def predict() -> torch.Tensor:
        with autocast("bf16" if "bf16" in name else "fp32", x.device):
            out = network(x, level)
        return out.sample if name.startswith("diffusers") else out

    def step(kind: str) -> None:
        network.train(kind == "train")
        if kind == "train":
            optimizer.zero_grad()
            (predict().float() - x).abs().mean().backward()
            optimizer.step()
        else:
            with torch.no_grad():
                predict()

    return step


def shares(name: str, threads: int) -> list[str]:
    """The operators of a training step, each with its share of the processor time and its calls."""
    torch.set_num_threads(threads)
    step = steps(name, 32, 64)
    step("train")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step("train")
        step("train")
    found = sorted(profile.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in found)
    head = f"{total / 2e6:.2f} s a step"
    return [head, *(f"{100 * each.self_cpu_time_total / total:5.1f}%  {each.count // 2:4}  {each.key}" for each in found[:22])]


def contender(name: str) -> nn.Module:
    """The network of a contender."""
    if name.endswith(" in small pages"):
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    if name not in ("plain", "diffusers"):
        keep_memory()
    name, tuned = name.removesuffix(" tuned"), name.endswith(" tuned")
    if name.startswith(("diffusers", "mapped")):
        from diffusers import UNet2DModel

        theirs = UNet2DModel(**UNCONDITIONAL)
        network = theirs if name == "diffusers" else from_diffusers(dict(theirs.config), theirs.state_dict())
    else:
        network = Plain() if name == "plain" else preset("tutorial")
    if name.endswith("compiled"):
        network.compile()
    if tuned:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


if __name__ == "__main__":
    main()
