"""The cost of a sampler besides the network: python benchmarks/sampler_step.py (requires diffusers).

The network is free: it returns an existing tensor. A step of 16x3x64x64 on the CPU: "sampler" is `ddim` with 50 steps, divided by
50, for a denoise that returns x0; "from eps" includes the conversion of an eps prediction conditioned on the index, as
`DDIMScheduler.step` does. "bare" is the update y = a x + b e alone (at eta 1 with the same noise generated and added); for a
multistep method it is the sum of x, the estimate and the earlier estimates that it reads. Rounds of five are interleaved, each
after a run that is not counted; medians, and ratios to bare. Freed memory is kept, as by the `diffkit` command: the page faults
of memory that malloc gives back to the system after each step take longer than what is measured here.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import torch
from diffkit_samplers import METHODS, Source, ddim, denoiser, seeded
from diffkit_schedules import linear_betas
from diffkit_unet import keep_memory

STEPS, ROUNDS, REPEATS, SHAPE = 50, 8, 5, (16, 3, 64, 64)
X, EPS = torch.randn(SHAPE), torch.randn(SHAPE)
MULTISTEP = ("dpmpp_2m", "deis_2", "dpmpp_3m", "deis", "unipc_2", "unipc_3")


def bare(draw: Callable[[], torch.Tensor] | None = None, earlier: int = 0) -> None:
    x, estimates = X, [EPS.clone() for _ in range(earlier)]
    for k in range(STEPS):
        x = (0.99 + 1e-6 * k) * x + 0.01 * EPS
        for estimate in estimates:
            x = x + 0.01 * estimate
        if draw is not None:
            x = x + 0.1 * draw()


def ours(eta: float = 0.0, noise: Source | None = None, *, from_eps: bool = False) -> None:
    schedule = linear_betas()
    denoise = denoiser(lambda x, c: EPS, schedule, "eps", "index") if from_eps else lambda x, t: EPS
    ddim(denoise, schedule, X, steps=STEPS, eta=eta, noise=noise)


def theirs(eta: float) -> None:
    from diffusers import DDIMScheduler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    x = X
    for t in scheduler.timesteps:
        x = scheduler.step(EPS, t, x, eta=eta).prev_sample


def measure(name: str, cases: dict[str, Callable[[], None]]) -> None:
    times: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(ROUNDS):
        for case, run in cases.items():
            run()  # not counted: warms caches and the allocator for this case
            for _ in range(REPEATS):
                begun = time.perf_counter()
                run()
                times[case].append((time.perf_counter() - begun) / STEPS * 1e6)
    medians = {case: statistics.median(values) for case, values in times.items()}
    base = medians[next(iter(medians))]
    print(name + ": " + ", ".join(f"{case} {median:.0f} us ({median / base:.2f}x)" for case, median in medians.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    keep_memory()
    torch.set_num_threads(parser.parse_args().threads)
    both = {"sampler": ours, "from eps": lambda: ours(from_eps=True), "diffusers from eps": lambda: theirs(0.0)}
    measure("eta 0", {"bare": bare} | both)
    for name in MULTISTEP:
        method = METHODS[name]
        run = partial(method, lambda x, t: EPS, linear_betas(), X, steps=STEPS)
        measure(f"{name}, eta 0", {"bare": partial(bare, earlier=method.history), "sampler": run})
    draw = lambda: torch.randn(SHAPE)  # noqa: E731
    both = {"sampler": lambda: ours(1.0), "from eps": lambda: ours(1.0, from_eps=True), "diffusers from eps": lambda: theirs(1.0)}
    measure("eta 1, torch's noise", {"bare": lambda: bare(draw)} | both)
    source = seeded(range(16), like=X)
    both = {"sampler": lambda: ours(1.0, source), "from eps": lambda: ours(1.0, source, from_eps=True)}
    measure("eta 1, seeded noise", {"bare": lambda: bare(lambda: source(SHAPE))} | both)


if __name__ == "__main__":
    main()
