"""The trainer's overhead over a loop in plain torch: python benchmarks/trainer_overhead.py [--batch 8] [--pairs 15].

Both have the same network, optimiser, EMA and data. They take turns, one step each, so that other load affects both; medians.
Then the rate of packed images, the time that a save blocks training, and peak memory, measured in separate processes.
"""

import argparse
import copy
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffkit_schedules import offset_cosine
from diffkit_trainer import Images, Normalisation, Saver, Trainer, open_images
from diffkit_unet import preset
from torch import nn
from torch.nn import functional


def images(count: int = 2000, size: int = 64) -> Images:
    """Random bytes, on disk and mapped, as packed images are."""
    path = Path(tempfile.mkdtemp()) / "pixels"
    path.write_bytes(torch.randint(0, 256, (count * 3 * size * size,), dtype=torch.uint8).numpy().tobytes())
    mapped = torch.from_file(str(path), shared=False, size=count * 3 * size * size, dtype=torch.uint8)
    return Images(mapped.view(count, 3, size, size))


def bare(network: nn.Module, data: Images, batch: int) -> Iterator[None]:
    """The tutorial's training in plain torch: random batch, AdamW, EMA of weights and statistics."""
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)
    values = [*network.parameters(), *(buffer for buffer in network.buffers() if buffer.is_floating_point())]
    averages = [*average.parameters(), *(buffer for buffer in average.buffers() if buffer.is_floating_point())]
    schedule, order = offset_cosine(), torch.randperm(len(data))
    mean, std = (torch.tensor(each).reshape(-1, 1, 1) for each in data.statistics())
    for n in range(10**9):
        x0 = (data.pixels[order[torch.arange(n * batch, (n + 1) * batch) % len(data)]].float() / 255 - mean) / std
        t, eps = torch.rand(batch, 1, 1, 1), torch.randn(x0.shape)
        alpha, sigma = schedule(t)
        optimizer.zero_grad()
        functional.l1_loss(network(alpha * x0 + sigma * eps, (sigma * sigma).flatten()), eps).backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, values, 0.001)
        yield


class Pixel(nn.Module):
    """A network of 12 numbers, so that the loop dominates."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def in_turn(make: Callable[[], nn.Module], data: Images, batch: int, pairs: int) -> tuple[float, float, float]:
    """Medians of the bare step, of the trainer's, and of their ratio pair by pair."""
    by_hand = bare(make(), data, batch)
    ours = Trainer(make(), data, offset_cosine(), batch_size=batch).run(10**9)
    for loop in (by_hand, ours):
        next(loop), next(loop)
    found = []
    for n in range(pairs):
        order = (by_hand, ours) if n % 2 else (ours, by_hand)
        took = {id(loop): seconds(partial(next, loop)) for loop in order}
        found.append((took[id(by_hand)], took[id(ours)]))
    return (*(statistics.median(each) for each in zip(*found, strict=True)), statistics.median(b / a for a, b in found))


def overhead(batch: int, pairs: int) -> float:
    data = images()
    one, other, ratio = in_turn(lambda: preset("tutorial"), data, batch, pairs)
    print(f"tutorial network, batch {batch}: bare {one * 1e3:.0f} ms, trainer {other * 1e3:.0f} ms, ratio {ratio:.3f}")
    small, ours, _ = in_turn(Pixel, data, batch, 20 * pairs)
    fraction = (ours - small) / one
    print(
        f"the loop alone (a network of 12 numbers): bare {small * 1e3:.2f} ms, trainer {ours * 1e3:.2f} ms: "
        f"{(ours - small) * 1e3:.2f} ms more, {fraction:.2%} of the tutorial's step"
    )
    return other


def formats(pairs: int) -> None:
    digits, photographs = open_images("digits"), images()
    cases: dict[str, dict[str, Any]] = {"plain": {}, "channels_last": {"channels_last": True}, "bf16": {"precision": "bf16"}}
    cases["both"] = cases["channels_last"] | cases["bf16"]
    for name, data, batch, rounds in (("tutorial", photographs, 8, pairs), ("small", digits, 64, 8 * pairs)):
        loops = {
            case: Trainer(preset(name, in_channels=data.shape[0]), data, offset_cosine(), batch_size=batch, **options).run(10**9)
            for case, options in cases.items()
        }
        took = {case: [seconds(partial(next, loop)) for _ in range(2)] for case, loop in loops.items()}
        for _ in range(rounds):
            for case, loop in loops.items():
                took[case].append(seconds(partial(next, loop)))
        plain = took["plain"]
        ratios = {case: statistics.median(a / b for a, b in zip(each[2:], plain[2:], strict=True)) for case, each in took.items()}
        print(f"{name}, time relative to float32: " + ", ".join(f"{case} {ratio:.2f}" for case, ratio in ratios.items()))


def data_rate(batch: int, step: float) -> None:
    data = images()
    normalisation, index = Normalisation.of(data), torch.randint(len(data), (batch,))
    rate = batch / statistics.median(seconds(lambda: normalisation.to_network(data.pixels[index]).flip(-1)) for _ in range(100))
    print(f"packed images: {rate:.0f} images/s; the network uses {batch / step:.1f}: {rate * step / batch:.0f} times that")


def copied(trainer: Trainer) -> list[torch.Tensor]:
    """One copy in memory of all tensors of a checkpoint."""
    _, moments = trainer.state()
    tensors = (moments, *(network.state_dict() for network in (trainer.model, *trainer.ema.models)))
    return [value.clone() for each in tensors for value in each.values()]


def saving() -> None:
    trainer = Trainer(preset("tutorial"), images(200), offset_cosine(), batch_size=2)
    next(iter(trainer.run(1)))
    copies, blocked, written = [], [], []
    with tempfile.TemporaryDirectory() as run, Saver(run) as saver:
        for _ in range(9):
            copies.append(seconds(lambda: copied(trainer)))
            begun = time.perf_counter()
            saver.save(trainer, {})
            blocked.append(time.perf_counter() - begun)
            saver.wait()
            written.append(time.perf_counter() - begun)
    one, two, three = (statistics.median(each) * 1e3 for each in (copies, blocked, written))
    print(f"a save: one copy in memory {one:.1f} ms, training waits {two:.1f} ms, on the disk after {three:.0f} ms")


def memory(kind: str, batch: int) -> None:
    data = images(200)
    loop = (
        bare(preset("tutorial"), data, batch)
        if kind == "bare"
        else Trainer(preset("tutorial"), data, offset_cosine(), batch_size=batch).run(10)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        next(loop)
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--memory", choices=("bare", "trainer"))
    options = parser.parse_args()
    if options.memory:
        memory(options.memory, options.batch)
        return
    step = overhead(options.batch, options.pairs)
    formats(options.pairs)
    data_rate(options.batch, step)
    saving()
    peaks = {}
    for kind in ("bare", "trainer"):
        command = [sys.executable, __file__, "--memory", kind, "--batch", "32"]
        peaks[kind] = [
            int(each) / 1024 for each in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        ]
    (_, one), (_, other) = peaks.values()
    print(f"peak of memory, batch 32: bare {one:.0f} MB, trainer {other:.0f} MB, {other / one - 1:+.1%}")


if __name__ == "__main__":
    main()
