"""How much nearer tuned times are to the exact samples than any method and spacing by name: python benchmarks/tuned_times.py.

The data are the mixture of Gaussians of `sampler_error.py` on the cosine schedule. Times are tuned on 16 noises, and all are
measured on 64 others, by `FineSolution.error`. For a network: `diffkit tune RUN --steps N`.
"""

from diffkit_samplers import SPACINGS, FineSolution, Start, grid, seeded, tune
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine

SCHEDULE = cosine()
ORACLE = MixtureOracle(SCHEDULE, means=(-1.0, 0.5, 1.5), variances=(0.05, 0.1, 0.02), weights=(0.3, 0.5, 0.2))
NAMED = ("ddim", "dpmpp_2m", "dpmpp_3m", "deis_2", "deis", "unipc_2", "unipc_3", "ab_2", "ab_3")


def start(seeds: range) -> Start:
    z = seeded(seeds)((len(seeds), 16))
    return lambda t: SCHEDULE(t).sigma * z


def main() -> None:
    others = FineSolution(ORACLE, SCHEDULE, start(range(100, 164)))
    print("| steps | uniform DDIM | best by name | tuned | |\n|---|---|---|---|---|")
    for steps in (4, 5, 8, 12, 20):
        ways = [(others.error(name, grid(SCHEDULE, steps, spacing)), name, spacing) for name in NAMED for spacing in SPACINGS]
        error, name, spacing = min(ways)
        method, times, _ = tune(ORACLE, SCHEDULE, start(range(16)), steps=steps)
        found, uniform = others.error(method, times), others.error("ddim", grid(SCHEDULE, steps))
        print(
            f"| {steps} | {uniform:.4f} | {error:.4f} {name}, {spacing} | {found:.4f} {method} | {found / error:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
