"""What a sampler costs beside the network: python benchmarks/sampler_step.py (needs diffusers for its row).

The network is free: it returns a tensor that is there already. A step of 16x3x64x64 on the CPU, eps prediction, told the index:
ours is all of `ddim` over 50 steps divided by 50, theirs `DDIMScheduler.step`, bare the update y = a x + b e alone (and, at
eta 1, the same noise drawn and added). The rounds are interleaved; medians, and ratios to bare.
"""

import statistics
import time
import warnings
from collections.abc import Callable

import torch
from diffkit_samplers import ddim, denoiser, seeded
from diffkit_schedules import linear_betas

STEPS, ROUNDS, SHAPE = 50, 30, (16, 3, 64, 64)
X, EPS = torch.randn(SHAPE), torch.randn(SHAPE)


def bare(draw: Callable[[], torch.Tensor] | None = None) -> None:
    x = X
    for k in range(STEPS):
        x = (0.99 + 1e-6 * k) * x + 0.01 * EPS
        if draw is not None:
            x = x + 0.1 * draw()


def ours(eta: float, noise: Callable[[tuple[int, ...]], torch.Tensor] | None) -> None:
    schedule = linear_betas()
    ddim(denoiser(lambda x, c: EPS, schedule, "eps", "index"), schedule, X, steps=STEPS, eta=eta, noise=noise)


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
            begun = time.perf_counter()
            run()
            times[case].append((time.perf_counter() - begun) / STEPS * 1e6)
    medians = {case: statistics.median(values) for case, values in times.items()}
    base = medians[next(iter(medians))]
    print(name + ": " + ", ".join(f"{case} {median:.0f} us ({median / base:.2f}x)" for case, median in medians.items()))


def main() -> None:
    torch.set_num_threads(2)
    measure("eta 0", {"bare": bare, "diffkit": lambda: ours(0.0, None), "diffusers": lambda: theirs(0.0)})
    draw = lambda: torch.randn(SHAPE)  # noqa: E731
    plain = {"bare": lambda: bare(draw), "diffkit": lambda: ours(1.0, None), "diffusers": lambda: theirs(1.0)}
    measure("eta 1, torch's noise", plain)
    source = seeded(range(16), like=X)
    measure("eta 1, seeded noise", {"bare": lambda: bare(lambda: source(SHAPE)), "diffkit": lambda: ours(1.0, source)})


if __name__ == "__main__":
    main()
